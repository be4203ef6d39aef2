"""What a search takes of a cluster: GPU-hours and hours, step by step."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from expander.axis import Axis
from expander.errors import UsageError
from expander.geometry import Geometry
from expander.plan import Plan
from expander.search import Step
from expander.space import SearchSpace
from expander.throughput import Rate, Share, Throughput

HOUR = 3600


@dataclass(frozen=True)
class TrialHours:
    """One trial of a step, shared by the candidates of `axes`; training and validation in wall hours of the trial."""

    axes: tuple[Axis, ...]
    geometry: Geometry
    training: float
    validation: float
    training_rate: Rate
    validation_rate: Rate

    @property
    def hours(self) -> float:
        """From its start to its score."""
        return self.training + self.validation


@dataclass(frozen=True)
class StepHours:
    """A step: its trials run side by side on the GPUs there are, gpus of them each; hours: until the last has ended."""

    step: Step
    chosen: Axis | None
    trials: tuple[TrialHours, ...]
    gpus: float
    hours: float

    @property
    def training(self) -> float:
        """GPU-hours of training."""
        return self.gpus * sum(trial.training for trial in self.trials)

    @property
    def validation(self) -> float:
        """GPU-hours of validation."""
        return self.gpus * sum(trial.validation for trial in self.trials)


def share_of(space: SearchSpace) -> Share:
    """What one trial of `space` holds. Raises UsageError where it holds no GPU."""
    resources = space.resources
    if not resources.gpus_per_trial:
        raise UsageError(
            "--gpu: the space trains on CPUs, as resources.gpus_per_trial is 0; give --set resources.gpus_per_trial=1"
            " to plan it on GPUs"
        )
    # One process a GPU, each with readers of its own.
    return Share(resources.gpus_per_trial, resources.loader_workers * max(1, int(resources.gpus_per_trial)))


def hours_of(space: SearchSpace, planned: Plan, throughput: Throughput, count: int) -> tuple[StepHours, ...]:
    """Every step that trains. Raises UsageError where `count` GPUs are fewer than one trial holds."""
    gpus = throughput.share.gpus
    if gpus > count:
        raise UsageError(
            f"--count {count}: fewer than the {gpus:g} GPUs of one trial; give more, or a smaller"
            " resources.gpus_per_trial"
        )
    found = []
    for each in planned.steps:
        trials = trials_of(space, each.step, throughput)
        hours = makespan([trial.hours for trial in trials], int(count / gpus + 1e-9))
        found.append(StepHours(each.step, each.chosen, trials, gpus, hours))
    return tuple(found)


def makespan(durations: Sequence[float], places: int) -> float:
    """Until all have ended that begin in their order, each as soon as one of the places is free."""
    free = [0.0] * places
    for duration in durations:
        heapq.heappush(free, heapq.heappop(free) + duration)
    return max(free)


def trials_of(space: SearchSpace, step: Step, throughput: Throughput) -> tuple[TrialHours, ...]:
    """The different trials of a step."""
    axes: dict[Geometry, list[Axis]] = {}
    for candidate in step.candidates:
        if candidate.feasible and candidate.solution:
            axes.setdefault(candidate.solution.geometry, []).append(candidate.axis)
    clips, videos = space.data.train_videos * step.recipe.epochs, space.data.val_videos
    found = []
    for geometry, those in axes.items():
        training, validation = throughput.training(geometry), throughput.validation(geometry, space.test_views)
        hours = clips * training.seconds / HOUR, videos * validation.seconds / HOUR
        found.append(TrialHours(tuple(those), geometry, *hours, training, validation))
    return tuple(found)
