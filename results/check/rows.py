"""Rows by themselves: trials and their epochs, rows that belong to nothing, and who is said to run a search."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, ForeignKeyConstraint, Table, and_, delete, exists, func, not_, select, update
from sqlalchemy.orm import Session

from expander.trial import content_id
from results import lease
from results.check.problem import Problem
from results.records import trial_of
from results.schema import (
    OUTCOME,
    Base,
    CandidateRow,
    DamagedRow,
    EpochRow,
    FailureRow,
    MeasurementRow,
    SearchRow,
    StepRow,
    TrialRow,
)

BACKUP = "as only a backup knows what it was"
# Rows that say what happened to a trial, and nothing that is decided from: without it they tell nothing.
DEPENDENT = ("epochs", "failures", "damaged_videos")


def problems_in(session: Session) -> Iterator[Problem]:
    """What is wrong with rows, whichever search they are of."""
    yield from _pointing_to_nothing(session)
    yield from _running_without_a_coordinator(session)
    yield from _trials(session)
    yield from _trials_of_no_step(session)
    yield from _failures_of_no_step(session)
    yield from _measurements(session)


def _pointing_to_nothing(session: Session) -> Iterator[Problem]:
    """Constraints forbid them; SQLite's own shell does not enforce these."""
    for table in Base.metadata.sorted_tables:
        for key in sorted(table.foreign_key_constraints, key=lambda key: str(key.name)):
            alone = _alone(table, key)
            if count := session.scalar(select(func.count()).select_from(table).where(alone)):
                columns = ", ".join(key.column_keys)
                rows = "1 row points" if count == 1 else f"{count:,} rows point"
                what = f"{rows} to no row of {key.referred_table.name} ({columns})"
                if table.name in DEPENDENT:
                    yield Problem(f"table {table.name}", what, "removes them", (delete(table).where(alone),))
                else:
                    yield Problem(f"table {table.name}", what, BACKUP)


def _alone(table: Table, key: ForeignKeyConstraint) -> ColumnElement[bool]:
    pairs = [(element.parent, element.column) for element in key.elements]
    other = key.referred_table.alias()
    found = exists().where(*(ours == other.c[theirs.name] for ours, theirs in pairs))
    return and_(*(ours.is_not(None) for ours, _ in pairs), not_(found))


def _running_without_a_coordinator(session: Session) -> Iterator[Problem]:
    now = lease.clock(session)
    for row in session.scalars(select(SearchRow).where(SearchRow.state == "running").order_by(SearchRow.id)):
        if lease.effective_state(row, now) == "running":
            continue
        who = f"process {row.pid} on {row.host}" if row.host else "nobody"
        # Only where it is still the same that is dead.
        same = SearchRow.id == row.id, SearchRow.state == "running", SearchRow.lease_number == row.lease_number
        released = {"state": "interrupted", "reason": "its coordinator died", "lease_token": None}
        stopped = update(TrialRow).where(TrialRow.trained_by == row.id, exists().where(*same)).values(worker=None)
        yield Problem(
            f"search {row.name!r}",
            f"it is marked as running by {who}, which is dead",
            "marks it as interrupted",
            (stopped, update(SearchRow).where(*same).values(released)),
        )


def _trials(session: Session) -> Iterator[Problem]:
    # A gap is none: what a kill has cut off between its checkpoint and its record is told as the trial goes on.
    numbers = select(EpochRow.trial_id, func.max(EpochRow.number)).group_by(EpochRow.trial_id)
    epochs = {row[0]: row[1] for row in session.execute(numbers)}
    for row in session.scalars(select(TrialRow).order_by(TrialRow.id).execution_options(yield_per=500)):
        where = f"trial {row.id}"
        for what in (*_content(row), *_outcome(row)):
            yield Problem(where, what, BACKUP)
        yield from _epochs(row, epochs.get(row.id, 0), where)


def _content(row: TrialRow) -> Iterator[str]:
    """A trial is named by what it trains; the same columns give the same id."""
    try:
        trial = trial_of(row)
        identity = trial.id
    except Exception as error:  # noqa: BLE001  whatever was tampered with is to be told
        yield f"its columns cannot be read as a training ({type(error).__name__}: {' '.join(str(error).split())})"
        return
    if identity != row.id:
        yield f"its columns are those of trial {identity}: it was tampered with"
    elif row.epochs != trial.recipe.epochs:
        yield f"its epochs are {row.epochs}, and {trial.recipe.epochs} in its recipe"


def _outcome(row: TrialRow) -> Iterator[str]:
    missing = [column for column in OUTCOME if getattr(row, column) is None]
    if missing and len(missing) < len(OUTCOME):
        yield f"of its outcome {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
    for column in ("top1", "top5", "train_top1"):
        if not 0 <= (getattr(row, column) or 0) <= 1:
            yield f"its {column} is {getattr(row, column)}, and not in [0, 1]"


def _epochs(row: TrialRow, last: int, where: str) -> Iterator[Problem]:
    if last > row.epochs:
        beyond = EpochRow.trial_id == row.id, EpochRow.number > row.epochs
        what = f"epoch {last} is recorded, of {row.epochs}"
        yield Problem(where, what, "removes what is beyond the last", (delete(EpochRow).where(*beyond),))
    if row.epoch is not None and not 1 <= row.epoch <= row.epochs:
        yield Problem(where, f"its last epoch is {row.epoch}, of {row.epochs}", BACKUP)


def _trials_of_no_step(session: Session) -> Iterator[Problem]:
    alone = ~exists().where(CandidateRow.trial_id == TrialRow.id)
    rows = select(TrialRow.id, TrialRow.completed_at).where(alone).order_by(TrialRow.id)
    for trial, completed in session.execute(rows):
        where, what = f"trial {trial}", "it is of no step of any search"
        if completed is not None:
            yield Problem(where, what, "as it is finished work, which a search takes over that needs it")
            continue
        same = TrialRow.id == trial, alone, TrialRow.completed_at.is_(None)
        dependent = (
            delete(table).where(table.trial_id == trial, exists().where(*same))
            for table in (EpochRow, FailureRow, DamagedRow)
        )
        yield Problem(where, what, "removes it, as it was never finished", (*dependent, delete(TrialRow).where(*same)))


def _failures_of_no_step(session: Session) -> Iterator[Problem]:
    theirs = exists().where(
        CandidateRow.step_id == StepRow.id,
        StepRow.search_id == FailureRow.search_id,
        CandidateRow.trial_id == FailureRow.trial_id,
    )
    known = FailureRow.search_id == SearchRow.id, FailureRow.trial_id == TrialRow.id
    rows = select(FailureRow.id, SearchRow.name, FailureRow.trial_id).where(*known, ~theirs).order_by(FailureRow.id)
    for failure, name, trial in session.execute(rows):
        what = f"a failure of trial {trial} is recorded, which no step of it has"
        statement = delete(FailureRow).where(FailureRow.id == failure, ~theirs)
        yield Problem(f"search {name!r}", what, "removes it", (statement,))


def _measurements(session: Session) -> Iterator[Problem]:
    for row in session.scalars(select(MeasurementRow).order_by(MeasurementRow.geometry_id)):
        where = f"{row.name} on {row.device} of network {row.geometry_id}"
        if (identity := content_id(row.geometry)) != row.geometry_id:
            yield Problem(where, f"its columns are those of network {identity}: it was tampered with", BACKUP)
        if not row.value > 0:
            yield Problem(where, f"its value is {row.value}", BACKUP)
