"""A coordinator's search, whose store may be away for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from expander.cost import MeasuredName
from expander.errors import LeaseLost, StoreAway
from expander.geometry import Geometry
from expander.inputs import Change
from expander.search import Decision, Instance, Step
from expander.space import SearchSpace
from expander.trial import Event, Failed, Outcome, Trial
from results.heartbeat import Heartbeat
from results.inputs import Packed
from results.lease import Lease
from results.records import SearchRecord, SearchState, TrialRecord
from results.store import SearchStore

# Between two tries.
PAUSE_SECONDS = 0.5

Answer = TypeVar("Answer")


class PatientSearch:
    """The coordinator's Store and Measurements, which call a SearchStore again while its server cannot be reached.

    Within `kept` a call waits until the lease is lost, and raises LeaseLost then; `release` also once that has ended,
    for as long as the lease can last. A server that vanishes while it commits may have done so: whatever is called
    again here must come to the same when it had been recorded. Only the holder of the lease writes to a search, so what
    is there more than before the first try is of that try.
    """

    def __init__(self, search: SearchStore) -> None:
        self.name = search.name
        self._search = search
        self._heartbeat: Heartbeat | None = None

    @contextmanager
    def kept(self, say: Callable[[str], None], stop: Callable[[], None]) -> Iterator[Heartbeat]:
        """As of SearchStore."""
        with self._search.kept(say, stop) as heartbeat:
            self._heartbeat = heartbeat
            yield heartbeat

    # The coordinator's Store.

    def decisions(self) -> tuple[Decision, ...]:
        """As of SearchStore."""
        return self._insist(self._search.decisions)

    def enroll(self, step: Step) -> None:
        """As of SearchStore, which does nothing where the step is recorded."""
        self._insist(partial(self._search.enroll, step))

    def unfinished(self, step: Step) -> tuple[Trial, ...]:
        """As of SearchStore."""
        return self._insist(partial(self._search.unfinished, step))

    def failures(self) -> tuple[Failed, ...]:
        """As of SearchStore."""
        return self._insist(self._search.failures)

    def record(self, event: Event) -> None:
        """As of SearchStore; a failure counts once, however often it has to be recorded."""
        before = self._insist(partial(self._search.failed, event.trial)) if isinstance(event, Failed) else None
        self._insist(partial(self._search.record, event, before))

    def outcomes(self, step: Step) -> tuple[Outcome, ...]:
        """As of SearchStore."""
        return self._insist(partial(self._search.outcomes, step))

    def commit(self, decision: Decision, settled: Sequence[Instance]) -> None:
        """As of SearchStore, where the same decision may be recorded twice."""
        self._insist(partial(self._search.commit, decision, settled))

    def settle(self, settled: Sequence[Instance]) -> None:
        """As of SearchStore, where the same instances may be recorded twice."""
        self._insist(partial(self._search.settle, settled))

    # Its Measurements.

    def measurement(self, name: MeasuredName, device: str, geometry: Geometry) -> float | None:
        """As of SearchStore."""
        return self._insist(partial(self._search.measurement, name, device, geometry))

    def remember(self, name: MeasuredName, device: str, geometry: Geometry, value: float) -> float:
        """As of SearchStore, where the first value stands."""
        return self._insist(partial(self._search.remember, name, device, geometry, value))

    def measure_on(self, device: str) -> None:
        """As of SearchStore."""
        self._insist(partial(self._search.measure_on, device))

    # What is recorded as it begins and ends.

    def update_space(self, space: SearchSpace) -> None:
        """As of SearchStore."""
        self._insist(partial(self._search.update_space, space))

    def accept(self, changes: Sequence[Change], versions: Mapping[str, str], sources: Mapping[str, str]) -> None:
        """As of SearchStore, where what was accepted last is not accepted again."""
        self._insist(partial(self._search.accept, changes, versions, sources))

    def note_files(self, data: Mapping[str, Any], files: Mapping[str, Packed]) -> None:
        """As of SearchStore, where files that are noted stay."""
        self._insist(partial(self._search.note_files, data, files))

    def forgive(self, trial: str | None = None) -> tuple[str, ...]:
        """As of SearchStore; what an unheard try has forgiven is returned too."""
        before = {failed.trial for failed in self.failures()}
        self._insist(partial(self._search.forgive, trial))
        return tuple(sorted(before - {failed.trial for failed in self.failures()}))

    def release(self, state: SearchState, reason: str | None = None) -> None:
        """As of SearchStore, where what was given back stays so."""
        self._insist(partial(self._search.release, state, reason))

    # What the command reads as it goes on.

    @property
    def claimed(self) -> Lease | None:
        """As of SearchStore."""
        return self._search.claimed

    @property
    def record_of(self) -> SearchRecord:
        """As of SearchStore."""
        return self._insist(lambda: self._search.record_of)

    def trial(self, trial: str) -> TrialRecord:
        """As of SearchStore."""
        return self._insist(partial(self._search.trial, trial))

    def _insist(self, call: Callable[[], Answer]) -> Answer:
        while True:
            try:
                return call()
            except StoreAway as error:
                if self._heartbeat is None:
                    raise
                if not self._heartbeat.wait_out(str(error), PAUSE_SECONDS):
                    if self._heartbeat.reason is None:
                        raise
                    raise LeaseLost(self._heartbeat.reason) from error
