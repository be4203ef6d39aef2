"""Ends a process whose training makes no progress, and leaves in the trial's log what its threads were doing.

faulthandler does it, in C: a Python thread could not act where the training hangs outside of Python with the
interpreter's lock. It also writes down a crash outside of Python, such as SIGSEGV, with the line of Python that led to
it. Both are found in the log by whoever is told only that the process has died (trainers.dispatch.witness).
"""

from __future__ import annotations

import faulthandler
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

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
        with log.open("a") as file:
            faulthandler.enable(file)
            try:
                yield _beats(seconds, file)
            finally:
                faulthandler.cancel_dump_traceback_later()
                faulthandler.disable()
        if before:
            faulthandler.enable(sys.__stderr__ or 2)


def _beats(seconds: float | None, file: TextIO) -> Callable[[], None]:
    if seconds is None:
        return lambda: None
    pause, told = min(BEAT_SECONDS, seconds / 4), 0.0

    def beat() -> None:
        nonlocal told
        if (now := time.monotonic()) - told >= pause:
            told = now
            faulthandler.dump_traceback_later(seconds, file=file, exit=True)

    beat()
    return beat
