"""The whole search on paper: every step's candidates along a given order of axes, and what training them costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from expander.axis import Axis
from expander.complexity import measure
from expander.cost import Cost
from expander.efficientnet3d import AnyGeometry
from expander.errors import StepFailed
from expander.geometry import Geometry
from expander.search import (
    Decision,
    Instance,
    Step,
    ending,
    instances,
    next_step,
    prescribe,
    prescribed_axis,
)
from expander.space import SearchSpace
from expander.throughput import TRAINING_PASSES
from expander.trial import Views, shorter_side


@dataclass(frozen=True)
class PlannedStep:
    """A step with the axis that the plan keeps, None where it was given none; flops are multiply-adds."""

    step: Step
    chosen: Axis | None
    trainings: int
    training_flops: int


@dataclass(frozen=True)
class Plan:
    """Every step of a search along one order of axes. assumed: the order is a guess of the space, not prescribed.

    automatic: changes of regularisation that wait for a gap, which no plan knows: none of them begins in it.
    """

    steps: tuple[PlannedStep, ...]
    instances: tuple[Instance, ...]
    assumed: bool
    ending: str
    automatic: int = 0

    @property
    def training_flops(self) -> int:
        """Multiply-adds of every training and validation of the search."""
        return sum(planned.training_flops for planned in self.steps)


def plan(space: SearchSpace, axes: Sequence[Axis] | None = None, cost: Cost | None = None) -> Plan:
    """The search along `axes`, or along the space's own path; it ends at a step where that is infeasible.

    cost: the space's complexity; needed where it is measured.
    """
    path = list(space.expansion.path if axes is None else axes)
    assumed = axes is None and not space.prescribed
    expansion = space.expansion.model_copy(update={"path": path, "path_is": "prescribed"})
    along = space.model_copy(update={"expansion": expansion})
    steps: list[PlannedStep] = []
    decisions: list[Decision] = []
    end = None
    while end is None and (step := next_step(along, decisions, cost=cost)):
        try:
            decision = prescribe(step, prescribed_axis(along, step, decisions))
        except StepFailed as error:
            steps.append(_planned(space, step, None))
            end = str(error)
        else:
            decisions.append(decision)
            steps.append(_planned(space, step, decision.axis))
    end = end or ending(along, decisions, cost) or ""
    if not path and (first := next_step(space, [], cost=cost)) is not None:
        steps.append(_planned(space, first, None))
        end = "the space assumes no path: give --axes, or expansion.path in the space, to plan further"
    automatic = sum(change.when_gap is not None for change in space.regularisation)
    return Plan(tuple(steps), instances(along, decisions, cost), assumed, end, automatic)


def training_flops(space: SearchSpace, step: Step, geometry: Geometry) -> int:
    """Multiply-adds of one training of `geometry` at `step`: every epoch's clips and the validation after the last."""
    train = TRAINING_PASSES * measure(geometry).flops * step.recipe.epochs * space.data.train_videos
    return train + inference_flops(geometry, space.test_views) * space.data.val_videos


def inference_flops(geometry: AnyGeometry, views: Views) -> int:
    """Multiply-adds of scoring one video from `views` (Fig. 3: flops of a view x number of views)."""
    if views.crops == "left-center-right":
        geometry = replace(geometry, crop=shorter_side(geometry.crop))
    return measure(geometry).flops * views.per_video


def _planned(space: SearchSpace, step: Step, chosen: Axis | None) -> PlannedStep:
    found = {c.solution.geometry for c in step.candidates if c.feasible and c.solution}
    if space.prescribed:
        return PlannedStep(step, chosen, 0, 0)
    return PlannedStep(step, chosen, len(found), sum(training_flops(space, step, geometry) for geometry in found))
