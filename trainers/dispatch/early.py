"""Trials that are begun before their step, in the room that those of this one leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from expander.trial import Trial


class Carrier(Protocol):
    """What attempts are submitted to, and may be stopped in."""

    def submit(self, trial: Trial, *, early: bool = False) -> None:
        """Queue one attempt."""

    def drop(self, trial: str) -> None:
        """Stop an early attempt."""


class Early:
    """The early attempts of one `run`. wanted: which trials, best first, asked anew each time. size: GPUs of each.

    open: those that have been begun and have told no outcome, also where they were dropped. Each is begun once.
    """

    def __init__(self, wanted: Callable[[], Sequence[Trial]], size: float) -> None:
        self.open: set[str] = set()
        self._wanted = wanted
        self._size = size
        self._begun: set[str] = set()
        self._running: list[str] = []

    def make_room(self, carrier: Carrier, free: Callable[[], float]) -> None:
        """Drop the last that were begun where less is `free` than all of them hold."""
        room = free() if self._running else 0.0
        while self._running and len(self._running) * self._size > room + 1e-9:
            carrier.drop(self._running.pop())

    def fill(self, carrier: Carrier, free: Callable[[], float]) -> None:
        """Drop those that are no longer wanted, and begin others where room is `free` beside all that run."""
        wanted = self._wanted()
        names = {trial.id for trial in wanted}
        for trial in [trial for trial in self._running if trial not in names]:
            self._running.remove(trial)
            carrier.drop(trial)
        new = [trial for trial in wanted if trial.id not in self._begun]
        room = free() if new else 0.0
        for other in new:
            if (len(self._running) + 1) * self._size > room + 1e-9:
                return
            self._begun.add(other.id)
            self.open.add(other.id)
            self._running.append(other.id)
            carrier.submit(other, early=True)

    def lose_all(self) -> None:
        """Note that none runs any more: what carried them has ended."""
        self._running.clear()

    def ended(self, trial: str) -> bool:
        """Note an outcome; whether it is that of an early attempt."""
        if trial in self._running:
            self._running.remove(trial)
        self.open.discard(trial)
        return trial in self._begun
