"""Charades: its csv, what a clip is labelled with, mAP as the official evaluation has it, and the whole command."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SHARED, environment
from sklearn.metrics import average_precision_score

from expander.cli.files import load_config
from expander.errors import ManifestError, UsageError
from expander.recipe import Recipe
from expander.trial import Views
from results.export import write_config
from trainers import checkpoint
from trainers.checkpoint import save_weights
from trainers.data.charades import Action, clip_target, read_charades
from trainers.data.clips import Clip, Damaged, ViewedVideo
from trainers.data.damage import Ledger
from trainers.finetune import charades
from trainers.finetune.average_precision import average_precision
from trainers.finetune.charades import charades_geometry, charades_recipe, train_charades, video_scores
from trainers.finetune.recipe import FinetuneRecipe
from trainers.networks.build import build

INTERVALS = SHARED / "data" / "intervals"
HEADER = "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length"
TINY = ["geometry.crop=32", "geometry.widths=[8, 8]", "geometry.inner_widths=[8, 8]", "geometry.squeeze_widths=[8, 8]"]
TINY += ["geometry.blocks=[1, 1]", "geometry.head_width=32", "geometry.classes=6", "geometry.frames=4", "views.clips=3"]


def charades_csv(path, rows):
    with path.open("w", newline="") as file:
        file.write(HEADER + "\n")
        for name, actions in rows:
            csv.writer(file).writerow([name, "S", "Room", 6, 7, "Yes", 'a "script", with commas', "", "", actions, 9.5])
    return path


def one_video(folder):
    (folder / "AB12C.mp4").touch()
    return folder


def test_the_official_csv_is_read(tmp_path):
    path = charades_csv(tmp_path / "c.csv", [("AB12C", "c092 11.90 21.20;c000 0.00 3.1"), ("NONE1", "")])
    read = read_charades(path, one_video(tmp_path))
    assert read.actions == ((Action(92, 11.9, 21.2), Action(0, 0.0, 3.1)), ())
    assert read.targets().sum(1).tolist() == [2, 0]
    assert [video.path.name for video in read.manifest.videos] == ["AB12C.mp4", "NONE1.mp4"]


@pytest.mark.parametrize(
    "actions", ["c157 0 1", "c01 0 1", "c001 3 1", "c001 0", "c001 x 1", "c001 0 inf", "c001 nan 1"]
)
def test_a_mistake_is_named_with_line_and_column(tmp_path, actions):
    path = charades_csv(tmp_path / "c.csv", [("AB12C", ""), ("OTHER", f"c000 0 1;{actions}")])
    with pytest.raises(ManifestError, match=f"line 3, column actions: '{actions}' is no action"):
        read_charades(path, one_video(tmp_path))


def test_all_mistakes_of_the_csv_stand_in_one_message(tmp_path):
    path = charades_csv(tmp_path / "c.csv", [("AB12C", "c200 0 1; c001 2 1"), ("", ""), ("a/b", "sit 0 1")])
    with pytest.raises(ManifestError) as raised:
        read_charades(path, one_video(tmp_path))
    found = [line for line in str(raised.value).splitlines() if line.startswith(str(path))]
    assert [line.split(": ")[1] for line in found] == [
        "line 2, column actions",
        "line 2, column actions",
        "line 3, column id",
        "line 4, column id",
        "line 4, column actions",
    ]
    assert "c000 to c156" in found[0]


def test_a_csv_without_its_columns_and_a_wrong_folder_are_named(tmp_path):
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("id,labels\nAB12C,c000 0 1\n")
    with pytest.raises(ManifestError, match="line 1: no column actions; the official header is id,subject"):
        read_charades(wrong, one_video(tmp_path))
    path = charades_csv(tmp_path / "c.csv", [("AB12C", "")])
    with pytest.raises(ManifestError, match="none of its first 1 videos exists"):
        read_charades(path, tmp_path / "elsewhere")


@pytest.mark.parametrize("mark", ["\x85", "\u2028", "\x0c"])
def test_only_a_line_break_ends_a_row(tmp_path, mark):
    path = tmp_path / "c.csv"
    path.write_text(f"{HEADER}\r\nAB12C,S,Room,6,7,Yes,a{mark}script,,,c092 1 2,9.5\r\n", encoding="utf-8", newline="")
    assert read_charades(path, one_video(tmp_path)).actions == ((Action(92, 1.0, 2.0),),)


def test_a_video_that_stands_twice_is_a_mistake(tmp_path):
    path = charades_csv(tmp_path / "c.csv", [("AB12C", ""), ("AB12C", "")])
    with pytest.raises(ManifestError, match="line 3, column id: 'AB12C' stands in line 2 too"):
        read_charades(path, one_video(tmp_path))


def test_a_clip_has_the_actions_in_which_one_of_its_frames_lies():
    clip = Clip(torch.empty(0), 0, 0, (1.0, 2.0, 3.0))
    actions = [Action(1, 0, 0.9), Action(2, 0, 1.0), Action(3, 2.1, 2.9), Action(4, 2.9, 9.0), Action(5, 3.1, 4.0)]
    assert clip_target(clip, actions).nonzero()[:, 0].tolist() == [2, 4]


def test_average_precision_is_the_mean_of_the_precision_at_each_video_of_the_class():
    # Ranked: hit, miss, hit, miss: (1/1 + 2/3) / 2. The second class has no video and does not count.
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    targets = np.array([[1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 0, 1]])
    found = average_precision(np.column_stack([scores, scores[:, 0]]), targets)
    assert found.of_class[0] == pytest.approx(5 / 6)
    assert np.isnan(found.of_class[1])
    assert found.of_class[2] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert found.mean == pytest.approx((5 / 6 + 1 / 2) / 2)
    assert found.chance == 0.5


def test_of_many_videos_random_scores_give_about_chance():
    random = np.random.default_rng(0)
    found = average_precision(random.random((4000, 20)), random.random((4000, 20)) < np.linspace(0.02, 0.4, 20))
    assert found.mean == pytest.approx(found.chance, rel=0.05)


def test_a_video_without_labels_ranks_behind_all_others():
    found = average_precision(np.array([[0.9], [0.5]]), np.array([[0], [1]]))
    assert found.mean == 1.0


def test_without_ties_it_is_that_of_scikit_learn():
    random = np.random.default_rng(0)
    scores, targets = random.random((60, 9)), random.random((60, 9)) < 0.3
    targets[:, 0] |= ~targets.any(1)  # scikit-learn knows no videos without labels
    assert average_precision(scores, targets).mean == pytest.approx(average_precision_score(targets, scores), abs=1e-12)


def test_with_ties_videos_rank_in_their_own_order_where_scikit_learn_takes_them_at_once():
    scores, targets = np.array([[0.5], [0.5], [0.2]]), np.array([[1, 0], [0, 1], [1, 0]])
    ours = average_precision(np.column_stack([scores, scores]), targets).of_class[0]
    assert ours == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision_score(targets[:, 0], scores[:, 0]) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_a_video_scores_its_largest_sigmoid_over_the_views_and_a_damaged_one_ranks_last():
    logits = torch.tensor([[0.0, 5.0], [2.0, -1.0], [1.0, 1.0]])

    class Brightness(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))

        def forward(self, clips):
            numbers = ((clips[:, 0, 0, 0, 0] * 0.225 + 0.45) * 255).round().long()
            return torch.nn.functional.pad(logits[numbers], (0, 155), value=-9.0)

    pixels = torch.arange(3, dtype=torch.uint8).view(3, 1, 1, 1, 1).expand(3, 1, 1, 1, 3)
    videos = [ViewedVideo((pixels,), ((0, torch.arange(3)),), 0, 1), Damaged("a.mp4", "is empty", 0)]
    scores = video_scores(Brightness(), videos, 2, Ledger(2, 0.5))
    assert scores[1, :2] == pytest.approx(torch.tensor([2.0, 5.0]).sigmoid().numpy())
    assert (scores[0] == -np.inf).all()


def test_the_recipe_is_the_papers():
    recipe = charades_recipe(Recipe())
    assert (recipe.iterations, recipe.batch, recipe.base_rate, recipe.weight_decay) == (24_000, 16, 0.02, 1e-5)
    assert (recipe.dropout, recipe.momentum, recipe.decay, recipe.decay_at) == (0.5, 0.9, 0.1, (16_000, 20_000))


def tiny(folder):
    """A config and random weights of a tiny network with 6 classes."""
    config = load_config("X3D-XS", TINY)
    write_config(config, folder / "tiny.yaml")
    torch.manual_seed(0)
    save_weights(folder / "tiny.safetensors", build(config.geometry))
    return folder / "tiny.yaml", folder / "tiny.safetensors"


def intervals(folder):
    """Charades' csv of the webcam videos, in which every third is held out, and their videos by id."""
    if not INTERVALS.is_dir():
        pytest.skip("the webcam videos with intervals are not here")
    (folder / "videos").mkdir()
    by_file = {}
    with (INTERVALS / "intervals.csv").open() as file:
        for row in csv.DictReader(file):
            by_file.setdefault(row["file"], []).append(row)
    names = sorted({row["action"] for rows in by_file.values() for row in rows})
    videos = []
    for file, rows in sorted(by_file.items()):
        name = file.removeprefix("videos/").removesuffix(".mp4").replace("/", "-")
        (folder / "videos" / f"{name}.mp4").symlink_to(INTERVALS / file)
        texts = [f"c{names.index(row['action']):03d} {row['start_s']} {row['end_s']}" for row in rows]
        videos.append((name, ";".join(texts)))
    train = charades_csv(folder / "train.csv", [each for place, each in enumerate(videos) if place % 3])
    return train, charades_csv(folder / "val.csv", videos[::3]), folder / "videos"


def test_it_is_fine_tuned_on_real_videos_with_overlapping_intervals(tmp_path, expander):
    config, weights = tiny(tmp_path)
    train, val, videos = intervals(tmp_path)
    arguments = ["finetune", "charades", config, "--weights", weights, "--train", train, "--val", val]
    arguments += ["--videos", videos, "--out", tmp_path / "out", "--threads", 1, "--json"]
    arguments += ["--set", "recipe.iterations=2", "--set", "recipe.batch=4"]
    told = json.loads(expander(*arguments).stdout)
    assert 0 < told["map"] <= 1
    assert told["chance"] == pytest.approx(16 / 72)  # nine classes, eight videos
    assert (told["videos"], told["damaged"]) == (8, [])
    written = load_config(told["config"])
    assert (written.task, written.geometry.classes) == ("charades", 157)
    assert written.geometry.stride == 2 * load_config(config).geometry.stride
    assert written.provenance["trained"]["map"] == told["map"]
    assert json.loads(expander(*arguments).stdout) == told
    tested = expander("test", told["config"], "--weights", weights, "--val", val, code=2)
    assert "its task is charades" in " ".join(tested.stderr.split())
    again = expander(*arguments[:2], told["config"], *arguments[3:], code=2)
    assert "already" in again.stdout + again.stderr


def test_weights_of_another_network_are_refused_with_the_tensors_named(tmp_path):
    from trainers.finetune.charades import load_backbone

    config, weights = tiny(tmp_path)
    other = build(load_config(config, ["geometry.head_width=40", "geometry.classes=157"]).geometry)
    with pytest.raises(UsageError, match=r"head\.linear\.weight is \[32, 8\]"):
        load_backbone(weights, other)
    fitting = build(load_config(config, ["geometry.classes=157"]).geometry)
    classifier = fitting.head.classifier.weight.detach().clone()
    load_backbone(weights, fitting)
    assert torch.equal(fitting.head.classifier.weight, classifier)


def test_efficientnet3d_is_fine_tuned_too(tmp_path):
    config = load_config("EfficientNet3D-B0", ["geometry.classes=6", "geometry.widths=[8, 8, 8, 8, 8, 8, 8]"])
    save_weights(tmp_path / "kinetics.safetensors", build(config.geometry))
    geometry = charades_geometry(config.geometry)
    assert (geometry.stride, geometry.classes) == (2 * config.geometry.stride, 157)
    charades.load_backbone(tmp_path / "kinetics.safetensors", build(geometry))


def fine_tune(folder, videos, told):
    """A tiny X3D on the synthetic videos, their class and another one as its two actions."""
    kinetics, weights = tiny(folder)
    manifests = []
    for split in ("train", "val"):
        rows = [line.split() for line in (videos / f"{split}.csv").read_text().splitlines()]
        actions = [f"c{int(label):03d} 0 0.4;c{int(label) + 9:03d} 0.3 9" for _, label in rows]
        names = [Path(file) for file, _ in rows]
        assert len({name.parent for name in names}) == 1
        listed = [(name.stem, own) for name, own in zip(names, actions, strict=True)]
        manifests.append(read_charades(charades_csv(folder / f"{split}.csv", listed), videos / names[0].parent))
    recipe = FinetuneRecipe(iterations=5, batch=4, base_rate=0.02, decay_at=(3,), batchnorm_group=2)
    geometry = charades_geometry(load_config(kinetics).geometry)
    return train_charades(
        "synthetic", geometry, recipe, weights, *manifests, Views(2), folder / "run", told, threads=1, every=2
    )


def test_a_killed_one_ends_with_the_same_weights_and_scores(tmp_path, videos):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole = fine_tune(tmp_path / "whole", videos.train.parent, lambda progress: None)
    command = [sys.executable, __file__, tmp_path / "killed", videos.train.parent]
    assert subprocess.run(command, env=environment()).returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "run" / checkpoint.WEIGHTS).exists()
    told = []
    resumed = fine_tune(tmp_path / "killed", videos.train.parent, told.append)
    assert [progress.iteration for progress in told] == [4, 5]
    assert np.array_equal(resumed.scores, whole.scores)
    files = [tmp_path / name / "run" / checkpoint.WEIGHTS for name in ("whole", "killed")]
    assert files[0].read_bytes() == files[1].read_bytes()


def kill_in_iteration_4():
    """Two groups an iteration; the last checkpoint is of iteration 2."""
    loss, calls = charades.charades_loss, []

    def counted(model, clips):
        calls.append(len(clips))
        if len(calls) == 8:
            os.kill(os.getpid(), signal.SIGKILL)
        return loss(model, clips)

    charades.charades_loss = counted


if __name__ == "__main__":
    kill_in_iteration_4()
    fine_tune(Path(sys.argv[1]), Path(sys.argv[2]), lambda progress: None)
