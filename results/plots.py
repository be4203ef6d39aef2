"""Figures as SVG for a page's text: its colours are the page's own, its text is text, every point says what it is."""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis as PlotAxis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from expander.axis import Axis
from results.labels import Label, place
from results.tables import standard_error

if TYPE_CHECKING:
    from results.records import InstanceRecord

# The page may set each of these as a CSS variable, such as --ink and --fast; these are what it falls back to. The axes'
# are told apart by readers with any of the three colour blindnesses (CIE76 distance of at least 15 between any two as
# they see them), and by their markers.
COLOURS = {
    "ink": "#1d2127",
    "muted": "#666d78",
    "grid": "#dfe2e7",
    "paper": "#fefefe",
    "fast": "#b83200",
    "temporal": "#c08400",
    "spatial": "#0a559c",
    "depth": "#179b7d",
    "width": "#6a1f6f",
    "bottleneck": "#d664b4",
}
MARKERS = {
    Axis.FAST: "^",
    Axis.TEMPORAL: "o",
    Axis.SPATIAL: "s",
    Axis.DEPTH: "v",
    Axis.WIDTH: "D",
    Axis.BOTTLENECK: "P",
}
# Points of a curve that an eye can tell apart in a panel.
CURVE_POINTS = 60
# How much larger the marker of a kept candidate is.
KEPT = 1.35


@dataclass(frozen=True)
class Size:
    """A figure's width and height, its text and its markers, in points of 1/72 inch."""

    width: float
    height: float
    text: float
    marker: float


WIDE = Size(820, 430, 10.5, 7)
NARROW = Size(350, 370, 10, 5.5)
PANEL = Size(260, 165, 9.5, 4)


@dataclass(frozen=True)
class _Point:
    """A candidate in a figure; x and y in the units of its axes. trial: None where nothing is trained."""

    x: float
    y: float
    number: int
    axis: Axis
    flops: int
    frontier_flops: int
    contraction: bool
    kept: bool
    trial: str | None
    error: float | None
    title: str


def accuracy_against_flops(candidates: pd.DataFrame, instances: Sequence[InstanceRecord], size: Size = WIDE) -> str:
    """The paper's Fig. 2 of this search: top-1 against multiply-adds of one clip, and the path that it took.

    candidates: as `tables.candidates` gives them; those without a score are left out.
    """
    scored = candidates[candidates["feasible"] & candidates["top1"].notna()]
    points = [_scored_point(row) for row in _rows(scored)]
    with _style(size):
        figure, axes = _figure(size)
        axes.set_xscale("log")
        axes.set_xlabel("multiply-adds of one clip, FLOPs (log scale)")
        axes.set_ylabel("top-1 on validation, %")
        _draw_points(axes, points, size)
        pad = 1.35
        axes.set_xlim(min(p.x for p in points) / pad, max(p.x for p in points) * pad)
        axes.set_ylim(*_percent_limits(points))
        axes.yaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
        _flops_ticks(axes.xaxis, axes.get_xlim(), size.width - 60, 36)
        _label_points(axes, points, instances, size)
        return _svg(figure, f"accuracy-{size.width:g}", points, "Top-1 against FLOPs of every trained candidate")


def flops_of_steps(candidates: pd.DataFrame, instances: Sequence[InstanceRecord], size: Size = WIDE) -> str:
    """The growth of a search that has no scores: multiply-adds of each step's candidates and of the path."""
    costed = candidates[candidates["feasible"] & candidates["flops"].notna()]
    points = [_costed_point(row) for row in _rows(costed)]
    with _style(size):
        figure, axes = _figure(size)
        axes.set_yscale("log")
        axes.set_xlabel("step")
        axes.set_ylabel("multiply-adds of one clip, FLOPs (log scale)")
        _draw_points(axes, points, size)
        low, high = min(p.y for p in points) / 1.5, max(p.y for p in points) * 1.5
        axes.set_ylim(low, high)
        axes.set_xlim(min(p.x for p in points) - 0.7, max(p.x for p in points) + 0.7)
        axes.xaxis.set_major_locator(MaxNLocator(14, integer=True))
        _flops_ticks(axes.yaxis, axes.get_ylim(), size.height - 60, 22)
        _label_points(axes, points, instances, size, numbers=False)
        return _svg(figure, f"growth-{size.width:g}", points, "FLOPs of every candidate by step")


def training_curves(candidates: pd.DataFrame, epochs: pd.DataFrame) -> list[tuple[str, str]]:
    """Training loss by epoch, a panel for each step that has begun to train: its key and its figure.

    All panels have the same scale of loss. epochs: as `tables.epochs` gives them.
    """
    if epochs.empty:
        return []
    losses = epochs["train_loss"].to_numpy(float)
    spread = max(float(np.ptp(losses)), 1e-6)
    limits = float(losses.min()) - 0.05 * spread, float(losses.max()) + 0.05 * spread
    curves = {str(trial): rows for trial, rows in epochs.groupby("trial", sort=False)}
    panels = []
    for step, rows in candidates.groupby("step", sort=False):
        begun = [row for row in _rows(rows) if row["trial"] in curves]
        if begun:
            panels.append((str(step), _panel(str(step), begun, curves, limits)))
    return panels


def human(count: float, digits: int = 4) -> str:
    """A count with its SI prefix: 605256512 as '605.3 M'."""
    for prefix in ("", "k", "M", "G", "T"):
        if abs(count) < 1000 or prefix == "T":
            return f"{count:.{digits}g} {prefix}".rstrip()
        count /= 1000
    raise AssertionError


def clip(frames: Any, stride: Any) -> str:
    """Frames x stride, as the paper writes it."""
    return f"{frames}×{stride}" if stride else f"{frames}"


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain values, None where one is missing."""
    return [
        {str(k): v for k, v in row.items()}
        for row in frame.astype(object).where(frame.notna(), None).to_dict("records")
    ]


def _scored_point(row: Mapping[str, Any]) -> _Point:
    score = f", top-1 {row['top1']:.1%}"
    error = standard_error(row["top1"], row["videos"]) if row["videos"] else None
    return _point(row, row["flops"], 100 * row["top1"], score, error)


def _costed_point(row: Mapping[str, Any]) -> _Point:
    return _point(row, row["number"], row["flops"], "", None)


def _point(row: Mapping[str, Any], x: float, y: float, score: str, error: float | None) -> _Point:
    what = f"{clip(row['frames'], row['stride'])}, {row['crop']}², {human(row['flops'])}FLOPs"
    kept = ", kept" if row["kept"] else ""
    title = f"step {row['step']}, X-{row['axis'].capitalize()}: {what}{score}{kept}"
    contraction = row["kind"] == "contraction"
    costs = row["flops"], row["frontier_flops"]
    return _Point(x, y, row["number"], Axis(row["axis"]), *costs, contraction, row["kept"], row["trial"], error, title)


@contextmanager
def _style(size: Size) -> Iterator[None]:
    """Settings of these figures alone, whatever the user's matplotlibrc says."""
    ink, muted, grid = (COLOURS[name] for name in ("ink", "muted", "grid"))
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": "x3d-expander",
                "font.size": size.text,
                "axes.labelsize": size.text,
                "xtick.labelsize": size.text,
                "ytick.labelsize": size.text,
                "text.color": ink,
                "axes.labelcolor": ink,
                "axes.edgecolor": muted,
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
            }
        )
        yield


def _figure(size: Size) -> tuple[Figure, Axes]:
    # At 72 dots an inch a pixel is a point, so that what is measured for labels is what SVG draws.
    figure = Figure(figsize=(size.width / 72, size.height / 72), dpi=72, layout="constrained")
    return figure, figure.add_subplot()


def _path(points: Sequence[_Point]) -> list[_Point]:
    """The candidates that expansions kept, in order."""
    return sorted((p for p in points if p.kept and not p.contraction), key=lambda p: p.number)


def _draw_points(axes: Axes, points: Sequence[_Point], size: Size) -> None:
    path = _path(points)
    _draw_branches(axes, points)
    axes.plot([p.x for p in path], [p.y for p in path], color=COLOURS["ink"], linewidth=1.3, zorder=2)
    seen: dict[tuple[int, str | None, float], int] = {}
    for index, point in enumerate(points):
        if point.error is not None and point.kept:
            bounds = [max(0.0, point.y - 100 * point.error), min(100.0, point.y + 100 * point.error)]
            axes.plot([point.x] * 2, bounds, color=COLOURS["muted"], linewidth=1.1, zorder=2.5)
        # Candidates that are one trial lie on each other: the later ones are drawn smaller.
        place = (point.number, point.trial, point.x)
        seen[place] = seen.get(place, 0) + 1
        _draw_point(axes, point, size.marker * 0.55 ** (seen[place] - 1), f"point-{index}")


def _draw_point(axes: Axes, point: _Point, marker: float, gid: str) -> None:
    colour = COLOURS[point.axis.value]
    axes.plot(
        [point.x],
        [point.y],
        marker=MARKERS[point.axis],
        markersize=marker * (KEPT if point.kept else 1),
        markerfacecolor=COLOURS["paper"] if point.contraction else colour,
        markeredgecolor=colour if point.contraction else COLOURS["ink"] if point.kept else COLOURS["paper"],
        markeredgewidth=1.5 if point.contraction else 1.1 if point.kept else 0.6,
        linestyle="none",
        clip_on=False,
        zorder=4 if point.kept else 3,
        gid=gid,
    )


def _draw_branches(axes: Axes, points: Sequence[_Point]) -> None:
    """A dotted line from the step that a contraction starts from to the network that it keeps."""
    path = {p.flops: p for p in _path(points)}
    for point in points:
        start = path.get(point.frontier_flops)
        if point.contraction and point.kept and start is not None:
            ends = [start.x, point.x], [start.y, point.y]
            axes.plot(*ends, color=COLOURS["muted"], linewidth=1.1, linestyle=":", zorder=2)


def _percent_limits(points: Sequence[_Point]) -> tuple[float, float]:
    """Every point and its error bar, with air above for the labels."""
    lows = [p.y - 100 * (p.error or 0) * p.kept for p in points]
    highs = [p.y + 100 * (p.error or 0) * p.kept for p in points]
    low, high = max(0.0, min(lows)), min(100.0, max(highs))
    spread = max(high - low, 2.0)
    return low - 0.06 * spread, high + 0.14 * spread


def _flops_ticks(axis: PlotAxis, limits: tuple[float, float], room: float, spacing: float) -> None:
    """Round multiply-adds, as many as have `spacing` points of `room` between any two."""
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
    low, high = limits
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    each_point = (math.log10(high) - math.log10(low)) / room
    for parts in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        ticks = [tick for decade in decades for part in parts if low <= (tick := part * 10.0**decade) <= high]
        gaps = [math.log10(b / a) / each_point for a, b in zip(ticks, ticks[1:], strict=False)]
        if min(gaps, default=spacing) >= spacing:
            break
    axis.set_major_locator(FixedLocator(ticks))


def _tick(flops: float) -> str:
    """20 M, 0.1 G, 1 G, as the paper counts."""
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if flops >= 0.0999 * size and (unit != "T" or flops >= size):
            return f"{flops / size:g} {unit}"
    return f"{flops:g}"


def _label_points(
    axes: Axes, points: Sequence[_Point], instances: Sequence[InstanceRecord], size: Size, *, numbers: bool = True
) -> None:
    """Step numbers along the path, where the figure does not say them otherwise, and the names of the instances."""
    path = _path(points)
    labels = [Label(str(p.number), p.x, p.y, bold=False) for p in path if numbers]
    for instance in instances:
        kept = (p for p in points if p.kept and p.number == instance.step)
        found = next((p for p in kept if p.contraction == (instance.kind == "contraction")), None)
        if found is not None:
            labels.append(Label(instance.name, found.x, found.y, bold=True))
    figure = axes.get_figure(root=True)
    assert figure is not None
    # Positions are known once the figure is laid out, and a label must not lay it out anew.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    radius = size.marker * KEPT / 2
    places = axes.transData.transform([(p.x, p.y) for p in points])
    line = axes.transData.transform([(p.x, p.y) for p in path]) if path else np.empty((0, 2))
    place(axes, labels, np.concatenate([places - radius, places + radius], axis=1), line, radius, COLOURS["muted"])


def _panel(
    step: str, rows: Sequence[Mapping[str, Any]], curves: Mapping[str, pd.DataFrame], limits: tuple[float, float]
) -> str:
    """The curves of one step's trials; one that several candidates share is drawn once, by the first of them."""
    drawn: set[str] = set()
    with _style(PANEL):
        figure, axes = _figure(PANEL)
        for row in sorted(rows, key=lambda row: not row["kept"]):
            if row["trial"] not in drawn:
                drawn.add(row["trial"])
                _draw_curve(axes, row, curves[row["trial"]])
        axes.set_ylim(*limits)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        return _svg(figure, f"curves-{step}", [], f"Training loss of step {step} by epoch")


def _draw_curve(axes: Axes, row: Mapping[str, Any], epochs: pd.DataFrame) -> None:
    """The whole curve of the kept candidate on top, and a dashed one where the trial failed."""
    every = max(1, math.ceil(len(epochs) / CURVE_POINTS))
    # Counted back from the last epoch, which always shows.
    shown = epochs.iloc[::-1].iloc[::every].iloc[::-1]
    axes.plot(
        shown["epoch"].to_numpy(float),
        shown["train_loss"].to_numpy(float),
        color=COLOURS[row["axis"]],
        linewidth=2.0 if row["kept"] else 1.0,
        linestyle="--" if row["state"] == "failed" else "-",
        marker=MARKERS[Axis(row["axis"])],
        markevery=[-1],
        markersize=PANEL.marker * (KEPT if row["kept"] else 1),
        zorder=4 if row["kept"] else 3,
    )


def _svg(figure: Figure, name: str, points: Sequence[_Point], label: str) -> str:
    """The figure as an element of a page: `name` keeps its ids apart from those of other figures."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue().decode()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    opening = f'<svg viewBox="0 0 {figure.bbox.width:g} {figure.bbox.height:g}" role="img" aria-label="{label}">'
    svg = re.sub(r"<svg[^>]*>", opening, svg, count=1).replace("xlink:href", "href")
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    for index, point in enumerate(points):
        group = f'<g id="{name}-point-{index}">'
        svg = svg.replace(group, f"{group}<title>{html.escape(point.title)}</title>")
    for colour, value in COLOURS.items():
        svg = svg.replace(value, f"var(--{colour}, {value})")
    return svg
