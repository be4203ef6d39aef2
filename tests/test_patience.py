"""A search outlives an outage of its server, and counts nothing twice that a lost answer leaves in doubt."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from test_lease import Relay, leased, lines, resumed, wait_for
from test_store import DATA, SPACE, FakeTraining, first_step, new_search, sized, whole_search

from expander.coordinator import Measurements, Store, run_search
from expander.errors import LeaseLost, StoreAway, StoreError
from expander.inputs import Change
from expander.search import instances
from expander.trial import Damage, Failed
from results import connect, patience
from results.connect import Database
from results.patience import PatientSearch
from results.store import SearchStore, open_store

if TYPE_CHECKING:
    from servers import PostgresServer, Restartable

# Fails twice in a trial, once in another.
RETRYING = SPACE.model_copy(update={"failures": SPACE.failures.model_copy(update={"retries": 2})})
FAILING = {trial.id: 1 + place for place, trial in enumerate(first_step().trials[:2])}
KILLS = 4
# So often an answer is lost: more than is written of one kind, so that a write that is never done ends a test.
MOST = 100
AGAIN = "the store answers again, and the lease of this search is renewed"


@pytest.fixture(scope="module")
def mortal() -> Iterator[Restartable]:
    """A server of this file's own, to be killed."""
    import servers

    if reason := servers.missing():
        pytest.skip(reason)
    with servers.restartable() as server:
        yield server


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PAUSE_SECONDS", 0.02)


class Forgetful:
    """Between a coordinator and its server: hangs up instead of answering a COMMIT after one of `marks` was sent.

    once: marks of which that is so only the first time.
    """

    def __init__(self, server: PostgresServer) -> None:
        self._to = ("127.0.0.1", server.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = replace(server, port=self._listener.getsockname()[1]).url()
        self.marks: tuple[bytes, ...] = ()
        self.once: tuple[bytes, ...] = ()
        self.lost: Counter[bytes] = Counter()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, server = self._listener.accept()[0], socket.create_connection(self._to)
                doomed: list[bytes] = []
                for pump in (self._ask, self._answer):
                    threading.Thread(target=pump, args=(client, server, doomed), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, doomed: list[bytes]) -> None:
        sent = b""
        with suppress(OSError), server:
            while data := client.recv(65536):
                sent += data
                if b"COMMIT" in sent:
                    doomed += [mark for mark in self.marks if mark in sent and self.lost[mark] < MOST]
                    doomed += [mark for mark in self.once if mark in sent and mark not in self.lost]
                    sent = b""
                server.sendall(data)

    def _answer(self, client: socket.socket, server: socket.socket, doomed: list[bytes]) -> None:
        with suppress(OSError), client:
            while data := server.recv(65536):
                if doomed:
                    self.lost.update(doomed)
                    client.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(data)

    def close(self) -> None:
        self._listener.close()


@contextmanager
def searching(
    url: str, seconds: float = 20, *, completes: bool = False
) -> Iterator[tuple[PatientSearch, SearchStore, list[str]]]:
    """The search `first`, claimed and kept; the same without patience; and what is said."""
    said: list[str] = []
    with closing(open_store(url)) as store:
        search = store.search("first")
        search.claim(seconds)
        patient = PatientSearch(search)
        with patient.kept(said.append, lambda: None):
            yield patient, search, said
        if completes:
            patient.release("completed")


def failures(search: SearchStore) -> Mapping[str, int]:
    return {trial: number for trial in FAILING if (number := len(search.attempts(trial)))}


def test_the_seams_are_kept() -> None:
    for seam in (Store, Measurements):
        assert {name for name in vars(seam) if not name.startswith("_")} <= set(vars(PatientSearch))


@pytest.fixture
def forgetful(server: PostgresServer) -> Iterator[Forgetful]:
    with closing(open_store(server.empty(), create=True)) as store:
        new_search(store, space=RETRYING)
    with closing(Forgetful(server)) as between:
        yield between


class TestCommitsOfUnknownEnd:
    def test_every_write_of_a_search_is_recorded_once(self, forgetful: Forgetful, server: PostgresServer) -> None:
        with searching(forgetful.url, completes=True) as (patient, _, _said):
            marks = b"steps", b"epochs", b"failures", b"decisions", b"instances"
            forgetful.marks = (*(b"INSERT INTO " + mark for mark in marks), b"completed_at=", b"lease_token=")
            training = FakeTraining(FAILING)
            run_search(RETRYING, patient, training, DATA, lambda *_: None)
        with closing(open_store(server.url())) as store:
            search = store.search("first")
            assert search.decisions() == whole_search()
            assert failures(search) == FAILING
            assert [failed.number for failed in search.attempts(max(FAILING, key=lambda t: FAILING[t]))] == [1, 2]
            assert set(training.finished.values()) == {1}
            assert [i.name for i in search.instances()] == [i.name for i in instances(SPACE, whole_search())]
            assert (search.effective_state, search.holder) == ("completed", None)
        # Each was in doubt, and each but an epoch no more often than it happened.
        assert set(forgetful.lost) == set(forgetful.marks)
        assert max(forgetful.lost.values()) < MOST
        assert forgetful.lost[b"INSERT INTO failures"] == sum(FAILING.values())
        assert forgetful.lost[b"INSERT INTO decisions"] == len(whole_search())
        assert forgetful.lost[b"completed_at="] == len(training.finished)

    def test_what_a_search_begins_with_is_recorded_once(self, forgetful: Forgetful) -> None:
        step = first_step()
        trial = step.trials[0].id
        damaged = Damage("train", "a.mp4", "no video")
        change = Change("torch", "2.12.0", "2.13.0")
        with searching(forgetful.url) as (patient, search, _said):
            patient.enroll(step)
            forgetful.once = b"INSERT INTO damaged", b"forgiven=", b"accepted=", b"device=", b"SET space="
            forgetful.marks = (b"INSERT INTO measurements",)
            patient.record(Failed(trial, "two videos are damaged", ledger=(damaged,)))
            patient.record(Failed(trial, "two videos are damaged", ledger=(damaged,)))
            assert [(each.trial, each.reason) for each in patient.failures()] == [(trial, "two videos are damaged")] * 2
            assert patient.forgive() == (trial,)
            assert patient.failures() == ()
            patient.accept([change], {"torch": "2.13.0"}, {})
            assert [each.kind for each in search.record_of.accepted] == ["torch"]
            assert patient.remember("latency", "a CPU", sized(16), 0.25) == 0.25
            assert patient.measurement("latency", "a CPU", sized(16)) == 0.25
            patient.measure_on("a CPU")
            patient.update_space(
                SPACE.model_copy(update={"failures": SPACE.failures.model_copy(update={"retries": 9})})
            )
            assert patient.record_of.space.failures.retries == 9
            assert len(search.damaged()) == 1
        assert set(forgetful.lost) == {*forgetful.once, *forgetful.marks}

    def test_a_failure_that_is_alike_one_before_counts_too(self, forgetful: Forgetful) -> None:
        step = first_step()
        failed = Failed(step.trials[0].id, "killed by signal 9")
        with searching(forgetful.url) as (patient, search, _said):
            patient.enroll(step)
            for number in (1, 2, 3):
                forgetful.marks = (b"INSERT INTO failures",) if number != 2 else ()
                patient.record(failed)
                assert search.failed(failed.trial) == number
        assert forgetful.lost.total() == 2


class TestOutages:
    def test_a_search_whose_server_is_killed_again_and_again_ends_as_if_undisturbed(self, mortal: Restartable) -> None:
        url = mortal.new()
        with closing(open_store(url, create=True)) as store:
            search = new_search(store, space=RETRYING)
            drawn = random.Random(7)
            over, kills = threading.Event(), 0

            def kill() -> None:
                nonlocal kills
                while kills < KILLS and not over.wait(drawn.uniform(0.05, 0.3)):
                    mortal.kill()
                    time.sleep(drawn.uniform(0, 0.2))
                    mortal.begin()
                    kills += 1

            killer = threading.Thread(target=kill)
            with searching(url, completes=True) as (patient, _, said):
                training = FakeTraining(FAILING)
                killer.start()
                try:
                    run_search(RETRYING, patient, training, DATA, lambda *_: time.sleep(0.02))
                finally:
                    over.set()
                    killer.join()
            assert kills == KILLS
            assert search.decisions() == whole_search()
            assert failures(search) == FAILING
            assert set(training.finished.values()) == {1}
            assert search.effective_state == "completed"
        # In turns: it is away, it is back.
        assert said
        assert [line == AGAIN for line in said] == [bool(place % 2) for place in range(len(said))]

    def test_an_outage_that_only_a_write_meets_is_said_once_and_when_it_is_over(
        self, server: PostgresServer, relay: Relay
    ) -> None:
        with closing(open_store(server.empty(), create=True)) as store:
            new_search(store)
            # The heartbeat would see it only after 15 seconds.
            with searching(relay.url, 60) as (patient, search, said):
                wait_for(lambda: search.holder.heard > search.claimed.heard)  # type: ignore[union-attr]
                relay.cut()
                threading.Timer(0.5, relay.mend).start()
                patient.enroll(first_step())
                wait_for(lambda: len(said) > 1, 5)
        (away, back) = said
        assert away.startswith("the store of this search cannot be reached (cannot ")
        assert "trying on; unless the store answers within 4" in away
        assert back == AGAIN

    def test_an_outage_longer_than_the_lease_ends_with_what_the_lease_says(
        self, server: PostgresServer, relay: Relay
    ) -> None:
        with closing(open_store(server.empty(), create=True)) as store:
            new_search(store)
            with searching(relay.url, 2) as (patient, _, said):
                relay.cut()
                with pytest.raises(
                    LeaseLost, match=r"could not be renewed for . seconds .* goes on once the store ans"
                ):
                    patient.enroll(first_step())
            assert len(said) == 1

    def test_the_command_waits_for_its_server_and_ends_the_search(
        self, server: PostgresServer, relay: Relay, tmp_path: Path
    ) -> None:
        with closing(open_store(server.empty(), create=True)) as store:
            search = leased(store, 8)
            with resumed(relay.url, tmp_path, "cut", epoch=0.03) as cut:
                wait_for(lambda: len(lines(tmp_path)) >= 3 or not cut.child.is_alive())
                relay.cut()
                wait_for(lambda: "trying on" in cut.said or not cut.child.is_alive())
                relay.mend()
                assert cut.ends() == 0, cut.said
                assert cut.said.count("trying on") == cut.said.count(AGAIN) == 1
            assert search.decisions() == whole_search()
            assert search.effective_state == "completed"

    def test_the_command_stops_where_its_server_stays_away_from_a_write(
        self, server: PostgresServer, relay: Relay, tmp_path: Path
    ) -> None:
        with closing(open_store(server.empty(), create=True)) as store:
            leased(store, 2)
            with resumed(relay.url, tmp_path, "cut", epoch=0.03) as cut:
                wait_for(lambda: len(lines(tmp_path)) >= 3 or not cut.child.is_alive())
                relay.cut()
                assert cut.ends() == 1, cut.said
                assert "this process stops before another may take the search over" in cut.said
                assert "Traceback" not in cut.said


@pytest.fixture
def relay(server: PostgresServer) -> Iterator[Relay]:
    with closing(Relay(server)) as between:
        yield between


@contextmanager
def asking(server: PostgresServer) -> Iterator[Session]:
    with closing(Database(connect._parsed(server.url()))) as database, database.writing() as session:
        yield session


def raising(state: str) -> str:
    return f"DO $$ BEGIN RAISE EXCEPTION 'said so' USING ERRCODE = '{state}'; END $$"


class TestWhatIsAway:
    @pytest.mark.parametrize("state", ["57P01", "57P02", "57P03", "08000", "08006"])
    def test_a_server_that_says_it_goes_or_comes(self, server: PostgresServer, state: str) -> None:
        with pytest.raises(StoreAway, match="said so"), asking(server) as session:
            session.execute(text(raising(state)))

    # A full disk, a lock that is not had, no right, a constraint, a wrong column.
    @pytest.mark.parametrize("state", ["53100", "55P03", "42501", "23505", "42703", "57014", "40P01"])
    def test_a_server_that_will_not_do_it_is_there(self, server: PostgresServer, state: str) -> None:
        with pytest.raises(StoreError, match="said so") as caught, asking(server) as session:
            session.execute(text(raising(state)))
        assert not isinstance(caught.value, StoreAway)

    def test_a_connection_that_the_server_ended(self, server: PostgresServer) -> None:
        with pytest.raises(StoreAway), asking(server) as session:
            session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    def test_a_port_where_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        url = f"postgresql+psycopg://expander@127.0.0.1:{port}/postgres"
        with pytest.raises(StoreAway) as caught:
            open_store(url)
        assert caught.value.exit_code == 1

    def test_a_locked_file_is_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connect, "BUSY_SECONDS", 0.1)
        with closing(open_store(f"sqlite:///{tmp_path / 'store.db'}", create=True)) as store:
            search = PatientSearch(new_search(store))
            with store._database.writing() as session:
                session.execute(text("SELECT 1"))
                with pytest.raises(StoreError, match="database is locked") as caught:
                    search.enroll(first_step())
        assert not isinstance(caught.value, StoreAway)
