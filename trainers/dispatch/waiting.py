"""Trials that wait for their next attempt."""

from __future__ import annotations

import heapq
import time
from collections.abc import Mapping, Sequence
from itertools import count

from expander.trial import Trial


class Waiting:
    """Trials by when their next attempt is due; of those due at the same time, the earliest put in comes first.

    waits: seconds from now by the trial's id, 0 for those that it has not.
    """

    def __init__(self, trials: Sequence[Trial], waits: Mapping[str, float]) -> None:
        self._heap: list[tuple[float, int, Trial]] = []
        self._order = count()
        now = time.monotonic()
        for trial in trials:
            heapq.heappush(self._heap, (now + waits.get(trial.id, 0.0), next(self._order), trial))

    def add(self, trial: Trial, seconds: float) -> None:
        """Have it wait so long from now."""
        heapq.heappush(self._heap, (time.monotonic() + seconds, next(self._order), trial))

    def ready(self) -> Trial | None:
        """Take out the first that is due; None where none is."""
        return heapq.heappop(self._heap)[2] if self._heap and self.seconds() == 0 else None

    def seconds(self) -> float | None:
        """Until the first is due, 0 where it is; None where none waits."""
        return max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None
