"""Mean average precision of several labels a video, as Charades' official evaluation has it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class AveragePrecision:
    """mean: over the classes that have a video. of_class: (classes,), nan for a class without. chance: the share of the
    videos that are of a class, the mean over the same classes: about what random scores give of many videos."""

    mean: float
    of_class: NDArray[np.float64]
    chance: float


def average_precision(scores: NDArray[np.floating], targets: NDArray[np.floating]) -> AveragePrecision:
    """Of (videos, classes) each; targets are 0 and 1.

    A class' AP is the mean, over its videos, of the precision at their places in the ranking; videos whose scores tie
    rank in their own order. Videos without any label rank behind all others. Mean and chance are nan where no
    class has a video.
    """
    ranked = np.where(targets.any(1, keepdims=True), scores.astype(np.float64), -np.inf)
    columns = zip(ranked.T, targets.T > 0, strict=True)
    of_class = np.array([_of_class(own, positive) for own, positive in columns])
    known = ~np.isnan(of_class)
    if not known.any():
        return AveragePrecision(float("nan"), of_class, float("nan"))
    return AveragePrecision(float(of_class[known].mean()), of_class, float((targets[:, known] > 0).mean()))


def _of_class(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    if not positive.any():
        return float("nan")
    hits = positive[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())
