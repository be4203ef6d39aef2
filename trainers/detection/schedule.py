"""How long a detector is trained, and at which rate (A.1): by iterations, with a tenth where validation saturates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DECAY = 0.1


@dataclass(frozen=True)
class Schedule:
    """iterations: steps of SGD. warmup: of these, how many climb linearly from 0. every: iterations between
    validations, each of which leaves a checkpoint. patience: validations without a better one after which the rate
    falls; A.1 says no number.
    """

    iterations: int = 14_000
    warmup: int = 1_000
    every: int = 1_000
    patience: int = 2

    def ends(self) -> tuple[int, ...]:
        """After how many iterations each validation is."""
        return (*range(self.every, self.iterations, self.every), self.iterations)

    def rate(self, iteration: int, peak: float, scores: Sequence[float]) -> float:
        """Learning rate of step `iteration` (from 0), after validations with these scores (higher is better)."""
        if iteration < self.warmup:
            # At the middle of the step: at its start the first has rate 0.
            return peak * (iteration + 0.5) / self.warmup
        return peak * DECAY ** saturations(scores, self.patience)


def saturations(scores: Sequence[float], patience: int) -> int:
    """How often `patience` validations in a row were no better than the best before them; each is counted once."""
    count, waited, best = 0, 0, float("-inf")
    for score in scores:
        if score > best:
            best, waited = score, 0
            continue
        waited += 1
        if waited == patience:
            count, waited = count + 1, 0
    return count
