"""What the trials of a planned search take of a GPU."""

from __future__ import annotations

from dataclasses import dataclass

from expander.axis import Axis
from expander.errors import UsageError
from expander.geometry import Geometry
from expander.search import Step
from expander.space import SearchSpace
from expander.throughput import Rate, Throughput

HOUR = 3600


@dataclass(frozen=True)
class TrialHours:
    """One trial of a step, shared by the candidates of `axes`; training and validation in hours on one GPU."""

    axes: tuple[Axis, ...]
    geometry: Geometry
    training: float
    validation: float
    training_rate: Rate
    validation_rate: Rate


def readers_of(space: SearchSpace) -> int:
    """Cores that read beside each GPU of a trial of `space`. Raises UsageError where it has no GPU."""
    if not space.resources.gpus_per_trial:
        raise UsageError(
            "--gpu: the space trains on CPUs, as resources.gpus_per_trial is 0; give --set resources.gpus_per_trial=1"
            " to plan it on GPUs"
        )
    # One process a GPU, each with readers of its own.
    return space.resources.loader_workers


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
