"""The scores of every video as a table in Parquet: `expander test --per-video` writes it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from expander.files import fill_whole
from expander.trial import VideoScore, Views
from results.classes import class_name

# The probabilities of all classes are not kept: of 20,000 videos, 400 classes and seven Views they are 224 MB that no
# compression makes smaller, and the rest of the table is about 5 MB.
SCHEMA = pa.schema(
    [
        pa.field("video", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("label", pa.int32(), nullable=False),
        pa.field("class", pa.string(), nullable=False),
        pa.field("views", pa.string(), nullable=False),
        pa.field("predicted", pa.int32()),
        pa.field("predicted_class", pa.string()),
        pa.field("top1", pa.bool_()),
        pa.field("top5", pa.bool_()),
        pa.field("rank", pa.int32()),
        pa.field("probability", pa.float64()),
        pa.field("loss", pa.float64()),
        pa.field("damaged", pa.string()),
    ]
)
TOP = 5


@dataclass(frozen=True)
class TestedVideo:
    """One line of a manifest. name: what the manifest calls it. damaged: why it could not be read, else None."""

    __test__ = False  # no test class, for pytest

    name: str
    path: Path
    label: int
    damaged: str | None = None


def write_videos(
    videos: Sequence[TestedVideo],
    scores: Mapping[Views, Sequence[VideoScore]],
    names: Sequence[str],
    out: Path,
) -> None:
    """Write a row for each of `videos` and of the Views to `out`, as Parquet, whole or not at all.

    The rows of one Views follow those of another, each in the order of `videos`. names: of the classes, by label.
    Raises FileError where the file cannot be written. The columns:

    video: its name in the manifest; path: where it was read from
    label, class: the right class, and its name
    views: '10-Center', '10-LeftCenterRight'
    predicted, predicted_class: the most probable class, and its name
    top1, top5: whether the right class is the most probable one, and among the five
    rank: place of the right class by probability, from 1
    probability: of the right class, averaged over the views, in [0, 1]; loss: minus its logarithm, in nats
    damaged: why the video could not be read. It has no scores then: all from `predicted` on are null, and no other's
    """
    rows = [row for views, of_views in scores.items() for row in _rows(videos, views, of_views, names)]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    fill_whole(out, lambda file: pq.write_table(table, file, compression="zstd"))


def _rows(
    videos: Sequence[TestedVideo], views: Views, scores: Sequence[VideoScore], names: Sequence[str]
) -> Iterator[dict[str, Any]]:
    at_place = {score.video: score for score in scores}
    for place, video in enumerate(videos):
        row = {
            "video": _text(video.name),
            "path": _text(str(video.path)),
            "label": video.label,
            "class": class_name(video.label, names),
            "views": views.name,
        }
        if video.damaged is None:
            yield row | _scored(at_place[place], names)
        else:
            yield row | {"damaged": _text(video.damaged)}


def _scored(score: VideoScore, names: Sequence[str]) -> dict[str, Any]:
    return {
        "predicted": score.predicted,
        "predicted_class": class_name(score.predicted, names),
        "top1": score.rank == 1,
        "top5": score.rank <= TOP,
        "rank": score.rank,
        "probability": math.exp(-score.loss),
        "loss": score.loss,
    }


def _text(text: str) -> str:
    """`text` with the bytes of a file name that are no UTF-8 written out: Parquet has no others."""
    return text.encode("utf-8", "backslashreplace").decode()
