"""One attempt at a trial: the same in this process and in a Ray worker."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence

from expander.errors import DataError, DeviceMemoryError, Diverged, ExpanderError
from expander.trial import Completed, Event, Failed, FailureKind, Started, Training, Trial
from trainers.versions import refuse_others, versions

# Carries out one attempt, wherever it is called, and tells its events; returns whether the trial completed. The last
# argument: the machines, by Ray's ids, that no process of it may be started on.
Attempt = Callable[[Trial, Callable[[Event], None], Sequence[str]], bool]
# linux/prctl.h
PR_SET_PDEATHSIG = 1
# What a disk, or a mount that is gone, answers.
DISK = frozenset(
    (errno.ENOSPC, errno.EROFS, errno.EIO, errno.ESTALE, errno.EDQUOT, errno.ENODEV, errno.ENXIO, errno.ENOTCONN)
)
NODE_DIGITS = 8


def attempt(
    training: Training,
    trial: Trial,
    tell: Callable[[Event], None],
    _: Sequence[str] = (),
    *,
    wanted: Mapping[str, str] | None = None,
) -> bool:
    """Train once; `tell` is given a Started, every Epoch and exactly one outcome. Returns whether it completed.

    wanted: the coordinator's versions; where this process would train otherwise, it fails without training.
    """
    tell(Started(trial.id, this_place(), this_node(), versions()))
    try:
        refuse_others(wanted, this_place())
        outcome: Completed | Failed = training(trial, tell)
    except Exception as error:  # noqa: BLE001  whatever a training raises is the trial's outcome
        outcome = failed(trial.id, error)
    tell(outcome)
    return isinstance(outcome, Completed)


def failed(trial: str, error: Exception) -> Failed:
    """The outcome of an attempt that raised: one line for people, the traceback for developers."""
    # Our own errors are sentences; anyone else's first line needs its class to be understood.
    ours = isinstance(error, ExpanderError)
    line = str(error) if ours else f"{type(error).__name__}: {error}".strip().splitlines()[0].removesuffix(": ")
    ledger = error.ledger if isinstance(error, DataError) else ()
    told = "".join(traceback.format_exception(error))
    return Failed(trial, line, told, ledger, kind_of(error), this_place(), this_node())


def kind_of(error: BaseException) -> FailureKind:
    """What kind of failure an exception is; where it says nothing by itself, what it was raised from does."""
    seen: BaseException | None = error
    while seen is not None:
        match seen:
            case Diverged():
                return FailureKind.DIVERGED
            case DeviceMemoryError() | MemoryError():
                return FailureKind.MEMORY
            case RuntimeError() if "OutOfMemoryError" in [each.__name__ for each in type(seen).__mro__]:  # PyTorch's
                return FailureKind.MEMORY
            case DataError():
                return FailureKind.DATA
            case ImportError():
                return FailureKind.CODE
            case ConnectionError() | TimeoutError():
                return FailureKind.ERROR
            case OSError() if seen.filename is not None or seen.errno in DISK:
                return FailureKind.DISK
        seen = seen.__cause__
    return FailureKind.ERROR


def this_place() -> str:
    """Where this process is, as 'host:pid'."""
    return f"{socket.gethostname()}:{os.getpid()}"


def this_node() -> str:
    """The machine of this process, as `Started.node`: Ray's id beside its name, as two may be named alike."""
    ray = sys.modules.get("ray")  # where it was never imported, this is no process of its
    if ray is None or not ray.is_initialized():
        return socket.gethostname()
    return node_name(socket.gethostname(), ray.get_runtime_context().get_node_id())


def node_name(host: str, node: str) -> str:
    """How a machine of a Ray cluster is named to people, and stored."""
    return f"{host}/{node[:NODE_DIGITS]}"


def die_with_parent() -> None:
    """On Linux, have the kernel kill this process the moment its parent does, as a killed coordinator's raylet.

    It would notice by itself, but seconds later, and until then write the checkpoints that a resumed search reads.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
