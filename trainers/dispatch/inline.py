"""Trials on this machine without Ray: one after the other, or as many at once as there is room for."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from expander.coordinator import NO_WAITS, Meter, nobody, nowhere
from expander.errors import UsageError
from expander.trial import Completed, Event, Failed, Trial
from trainers.dispatch.attempt import Attempt, attempt, this_node
from trainers.dispatch.local_team import LocalLauncher
from trainers.dispatch.member import TeamTraining
from trainers.dispatch.together import attempt_together
from trainers.dispatch.waiting import Waiting
from trainers.dispatch.witness import Witness

# A stopped training may swallow the first request, for example inside a finaliser: it is asked again.
PATIENCE_SECONDS = 5


class InlineDispatcher:
    """Carries trials out in the order given, `at_once` at a time; `meter` measures in this process too.

    A training has a thread of its own, so that an epoch is with the caller the moment it is reported and Ctrl-C,
    which Python delivers to the main thread, finds that thread waiting here and not inside the training.

    workers: processes of a trial, started here where they are several, with `threads` threads and, where `on_gpus`, a
    GPU each: UsageError where there are not so many. least: None has a trial fail where one of its processes is lost.
    apart: one alone is started too, so that a crash or a hang outside of Python ends it and not this process. runs:
    the folder of the trials' files, whose logs say how an attempt has ended.
    """

    def __init__(
        self,
        training: TeamTraining,
        meter: Meter,
        *,
        workers: int = 1,
        least: int | None = None,
        threads: int = 1,
        on_gpus: bool = False,
        apart: bool = False,
        runs: Path | None = None,
        at_once: int = 1,
    ) -> None:
        self.meter = meter
        self._at_once = at_once
        self._runs = runs
        self._training = training
        self._attempt: Attempt = partial(attempt, training)
        if workers > 1 or apart:
            found = _gpus() if on_gpus else 0
            if on_gpus and found < workers > 1:
                raise UsageError(
                    f"a trial of the space takes {workers} GPUs, and this machine has {found}; set"
                    f" resources.gpus_per_trial to at most that, or train on a cluster, with --dispatcher ray"
                )
            launcher = LocalLauncher(training, workers, threads, found > 0, elastic=least is not None)
            self._attempt = partial(attempt_together, launcher)

    @property
    def nodes(self) -> frozenset[str]:
        """This machine."""
        return frozenset({this_node()})

    def run(
        self,
        trials: Sequence[Trial],
        again: Callable[[Failed], float | None],
        waits: Mapping[str, float] = NO_WAITS,
        avoid: Callable[[str], frozenset[str]] = nowhere,
        early: Callable[[], Sequence[Trial]] = nobody,
    ) -> Generator[Event, None, None]:
        """Train `trials` as the protocol `expander.coordinator.Dispatcher` says; there is no other node to go to, and
        with one trial at a time no room for any that is begun early."""
        waiting, witness = Waiting(trials, waits), Witness(self._runs)
        events: SimpleQueue[Event] = SimpleQueue()
        under_way: dict[str, tuple[Trial, Thread]] = {}
        try:
            while True:
                while len(under_way) < self._at_once and (trial := waiting.ready()) is not None:
                    under_way[trial.id] = trial, self._begun(trial, events)
                seconds = waiting.seconds() if len(under_way) < self._at_once else None
                if seconds is None and not under_way:
                    return
                try:
                    event = witness.see(events.get(timeout=seconds))
                except Empty:
                    continue
                yield event
                if isinstance(event, Completed | Failed):
                    trial, thread = under_way.pop(event.trial)
                    thread.join()
                    if isinstance(event, Failed) and (wait := again(event)) is not None:
                        waiting.add(trial, wait)
        finally:
            for _, thread in under_way.values():
                _stop(thread)

    def _begun(self, trial: Trial, events: SimpleQueue[Event]) -> Thread:
        def train() -> None:
            with suppress(SystemExit):
                self._attempt(trial, events.put, ())

        thread = Thread(target=train, name=f"trial {trial.id}", daemon=True)
        thread.start()
        return thread


def _stop(thread: Thread) -> None:
    """End the thread as sys.exit() inside of it would, at its next line of Python, and wait until it has ended.

    An epoch can take an hour and a flag would be seen only at its end; the line after the step of SGD under way is
    milliseconds off. What it may cut short is safe to cut: a checkpoint replaces the last one only when complete.
    """
    while thread.is_alive():
        assert thread.ident is not None
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        thread.join(PATIENCE_SECONDS)


def _gpus() -> int:
    """GPUs of this machine. The one thing that PyTorch, which takes a second, is needed for here."""
    import torch

    return torch.cuda.device_count()
