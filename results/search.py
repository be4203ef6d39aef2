"""One search of a store: what its coordinator writes, and what others read of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event as Flag
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from expander.cost import MeasuredName
from expander.errors import LeaseLost, StoreError, UsageError
from expander.geometry import Geometry
from expander.inputs import Change
from expander.search import Decision, Instance, Step
from expander.space import OPERATIONAL, SearchSpace
from expander.trial import Event, Failed, Outcome, Trial
from results import inputs, lease, measurements, reading, writing
from results.clock import clock
from results.connect import Database
from results.heartbeat import Heartbeat
from results.inputs import Packed
from results.lease import LEASE_SECONDS, Lease, lease_of
from results.owner import this_process
from results.records import (
    DamagedRecord,
    FailureRecord,
    InstanceRecord,
    SearchRecord,
    SearchState,
    StepRecord,
    TrialRecord,
)
from results.rows import completed_of, decision_of, failed_of, search_of
from results.schema import CandidateRow, DecisionRow, FailureRow, SearchRow, StepRow, TrialRow
from results.values import candidate_values


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
            row = self._hold(session)
            recorded = writing.recorded_step(session, self._id, step.key)
            if recorded is not None:
                writing.refuse_other_candidates(session, row, recorded, values)
                return
            writing.add_step(session, self._id, step, values)

    def foresee(self, trial: Trial) -> None:
        """Record a trial that no step has yet, as one may come to it. Idempotent."""
        with self._database.writing() as session:
            self._hold(session)
            writing.insert_trials(session, [trial])

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
            row = self._hold(session)
            trial = session.get(TrialRow, event.trial, with_for_update=True)
            if trial is None:
                raise StoreError(f"search {self.name!r}: trial {event.trial} was never enrolled in a step")
            if trial.completed_at is None:
                writing.apply(session, row, trial, event, before)

    def failed(self, trial: str) -> int:
        """How many failures of a trial are recorded in this search, forgiven ones too."""
        with self._database.reading() as session:
            return writing.failed(session, self._id, trial)

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
            writing.decide(session, row, decision)
            writing.settle(session, row, settled)
            # As a step is decided nothing runs; what was begun early was stopped without a word.
            writing.stop_attempts(session, self._id)

    def settle(self, settled: Sequence[Instance]) -> None:
        """Record every instance settled so far. Raises StoreError on a different instance of a regime."""
        with self._database.writing() as session:
            writing.settle(session, self._hold(session), settled)

    # The coordinator's Measurements, which all searches of a store share.

    def measurement(self, name: MeasuredName, device: str, geometry: Geometry) -> float | None:
        """What is recorded, by whichever search; None where nothing is."""
        with self._database.reading() as session:
            return measurements.measured(session, name, device, geometry)

    def remember(self, name: MeasuredName, device: str, geometry: Geometry, value: float) -> float:
        """Record a measurement; the first of a geometry stands, and is returned."""
        with self._database.writing() as session:
            self._hold(session)
            return measurements.remember(session, name, device, geometry, value)

    def measure_on(self, device: str) -> None:
        """Say where its complexity is measured. Raises UsageError where it was measured elsewhere so far."""
        with self._database.writing() as session:
            measurements.measure_on(self._hold(session), device)

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
            writing.stop_attempts(session, self._id)
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
                row.state, row.reason = state, writing.printable(reason)
                row.lease_token = None
                writing.stop_attempts(session, self._id)
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

    def _refuse_foreign(self, session: Session, trials: Sequence[str]) -> None:
        inputs.refuse_foreign(session, session.get_one(SearchRow, self._id), trials)
