"""Whether the first decisions of a search also stand in another space, as pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from expander.cost import Cost, shown
from expander.geometry import Geometry
from expander.recipe import Recipe
from expander.search import Decision, Step, next_step
from expander.space import SearchSpace


@dataclass(frozen=True)
class Made:
    """A decision that a search has made, with the recipe of its step and the geometry of what it kept."""

    decision: Decision
    recipe: Recipe
    geometry: Geometry


@dataclass(frozen=True)
class Parting:
    """The first decision that a space does not make. key: of its step. step: the last that a fork may go on from.

    why: one line for each difference.
    """

    key: str
    step: int
    why: tuple[str, ...]


def before(decisions: Sequence[Decision], step: int) -> tuple[Decision, ...]:
    """The decisions before expansion `step`, with the contractions that they needed."""
    kept: list[Decision] = []
    for decision in decisions:
        if decision.kind == "expansion" and decision.number >= step:
            break
        kept.append(decision)
    return tuple(kept)


def parting(
    recorded: SearchSpace, space: SearchSpace, made: Sequence[Made], cost: Cost | None = None
) -> Parting | None:
    """Where the decisions `made` in the space `recorded` and a search of `space` part; None where they do not.

    cost: as for `next_step`.
    """
    decisions = [each.decision for each in made]
    if made and recorded.complexity != space.complexity:
        other = f"complexity: {recorded.complexity} recorded, {space.complexity} with the new space"
        return Parting(decisions[0].key, 1, (other,))
    for place, each in enumerate(made):
        if why := _differences(space, each, next_step(space, decisions[:place], cost=cost)):
            return Parting(each.decision.key, each.decision.number, why)
    return None


def _differences(space: SearchSpace, made: Made, step: Step | None) -> tuple[str, ...]:
    decision = made.decision
    if step is None:
        return ("the search has ended before it",)
    if step.key != decision.key:
        return (f"step {step.key} would come in its place",)
    found = next((candidate for candidate in step.candidates if candidate.axis is decision.axis), None)
    if found is None:
        return (f"{decision.axis} was kept, and is not among expansion.axes",)
    if not found.feasible or found.solution is None:
        return (f"{decision.axis} was kept, and is infeasible: {found.reason}",)
    lines = _compared(decision.factors.as_dict(), found.solution.factors.as_dict())
    lines = lines or _compared(asdict(made.geometry), asdict(found.solution.geometry))
    if not lines and found.solution.cost != decision.cost:
        costs = [shown(space.complexity, value) for value in (decision.cost, found.solution.cost)]
        lines = [f"{space.complexity}: {costs[0]} recorded, {costs[1]} with the new space"]
    return (*lines, *(f"recipe.{line}" for line in _compared(asdict(made.recipe), asdict(step.recipe))))


def _compared(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [
        f"{key}: {recorded[key]} recorded, {now[key]} with the new space"
        for key in recorded
        if recorded[key] != now[key]
    ]
