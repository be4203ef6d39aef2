"""The fine-tuning loop: its schedule, its batches, and that a killed one ends with the same weights."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import environment
from torch import nn
from torch.utils.data import Dataset

from expander.errors import DataError, TrialError
from trainers import checkpoint
from trainers.data.clips import Damaged
from trainers.finetune.loop import Finetuning, Loss, bn_groups, finetune, keys
from trainers.finetune.recipe import FinetuneRecipe, rate_at

RECIPE = FinetuneRecipe(iterations=7, batch=5, base_rate=0.1, decay_at=(4,), warmup=2, batchnorm_group=2)


class Points(Dataset):
    """Samples that follow from their key; place 3 is damaged."""

    def __getitem__(self, key):
        epoch, place = key
        if place == 3:
            return Damaged("three.mp4", "holds no frame", place)
        return torch.randn(2, 1, 2, 2, generator=torch.Generator().manual_seed(100 * epoch + place))


def points_training(folder, **changes):
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm3d(2), nn.Flatten(), nn.Dropout(0.5), nn.Linear(8, 1))
    values = {"recipe": RECIPE, "places": 8, "damage_share": 0.2, "every": 3, "id": "points"} | changes
    return Finetuning(**{"model": model, "loss": squares, "samples": Points(), "folder": folder} | values)


def squares(model, samples):
    return Loss((model(torch.stack(samples)) - 1).square().sum(), len(samples))


def killed_in_iteration(number):
    calls = []

    def loss(model, samples):
        calls.append(len(samples))
        if len(calls) == 2 * number:  # two or three groups a batch
            os.kill(os.getpid(), signal.SIGKILL)
        return squares(model, samples)

    return loss


def weights(folder):
    return (folder / checkpoint.WEIGHTS).read_bytes()


def test_a_killed_fine_tuning_ends_with_the_same_weights(tmp_path):
    finetune(points_training(tmp_path / "whole"), lambda progress: None)
    killed = subprocess.run([sys.executable, __file__, tmp_path / "killed"], env=environment())
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / checkpoint.WEIGHTS).exists()
    told = []
    damaged = finetune(points_training(tmp_path / "killed"), told.append)
    assert [progress.iteration for progress in told] == [6, 7]
    assert damaged == ("three.mp4: holds no frame",)
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")


def test_another_seed_ends_with_other_weights(tmp_path):
    finetune(points_training(tmp_path / "0"), lambda progress: None)
    finetune(points_training(tmp_path / "1", seed=1), lambda progress: None)
    assert weights(tmp_path / "0") != weights(tmp_path / "1")


def test_a_step_follows_the_mean_over_all_groups_of_the_batch(tmp_path):
    recipe = FinetuneRecipe(1, 5, 0.1, momentum=0.0, weight_decay=0.0, batchnorm_group=2)
    ours = points_training(tmp_path, recipe=recipe, places=3)
    ours.model[2].p = 0.0
    before = ours.model[3].bias.item()
    expected = 0.0
    batch = [Points()[key] for _, key in zip(range(5), keys(0, 3, 0), strict=False)]
    for group in bn_groups(batch, 2):
        expected += 2 * (ours.model.train()(torch.stack(group)) - 1).sum().item() / 5
    finetune(ours, lambda progress: None)
    assert ours.model[3].bias.item() == pytest.approx(before - 0.1 * expected, abs=1e-6)


def test_a_folder_of_another_fine_tuning_is_refused(tmp_path):
    finetune(points_training(tmp_path), lambda progress: None)
    with pytest.raises(TrialError, match="belongs to another fine-tuning"):
        finetune(points_training(tmp_path, id="others"), lambda progress: None)


def test_too_many_damaged_videos_end_it(tmp_path):
    with pytest.raises(DataError, match=r"three\.mp4"):
        finetune(points_training(tmp_path, damage_share=0.1), lambda progress: None)


def test_a_loss_that_is_no_number_ends_it(tmp_path):
    def loss(model, samples):
        return Loss(squares(model, samples).total * float("nan"), 1)

    with pytest.raises(TrialError, match="iteration 1"):
        finetune(points_training(tmp_path, loss=loss), lambda progress: None)


def test_the_rate_climbs_and_falls_in_steps():
    assert [round(rate_at(iteration, RECIPE), 6) for iteration in range(6)] == [0.025, 0.075, 0.1, 0.1, 0.01, 0.01]


def test_every_epoch_has_each_place_once_and_a_later_start_goes_on():
    order = [key for key, _ in zip(keys(5, 4, 0), range(12), strict=False)]
    assert [sorted(order[start : start + 4]) for start in (0, 4, 8)] == [
        [(epoch, place) for place in range(4)] for epoch in (1, 2, 3)
    ]
    assert [key for key, _ in zip(keys(5, 4, 6), range(6), strict=False)] == order[6:]


def test_a_single_sample_left_over_joins_the_group_before_it():
    assert bn_groups("abcde", 2) == [["a", "b"], ["c", "d", "e"]]
    assert bn_groups("a", 2) == [["a"]]


if __name__ == "__main__":
    finetune(points_training(Path(sys.argv[1]), loss=killed_in_iteration(5)), lambda progress: None)
