"""What a change writes, within its transaction, whose caller holds the search's row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, overload

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from expander.cost import shown
from expander.errors import StoreError
from expander.search import Decision, Instance, Step
from expander.trial import Completed, Damage, Epoch, Event, Failed, GoesOn, Started, Trial, content_id
from results import inputs
from results.forking import Fork, copy_steps
from results.rows import decision_of, search_of
from results.schema import (
    CandidateRow,
    DamagedRow,
    DecisionRow,
    EpochRow,
    FailureRow,
    InstanceRow,
    MeasurementRow,
    SearchRow,
    StepRow,
    TrialRow,
)
from results.values import (
    candidate_values,
    completed_values,
    decision_values,
    epoch_values,
    failed_values,
    instance_values,
    step_values,
    trial_values,
)

# Why the loop comes to something else than what it recorded, and the way out.
CHANGED = (
    "the program, the space or the data has changed since; go on with what it was started with, or start a new search"
)


def begin(session: Session, row: SearchRow, fork: Fork) -> None:
    """Give a new search the decisions of the one that it is forked from, and what these settle."""
    origin = session.scalar(select(SearchRow).where(SearchRow.name == fork.name))
    assert origin is not None
    copy_steps(session, origin, row, fork.keys)
    if fork.chosen is not None:
        step, decision = fork.chosen
        values = [candidate_values(candidate, place) for place, candidate in enumerate(step.candidates)]
        begun = add_step(session, row.id, step, values)
        session.add(DecisionRow(step_id=begun.id, decided_at=datetime.now(UTC), **decision_values(decision)))
    settle(session, row, fork.settled)


def add_step(session: Session, search: int, step: Step, candidates: Sequence[Mapping[str, Any]]) -> StepRow:
    """A step that a search takes: itself, its candidates and those of its trials that are new."""
    insert_trials(session, step.trials)
    row = StepRow(search_id=search, started_at=datetime.now(UTC), **step_values(step))
    session.add(row)
    session.flush()
    session.add_all(CandidateRow(step_id=row.id, **each) for each in candidates)
    return row


def recorded_step(session: Session, search: int, key: str) -> StepRow | None:
    """The step of a search by its key, None where it is not recorded."""
    return session.scalar(select(StepRow).where(StepRow.search_id == search, StepRow.key == key))


def refuse_other_candidates(
    session: Session, search: SearchRow, step: StepRow, values: Sequence[Mapping[str, Any]]
) -> None:
    """Raise StoreError where a recorded step has other candidates than `values`."""
    rows = session.scalars(select(CandidateRow).where(CandidateRow.step_id == step.id))
    recorded = {(row.axis, row.trial_id, row.cost) for row in rows}
    now = {(each["axis"], each["trial_id"], each.get("cost")) for each in values}
    if recorded != now:
        axes = ", ".join(sorted({axis for axis, _, _ in recorded ^ now}))
        raise StoreError(
            f"search {search.name!r}: step {step.key} is recorded with other candidates for {axes}: {CHANGED}"
        )


def apply(session: Session, search: SearchRow, trial: TrialRow, event: Event, before: int | None) -> None:
    """Record an event of a trial that has not completed, which must be locked. before: as of `SearchStore.record`."""
    now = datetime.now(UTC)
    match event:
        case Started():
            trial.worker, trial.trained_by, trial.started_at = printable(event.worker), search.id, now
            trial.started_with = {**event.versions, "space": inputs.space_id(search)}
        case Epoch():
            trial.epoch = event.number
            # Merged, because an attempt that lost its last checkpoint trains an epoch again.
            values = epoch_values(event)
            session.merge(EpochRow(trial_id=trial.id, number=event.number, recorded_at=now, **values))
        case GoesOn():
            trial.epoch = event.epochs[-1].number
            mine = select(EpochRow.number).where(EpochRow.trial_id == trial.id)
            known = set(session.scalars(mine))
            session.add_all(
                EpochRow(trial_id=trial.id, number=epoch.number, recorded_at=now, **epoch_values(epoch))
                for epoch in event.epochs
                if epoch.number not in known
            )
        case Completed():
            values = completed_values(event) | {"completed_at": now, "worker": None, "trained_by": search.id}
            # Asked once more by the very statement that writes: the first outcome stands, with no lock needed.
            open_still = TrialRow.id == trial.id, TrialRow.completed_at.is_(None)
            if session.connection().execute(update(TrialRow).where(*open_still).values(values)).rowcount:
                _enter(session, trial.id, event.ledger, now)
        case Failed():
            trial.worker = None
            recorded = failed(session, search.id, trial.id)
            if before is not None and recorded > before:
                return
            values = {
                key: printable(value) if isinstance(value, str) else value
                for key, value in failed_values(event).items()
            }
            due = None if event.wait is None else now + timedelta(seconds=event.wait)
            times = {"failed_at": now, "due_at": due}
            session.add(FailureRow(search_id=search.id, number=recorded + 1, forgiven=False, **times, **values))
            _enter(session, trial.id, event.ledger, now)


def settle(session: Session, search: SearchRow, settled: Sequence[Instance]) -> None:
    """Record those instances that are new. Raises StoreError on a different one of a regime."""
    recorded = {r.name: r for r in session.scalars(select(InstanceRow).where(InstanceRow.search_id == search.id))}
    for instance in settled:
        values = instance_values(instance)
        row = recorded.get(instance.name)
        if row is None:
            session.add(InstanceRow(search_id=search.id, settled_at=datetime.now(UTC), **values))
        elif changed := [key for key, value in values.items() if getattr(row, key) != value]:
            raise StoreError(
                f"search {search.name!r}: {instance.name} is settled at step {row.step} with"
                f" {_shown(search, row.cost)} and cannot become that of step {instance.step} with"
                f" {_shown(search, instance.cost)}; {', '.join(changed)} would differ: {CHANGED}"
            )


def failed(session: Session, search: int, trial: str) -> int:
    """How many failures of a trial are recorded in a search, forgiven ones too."""
    mine = FailureRow.search_id == search, FailureRow.trial_id == trial
    return session.scalar(select(func.count()).where(*mine)) or 0


def stop_attempts(session: Session, search: int) -> None:
    """No trial that a search ordered runs any more."""
    session.execute(update(TrialRow).where(TrialRow.trained_by == search).values(worker=None))


def decide(session: Session, search: SearchRow, decision: Decision) -> None:
    """Record a decision, once. Raises StoreError on a second, different one of its step."""
    step = recorded_step(session, search.id, decision.key)
    if step is None:
        raise StoreError(f"search {search.name!r}: step {decision.key} is decided but was never enrolled")
    recorded = session.scalar(select(DecisionRow).where(DecisionRow.step_id == step.id))
    if recorded is None:
        now = datetime.now(UTC)
        session.add(DecisionRow(step_id=step.id, decided_at=now, **decision_values(decision)))
    elif decision_of(recorded, step) != decision:
        before, after = (
            f"{each.axis} with {_shown(search, each.cost)}, score {each.score}" for each in (recorded, decision)
        )
        raise StoreError(
            f"search {search.name!r}: step {decision.key} is decided for {before}; it cannot be decided again for"
            f" {after}: {CHANGED}"
        )


def insert_trials(session: Session, trials: Sequence[Trial]) -> None:
    """Those that are new; in the order of their ids, so that two searches never wait for each other in a circle."""
    known = set(session.scalars(select(TrialRow.id).where(TrialRow.id.in_([trial.id for trial in trials]))))
    for trial in sorted(trials, key=lambda trial: trial.id):
        if trial.id in known:
            continue
        insert(session, TrialRow(enrolled_at=datetime.now(UTC), **trial_values(trial)))


def insert(session: Session, row: TrialRow | MeasurementRow) -> None:
    """Add a row, unless another search does so in this moment."""
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        pass  # another search recorded it in this moment, which is as good


def _enter(session: Session, trial: str, ledger: Sequence[Damage], now: datetime) -> None:
    """Enter damaged videos; one that an attempt at the trial has reported before is seen again."""
    rows = session.scalars(select(DamagedRow).where(DamagedRow.trial_id == trial))
    known = {(row.manifest, row.video_id): row for row in rows}
    for damage in ledger:
        video, reason = printable(damage.video), printable(damage.reason)
        key = damage.manifest, content_id(video)
        if key in known:
            known[key].reason, known[key].last_seen = reason, now
            continue
        row = DamagedRow(trial_id=trial, manifest=key[0], video_id=key[1], video=video, reason=reason)
        row.first_seen = row.last_seen = now
        session.add(row)
        known[key] = row


def _shown(search: SearchRow, cost: float) -> str:
    """A cost as people read it, in the unit of its search."""
    return shown(search_of(search).space.complexity, cost)


@overload
def printable(text: str) -> str: ...
@overload
def printable(text: None) -> None: ...
def printable(text: str | None) -> str | None:
    """Text that every database takes: a failure must be recorded, whatever bytes its message quotes."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
