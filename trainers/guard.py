"""Ends a training from outside where it makes no progress and cannot end itself: stopped, or held in the kernel.

`trainers.watchdog` runs it beside each training, as a program of the standard library alone: GUARD PID SECONDS LOG. It
reads a byte at each progress, and ends when there is nobody left to send one.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

# So long after its time a training is taken for one that cannot end itself; and once both were stopped and go on
# together, as by Ctrl-Z, it has so long to show that it does.
GRACE_SECONDS = 5.0
# What the kernel says of a process (proc(5)).
STATES = {
    "T": "it was stopped, as by SIGSTOP",
    "t": "a debugger held it",
    "D": "it waited in the kernel, as for a disk or a mount that is gone",
}


def main(pid: int, seconds: float, log: Path) -> None:
    """Kill process `pid`, which started this one, once it shows no progress for `seconds`, and say so in `log`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that orders trials
    while _progress(seconds) or _progress(GRACE_SECONDS):
        pass
    if os.getppid() != pid:
        return  # its number may be another's by now
    why = STATES.get(_state(pid), "it did not end by itself")
    with suppress(OSError), log.open("a") as file:
        file.write(f"\nTimeout ({timedelta(seconds=seconds)})! Ended from outside: {why}\n")
    os.kill(pid, signal.SIGKILL)


def _progress(seconds: float) -> bool:
    """Whether some is made within `seconds`."""
    if not select.select([sys.stdin], [], [], seconds)[0]:
        return False
    if not os.read(sys.stdin.fileno(), 1 << 16):
        sys.exit()
    return True


def _state(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    return ""


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]))
