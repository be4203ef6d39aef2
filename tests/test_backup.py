"""`expander store upgrade` keeps a copy of a SQLite file first: whole or absent, and never over an older one."""

from __future__ import annotations

import os
import pty
import sqlite3
import subprocess
import time
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from conftest import Expander, command, environment
from servers import PostgresServer
from test_store import process, received, rest_of, rewrite, write_searches
from test_upgrade import EARLIER, postgres_store, sqlite_store, version_of

from expander.errors import StoreError
from results.backup import back_up
from results.owner import this_process
from results.schema import VERSION
from results.store import open_store

COPY = f"old.db.before-version-{VERSION}"
LAST = EARLIER[-1]


def contents(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return list(connection.iterdump())


def test_an_earlier_store_is_upgraded_after_a_copy(expander: Expander, tmp_path: Path) -> None:
    url = sqlite_store(tmp_path, LAST)
    before = contents(tmp_path / "old.db")
    told = expander("store", "upgrade", "--store", url).stdout.splitlines()
    assert told == [
        f"the store as it was, of version {LAST}, is kept as {tmp_path / COPY}",
        f"{url} is of version {VERSION} now; it was of version {LAST}",
    ]
    assert contents(tmp_path / COPY) == before
    with closing(open_store(url)) as store:
        assert [summary.name for summary in store.searches()] == ["finished", "stopped", "path"]
    again = expander("store", "upgrade", "--store", url).stdout
    assert again == f"{url} is of version {VERSION} already: nothing to do\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.db", COPY]


def test_the_copy_of_before_can_be_put_back_and_upgraded_again(expander: Expander, tmp_path: Path) -> None:
    url = sqlite_store(tmp_path)
    expander("store", "upgrade", "--store", url)
    (tmp_path / COPY).replace(tmp_path / "old.db")
    assert version_of(url) == 1
    expander("store", "upgrade", "--store", url)
    assert version_of(url) == VERSION


def test_an_older_copy_is_never_overwritten(expander: Expander, tmp_path: Path) -> None:
    url = sqlite_store(tmp_path)
    (tmp_path / COPY).write_text("kept from an attempt last week")
    (tmp_path / f"{COPY}-2").write_text("and from one yesterday")
    assert f"is kept as {tmp_path / COPY}-3\n" in expander("store", "upgrade", "--store", url).stdout
    assert (tmp_path / COPY).read_text() == "kept from an attempt last week"
    assert (tmp_path / f"{COPY}-2").read_text() == "and from one yesterday"
    assert version_of(f"sqlite:///{tmp_path / COPY}-3") == 1


def test_a_store_of_a_later_version_is_refused_and_stays_as_it_is(expander: Expander, tmp_path: Path) -> None:
    url = sqlite_store(tmp_path)
    rewrite(url, "UPDATE store_info SET version = 99")
    before = contents(tmp_path / "old.db")
    told = expander("store", "upgrade", "--store", url, code=1).stderr
    told = " ".join(told.split())
    assert f"is of version 99, this program reads version {VERSION}: use the program that wrote it" in told
    assert contents(tmp_path / "old.db") == before
    assert [path.name for path in tmp_path.iterdir()] == ["old.db"]


def test_a_store_in_which_a_search_runs_is_refused_before_it_is_copied(expander: Expander, tmp_path: Path) -> None:
    url, me = sqlite_store(tmp_path), this_process()
    rewrite(
        url,
        "UPDATE searches SET state = 'running', host = :host, pid = :pid, process_started = :started WHERE id = 2",
        host=me.host,
        pid=me.pid,
        started=me.started,
    )
    told = expander("store", "upgrade", "--store", url, code=1).stderr
    assert "while stopped is run by the program that wrote it" in told
    assert version_of(url) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["old.db"]


def test_a_store_that_cannot_be_copied_is_not_upgraded(expander: Expander, tmp_path: Path) -> None:
    sqlite_store(tmp_path)
    # A name that leaves no room for that of its copy.
    file = (tmp_path / "old.db").replace(tmp_path / f"{'x' * 235}.db")
    told = expander("store", "upgrade", "--store", f"sqlite:///{file}", code=1).stderr
    assert "so nothing is changed" in told
    assert version_of(f"sqlite:///{file}") == 1
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_damaged_store_is_neither_copied_nor_upgraded(expander: Expander, tmp_path: Path) -> None:
    url = sqlite_store(tmp_path)
    with (tmp_path / "old.db").open("rb+") as file:
        file.seek(-6 * 4096, os.SEEK_END)
        file.write(b"\xff" * 3 * 4096)
    told = expander("store", "upgrade", "--store", url, code=1).stderr
    assert "damaged" in told or "malformed" in told
    assert [path.name for path in tmp_path.iterdir()] == ["old.db"]


def test_a_store_on_a_server_is_upgraded_once_it_is_said_to_be_backed_up(
    expander: Expander, server: PostgresServer
) -> None:
    url = postgres_store(server, LAST)
    told = expander("store", "upgrade", "--store", url, code=2).stderr
    assert "back up postgresql+psycopg://expander:***@127.0.0.1" in told
    assert "pg_dump --format=custom" in told
    assert "give --yes" in told
    assert version_of(url) == LAST
    assert f"is of version {VERSION} now" in expander("store", "upgrade", "--store", url, "--yes").stdout
    assert version_of(url) == VERSION


@pytest.mark.parametrize(("answer", "version"), [("n", LAST), ("y", VERSION)])
def test_on_a_terminal_it_is_asked_whether_a_server_is_backed_up(
    server: PostgresServer, answer: str, version: int
) -> None:
    url = postgres_store(server, LAST)
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    done = subprocess.run(
        command("store", "upgrade", "--store", url), stdin=theirs, env=environment(), capture_output=True, text=True
    )
    os.close(ours)
    os.close(theirs)
    assert "pg_dump" in done.stderr
    assert "[y/N]" in done.stderr
    assert "Traceback" not in done.stderr
    assert version_of(url) == version


def test_a_copy_made_while_a_process_writes_has_all_that_was_acknowledged(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    with process(write_searches, f"sqlite:///{file}") as (child, receiver):
        acknowledged = [received(receiver) for _ in range(5)]
        copy = back_up(file, "now")
        child.kill()
        child.join()
        rest_of(receiver)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        names = [name for (name,) in connection.execute("SELECT name FROM searches ORDER BY id")]
    assert names[:5] == [str(number) for number in acknowledged]
    assert not list(tmp_path.glob("*.tmp*"))


def copy_for_ever(file: str, sender: Connection) -> None:
    """In a process of its own: copy after copy, until it is killed."""
    sender.send(None)
    for number in range(1000):
        back_up(Path(file), str(number))


def test_a_copy_that_was_cut_off_is_no_copy(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE large (bytes BLOB)")
        connection.executemany("INSERT INTO large VALUES (randomblob(1000000))", [()] * 30)
        connection.commit()
    child: Any
    with process(copy_for_ever, str(file)) as (child, receiver):
        received(receiver)
        # In the middle of a copy: it has begun, and its file is not whole yet.
        deadline = time.monotonic() + 60
        while not any(0 < _size(path) < file.stat().st_size for path in tmp_path.glob(".*.tmp")):
            assert time.monotonic() < deadline
        child.kill()
        child.join()
    torn = [path for path in tmp_path.glob(".*.tmp") if path.stat().st_size < file.stat().st_size]
    for copy in tmp_path.glob("store.db.before-*"):
        assert copy.stat().st_size == file.stat().st_size
        with closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert len(torn) <= 1


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def test_a_file_that_is_no_store_is_not_copied(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    file.write_text("not a database, only notes " * 400)
    with pytest.raises(StoreError, match="cannot keep a copy of the store"):
        back_up(file, "now")
    assert list(tmp_path.iterdir()) == [file]
