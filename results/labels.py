"""Labels of a figure's points, placed where they hide nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from numpy.typing import NDArray

# Boxes are rows of x0, y0, x1, y1 in pixels of the figure.
Boxes = NDArray[np.float64]
# Degrees from the x axis, the likeliest first: above a rising path, to its left, there is room.
DIRECTIONS = (120, 145, 90, 170, 60, 195, 300, 325, 270, 35, 240, 345, 10, 220)
GAPS = (2.5, 7, 13, 20, 28, 37, 47, 58, 70)
# A label this far from its point gets a line to it.
NEAR = 10
HIDES, LEAVES = 100, 1000


@dataclass(frozen=True)
class Label:
    """A text for the point at x, y in the units of the axes."""

    text: str
    x: float
    y: float
    bold: bool


def place(axes: Axes, labels: Sequence[Label], markers: Boxes, line: Boxes, radius: float, colour: str) -> None:
    """Write each label at the nearest spot around its point that covers no marker, no piece of `line`, no label.

    markers: boxes. line: corners x, y of a path. radius: of a marker, in pixels. Earlier labels choose first; one that
    finds no such spot takes the one that covers least. The layout of the figure is fixed from here on.
    """
    taken = np.concatenate([markers, _pieces(line)])
    within = axes.get_window_extent()
    frame = np.array([within.x0, within.y0, within.x1, within.y1])
    for label in labels:
        anchor = axes.transData.transform((label.x, label.y))
        text = _annotation(axes, label, radius, colour)
        extent = text.get_window_extent()
        half = np.array([extent.width, extent.height]) / 2
        spots = [(gap, offset) for gap in GAPS for offset in _around(half, radius + gap)]
        boxes = np.array([[*(anchor + offset - half), *(anchor + offset + half)] for _, offset in spots])
        best = int(np.argmin(_costs(boxes, taken, frame)))
        gap, offset = spots[best]
        text.xyann = tuple(offset)
        assert text.arrow_patch is not None
        text.arrow_patch.set_visible(gap > NEAR)
        taken = np.concatenate([taken, boxes[best : best + 1]])


def _annotation(axes: Axes, label: Label, radius: float, colour: str) -> Annotation:
    text = axes.annotate(
        label.text,
        (label.x, label.y),
        (0, 0),
        textcoords="offset points",
        ha="center",
        va="center",
        fontweight="bold" if label.bold else "normal",
        arrowprops={"arrowstyle": "-", "linewidth": 0.7, "color": colour, "shrinkA": 1, "shrinkB": radius + 1},
    )
    text.set_in_layout(False)
    return text


def _around(half: NDArray[np.float64], gap: float) -> Iterator[NDArray[np.float64]]:
    """Offsets of a text's middle that leave `gap` pixels between it and its point."""
    for direction in DIRECTIONS:
        x, y = math.cos(math.radians(direction)), math.sin(math.radians(direction))
        yield np.array([x * (gap + half[0]), y * (gap + half[1])])


def _costs(boxes: Boxes, taken: Boxes, frame: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each box hides, most of all; then its place in the list, which is its distance."""
    a, b = boxes[:, None, :], taken[None, :, :]
    hidden = (a[..., 0] < b[..., 2]) & (b[..., 0] < a[..., 2]) & (a[..., 1] < b[..., 3]) & (b[..., 1] < a[..., 3])
    left = (boxes[:, :2] < frame[:2]).any(1) | (boxes[:, 2:] > frame[2:]).any(1)
    return HIDES * hidden.sum(1) + LEAVES * left + np.arange(len(boxes))


def _pieces(line: Boxes) -> Boxes:
    """Small boxes along a path."""
    pieces = [np.empty((0, 4))]
    for start, end in zip(line[:-1], line[1:], strict=True):
        count = max(2, int(np.hypot(*(end - start)) / 3))
        middles = start + np.linspace(0, 1, count)[:, None] * (end - start)
        pieces.append(np.concatenate([middles - 1.5, middles + 1.5], axis=1))
    return np.concatenate(pieces)
