"""Charades (A.2): sigmoid and cross-entropy for each class, scores max-pooled over a video's views, mAP."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn

from expander.efficientnet3d import AnyGeometry
from expander.errors import UsageError
from expander.recipe import Recipe
from expander.trial import Views
from trainers.allocator import keep_freed_memory
from trainers.checkpoint import load_weights
from trainers.data.charades import CLASSES, CharadesClips, CharadesManifest, LabelledClip
from trainers.data.clips import Damaged, TestViews, TrainingClips, ViewedVideo, normalise
from trainers.data.damage import Ledger
from trainers.finetune.average_precision import AveragePrecision, average_precision
from trainers.finetune.loop import Finetuning, Loss, Progress, finetune
from trainers.finetune.recipe import FinetuneRecipe
from trainers.loading import load
from trainers.networks.build import build
from trainers.train import deterministic, find_device, fixed_threads
from trainers.training import DeviceName

CLASSIFIER = "head.classifier."
CLIPS_AT_ONCE = 8


@dataclass(frozen=True)
class CharadesScores:
    """before, after: of the network as it starts and as it ends. scores: (videos, classes) of the latter; -inf for a
    damaged video. damaged: 'path: reason' of those of both manifests."""

    before: AveragePrecision
    after: AveragePrecision
    scores: NDArray[np.float64]
    damaged: tuple[str, ...]


def charades_geometry(geometry: AnyGeometry) -> AnyGeometry:
    """That of a Kinetics instance with twice the stride and Charades' classes (A.2); one frame has no stride."""
    return replace(geometry, stride=geometry.stride and 2 * geometry.stride, classes=CLASSES)


def charades_recipe(kinetics: Recipe, iterations: int = 24_000) -> FinetuneRecipe:
    """A.2's recipe; what it does not name is that of the Kinetics training, its share of warm-up too."""
    return FinetuneRecipe(
        iterations=iterations,
        batch=16,
        base_rate=0.02,
        decay_at=(iterations * 2 // 3, iterations * 5 // 6),
        warmup=round(kinetics.warmup * iterations),
        momentum=kinetics.momentum,
        weight_decay=1e-5,
        dropout=kinetics.dropout,
        drop_connect=kinetics.drop_connect,
        batchnorm_group=kinetics.batchnorm_group,
        scale_jitter=kinetics.scale_jitter,
        flip=kinetics.flip,
    )


def train_charades(
    id: str,
    geometry: AnyGeometry,
    recipe: FinetuneRecipe,
    weights: Path,
    train: CharadesManifest,
    val: CharadesManifest,
    views: Views,
    folder: Path,
    report: Callable[[Progress], None],
    *,
    seed: int = 0,
    damage_share: float = 0.01,
    loader_workers: int = 0,
    threads: int | None = None,
    device: DeviceName = "auto",
    every: int = 500,
) -> CharadesScores:
    """Fine-tune the network of `geometry` from `weights`, and score it before and after; see `Finetuning`."""
    keep_freed_memory()
    place = find_device(device)
    random = torch.random.fork_rng([place] if place.type == "cuda" else [])
    with fixed_threads(threads), random, deterministic(place):
        torch.manual_seed(seed)
        model = build(geometry, recipe.of_network)
        load_backbone(weights, model)
        model = model.to(place)
        lost = Ledger(len(val.manifest.videos), damage_share)
        before = average_precision(_scores(model, val, geometry, views, lost, loader_workers), val.targets().numpy())
        clips = TrainingClips(train.manifest, geometry, recipe.of_network, seed)
        training = Finetuning(
            id=id,
            model=model,
            loss=charades_loss,
            samples=CharadesClips(clips, train.actions),
            places=len(train.manifest.videos),
            recipe=recipe,
            folder=folder,
            seed=seed,
            damage_share=damage_share,
            every=every,
            loader_workers=loader_workers,
        )
        damaged = finetune(training, report)
        scores = _scores(model, val, geometry, views, lost, loader_workers)
    return CharadesScores(before, average_precision(scores, val.targets().numpy()), scores, (*damaged, *lost.videos))


def charades_loss(model: nn.Module, clips: list[LabelledClip]) -> Loss:
    """Binary cross-entropy, the mean over the classes, summed over the clips."""
    device = next(model.parameters()).device
    pixels = torch.stack([clip.pixels for clip in clips]).to(device)
    targets = torch.stack([clip.target for clip in clips]).to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        logits = model(normalise(pixels))
    loss = F.binary_cross_entropy_with_logits(logits.float(), targets, reduction="none")
    return Loss(loss.mean(1).sum(), len(clips))


def load_backbone(path: Path, model: nn.Module) -> None:
    """Load all but the classifier, which is new, from a safetensors file of ours. Raises UsageError as `load_weights`
    does."""
    try:
        found = safetensors.torch.load(path.read_bytes())
    except (OSError, SafetensorError):
        return load_weights(path, model)  # which says what is wrong with it
    own = {name: tensor for name, tensor in model.state_dict().items() if name.startswith(CLASSIFIER)}
    if missing := [name for name in own if name not in found]:
        raise UsageError(f"weights {path} are of another network: {', '.join(missing)} missing; give an instance's")
    load_weights(path, model, replaced=own)
    return None


def _scores(
    model: nn.Module, val: CharadesManifest, geometry: AnyGeometry, views: Views, lost: Ledger, workers: int
) -> NDArray[np.float64]:
    tested = TestViews(val.manifest, geometry, [views])
    with closing(load(tested, range(len(val.manifest.videos)), workers)) as videos:
        return video_scores(model, videos, len(val.manifest.videos), lost)


def video_scores(
    model: nn.Module, videos: Iterable[ViewedVideo | Damaged], number: int, lost: Ledger
) -> NDArray[np.float64]:
    """(number, classes): the largest sigmoid over the views of each video; -inf for a damaged one, which ranks last."""
    scores = np.full((number, CLASSES), -np.inf)
    model.eval()
    with torch.inference_mode():
        for video in videos:
            if isinstance(video, Damaged):
                lost.add(video)
            else:
                scores[video.index] = _of_video(model, video).double().cpu().numpy()
    return scores


def _of_video(model: nn.Module, video: ViewedVideo) -> Tensor:
    device = next(model.parameters()).device
    ((size, rows),) = video.rows
    pooled = []
    for clips in torch.split(video.pixels[size][rows], CLIPS_AT_ONCE):
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits = model(normalise(clips.to(device)))
        pooled.append(logits.float().sigmoid())
    return torch.cat(pooled).amax(0)
