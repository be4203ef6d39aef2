"""What a reader of the store gets, as plain values, and every conversion between rows and dataclasses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

from expander.axis import Axis, Factors
from expander.cost import ComplexityName
from expander.search import Candidate, Decision, Instance, Kind, Ranked, Step
from expander.space import SearchSpace, read_space
from expander.trial import Completed, Epoch, Failed, FailureKind, Metrics, Outcome, Trial
from results.schema import CandidateRow, DecisionRow, EpochRow, FailureRow, InstanceRow, SearchRow, StepRow, TrialRow

SearchState = Literal["created", "running", "interrupted", "failed", "completed"]
# What is measured of an epoch, as its column is named too.
MEASURED = ("loss", "top1", "rate", "seconds", "clips_per_second", "waited", "gpu_memory")
# untrained: feasible, in a search that trains nothing because its path is prescribed.
CandidateState = Literal["infeasible", "untrained", "pending", "running", "completed", "failed"]


@dataclass(frozen=True)
class Accepted:
    """A change of what trains that a user has accepted. kind: which part. trial: whose `recorded` was; None for the
    search's own."""

    kind: str
    recorded: str
    now: str
    at: datetime
    trial: str | None = None


@dataclass(frozen=True)
class Forked:
    """Where the first decisions of a search are from: those of search `name` before its expansion `step`."""

    name: str
    step: int


@dataclass(frozen=True)
class SearchRecord:
    """A search as it was started. state, reason: as its coordinator wrote them, which a killed one never amends.

    device: where its complexity is measured; None until it has been, and where it is in closed form. versions, sources:
    of what decides and trains, those that were accepted since in place of the first; sources are empty where nobody
    knows.
    """

    name: str
    space: SearchSpace
    source: str
    overrides: tuple[str, ...]
    data: Mapping[str, Any] | None
    runs: str
    created: datetime
    versions: Mapping[str, str]
    state: SearchState
    reason: str | None
    device: str | None
    sources: Mapping[str, str]
    accepted: tuple[Accepted, ...]
    forked: Forked | None


@dataclass(frozen=True)
class SearchSummary:
    """One line about a search: its effective state, expansions decided, the last of them, instances settled so far.

    complexity: what it searches by. cost: of the last expansion, in the complexity's unit.
    """

    name: str
    state: SearchState
    created: datetime
    steps: int
    axis: Axis | None
    complexity: ComplexityName
    cost: float | None
    instances: tuple[str, ...]


@dataclass(frozen=True)
class FailureRecord:
    """One attempt that failed, as FailureRow has it. number: from 1, of the trial in this search. counts: not forgiven.

    due: when the next attempt is, None where none follows. traceback, log: None where they were not asked for.
    """

    trial: str
    number: int
    kind: FailureKind
    reason: str
    worker: str | None
    node: str | None
    epoch: int | None
    counts: bool
    failed: datetime
    due: datetime | None
    next: str
    traceback: str | None = None
    log: str | None = None


@dataclass(frozen=True)
class CandidateRecord:
    """One candidate of a step; figures are None where the axis cannot move at all, or where nothing came back yet.

    cost: in the unit of the search's complexity.
    trial: the id of its training. epoch of epochs: the last one recorded. seconds: wall time of the completed attempt.
    failures, failure: attempts that failed in this search, forgiven ones too, and why the last of them did, which
    `failed` tells in full but for its traceback and log. last: its last epoch. damaged: videos that a completed trial
    left out. notes: what it did otherwise than it began.
    """

    axis: Axis
    feasible: bool
    reason: str | None
    factors: Mapping[str, Any] | None
    geometry: Mapping[str, Any] | None
    flops: int | None
    params: int | None
    params_without_batchnorm: int | None
    activations: int | None
    cost: float | None
    achieved_rate: float | None
    trial: str | None
    state: CandidateState
    score: float | None
    top5: float | None
    loss: float | None
    epoch: int | None
    epochs: int | None
    seconds: float | None
    failures: int
    failure: str | None
    last: Epoch | None
    damaged: int
    failed: FailureRecord | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class StepRecord:
    """One round; chosen, train_top1 and decided_at are None and the ranking is empty until it is decided.

    bound, frontier_cost: in the unit of the search's complexity. recipe: of its trials. train_top1: of what it kept.
    by_user: a user chose, not the scores.
    """

    number: int
    kind: Kind
    regime: str | None
    key: str
    bound: float
    frontier_cost: float
    recipe: Mapping[str, Any]
    candidates: tuple[CandidateRecord, ...]
    chosen: Axis | None
    ranking: tuple[Ranked, ...]
    train_top1: float | None
    started_at: datetime
    decided_at: datetime | None
    by_user: bool


@dataclass(frozen=True)
class InstanceRecord:
    """The network kept for a regime, from step `step` (0: the basis). bound, cost: as the search's complexity."""

    name: str
    bound: float
    step: int
    kind: Literal["basis", "expansion", "contraction"]
    factors: Mapping[str, Any]
    geometry: Mapping[str, Any]
    flops: int
    params: int
    params_without_batchnorm: int
    activations: int
    cost: float
    trial: str | None
    score: float | None
    settled_at: datetime


@dataclass(frozen=True)
class DamagedRecord:
    """A video that trials of a search could not read. manifest: 'train' or 'val', empty where nobody knows.

    reason: of the last trial that reported it. searches: names of all that have one of these trials.
    """

    manifest: str
    video: str
    reason: str
    trials: tuple[str, ...]
    searches: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True)
class TrialRecord:
    """A training, its outcome in this search (None while it has none) and its epochs in order."""

    id: str
    trial: Trial
    outcome: Outcome | None
    epochs: tuple[Epoch, ...]

    @property
    def completed(self) -> Completed | None:
        """The outcome, where it is not a failure."""
        return self.outcome if isinstance(self.outcome, Completed) else None

    @property
    def weights(self) -> str | None:
        """Path of the trained weights."""
        return self.completed.weights if self.completed else None

    @property
    def damaged(self) -> tuple[str, ...]:
        """Videos that did not decode."""
        return self.completed.damaged if self.completed else ()

    @property
    def versions(self) -> Mapping[str, str]:
        """What ran the training."""
        return self.completed.versions if self.completed else {}


def trial_values(trial: Trial) -> dict[str, Any]:
    """The columns of a trial that follow from its content."""
    return {"id": trial.id, "epochs": trial.recipe.epochs, **trial.as_dict(), "trainer": trial.trainer}


def trial_of(row: TrialRow) -> Trial:
    """The trial that `trial_values` wrote."""
    return Trial.from_dict(
        {key: getattr(row, key) for key in ("geometry", "recipe", "data", "views", "seed", "trainer")}
    )


def completed_values(completed: Completed) -> dict[str, Any]:
    """The columns of a trial that its completion sets, but for the time."""
    return {
        **asdict(completed.metrics),
        "seconds": completed.seconds,
        "weights": completed.weights,
        "damaged": list(completed.damaged),
        "versions": dict(completed.versions),
        "train_top1": completed.train_top1,
        "device": completed.device,
        "gpus": completed.gpus,
        "notes": list(completed.notes),
        "weights_sha256": completed.weights_sha256,
    }


def completed_of(row: TrialRow) -> Completed:
    """The Completed that `completed_values` wrote; the trial must be completed."""
    assert row.top1 is not None
    assert row.top5 is not None
    assert row.loss is not None
    assert row.videos is not None
    assert row.seconds is not None
    metrics = Metrics(row.top1, row.top5, row.loss, row.videos)
    return Completed(
        trial=row.id,
        metrics=metrics,
        seconds=row.seconds,
        weights=row.weights,
        damaged=tuple(row.damaged or ()),
        versions=row.versions or {},
        train_top1=row.train_top1,
        device=row.device,
        gpus=row.gpus,
        notes=tuple(row.notes or ()),
        weights_sha256=row.weights_sha256,
    )


def failed_values(failed: Failed) -> dict[str, Any]:
    """The columns of a failure, but for its search, number and times."""
    return {
        "trial_id": failed.trial,
        "kind": failed.kind.value,
        "reason": failed.reason,
        "traceback": failed.traceback,
        "log": failed.log,
        "worker": failed.worker,
        "node": failed.node,
        "epoch": failed.epoch,
        "next": failed.next,
    }


def failed_of(row: FailureRow, *, whole: bool = True) -> Failed:
    """The failure in `row`, with its traceback and its log where `whole`."""
    wait = None if row.due_at is None else max(0.0, (row.due_at - datetime.now(UTC)).total_seconds())
    return Failed(
        trial=row.trial_id,
        reason=row.reason,
        traceback=row.traceback if whole else "",
        kind=FailureKind(row.kind),
        worker=row.worker,
        node=row.node,
        log=row.log if whole else "",
        epoch=row.epoch,
        wait=wait,
        next=row.next,
    )


def failure_of(row: FailureRow, *, whole: bool = False) -> FailureRecord:
    """The record of a failure."""
    return FailureRecord(
        trial=row.trial_id,
        number=row.number,
        kind=FailureKind(row.kind),
        reason=row.reason,
        worker=row.worker,
        node=row.node,
        epoch=row.epoch,
        counts=not row.forgiven,
        failed=row.failed_at,
        due=row.due_at,
        next=row.next,
        traceback=row.traceback if whole else None,
        log=row.log if whole else None,
    )


def epoch_values(epoch: Epoch) -> dict[str, Any]:
    """The columns of an epoch, but for the time; the trial's row knows how many there are."""
    return {name: getattr(epoch, name) for name in MEASURED}


def epoch_of(row: EpochRow, epochs: int) -> Epoch:
    """The epoch in `row`, of `epochs`."""
    return Epoch(row.trial_id, row.number, epochs, **{name: getattr(row, name) for name in MEASURED})


def step_values(step: Step) -> dict[str, Any]:
    """The columns of a step, but for its search and the time."""
    return {
        "key": step.key,
        "number": step.number,
        "kind": step.kind,
        "regime": step.regime,
        "frontier": step.frontier.as_dict(),
        "frontier_cost": step.frontier_cost,
        "bound": step.bound,
        "recipe": step.recipe.as_dict(),
    }


def candidate_values(candidate: Candidate, position: int) -> dict[str, Any]:
    """The columns of a candidate, but for its step."""
    values: dict[str, Any] = {
        "axis": candidate.axis.value,
        "position": position,
        "reason": candidate.reason,
        "trial_id": candidate.trial.id if candidate.trial else None,
    }
    if candidate.solution is not None:
        values |= candidate.solution.complexity.as_dict()
        values["factors"] = candidate.solution.factors.as_dict()
        values["geometry"] = candidate.solution.geometry.as_dict()
        values["cost"] = candidate.solution.cost
        values["achieved_rate"] = candidate.solution.achieved_rate
    return values


def decision_values(decision: Decision) -> dict[str, Any]:
    """The columns of a decision, but for its step and the time."""
    return {
        "axis": decision.axis.value,
        "factors": decision.factors.as_dict(),
        "cost": decision.cost,
        "trial_id": decision.trial,
        "score": decision.score,
        "ranking": [asdict(ranked) | {"axis": ranked.axis.value} for ranked in decision.ranking],
        "train_top1": decision.train_top1,
        "by_user": decision.by_user,
    }


def decision_of(row: DecisionRow, step: StepRow) -> Decision:
    """The decision that `decision_values` wrote for `step`."""
    return Decision(
        number=step.number,
        kind=cast("Kind", step.kind),
        regime=step.regime,
        axis=Axis(row.axis),
        factors=Factors(**row.factors),
        cost=row.cost,
        trial=row.trial_id,
        score=row.score,
        ranking=ranking_of(row),
        train_top1=row.train_top1,
        by_user=row.by_user,
    )


def ranking_of(row: DecisionRow) -> tuple[Ranked, ...]:
    """The ranking of a decision, best first."""
    return tuple(Ranked(**{**ranked, "axis": Axis(ranked["axis"])}) for ranked in row.ranking)


def instance_values(instance: Instance) -> dict[str, Any]:
    """The columns of an instance, but for its search and the time."""
    return {
        "name": instance.name,
        "bound": instance.bound,
        "step": instance.step,
        "kind": instance.kind,
        "factors": instance.factors.as_dict(),
        "geometry": instance.geometry.as_dict(),
        **instance.complexity.as_dict(),
        "cost": instance.cost,
        "trial_id": instance.trial,
        "score": instance.score,
    }


def candidate_of(
    row: CandidateRow,
    trial: TrialRow | None,
    last: EpochRow | None,
    state: CandidateState,
    past: Sequence[FailureRow],
) -> CandidateRecord:
    """The record of a candidate and of what its trial brought so far. past: its failures in this search."""
    return CandidateRecord(
        axis=Axis(row.axis),
        feasible=row.reason is None,
        reason=row.reason,
        factors=row.factors,
        geometry=row.geometry,
        flops=row.flops,
        params=row.params,
        params_without_batchnorm=row.params_without_batchnorm,
        activations=row.activations,
        cost=row.cost,
        achieved_rate=row.achieved_rate,
        trial=row.trial_id,
        state=state,
        score=trial.top1 if trial else None,
        top5=trial.top5 if trial else None,
        loss=trial.loss if trial else None,
        epoch=trial.epoch if trial else None,
        epochs=trial.epochs if trial else None,
        seconds=trial.seconds if trial else None,
        failures=len(past),
        failure=past[-1].reason if past else None,
        last=epoch_of(last, trial.epochs) if trial and last else None,
        damaged=len(trial.damaged or ()) if trial else 0,
        failed=failure_of(past[-1]) if past else None,
        notes=tuple(trial.notes or ()) if trial else (),
    )


def step_of(row: StepRow, decision: DecisionRow | None, candidates: tuple[CandidateRecord, ...]) -> StepRecord:
    """The record of a step with its candidates and its decision, where there is one."""
    return StepRecord(
        number=row.number,
        kind=cast("Kind", row.kind),
        regime=row.regime,
        key=row.key,
        bound=row.bound,
        frontier_cost=row.frontier_cost,
        recipe=row.recipe,
        candidates=candidates,
        chosen=Axis(decision.axis) if decision else None,
        ranking=ranking_of(decision) if decision else (),
        train_top1=decision.train_top1 if decision else None,
        started_at=row.started_at,
        decided_at=decision.decided_at if decision else None,
        by_user=decision is not None and decision.by_user,
    )


def instance_of(row: InstanceRow) -> InstanceRecord:
    """The record of an instance."""
    return InstanceRecord(
        name=row.name,
        bound=row.bound,
        step=row.step,
        kind=cast('Literal["basis", "expansion", "contraction"]', row.kind),
        factors=row.factors,
        geometry=row.geometry,
        flops=row.flops,
        params=row.params,
        params_without_batchnorm=row.params_without_batchnorm,
        activations=row.activations,
        cost=row.cost,
        trial=row.trial_id,
        score=row.score,
        settled_at=row.settled_at,
    )


def search_of(row: SearchRow) -> SearchRecord:
    """The record of a search. Raises SpaceError when its space is not valid for this program."""
    return SearchRecord(
        name=row.name,
        space=read_space(row.space, {}, f"the space recorded for search {row.name!r}"),
        source=row.source,
        overrides=tuple(row.overrides),
        data=row.data,
        runs=row.runs,
        created=row.created_at,
        versions=row.versions,
        state=cast("SearchState", row.state),
        reason=row.reason,
        device=row.device,
        sources=row.sources or {},
        accepted=tuple(Accepted(**{**each, "at": datetime.fromisoformat(each["at"])}) for each in row.accepted),
        forked=None if row.forked_from is None else Forked(row.forked_from, row.forked_step or 1),
    )
