"""A test by classes, and video by video: accuracy of each class, confusions, the table in Parquet."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from conftest import Expander, Videos

from expander.errors import FileError
from expander.geometry import Geometry, Stage
from expander.trial import VideoScore, Views
from results.classes import ClassScore, Confusion, by_class
from results.videos import SCHEMA, TestedVideo, write_videos
from trainers.checkpoint import save_weights
from trainers.networks.build import build

NAMES = ("archery", "bowling", "crying", "diving")


def scored(*pairs: tuple[int, int]) -> list[VideoScore]:
    """Videos of (label, predicted)."""
    return [
        VideoScore(place, label, predicted, 1 if label == predicted else 2, 0.5)
        for place, (label, predicted) in enumerate(pairs)
    ]


# By classes.


def test_classes_and_confusions_are_the_matrix() -> None:
    # archery 2 of 3, bowling 0 of 2, crying without a video, diving 1 of 1: the mean of the classes is 5/9, not 1/2.
    found = by_class(scored((0, 0), (0, 2), (0, 0), (1, 2), (1, 2), (3, 3)), NAMES)
    assert found.classes == (
        ClassScore(0, "archery", 3, 2),
        ClassScore(1, "bowling", 2, 0),
        ClassScore(3, "diving", 1, 1),
    )
    assert found.mean == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert [each.name for each in found.worst] == ["bowling", "archery"]
    assert found.confusions == (Confusion(1, "bowling", 2, "crying", 2), Confusion(0, "archery", 2, "crying", 1))
    assert found.classes[0].as_dict() == {"label": 0, "class": "archery", "videos": 3, "right": 2, "top1": 2 / 3}
    assert found.confusions[0].as_dict() == {
        "label": 1,
        "class": "bowling",
        "predicted": 2,
        "predicted_class": "crying",
        "videos": 2,
    }


def test_of_equally_bad_classes_that_with_more_videos_is_worse() -> None:
    found = by_class(scored((0, 1), (2, 1), (2, 1), (3, 1), (1, 1)), NAMES)
    assert [each.label for each in found.worst] == [2, 0, 3]


def test_where_all_is_right_no_class_is_bad() -> None:
    found = by_class(scored((0, 0), (3, 3)), NAMES)
    assert (found.mean, found.worst, found.confusions) == (1, (), ())


def test_a_class_that_the_manifest_does_not_name_is_its_number() -> None:
    found = by_class(scored((0, 17)), ("archery",))
    assert found.confusions == (Confusion(0, "archery", 17, "17", 1),)


@pytest.mark.parametrize(("classes", "videos"), [(2, 9), (7, 500), (400, 300)])
def test_random_scores_agree_with_a_matrix_of_numpy(classes: int, videos: int) -> None:
    random = np.random.default_rng(videos)
    labels, predicted = random.integers(classes, size=(2, videos))
    predicted = np.where(random.random(videos) < 0.5, labels, predicted)
    matrix = np.zeros((classes, classes), int)
    np.add.at(matrix, (labels, predicted), 1)
    found = by_class(scored(*zip(labels.tolist(), predicted.tolist(), strict=True)), tuple(map(str, range(classes))))

    again = np.zeros_like(matrix)
    for each in found.classes:
        again[each.label, each.label] = each.right
    for pair in found.confusions:
        again[pair.label, pair.predicted] = pair.videos
    assert (again == matrix).all()
    totals = matrix.sum(1)
    assert {each.label: each.videos for each in found.classes} == {at: totals[at] for at in np.flatnonzero(totals)}
    assert found.mean == pytest.approx((matrix.diagonal()[totals > 0] / totals[totals > 0]).mean())
    counts = [pair.videos for pair in found.confusions]
    assert counts == sorted(counts, reverse=True)
    assert 0 not in counts


# Video by video.


def test_every_video_has_a_row_for_each_of_the_views(tmp_path: Path) -> None:
    videos = [
        TestedVideo("a.mp4", Path("/v/a.mp4"), 0),
        TestedVideo("b.mp4", Path("/v/\udcff/b.mp4"), 1, damaged="cannot be opened"),
        TestedVideo("c.mp4", Path("/v/c.mp4"), 1),
    ]
    three = Views(2, "left-center-right")
    scores = {
        Views(1): [VideoScore(0, 0, 0, 1, 0.25), VideoScore(2, 1, 9, 6, 800.0)],
        three: [VideoScore(0, 0, 1, 2, 0.5), VideoScore(2, 1, 0, 5, 2.0)],
    }
    write_videos(videos, scores, ("archery", "bowling"), tmp_path / "videos.parquet")
    assert pq.read_schema(tmp_path / "videos.parquet").equals(SCHEMA)
    rows = pq.read_table(tmp_path / "videos.parquet").to_pylist()
    assert [(row["video"], row["views"]) for row in rows] == [
        (name, views) for views in ("1-Center", "2-LeftCenterRight") for name in ("a.mp4", "b.mp4", "c.mp4")
    ]
    assert rows[0] == {
        "video": "a.mp4",
        "path": "/v/a.mp4",
        "label": 0,
        "class": "archery",
        "views": "1-Center",
        "predicted": 0,
        "predicted_class": "archery",
        "top1": True,
        "top5": True,
        "rank": 1,
        "probability": math.exp(-0.25),
        "loss": 0.25,
        "damaged": None,
    }
    assert {key: value for key, value in rows[1].items() if value is not None} == {
        "video": "b.mp4",
        "path": "/v/\\udcff/b.mp4",
        "label": 1,
        "class": "bowling",
        "views": "1-Center",
        "damaged": "cannot be opened",
    }
    hopeless = rows[2]
    assert (hopeless["predicted_class"], hopeless["top5"], hopeless["probability"]) == ("9", False, 0)
    assert (rows[5]["top1"], rows[5]["top5"], rows[5]["rank"]) == (False, True, 5)


def test_a_table_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written: No such file or directory"):
        write_videos([], {}, (), tmp_path / "nowhere" / "videos.parquet")
    assert list(tmp_path.iterdir()) == []


# The command, with fewer than five classes and with a damaged video.


def test_the_table_says_what_is_printed(expander: Expander, videos: Videos, tmp_path: Path) -> None:
    geometry = Geometry(2, 3, 32, (Stage(1, 16, 24, 8), Stage(1, 24, 40, 8)), classes=4, head_width=32)
    (tmp_path / "Tiny.yaml").write_text(yaml.safe_dump({"name": "Tiny", "geometry": geometry.as_dict()}))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        save_weights(tmp_path / "w.safetensors", build(geometry))
    lines = [line for line in videos.val.read_text().splitlines() if int(line.split()[-1]) in (0, 1, 3)]
    (tmp_path / "torn.mp4").write_bytes(b"no video")
    (tmp_path / "val.csv").write_text("\n".join([lines[0], f"{tmp_path}/torn.mp4 3", *lines[1:]]))
    options = ("--val", "val.csv", "--root", videos.val.parent, "--outside-root", "--threads", 1, "--damage-share", 0.2)
    test = ("test", "Tiny.yaml", "--weights", "w.safetensors", *options, "--per-video", "new/v.parquet")

    document = json.loads(expander(*test, "--views", "1,2-LeftCenterRight", "--json").stdout)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["v.parquet"]
    table = pd.read_parquet(tmp_path / "new" / "v.parquet")
    assert len(table) == 14
    torn = table[table.damaged.notna()]
    assert (torn.video.tolist(), torn.index.tolist()) == ([str(tmp_path / "torn.mp4")] * 2, [1, 8])
    assert torn[["predicted", "top1", "top5", "rank", "probability", "loss"]].isna().all(axis=None)
    assert document["damaged"] == [f"{torn.path.iloc[0]}: {torn.damaged.iloc[0]}"]
    intact = table[table.damaged.isna()]
    for name, row in zip(("1-Center", "2-LeftCenterRight"), document["scores"], strict=True):
        of_views = intact[intact.views == name]
        assert len(of_views) == row["videos"] == 6
        assert (of_views.top1.mean(), of_views.top5.mean()) == (row["top1"], row["top5"])
        assert row["top5"] == 1
        assert row["top1_top5_mean"] == (row["top1"] + 1) / 2
        assert of_views.loss.mean() == pytest.approx(row["loss"], rel=1e-5)
        assert np.exp(-of_views.loss).tolist() == pytest.approx(of_views.probability.tolist())
        shares = of_views.groupby("label").top1.mean()
        assert {each["label"]: each["top1"] for each in row["per_class"]} == shares.to_dict()
        assert set(shares.index) == {0, 1, 3}
        assert row["class_mean_top1"] == pytest.approx(shares.mean())
        wrong = of_views[~of_views.top1.astype(bool)].groupby(["label", "predicted"]).size().to_dict()
        assert {(each["label"], each["predicted"]): each["videos"] for each in row["confusions"]} == wrong

    printed = expander(*test, "--views", "1,2-LeftCenterRight").stdout
    last = document["scores"][1]
    for text in ("of top-1 and top-5 %", "of the classes' top-1 %", f"{100 * last['top1_top5_mean']:.2f}"):
        assert text in printed
    for text in ("Worst classes from", "Most frequent confusions"):
        assert text in printed
    pair = last["confusions"][0]
    assert [pair["class"], pair["predicted_class"], str(pair["videos"])] in [
        line.split() for line in printed.split("Most frequent confusions")[1].splitlines()
    ]
