"""What `expander test` prints: the scores of each Views, the worst classes, what is taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from expander.cli.output import document, new_table, notes, print_json
from expander.units import human

if TYPE_CHECKING:
    from results.classes import ByClass
    from results.scores import Scored

# Classes, and pairs of them, that are listed.
LISTED = 5


def print_scores(
    name: str, scores: Sequence[Scored], by_class: Sequence[ByClass], damaged: Sequence[str], as_json: bool
) -> None:
    """The scores and, for each of them, the classes. One score is at the top of the document too, several are a table.

    The classes are listed for the Views with the most views of a video alone; the document has them for all.
    """
    if as_json:
        top = asdict(scores[0].metrics) if len(scores) == 1 else {}
        rows = [_row(*pair) for pair in zip(scores, by_class, strict=True)]
        print_json({"name": name, **top, "scores": rows, "damaged": list(damaged)})
        return
    if len(scores) == 1:
        _print_line(name, scores[0], by_class[0])
    else:
        _print_table(name, scores, by_class)
    most = max(range(len(scores)), key=lambda place: scores[place].views.per_video)
    _print_classes(by_class[most], f" from {scores[most].views.name}" if len(scores) > 1 else "")
    note_damaged(damaged)


def note_damaged(damaged: Sequence[str]) -> None:
    """The videos that were left out, a line each, on stderr."""
    for video in damaged:
        notes().print(f"left out: {video}", markup=False)


def _row(scored: Scored, by_class: ByClass) -> dict[str, Any]:
    number = scored.views.per_video
    return {
        **scored.as_dict(),
        "top1_error": scored.error,
        "views_per_video": number,
        "flops_per_view": scored.flops // number,
        "top1_top5_mean": scored.average,
        "class_mean_top1": by_class.mean,
        "per_class": [each.as_dict() for each in by_class.classes],
        "confusions": [each.as_dict() for each in by_class.confusions],
    }


def _print_line(name: str, scored: Scored, by_class: ByClass) -> None:
    metrics = scored.metrics
    shares = f"top-1 {metrics.top1:.1%}, top-5 {metrics.top5:.1%}, their mean {scored.average:.1%}"
    classes = f"top-1 as the mean of {_count(len(by_class.classes), 'class', 'classes')} {by_class.mean:.1%}"
    line = f"{name}: {shares}, {classes}, loss {metrics.loss:.3f} on {_count(metrics.videos, 'video', 'videos')}"
    document().print(line, markup=False, soft_wrap=True)


def _print_table(name: str, scores: Sequence[Scored], by_class: Sequence[ByClass]) -> None:
    """Two tables: one of all columns is wider than a terminal."""
    right = ("a video", "FLOPs a view", "FLOPs a video", "top-1 %", "±", "top-5 %", "loss", "videos")
    table = new_table(name, ("views",), right)
    means = new_table("Means", ("views",), ("of top-1 and top-5 %", "of the classes' top-1 %"))
    for scored, classes in zip(scores, by_class, strict=True):
        views, metrics = scored.views, scored.metrics
        flops = human(scored.flops / views.per_video), human(scored.flops)
        shares = (f"{100 * share:.2f}" for share in (metrics.top1, scored.error, metrics.top5))
        table.add_row(views.name, str(views.per_video), *flops, *shares, f"{metrics.loss:.3f}", f"{metrics.videos:,}")
        means.add_row(views.name, f"{100 * scored.average:.2f}", f"{100 * classes.mean:.2f}")
    document().print(table)
    document().print(means)


def _print_classes(by_class: ByClass, views: str) -> None:
    """Nothing where every video is right."""
    if not by_class.worst:
        return
    worst = new_table(f"Worst classes{views}", ("class",), ("top-1 %", "right", "videos"))
    for each in by_class.worst[:LISTED]:
        worst.add_row(escape(each.name), f"{100 * each.top1:.2f}", f"{each.right:,}", f"{each.videos:,}")
    document().print(worst)
    pairs = new_table(f"Most frequent confusions{views}", ("class", "predicted"), ("videos",))
    for pair in by_class.confusions[:LISTED]:
        pairs.add_row(escape(pair.name), escape(pair.predicted_name), f"{pair.videos:,}")
    document().print(pairs)


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
