"""The loop, and the two seams that it knows only as protocols."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cache
from typing import Protocol

from expander.cost import Cost, MeasuredName
from expander.geometry import Geometry
from expander.search import Decision, Instance, Step, decide, ending, instances, next_step, prescribe, prescribed_axis
from expander.space import SearchSpace
from expander.trial import Event, Failed, Outcome, Trial, Warned


class Store(Protocol):
    """What is remembered of one search. Every method is one transaction."""

    def decisions(self) -> Sequence[Decision]:
        """The search's decisions, in the order in which they were made."""

    def enroll(self, step: Step) -> None:
        """Record the step, its candidates and the trials that they need. Idempotent."""

    def unfinished(self, step: Step, retries: int) -> Sequence[Trial]:
        """The step's trials to be trained: not completed, and failed at most `retries` times."""

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

    def run(self, trials: Sequence[Trial], again: Callable[[Failed], bool]) -> Generator[Event, None, None]:
        """Train `trials`; yield what happens as it happens, and exactly one outcome for each attempt.

        A trial that fails is an outcome, never an exception: `again`, asked once the Failed has been yielded, says
        whether it is tried anew, at once. Closing the generator stops every running trial before it returns.
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
            _train(space, step, store, dispatcher, watch)
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
) -> None:
    retries = space.failures.retries
    if not (todo := store.unfinished(step, retries)):
        return

    def again(failed: Failed) -> bool:
        return any(trial.id == failed.trial for trial in store.unfinished(step, retries))

    with closing(dispatcher.run(todo, again)) as events:
        for event in events:
            if not isinstance(event, Warned):
                store.record(event)
            watch(step, event)
