"""The search itself, as pure functions of the space and the decisions so far (Sec. 3.3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from expander.axis import Axis, Factors
from expander.complexity import Complexity, measure
from expander.cost import Cost, closed_form
from expander.errors import SpaceError, StepFailed, UsageError
from expander.geometry import Geometry, realise
from expander.recipe import Recipe, Regularisation, begun, recipe_at
from expander.solve import Infeasible, Solution, contract, solve
from expander.space import SearchSpace, bound_conflicts
from expander.trial import Completed, Failed, Outcome, Trial

Kind = Literal["expansion", "contraction"]


@dataclass(frozen=True)
class Candidate:
    """The frontier moved along one axis; infeasible where there is a reason, which `solution` then illustrates.

    trial: its training, None where it is infeasible or nothing is trained.
    """

    axis: Axis
    solution: Solution | None
    reason: str | None = None
    trial: Trial | None = None

    @property
    def feasible(self) -> bool:
        """Whether the step can choose it."""
        return self.reason is None


@dataclass(frozen=True)
class Step:
    """One round: candidates, their trials, one decision.

    number: counts expansions from 1; a contraction has the number of the step that overshot, and the regime that it
    serves. bound: the target of an expansion, the bound of a contraction. frontier_cost: what its candidates started
    from. Both in the unit of the space's complexity.
    """

    number: int
    kind: Kind
    regime: str | None
    frontier: Factors
    frontier_cost: float
    bound: float
    recipe: Recipe
    candidates: tuple[Candidate, ...]

    @property
    def key(self) -> str:
        """Its name within the search: '7', or '7-X3D-S' for a contraction."""
        return str(self.number) if self.regime is None else f"{self.number}-{self.regime}"

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The different trials of its candidates; candidates that are the same work share one."""
        return tuple({c.trial.id: c.trial for c in self.candidates if c.trial is not None}.values())


@dataclass(frozen=True)
class Ranked:
    """One candidate in a decision: its score, or the reason why it has none."""

    axis: Axis
    flops: int | None
    trial: str | None
    score: float | None
    reason: str | None = None


@dataclass(frozen=True)
class Decision:
    """Which candidate a step keeps, and the ranking that says why, best first.

    cost: of what is kept, in the unit of the space's complexity. train_top1: of its trial, as a Completed has it.
    by_user: a user chose it, not the ranking.
    """

    number: int
    kind: Kind
    regime: str | None
    axis: Axis
    factors: Factors
    cost: float
    trial: str | None
    score: float | None
    ranking: tuple[Ranked, ...]
    train_top1: float | None = None
    by_user: bool = False

    @property
    def key(self) -> str:
        """The key of its step."""
        return str(self.number) if self.regime is None else f"{self.number}-{self.regime}"

    @property
    def gap(self) -> float | None:
        """How far what is kept fits its training videos better than the others (Sec. A.3): top-1 less the score."""
        return None if self.train_top1 is None or self.score is None else self.train_top1 - self.score


@dataclass(frozen=True)
class Instance:
    """The network kept for a regime: the decision of `kind` at step `step`, or the basis at step 0.

    bound, cost: in the unit of the space's complexity.
    """

    name: str
    bound: float
    step: int
    kind: Literal["basis", "expansion", "contraction"]
    factors: Factors
    geometry: Geometry
    complexity: Complexity
    cost: float
    trial: str | None
    score: float | None


def next_step(
    space: SearchSpace, decisions: Sequence[Decision], data: str | None = None, cost: Cost | None = None
) -> Step | None:
    """The step that follows `decisions`, None where the search has ended (`ending` says why).

    data: fingerprint of the videos; without it candidates carry no trials. cost: the space's complexity; needed where
    it is measured.
    """
    trained, cost = None if space.prescribed else data, cost_of(space, cost)
    if (due := _due(space, decisions, trained, cost)) is not None:
        return due
    return _expansion(space, decisions, trained, cost) if ending(space, decisions, cost) is None else None


def cost_of(space: SearchSpace, cost: Cost | None = None) -> Cost:
    """The complexity of `space`: its closed form, or `cost` where it has none.

    Raises SpaceError where the basis is measured to be over a bound, which no search could come back under.
    """
    if space.measured is None:
        return closed_form(space.complexity)
    assert cost is not None
    assert cost.name == space.complexity
    if over := [f"{'.'.join(map(str, key))}: {text}" for key, text, *_ in bound_conflicts(space, cost)]:
        raise SpaceError("\n".join(over))
    return cost


def ending(space: SearchSpace, decisions: Sequence[Decision], cost: Cost | None = None) -> str | None:
    """Why the search ends after `decisions`; None while a step follows. cost: as for `next_step`."""
    taken, cost = len(_expansions(decisions)), cost_of(space, cost)
    if _due(space, decisions, None, cost) is not None:
        return None
    if len(instances(space, decisions, cost)) == len(space.regimes.bounds):
        return "every regime has its instance"
    if _path_ends(space, decisions):
        return f"the path ends after {taken} steps"
    if _steps_end(space, decisions):
        return f"expansion.max_steps ({space.expansion.max_steps}) is reached"
    step = _expansion(space, decisions, None, cost)
    if not any(candidate.feasible for candidate in step.candidates):
        reasons = "; ".join(f"{candidate.axis}: {candidate.reason}" for candidate in step.candidates)
        return f"no axis can be expanded at step {step.number} ({reasons})"
    return None


def decide(step: Step, outcomes: Iterable[Outcome], *, skip_failed: bool = False) -> Decision:
    """The candidate with the best score; of equal scores the cheapest, then the first axis.

    Raises StepFailed when a trial failed, unless `skip_failed` leaves its candidates out and others remain.
    """
    by_trial = {outcome.trial: outcome for outcome in outcomes}
    scored, rest = _ranking(step, by_trial)
    failed = [ranked for ranked in rest if ranked.trial is not None]
    if failed and not (skip_failed and scored):
        raise StepFailed(_failure(step, failed, skip_failed))
    return _decision(step, scored[0].axis, (*scored, *rest), by_trial.get(scored[0].trial or ""))


def _ranking(step: Step, outcomes: dict[str, Outcome]) -> tuple[list[Ranked], list[Ranked]]:
    """The candidates that have a score, best first, and the others."""
    ranking = [_ranked(candidate, outcomes) for candidate in step.candidates]
    costs = {c.axis: c.solution.cost if c.solution else 0 for c in step.candidates}
    scored = sorted((r for r in ranking if r.score is not None), key=lambda r: (-(r.score or 0), costs[r.axis]))
    return scored, [ranked for ranked in ranking if ranked.score is None]


def _failure(step: Step, failed: Sequence[Ranked], skip_failed: bool) -> str:
    axes: dict[str, list[str]] = {}
    reasons: dict[str, dict[str, None]] = {}
    for ranked in failed:
        axes.setdefault(ranked.trial or "", []).append(ranked.axis)
        reasons.setdefault(ranked.reason or "", {})[ranked.trial or ""] = None
    lines = [f"step {step.key}: {len(axes)} of {len(step.trials)} trials failed"]
    # One cause, such as a folder of videos that is not there, fails every trial: it is told once.
    for reason, trials in reasons.items():
        names = "; ".join(f"{', '.join(axes[trial])} (trial {trial})" for trial in trials)
        lines.append(f"  {names}: {reason}")
    advice = "Fix the cause and run `expander retry` with the name of the search, which trains only these again"
    skip = "; or set failures.then: skip in the space to decide without them"
    return "\n".join([*lines, f"{advice}{'' if skip_failed else skip}."])


def choose(step: Step, outcomes: Iterable[Outcome], axis: Axis) -> Decision:
    """The decision for `axis`, whatever the ranking. Raises UsageError where its trial has not completed."""
    by_trial = {outcome.trial: outcome for outcome in outcomes}
    scored, rest = _ranking(step, by_trial)
    ranking = (*scored, *rest)
    taken = next((ranked for ranked in ranking if ranked.axis is axis), None)
    if taken is None or taken.score is None:
        reason = taken.reason if taken else "it is not among expansion.axes"
        trained = ", ".join(ranked.axis for ranked in scored) or "none"
        raise UsageError(
            f"step {step.key}: {axis} cannot be taken: {reason}; expected an axis whose trial has completed ({trained})"
        )
    return replace(_decision(step, axis, ranking, by_trial.get(taken.trial or "")), by_user=True)


def prescribe(step: Step, axis: Axis) -> Decision:
    """The decision for `axis` without training. Raises StepFailed when it is infeasible at this step."""
    candidate = next((c for c in step.candidates if c.axis is axis), None)
    if candidate is None or not candidate.feasible:
        reason = candidate.reason if candidate else "it is not among expansion.axes"
        raise StepFailed(f"step {step.key}: the path takes {axis}, which is infeasible: {reason}")
    return _decision(step, axis, tuple(_ranked(c, {}) for c in step.candidates))


def prescribed_axis(space: SearchSpace, step: Step, decisions: Sequence[Decision]) -> Axis:
    """What the path keeps at `step`; at a contraction the axis that was expanded, else the largest candidate."""
    if step.kind == "expansion":
        return space.expansion.path[step.number - 1]
    expanded = next(d.axis for d in decisions if d.key == str(step.number))
    costs = {c.axis: c.solution.cost for c in step.candidates if c.feasible and c.solution}
    return expanded if expanded in costs else max(costs, key=lambda axis: costs[axis])


def gaps(decisions: Sequence[Decision]) -> tuple[float | None, ...]:
    """The gap of what each expansion kept, from the first."""
    return tuple(decision.gap for decision in _expansions(decisions))


def regularisation(space: SearchSpace, decisions: Sequence[Decision]) -> tuple[Regularisation, ...]:
    """The changes of recipe, the automatic ones with the step at which `decisions` let them begin (Sec. A.3)."""
    return begun(space.regularisation_expansion, gaps(decisions))


def recipe_of(space: SearchSpace, decisions: Sequence[Decision], step: int) -> Recipe:
    """The recipe of step `step`, of which `decisions` are those before it or more; 0 is the basis."""
    return recipe_at(step, space.base_recipe, regularisation(space, decisions))


def instances(space: SearchSpace, decisions: Sequence[Decision], cost: Cost | None = None) -> tuple[Instance, ...]:
    """The instances that `decisions` settle, in the order of their bounds. cost: as for `next_step`."""
    cost = cost_of(space, cost)
    found = (_instance(space, decisions, name, bound, cost) for name, bound in _regimes(space))
    return tuple(instance for instance in found if instance is not None)


def _expansion(space: SearchSpace, decisions: Sequence[Decision], data: str | None, cost: Cost) -> Step:
    last = _path(space, decisions, cost)[-1]
    frontier = last.factors
    number = len(_expansions(decisions)) + 1
    recipe = recipe_of(space, decisions, number)
    rate, tolerance = space.expansion.rate, space.expansion.tolerance
    solved = [(axis, solve(space.lattice, frontier, axis, rate, tolerance, cost)) for axis in space.expansion.axes]
    candidates = tuple(_candidate(space, axis, solution, recipe, data) for axis, solution in solved)
    return Step(number, "expansion", None, frontier, last.cost, rate * last.cost, recipe, candidates)


def _contraction(
    space: SearchSpace, decisions: Sequence[Decision], name: str, bound: float, data: str | None, cost: Cost
) -> Step | None:
    """The contraction that regime `name` needs: its first step beyond the bound is there, the last within too small.

    None where no contraction is needed or none is possible.
    """
    within, beyond = _around(_path(space, decisions, cost), _limit(space, bound))
    if beyond is None or within.cost >= space.regimes.fill * bound:
        return None
    recipe = recipe_of(space, decisions, beyond.number)
    limit = _limit(space, bound)

    def contracted(axis: Axis) -> Candidate:
        shrink = axis is not beyond.axis
        origin = beyond.factors if shrink else within.factors
        solved = contract(space.lattice, origin, axis, limit, within.cost, shrink=shrink, cost=cost)
        return _candidate(space, axis, solved, recipe, data)

    candidates = [contracted(beyond.axis)]
    # A grid may hold nothing between the two steps, as between one frame and two: then the other axes are offered.
    if space.regimes.contract == "every-axis" or not candidates[0].feasible:
        candidates = [contracted(axis) for axis in space.expansion.axes]
    if not any(candidate.feasible for candidate in candidates):
        return None
    return Step(beyond.number, "contraction", name, within.factors, within.cost, limit, recipe, tuple(candidates))


def _candidate(
    space: SearchSpace, axis: Axis, solved: Solution | Infeasible, recipe: Recipe, data: str | None
) -> Candidate:
    if isinstance(solved, Infeasible):
        return Candidate(axis, solved.nearest, solved.reason)
    trial = None if data is None else Trial(solved.geometry, recipe, data, space.test_views, space.seed)
    return Candidate(axis, solved, None, trial)


def _due(space: SearchSpace, decisions: Sequence[Decision], data: str | None, cost: Cost) -> Step | None:
    """The contraction of the smallest regime that needs one and has none."""
    contracted = {decision.regime for decision in decisions}
    regimes = (regime for regime in _regimes(space) if regime[0] not in contracted)
    steps = (_contraction(space, decisions, *regime, data, cost) for regime in regimes)
    return next((step for step in steps if step is not None), None)


def _instance(
    space: SearchSpace, decisions: Sequence[Decision], name: str, bound: float, cost: Cost
) -> Instance | None:
    contracted = next((decision for decision in decisions if decision.regime == name), None)
    if contracted is not None:
        return _kept(space, name, bound, contracted)
    within, beyond = _around(_path(space, decisions, cost), _limit(space, bound))
    if beyond is None:
        settled = within.cost >= space.regimes.fill * bound and _is_last(space, decisions, bound, cost)
    else:
        # Where nothing lies between it and the first step beyond the bound, the last step within is all there is.
        settled = _contraction(space, decisions, name, bound, None, cost) is None
    return _kept(space, name, bound, within) if settled else None


def _is_last(space: SearchSpace, decisions: Sequence[Decision], bound: float, cost: Cost) -> bool:
    """Whether no candidate of the next expansion could still be within the bound."""
    if _path_ends(space, decisions) or _steps_end(space, decisions):
        return True
    candidates = _expansion(space, decisions, None, cost).candidates
    feasible = [c.solution for c in candidates if c.feasible and c.solution]
    return all(solution.cost > _limit(space, bound) for solution in feasible)


def _path_ends(space: SearchSpace, decisions: Sequence[Decision]) -> bool:
    return space.prescribed and len(_expansions(decisions)) >= len(space.expansion.path)


def _steps_end(space: SearchSpace, decisions: Sequence[Decision]) -> bool:
    most = space.expansion.max_steps
    return most is not None and len(_expansions(decisions)) >= most


def _kept(space: SearchSpace, name: str, bound: float, decision: Decision) -> Instance:
    geometry = realise(decision.factors, space.lattice.basis)
    kind = "basis" if decision.number == 0 else decision.kind
    return Instance(
        name,
        bound,
        decision.number,
        kind,
        decision.factors,
        geometry,
        measure(geometry),
        decision.cost,
        decision.trial,
        decision.score,
    )


def _around(path: Sequence[Decision], limit: float) -> tuple[Decision, Decision | None]:
    """The last of `path` within `limit` and the first beyond it."""
    within = [decision for decision in path if decision.cost <= limit]
    beyond = [decision for decision in path if decision.cost > limit]
    return within[-1], beyond[0] if beyond else None


def _path(space: SearchSpace, decisions: Sequence[Decision], cost: Cost) -> list[Decision]:
    """The basis, as the decision of a step 0 whose axis is never read, and the expansions after it."""
    smallest = cost.of(realise(Factors(), space.lattice.basis))
    return [Decision(0, "expansion", None, Axis.FAST, Factors(), smallest, None, None, ()), *_expansions(decisions)]


def _expansions(decisions: Sequence[Decision]) -> list[Decision]:
    return [decision for decision in decisions if decision.kind == "expansion"]


def _regimes(space: SearchSpace) -> list[tuple[str, float]]:
    return sorted(space.regimes.bounds.items(), key=lambda item: item[1])


def _limit(space: SearchSpace, bound: float) -> float:
    return bound * (1 + space.regimes.grace)


def _ranked(candidate: Candidate, outcomes: dict[str, Outcome]) -> Ranked:
    flops = candidate.solution.complexity.flops if candidate.solution else None
    if candidate.trial is None:
        return Ranked(candidate.axis, flops, None, None, candidate.reason)
    match outcomes.get(candidate.trial.id):
        case Completed() as completed:
            return Ranked(candidate.axis, flops, completed.trial, completed.score)
        case Failed() as failed:
            return Ranked(candidate.axis, flops, failed.trial, None, failed.reason)
        case None:
            return Ranked(candidate.axis, flops, candidate.trial.id, None, "it has no outcome")


def _decision(step: Step, axis: Axis, ranking: tuple[Ranked, ...], outcome: Outcome | None = None) -> Decision:
    ranked = next(r for r in ranking if r.axis is axis)
    candidate = next(c for c in step.candidates if c.axis is axis)
    assert candidate.solution is not None
    return Decision(
        number=step.number,
        kind=step.kind,
        regime=step.regime,
        axis=axis,
        factors=candidate.solution.factors,
        cost=candidate.solution.cost,
        trial=ranked.trial,
        score=ranked.score,
        ranking=ranking,
        train_top1=outcome.train_top1 if isinstance(outcome, Completed) else None,
    )
