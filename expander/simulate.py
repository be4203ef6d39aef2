"""A whole search on a simulated cluster: when it ends and what it holds, under one policy of placement or another.

Event by event: an attempt at a trial begins, ends, fails, or loses a machine. Luck is drawn from the seed by what it
befalls, so that every policy meets the same: a machine is taken away at the same hour, and the third attempt at a trial
fails after the same GPU-hours.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from expander.errors import UsageError
from expander.hours import HOUR
from expander.placement import MOST_ON_A_GPU, Work, allowed, sizes
from expander.rounds import Job, Key, Round, uniform
from expander.space import SearchSpace

Speculation = Literal["off", "certain", "likely"]

# Hours from the beginning of an attempt to its first clip: processes, imports, the checkpoint, the first videos. An
# estimate, generous for Ray's own 10 s; it covers file systems that are read for the first time.
START_HOURS = 60 / HOUR
# How long a machine that was taken away is gone: an estimate, of a cloud's next machine or of an operator's reboot.
AWAY_HOURS = 1.0
# Longest pause before an attempt, as of expander.failure.
LONGEST_BACKOFF = 3600.0
# So many attempts at a trial without an epoch between them, and the search will not end.
BARREN = 200
# Parts of a GPU are counted in these, which every part that placement gives is a whole number of.
UNITS = math.lcm(*range(1, MOST_ON_A_GPU + 1))


@dataclass(frozen=True)
class Cluster:
    """Machines of `per_node` GPUs each, the last with what is left.

    failures: that end an attempt and nothing else, in 1,000 GPU-hours. preemptions: of a machine, with all that runs on
    it, in 1,000 hours of one.
    """

    gpus: int
    per_node: int
    failures: float
    preemptions: float
    seed: int = 0

    @property
    def nodes(self) -> int:
        """How many machines."""
        return -(-self.gpus // self.per_node)


@dataclass(frozen=True)
class Policy:
    """How trials are placed. parts: several on one GPU, in smaller parts than the space asks for. several: more GPUs
    than it asks for, so that all end together. speculation: which of the next step's candidates begin on GPUs that are
    idle: none, those that are trained whatever the step keeps, or those of every axis that it may still keep."""

    name: str
    parts: bool = False
    several: bool = False
    speculation: Speculation = "off"


POLICIES = (
    Policy("one_each"),
    Policy("one_each+likely", speculation="likely"),
    Policy("shared", parts=True),
    Policy("proportional", several=True),
    Policy("proportional+shared", parts=True, several=True),
    Policy("proportional+certain", several=True, speculation="certain"),
    Policy("proportional+likely", several=True, speculation="likely"),
)


def policy_of(space: SearchSpace) -> Policy:
    """What `resources` of a space say, on a Ray cluster; by its name one of POLICIES, if that has it."""
    several, speculation = space.resources.sized, space.resources.speculation
    name = "proportional" if several else "one_each"
    return Policy(name if speculation == "off" else f"{name}+{speculation}", several=several, speculation=speculation)


@dataclass(frozen=True)
class Spent:
    """What a trial took until the end of the first step that needs it; all hours of GPUs but `hours`.

    gpus, hours: of its last attempt. training, validation: complete epochs and views. other: starts, and epochs that
    were cut off. All 0 where an earlier step has trained it.
    """

    gpus: float = 0.0
    hours: float = 0.0
    training: float = 0.0
    validation: float = 0.0
    other: float = 0.0

    @property
    def held(self) -> float:
        """GPU-hours of all attempts."""
        return self.training + self.validation + self.other


@dataclass(frozen=True)
class Simulated:
    """What a search took under a policy; all hours of GPUs but the makespan, which is on the clock.

    busy: held by attempts = useful + repeated + starting. repeated: of epochs that were cut off and trained again.
    wasted: busy for trials that no step needed. failures, preempted: attempts that ended so. dropped: attempts at
    trials of a next step that were stopped for a trial of this one, or as it was decided. foreseen: trials begun
    early; needed: those of them that a step needed. steps: hours of each; trials: of its jobs.
    """

    policy: Policy
    makespan: float
    held: float
    busy: float
    useful: float
    starting: float
    repeated: float
    wasted: float
    failures: int
    preempted: int
    dropped: int
    epochs_again: int
    foreseen: int
    needed: int
    steps: tuple[float, ...]
    trials: tuple[tuple[Spent, ...], ...]

    @property
    def utilisation(self) -> float:
        """The share of the GPUs' hours in which a trial held them, from the start to the end of the search."""
        return self.busy / self.held if self.held else 0.0


def simulate(
    rounds: Sequence[Round], cluster: Cluster, policy: Policy, *, least: float = 1.0, backoff: float = 0.0
) -> Simulated:
    """The search on `cluster` under `policy`. least: GPUs that the space asks for, the fewest but for parts. backoff:
    seconds from a failure to the next attempt, doubled with each.

    A failure never ends the search. Raises UsageError where a trial does not fit, or never ends for failures.
    """
    if least > cluster.gpus:
        raise UsageError(
            f"--gpus {cluster.gpus}: fewer than the {least:g} GPUs of one trial; give more, or a smaller"
            " resources.gpus_per_trial"
        )
    return _Simulation(cluster, policy, least, backoff / HOUR).run(rounds)


@dataclass
class _State:
    """A job so far. done: pieces of it, epochs and at last the validation. needed: by a step."""

    job: Job
    done: int = 0
    attempts: int = 0
    barren: int = 0
    spent: Spent = Spent()
    needed: bool = False
    early: bool = False

    @property
    def finished(self) -> bool:
        return self.done > self.job.epochs


@dataclass(frozen=True, eq=False)
class _Attempt:
    """An attempt at a job. taken: units of GPUs, by machine and place on it. pieces: their hours at this size."""

    state: _State
    size: float
    begun: float
    pieces: tuple[float, ...]
    taken: tuple[tuple[int, int, int], ...]
    early: bool


@dataclass
class _Simulation:
    cluster: Cluster
    policy: Policy
    least: float
    backoff: float
    now: float = 0.0
    events: list[tuple[float, int, str, object]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    states: dict[Key, _State] = field(default_factory=dict)
    running: dict[_Attempt, None] = field(default_factory=dict)
    busy: float = 0.0
    useful: float = 0.0
    starting: float = 0.0
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("failed", "preempted", "dropped", "again"), 0)
    )

    def run(self, rounds: Sequence[Round]) -> Simulated:
        cluster = self.cluster
        self.free = [
            [UNITS] * min(cluster.per_node, cluster.gpus - node * cluster.per_node) for node in range(cluster.nodes)
        ]
        self.away: set[int] = set()
        if cluster.preemptions:
            for node in range(cluster.nodes):
                self._expect_preemption(node, 0)
        ends, trials = [], []
        for each in rounds:
            trials.append(self._step(each))
            ends.append(self.now)
        held = self.now * cluster.gpus
        early = [state for state in self.states.values() if state.early]
        return Simulated(
            policy=self.policy,
            makespan=self.now,
            held=held,
            busy=self.busy,
            useful=self.useful,
            starting=self.starting,
            repeated=self.busy - self.useful - self.starting,
            wasted=sum(state.spent.held for state in self.states.values() if not state.needed),
            failures=self.counts["failed"],
            preempted=self.counts["preempted"],
            dropped=self.counts["dropped"],
            epochs_again=self.counts["again"],
            foreseen=len(early),
            needed=sum(state.needed for state in early),
            steps=tuple(end - begun for begun, end in zip([0.0, *ends], ends, strict=False)),
            trials=tuple(trials),
        )

    def _step(self, step: Round) -> tuple[Spent, ...]:
        """From the decision before until all of its jobs have ended; what each took."""
        states = [self._state(job) for job in step.jobs]
        new = [not state.needed for state in states]
        for state in states:
            state.needed = True
        todo = [state for state in states if not state.finished]
        self.sizes = dict(zip(map(id, todo), self._sizes([state.job.known for state in todo]), strict=True))
        # The longest first, as `makespan` has them.
        self.queue = sorted(todo, key=lambda state: -state.job.known.on(self.sizes[id(state)]))
        self.resting: set[int] = set()
        self.begun: set[int] = set()
        while not all(state.finished for state in todo):
            self._fill(step, states)
            self._next_event()
        for attempt in list(self.running):
            self._stop(attempt, "dropped")
        return tuple(state.spent if first else Spent() for state, first in zip(states, new, strict=True))

    def _state(self, job: Job) -> _State:
        return self.states.setdefault(job.key, _State(job))

    def _sizes(self, works: Sequence[Work]) -> list[float]:
        several, parts, gpus = self.policy.several, self.policy.parts, self.cluster.gpus
        choices = [allowed(self.least, gpus, work.groups, several=several, parts=parts) for work in works]
        return sizes(works, gpus, choices)

    # What begins.

    def _fill(self, step: Round, states: Sequence[_State]) -> None:
        for state in list(self.queue):
            size = self.sizes[id(state)]
            if id(state) in self.resting:
                continue
            taken = self._take(size)
            while taken is None and (early := [attempt for attempt in self.running if attempt.early]):
                self._stop(early[-1], "dropped")
                taken = self._take(size)
            if taken is not None:
                self.queue.remove(state)
                self._begin(state, size, taken, early=False)
        if self.policy.speculation != "off" and not self.queue:
            self._speculate(step, states)

    def _speculate(self, step: Round, states: Sequence[_State]) -> None:
        """Begin trials of the next step where GPUs are idle; stop those that it cannot have any more."""
        finished = {axis for state, axes in zip(states, step.axes, strict=True) if state.finished for axis in axes}
        best = next((axis for axis in step.ranking if axis in finished), None)
        open_still = {axis for axis in step.ranking if axis not in finished or axis is best}
        wanted: list[tuple[int, _State]] = []
        for job, axes in step.foreseen:
            chances = len(axes & open_still)
            if chances and (self.policy.speculation == "likely" or chances == len(open_still)):
                wanted.append((chances, self._state(job)))
        keep = {id(state) for _, state in wanted}
        for attempt in [attempt for attempt in self.running if attempt.early and id(attempt.state) not in keep]:
            self._stop(attempt, "dropped")
        for _, state in sorted(wanted, key=lambda each: -each[0]):
            if state.finished or id(state) in self.begun:
                continue
            # As the dispatcher does: one GPU each, whatever their step will give them.
            if (taken := self._take(min(1.0, self.least))) is None:
                return
            self.begun.add(id(state))
            state.early = True
            self._begin(state, min(1.0, self.least), taken, early=True)

    def _begin(self, state: _State, size: float, taken: tuple[tuple[int, int, int], ...], *, early: bool) -> None:
        rate = Work(1.0, state.job.known.groups, state.job.occupancy).on(size)
        attempt = _Attempt(
            state, size, self.now, tuple(unit * rate for unit in state.job.units(state.done)), taken, early
        )
        self.running[attempt] = None
        lasts = START_HOURS + sum(attempt.pieces)
        if self.cluster.failures:
            survives = self._exponential("trial", state.job.name, state.attempts) * 1000 / self.cluster.failures / size
            if survives < lasts:
                self._expect(survives, "failed", attempt)
                state.attempts += 1
                return
        self._expect(lasts, "ends", attempt)
        state.attempts += 1

    def _take(self, size: float) -> tuple[tuple[int, int, int], ...] | None:
        """Room for `size` GPUs: whole ones on as few machines as can be, a part where least is left beside it."""
        nodes = [(node, gpus) for node, gpus in enumerate(self.free) if node not in self.away]
        if size < 1:
            units = round(size * UNITS)
            fits = [(left, node, gpu) for node, gpus in nodes for gpu, left in enumerate(gpus) if left >= units]
            if not fits:
                return None
            _, node, gpu = min(fits)
            taken = [(node, gpu, units)]
        else:
            whole = [(node, [gpu for gpu, left in enumerate(gpus) if left == UNITS]) for node, gpus in nodes]
            wanted = int(size)
            if sum(len(gpus) for _, gpus in whole) < wanted:
                return None
            one = [each for each in whole if len(each[1]) >= wanted]
            order = [min(one, key=lambda each: len(each[1]))] if one else sorted(whole, key=lambda each: -len(each[1]))
            places = itertools.islice(((node, gpu) for node, gpus in order for gpu in gpus), wanted)
            taken = [(node, gpu, UNITS) for node, gpu in places]
        for node, gpu, units in taken:
            self.free[node][gpu] -= units
        return tuple(taken)

    # What happens.

    def _expect(self, hours: float, what: str, whom: object) -> None:
        heapq.heappush(self.events, (self.now + hours, next(self.numbers), what, whom))

    def _expect_preemption(self, node: int, count: int) -> None:
        hours = self._exponential("node", node, count) * 1000 / self.cluster.preemptions
        self._expect(hours, "preempted", (node, count))

    def _next_event(self) -> None:
        self.now, _, what, whom = heapq.heappop(self.events)
        match whom:
            case _Attempt():
                if whom in self.running:
                    self._stop(whom, what)
            case _State():
                self.resting.discard(id(whom))
            case (int(node), int(count)) if what == "preempted":
                self.away.add(node)
                self._expect(AWAY_HOURS, "back", (node, count + 1))
                for attempt in [each for each in self.running if any(place == node for place, *_ in each.taken)]:
                    self._stop(attempt, "preempted")
            case (int(node), int(count)):
                self.away.discard(node)
                self._expect_preemption(node, count)

    def _stop(self, attempt: _Attempt, what: str) -> None:
        """End an attempt: what is complete of it counts, and the rest is trained again."""
        del self.running[attempt]
        for node, gpu, units in attempt.taken:
            self.free[node][gpu] += units
        state, lasted = attempt.state, self.now - attempt.begun
        starting = min(lasted, START_HOURS)
        left, done = lasted - starting, 0
        if what == "ends":
            done, useful = len(attempt.pieces), sum(attempt.pieces)
        else:
            useful = 0.0
            for piece in attempt.pieces:
                if useful + piece > left:
                    break
                useful, done = useful + piece, done + 1
        state.done += done
        validation = attempt.pieces[-1] if done and state.finished else 0.0
        state.spent = Spent(
            gpus=attempt.size,
            hours=lasted,
            training=state.spent.training + attempt.size * (useful - validation),
            validation=state.spent.validation + attempt.size * validation,
            other=state.spent.other + attempt.size * (lasted - useful),
        )
        self.busy += attempt.size * lasted
        self.useful += attempt.size * useful
        self.starting += attempt.size * starting
        if what == "ends":
            return
        self.counts[what] += 1
        self.counts["again"] += left > useful
        if what == "dropped":
            return
        state.barren = 0 if done else state.barren + 1
        if state.barren > BARREN:
            raise UsageError(
                f"--failures-per-1000-gpu-hours {self.cluster.failures:g}, --preemptions-per-1000-node-hours"
                f" {self.cluster.preemptions:g}: an epoch of {attempt.pieces[0]:.3g} hours on {attempt.size:g} GPUs was"
                f" cut off {BARREN} times in a row, so that the search would never end; give lower rates, or more GPUs"
            )
        if not attempt.early:
            self.queue.append(state)
        self.resting.add(id(state))
        self._expect(min(self.backoff * 2 ** min(state.barren, 20), LONGEST_BACKOFF / HOUR), "rested", state)

    def _exponential(self, *what: object) -> float:
        return -math.log(1 - uniform(self.cluster.seed, *what))
