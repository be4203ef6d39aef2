"""Teams of processes on this machine, without Ray."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import parent_process
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread

from expander.trial import FailureKind, Trial
from trainers.dispatch import forkserver
from trainers.dispatch.member import PATIENCE_SECONDS, TeamTraining, take_part
from trainers.dispatch.wire import Post


@dataclass(frozen=True)
class LocalLauncher:
    """Starts teams of `workers` processes here, with `threads` threads for OpenMP and, where `on_gpus`, a GPU each.

    elastic: a team that loses a process is followed by one as large, since the room is still there.
    """

    training: TeamTraining
    workers: int
    threads: int
    on_gpus: bool
    elastic: bool
    host = "127.0.0.1"

    def launch(self, trial: Trial, post: Post, avoid: Sequence[str]) -> _LocalMembers:
        """Start the processes; there is no other machine."""
        return _LocalMembers(self, trial, post)

    def reason(self, worker: str, said: str) -> tuple[FailureKind, str]:
        """Why a worker was lost."""
        kind = FailureKind.SIGNAL if said.startswith("ended by SIG") else FailureKind.ERROR
        return kind, f"the worker {worker} died without a word: {said or 'it is not known how'}"


class _LocalMembers:
    """Running processes. They meet at a file, which needs no free port."""

    def __init__(self, launcher: LocalLauncher, trial: Trial, post: Post) -> None:
        self.size = launcher.workers
        self._folder = tempfile.TemporaryDirectory(prefix="expander-team-", ignore_cleanup_errors=True)
        meeting = Path(self._folder.name) / "meeting"
        self._processes: list[BaseProcess] = []
        context = forkserver.begin()
        for rank in range(self.size):
            process = context.Process(
                target=_run, args=(launcher, trial, post, meeting.as_uri(), rank), name=f"member {rank}", daemon=False
            )
            self._processes.append(process)
            process.start()

    def run(self) -> bool:
        """Whether some train and none has failed."""
        codes = [process.exitcode for process in self._processes]
        return None in codes and not any(codes)

    def end(self, group: str | None) -> str:
        """Kill those that still run; returns how the first of the others ended, first of all by a signal."""
        codes = sorted(code for process in self._processes if (code := process.exitcode))
        said = _ended(codes[0]) if codes else ""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()
            process.close()
        self._folder.cleanup()
        return said


def _ended(code: int) -> str:
    if code > 0:
        return f"it ended itself, with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"SIG{-code}"  # a real-time signal has no name
    often = {
        "SIGKILL": "as the kernel does where memory runs out",
        "SIGSEGV": "a crash outside of Python",
        "SIGABRT": "a crash outside of Python",
        "SIGBUS": "a crash outside of Python, or a file that shrank under it",
    }
    return f"ended by {name}" + (f", {often[name]}" if name in often else "")


def _die_with_coordinator() -> None:
    """A member that outlived a killed coordinator would write the checkpoints that a resumed search reads.

    The kernel would end it with its parent (`die_with_parent`), but that is the process which forks, and that one stays
    as long as there are members.
    """
    coordinator = parent_process()
    assert coordinator is not None
    wait([coordinator.sentinel])
    os.kill(os.getpid(), signal.SIGKILL)


def _run(launcher: LocalLauncher, trial: Trial, post: Post, meeting: str, rank: int) -> None:
    """What one process runs: it joins the team and takes part."""
    import torch
    import torch.distributed as dist

    Thread(target=_die_with_coordinator, name="watch", daemon=True).start()
    # Ctrl-C reaches every process of a terminal; the one that holds the trial ends these.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = str(launcher.threads)
    torch.set_num_threads(launcher.threads)
    if launcher.on_gpus:
        torch.cuda.set_device(rank)
    else:
        # A machine whose own name does not resolve has this interface all the same.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo" if sys.platform == "linux" else "lo0")
    dist.init_process_group(
        "nccl" if launcher.on_gpus else "gloo",
        init_method=meeting,
        rank=rank,
        world_size=launcher.workers,
        timeout=timedelta(seconds=PATIENCE_SECONDS),
    )
    try:
        take_part(launcher.training, trial, post, shared=None)
    except Exception:  # noqa: BLE001  it has been told; here it would be printed
        os._exit(1)  # at once: the others may wait for this one in the group that an orderly end would leave
    dist.destroy_process_group()
