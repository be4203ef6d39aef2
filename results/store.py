"""The SQL store: everything that is remembered of every search, in SQLite or on a server."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from threading import Event as Flag
from typing import Any, overload

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from expander.cost import MeasuredName, shown
from expander.errors import LeaseLost, StoreError, UsageError
from expander.geometry import Geometry
from expander.inputs import Change
from expander.search import Decision, Instance, Step
from expander.space import OPERATIONAL, SearchSpace
from expander.throughput import Trained
from expander.trial import Completed, Damage, Epoch, Event, Failed, GoesOn, Outcome, Started, Trial, content_id
from results import inputs, lease, reading, throughput
from results.connect import Database, connect
from results.forking import Fork, copy_steps
from results.heartbeat import Heartbeat
from results.inputs import Packed
from results.lease import LEASE_SECONDS, Lease, clock, lease_of
from results.owner import this_process
from results.records import (
    DamagedRecord,
    FailureRecord,
    InstanceRecord,
    SearchRecord,
    SearchState,
    SearchSummary,
    StepRecord,
    TrialRecord,
    candidate_values,
    completed_of,
    completed_values,
    decision_of,
    decision_values,
    epoch_values,
    failed_of,
    failed_values,
    instance_values,
    search_of,
    step_values,
    trial_values,
)
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

# Why the loop comes to something else than what it recorded, and the way out.
CHANGED = (
    "the program, the space or the data has changed since; go on with what it was started with, or start a new search"
)


def open_store(url: str, *, create: bool = False) -> SqlStore:
    """The store at a SQLAlchemy URL; with `create` an absent one is made, else it is a UsageError.

    Raises StoreError for a wrong URL, a server that cannot be reached and a store of another version.
    """
    return SqlStore(connect(url, create=create))


class SqlStore:
    """Every search of one store. Only a search's coordinator writes to it; anyone may read meanwhile."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def url(self) -> str:
        """Where it is, without the password."""
        return self._database.shown

    def create(
        self,
        name: str,
        *,
        space: SearchSpace,
        source: str,
        overrides: Sequence[str],
        data: Mapping[str, Any] | None,
        runs: str,
        versions: Mapping[str, str],
        sources: Mapping[str, str] | None = None,
        files: Mapping[str, Packed] | None = None,
        fork: Fork | None = None,
    ) -> SearchStore:
        """A new search, with its space frozen. Raises UsageError when the name exists.

        files: what was found of the files of its data, by digest. fork: what it begins with, else with nothing.
        """
        now = datetime.now(UTC)
        row = SearchRow(
            name=name,
            space=space.as_dict(),
            source=source,
            overrides=list(overrides),
            data=None if data is None else dict(data),
            runs=runs,
            versions=dict(versions),
            sources=dict(sources) if sources else None,
            accepted=[],
            forked_from=fork.name if fork else None,
            forked_step=fork.step if fork else None,
            device=fork.device if fork else None,
            created_at=now,
            state="created",
            lease_number=0,
            lease_seconds=LEASE_SECONDS,
            last_event_at=now,
        )
        with self._database.writing() as session:
            self._refuse_known(session, name)
            session.add(row)
            session.flush()
            inputs.keep_files(session, files or {})
            created = SearchStore(self._database, row.id, name)
            if fork is not None:
                created._begin(session, row, fork)
        return created

    def check_free(self, name: str) -> None:
        """Raise UsageError when a search of that name exists."""
        with self._database.reading() as session:
            self._refuse_known(session, name)

    def _refuse_known(self, session: Session, name: str) -> None:
        if session.scalar(select(SearchRow.id).where(SearchRow.name == name)) is not None:
            raise UsageError(
                f"a search named {name!r} exists in {self.url}: resume it with `expander resume {name}`, or choose"
                " another name"
            )

    def search(self, name: str) -> SearchStore:
        """The search of that name. Raises UsageError, with the names there are, when there is none."""
        with self._database.reading() as session:
            found = session.scalar(select(SearchRow.id).where(SearchRow.name == name))
            if found is None:
                names = session.scalars(select(SearchRow.name).order_by(SearchRow.id)).all()
                raise UsageError(f"no search is named {name!r} in {self.url}; {_hint(name, names)}")
        return SearchStore(self._database, found, name)

    def discard(self, search: SearchStore) -> None:
        """Forget a search that has taken no step; nothing where it has taken one, or where a process holds it."""
        with self._database.writing() as session:
            held = search._locked(session).lease_token is not None
            if not held and not session.scalar(select(func.count()).where(StepRow.search_id == search._id)):
                session.execute(delete(SearchRow).where(SearchRow.id == search._id))

    def searches(self) -> tuple[SearchSummary, ...]:
        """Every search, oldest first."""
        with self._database.reading() as session:
            return reading.summaries(session)

    def trained_on(self, marks: Sequence[str]) -> tuple[Trained, ...]:
        """What finished trials took on GPUs whose names have all `marks`, whichever search ordered them."""
        with self._database.reading() as session:
            return throughput.trained_on(session, marks)

    def close(self) -> None:
        """Give every connection back."""
        self._database.close()


class SearchStore:
    """One search: the coordinator's Store and Measurements, and what status, report and export read.

    Every write raises UsageError while another process holds the search, and LeaseLost once one has taken it over: both
    are decided in the write's own transaction, with the search's row locked.
    """

    def __init__(self, database: Database, search: int, name: str) -> None:
        self.name = name
        self._database = database
        self._id = search
        self._lease: Lease | None = None
        self._lost = Flag()

    # The coordinator's Store.

    def decisions(self) -> tuple[Decision, ...]:
        """The search's decisions, in the order in which they were made."""
        with self._database.reading() as session:
            rows = session.execute(
                select(DecisionRow, StepRow)
                .join(StepRow, DecisionRow.step_id == StepRow.id)
                .where(StepRow.search_id == self._id)
                .order_by(DecisionRow.id)
            )
            return tuple(decision_of(decision, step) for decision, step in rows)

    def enroll(self, step: Step) -> None:
        """Record the step, its candidates and the trials that they need.

        Idempotent. Raises StoreError when the step is recorded with other candidates.
        """
        values = [candidate_values(candidate, place) for place, candidate in enumerate(step.candidates)]
        with self._database.writing() as session:
            self._hold(session)
            recorded = self._step(session, step.key)
            if recorded is not None:
                self._refuse_other_candidates(session, recorded, values)
                return
            self._add_step(session, step, values)

    def unfinished(self, step: Step) -> tuple[Trial, ...]:
        """The step's trials that have not completed, in any search.

        Raises UsageError where some were trained with what would mix results.
        """
        ids = [trial.id for trial in step.trials]
        with self._database.reading() as session:
            self._refuse_foreign(session, ids)
            completed = reading.completed(session, ids)
        return tuple(trial for trial in step.trials if trial.id not in completed)

    def failures(self) -> tuple[Failed, ...]:
        """The failures in this search that count, oldest first, without tracebacks and logs."""
        with self._database.reading() as session:
            return tuple(failed_of(row, whole=False) for row in reading.counting(session, self._id))

    def record(self, event: Event, before: int | None = None) -> None:
        """Record what a dispatcher yielded. A completed trial stays completed, whatever comes later.

        before: how often the trial had `failed` before this Failed was first recorded, which may be done anew: once it
        has failed more often, that is left. Every other event may be recorded twice.
        """
        with self._database.writing() as session:
            self._hold(session)
            trial = session.get(TrialRow, event.trial, with_for_update=True)
            if trial is None:
                raise StoreError(f"search {self.name!r}: trial {event.trial} was never enrolled in a step")
            if trial.completed_at is None:
                self._apply(session, trial, event, before)

    def failed(self, trial: str) -> int:
        """How many failures of a trial are recorded in this search, forgiven ones too."""
        with self._database.reading() as session:
            return self._failed(session, trial)

    def outcomes(self, step: Step) -> tuple[Outcome, ...]:
        """The outcome of every trial of the step that has one: Completed, else its last Failed that counts.

        Raises UsageError as `unfinished` does: a trial may also be found finished in its folder.
        """
        ids = [trial.id for trial in step.trials]
        found: dict[str, Outcome] = {}
        with self._database.reading() as session:
            self._refuse_foreign(session, ids)
            found |= {row.trial_id: failed_of(row) for row in reading.failures(session, self._id, ids)}
            found |= {trial: completed_of(row) for trial, row in reading.completed(session, ids).items()}
        return tuple(found[trial] for trial in ids if trial in found)

    def commit(self, decision: Decision, settled: Sequence[Instance]) -> None:
        """Record a decision and every instance settled so far; what is recorded already stays as it is.

        Raises StoreError on a second, different decision of a step, or a different instance of a regime.
        """
        with self._database.writing() as session:
            row = self._hold(session)
            step = self._step(session, decision.key)
            if step is None:
                raise StoreError(f"search {self.name!r}: step {decision.key} is decided but was never enrolled")
            recorded = session.scalar(select(DecisionRow).where(DecisionRow.step_id == step.id))
            if recorded is None:
                now = datetime.now(UTC)
                session.add(DecisionRow(step_id=step.id, decided_at=now, **decision_values(decision)))
            elif decision_of(recorded, step) != decision:
                before, after = (
                    f"{each.axis} with {_shown(row, each.cost)}, score {each.score}" for each in (recorded, decision)
                )
                raise StoreError(
                    f"search {self.name!r}: step {decision.key} is decided for {before}; it cannot be decided again for"
                    f" {after}: {CHANGED}"
                )
            self._settle(session, row, settled)

    def settle(self, settled: Sequence[Instance]) -> None:
        """Record every instance settled so far. Raises StoreError on a different instance of a regime."""
        with self._database.writing() as session:
            self._settle(session, self._hold(session), settled)

    # The coordinator's Measurements, which all searches of a store share.

    def measurement(self, name: MeasuredName, device: str, geometry: Geometry) -> float | None:
        """What is recorded, by whichever search; None where nothing is."""
        with self._database.reading() as session:
            return _measured(session, name, device, geometry)

    def remember(self, name: MeasuredName, device: str, geometry: Geometry, value: float) -> float:
        """Record a measurement; the first of a geometry stands, and is returned."""
        values = {"geometry": geometry.as_dict(), "value": value, "versions": _versions()}
        key = {"name": name, "device": device, "geometry_id": content_id(geometry.as_dict())}
        with self._database.writing() as session:
            self._hold(session)
            if _measured(session, name, device, geometry) is None:
                _insert(session, MeasurementRow(**key, **values, measured_at=datetime.now(UTC)))
            recorded = _measured(session, name, device, geometry)
        assert recorded is not None
        return recorded

    def measure_on(self, device: str) -> None:
        """Say where its complexity is measured. Raises UsageError where it was measured elsewhere so far."""
        with self._database.writing() as session:
            row = self._hold(session)
            if row.device not in (None, device):
                complexity = row.space["complexity"]
                raise UsageError(
                    f"the {complexity} of search {self.name!r} was measured on {row.device}, and here it would be"
                    f" measured on {device}: {_refusal(row.device, device)}, or start a new search under another name:"
                    " it takes over every finished trial"
                )
            row.device = device

    # Who runs it.

    @property
    def claimed(self) -> Lease | None:
        """The lease that `claim` got; None before that, and once it is given back."""
        return self._lease

    def claim(self, seconds: float = LEASE_SECONDS) -> Lease | None:
        """Become its coordinator; returns the lease that was taken over, None where the last one was given back.

        seconds: another process may take it over after such a silence. Raises UsageError while the lease of another
        one stands.
        """
        with self._database.writing() as session:
            row, now, me = self._locked(session), clock(session), this_process()
            before = lease_of(row)
            # This process' own claims follow each other: the earlier one writes no more.
            if before is not None and before.owner != me:
                self._refuse_rival(row, now)
            granted = lease.grant(row, me, seconds, now)
            row.state, row.reason, row.last_event_at = "running", None, datetime.now(UTC)
            self._stop_attempts(session)
        self._lease, self._lost = granted, Flag()
        return before

    def renew(self) -> None:
        """Say that this process lives."""
        with self._database.writing() as session:
            self._hold(session).heartbeat_at = clock(session)

    @contextmanager
    def kept(self, say: Callable[[str], None], stop: Callable[[], None]) -> Iterator[Heartbeat]:
        """Within it the lease is renewed. say, stop: as of `Heartbeat`; `stop` is not called where a write of this
        object has raised LeaseLost."""
        assert self._lease is not None
        apart = self._database.apart()
        # A store in memory is of this process alone.
        other = self if apart is None else SearchStore(apart, self._id, self.name)
        other._lease = self._lease
        renew = other.renew if apart is not None else lambda: None
        try:
            with Heartbeat(renew, self._lease.seconds, self._lost, say=say, stop=stop) as heartbeat:
                yield heartbeat
        finally:
            if apart is not None:
                apart.close()

    def release(self, state: SearchState, reason: str | None = None) -> None:
        """Stop being its coordinator and say how it stands; nothing more where that is done already."""
        with self._database.writing() as session:
            if self._lease is None or not self._lease.given_back(self._locked(session)):
                row = self._hold(session)
                row.state, row.reason = state, _printable(reason)
                row.lease_token = None
                self._stop_attempts(session)
        self._lease = None

    def forgive(self, trial: str | None = None) -> tuple[str, ...]:
        """Let failures in steps that are not decided yet no longer count against the retries; their rows stay.

        trial: only those of this one. Returns the trials that had such failures.
        """
        with self._database.writing() as session:
            self._hold(session)
            undecided = (
                select(CandidateRow.trial_id)
                .join(StepRow, CandidateRow.step_id == StepRow.id)
                .outerjoin(DecisionRow, DecisionRow.step_id == StepRow.id)
                .where(StepRow.search_id == self._id, DecisionRow.id.is_(None), CandidateRow.trial_id.is_not(None))
            )
            theirs = [FailureRow.search_id == self._id, FailureRow.trial_id.in_(undecided)]
            theirs += [FailureRow.forgiven.is_(False), *([FailureRow.trial_id == trial] if trial else [])]
            forgiven = session.scalars(select(FailureRow.trial_id).where(*theirs).distinct()).all()
            session.execute(update(FailureRow).where(*theirs).values(forgiven=True))
        return tuple(sorted(forgiven))

    def update_space(self, space: SearchSpace) -> None:
        """Keep new operational sections of the space. Raises StoreError when anything else differs."""
        now = space.as_dict()
        with self._database.writing() as session:
            row = self._hold(session)
            # Read, because what an earlier program recorded lacks the keys that came since; they have their defaults.
            before = search_of(row).space.as_dict()
            frozen = [key for key in now if key not in OPERATIONAL and now[key] != before[key]]
            if frozen:
                raise StoreError(
                    f"search {self.name!r}: its space is frozen, and {', '.join(frozen)} would change; only"
                    f" {', '.join(OPERATIONAL)} may: start a new search"
                )
            row.space = now

    # What it is carried out with.

    def foreign(self) -> tuple[Change, ...]:
        """How trials of undecided steps were trained otherwise than it trains, but for what is accepted."""
        with self._database.reading() as session:
            row = session.get_one(SearchRow, self._id)
            return inputs.foreign(session, row, inputs.undecided(session, row))

    def accept(self, changes: Sequence[Change], versions: Mapping[str, str], sources: Mapping[str, str]) -> None:
        """Record that a user accepts `changes`, and what it is carried out with where an earlier program did not."""
        with self._database.writing() as session:
            row = self._hold(session)
            inputs.complete(row, versions, sources)
            if changes:
                inputs.accept(row, changes, versions, sources)

    def note_files(self, data: Mapping[str, Any], files: Mapping[str, Packed]) -> None:
        """Record what an earlier program did not look at: the files of its data. Their id stays."""
        with self._database.writing() as session:
            row = self._hold(session)
            if row.data is not None and "files" not in row.data:
                row.data = {**row.data, "files": data["files"]}
                inputs.keep_files(session, files)

    def file_list(self, digest: str) -> Packed | None:
        """What was found of the files of a manifest, by its digest; None where that is not known."""
        with self._database.reading() as session:
            return inputs.file_list(session, digest)

    # What status, report and export read.

    @property
    def url(self) -> str:
        """URL of the store, without a password."""
        return self._database.shown

    @property
    def record_of(self) -> SearchRecord:
        """The search as it was started. Raises SpaceError when its space is not valid for this program."""
        with self._database.reading() as session:
            return search_of(session.get_one(SearchRow, self._id))

    @property
    def effective_state(self) -> SearchState:
        """Its state; 'interrupted' where a coordinator that is dead left it running."""
        with self._database.reading() as session:
            return lease.effective_state(session.get_one(SearchRow, self._id), clock(session))

    @property
    def holder(self) -> Lease | None:
        """Who runs it, as the store says, or has left it running; None where nobody does."""
        with self._database.reading() as session:
            return lease_of(session.get_one(SearchRow, self._id))

    def steps(self) -> tuple[StepRecord, ...]:
        """Every step in order, with its candidates and its decision."""
        with self._database.reading() as session:
            return reading.steps(session, self._id)

    def epoch_seconds(self) -> dict[str, tuple[float, ...]]:
        """Seconds of every epoch of the trials in steps that are not decided yet, by the trial's id, in order."""
        with self._database.reading() as session:
            return reading.epoch_seconds(session, self._id)

    def instances(self) -> tuple[InstanceRecord, ...]:
        """The instances settled so far, in the order of their bounds."""
        with self._database.reading() as session:
            return reading.instances(session, self._id)

    def damaged(self) -> tuple[DamagedRecord, ...]:
        """The videos that its trials could not read, whichever search trained them; by manifest and path."""
        with self._database.reading() as session:
            return reading.damaged(session, self._id)

    def attempts(self, trial: str) -> tuple[FailureRecord, ...]:
        """Every failure of a trial in this search, oldest first, with traceback and log."""
        with self._database.reading() as session:
            return reading.attempts(session, self._id, trial)

    def trial(self, trial: str) -> TrialRecord:
        """A trial by its id, whichever search trained it. Raises UsageError when there is none."""
        with self._database.reading() as session:
            found = reading.trial(session, self._id, trial)
        if found is None:
            raise UsageError(f"no trial {trial!r} in {self._database.shown}: `expander status {self.name}` lists them")
        return found

    # One transaction's parts.

    def _locked(self, session: Session) -> SearchRow:
        return session.get_one(SearchRow, self._id, with_for_update=True)

    def _hold(self, session: Session) -> SearchRow:
        """The search's row, locked for this write, which is its last event."""
        row = self._locked(session)
        if self._lease is None:
            self._refuse_rival(row, clock(session))
        elif not self._lease.holds(row):
            self._lost.set()
            raise LeaseLost(lease.lost(self.name, row, self._lease))
        row.last_event_at = datetime.now(UTC)
        return row

    def _refuse_rival(self, row: SearchRow, now: datetime) -> None:
        rival = lease_of(row)
        if rival is not None and rival.stands(now):
            raise UsageError(lease.refusal(self.name, rival))

    def _begin(self, session: Session, row: SearchRow, fork: Fork) -> None:
        origin = session.scalar(select(SearchRow).where(SearchRow.name == fork.name))
        assert origin is not None
        copy_steps(session, origin, row, fork.keys)
        if fork.chosen is not None:
            step, decision = fork.chosen
            values = [candidate_values(candidate, place) for place, candidate in enumerate(step.candidates)]
            begun = self._add_step(session, step, values)
            session.add(DecisionRow(step_id=begun.id, decided_at=datetime.now(UTC), **decision_values(decision)))
        self._settle(session, row, fork.settled)

    def _refuse_foreign(self, session: Session, trials: Sequence[str]) -> None:
        inputs.refuse_foreign(session, session.get_one(SearchRow, self._id), trials)

    def _add_step(self, session: Session, step: Step, candidates: Sequence[Mapping[str, Any]]) -> StepRow:
        _insert_trials(session, step.trials)
        row = StepRow(search_id=self._id, started_at=datetime.now(UTC), **step_values(step))
        session.add(row)
        session.flush()
        session.add_all(CandidateRow(step_id=row.id, **each) for each in candidates)
        return row

    def _step(self, session: Session, key: str) -> StepRow | None:
        return session.scalar(select(StepRow).where(StepRow.search_id == self._id, StepRow.key == key))

    def _refuse_other_candidates(self, session: Session, step: StepRow, values: Sequence[Mapping[str, Any]]) -> None:
        rows = session.scalars(select(CandidateRow).where(CandidateRow.step_id == step.id))
        recorded = {(row.axis, row.trial_id, row.cost) for row in rows}
        now = {(each["axis"], each["trial_id"], each.get("cost")) for each in values}
        if recorded != now:
            axes = ", ".join(sorted({axis for axis, _, _ in recorded ^ now}))
            raise StoreError(
                f"search {self.name!r}: step {step.key} is recorded with other candidates for {axes}: {CHANGED}"
            )

    def _apply(self, session: Session, trial: TrialRow, event: Event, before: int | None) -> None:
        now = datetime.now(UTC)
        match event:
            case Started():
                trial.worker, trial.trained_by, trial.started_at = _printable(event.worker), self._id, now
                search = session.get_one(SearchRow, self._id)
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
                values = completed_values(event) | {"completed_at": now, "worker": None, "trained_by": self._id}
                # Asked once more by the very statement that writes: the first outcome stands, with no lock needed.
                open_still = TrialRow.id == trial.id, TrialRow.completed_at.is_(None)
                if session.connection().execute(update(TrialRow).where(*open_still).values(values)).rowcount:
                    _enter(session, trial.id, event.ledger, now)
            case Failed():
                trial.worker = None
                recorded = self._failed(session, trial.id)
                if before is not None and recorded > before:
                    return
                values = {
                    key: _printable(value) if isinstance(value, str) else value
                    for key, value in failed_values(event).items()
                }
                due = None if event.wait is None else now + timedelta(seconds=event.wait)
                times = {"failed_at": now, "due_at": due}
                session.add(FailureRow(search_id=self._id, number=recorded + 1, forgiven=False, **times, **values))
                _enter(session, trial.id, event.ledger, now)

    def _settle(self, session: Session, search: SearchRow, settled: Sequence[Instance]) -> None:
        recorded = {r.name: r for r in session.scalars(select(InstanceRow).where(InstanceRow.search_id == self._id))}
        for instance in settled:
            values = instance_values(instance)
            row = recorded.get(instance.name)
            if row is None:
                session.add(InstanceRow(search_id=self._id, settled_at=datetime.now(UTC), **values))
            elif changed := [key for key, value in values.items() if getattr(row, key) != value]:
                raise StoreError(
                    f"search {self.name!r}: {instance.name} is settled at step {row.step} with"
                    f" {_shown(search, row.cost)} and cannot become that of step {instance.step} with"
                    f" {_shown(search, instance.cost)}; {', '.join(changed)} would differ: {CHANGED}"
                )

    def _failed(self, session: Session, trial: str) -> int:
        mine = FailureRow.search_id == self._id, FailureRow.trial_id == trial
        return session.scalar(select(func.count()).where(*mine)) or 0

    def _stop_attempts(self, session: Session) -> None:
        session.execute(update(TrialRow).where(TrialRow.trained_by == self._id).values(worker=None))


def _insert_trials(session: Session, trials: Sequence[Trial]) -> None:
    """Those that are new; in the order of their ids, so that two searches never wait for each other in a circle."""
    known = set(session.scalars(select(TrialRow.id).where(TrialRow.id.in_([trial.id for trial in trials]))))
    for trial in sorted(trials, key=lambda trial: trial.id):
        if trial.id in known:
            continue
        _insert(session, TrialRow(enrolled_at=datetime.now(UTC), **trial_values(trial)))


def _insert(session: Session, row: TrialRow | MeasurementRow) -> None:
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
        video, reason = _printable(damage.video), _printable(damage.reason)
        key = damage.manifest, content_id(video)
        if key in known:
            known[key].reason, known[key].last_seen = reason, now
            continue
        row = DamagedRow(trial_id=trial, manifest=key[0], video_id=key[1], video=video, reason=reason)
        row.first_seen = row.last_seen = now
        session.add(row)
        known[key] = row


def _measured(session: Session, name: MeasuredName, device: str, geometry: Geometry) -> float | None:
    row = MeasurementRow.name == name, MeasurementRow.device == device
    geometry_id = content_id(geometry.as_dict())
    return session.scalar(select(MeasurementRow.value).where(*row, MeasurementRow.geometry_id == geometry_id))


def _refusal(before: str, now: str) -> str:
    """Why what was measured on one device does not go with another; a meter names its PyTorch last."""
    (machine, _, version), (here, _, other) = (device.rpartition(", torch ") for device in (before, now))
    if machine and machine == here:
        return f"torch {other} has other kernels, and the two cannot be compared. Resume it with torch {version}"
    return "the two cannot be compared. Resume it where it was begun, with the same dispatcher and resources"


def _shown(search: SearchRow, cost: float) -> str:
    """A cost as people read it, in the unit of its search."""
    return shown(search_of(search).space.complexity, cost)


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("torch", "x3d-expander")}


def _hint(name: str, names: Sequence[str]) -> str:
    if not names:
        return "it holds no search yet: `expander search` starts one"
    close = difflib.get_close_matches(name, names, n=1)
    return f"it holds {', '.join(names)}{f' (did you mean {close[0]}?)' if close else ''}"


@overload
def _printable(text: str) -> str: ...
@overload
def _printable(text: None) -> None: ...
def _printable(text: str | None) -> str | None:
    """Text that every database takes: a failure must be recorded, whatever bytes its message quotes."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
