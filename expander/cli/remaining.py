"""When a step may be ready, from the epochs that were measured: an estimate."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from results.records import CandidateRecord, StepRecord


def seconds_left(step: StepRecord, measured: Mapping[str, Sequence[float]]) -> float | None:
    """Seconds until the trials of `step` are trained; None where nothing runs or no epoch of it was measured.

    measured: seconds of each epoch so far, by trial. As many trials as run now are taken to run at once until the end.
    A trial without an epoch of its own takes by its FLOPs what the others took. Scoring is not counted.
    """
    trials = {candidate.trial: candidate for candidate in step.candidates if candidate.trial is not None}
    running = [candidate for candidate in trials.values() if candidate.state == "running"]
    paces = [median(seconds) / (trials[trial].flops or 1) for trial, seconds in measured.items() if trial in trials]
    if not running or not paces:
        return None
    pace = median(paces)

    def left(candidate: CandidateRecord) -> float:
        own = measured.get(candidate.trial or "")
        epochs = (candidate.epochs or 0) - (candidate.epoch or 0)
        return epochs * (median(own) if own else pace * (candidate.flops or 1))

    slots = [left(candidate) for candidate in running]
    heapq.heapify(slots)
    for candidate in trials.values():
        if candidate.state == "pending":
            heapq.heapreplace(slots, slots[0] + left(candidate))
    return max(slots)
