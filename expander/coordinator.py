"""The loop, and the two seams that it knows only as protocols."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Protocol

from expander.axis import Axis
from expander.cost import Cost, MeasuredName
from expander.errors import UsageError
from expander.failure import Verdict, blamed, suspects, verdict
from expander.geometry import Geometry
from expander.placement import length
from expander.search import (
    Decision,
    Instance,
    Step,
    decide,
    ending,
    foreseen,
    instances,
    next_step,
    possible,
    prescribe,
    prescribed_axis,
)
from expander.space import SearchSpace
from expander.trial import Completed, Epoch, Event, Failed, GoesOn, Outcome, Started, Trial, Warned

# What follows where a trial fails that was begun before its step.
EARLY = "it was begun early, and is tried again where a step needs it"
NO_WAITS: Mapping[str, float] = {}


def nobody() -> Sequence[Trial]:
    """No trial is begun early."""
    return ()


def nowhere(_: str) -> frozenset[str]:
    """Keeps no trial from any node."""
    return frozenset()


class Store(Protocol):
    """What is remembered of one search. Every method is one transaction."""

    def decisions(self) -> Sequence[Decision]:
        """The search's decisions, in the order in which they were made."""

    def enroll(self, step: Step) -> None:
        """Record the step, its candidates and the trials that they need. Idempotent."""

    def foresee(self, trial: Trial) -> None:
        """Record a trial that no step has yet, as one may come to it. Idempotent."""

    def unfinished(self, step: Step) -> Sequence[Trial]:
        """The step's trials that have not completed, in any search."""

    def failures(self) -> Sequence[Failed]:
        """The failures in this search that count, oldest first, without tracebacks and logs."""

    def record(self, event: Event) -> None:
        """Record what a dispatcher yielded. A completed trial stays completed, whatever comes later."""

    def outcomes(self, step: Step) -> Sequence[Outcome]:
        """The outcome of every trial of the step that has one: Completed, else its last Failed."""

    def commit(self, decision: Decision, settled: Sequence[Instance]) -> None:
        """Record a decision and every instance settled so far. Raises StoreError on a second, different decision."""

    def settle(self, settled: Sequence[Instance]) -> None:
        """Record every instance settled so far; some need no decision, as when the basis fills a regime."""


class Meter(Protocol):
    """Measures networks on a device like those that the trials use."""

    @property
    def device(self) -> str:
        """Which device: measurements of two devices are never compared."""

    def measure(self, name: MeasuredName, geometry: Geometry) -> float:
        """Latency in seconds of one centre-crop clip, or memory in bytes of a training step on two of them.

        Infinite where the device has not enough memory. Raises TrialError when it cannot be told.
        """


class Dispatcher(Protocol):
    """Carries trials out, in this process or on a cluster."""

    @property
    def meter(self) -> Meter:
        """Measures where the trials run; never asked while some do."""

    @property
    def nodes(self) -> frozenset[str]:
        """The machines that could take an attempt now, as Started and Failed name them."""

    def run(
        self,
        trials: Sequence[Trial],
        again: Callable[[Failed], float | None],
        waits: Mapping[str, float] = NO_WAITS,
        avoid: Callable[[str], frozenset[str]] = nowhere,
        early: Callable[[], Sequence[Trial]] = nobody,
    ) -> Generator[Event, None, None]:
        """Train `trials`; yield what happens as it happens, and exactly one outcome for each attempt.

        A trial that fails is an outcome, never an exception: `again`, asked once the Failed has been yielded, says
        after how many seconds it is tried anew, None for never. waits: such seconds of a trial before its first
        attempt. avoid: the nodes that a trial, by its id, is kept from where others could take it; asked as late as can
        be, from any thread. Closing the generator stops every running trial before it returns.

        early: other trials, best first, for room that `trials` leave; asked again and again. Each is begun at most
        once, whatever becomes of it, and stopped without an outcome where it is no longer named, where one of `trials`
        needs its room, and once all of these have ended. A dispatcher without room to spare asks for none.
        """


class Measurements(Protocol):
    """What was measured before, by any search of a store."""

    def measurement(self, name: MeasuredName, device: str, geometry: Geometry) -> float | None:
        """What is recorded, None where nothing is."""

    def remember(self, name: MeasuredName, device: str, geometry: Geometry, value: float) -> float:
        """Record a measurement; the first of a geometry stands, and is returned."""


def measured(name: MeasuredName, meter: Meter, known: Measurements | None = None) -> Cost:
    """The complexity `name`, measured where it is not `known` yet: a resumed search gets the values that it had."""

    @cache
    def of(geometry: Geometry) -> float:
        if known is None:
            return meter.measure(name, geometry)
        value = known.measurement(name, meter.device, geometry)
        return known.remember(name, meter.device, geometry, meter.measure(name, geometry)) if value is None else value

    # The stride says which frames a clip has, which no network sees: X-Fast and X-Temporal are one measurement.
    return Cost(name, lambda geometry: of(replace(geometry, stride=None)), meter.device)


def run_search(
    space: SearchSpace,
    store: Store,
    dispatcher: Dispatcher,
    data: str,
    watch: Callable[[Step, Event | Decision | None], None],
    cost: Cost | None = None,
) -> str:
    """Take every step that is left, and return why the search ended. Resume is run: all state is in the store.

    data: fingerprint of the videos. watch: is told of each step as it begins (None), its events and its decision.
    cost: the space's complexity; needed where it is measured.
    """
    while step := next_step(space, decisions := store.decisions(), data, cost):
        store.enroll(step)
        watch(step, None)
        if space.prescribed:
            decision = prescribe(step, prescribed_axis(space, step, decisions))
        else:
            ahead = _ahead(space, step, decisions, store, data, cost)
            _train(space, step, store, dispatcher, watch, ahead)
            decision = decide(step, store.outcomes(step), skip_failed=space.failures.then == "skip")
        store.commit(decision, instances(space, [*decisions, decision], cost))
        watch(step, decision)
    store.settle(instances(space, decisions, cost))
    reason = ending(space, decisions, cost)
    assert reason is not None
    return reason


def _train(
    space: SearchSpace,
    step: Step,
    store: Store,
    dispatcher: Dispatcher,
    watch: Callable[[Step, Event | Decision | None], None],
    ahead: _Ahead,
) -> None:
    failures = _Failures(space, dispatcher, list(store.failures()))
    waits = {trial.id: wait for trial in store.unfinished(step) if (wait := failures.due(trial.id)) is not None}
    if not waits:
        return
    # The longest first: begun last, it would end alone.
    todo = sorted((trial for trial in step.trials if trial.id in waits), key=length, reverse=True)
    # Those that are tried again may still be kept.
    ahead.outcomes = [outcome for outcome in store.outcomes(step) if outcome.trial not in waits]

    def again(failed: Failed) -> float | None:
        return failures.wait(failed.trial)

    with closing(dispatcher.run(todo, again, waits, failures.avoid, lambda: ahead.wanted(failures.failed))) as events:
        for event in events:
            early = ahead.trial(event.trial)
            if early is not None and isinstance(event, Started):
                store.foresee(early)
            seen = failures.take(event, retried=early is None)
            if not isinstance(seen, Warned):
                store.record(seen)
            watch(step, seen)
            ahead.take(seen)


@dataclass
class _Ahead:
    """Trials of the steps that may follow `step`, by what the space begins early.

    may: the trials that have not completed, each with the axes that `step` would have kept before it. outcomes: those
    of the step so far.
    """

    step: Step
    certain: bool
    may: Mapping[str, tuple[Trial, frozenset[Axis]]]
    outcomes: list[Outcome] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)

    def trial(self, trial: str) -> Trial | None:
        """The trial of that id, None for one of the step."""
        return self.may[trial][0] if trial in self.may else None

    def take(self, event: Event) -> None:
        """Note an outcome."""
        if isinstance(event, Completed) or (isinstance(event, Failed) and event.wait is None):
            self.ended.add(event.trial)
            if event.trial not in self.may:
                self.outcomes.append(event)

    def wanted(self, failed: Callable[[str], bool]) -> list[Trial]:
        """Those that the step may still lead to, the likeliest first; none that has failed, which its step sees to."""
        open_still = set(possible(self.step, self.outcomes))
        found = []
        for trial, axes in self.may.values():
            chances = len(axes & open_still)
            if chances and (chances == len(open_still) or not self.certain):
                found.append((-chances, trial))
        found.sort(key=lambda each: each[0])
        return [trial for _, trial in found if trial.id not in self.ended and not failed(trial.id)]


def _ahead(
    space: SearchSpace, step: Step, decisions: Sequence[Decision], store: Store, data: str, cost: Cost | None
) -> _Ahead:
    may: dict[str, tuple[Trial, frozenset[Axis]]] = {}
    if space.resources.speculation != "off":
        mine = {trial.id for trial in step.trials}
        for axis, following in foreseen(space, decisions, step, data, cost):
            # Of trials that were begun otherwise than this search trains, their step will say so.
            with suppress(UsageError):
                for trial in store.unfinished(following):
                    if trial.id not in mine:
                        _, axes = may.get(trial.id, (trial, frozenset[Axis]()))
                        may[trial.id] = trial, axes | {axis}
    return _Ahead(step, space.resources.speculation == "certain", may)


@dataclass
class _Failures:
    """What has failed in a search so far, and what follows from it."""

    space: SearchSpace
    dispatcher: Dispatcher
    known: list[Failed]
    reached: dict[str, int] = field(default_factory=dict)

    def take(self, event: Event, *, retried: bool = True) -> Event:
        """Note an event; a failure comes back with how far its trial had come and with what follows.

        retried: a trial of this step; what failed early waits for a step of its own.
        """
        match event:
            case Epoch():
                self.reached[event.trial] = event.number
            case GoesOn():
                self.reached[event.trial] = event.epochs[-1].number
            case Failed():
                event = replace(event, epoch=self._reached(event.trial))
                self.known.append(event)
                follows = self._verdict(event.trial) if retried else Verdict(None, EARLY)
                event = self.known[-1] = replace(event, wait=follows.wait, next=follows.why)
        return event

    def wait(self, trial: str) -> float | None:
        """Seconds from a trial's last failure to its next attempt, None where none follows."""
        return self._of(trial)[-1].wait

    def failed(self, trial: str) -> bool:
        """Whether an attempt at it has failed."""
        return bool(self._of(trial))

    def due(self, trial: str) -> float | None:
        """As `wait`, for a trial of which nothing runs: what was said then may have changed with the space or nodes."""
        if not (past := self._of(trial)):
            return 0.0
        return None if self._verdict(trial).wait is None else past[-1].wait or 0.0

    def avoid(self, trial: str) -> frozenset[str]:
        """The nodes that a trial is kept from: those that fail, and those where it failed itself and would again."""
        return suspects(self.known) | blamed(self._of(trial))

    def _verdict(self, trial: str) -> Verdict:
        return verdict(self._of(trial), self.space.failures, self.dispatcher.nodes)

    def _of(self, trial: str) -> list[Failed]:
        return [failed for failed in self.known if failed.trial == trial]

    def _reached(self, trial: str) -> int | None:
        before = [failed.epoch for failed in self._of(trial) if failed.epoch is not None]
        return max([*before, self.reached.get(trial, 0)]) or None
