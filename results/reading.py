"""The questions that status, report and export ask the store; a fixed number of queries each, however long a search."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer

from expander.axis import Axis
from expander.trial import Outcome
from results.lease import clock, effective_state, instant
from results.records import (
    CandidateRecord,
    CandidateState,
    DamagedRecord,
    FailureRecord,
    InstanceRecord,
    SearchSummary,
    StepRecord,
    TrialRecord,
    candidate_of,
    completed_of,
    epoch_of,
    failed_of,
    failure_of,
    instance_of,
    step_of,
    trial_of,
)
from results.schema import (
    CandidateRow,
    DamagedRow,
    DecisionRow,
    EpochRow,
    FailureRow,
    InstanceRow,
    SearchRow,
    StepRow,
    TrialRow,
)


def summaries(session: Session) -> tuple[SearchSummary, ...]:
    """Every search, oldest first."""
    # The frontier is where the last expansion left it: a contraction does not move it.
    per_search = (
        select(StepRow.search_id, func.max(DecisionRow.id).label("last"), func.count().label("steps"))
        .join(DecisionRow, DecisionRow.step_id == StepRow.id)
        .where(StepRow.kind == "expansion")
        .group_by(StepRow.search_id)
        .subquery()
    )
    lines = session.execute(
        select(SearchRow, per_search.c.steps, DecisionRow)
        .outerjoin(per_search, per_search.c.search_id == SearchRow.id)
        .outerjoin(DecisionRow, DecisionRow.id == per_search.c.last)
        .order_by(SearchRow.id)
    ).all()
    now = clock(session)
    names: defaultdict[int, list[str]] = defaultdict(list)
    for search, name in session.execute(select(InstanceRow.search_id, InstanceRow.name).order_by(InstanceRow.bound)):
        names[search].append(name)
    return tuple(
        SearchSummary(
            name=row.name,
            state=effective_state(row, now),
            created=row.created_at,
            steps=steps or 0,
            axis=Axis(decision.axis) if decision else None,
            complexity=row.space.get("complexity", "flops"),
            cost=decision.cost if decision else None,
            instances=tuple(names[row.id]),
        )
        for row, steps, decision in lines
    )


def steps(session: Session, search: int) -> tuple[StepRecord, ...]:
    """Every step of a search in order, with its candidates and its decision."""
    mine = StepRow.search_id == search
    # Decisions first: a search that runs may only be ahead in what is read later, never decided without outcomes.
    decided = session.scalars(select(DecisionRow).join(StepRow, DecisionRow.step_id == StepRow.id).where(mine))
    decisions = {row.step_id: row for row in decided}
    rows = session.scalars(select(StepRow).where(mine).order_by(StepRow.id)).all()
    candidates = _candidates(session, search)
    return tuple(step_of(row, decisions.get(row.id), tuple(candidates[row.id])) for row in rows)


def instances(session: Session, search: int) -> tuple[InstanceRecord, ...]:
    """The instances of a search settled so far, in the order of their bounds."""
    mine = select(InstanceRow).where(InstanceRow.search_id == search)
    return tuple(instance_of(row) for row in session.scalars(mine.order_by(InstanceRow.bound)))


def trial(session: Session, search: int, trial_id: str) -> TrialRecord | None:
    """A trial, whichever search trained it, with its failures in this one; None where there is none."""
    row = session.get(TrialRow, trial_id)
    if row is None:
        return None
    outcome: Outcome | None = completed_of(row) if row.completed_at else None
    if outcome is None and (failed := failures(session, search, [trial_id])):
        outcome = failed_of(failed[-1])
    epochs = session.scalars(select(EpochRow).where(EpochRow.trial_id == trial_id).order_by(EpochRow.number))
    return TrialRecord(row.id, trial_of(row), outcome, tuple(epoch_of(epoch, row.epochs) for epoch in epochs))


def damaged(session: Session, search: int) -> tuple[DamagedRecord, ...]:
    """The videos that trials of a search could not read, whichever search trained them; by manifest and path."""
    mine = select(CandidateRow.trial_id).join(StepRow, CandidateRow.step_id == StepRow.id)
    rows = session.scalars(
        select(DamagedRow)
        .where(DamagedRow.trial_id.in_(mine.where(StepRow.search_id == search, CandidateRow.trial_id.is_not(None))))
        .order_by(DamagedRow.manifest, DamagedRow.video, DamagedRow.last_seen, DamagedRow.trial_id)
    )
    videos: defaultdict[tuple[str, str], list[DamagedRow]] = defaultdict(list)
    for row in rows:
        videos[row.manifest, row.video].append(row)
    searches: defaultdict[str, set[str]] = defaultdict(set)
    damaged_in = {row.trial_id for reports in videos.values() for row in reports}
    named = select(SearchRow.name, CandidateRow.trial_id).join(StepRow, StepRow.search_id == SearchRow.id)
    theirs = named.join(CandidateRow, CandidateRow.step_id == StepRow.id).where(CandidateRow.trial_id.in_(damaged_in))
    for name, trial_id in session.execute(theirs):
        searches[trial_id or ""].add(name)
    return tuple(
        DamagedRecord(
            manifest=manifest,
            video=video,
            reason=reports[-1].reason,
            trials=tuple(sorted(row.trial_id for row in reports)),
            searches=tuple(sorted(set().union(*(searches[row.trial_id] for row in reports)))),
            first_seen=min(row.first_seen for row in reports),
            last_seen=max(row.last_seen for row in reports),
        )
        for (manifest, video), reports in videos.items()
    )


def failures(session: Session, search: int, trials: Sequence[str]) -> Sequence[FailureRow]:
    """The failures of `trials` in a search that count, oldest first."""
    counted = FailureRow.search_id == search, FailureRow.trial_id.in_(trials), FailureRow.forgiven.is_(False)
    return session.scalars(select(FailureRow).where(*counted).order_by(FailureRow.id)).all()


def counting(session: Session, search: int) -> Sequence[FailureRow]:
    """Every failure in a search that counts, oldest first, without traceback and log."""
    counted = FailureRow.search_id == search, FailureRow.forgiven.is_(False)
    light = defer(FailureRow.traceback), defer(FailureRow.log)
    return session.scalars(select(FailureRow).where(*counted).order_by(FailureRow.id).options(*light)).all()


def attempts(session: Session, search: int, trial_id: str) -> tuple[FailureRecord, ...]:
    """Every failure of a trial in a search, oldest first, with traceback and log."""
    mine = FailureRow.search_id == search, FailureRow.trial_id == trial_id
    rows = session.scalars(select(FailureRow).where(*mine).order_by(FailureRow.id))
    return tuple(failure_of(row, whole=True) for row in rows)


def completed(session: Session, trials: Sequence[str]) -> dict[str, TrialRow]:
    """Those of `trials` that completed, in whichever search."""
    done = TrialRow.id.in_(trials), TrialRow.completed_at.is_not(None)
    return {row.id: row for row in session.scalars(select(TrialRow).where(*done))}


def epoch_seconds(session: Session, search: int) -> dict[str, tuple[float, ...]]:
    """Seconds of every epoch of the trials in steps that are not decided yet, by the trial's id, in order."""
    undecided = (
        select(CandidateRow.trial_id)
        .join(StepRow, CandidateRow.step_id == StepRow.id)
        .outerjoin(DecisionRow, DecisionRow.step_id == StepRow.id)
        .where(StepRow.search_id == search, DecisionRow.id.is_(None))
    )
    rows = select(EpochRow.trial_id, EpochRow.seconds).where(EpochRow.trial_id.in_(undecided)).order_by(EpochRow.number)
    found: defaultdict[str, list[float]] = defaultdict(list)
    for trial_id, seconds in session.execute(rows):
        found[trial_id].append(seconds)
    return {trial_id: tuple(seconds) for trial_id, seconds in found.items()}


def _candidates(session: Session, search: int) -> defaultdict[int, list[CandidateRecord]]:
    """The candidates of every step, by the step's id."""
    running = session.execute(select(SearchRow, instant(session)).where(SearchRow.state == "running"))
    live = {row.id for row, now in running if effective_state(row, now) == "running"}
    failed: defaultdict[str | None, list[FailureRow]] = defaultdict(list)
    light = defer(FailureRow.traceback), defer(FailureRow.log)
    failures = select(FailureRow).where(FailureRow.search_id == search).options(*light)
    for failure in session.scalars(failures.order_by(FailureRow.id)):
        failed[failure.trial_id].append(failure)
    rows = session.execute(
        select(CandidateRow, TrialRow, EpochRow)
        .join(StepRow, CandidateRow.step_id == StepRow.id)
        .outerjoin(TrialRow, CandidateRow.trial_id == TrialRow.id)
        .outerjoin(EpochRow, (EpochRow.trial_id == TrialRow.id) & (EpochRow.number == TrialRow.epoch))
        .where(StepRow.search_id == search)
        .order_by(CandidateRow.step_id, CandidateRow.position)
    )
    candidates: defaultdict[int, list[CandidateRecord]] = defaultdict(list)
    for row, training, last in rows:
        past = failed[row.trial_id]
        state = _state(row, training, past, search, live)
        record = candidate_of(row, training, last, state, past)
        candidates[row.step_id].append(record)
    return candidates


def _state(
    row: CandidateRow, training: TrialRow | None, past: Sequence[FailureRow], search: int, live: set[int]
) -> CandidateState:
    """live: the searches that run."""
    if row.reason is not None:
        return "infeasible"
    if training is None:
        return "untrained"
    if training.completed_at is not None:
        return "completed"
    if training.worker is not None and training.trained_by in live:
        return "running"
    if not past or past[-1].forgiven:
        return "pending"
    # An attempt that began after the last failure and was cut off is neither running nor failed.
    cut_off = training.trained_by == search and training.started_at and training.started_at > past[-1].failed_at
    return "pending" if cut_off else "failed"
