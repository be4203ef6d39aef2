"""One experiment of Ray Tune, fed with trials through a queue and heard through another, and what its workers run."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from threading import Event as Flag
from threading import Thread
from typing import Any

import ray
from ray import tune
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.search import Searcher

from expander.errors import ExpanderError, TrialError
from expander.trial import Completed, Event, Failed, Training, Trial
from trainers.dispatch.attempt import attempt

# More than any step has trials: what runs at once is a matter of resources alone.
PENDING = 1000
# linux/prctl.h
PR_SET_PDEATHSIG = 1


class Experiment:
    """A tune.Tuner.fit() in a thread of its own: Ctrl-C finds the main thread waiting for events, not inside Tune.

    training: must pickle. cpus, gpus: of one trial. A local or joined Ray must be there.
    """

    def __init__(self, training: Training, cpus: float, gpus: float) -> None:
        self._link = _Link()
        self._trainable = tune.with_resources(_trainable(training), {"cpu": cpus, "gpu": gpus})
        self._thread = Thread(target=self._fit, name="Ray Tune", daemon=True)
        self._thread.start()

    def submit(self, trial: Trial) -> None:
        """Queue one attempt."""
        self._link.todo.put(_Task(trial))

    def next_event(self) -> Event:
        """Wait for the next event of any attempt. Raises ExpanderError when Tune itself fails."""
        event = self._link.events.get()
        if isinstance(event, Exception):
            raise ExpanderError(f"Ray Tune stopped: {event}") from event
        return event

    def warm_up(self, processes: int) -> None:
        """Have `processes` processes import the training. Raises ExpanderError when they cannot."""
        for _ in range(processes):
            self._link.todo.put(_Task(None))
        for _ in range(processes):
            event = self._link.warm.get()
            if event is not None:
                raise ExpanderError(f"a Ray worker cannot load the training: {event.reason}\n{event.traceback}")

    def end(self) -> None:
        """Stop what runs, and return when nothing does."""
        self._link.closing.set()
        self._link.todo.put(None)
        self._thread.join()
