"""Which process holds a search, and whether it still lives."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Owner:
    """A process: host, pid, and its start in clock ticks since boot, which tells it from a later one of the same pid.

    started is None where the system has no /proc.
    """

    host: str
    pid: int
    started: str | None

    @property
    def alive(self) -> bool:
        """Whether the process runs; only meaningful on its own host."""
        state, started = _stat(self.pid)
        if state is None:
            return _answers(self.pid)
        # A killed process that nobody has waited for yet still has its entry, as a zombie.
        return state not in "ZX" and self.started in (None, started)


def this_process() -> Owner:
    """The process that asks."""
    return Owner(socket.gethostname(), os.getpid(), _stat(os.getpid())[1])


def _stat(pid: int) -> tuple[str | None, str | None]:
    """State and start of a process, from /proc; None, None where there is no such entry or it is hidden."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None, None
    # The second field is the program's name in brackets, which may hold blanks and brackets itself.
    fields = text.rpartition(")")[2].split()
    return fields[0], fields[19]


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
