"""Scoring a network on validation videos: the mean of the softmax over each video's views (Sec. 4)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from expander.errors import DataError, Diverged
from expander.recipe import Precision
from expander.trial import Metrics, VideoScore
from trainers.data.clips import Damaged, ViewedVideo, normalise
from trainers.data.damage import Ledger
from trainers.precision import autocast
from trainers.team import ALONE, Team

TOP = 5


@dataclass(frozen=True)
class _Score:
    """One video: log of the softmax averaged over its views for each of the Views (n, classes); its class and place."""

    log_probabilities: Tensor
    label: int
    index: int


@dataclass(frozen=True)
class Evaluation:
    """For each of the Views its metrics, and the videos that they are of as they came in. damaged: all others."""

    metrics: tuple[Metrics, ...]
    videos: tuple[tuple[VideoScore, ...], ...]
    damaged: tuple[Damaged, ...]


def evaluate(
    model: nn.Module,
    videos: Iterable[ViewedVideo | Damaged],
    ledger: Ledger,
    *,
    device: torch.device | str = "cpu",
    clips_at_once: int = 8,
    precision: Precision = "bfloat16",
    team: Team = ALONE,
    run: int | None = None,
) -> Evaluation:
    """Top-1, top-5 and cross-entropy of `model` over `videos`, for each of the Views that these come in.

    videos: those that `own_videos` gives this member of the team; every member returns the scores of all, in the order
    of the manifest. The model gets `clips_at_once` clips at a time, and one that several Views share only once. run: as
    for `own_videos`; videos of two runs are never forwarded together, so that what a clip is computed with, and with it
    the last bit of its score, does not depend on the team. A damaged video is entered in the ledger and left out of the
    means. With fewer than five classes top-5 is the top of them all. Raises DataError when too many videos are damaged
    or none is left, Diverged for outputs that are not numbers.
    """
    training = model.training
    model.eval()
    damaged: list[Damaged] = []
    try:
        with torch.inference_mode():
            intact = _intact(videos, ledger, damaged)
            own = list(_scores(model, intact, torch.device(device), clips_at_once, precision, run))
    finally:
        model.train(training)
    scores, damaged = _of_all(own, damaged, team)
    for each in damaged:
        ledger.add(each)
    if not scores:
        raise DataError("no video to score: the validation manifest is empty or none of its videos decodes")
    of_views = torch.stack([score.log_probabilities for score in scores], dim=1)
    labels = [score.label for score in scores]
    return Evaluation(
        metrics=tuple(_metrics(log_probabilities, labels) for log_probabilities in of_views),
        videos=tuple(_video_scores(log_probabilities, scores) for log_probabilities in of_views),
        damaged=tuple(damaged),
    )


def own_videos(videos: int, team: Team, run: int = 1) -> list[int]:
    """The places of the videos that this member scores: every one is one member's, `run` in a row the same one's."""
    return [place for place in range(videos) if place // run % team.size == team.rank]


def _intact(videos: Iterable[ViewedVideo | Damaged], ledger: Ledger, damaged: list[Damaged]) -> Iterator[ViewedVideo]:
    for video in videos:
        if not isinstance(video, Damaged):
            yield video
            continue
        damaged.append(video)
        if len(damaged) > ledger.share * ledger.total:
            return  # there is no use in going on, but the other members wait to be told


def _of_all(scores: list[_Score], damaged: list[Damaged], team: Team) -> tuple[list[_Score], list[Damaged]]:
    """What every member has found, in the order of the manifest."""
    members = team.gather((scores, damaged))
    all_scores = [score for own, _ in members for score in own]
    all_damaged = [each for _, own in members for each in own]
    return sorted(all_scores, key=lambda score: score.index), sorted(all_damaged, key=lambda each: each.index)


def _scores(
    model: nn.Module,
    videos: Iterable[ViewedVideo],
    device: torch.device,
    at_once: int,
    precision: Precision,
    run: int | None,
) -> Iterator[_Score]:
    # Videos of few views are forwarded together: a network for single frames would idle on one clip at a time.
    waiting: list[ViewedVideo] = []
    for video in videos:
        if run and waiting and waiting[-1].index // run != video.index // run:
            yield from _together(model, waiting, device, at_once, precision)
            waiting = []
        waiting.append(video)
        if sum(len(pixels) for video in waiting for pixels in video.pixels) >= at_once:
            yield from _together(model, waiting, device, at_once, precision)
            waiting = []
    if waiting:
        yield from _together(model, waiting, device, at_once, precision)


def _together(
    model: nn.Module, videos: list[ViewedVideo], device: torch.device, at_once: int, precision: Precision
) -> Iterator[_Score]:
    sizes = zip(*(video.pixels for video in videos), strict=True)
    of_sizes = [_log_softmax(model, pixels, device, at_once, precision) for pixels in sizes]
    for video, *of_video in zip(videos, *of_sizes, strict=True):
        # The mean is taken in logarithms: a softmax that underflows to 0 would make the loss infinite.
        means = [of_video[size][rows].logsumexp(0) - math.log(len(rows)) for size, rows in video.rows]
        yield _Score(torch.stack(means), video.label, video.index)


def _log_softmax(
    model: nn.Module, videos: Sequence[Tensor], device: torch.device, at_once: int, precision: Precision
) -> tuple[Tensor, ...]:
    """Of each video's clips of one size, (N, T, S, S, 3) each: (N, classes)."""
    parts = torch.split(torch.cat(list(videos)), at_once)
    logits = torch.cat([_forward(model, clips, device, precision) for clips in parts])
    return torch.split(logits.log_softmax(1).cpu(), [len(pixels) for pixels in videos])


def _forward(model: nn.Module, pixels: Tensor, device: torch.device, precision: Precision) -> Tensor:
    """(N, T, S, S, 3) of bytes -> float32 logits (N, classes)."""
    with autocast(device, precision):
        logits: Tensor = model(normalise(pixels.to(device)))
    return logits.float()


def _metrics(log_probabilities: Tensor, labels: list[int]) -> Metrics:
    """Metrics of (videos, classes)."""
    videos, classes = log_probabilities.shape
    target = torch.tensor(labels)
    loss = F.nll_loss(log_probabilities, target).item()
    if not math.isfinite(loss):
        raise Diverged(f"the loss on validation is {loss}: the network's outputs are not numbers; lower base_rate")
    right = log_probabilities.topk(min(TOP, classes)).indices == target[:, None]
    return Metrics(
        top1=right[:, 0].sum().item() / videos,
        top5=right.any(1).sum().item() / videos,
        loss=loss,
        videos=videos,
    )


def _video_scores(log_probabilities: Tensor, scores: Sequence[_Score]) -> tuple[VideoScore, ...]:
    """Of (videos, classes). Where classes tie, the five first are those that the metrics take."""
    classes = log_probabilities.shape[1]
    target = torch.tensor([score.label for score in scores])[:, None]
    first = log_probabilities.topk(min(TOP, classes)).indices
    own = log_probabilities.gather(1, target)
    among = (first == target).int()
    behind = (log_probabilities > own).sum(1).clamp(min=TOP) + 1
    ranks = torch.where(among.any(1), among.argmax(1) + 1, behind)
    losses = own[:, 0].clamp(max=0).abs()  # the mean of views that are all certain can round to above 1
    columns = (first[:, 0].tolist(), ranks.tolist(), losses.tolist())
    return tuple(
        VideoScore(score.index, score.label, predicted, rank, loss)
        for score, predicted, rank, loss in zip(scores, *columns, strict=True)
    )
