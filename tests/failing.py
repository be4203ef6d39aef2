"""A training of tests that fails for real, in a module of its own: each process that trains has to import it."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from expander.trial import Completed, Epoch, Metrics, Trial
from trainers.dispatch.attempt import this_node
from trainers.journal import keeping_journal
from trainers.team import ALONE, Team
from trainers.trial_log import LOG
from trainers.watchdog import Watchdog

EPOCHS = 3
# Long enough that a busy machine does not stop a training that goes on, and no test waits longer than it must.
HANG_MINUTES = 1.5 / 60
FOREVER_SECONDS = 1200


@dataclass(frozen=True)
class Failing:
    """Trains nothing, in an order that shows: epoch after epoch, from the last one on that its folder remembers.

    verbs: what a trial does in its second epoch, by its id. With '-once' it does so in one attempt alone.
    """

    runs: Path
    verbs: Mapping[str, str] = field(default_factory=dict)
    hang_minutes: float = HANG_MINUTES

    def __call__(self, trial: Trial, report: Any, team: Team = ALONE) -> Completed:
        folder = self.runs / "trials" / trial.id
        folder.mkdir(parents=True, exist_ok=True)
        watched = Watchdog(self.hang_minutes).watching(folder / LOG)
        with keeping_journal(folder, trial, 0, {}, report), watched as beat:
            last = folder / "epoch"
            for number in range(int(last.read_text()) + 1 if last.exists() else 1, EPOCHS + 1):
                beat()
                if number == 2:
                    self._act(folder, self.verbs.get(trial.id, ""), beat)
                last.write_text(str(number))
                report(Epoch(trial.id, number, EPOCHS, loss=1 / number, top1=0.5, rate=0.1, seconds=0.0))
            return Completed(trial.id, Metrics(score_of(trial.id), 1.0, 0.5, 10), 1.0, train_top1=0.5)

    def _act(self, folder: Path, verb: str, beat: Callable[[], None]) -> None:
        verb, _, once = verb.partition("-")
        if once and (folder / "acted").exists():
            return
        (folder / "acted").touch()
        match verb:
            case "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                os._exit(3)
            case "lock":
                lock = threading.Lock()
                lock.acquire()
                lock.acquire()
            case "wait":
                _hang()
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "raise":
                raise ValueError("the weather\nis bad")
            case "fill":
                raise OSError(errno.ENOSPC, "No space left on device", str(folder / "epoch"))
            case "node" if this_node() == (self.runs / "bad").read_text():
                (self.runs / f"killed-{folder.name}").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            case "node":
                # Else the good machine could have trained all before the bad one has new workers.
                begun = time.monotonic()
                while len(list(self.runs.glob("killed-*"))) < 2 and time.monotonic() - begun < FOREVER_SECONDS:
                    time.sleep(0.05)
                    beat()
            case "crash, hang":
                if not (folder / "crashed").exists():
                    (folder / "crashed").touch()
                    ctypes.string_at(0)  # in this very thread, where a kill may reach another one later
                if not (folder / "hung").exists():
                    (folder / "hung").touch()
                    _hang()


def _hang() -> None:
    """Outside of Python, and with its lock: no other thread of Python runs."""
    while True:  # a signal ends the sleep
        ctypes.PyDLL(None).sleep(FOREVER_SECONDS)


def score_of(trial: str) -> float:
    """What `spaces.score_of` gives it, whose module takes seconds to import."""
    return hashlib.sha256(f"{trial} 0".encode()).digest()[0] % 8 / 8
