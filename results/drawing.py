"""How a figure is drawn: the page's colours, round ticks, labels that hide nothing, and SVG to put into a page."""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis as PlotAxis
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from expander.axis import Axis

# The page may set each of these as a CSS variable, such as --ink and --fast; these are what it falls back to. The axes
# are told apart with any of the three colour blindnesses (CIE76 distance of 15 or more between any two as they are
# seen then), on white with a contrast of 3 or more, and by their markers.
COLOURS = {
    "ink": "#1d2127",
    "muted": "#666d78",
    "grid": "#dfe2e7",
    "paper": "#fefefe",
    Axis.FAST.value: "#b83200",
    Axis.TEMPORAL.value: "#c08400",
    Axis.SPATIAL.value: "#0a559c",
    Axis.DEPTH.value: "#179b7d",
    Axis.WIDTH.value: "#6a1f6f",
    Axis.BOTTLENECK.value: "#d664b4",
}
MARKERS = {
    Axis.FAST: "^",
    Axis.TEMPORAL: "o",
    Axis.SPATIAL: "s",
    Axis.DEPTH: "v",
    Axis.WIDTH: "D",
    Axis.BOTTLENECK: "P",
}
# Where a label goes, in degrees from the x axis, the likeliest first: above and left of a rising path there is room.
DIRECTIONS = (125, 145, 155, 105, 165, 90, 180, 75, 300, 325, 335, 270, 55, 25, 240, 345, 0, 215)
GAPS = (2, 5, 10, 16, 23, 31, 40, 50, 61, 73)
# A label further than this from its point gets a line to it.
NEAR = 10
# What it costs a label to leave the axes, to hide one thing (or to come within AIR of it), and to be one gap further.
LEAVES, HIDES, FURTHER = 1000.0, 100.0, 6.0
AIR = 1.5

# Rows of x0, y0, x1, y1 and of x, y, in pixels of the figure.
Boxes = NDArray[np.float64]
Line = NDArray[np.float64]


@dataclass(frozen=True)
class Size:
    """A figure's width and height, its text and its markers, in points of 1/72 inch."""

    width: float
    height: float
    text: float
    marker: float


@dataclass(frozen=True)
class Label:
    """A text for the point at x, y in the units of the axes."""

    text: str
    x: float
    y: float
    bold: bool = False


@contextmanager
def drawing(size: Size) -> Iterator[Axes]:
    """Empty axes of a figure, in the settings of this project, whatever the user's matplotlibrc says."""
    ink, muted, grid = (COLOURS[name] for name in ("ink", "muted", "grid"))
    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "x3d-expander",
        "text.color": ink,
        "axes.edgecolor": muted,
        "axes.labelcolor": ink,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "grid.color": grid,
        "grid.linewidth": 0.7,
        "xtick.color": muted,
        "ytick.color": muted,
        "xtick.labelcolor": ink,
        "ytick.labelcolor": ink,
        **dict.fromkeys(("font.size", "axes.labelsize", "xtick.labelsize", "ytick.labelsize"), size.text),
    }
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings)
        # At 72 dots an inch a pixel is a point, so that what is measured for labels is what SVG draws.
        figure = Figure(figsize=(size.width / 72, size.height / 72), dpi=72, layout="constrained")
        yield figure.add_subplot()


def round_flops(flops: float) -> str:
    """A round number of multiply-adds, as the paper counts them: 20 M, 0.1 G, 1 G."""
    for unit, least, size in (("T", 1e12, 1e12), ("G", 0.999e8, 1e9), ("M", 0.999e5, 1e6), ("k", 1e3, 1e3)):
        if flops >= least:
            return f"{flops / size:g} {unit}"
    return f"{flops:g}"


def tick_flops(axis: PlotAxis, limits: tuple[float, float], room: float, spacing: float) -> None:
    """Round multiply-adds on a logarithmic axis, as many as have `spacing` points of `room` between any two."""
    low, high = limits
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    each_point = (math.log10(high) - math.log10(low)) / room
    for parts in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        ticks = [tick for decade in decades for part in parts if low <= (tick := part * 10.0**decade) <= high]
        gaps = [math.log10(b / a) / each_point for a, b in pairwise(ticks)]
        if min(gaps, default=spacing) >= spacing:
            break
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: round_flops(value)))


def place_labels(axes: Axes, labels: Sequence[Label], points: Line, lines: Sequence[Line], radius: float) -> None:
    """Write each label at the nearest spot around its point that hides no marker, no line and no label.

    points, lines: in the units of the axes. radius: of a marker, in points. Earlier labels choose first; one that finds
    no such spot takes the one that hides least. The layout of the figure is fixed from here on.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    middles = axes.transData.transform(points)
    taken = np.concatenate([middles - radius, middles + radius], axis=1)
    taken = np.concatenate([taken, *(_pieces(axes.transData.transform(line)) for line in lines)])
    for label in labels:
        box = _place(axes, label, taken, radius)
        taken = np.concatenate([taken, box[None]])


def to_svg(axes: Axes, name: str, description: str, titles: Sequence[str] = ()) -> str:
    """The figure as an element of a page. `name` keeps its ids apart from those of other figures.

    titles: what the groups with the ids 'point-0', 'point-1', ... say when a reader points at them.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue().decode()
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    view = f'viewBox="0 0 {figure.bbox.width:g} {figure.bbox.height:g}"'
    opening = f'<svg {view} role="img" aria-label="{html.escape(description)}">'
    svg = opening + svg[svg.index(">") + 1 :].replace("xlink:href", "href")
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    for index, title in enumerate(titles):
        group = f'<g id="{name}-point-{index}">'
        svg = svg.replace(group, f"{group}<title>{html.escape(title)}</title>")
    for colour, value in COLOURS.items():
        svg = svg.replace(value, f"var(--{colour}, {value})")
    return svg


def _place(axes: Axes, label: Label, taken: Boxes, radius: float) -> Boxes:
    """Write one label; the box that it takes."""
    text = _annotation(axes, label, radius)
    anchor = axes.transData.transform((label.x, label.y))
    # Of the text alone: an annotation's own extent includes its line.
    extent = Text.get_window_extent(text)
    half = np.array([extent.width, extent.height]) / 2
    spots = [(gap, offset) for gap in GAPS for offset in _around(half, radius + gap)]
    preferences = np.array([FURTHER * far + order for far in range(len(GAPS)) for order in range(len(DIRECTIONS))])
    boxes = np.array([[*(anchor + offset - half), *(anchor + offset + half)] for _, offset in spots])
    best = int(np.argmin(_costs(boxes, taken, axes) + preferences))
    gap, offset = spots[best]
    text.xyann = (float(offset[0]), float(offset[1]))
    assert text.arrow_patch is not None
    text.arrow_patch.set_visible(gap > NEAR)
    chosen: Boxes = boxes[best]
    return chosen


def _annotation(axes: Axes, label: Label, radius: float) -> Annotation:
    arrow = {"arrowstyle": "-", "linewidth": 0.7, "color": COLOURS["muted"], "shrinkA": 1, "shrinkB": radius + 1}
    return axes.annotate(
        label.text,
        (label.x, label.y),
        (0, 0),
        textcoords="offset points",
        ha="center",
        va="center",
        fontweight="bold" if label.bold else "normal",
        parse_math=False,
        arrowprops=arrow,
    )


def _around(half: NDArray[np.float64], gap: float) -> Iterator[NDArray[np.float64]]:
    """Offsets of a text's middle at which its box just leaves the square of `gap` pixels around its point."""
    for direction in DIRECTIONS:
        towards = np.array([math.cos(math.radians(direction)), math.sin(math.radians(direction))])
        yield towards * np.min((half + gap) / np.maximum(np.abs(towards), 1e-9))


def _costs(boxes: Boxes, taken: Boxes, axes: Axes) -> NDArray[np.float64]:
    """How much each of `boxes` hides of what is taken, and whether it leaves the axes."""
    a, b = boxes[:, None, :] + [-AIR, -AIR, AIR, AIR], taken[None, :, :]
    hidden = (a[..., 0] < b[..., 2]) & (b[..., 0] < a[..., 2]) & (a[..., 1] < b[..., 3]) & (b[..., 1] < a[..., 3])
    within = axes.get_window_extent()
    left = (boxes[:, :2] < [within.x0, within.y0]).any(1) | (boxes[:, 2:] > [within.x1, within.y1]).any(1)
    costs: NDArray[np.float64] = HIDES * hidden.sum(1) + LEAVES * left
    return costs


def _pieces(line: Line) -> Boxes:
    """Small boxes along a line, a few pixels apart."""
    pieces = [np.empty((0, 4))]
    for start, end in pairwise(line):
        count = max(2, int(np.hypot(*(end - start)) / 3))
        middles = start + np.linspace(0, 1, count)[:, None] * (end - start)
        pieces.append(np.concatenate([middles - 1.5, middles + 1.5], axis=1))
    return np.concatenate(pieces)
