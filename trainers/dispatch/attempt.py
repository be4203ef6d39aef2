"""One attempt at a trial: the same in this process and in a Ray worker."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping

from expander.errors import DataError, ExpanderError
from expander.trial import Completed, Event, Failed, Started, Training, Trial
from trainers.versions import refuse_others, versions

# Carries out one attempt, wherever it is called, and tells its events; returns whether the trial completed.
Attempt = Callable[[Trial, Callable[[Event], None]], bool]
# linux/prctl.h
PR_SET_PDEATHSIG = 1


def attempt(
    training: Training, trial: Trial, tell: Callable[[Event], None], wanted: Mapping[str, str] | None = None
) -> bool:
    """Train once; `tell` is given a Started, every Epoch and exactly one outcome. Returns whether it completed.

    wanted: the coordinator's versions; where this process would train otherwise, it fails without training.
    """
    tell(Started(trial.id, this_place(), versions=versions()))
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
    return Failed(trial, line, "".join(traceback.format_exception(error)), ledger)


def this_place() -> str:
    """Where this process is, as 'host:pid'."""
    return f"{socket.gethostname()}:{os.getpid()}"


def die_with_parent() -> None:
    """On Linux, have the kernel kill this process the moment its parent does, as a killed coordinator's raylet.

    It would notice by itself, but seconds later, and until then write the checkpoints that a resumed search reads.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
