"""The figures of a search, as SVG for a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from expander.axis import Axis
from expander.cost import ComplexityName, shown
from expander.units import human
from results.drawing import COLOURS, MARKERS, Label, Line, Size, drawing, place_labels, tick_flops, to_svg
from results.scores import standard_error
from results.tables import rows_of

if TYPE_CHECKING:
    from results.records import InstanceRecord

WIDE = Size(820, 430, 10.5, 7)
NARROW = Size(350, 370, 10, 5.5)
PANEL = Size(260, 165, 9.5, 4)
# How much larger the marker of a kept candidate is, and how much smaller one that would cover the same network's.
KEPT, AGAIN = 1.35, 0.55
# What is drawn of each complexity, with its unit.
LABELS: dict[ComplexityName, str] = {
    "flops": "multiply-adds of one clip, FLOPs",
    "params": "parameters",
    "activations": "activations of one clip, elements",
    "latency": "latency of one clip, seconds",
    "memory": "memory of a training step on two clips, bytes",
}
# Points of a curve that an eye can tell apart in a panel.
CURVE_POINTS = 60
# Where the candidates of a step stand beside the kept one, by axis, in steps.
BESIDE = dict(zip(Axis, (-0.36, -0.26, -0.16, 0.16, 0.26, 0.36), strict=True))


@dataclass(frozen=True)
class _Point:
    """A candidate in a figure. x, y and error, which spreads y both ways, are in the units of the axes."""

    x: float
    y: float
    error: float
    number: int
    axis: Axis
    regime: str | None
    kept: bool
    cost: float
    frontier_cost: float
    title: str


def named(complexity: ComplexityName) -> str:
    """A complexity in a sentence."""
    return "FLOPs" if complexity == "flops" else complexity


def accuracy_against_cost(
    candidates: pd.DataFrame, instances: Sequence[InstanceRecord], complexity: ComplexityName, size: Size = WIDE
) -> str:
    """The paper's Fig. 2 of this search: top-1 against its complexity, and the path that it took.

    candidates: as `tables.candidates` gives them, with a score at least once; those without are left out.
    """
    scored = rows_of(candidates[candidates["feasible"] & candidates["top1"].notna()])
    points = [_point(row, complexity, row["cost"], 100 * row["top1"], _error(row)) for row in scored]
    with drawing(size) as axes:
        axes.set_xscale("log")
        axes.set_xlabel(f"{LABELS[complexity]} (log scale)")
        axes.set_ylabel("top-1 on validation, %")
        lines = [_path(points), *_branches(points), *_errors(points)]
        _draw(axes, points, lines, size)
        axes.set_xlim(min(p.x for p in points) / 1.35, max(p.x for p in points) * 1.35)
        axes.set_ylim(*_percent_limits(points))
        axes.yaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
        tick_flops(axes.xaxis, axes.get_xlim(), size.width - 60, 36)
        labels = _labels(points, instances, numbers=True)
        place_labels(axes, labels, _places(points), lines, size.marker * KEPT / 2)
        description = f"Top-1 against {named(complexity)} of every trained candidate"
        return to_svg(axes, f"accuracy-{size.width:g}", description, [point.title for point in points])


def cost_of_steps(
    candidates: pd.DataFrame, instances: Sequence[InstanceRecord], complexity: ComplexityName, size: Size = WIDE
) -> str:
    """The growth of a search that has no scores: the complexity of each step's candidates, and the path.

    candidates: as `tables.candidates` gives them, a feasible one at least.
    """
    feasible = rows_of(candidates[candidates["feasible"]])
    places = [row["number"] + (not row["kept"]) * BESIDE[row["axis"]] for row in feasible]
    points = [_point(row, complexity, place, row["cost"]) for row, place in zip(feasible, places, strict=True)]
    basis = np.array([[0, feasible[0]["frontier_cost"]]], dtype=float)
    with drawing(size) as axes:
        axes.set_yscale("log")
        axes.set_xlabel("step")
        axes.set_ylabel(f"{LABELS[complexity]} (log scale)")
        lines = [np.concatenate([basis, _path(points)]), *_branches(points)]
        _draw(axes, points, lines, size)
        axes.plot(*basis.T, marker="o", markersize=size.marker, color=COLOURS["ink"], clip_on=False)
        for bound in {instance.bound for instance in instances}:
            axes.axhline(bound, color=COLOURS["muted"], linewidth=0.8, linestyle="--", zorder=1)
        axes.set_xlim(-0.6, max(p.number for p in points) + 0.7)
        axes.set_ylim(basis[0, 1] / 1.6, max(p.y for p in points) * 1.8)
        axes.xaxis.set_major_locator(MaxNLocator(int(size.width // 24), integer=True, min_n_ticks=1))
        tick_flops(axes.yaxis, axes.get_ylim(), size.height - 60, 22)
        labels = [Label("basis", *basis[0]), *_labels(points, instances, numbers=False)]
        place_labels(axes, labels, np.concatenate([_places(points), basis]), lines, size.marker * KEPT / 2)
        description = f"{named(complexity)} of every candidate by step"
        return to_svg(axes, f"growth-{size.width:g}", description, [point.title for point in points])


def training_curves(candidates: pd.DataFrame, epochs: pd.DataFrame) -> list[tuple[str, str]]:
    """Training loss by epoch, a figure for each step that has begun to train, with its key; one scale for all.

    candidates, epochs: as `tables.candidates` and `tables.epochs` give them.
    """
    if epochs.empty:
        return []
    losses = epochs["train_loss"].to_numpy(float)
    air = 0.05 * max(float(np.ptp(losses)), 0.1)
    limits = float(losses.min()) - air, float(losses.max()) + air
    curves = {str(trial): rows for trial, rows in epochs.groupby("trial", sort=False)}
    steps = [(str(key), rows_of(rows)) for key, rows in candidates.groupby("step", sort=False)]
    return [
        (key, _panel(f"curves-{index}", f"Training loss of step {key} by epoch", rows, curves, limits))
        for index, (key, rows) in enumerate(steps)
        if any(row["trial"] in curves for row in rows)
    ]


def clip(frames: int, stride: int | None) -> str:
    """Frames x stride, as the paper writes it."""
    return f"{frames}×{stride}" if stride else f"{frames}"


def _point(row: Mapping[str, Any], complexity: ComplexityName, x: float, y: float, error: float = 0.0) -> _Point:
    what = f"{clip(row['frames'], row['stride'])}, {row['crop']}², {human(row['flops'])}FLOPs"
    what += "" if complexity == "flops" else f", {shown(complexity, row['cost'])}"
    score = f", top-1 {row['top1']:.1%}" if row["top1"] is not None else ""
    kept = ", kept" if row["kept"] else ""
    return _Point(
        x=x,
        y=y,
        error=error,
        number=row["number"],
        axis=Axis(row["axis"]),
        regime=row["regime"],
        kept=row["kept"],
        cost=row["cost"],
        frontier_cost=row["frontier_cost"],
        title=f"step {row['step']}, X-{row['axis'].capitalize()}: {what}{score}{kept}",
    )


def _error(row: Mapping[str, Any]) -> float:
    """One standard error of the top-1, in points of a hundred; of the kept candidates alone, or none could be read."""
    return 100 * standard_error(row["top1"], row["videos"]) if row["kept"] and row["videos"] else 0.0


def _places(points: Sequence[_Point]) -> Line:
    return np.array([(p.x, p.y) for p in points], dtype=float).reshape(-1, 2)


def _expansions(points: Sequence[_Point]) -> list[_Point]:
    """The candidates that expansions kept, in order."""
    return sorted((p for p in points if p.kept and p.regime is None), key=lambda p: p.number)


def _path(points: Sequence[_Point]) -> Line:
    return _places(_expansions(points))


def _branches(points: Sequence[_Point]) -> list[Line]:
    """A line from the step that a contraction starts from to the network that it keeps."""
    starts = {p.cost: p for p in _expansions(points)}
    kept = (p for p in points if p.kept and p.regime is not None and p.frontier_cost in starts)
    return [_places([starts[p.frontier_cost], p]) for p in kept]


def _errors(points: Sequence[_Point]) -> list[Line]:
    spread = ((p, max(0.0, p.y - p.error), min(100.0, p.y + p.error)) for p in points if p.error)
    return [np.array([(p.x, low), (p.x, high)]) for p, low, high in spread]


def _draw(axes: Axes, points: Sequence[_Point], lines: Sequence[Line], size: Size) -> None:
    """Every point, the path (the first of `lines`), branches dotted and error bars upright."""
    path, *others = lines
    if len(path):
        axes.plot(*path.T, color=COLOURS["ink"], linewidth=1.3, zorder=2)
    for line in others:
        upright = line[0, 0] == line[1, 0]
        axes.plot(*line.T, color=COLOURS["muted"], linewidth=1.1, linestyle="-" if upright else ":", zorder=2)
    drawn: set[tuple[int, float, float]] = set()
    for index, point in enumerate(points):
        # Candidates that are the same network lie on each other.
        place = point.number, point.x, point.y
        _draw_point(axes, point, size.marker * (AGAIN if place in drawn else 1), f"point-{index}")
        drawn.add(place)


def _draw_point(axes: Axes, point: _Point, marker: float, gid: str) -> None:
    colour, hollow = COLOURS[point.axis.value], point.regime is not None
    axes.plot(
        [point.x],
        [point.y],
        marker=MARKERS[point.axis],
        markersize=marker * (KEPT if point.kept else 1),
        markerfacecolor=COLOURS["paper"] if hollow else colour,
        markeredgecolor=colour if hollow else COLOURS["ink"] if point.kept else COLOURS["paper"],
        markeredgewidth=1.5 if hollow else 1.1 if point.kept else 0.6,
        linestyle="none",
        clip_on=False,
        zorder=4 if point.kept else 3,
        gid=gid,
    )


def _percent_limits(points: Sequence[_Point]) -> tuple[float, float]:
    """Every point and its error bar, with air above for the labels."""
    low, high = min(p.y - p.error for p in points), max(p.y + p.error for p in points)
    low, high = max(0.0, low), min(100.0, high)
    spread = max(high - low, 2.0)
    return low - 0.06 * spread, high + 0.14 * spread


def _labels(points: Sequence[_Point], instances: Sequence[InstanceRecord], *, numbers: bool) -> list[Label]:
    """Names of the instances, and the numbers of the steps where the figure does not say them otherwise."""
    labels = []
    for point in points:
        if not point.kept:
            continue
        kind = "expansion" if point.regime is None else "contraction"
        here = [i.name for i in instances if (i.step, i.kind) == (point.number, kind)]
        names = here if point.regime is None else [name for name in here if name == point.regime]
        number = [str(point.number)] if numbers and point.regime is None else []
        if number or names:
            labels.append(Label(" ".join([*number, ", ".join(names)]).strip(), point.x, point.y, bold=bool(names)))
    # Numbers need less room and should stand nearest.
    return sorted(labels, key=lambda label: label.bold)


def _panel(
    name: str,
    description: str,
    rows: Sequence[Mapping[str, Any]],
    curves: Mapping[str, pd.DataFrame],
    limits: tuple[float, float],
) -> str:
    """The curves of one step's trials; one that several candidates share is the first's, or the kept one's."""
    drawn: set[str] = set()
    with drawing(PANEL) as axes:
        for row in sorted(rows, key=lambda row: not row["kept"]):
            if row["trial"] in curves and row["trial"] not in drawn:
                drawn.add(row["trial"])
                _draw_curve(axes, row, curves[row["trial"]])
        axes.set_ylim(*limits)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        return to_svg(axes, name, description)


def _draw_curve(axes: Axes, row: Mapping[str, Any], epochs: pd.DataFrame) -> None:
    """The kept candidate's is thick and on top, that of a trial that failed is dashed."""
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
