import math

import numpy as np
import pytest
import torch
from torch import nn

from expander.errors import DataError, TrialError
from expander.trial import VideoScore
from trainers.data.clips import Damaged, ViewedVideo, normalise
from trainers.data.damage import Ledger
from trainers.evaluate import evaluate as evaluate_all


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


def video(label, *codes, views=None, index=0):
    """A video of one size of crops; its Views show these rows of them, by default one shows them all."""
    pixels = torch.tensor(codes, dtype=torch.uint8).view(-1, 1, 1, 1, 1).expand(-1, 2, 4, 4, 3)
    rows = [(0, torch.tensor(each)) for each in views or [range(len(codes))]]
    return ViewedVideo((pixels,), tuple(rows), label, index)


def evaluate(*arguments, **options):
    """The metrics of videos that come in one Views."""
    (metrics,) = evaluate_all(*arguments, **options).metrics
    return metrics


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


def test_each_of_several_views_has_the_metrics_of_its_own_clips():
    model = Told(logs(0.9, 0.05, 0.05), logs(0.2, 0.7, 0.1), logs(0.1, 0.1, 0.8))
    clips = {0: (0, 1, 2), 1: (1, 2, 0), 2: (2, 2, 1)}
    views = ([0], [0, 1, 2], [2, 1], [0, 0, 1])
    together = evaluate_all(
        model, [video(label, *codes, views=views) for label, codes in clips.items()], Ledger(3, 0)
    ).metrics
    for number, rows in enumerate(views):
        alone = [video(label, *(codes[row] for row in rows)) for label, codes in clips.items()]
        assert together[number] == evaluate(model, alone, Ledger(3, 0))
    assert len({metrics.loss for metrics in together}) == 4


def test_a_clip_that_several_views_share_is_forwarded_once():
    model = Told([1, 0])
    evaluate_all(model, [video(0, *[0] * 5, views=([2], range(5), [0, 2, 4]))], Ledger(1, 0))
    assert model.batches == [5]


def test_crops_of_two_sizes_are_forwarded_apart_and_scored_from_their_own():
    model = Told(logs(0.8, 0.2), logs(0.3, 0.7))
    small, large = (torch.full((3, 2, size, size, 3), code, dtype=torch.uint8) for size, code in ((4, 0), (6, 1)))
    rows = ((1, torch.tensor([0, 1, 2])), (0, torch.tensor([1])))
    viewed = [ViewedVideo((small, large), rows, label, 0) for label in (0, 1)]
    metrics = evaluate_all(model, viewed, Ledger(2, 0)).metrics
    assert [m.loss for m in metrics] == [
        pytest.approx(-(math.log(0.3) + math.log(0.7)) / 2),
        pytest.approx(-(math.log(0.8) + math.log(0.2)) / 2),
    ]
    assert model.batches == [6, 6]


def test_each_video_has_its_class_the_predicted_one_its_rank_and_its_loss():
    model = Told(logs(0.5, 0.3, 0.2), logs(0.1, 0.7, 0.2))
    items = [video(1, 0, index=4), Damaged("b.mp4", "torn", 5), video(0, 1, index=6), video(1, 0, 1, index=7)]
    found = evaluate_all(model, items, Ledger(4, 0.25))
    assert found.videos == (
        (
            VideoScore(4, 1, 0, 2, pytest.approx(-math.log(0.3), rel=1e-5)),
            VideoScore(6, 0, 1, 3, pytest.approx(-math.log(0.1), rel=1e-5)),
            VideoScore(7, 1, 1, 1, pytest.approx(-math.log(0.5), rel=1e-5)),
        ),
    )
    assert found.damaged == (Damaged("b.mp4", "torn", 5),)


@pytest.mark.parametrize("classes", [2, 5, 6, 40])
def test_ranks_agree_with_sorting_and_with_the_metrics(classes):
    random = np.random.default_rng(classes)
    rows, labels = random.normal(size=(200, classes)).astype(np.float32), random.integers(classes, size=200)
    items = [video(int(label), index) for index, label in enumerate(labels)]
    found = evaluate_all(Told(*rows.tolist()), items, Ledger(200, 0))
    (videos,), (metrics,) = found.videos, found.metrics
    ranks = (np.argsort(-rows, axis=1) == labels[:, None]).argmax(1) + 1
    losses = np.log(np.exp(rows).sum(1)) - rows[np.arange(200), labels]
    assert [each.rank for each in videos] == ranks.tolist()
    assert [each.predicted for each in videos] == rows.argmax(1).tolist()
    assert [each.loss for each in videos] == pytest.approx(losses, abs=1e-5)
    assert (metrics.top1, metrics.top5) == ((ranks == 1).mean(), (ranks <= 5).mean())


def test_a_certain_video_has_no_loss_and_no_probability_above_one():
    found = evaluate_all(Told([40, 0, 1]), [video(0, *[0] * views) for views in range(1, 31)], Ledger(30, 0))
    losses = [each.loss for each in found.videos[0]]
    assert all(math.copysign(1, loss) == 1 and loss < 1e-6 for loss in losses)


def test_where_classes_tie_ranks_agree_with_the_metrics():
    random = np.random.default_rng(0)
    rows = random.integers(3, size=(60, 12)).tolist()
    items = [video(index % 12, index) for index in range(60)]
    found = evaluate_all(Told(*rows), items, Ledger(60, 0))
    ranks = [each.rank for each in found.videos[0]]
    assert found.metrics[0].top1 == sum(rank == 1 for rank in ranks) / 60
    assert found.metrics[0].top5 == sum(rank <= 5 for rank in ranks) / 60
    assert [each.predicted == each.label for each in found.videos[0]] == [rank == 1 for rank in ranks]
    assert max(ranks) <= 12


def test_it_scores_in_evaluation_mode_and_puts_the_mode_back():
    seen = []
    model = Told([1, 0]).train()
    model.register_forward_hook(lambda module, inputs, output: seen.append(module.training))
    evaluate(model, [video(0, 0)], Ledger(1, 0))
    assert seen == [False]
    assert model.training
