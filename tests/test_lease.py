"""One coordinator a search: who holds it, who may take it over and when, and that whoever was taken over stops."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from test_store import DATA, SPACE, SPAWN, kill_unwaited, new_search, new_url, process, received, whole_search

from expander.cli.status import parts, status_document, take
from expander.coordinator import Dispatcher
from expander.errors import StoreError, UsageError
from expander.space import CoordinatorSection
from expander.trial import Completed, Epoch, Metrics, Trial
from results import connect
from results.owner import this_process
from results.store import SearchStore, SqlStore, open_store
from results.upgrade import _refuse_held

if TYPE_CHECKING:
    from servers import PostgresServer

    from trainers.fence import Claim

DEADLINE_SECONDS = 60
# A process that has imported all that a coordinator needs, forked for each: a new one would import it for seconds.
FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(
    ["trainers.train", "trainers.dispatch.inline", "results.store", "expander.cli.running"]
)


@pytest.fixture(params=["sqlite-file", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_url(request.param, request, tmp_path)


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    with closing(open_store(url, create=True)) as opened:
        yield opened


def wait_for(ready: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> float:
    """Wait until it is so; how long that took."""
    began = time.monotonic()
    while not ready():
        assert time.monotonic() - began < seconds
        time.sleep(0.02)
    return time.monotonic() - began


def become(host: str | None, hours: float = 0) -> None:
    """Let this process be on a host of that name, whose clock is off by so many hours; the database's is not."""
    if host is not None:
        socket.gethostname = lambda: host

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(hours=hours)

    for name, module in list(sys.modules.items()):
        if hours and name.startswith("results") and getattr(module, "datetime", None) is datetime:
            module.datetime = Shifted  # type: ignore[attr-defined]


def hold(url: str, seconds: float, host: str | None, hours: float, name: str, sender: Any) -> None:
    """In a process of its own: claim the search and keep its lease until killed."""
    become(host, hours)
    search = open_store(url).search(name)
    search.claim(seconds)
    with search.kept(print, lambda: os._exit(1)):
        sender.send(None)
        time.sleep(DEADLINE_SECONDS)


def claim_all(url: str, barrier: Any, names: list[str], sender: Any) -> None:
    """In a process of its own: claim searches, each at the same moment as another process."""
    with closing(open_store(url)) as store:
        searches = [store.search(name) for name in names]
        won = []
        for search in searches:
            barrier.wait()
            with suppress(UsageError):
                search.claim()
                won.append(search.name)
        sender.send(won)
        barrier.wait()


def refused(search: SearchStore) -> str | None:
    """Why it cannot be claimed; None where it now is."""
    try:
        search.claim()
    except UsageError as error:
        return str(error)
    return None


def held_in(url: str) -> bool:
    """Whether an upgrade of a store of this version is refused, because a search in it is run."""
    with closing(connect.connect(url, create=False)) as database, database.writing() as session:
        try:
            _refuse_held(session, url, 4)
        except StoreError as error:
            return "while first is run by the program that wrote it" in str(error)
    return False


class TestHolding:
    def test_of_two_claims_at_the_same_moment_exactly_one_wins(self, store: SqlStore, url: str) -> None:
        names = [str(number) for number in range(10)]
        for name in names:
            new_search(store, name)
        barrier = SPAWN.Barrier(2)
        with (
            process(claim_all, url, barrier, names) as (_, first),
            process(claim_all, url, barrier, names) as (_, second),
        ):
            won = received(first) + received(second)
        assert sorted(won) == sorted(names)
        assert {store.search(name).claimed for name in names} == {None}

    def test_a_second_coordinator_is_told_who_holds_the_search_since_when_and_is_heard_of(
        self, store: SqlStore, url: str
    ) -> None:
        search = new_search(store)
        with process(hold, url, 3, None, 0, "first") as (child, receiver):
            received(receiver)
            first = search.holder
            assert first is not None
            assert (first.owner.pid, first.number, first.seconds) == (child.pid, 1, 3)
            wait_for(lambda: search.holder.heard > first.heard)  # type: ignore[union-attr]
            told = refused(search)
            assert told is not None
            assert told.startswith(
                f"search 'first' is run by process {child.pid} on {socket.gethostname()} since {first.claimed:%F %T}"
                " UTC, last heard of "
            )
            assert "once it has been silent for 3 seconds" in told
            taken = take(search)
            assert (taken.state, taken.holder and taken.holder.owner) == ("running", first.owner)
            assert (
                f"run by process {child.pid} on {socket.gethostname()} since {first.claimed:%F %T} UTC, last heard"
                in (str(parts(taken, [])))
            )
            shown = status_document(search)["coordinator"]
            assert (shown["pid"], shown["lease"], shown["since"]) == (child.pid, 1, first.claimed.isoformat())
            assert shown["last_heard_of"] > first.heard.isoformat()

    def test_a_killed_coordinator_is_taken_over_at_once_on_its_host(self, store: SqlStore, url: str) -> None:
        search = new_search(store)
        with process(hold, url, 1000, None, 0, "first") as (child, receiver):
            received(receiver)
            assert "is run by" in (refused(search) or "")
            assert held_in(url)
            kill_unwaited(child)
            assert not held_in(url)
            assert search.effective_state == "interrupted"
            taken = search.claim()
            assert taken is not None
            assert (taken.owner.pid, taken.number) == (child.pid, 1)

    def test_a_killed_coordinator_is_taken_over_from_another_host_after_its_lease(
        self, store: SqlStore, url: str
    ) -> None:
        search = new_search(store)
        with process(hold, url, 2, "node-7", 0, "first") as (child, receiver):
            received(receiver)
            kill_unwaited(child)
            before = search.holder
            assert before is not None
            assert search.effective_state == "running"
            assert f"process {child.pid} on node-7" in (refused(search) or "")
            wait_for(lambda: refused(search) is None)
            assert search.claimed is not None
            assert search.claimed.number == 2
            assert 2 <= (search.claimed.claimed - before.heard).total_seconds() < 10

    def test_a_process_of_another_boot_or_container_on_a_host_of_the_same_name_is_not_known_to_be_dead(self) -> None:
        me = this_process()
        assert me.started is not None
        ticks, boot, namespace = me.started.split()
        gone = replace(me, pid=2**22 + 1)
        assert not me.dead
        assert gone.dead
        assert replace(me, started=f"1 {boot} {namespace}").dead
        assert not replace(gone, started=f"{ticks} {boot} pid:[1]").dead
        assert not replace(gone, started=f"{ticks} another-boot {namespace}").dead
        assert not replace(gone, host="node-9").dead

    def test_the_clock_of_a_host_does_not_matter_where_the_database_has_one(self, server: PostgresServer) -> None:
        with closing(open_store(url := server.empty(), create=True)) as store:
            searches = new_search(store, "slow"), new_search(store, "fast")
            # Seen from here the holders are on other hosts, whose clocks are an hour off.
            with (
                process(hold, url, 2, "node-7", -1, "slow") as (slow, one),
                process(hold, url, 2, "node-8", 1, "fast") as (fast, other),
            ):
                received(one)
                received(other)
                began = time.monotonic()
                while time.monotonic() - began < 2.5:
                    assert all("is run by" in (refused(search) or "") for search in searches)
                    assert {summary.state for summary in store.searches()} == {"running"}
                    time.sleep(0.1)
                for search in searches:
                    assert abs((datetime.now(UTC) - search.holder.heard).total_seconds()) < 30  # type: ignore[union-attr]
                slow.kill()
                fast.kill()
                assert all(wait_for(lambda s=search: refused(s) is None) < 10 for search in searches)


def test_a_coordinator_that_is_stopped_in_a_transaction_keeps_nobody_from_the_search(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "STALLED_SECONDS", 1)
    with closing(open_store(server.empty(), create=True)) as store:
        search, rival = new_search(store), store.search("first")

        def write() -> None:
            with store._database.writing() as session:
                search._locked(session)
                # SIGSTOP is the same to the server: a client that says nothing.
                assert rival.claim() is None

        with pytest.raises(StoreError, match="idle-in-transaction"):
            write()


class Relay:
    """Between a coordinator and its server: what passes can be frozen, as by a network that loses all, or cut off."""

    def __init__(self, server: PostgresServer) -> None:
        self._to = ("127.0.0.1", server.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._listener.getsockname()[1]
        self.url = replace(server, port=self._port).url()
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._flows = threading.Event()
        self._flows.set()
        self._listen()

    def _listen(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                pair = listener.accept()[0], socket.create_connection(self._to)
                with self._lock:
                    self._open += pair
                    if listener.fileno() < 0:
                        self._hang_up()
                for source, sink in (pair, pair[::-1]):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                sink.sendall(data)

    def freeze(self) -> None:
        self._flows.clear()

    def cut(self) -> None:
        with self._lock:
            self._open.append(self._listener)
            self._hang_up()

    def _hang_up(self) -> None:
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def mend(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._listen()

    def close(self) -> None:
        self.cut()
        self._flows.set()

    def through(self, url: str) -> str:
        return url.replace(f":{self._to[1]}/", f":{self._port}/")


@pytest.fixture
def relay(server: PostgresServer) -> Iterator[Relay]:
    with closing(Relay(server)) as between:
        yield between


class TestKeeping:
    def test_a_server_that_is_away_for_a_while_is_survived_and_said(self, server: PostgresServer, relay: Relay) -> None:
        said: list[str] = []
        stopped = threading.Event()
        with (
            closing(open_store(server.empty(), create=True)) as store,
            closing(open_store(relay.url)) as far,
        ):
            new_search(store)
            search = far.search("first")
            search.claim(6)
            with search.kept(said.append, stopped.set) as heartbeat:
                relay.cut()
                wait_for(lambda: said)
                relay.mend()
                wait_for(lambda: len(said) > 1)
                assert "cannot be renewed (cannot " in said[0]
                assert "this process stops" in said[0]
                assert said[1:] == ["the store answers again, and the lease of this search is renewed"]
                assert (stopped.is_set(), heartbeat.reason) == (False, None)
            assert search.effective_state == "running"
            search.renew()

    @pytest.mark.parametrize("lose", [Relay.cut, Relay.freeze])
    def test_a_coordinator_that_cannot_reach_the_store_stops_before_another_may_take_over(
        self, lose: Callable[[Relay], None], server: PostgresServer, relay: Relay, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stopped = threading.Event()
        with closing(open_store(server.empty(), create=True)) as store:
            rival = new_search(store)
            far = open_store(relay.url)
            search = far.search("first")
            search.claim(3)
            monkeypatch.setattr(socket, "gethostname", lambda: "node-9")
            with search.kept(lambda _: None, stopped.set) as heartbeat:
                lose(relay)
                assert stopped.wait(DEADLINE_SECONDS)
                assert "is run by" in (refused(rival) or "")
                assert "could not be renewed for " in (heartbeat.reason or "")
                assert "before another may take the search over" in (heartbeat.reason or "")
                relay.close()
            assert wait_for(lambda: refused(rival) is None) > 0
            far.close()


# The loop of `expander resume`, with a cheap training in place of that on videos.


@dataclass(frozen=True)
class Cheap:
    """Trains by sleeping. Its folder tells who wrote which epoch."""

    folder: Path
    seconds: float
    claim: Claim

    def __call__(self, trial: Trial, report: Callable[[Epoch], None], team: object = None) -> Completed:
        from trainers.fence import Fence

        (self.folder / trial.id).mkdir(exist_ok=True)
        fence = Fence(self.folder / trial.id, self.claim)
        fence.begin()
        for number in (1, 2):
            until = time.monotonic() + self.seconds
            while time.monotonic() < until:
                time.sleep(0.01)
            fence.check()
            with (self.folder / "written").open("a") as file:
                file.write(f"{self.claim.number} {trial.id} {number}\n")
            report(Epoch(trial.id, number, 2, loss=1.0, top1=0.5, rate=0.1, seconds=self.seconds))
        # As `test_store.score_of`, a module that a Ray worker does not have.
        metrics = Metrics(int(trial.id[:8], 16) / 2**32, 1.0, 1 / 3, 9)
        return Completed(trial.id, metrics, self.seconds, train_top1=0.7)


def resume(url: str, folder: Path, host: str | None, epoch: float, on_ray: bool, log: Path) -> None:
    """In a process of its own: `expander resume first`, whose trials are `Cheap`, with so many seconds an epoch."""
    from expander.cli import main, running
    from trainers.dispatch.inline import InlineDispatcher

    # By its module's name: in the package the function of this name hides it.
    commands = importlib.import_module("expander.cli.search")
    become(host)
    os.dup2(os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND), 2)

    @contextmanager
    def dispatcher(store: SearchStore, *_: object) -> Iterator[Dispatcher]:
        training, meter = Cheap(folder, epoch, running._claim_of(store)), running._Recorded("")
        if not on_ray:
            yield InlineDispatcher(training, meter)
            return
        import ray.cloudpickle

        from trainers.dispatch.cluster import RayDispatcher

        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        with RayDispatcher(training, meter, cpus=1, gpus=0) as made:
            yield made

    vars(running)["_dispatcher"] = dispatcher
    fingerprint = SimpleNamespace(id=DATA, as_dict=lambda: {"id": DATA, "files": None})
    vars(commands)["unchanged_videos"] = lambda *_: SimpleNamespace(fingerprint=fingerprint, packed={})
    vars(running)["check_folder"] = vars(running)["check_room"] = lambda *_: None
    sys.argv = ["expander", "resume", "first", "--store", url]
    main()


@dataclass(frozen=True)
class Resumed:
    """Such a process."""

    child: Any
    log: Path

    def ends(self) -> int:
        self.child.join(DEADLINE_SECONDS)
        code: int = self.child.exitcode
        return code

    @property
    def said(self) -> str:
        return " ".join(self.log.read_text().split()) if self.log.exists() else ""


@contextmanager
def resumed(
    url: str, folder: Path, name: str, *, host: str | None = None, epoch: float = 0.07, on_ray: bool = False
) -> Iterator[Resumed]:
    log = folder / f"{name}.log"
    child = FORKSERVER.Process(target=resume, args=(url, folder, host, epoch, on_ray, log), daemon=True)
    child.start()
    try:
        yield Resumed(child, log)
    finally:
        child.kill()
        child.join()


def lines(folder: Path) -> list[list[str]]:
    written = folder / "written"
    return [line.split() for line in written.read_text().splitlines()] if written.exists() else []


def stop_between_writes(pid: int, url: str) -> None:
    """SIGSTOP, at a moment when the process holds no lock of the database: those would outlast its lease."""
    engine = create_engine(url, connect_args={"timeout": 0.1} if url.startswith("sqlite") else {})
    lock = "BEGIN IMMEDIATE" if url.startswith("sqlite") else "SELECT 1 FROM searches FOR UPDATE NOWAIT"
    while True:
        os.kill(pid, signal.SIGSTOP)
        try:
            with engine.connect() as connection:
                connection.execute(text(lock))
            break
        except DBAPIError:
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.03)
    engine.dispose()


def leased(store: SqlStore, seconds: float) -> SearchStore:
    return new_search(store, space=SPACE.model_copy(update={"coordinator": CoordinatorSection(lease_seconds=seconds)}))


class TestTakingOver:
    @pytest.mark.parametrize(
        ("url", "host", "on_ray"),
        [
            ("postgresql", "node-9", False),
            pytest.param("sqlite-file", None, True, marks=[pytest.mark.ray, pytest.mark.slow]),
        ],
        indirect=["url"],
    )
    def test_a_stopped_coordinator_that_wakes_after_it_was_taken_over_ends_with_its_trials_and_changes_nothing(
        self, store: SqlStore, url: str, host: str | None, on_ray: bool, tmp_path: Path
    ) -> None:
        search = leased(store, 3)
        with resumed(url, tmp_path, "old", on_ray=on_ray) as old:
            wait_for(lambda: len(lines(tmp_path)) >= 3 or not old.child.is_alive())
            stop_between_writes(old.child.pid, url)
            theirs = descendants(old.child.pid)
            assert any("ray::" in name for name in theirs.values()) == on_ray
            wait_for(lambda: search.effective_state == "interrupted")
            with resumed(url, tmp_path, "new", host=host) as new:
                wait_for(lambda: any(number == "2" for number, *_ in lines(tmp_path)))
                os.kill(old.child.pid, signal.SIGCONT)
                assert old.ends() == 1, old.said
                where = host or socket.gethostname()
                assert f"error: search 'first' was taken over by process {new.child.pid} on {where}" in old.said
                assert "this process stops" in old.said
                wait_for(lambda: not [pid for pid in theirs if Path(f"/proc/{pid}").exists()])
                assert search.holder is None or search.holder.number == 2
                assert new.ends() == 0, new.said
                assert f"taking search 'first' over from process {old.child.pid}" in new.said
        assert search.decisions() == whole_search()
        assert (search.effective_state, search.record_of.reason) == ("completed", "every regime has its instance")
        assert all(candidate.failures == 0 for step in search.steps() for candidate in step.candidates)
        # Once the new one has begun a trial, the old one wrote no epoch of it.
        written = lines(tmp_path)
        for trial in {trial for _, trial, _ in written}:
            numbers = [number for number, of, _ in written if of == trial]
            assert numbers == sorted(numbers)

    @pytest.mark.parametrize("url", ["sqlite-file"], indirect=True)
    def test_a_killed_coordinator_is_followed_at_once_and_the_search_ends_as_it_would_have(
        self, store: SqlStore, url: str, tmp_path: Path
    ) -> None:
        search = leased(store, 1000)
        with resumed(url, tmp_path, "old", epoch=1) as old:
            wait_for(lambda: len(lines(tmp_path)) >= 1 or not old.child.is_alive())
            with resumed(url, tmp_path, "second") as second:
                assert second.ends() == 2
                assert f"error: search 'first' is run by process {old.child.pid} on" in second.said
            os.kill(old.child.pid, signal.SIGKILL)
            with resumed(url, tmp_path, "new") as new:
                assert new.ends() == 0, new.said
                assert f"over from process {old.child.pid} on {socket.gethostname()}, which is dead" in new.said
        assert search.decisions() == whole_search()

    @pytest.mark.parametrize("url", ["postgresql"], indirect=True)
    def test_a_coordinator_whose_server_has_vanished_stops_its_trials_and_says_so(
        self, store: SqlStore, url: str, relay: Relay, tmp_path: Path
    ) -> None:
        search = leased(store, 3)
        with resumed(relay.through(url), tmp_path, "cut", epoch=DEADLINE_SECONDS) as cut:
            wait_for(lambda: any(c.state == "running" for step in search.steps() for c in step.candidates))
            relay.freeze()
            assert cut.ends() == 1, cut.said
            assert "this process stops before another may take the search over" in cut.said
            assert "Traceback" not in cut.said
        assert search.record_of.state == "running"


def descendants(pid: int) -> dict[int, str]:
    """The processes below one, and their command lines."""
    found: dict[int, str] = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found[int(child)] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
        found |= descendants(int(child))
    return found
