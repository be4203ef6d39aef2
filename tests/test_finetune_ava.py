"""A detector trained and scored: the schedule, one step by hand, resume, and the command on real videos."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from conftest import SHARED
from test_clips import write

from expander.errors import DataError, UsageError
from expander.geometry import Geometry, Stage
from expander.recipe import Recipe
from trainers.checkpoint import save_weights
from trainers.data.ava import Person, Sample, read_proposals
from trainers.data.damage import Ledger
from trainers.detection.clips import KeyFrameClip
from trainers.detection.learner import DetectionLearner
from trainers.detection.network import Detector, detector
from trainers.detection.schedule import Schedule, saturations
from trainers.detection.train import AvaFiles, DetectionTraining
from trainers.networks.x3d import X3D

TINY = Geometry(2, 2, 32, (Stage(1, 8, 18, 8), Stage(1, 16, 36, 8)), classes=3, head_width=32)
RECIPE = Recipe(batch=4, base_rate=0.1, reference_batch=4, batchnorm_group=2, dropout=0.5)
BOXES, ACTIONS = SHARED / "data" / "boxes", SHARED / "data" / "actions"


def test_the_rate_climbs_over_the_warm_up_and_falls_to_a_tenth_where_validation_saturates():
    schedule = Schedule(iterations=100, warmup=10, every=30, patience=2)
    assert schedule.ends() == (30, 60, 90, 100)
    assert schedule.rate(0, 1.6, []) == pytest.approx(0.08)
    assert schedule.rate(9, 1.6, []) == pytest.approx(1.52)
    assert schedule.rate(10, 1.6, []) == 1.6
    assert schedule.rate(95, 1.6, [0.3, 0.2, 0.3]) == pytest.approx(0.16)
    assert Schedule(iterations=60, every=30).ends() == (30, 60)


def test_each_run_of_validations_without_a_better_one_counts_once():
    assert saturations([0.1, 0.2, 0.3], 2) == 0
    assert saturations([0.3, 0.2, 0.25], 2) == 1
    assert saturations([0.3, 0.2, 0.4, 0.4], 2) == 0
    assert saturations([0.3, 0.2, 0.2, 0.2, 0.2], 2) == 2
    assert saturations([0.3, 0.2, 0.2, 0.4, 0.4, 0.4], 2) == 2


def clip(index, boxes, persons):
    torch.manual_seed(index)
    pixels = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    return KeyFrameClip(pixels, torch.tensor(boxes, dtype=torch.float32).view(-1, 4), torch.tensor(persons), index)


def test_the_loss_is_the_binary_cross_entropy_of_every_box_and_class_and_its_gradient_that_of_the_mean():
    person = Person((0, 0, 1, 1), frozenset({7, 9}))
    samples = [Sample(("v", 1), (person, Person((0, 0, 1, 1), frozenset({3}))))] * 4
    whole = [0, 0, 32, 32]
    clips = [clip(0, [whole, whole], [0, 1]), clip(1, [whole], [1]), clip(2, [whole], [0]), clip(3, [], [])]

    def learner():
        torch.manual_seed(0)
        model = Detector(X3D(TINY), 3, dropout=0.0)
        torch.nn.init.zeros_(model.classifier.weight)
        with torch.no_grad():
            model.classifier.bias.copy_(torch.tensor([0.0, 1.0, 2.0]))
        recipe = replace(RECIPE, momentum=0.0, weight_decay=0.0)
        return DetectionLearner(model, recipe, samples, [3, 7, 9], Ledger(1, 1), torch.device("cpu"), 0)

    trained = learner()
    loss = trained.step(iter(clips), 0, rate=1.0)

    def cross(logit, target):
        return math.log1p(math.exp(-logit)) if target else math.log1p(math.exp(logit))

    first = cross(0, 0) + cross(1, 1) + cross(2, 1)  # actions 7 and 9
    second = cross(0, 1) + cross(1, 0) + cross(2, 0)  # action 3
    assert loss == pytest.approx((2 * first + 2 * second) / 4 / 3, rel=1e-5)
    sigmoids = 1 / (1 + np.exp(-np.array([0.0, 1.0, 2.0])))
    wanted = np.array([0.0, 1.0, 2.0]) - (sigmoids - np.array([0.5, 0.5, 0.5])) / 3
    assert np.allclose(trained.model.classifier.bias.detach().numpy(), wanted, atol=1e-5)


@pytest.fixture
def files(tmp_path):
    """Two videos of one second and more, with a person on the left that does 1 and one on the right that does 2."""
    (tmp_path / "videos").mkdir()
    for name in ("a", "b"):
        write(tmp_path / "videos" / f"{name}.mkv", 40)
    left, right = "0.0,0.1,0.5,0.9", "0.5,0.1,1.0,0.9"
    truth = "".join(
        f"{name},{second:04d},{left},1,0\n{name},{second:04d},{right},2,1\n" for name in "ab" for second in (0, 1)
    )
    (tmp_path / "truth.csv").write_text(truth)
    boxes = "".join(f"{name},0001,{box},0.95\n" for name in "ab" for box in (left, right))
    (tmp_path / "boxes.csv").write_text(boxes)
    (tmp_path / "labels.pbtxt").write_text('item { name: "sit" id: 1 }\nitem { name: "run" id: 2 }\n')
    (tmp_path / "excluded.csv").write_text("a,0000\nb,0000\n")
    truth, boxes, excluded = (tmp_path / f"{name}.csv" for name in ("truth", "boxes", "excluded"))
    return AvaFiles(truth, boxes, truth, boxes, (excluded,), tmp_path / "labels.pbtxt", tmp_path / "videos")


class Killed(Exception):
    pass


def test_a_killed_training_ends_with_the_same_weights(files, tmp_path):
    data = files.read()
    training = DetectionTraining(TINY, RECIPE, Schedule(6, 2, 2), None, threads=1)
    whole = []
    score, damaged = training(data, tmp_path / "whole", whole.append)

    def kill(done):
        if done.iteration == 4:
            raise Killed

    with pytest.raises(Killed):
        training(data, tmp_path / "killed", kill)
    rest = []
    again, _ = training(data, tmp_path / "killed", rest.append)

    assert [each.iteration for each in whole] == [2, 4, 6]
    assert rest == whole[2:]
    assert again == score
    weights = [(tmp_path / name / "detector.safetensors").read_bytes() for name in ("whole", "killed")]
    assert weights[0] == weights[1]
    assert damaged == ()
    # A finished one is scored again and not trained again.
    assert training(data, tmp_path / "whole", kill) == (score, ())


def test_other_settings_than_those_of_the_checkpoints_are_refused(files, tmp_path):
    data = files.read()
    DetectionTraining(TINY, RECIPE, Schedule(1, 0, 1), None, threads=1)(data, tmp_path / "out", lambda done: None)
    with pytest.raises(UsageError, match="another config, weights, data or settings"):
        DetectionTraining(TINY, RECIPE, Schedule(1, 0, 1), None, seed=1, threads=1)(
            data, tmp_path / "out", lambda done: None
        )


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(files, tmp_path, caplog):
    data, seen = files.read(), []
    training = DetectionTraining(TINY, RECIPE, Schedule(3, 0, 1), None, threads=1)
    training(data, tmp_path, seen.append)
    newest = max(tmp_path.glob("*.checkpoint"))
    newest.write_bytes(newest.read_bytes()[:-1])
    again = []
    training(data, tmp_path, again.append)
    assert again == seen[2:]
    assert "is damaged (its checksum does not match)" in caplog.text


def test_the_detections_are_written_as_avas_csv(files, tmp_path):
    training = DetectionTraining(TINY, RECIPE, Schedule(1, 0, 1), None, whole_frame=True, threads=1)
    score, _ = training(files.read(), tmp_path / "out", lambda done: None)
    lines = (tmp_path / "out" / "detections.csv").read_text().splitlines()
    assert len(lines) == score.detections == 2 * 2 * 2  # videos, boxes, classes
    assert len(read_proposals(tmp_path / "out" / "detections.csv")) == 8
    assert lines[0].startswith("a,0001,0.0000,0.1000,0.5000,0.9000,") or lines[0].startswith("a,0001,0.5000,")


def test_too_many_damaged_videos_end_the_training(files, tmp_path):
    (tmp_path / "videos" / "a.mkv").write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.mkv: is empty"):
        DetectionTraining(TINY, RECIPE, Schedule(2, 0, 1), None)(files.read(), tmp_path / "out", lambda done: None)


def test_damaged_videos_that_are_allowed_stay_known_after_a_stop(files, tmp_path):
    (tmp_path / "videos" / "a.mkv").write_bytes(b"")
    recipe = replace(RECIPE, batchnorm_group=4, batch=8)
    training = DetectionTraining(TINY, recipe, Schedule(2, 0, 1), None, damage_share=0.5, threads=1)

    def kill(done):
        raise Killed

    with pytest.raises(Killed):
        training(files.read(), tmp_path / "out", kill)
    score, damaged = training(files.read(), tmp_path / "out", lambda done: None)
    # In training and in validation.
    assert damaged == (f"{tmp_path / 'videos' / 'a.mkv'}: is empty",) * 2
    # What it should have found is missed.
    assert (score.boxes, score.detections) == (4, 4)


def test_no_box_left_is_said_with_the_reasons(files, tmp_path):
    (tmp_path / "labels.pbtxt").write_text('item { name: "fly" id: 5 }\n')
    with pytest.raises(DataError, match=r"truth\.csv: no box is left"):
        files.read()


CONFIG = {
    "name": "tiny",
    "geometry": {
        "frames": 2, "stride": 4, "crop": 48, "widths": [8, 16, 32], "inner_widths": [18, 36, 72],
        "squeeze_widths": [8, 8, 8], "blocks": [1, 1, 1], "classes": 3, "head_width": 32, "stem_kernel": 3,
    },
    "recipe": {"batch": 8, "base_rate": 0.05, "reference_batch": 8, "batchnorm_group": 8, "dropout": 0.0},
}  # fmt: skip


@pytest.mark.skipif(not BOXES.is_dir(), reason="../shared/data/boxes is not here")
def test_the_command_trains_on_real_boxes_and_scores_above_chance(expander, tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(CONFIG))
    for name, each in (("train", 8), ("val", 8)):
        lines = (BOXES / f"ucf24_4cls_ava_{name}.csv").read_text().splitlines()[::each]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
        boxes = [",".join([*line.split(",")[:6], "0.99"]) for line in lines]
        (tmp_path / f"{name}_boxes.csv").write_text("\n".join(boxes) + "\n")
    geometry = Geometry(
        2, 4, 48, tuple(Stage(1, width, inner, 8) for width, inner in ((8, 18), (16, 36), (32, 72))), 3, 32, 3
    )
    torch.manual_seed(0)
    save_weights(tmp_path / "tiny.safetensors", X3D(geometry))
    arguments = (
        "finetune", "ava", "tiny.yaml", "--weights", "tiny.safetensors", "--train", "train.csv",
        "--train-boxes", "train_boxes.csv", "--val", "val.csv", "--val-boxes", "val_boxes.csv",
        "--labels", BOXES / "ucf24_4cls_action_list.pbtxt", "--root", ACTIONS / "videos", "--out", "out",
        "--iterations", 30, "--warmup", 5, "--every", 30, "--threads", 1,
    )  # fmt: skip

    scores = json.loads(expander(*arguments, "--json").stdout)

    assert set(scores["by_class"]) == {"Basketball", "BasketballDunk", "FloorGymnastics", "GolfSwing"}
    assert scores["damaged"] == []
    # With boxes that are right and scores by chance, a class's AP is its share of the boxes: 0.25 in the mean.
    assert scores["mean"] > 0.3
    assert json.loads((tmp_path / "out" / "scores.json").read_text()) == scores
    mistake = expander(*arguments, "--exclude", "nowhere.csv", code=2).stderr
    assert "nowhere.csv: cannot be read" in mistake
    assert "Traceback" not in mistake


def test_a_detector_needs_an_x3d(tmp_path):
    from expander.efficientnet3d import EfficientNet3D

    assert detector(TINY, None, 2)
    with pytest.raises(UsageError, match="EfficientNet3D; expected an X3D"):
        detector(EfficientNet3D.__new__(EfficientNet3D), None, 2)
