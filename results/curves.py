"""Accuracy against the cost of scoring a video (Fig. 3, Fig. A.4), one curve a network: of the search, and of files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from expander.axis import Axis
from expander.complexity import Complexity
from expander.errors import UsageError
from expander.geometry import Geometry
from expander.plan import inference_flops
from expander.units import human
from results.drawing import COLOURS, Label, Line, Size, drawing, place_labels, round_flops, tick_flops, to_svg
from results.scores import NetworkScores, Scored

if TYPE_CHECKING:
    from results.records import InstanceRecord
    from results.search import SearchStore

HALF = Size(580, 400, 10.5, 6)
# The colours that are told apart by everybody are those of the axes; the figure's own legend says what they mean here.
PALETTE = (Axis.SPATIAL, Axis.FAST, Axis.DEPTH, Axis.WIDTH, Axis.TEMPORAL, Axis.BOTTLENECK)
# What is marked with it was scored on other videos.
ELSEWHERE = "*"


@dataclass(frozen=True)
class Curve:
    """One network's scores on one set of videos, those of centre crops first and each from cheap to dear.

    label: its name, with its file where another has the same name. ours: an instance of the search. same_videos: scored
    on those that the search validates on. geometry: plain values. val, weights, versions, tested: of the files; None
    or empty where all comes from the store.
    """

    name: str
    label: str
    ours: bool
    same_videos: bool
    scores: tuple[Scored, ...]
    geometry: Mapping[str, Any]
    complexity: Complexity
    search: str | None
    trial: str | None
    files: tuple[NetworkScores, ...] = ()
    colour: str = PALETTE[0].value

    @property
    def center(self) -> tuple[Scored, ...]:
        """The scores of K-Center."""
        return tuple(scored for scored in self.scores if scored.views.crops == "center")

    @property
    def three(self) -> tuple[Scored, ...]:
        """The scores of K-LeftCenterRight."""
        return tuple(scored for scored in self.scores if scored.views.crops != "center")

    @property
    def fullest(self) -> Scored:
        """The score that a table shows alone: of most clips, with a centre crop where there is one."""
        return (self.center or self.three)[-1]

    @property
    def text(self) -> str:
        """The label, marked where the videos are others."""
        return self.label if self.same_videos else f"{self.label} {ELSEWHERE}"


def curves(search: SearchStore, files: Sequence[NetworkScores] = ()) -> tuple[Curve, ...]:
    """A curve for each instance that was trained and for each network in `files`, by the cost of a clip.

    Files of the same weights and videos make one curve, together with what the store knows of their trial. Raises
    UsageError where two of them give the same views.
    """
    val = (search.record_of.data or {}).get("val", {}).get("sha256") or (files[0].val.sha256 if files else None)
    stored = [_stored(search, instance) for instance in search.instances() if instance.score is not None]
    own = {(curve.name, curve.trial): curve for curve in stored}
    found: dict[tuple[str, str | None], Curve] = {}
    others: list[Curve] = []
    for group in _groups(files):
        key = group[0].name, group[0].trial
        curve = replace(_of_files(group, same_videos=group[0].val.sha256 == val), ours=key in own)
        if curve.ours and curve.same_videos and key not in found:
            found[key] = replace(curve, scores=_merged(curve.scores, own[key].scores))
        else:
            others.append(curve)
    return _told_apart(sorted([*(own | found).values(), *others], key=lambda curve: curve.complexity.flops))


def accuracy_against_inference(curves: Sequence[Curve], size: Size, *, log: bool) -> str:
    """Top-1 against the multiply-adds of all views of a video, on a linear axis (Fig. 3) or a log one (Fig. A.4).

    The linear one has room for K-Center alone, where there is any: three crops cost four times as much.
    """
    scale = "log" if log else "linear"
    everything = log or not any(curve.center for curve in curves)

    def shown(scored: Scored) -> bool:
        return everything or scored.views.crops == "center"

    with drawing(size) as axes:
        axes.set_xscale(scale)
        axes.set_xlabel(f"multiply-adds for a video, FLOPs ({scale} scale)")
        axes.set_ylabel("top-1 on validation, %")
        lines = [line for curve in curves for line in _draw(axes, curve, shown)]
        titles = _draw_points(axes, curves, shown, size.marker)
        points = np.concatenate(lines)
        _limit(axes, points, size, log=log)
        ends = [(curve, curve.fullest) for curve in curves if shown(curve.fullest)]
        labels = [Label(curve.text, end.flops, 100 * end.metrics.top1, bold=curve.ours) for curve, end in ends]
        place_labels(axes, labels, points, lines, size.marker / 2)
        return to_svg(
            axes, f"inference-{scale}-{size.width:g}", f"Top-1 against FLOPs of a video, {scale} scale", titles
        )


def _stored(search: SearchStore, instance: InstanceRecord) -> Curve:
    """What the search itself scored: one point, of its own views."""
    assert instance.trial is not None
    record = search.trial(instance.trial)
    assert record.completed is not None
    views = record.trial.views
    cost = Complexity(instance.flops, instance.params, instance.params_without_batchnorm, instance.activations)
    flops = inference_flops(Geometry.from_dict(instance.geometry), views)
    return Curve(
        name=instance.name,
        label=instance.name,
        ours=True,
        same_videos=True,
        scores=(Scored(views, flops, record.completed.metrics),),
        geometry=instance.geometry,
        complexity=cost,
        search=search.name,
        trial=instance.trial,
    )


def _groups(files: Iterable[NetworkScores]) -> list[list[NetworkScores]]:
    """Files of the same network with the same weights, tested on the same videos."""
    found: dict[tuple[str, str, str], list[NetworkScores]] = {}
    for file in files:
        found.setdefault((file.name, file.weights, file.val.sha256), []).append(file)
    return list(found.values())


def _of_files(group: Sequence[NetworkScores], *, same_videos: bool) -> Curve:
    first = group[0]
    given: dict[str, str] = {}
    for file in group:
        for scored in file.scores:
            name = scored.views.name
            if name in given:
                raise UsageError(
                    f"--scores {file.source}: {name} of {file.name} stands in {given[name]} too, for the same weights"
                    " and videos; give one of the two"
                )
            given[name] = file.source
    return Curve(
        name=first.name,
        label=first.name,
        ours=False,
        same_videos=same_videos,
        scores=_merged([scored for file in group for scored in file.scores], ()),
        geometry=first.geometry,
        complexity=first.complexity,
        search=first.search,
        trial=first.trial,
        files=tuple(group),
    )


def _merged(scores: Sequence[Scored], others: Sequence[Scored]) -> tuple[Scored, ...]:
    """`scores`, and of `others` those of other views."""
    known = {scored.views for scored in scores}
    all_of_them = [*scores, *(scored for scored in others if scored.views not in known)]
    return tuple(sorted(all_of_them, key=lambda scored: (scored.views.crops, scored.flops)))


def _told_apart(curves: Sequence[Curve]) -> tuple[Curve, ...]:
    """With colours, the search's own first, and with the file's name where another has the same."""
    colours = chain((axis.value for axis in PALETTE), repeat("muted"))
    mine_first = sorted(curves, key=lambda curve: not (curve.ours and curve.same_videos))
    found: dict[int, Curve] = {}
    for curve, colour in zip(mine_first, colours, strict=False):
        again = any(other.name == curve.name for other in found.values())
        label = f"{curve.name}, {Path(curve.files[0].source).name}" if again else curve.name
        found[id(curve)] = replace(curve, colour=colour, label=label)
    return tuple(found[id(curve)] for curve in curves)


def _draw(axes: Axes, curve: Curve, shown: Callable[[Scored], bool]) -> Iterator[Line]:
    """Both lines of a network, as far as there are points for them; the dotted one begins where the other ends."""
    center, three = list(filter(shown, curve.center)), list(filter(shown, curve.three))
    for scores, style in ((center, "-" if curve.ours else "--"), (center[-1:] + three if three else [], ":")):
        if scores:
            line = np.array([(scored.flops, 100 * scored.metrics.top1) for scored in scores], dtype=float)
            axes.plot(*line.T, color=COLOURS[curve.colour], linewidth=1.4, linestyle=style, zorder=2)
            yield line


def _draw_points(axes: Axes, curves: Sequence[Curve], shown: Callable[[Scored], bool], marker: float) -> list[str]:
    """Every score; what each says when a reader points at it."""
    titles: list[str] = []
    for curve in curves:
        for scored in filter(shown, curve.scores):
            center, colour = scored.views.crops == "center", COLOURS[curve.colour]
            filled = center and curve.same_videos
            axes.plot(
                [scored.flops],
                [100 * scored.metrics.top1],
                marker="D" if not center else "o" if curve.same_videos else "X",
                markersize=marker,
                markerfacecolor=colour if filled else COLOURS["paper"],
                markeredgecolor=COLOURS["paper"] if filled else colour,
                markeredgewidth=0.6 if filled else 1.4,
                linestyle="none",
                clip_on=False,
                zorder=3,
                gid=f"point-{len(titles)}",
            )
            what = f"{scored.views.name}, {human(scored.flops)}FLOPs, top-1 {scored.metrics.top1:.1%}"
            titles.append(f"{curve.label}: {what}{'' if curve.same_videos else ', on other videos'}")
    return titles


def _limit(axes: Axes, points: Line, size: Size, *, log: bool) -> None:
    """Room around the points, more above for the labels, and round ticks."""
    (left, low), (right, high) = points.min(0), points.max(0)
    spread = max(high - low, 2.0)
    axes.set_ylim(low - 0.08 * spread, high + 0.16 * spread)
    axes.yaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    if log:
        axes.set_xlim(left / 1.5, right * 1.5)
        tick_flops(axes.xaxis, axes.get_xlim(), size.width - 60, 36)
    else:
        axes.set_xlim(0, 1.08 * right)
        axes.xaxis.set_major_locator(MaxNLocator(int(size.width // 70), steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: round_flops(value)))
