"""What rows say: the dataclasses that `results.values` wrote, and the records that readers get."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, cast

from expander.axis import Axis, Factors
from expander.search import Decision, Kind, Ranked
from expander.space import read_space
from expander.trial import Completed, Epoch, Failed, FailureKind, Metrics, Trial
from results.records import (
    Accepted,
    CandidateRecord,
    CandidateState,
    FailureRecord,
    Forked,
    InstanceRecord,
    SearchRecord,
    SearchState,
    StepRecord,
)
from results.schema import CandidateRow, DecisionRow, EpochRow, FailureRow, InstanceRow, SearchRow, StepRow, TrialRow
from results.values import MEASURED


def trial_of(row: TrialRow) -> Trial:
    """The trial that `trial_values` wrote."""
    return Trial.from_dict(
        {key: getattr(row, key) for key in ("geometry", "recipe", "data", "views", "seed", "trainer")}
    )


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


def epoch_of(row: EpochRow, epochs: int) -> Epoch:
    """The epoch in `row`, of `epochs`."""
    return Epoch(row.trial_id, row.number, epochs, **{name: getattr(row, name) for name in MEASURED})


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
