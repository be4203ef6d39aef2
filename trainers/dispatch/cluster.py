"""Trials on a Ray cluster, or on a Ray of one's own. Order, retries and resume are not Ray's but the store's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType

from expander.coordinator import NO_WAITS, Meter, nobody, nowhere
from expander.cost import MeasuredName, described
from expander.errors import TrialError
from expander.geometry import Geometry
from expander.placement import sizes_of
from expander.trial import Completed, Event, Failed, Trial
from trainers.dispatch.attempt import attempt
from trainers.dispatch.early import Early
from trainers.dispatch.experiment import Experiment, Measured
from trainers.dispatch.joining import Joining
from trainers.dispatch.machines import check_machines, check_versions
from trainers.dispatch.member import TeamTraining
from trainers.dispatch.seats import Seats
from trainers.dispatch.together import attempt_together
from trainers.dispatch.waiting import Waiting
from trainers.dispatch.witness import Witness
from trainers.versions import versions

# Processes that Tune keeps from one step to the next: its spare, and the one that has reported the last outcome.
WARM = 2
# A resource of every cluster's first machine, and of none else: who holds a trial of several workers takes a sliver.
HEAD = "node:__internal_head__"


class RayDispatcher:
    """A context manager: entering starts a local Ray or joins the cluster at `address`, leaving ends it or quits.

    training: is given a team where a trial has several workers; must pickle. meter: measures in a worker, as it is
    there; must pickle. cpus, gpus: what one worker takes of a machine; fractions share. workers: processes of a trial.
    least: as few go on with a trial where others are lost; None has it fail. sized: a trial may get more GPUs, or more
    processes without GPUs, than that: as many as have the trials of a `run` end soonest on what the cluster has; one
    that takes a part of a GPU also a larger part. shared: the folder of the trials' files,
    which every machine must see. address: as in Joining. joining: done before, in place of `address`. Entering
    raises UsageError, before anything is trained, when there is no such cluster, when it could never hold a trial, and
    when a machine of it does not see the folder or would train otherwise than this process, by its versions.

    One Tune experiment lasts as long as the dispatcher, because a process that has imported torch costs seconds: the
    same processes train one trial after the other, in this step and the next. One in which a trial has failed is
    replaced, since an error in CUDA or exhausted memory would outlive the trial. A trial of several workers is held by
    such a process too, which takes nothing of the cluster itself: its workers are new with each trial.
    """

    def __init__(
        self,
        training: TeamTraining,
        meter: Meter,
        *,
        cpus: float,
        gpus: float,
        workers: int = 1,
        least: int | None = None,
        sized: bool = False,
        shared: Path | None = None,
        address: str | None = None,
        joining: Joining | None = None,
    ) -> None:
        self.meter = _RayMeter(self)
        self._training = training
        self._meter = meter
        self._seats = Seats(cpus, gpus, workers, least)
        self._sized = sized
        self._shared = shared
        self._wanted = versions()
        self._joining = joining or Joining(address, threads=max(1, int(cpus)))
        self._experiment: Experiment | None = None
        self._kind: tuple[bool, dict[str, Seats]] = (False, {})

    def __enter__(self) -> RayDispatcher:
        self._joining.join()
        try:
            slots = self._seats.check()
            if self._shared is not None:
                check_machines(self._shared)
            check_versions(self._wanted)
            if self._joining.local and not self._sized:
                # A part of Ray's start rather than of the first step. A cluster may be busy: there, nobody waits; and
                # trials that get more than they ask for are held by other processes.
                self._begin().warm_up(min(slots, WARM))
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    @property
    def nodes(self) -> frozenset[str]:
        """The machines of the cluster that have room for a process of a trial."""
        return self._seats.nodes()

    def run(
        self,
        trials: Sequence[Trial],
        again: Callable[[Failed], float | None],
        waits: Mapping[str, float] = NO_WAITS,
        avoid: Callable[[str], frozenset[str]] = nowhere,
        early: Callable[[], Sequence[Trial]] = nobody,
    ) -> Generator[Event, None, None]:
        """Train `trials` as the protocol `expander.coordinator.Dispatcher` says: as many at once as resources allow.

        A trial that is begun early has one process, whatever its step will give it.
        """
        left, waiting, witness = {trial.id: trial for trial in trials}, Waiting(trials, waits), Witness(self._shared)
        due, submitted, ahead = dict[str, Trial](), dict[str, Trial](), Early(early, self._one.size)
        placed = self._placed(trials)
        experiment = self._begin(placed, avoid)
        try:
            while left:
                while (trial := waiting.ready()) is not None:
                    due[trial.id] = trial
                fitting = self._that_fit(due, submitted, placed)
                both = [*submitted, *(trial.id for trial in fitting)]
                ahead.make_room(experiment, partial(self._spare, both, placed))
                for trial in fitting:
                    submitted[trial.id] = due.pop(trial.id)
                    experiment.submit(trial)
                if due and not submitted:
                    # Machines were lost: what is left is placed anew on the others.
                    placed, before = self._placed(list(left.values())), experiment
                    if (experiment := self._begin(placed, avoid)) is not before:
                        ahead.lose_all()
                elif not due:
                    ahead.fill(experiment, partial(self._spare, list(submitted), placed))
                if (told := experiment.next_event(waiting.seconds())) is None:
                    if experiment.starved(lambda nodes: bool(self._seats.trials(nodes))):
                        # Those that were kept from a machine wait for others that are gone.
                        self._end()
                        ahead.lose_all()
                        experiment = self._begin(placed, avoid)
                        for trial in submitted.values():
                            experiment.submit(trial)
                    continue
                event = _holding(witness.see(told), placed)
                yield event
                if not isinstance(event, Completed | Failed) or ahead.ended(event.trial):
                    continue
                trial = submitted.pop(event.trial)
                if isinstance(event, Failed) and (wait := again(event)) is not None:
                    waiting.add(trial, wait)
                else:
                    del left[event.trial]
        finally:
            if left or ahead.open:
                self._end()

    def _placed(self, trials: Sequence[Trial]) -> dict[str, Seats]:
        """The seats of each trial, the longest first, where one has others than it asks for; empty where none has."""
        # Those of machines that were lost may come back: then no trial is to be smaller than the space has it.
        room = max(self._room(), int(self._seats.size))
        found = sizes_of(trials, room, self._seats.size) if self._sized else {}
        same = all(size == self._seats.size for size in found.values())
        return {} if same else {trial: self._seats.sized(size) for trial, size in found.items()}

    def _room(self) -> int:
        """GPUs that have the cores of a process beside them; without GPUs, processes that fit."""
        return self._seats.sized(1).on_cluster()

    def _size(self, trials: Collection[str], placed: Mapping[str, Seats]) -> float:
        """GPUs that trials have together; without GPUs their processes."""
        return sum(placed.get(trial, self._seats).size for trial in trials)

    @property
    def _one(self) -> Seats:
        """The seats of a trial that is begun early: one process."""
        return self._seats.sized(min(1, self._seats.size))

    def _spare(self, trials: Collection[str], placed: Mapping[str, Seats]) -> float:
        """GPUs that are left beside trials; without GPUs, processes that fit."""
        return self._one.on_cluster() * self._one.size - self._size(trials, placed)

    def _that_fit(self, due: Mapping[str, Trial], running: Collection[str], placed: Mapping[str, Seats]) -> list[Trial]:
        """Those of `due` that can begin beside the trials that run; all of them where Ray sees to that."""
        if not due or (not placed and not self._teams):
            return list(due.values())
        if not placed:
            return list(due.values())[: max(0, max(1, self._seats.trials()) - len(running))]
        found, free = [], self._room() - self._size(running, placed)
        for trial in (trial for trial in placed if trial in due):
            if placed[trial].size <= free + 1e-9:
                free -= placed[trial].size
                found.append(due[trial])
        return found

    def measured(self, name: MeasuredName | None, geometry: Geometry | None) -> Measured | Failed:
        """What one of the processes that train measures, which holds what a trial does; without a name only where."""
        reply = None
        try:
            reply = self._begin(measure=True).measure(name, geometry)
        finally:
            if reply is None:
                self._end()
        return reply

    def _begin(
        self,
        placed: dict[str, Seats] | None = None,
        avoid: Callable[[str], frozenset[str]] = nowhere,
        *,
        measure: bool = False,
    ) -> Experiment:
        """The experiment that carries trials out; or, where that holds none of the cluster, one that measures."""
        kind = (not measure and (self._seats.workers > 1 or bool(placed)), placed or {})
        if kind != self._kind:
            self._end()
        if self._experiment is None:
            self._kind = kind
            if self._teams:
                from trainers.dispatch.ray_team import RayLauncher, remove_groups

                remove_groups()  # of what was stopped before
                launcher = RayLauncher(self._training, self._seats, self._shared, self._wanted, placed or {})
                # No more are submitted than fit. Those that are begun early need no team.
                alone = partial(attempt, self._training, wanted=self._wanted), self._one.resources
                together = partial(attempt_together, launcher)
                self._experiment = Experiment(together, self._meter, {HEAD: 0.001}, early=alone)
            else:
                # Some more than run at once, as Tune keeps a process only for a trial that waits for it; not all, as
                # where those may run is settled when they are given to it.
                most = partial(_twice, self._seats)
                carried = partial(attempt, self._training, wanted=self._wanted)
                self._experiment = Experiment(carried, self._meter, self._seats.resources, most, placed=True)
        seats = kind[1]
        self._experiment.keep_from(lambda trial: seats.get(trial, self._seats).avoided(avoid(trial)))
        return self._experiment

    @property
    def _teams(self) -> bool:
        return self._kind[0]

    def _end(self) -> None:
        if self._experiment is not None:
            self._experiment.end()
            self._experiment = None
            if self._teams:
                from trainers.dispatch.ray_team import remove_groups

                remove_groups()

    def _leave(self) -> None:
        try:
            self._end()
        finally:
            self._joining.leave()


class _RayMeter:
    """The dispatcher's processes as one Meter."""

    def __init__(self, dispatcher: RayDispatcher) -> None:
        self._dispatcher = dispatcher

    @cached_property
    def device(self) -> str:
        """The device of the process that answers first."""
        return self._ask(None, None).device

    def measure(self, name: MeasuredName, geometry: Geometry) -> float:
        """Raises TrialError where the worker fails, and where it has another device than the first had."""
        reply = self._ask(name, geometry)
        if reply.device != self.device:
            raise TrialError(
                f"{name} is measured on {self.device}, and Ray has now given a machine with {reply.device}: the two"
                " cannot be compared. Resume on a cluster of one kind of machine, or with --dispatcher inline on one"
            )
        assert reply.value is not None
        return reply.value

    def _ask(self, name: MeasuredName | None, geometry: Geometry | None) -> Measured:
        reply = self._dispatcher.measured(name, geometry)
        if isinstance(reply, Measured):
            return reply
        what = f"the {name} of {described(geometry)}" if geometry else "the device"
        raise TrialError(
            f"{what} cannot be measured: {reply.reason}. If such a network is too large for this cluster, keep the"
            " search from it with limits in the space"
        )


def _holding(event: Event, placed: Mapping[str, Seats]) -> Event:
    """A training that is alone does not know which part of a GPU it has, but for what the space says."""
    if isinstance(event, Completed) and event.gpus is not None and event.trial in placed:
        seats = placed[event.trial]
        return replace(event, gpus=seats.size) if seats.workers == 1 else event
    return event


def _twice(seats: Seats) -> int:
    return 2 * seats.trials()
