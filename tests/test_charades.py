"""Charades: its csv, what a clip is labelled with, mAP as the official evaluation has it, and the whole command."""

import csv
import json

import numpy as np
import pytest
import torch
from conftest import SHARED
from sklearn.metrics import average_precision_score

from expander.cli.files import load_config
from expander.errors import ManifestError, UsageError
from expander.recipe import Recipe
from results.export import write_config
from trainers.checkpoint import save_weights
from trainers.data.charades import Action, clip_target, read_charades
from trainers.data.clips import Clip, Damaged, ViewedVideo
from trainers.data.damage import Ledger
from trainers.finetune.average_precision import average_precision
from trainers.finetune.charades import charades_recipe, video_scores
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
