"""Which process holds a search, and whether it still lives."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Owner:
    """A process: host, pid, and what tells it from a later one of the same pid.

    started: its start in clock ticks since boot, then the boot and the PID namespace in which these numbers mean
    something; None where the system has no /proc. Before version 4 of the store it was the ticks alone.
    """

    host: str
    pid: int
    started: str | None

    @property
    def dead(self) -> bool:
        """Whether it is known to be; never so of a process on another host, nor in a container that is named alike."""
        if self.host != socket.gethostname():
            return False
        ticks, _, place = (self.started or "").partition(" ")
        if place and place != _place():
            return False
        state, started = _stat(self.pid)
        if state is None:
            return not _answers(self.pid)
        # A killed process that nobody has waited for yet still has its entry, as a zombie.
        return state in "ZX" or ticks not in ("", started)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def this_process() -> Owner:
    """The process that asks."""
    ticks = _stat(os.getpid())[1]
    return Owner(socket.gethostname(), os.getpid(), None if ticks is None else f"{ticks} {_place()}".strip())


def _stat(pid: int) -> tuple[str | None, str | None]:
    """State and start of a process, from /proc; None, None where there is no such entry or it is hidden."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None, None
    # The second field is the program's name in brackets, which may hold blanks and brackets itself.
    fields = text.rpartition(")")[2].split()
    return fields[0], fields[19]


def _place() -> str:
    """This boot of this machine, and the PID namespace; empty where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
