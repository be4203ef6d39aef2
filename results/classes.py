"""A test by classes: the share of each that is right, and which is taken for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from expander.trial import VideoScore


@dataclass(frozen=True)
class ClassScore:
    """One class that has a video. right: how many of its videos have it as the most probable class."""

    label: int
    name: str
    videos: int
    right: int

    @property
    def top1(self) -> float:
        """Share of its videos, in [0, 1]."""
        return self.right / self.videos

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "label": self.label,
            "class": self.name,
            "videos": self.videos,
            "right": self.right,
            "top1": self.top1,
        }


@dataclass(frozen=True)
class Confusion:
    """`videos` videos of one class that another was predicted for: one entry of the matrix, off its diagonal."""

    label: int
    name: str
    predicted: int
    predicted_name: str
    videos: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "label": self.label,
            "class": self.name,
            "predicted": self.predicted,
            "predicted_class": self.predicted_name,
            "videos": self.videos,
        }


@dataclass(frozen=True)
class ByClass:
    """One test from one Views. classes: those that have a video, by label. confusions: the most frequent first.

    Both are the confusion matrix, labels as rows and predictions as columns: its diagonal is `right` of the classes,
    `confusions` all else that is not 0. Of 400 classes it would be 160,000 numbers, most of them 0.
    """

    classes: tuple[ClassScore, ...]
    confusions: tuple[Confusion, ...]

    @property
    def mean(self) -> float:
        """Mean of the classes' shares, in which a class of few videos counts as much as one of many."""
        return sum(each.top1 for each in self.classes) / len(self.classes)

    @property
    def worst(self) -> tuple[ClassScore, ...]:
        """The classes that are not all right, the worst first; of equal ones that with more videos."""
        wrong = [each for each in self.classes if each.right < each.videos]
        return tuple(sorted(wrong, key=lambda each: (each.top1, -each.videos, each.label)))


def by_class(videos: Sequence[VideoScore], names: Sequence[str]) -> ByClass:
    """The scores of one Views by class. names: of labels from 0; a label beyond them is its own name."""
    pairs = Counter((video.label, video.predicted) for video in videos)
    totals = Counter(video.label for video in videos)
    classes = (
        ClassScore(label, class_name(label, names), totals[label], pairs[label, label]) for label in sorted(totals)
    )
    frequent = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    confusions = (
        Confusion(label, class_name(label, names), predicted, class_name(predicted, names), count)
        for (label, predicted), count in frequent
        if label != predicted
    )
    return ByClass(tuple(classes), tuple(confusions))


def class_name(label: int, names: Sequence[str]) -> str:
    """What the manifest calls a class; its number where the network has more classes than the manifest names."""
    return names[label] if label < len(names) else str(label)
