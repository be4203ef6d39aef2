"""The process on this machine from which those of trials are forked: it has imported torch, which takes seconds."""

from __future__ import annotations

import signal
from multiprocessing import forkserver as server
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext


def begin() -> ForkServerContext:
    """Have it begin to import, and do not wait for that; nothing where it has begun. Returns what starts processes.

    It keeps the environment of this moment, and ends with this process.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["trainers.preloaded"])
    # Ctrl-C reaches every process of a terminal, and would interrupt its imports with a traceback.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        server.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context
