"""The steps of a planned search as work: what each of its trials takes of one GPU, and what may follow each step."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from expander.axis import Axis
from expander.geometry import Geometry
from expander.hours import TrialHours, trials_of
from expander.placement import Work, occupancy, work_of
from expander.plan import Plan
from expander.recipe import Recipe
from expander.search import Decision, Step, foreseen, prescribe
from expander.space import SearchSpace
from expander.throughput import Throughput

Key = tuple[Geometry, Recipe]


@dataclass(frozen=True)
class Job:
    """A trial of a step. epoch, validation: hours on one GPU. occupancy: of one GPU. known: what the dispatcher places
    it by, which knows of no hours."""

    key: Key
    epochs: int
    epoch: float
    validation: float
    occupancy: float
    known: Work

    @property
    def name(self) -> str:
        """What luck is drawn by: the same in every policy."""
        geometry, recipe = self.key
        return f"{geometry.as_dict()} {recipe.epochs} {recipe.batch}"

    def units(self, done: int) -> Iterator[float]:
        """Hours on one GPU of what is left after `done` epochs, in the pieces that a stop in between costs again."""
        yield from itertools.repeat(self.epoch, max(0, self.epochs - done))
        if done <= self.epochs:
            yield self.validation


@dataclass(frozen=True)
class Round:
    """A step of the simulated search. foreseen: jobs that may be trained next, each with the axes of this step after
    which they are; ranking: the axes of its candidates, the kept one first; axes: of each job."""

    key: str
    jobs: tuple[Job, ...]
    axes: tuple[tuple[Axis, ...], ...]
    ranking: tuple[Axis, ...]
    foreseen: tuple[tuple[Job, frozenset[Axis]], ...]


def rounds_of(
    space: SearchSpace, planned: Plan, throughput: Throughput, seed: int = 0, *, foresee: bool = True
) -> tuple[Round, ...]:
    """The steps of a plan with what each takes on one GPU. throughput: of one GPU with its readers.

    Which of the candidates that are not kept is better than another is drawn from the seed. foresee: find out which
    trials may follow each step, most of the computing; needs a complexity in closed form.
    """
    decisions: list[Decision] = []
    found = []
    jobs: dict[Key, Job] = {}

    def of(step: Step) -> tuple[tuple[TrialHours, Job], ...]:
        return tuple(
            (trial, jobs.setdefault(_key(step, trial), _job(step, trial)))
            for trial in trials_of(space, step, throughput)
        )

    for each in planned.steps:
        step = each.step
        mine = of(step)
        if each.chosen is None:
            found.append(Round(step.key, tuple(job for _, job in mine), tuple(t.axes for t, _ in mine), (), ()))
            break
        others = [c.axis for c in step.candidates if c.feasible and c.axis is not each.chosen]
        others.sort(key=lambda axis: uniform(seed, "score", step.key, axis))
        after: dict[Key, tuple[Job, set[Axis]]] = {}
        for axis, following in foreseen(space, decisions, step) if foresee else ():
            for _, job in of(following):
                after.setdefault(job.key, (job, set()))[1].add(axis)
        found.append(
            Round(
                step.key,
                tuple(job for _, job in mine),
                tuple(trial.axes for trial, _ in mine),
                (each.chosen, *others),
                tuple((job, frozenset(axes)) for job, axes in after.values()),
            )
        )
        decisions.append(prescribe(step, each.chosen))
    return tuple(found)


def _key(step: Step, trial: TrialHours) -> Key:
    return trial.geometry, step.recipe


def _job(step: Step, trial: TrialHours) -> Job:
    epochs = step.recipe.epochs
    # Trials that wait for their readers leave nothing to others: those are shared with the GPU.
    held = 1.0 if trial.training_rate.bound == "reading" else occupancy(trial.geometry)
    known = work_of(trial.geometry, step.recipe)
    return Job(_key(step, trial), epochs, trial.training / epochs, trial.validation, held, known)


def uniform(seed: int, *what: object) -> float:
    """In [0, 1), from the seed and what it is drawn for."""
    text = f"{seed}/{'/'.join(map(str, what))}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48
