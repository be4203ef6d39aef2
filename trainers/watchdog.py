"""Ends a process whose training makes no progress, and leaves in the trial's log what its threads were doing.

faulthandler does it, in C: a Python thread could not act where the training hangs outside of Python with the
interpreter's lock. It also writes down a crash outside of Python, such as SIGSEGV, with the line of Python that led to
it. What is stopped, or held in the kernel, runs no thread of its own: a process beside it ends it then
(trainers.guard). All of this is found in the log by whoever is told only that the process has died
(trainers.dispatch.witness).
"""

from __future__ import annotations

import faulthandler
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from trainers import guard

# How faulthandler begins what it writes.
HUNG = "Timeout ("
CRASHED = "Fatal Python error: "
# No more often is the clock put back: a network share may hold the log.
BEAT_SECONDS = 1.0


@dataclass(frozen=True)
class Watchdog:
    """hang_minutes: without progress for so long the process is ended, None for never.

    Only for a process that is the training's own: what it ends is the whole process.
    """

    hang_minutes: float | None

    @contextmanager
    def watching(self, log: Path) -> Iterator[Callable[[], None]]:
        """Within it the process is watched; what it gives is to be called at every progress. log: is appended to."""
        seconds = None if self.hang_minutes is None else 60 * self.hang_minutes
        before = faulthandler.is_enabled()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file, _guarded(seconds, log) as tell:
            faulthandler.enable(file)
            try:
                yield _beats(seconds, file, tell)
            finally:
                faulthandler.cancel_dump_traceback_later()
                faulthandler.disable()
        if before:
            faulthandler.enable(sys.__stderr__ or 2)


@contextmanager
def _guarded(seconds: float | None, log: Path) -> Iterator[Callable[[], None]]:
    """Within it another process watches this one too; what it gives tells that one of progress."""
    if seconds is None or os.name != "posix":
        yield _nothing
        return
    command = [sys.executable, "-I", "-S", guard.__file__, str(os.getpid()), str(seconds), str(log.resolve())]
    null = subprocess.DEVNULL
    with subprocess.Popen(command, bufsize=0, stdin=subprocess.PIPE, stdout=null, stderr=null) as process:
        assert process.stdin is not None
        wire = process.stdin.fileno()
        os.set_blocking(wire, False)

        def tell() -> None:
            with suppress(OSError):  # it is stopped itself, or gone
                os.write(wire, b".")

        try:
            yield tell
        finally:
            process.kill()


def _nothing() -> None: ...


def _beats(seconds: float | None, file: TextIO, tell: Callable[[], None]) -> Callable[[], None]:
    if seconds is None:
        return lambda: None
    pause, told = min(BEAT_SECONDS, seconds / 4), 0.0

    def beat() -> None:
        nonlocal told
        if (now := time.monotonic()) - told >= pause:
            told = now
            tell()
            faulthandler.dump_traceback_later(seconds, file=file, exit=True)

    beat()
    return beat
