"""`expander status --watch`: on a terminal, in a pipe, over a store that goes away, until the search ends or Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from struct import pack
from termios import TIOCSWINSZ

import pytest
from conftest import Expander, command, environment, heed_ctrl_c
from sqlalchemy import create_engine, text
from test_store import DATA, FakeTraining, epoch, new_search

from expander.cli.status import print_status, status_document
from expander.cli.watch import keep_watching
from expander.coordinator import run_search
from expander.search import Step, next_step
from expander.trial import Epoch, Failed, FailureKind, Started
from results.store import SearchStore, SqlStore, open_store

DEADLINE_SECONDS = 30


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    with closing(open_store(url, create=True)) as opened:
        yield opened


@pytest.fixture
def running(store: SqlStore) -> SearchStore:
    """A search in its first step, held by this process."""
    search = new_search(store)
    search.claim()
    search.enroll(first_step(search))
    return search


def first_step(search: SearchStore) -> Step:
    step = next_step(search.record_of.space, search.decisions(), DATA)
    assert step is not None
    return step


def finish(search: SearchStore) -> None:
    run_search(search.record_of.space, search, FakeTraining(), DATA, lambda *_: None)
    search.release("completed", "every regime has its instance")


def wait_for(ready: object) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not ready():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


@dataclass
class Watcher:
    """The command, and what it has written so far."""

    process: subprocess.Popen[bytes]
    written: bytes = b""

    @property
    def text(self) -> str:
        return self.written.decode()

    def until(self, wanted: str) -> None:
        wait_for(lambda: wanted in self.text or self.process.poll() is not None)
        assert wanted in self.text, self.text

    def ends(self) -> int:
        return self.process.wait(DEADLINE_SECONDS)


@contextmanager
def watching(*arguments: object, terminal: tuple[int, int] | None = None) -> Iterator[Watcher]:
    """`expander status ARGUMENTS... --watch`. terminal: its rows and columns; else stdout is a pipe."""
    if terminal:
        reader, writer = pty.openpty()
        ioctl(writer, TIOCSWINSZ, pack("HHHH", *terminal, 0, 0))
    else:
        reader, writer = os.pipe()
    arguments = ("status", *arguments, "--watch", "--every", "0.5")
    inherited = {key: value for key, value in environment().items() if key not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        command(*arguments),
        env=inherited | {"TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.STDOUT if terminal is None else None,
        preexec_fn=heed_ctrl_c,
    )
    os.close(writer)
    watcher = Watcher(process)

    def read() -> None:
        try:
            while more := os.read(reader, 65536):
                watcher.written += more
        except OSError:
            pass  # a terminal whose other side is closed

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield watcher
    finally:
        process.kill()
        process.wait()
        thread.join()
        os.close(reader)


def test_a_pipe_gets_a_document_a_line_whenever_something_changed_until_the_search_ends(
    url: str, running: SearchStore
) -> None:
    with watching("first", "--store", url, "--json") as watcher:
        watcher.until("\n")
        trial = first_step(running).trials[0].id
        running.record(Started(trial, "here:1"))
        watcher.until('"running", "score"')
        time.sleep(1.2)  # two looks at what has not changed
        finish(running)
        assert watcher.ends() == 0
    first, *_, last = documents = [json.loads(line) for line in watcher.text.splitlines()]
    assert {"at", "name", "state", "steps", "step_seconds_left"} <= set(first)
    assert (first["state"], last["state"]) == ("running", "completed")
    assert len({json.dumps(document | {"at": ""}) for document in documents}) == len(documents)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_quits_watching_has_succeeded_and_stops_nothing(
    number: signal.Signals, url: str, running: SearchStore
) -> None:
    with watching("first", "--store", url) as watcher:
        watcher.until("first (tiny.yaml): running")
        watcher.process.send_signal(number)
        assert watcher.ends() == 0
    assert "Traceback" not in watcher.text
    assert running.effective_state == "running"


def test_a_reader_that_has_seen_enough_ends_the_watching_without_a_word(url: str, running: SearchStore) -> None:
    arguments = command("status", "first", "--store", url, "--watch", "--every", "0.5", "--json")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(arguments, env=environment(), text=True, **pipes) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["state"] == "running"
        process.stdout.close()
        running.record(Started(first_step(running).trials[0].id, "here:1"))
        assert process.stderr.read() == ""
        assert process.wait(DEADLINE_SECONDS) == 0


def test_a_terminal_is_redrawn_in_place_within_its_height_and_ends_with_all_of_the_status(
    url: str, store: SqlStore
) -> None:
    search = new_search(store)
    search.claim()

    def stop_in_the_last_step(step: Step, event: object) -> None:
        if isinstance(event, Epoch) and len(search.decisions()) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_search(search.record_of.space, search, FakeTraining(), DATA, stop_in_the_last_step)
    rows = 20
    with watching("first", "--store", url, terminal=(rows, 80)) as watcher:
        watcher.until("Ctrl-C quits, the search goes on")
        watcher.until("\x1b[1A")  # back to the first line, for the second look
        frame = watcher.text.partition("\x1b[1A")[0]
        assert frame.count("\n") < rows
        assert "ready in about" in frame
        finish(search)
        assert watcher.ends() == 0
    assert watcher.text.count("\x1b[?25l") == watcher.text.count("\x1b[?25h")  # the cursor is back
    end = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", watcher.text[watcher.text.rindex("first (tiny.yaml)") :])
    for step in search.steps():
        for candidate in step.candidates:
            assert candidate.trial is None or candidate.trial in end
    assert "Ctrl-C" not in end


def test_every_search_of_a_store_is_watched_until_none_runs(url: str, running: SearchStore) -> None:
    with watching("--store", url, "--json") as watcher:
        watcher.until('"state": "running"')
        finish(running)
        assert watcher.ends() == 0
    assert json.loads(watcher.text.splitlines()[-1])["searches"][0]["state"] == "completed"


def test_a_store_that_goes_away_is_looked_at_again(
    url: str, store: SqlStore, running: SearchStore, capsys: pytest.CaptureFixture[str]
) -> None:
    looks: list[str] = []

    def elsewhere() -> None:
        wait_for(lambda: looks.append(capsys.readouterr().out) or "".join(looks))
        rename("trials", "gone")
        wait_for(lambda: looks.append(capsys.readouterr().err) or "looking again" in looks[-1])
        rename("gone", "trials")
        finish(running)

    def rename(before: str, after: str) -> None:
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))
        engine.dispose()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    with closing(open_store(url)) as other:
        keep_watching(other, "first", 0.05, as_json=True)
    thread.join()
    assert sum("looking again: cannot read the store" in look for look in looks) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["state"] == "completed"


def test_a_search_that_is_not_there_is_a_mistake_and_not_watched(expander: Expander, url: str, store: SqlStore) -> None:
    assert "no search is named 'x'" in expander("status", "x", "--watch", "--store", url, code=2).stderr
    assert "give --watch too" in expander("status", "--every", "2", "--store", url, code=2).stderr


def test_status_shows_pace_time_left_failures_with_their_log_and_damage(
    running: SearchStore, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, *_ = first_step(running).trials
    for event in (Started(first.id, "here:1"), epoch(first.id, 1), Started(second.id, "here:2")):
        running.record(event)
    running.record(Epoch(second.id, 1, 2, 0.5, 0.25, 0.1, 90.0, 12.5, 0.25, 2**31))
    again = {"node": "there", "wait": 600.0, "next": "attempt 2 of 3"}
    running.record(Failed(first.id, "out of memory", kind=FailureKind.SIGNAL, epoch=1, **again))
    print_status(running)
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "epoch 1/2, loss 0.500, train top-1 25.0%, 12.5 clips/s, 25% waiting for data, 2.0 GiB of GPU memory" in shown
    )
    assert "ready in about" in shown
    axis = axis_of(running, first.id)
    assert (
        f"step 1, {axis}: out of memory step 1, {axis}: attempt 1 failed (its process was ended by a signal)" in shown
    )
    assert "on there at" in shown
    assert re.search(r"after epoch 1; attempt 2 of 3 at [-0-9]+ [:0-9]+ UTC step", shown)
    assert f"step 1, {axis}: log in runs/first/trials/{first.id}/log.txt" in shown
    document = status_document(running)
    assert document["step_seconds_left"] > 90
    (candidate,) = [c for c in document["steps"][0]["candidates"] if c["trial"] == second.id]
    assert candidate["last_epoch"]["waited"] == 0.25
    finish(running)
    print_status(running)
    assert "trained without 2 damaged videos" in capsys.readouterr().out


def axis_of(search: SearchStore, trial: str) -> str:
    return next(c.axis for c in search.steps()[0].candidates if c.trial == trial)
