import math

import pytest
import torch
from torch import nn

from expander.errors import DataError, TrialError
from trainers.data.clips import Damaged, ViewedVideo, normalise
from trainers.data.damage import Ledger
from trainers.evaluate import evaluate


class Told(nn.Module):
    """Logits (N, classes) as each clip's first pixel says: it is the number of a row of the table."""

    def __init__(self, *rows):
        super().__init__()
        self.table = torch.tensor(rows, dtype=torch.float32)
        self.batches = []

    def forward(self, clips):
        self.batches.append(len(clips))
        codes = torch.arange(256, dtype=torch.uint8).view(-1, 1, 1, 1, 1).expand(-1, 1, 1, 1, 3)
        known = normalise(codes)[:, 0, 0, 0, 0]
        return self.table[(clips[:, 0, 0, 0, 0, None] - known).abs().argmin(1)]


def video(label, *rows, index=0):
    pixels = torch.tensor(rows, dtype=torch.uint8).view(-1, 1, 1, 1, 1).expand(-1, 2, 4, 4, 3)
    return ViewedVideo(pixels, label, index)


def logs(*shares):
    return [math.log(share) for share in shares]


def test_scores_are_the_mean_of_the_views_softmax():
    # Of the views' softmax (0.9, 0.05, 0.05) and (0.2, 0.7, 0.1) the mean is (0.55, 0.375, 0.075): class 0, although
    # the mean of the logits would say otherwise of the third video.
    model = Told(logs(0.9, 0.05, 0.05), logs(0.2, 0.7, 0.1))
    metrics = evaluate(model, [video(0, 0, 1), video(1, 0, 1), video(2, 1, 1, 1)], Ledger(3, 0))
    assert metrics.videos == 3
    assert metrics.top1 == pytest.approx(1 / 3)
    assert metrics.top5 == 1.0
    assert metrics.loss == pytest.approx(-(math.log(0.55) + math.log(0.375) + math.log(0.1)) / 3, rel=1e-5)


def test_softmax_is_averaged_not_the_logits():
    model = Told(logs(0.999, 0.001), logs(0.3, 0.7), logs(0.0001, 0.9999))
    metrics = evaluate(model, [video(1, 0, 1, 1)], Ledger(1, 0))
    assert metrics.top1 == 0  # the mean is (0.533, 0.467)
    assert metrics.loss == pytest.approx(-math.log((0.001 + 0.7 + 0.7) / 3), rel=1e-5)


def test_top_5_counts_the_five_best_of_many_classes():
    model = Told([7, 6, 5, 4, 3, 2, 1])
    metrics = evaluate(model, [video(label, 0) for label in range(7)], Ledger(7, 0))
    assert metrics.top1 == pytest.approx(1 / 7)
    assert metrics.top5 == pytest.approx(5 / 7)


def test_a_hopeless_view_leaves_the_loss_finite():
    metrics = evaluate(Told([0, 500]), [video(0, 0, 0)], Ledger(1, 0))
    assert metrics.loss == pytest.approx(500)


def test_damaged_videos_are_named_and_left_out_of_the_means():
    ledger = Ledger(4, 0.25)
    videos = [video(0, 0), Damaged("b.mp4", "torn", 1), video(0, 0), video(1, 0)]
    metrics = evaluate(Told(logs(0.8, 0.2)), videos, ledger)
    assert metrics.videos == 3
    assert metrics.top1 == pytest.approx(2 / 3)
    assert ledger.videos == ("b.mp4: torn",)


def test_too_many_damaged_videos_are_an_error():
    with pytest.raises(DataError, match=r"2 of 4 videos cannot be read"):
        evaluate(Told([0, 1]), [Damaged(name, "torn", 0) for name in "ab"], Ledger(4, 0.25))


def test_no_video_at_all_is_an_error():
    with pytest.raises(DataError, match="no video to score"):
        evaluate(Told([0, 1]), [], Ledger(0, 0))


def test_outputs_that_are_not_numbers_are_an_error():
    with pytest.raises(TrialError, match="nan"):
        evaluate(Told([math.nan, 1]), [video(0, 0)], Ledger(1, 0))


def test_clips_are_forwarded_in_chunks_whatever_the_number_of_views():
    model = Told([1, 0])
    evaluate(model, [video(0, *[0] * 10), video(0, 0), video(0, 0), video(0, 0)], Ledger(4, 0), clips_at_once=4)
    assert sum(model.batches) == 13
    assert model.batches == [4, 4, 2, 3]


def test_it_scores_in_evaluation_mode_and_puts_the_mode_back():
    seen = []
    model = Told([1, 0]).train()
    model.register_forward_hook(lambda module, inputs, output: seen.append(module.training))
    evaluate(model, [video(0, 0)], Ledger(1, 0))
    assert seen == [False]
    assert model.training
