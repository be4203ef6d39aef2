"""Testing a network from several views: the command, the file of its scores, and its strict reader."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from conftest import Expander, Videos
from torch import nn

from expander.axis import Factors
from expander.complexity import Complexity, measure
from expander.efficientnet3d import EFFICIENTNET3D
from expander.errors import FileError, SpaceError, UsageError
from expander.geometry import Basis, Geometry, Stage, realise
from expander.plan import inference_flops
from expander.trial import Metrics, Views
from expander.units import human
from results.scores import NetworkScores, Scored, TestedOn, read_scores, standard_error, write_scores
from trainers.checkpoint import save_weights
from trainers.data.manifest import ManifestSource, fingerprint, read_pair
from trainers.networks.build import build
from trainers.train import score

GEOMETRY = Geometry(4, 3, 32, (Stage(1, 16, 24, 8), Stage(2, 24, 40, 8)), classes=6, head_width=64)
CURVE = "1,3,5,7,10,2-LeftCenterRight"
VIEWS = (*map(Views, (1, 3, 5, 7, 10)), Views(2, "left-center-right"))
LARGER = Metrics(0.625, 1.0, 0.5, 95)
SCORES = NetworkScores(
    name="Tiny",
    geometry=GEOMETRY.as_dict(),
    complexity=measure(GEOMETRY),
    scores=(
        Scored(Views(1), measure(GEOMETRY).flops, Metrics(0.5, 0.75, 1.25, 95)),
        Scored(Views(10, "left-center-right"), 30 * measure(replace(GEOMETRY, crop=36)).flops, LARGER),
    ),
    val=TestedOn("/videos/<val>.csv", 96, "a5" * 32),
    weights="5a" * 32,
    search="one",
    trial=None,
    damaged=("torn \udcff.mp4: cannot be opened",),
    versions={"torch": "2.13.0"},
    tested=datetime(2026, 11, 22, 12, tzinfo=UTC),
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a network with random weights, whose scores differ from view to view."""
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = build(GEOMETRY)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm3d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.running_mean, -0.2, 0.2)
        save_weights(path, model)
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "Tiny.yaml"
    provenance = {"search": "one", "trial": "0123456789abcdef"}
    path.write_text(yaml.safe_dump({"name": "Tiny", "geometry": GEOMETRY.as_dict(), "provenance": provenance}))
    return path


# The scores.


def test_several_views_score_what_each_scores_alone(weights: Path, videos: Videos) -> None:
    manifest = ManifestSource(videos.val).read()
    together, damaged = score(GEOMETRY, weights, manifest, VIEWS, threads=1)
    assert damaged == ()
    for views, metrics in zip(VIEWS, together.metrics, strict=True):
        (alone,) = score(GEOMETRY, weights, manifest, [views], threads=1)[0].metrics
        # Every count is the same; the last bits of a logit depend on the clips that it is computed together with.
        assert metrics == replace(alone, loss=pytest.approx(alone.loss, abs=1e-6))
    assert len({metrics.loss for metrics in together.metrics}) == len(VIEWS)


# The command.


def test_a_curve_is_printed_and_kept_with_all_that_it_comes_from(
    expander: Expander, config: Path, weights: Path, videos: Videos, tmp_path: Path
) -> None:
    test = ("test", config, "--weights", weights, "--val", videos.val, "--threads", 1)
    document = json.loads(expander(*test, "--views", CURVE, "--out", "new/tiny.json", "--json").stdout)
    assert "top1" not in document
    rows = document["scores"]
    assert [row["views"]["clips"] for row in rows] == [1, 3, 5, 7, 10, 2]
    assert [row["views_per_video"] for row in rows] == [1, 3, 5, 7, 10, 6]
    assert {row["flops_per_view"] for row in rows[:5]} == {measure(GEOMETRY).flops}
    assert [row["flops_per_video"] for row in rows] == [inference_flops(GEOMETRY, views) for views in VIEWS]
    assert all(row["top1_error"] == standard_error(row["top1"], row["videos"]) for row in rows)

    kept = read_scores(tmp_path / "new" / "tiny.json")
    for scored, row in zip(kept.scores, rows, strict=True):
        assert scored.as_dict().items() <= row.items()
    assert (kept.name, kept.search, kept.trial) == ("Tiny", "one", "0123456789abcdef")
    assert kept.geometry == GEOMETRY.as_dict()
    assert kept.complexity == measure(GEOMETRY)
    assert kept.weights == hashlib.sha256(weights.read_bytes()).hexdigest()
    # The fingerprint that a search over these videos has of them.
    recorded = fingerprint(*read_pair(ManifestSource(videos.train), ManifestSource(videos.val))).val
    assert (kept.val.sha256, kept.val.videos) == (recorded.sha256, recorded.videos)
    assert kept.versions["torch"] == torch.__version__
    assert abs((datetime.now(UTC) - kept.tested).total_seconds()) < 600
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["tiny.json"]


def test_one_score_is_at_the_top_of_the_document_and_a_line(
    expander: Expander, config: Path, weights: Path, videos: Videos
) -> None:
    test = ("test", config, "--weights", weights, "--val", videos.val, "--threads", 1)
    document = json.loads(expander(*test, "--views", "3-center", "--json").stdout)
    (row,) = document["scores"]
    top = {key: document[key] for key in ("top1", "top5", "loss", "videos")}
    assert list(document) == ["name", *top, "scores", "damaged"]
    assert top.items() <= row.items()
    line = expander(*test, "--views", "3").stdout.splitlines()[0]
    mean, of_classes = row["top1_top5_mean"], row["class_mean_top1"]
    assert line == (
        f"Tiny: top-1 {top['top1']:.1%}, top-5 {top['top5']:.1%}, their mean {mean:.1%}, top-1 as the mean of 6 classes"
        f" {of_classes:.1%}, loss {top['loss']:.3f} on 12 videos"
    )
    table = expander(*test, "--views", "1,1-LeftCenterRight").stdout
    for text in ("1-Center", "1-LeftCenterRight", "FLOPs a view", "FLOPs a video", "±"):
        assert text in table


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--views", "1,0"], "--views 1,0: '0' names no views; expected K or K-Center"),
        (["--views", "10-LCR"], "'10-LCR' names no views"),
        (["--views", ""], "'' names no views"),
        (["--views", "10,10-center"], "10-Center stands twice; give it once"),
        (["--out", "."], "--out . is a folder; give a file in it, such as Tiny.json"),
        (["--per-video", "."], "--per-video . is a folder; give a file in it, such as Tiny.parquet"),
        (["--out", "a", "--per-video", "./a"], "--per-video a is the file of --out too; give each its own"),
    ],
)
def test_wrong_views_and_files_are_refused_before_anything_is_decoded(
    expander: Expander, config: Path, options: list[str], message: str
) -> None:
    failed = expander("test", config, "--weights", "none", "--val", "none", *options, code=2)
    assert message in " ".join(failed.stderr.split())


# The file.


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    write_scores(SCORES, path)
    assert read_scores(path) == replace(SCORES, source=str(path))


def test_a_file_that_cannot_be_written_or_read_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written: No such file"):
        write_scores(SCORES, tmp_path / "nowhere" / "scores.json")
    with pytest.raises(UsageError, match="cannot be read: No such file or directory; `expander test CONFIG --out"):
        read_scores(tmp_path / "scores.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"name: X3D-S", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "scores.json"
    path.write_bytes(content)
    with pytest.raises(SpaceError, match=r"scores.json: not JSON: .*; `expander test CONFIG --out FILE` writes"):
        read_scores(path)


def test_every_mistake_of_a_file_is_told_with_its_place(tmp_path: Path) -> None:
    values: dict[str, Any] = SCORES.as_dict()
    values["scores"] = [*values["scores"], {**values["scores"][0], "videos": 97}]
    values["val"] = {**values["val"], "sha256": "a5"}
    values |= {"tested": "yesterday", "geometry": {"frames": 4, "stride": 3, "crop": 32, "network": "another"}}
    path = tmp_path / "s.json"
    path.write_text(json.dumps(values))
    with pytest.raises(SpaceError) as error:
        read_scores(path)
    assert str(error.value).splitlines() == [
        f"{path}: scores.2.videos: found 97; val.videos has 96",
        f"{path}: scores.2.views: 1-Center stands twice; keep one of them",
        f"{path}: tested: found 'yesterday'; expected a date and time with its offset from UTC,"
        " as 2026-11-22T12:00:00+00:00",
        f"{path}: val.sha256: found 'a5'; expected the 64 hexadecimal digits of a SHA-256",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": []}, "scores: found []; expected 1 or more entries"),
        ({"scores": [{"top1": 2}]}, "scores.0.top1: found 2; expected at most 1"),
        ({"weights": None}, "weights: found nothing (null); expected a text"),
        ({"score": 1}, "score: unknown key; allowed: name, scores,"),
        ({"geometry": {"frames": 4}}, "geometry.crop: is missing; it has no default"),
        ({"complexity": {"flops": 0}}, "complexity.flops: found 0; expected at least 1"),
    ],
)
def test_a_value_that_cannot_be_is_told(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps(SCORES.as_dict() | change))
    with pytest.raises(SpaceError) as error:
        read_scores(path)
    assert message in str(error.value)


X3D_S = realise(Factors(13, 6, 160 / 112, 1, 2.25, 2.2), Basis())
XS = measure(replace(X3D_S, frames=4))
ELSEWHERE = {"network": "another", "frames": 13, "stride": 6, "crop": 160}


def scores_of(geometry: dict[str, Any], complexity: Complexity, *rows: tuple[Views, int]) -> dict[str, Any]:
    metrics = Metrics(0.5, 0.75, 1.25, 95)
    scores = tuple(Scored(views, flops, metrics) for views, flops in rows)
    return replace(SCORES, geometry=geometry, complexity=complexity, scores=scores).as_dict()


def mistakes_of(values: dict[str, Any], path: Path) -> list[str]:
    path.write_text(json.dumps(values))
    with pytest.raises(SpaceError) as error:
        read_scores(path)
    return str(error.value).replace(f"{path}: ", "").splitlines()


def test_a_file_must_agree_with_its_own_geometry(tmp_path: Path) -> None:
    right, path = measure(X3D_S), tmp_path / "s.json"
    three = Views(10, "left-center-right")
    rows = ((Views(10), 10 * right.flops), (three, inference_flops(X3D_S, three)))
    path.write_text(json.dumps(scores_of(X3D_S.as_dict(), right, *rows)))
    assert read_scores(path).complexity == right
    assert mistakes_of(scores_of(X3D_S.as_dict(), XS, *rows), path) == [
        f"complexity.activations: found {XS.activations:,}; the geometry has {right.activations:,}",
        f"complexity.flops: found 605,256,512; the geometry has {right.flops:,}",
    ]
    cheap = (Views(10), 7), (three, 30 * right.flops)
    assert mistakes_of(scores_of(X3D_S.as_dict(), right, *cheap), path) == [
        f"scores.0.flops_per_video: found 7; 10-Center of this network takes {10 * right.flops:,}",
        f"scores.1.flops_per_video: found {30 * right.flops:,}; 10-LeftCenterRight of this network takes"
        f" {inference_flops(X3D_S, three):,}",
    ]


def test_of_another_network_a_file_must_agree_with_its_complexity(tmp_path: Path) -> None:
    path, three = tmp_path / "s.json", Views(10, "left-center-right")
    path.write_text(json.dumps(scores_of(ELSEWHERE, XS, (Views(3), 3 * XS.flops), (three, 7))))
    assert read_scores(path).complexity == XS
    assert mistakes_of(scores_of(ELSEWHERE, XS, (Views(3), XS.flops)), path) == [
        "scores.0.flops_per_video: found 605,256,512; 3-Center of this network takes 1,815,769,536"
    ]
    # An X3D's keys with what no X3D is made of: nothing is known of it either.
    strange = X3D_S.as_dict() | {"blocks": [1, 2]}
    path.write_text(json.dumps(scores_of(strange, XS, (Views(3), 3 * XS.flops))))
    assert read_scores(path).complexity == XS


def test_an_efficientnet3d_must_agree_with_its_geometry(tmp_path: Path) -> None:
    network = EFFICIENTNET3D["EfficientNet3D-B0"]
    right = measure(network)
    wrong = replace(right, params=right.params + 1)
    assert mistakes_of(scores_of(network.as_dict(), wrong, (Views(1), right.flops)), tmp_path / "s.json") == [
        f"complexity.params: found {right.params + 1:,}; the geometry has {right.params:,}"
    ]


def test_shares_and_dates_that_cannot_be_are_told(tmp_path: Path) -> None:
    values = scores_of(X3D_S.as_dict(), measure(X3D_S), (Views(1), measure(X3D_S).flops))
    values["scores"][0] |= {"top1": 0.75, "top5": 0.5}
    assert mistakes_of(values | {"tested": "2026-11-22T12:00:00"}, tmp_path / "s.json") == [
        "scores.0.top5: found 0.5, less than top1, which is 0.75",
        "tested: found '2026-11-22T12:00:00'; expected a date and time with its offset from UTC,"
        " as 2026-11-22T12:00:00+00:00",
    ]


def test_a_report_draws_the_scores_that_it_is_given(expander: Expander, tmp_path: Path) -> None:
    write_scores(SCORES, tmp_path / "s.json")
    write_scores(replace(SCORES, name="Another", val=TestedOn("test.csv", 96, "0b" * 32)), tmp_path / "other.json")
    (tmp_path / "broken.json").write_text("{}")
    expander("search", "x3d_published", "--name", "published")
    report = ("report", "published", "--out", "report.html")
    expander(*report, "--scores", "s.json", "--scores", "other.json")
    page = (tmp_path / "report.html").read_text()
    point = f"Tiny: 1-Center, {human(measure(GEOMETRY).flops)}FLOPs, top-1 50.0%"
    assert page.count(point) == 4  # two axes, wide and narrow
    assert "Another was tested on other videos than Tiny here." in page
    assert "broken.json: name: is missing" in expander(*report, "--scores", "broken.json", code=2).stderr
    assert "stands in s.json too" in " ".join(expander(*report, *2 * ("--scores", "s.json"), code=2).stderr.split())
    assert (tmp_path / "report.html").read_text() == page
