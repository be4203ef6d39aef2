"""The rival of step.py: the trainings of a step one after the other, with PyTorchVideo 0.1.5's network and loader.

`python benchmarks/rival.py SPACE TRAIN VAL` prints one line of JSON for each training. As its tutorial has it: its
LabeledVideoDataset over PyAV, its transforms in the tutorial's order, a DataLoader whose processes decode, one for
each core, and SGD. One process trains all, so that torch is imported once; nothing is kept on disk. What is not
PyTorchVideo's is the search's: recipe, learning rates, batches, clips and views. Where its own choice costs it more, it
is spared that: a clip spans no more frames than it needs, and the loader's processes stay for all epochs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, SequentialSampler

from expander.axis import round_half_up
from expander.cli.files import load_space
from expander.geometry import Geometry
from expander.recipe import Recipe
from expander.search import Candidate, next_step
from expander.space import SearchSpace
from expander.trial import shorter_side
from results.peers.pytorchvideo import build
from trainers.data.clips import MEAN, STD
from trainers.schedule import rate_at

WORKERS = os.cpu_count() or 2


@dataclass(frozen=True)
class PyTorchVideo:
    """What is taken of it."""

    create_x3d: Any
    data: ModuleType
    sampling: ModuleType
    transforms: ModuleType


def main() -> None:
    space, train, val = sys.argv[1], *map(Path, sys.argv[2:4])
    searched, _ = load_space(space, sys.argv[4:])
    torch.manual_seed(searched.seed)
    random.seed(searched.seed)
    theirs = pytorchvideo()
    for candidate, axes in networks(searched):
        print(json.dumps({"axes": axes} | training(theirs, searched, candidate, train, val)), flush=True)


def networks(space: SearchSpace) -> list[tuple[Candidate, list[str]]]:
    """The candidates of the first step, the first of those that are one network; each with the axes it stands for."""
    step = next_step(space, [])
    assert step is not None
    found: dict[Geometry, list[Candidate]] = {}
    for candidate in step.candidates:
        if candidate.feasible and candidate.solution:
            found.setdefault(candidate.solution.geometry, []).append(candidate)
    return [(same[0], [each.axis.value for each in same]) for same in found.values()]


def training(
    theirs: PyTorchVideo, space: SearchSpace, candidate: Candidate, train: Path, val: Path
) -> dict[str, float | int]:
    """Train and score one network."""
    began, waited, clips = time.perf_counter(), 0.0, 0
    step = next_step(space, [])
    assert step is not None
    assert candidate.solution is not None
    recipe, geometry = step.recipe, candidate.solution.geometry
    model = network(theirs, candidate, space, recipe)
    optimizer = sgd(model, recipe)
    videos = training_videos(theirs, geometry, recipe, train)
    count = videos.num_videos
    loader = DataLoader(videos, batch_size=recipe.batch, num_workers=WORKERS, persistent_workers=True)
    model.train()
    for epoch in range(recipe.epochs):
        seen, batches = 0, iter(loader)
        while True:
            asked = time.perf_counter()
            if (batch := next(batches, None)) is None:
                break
            waited += time.perf_counter() - asked
            pixels, labels = batch["video"], batch["label"]
            rate = rate_at((epoch + (seen + len(labels) / 2) / count) / recipe.epochs, recipe)
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad()
            F.cross_entropy(model(pixels), labels).backward()
            optimizer.step()
            seen += len(labels)
        clips += seen
    trained = time.perf_counter() - began
    score, views = scored(theirs, model, geometry, space, val)
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "training_seconds": trained,
        "waited": waited / trained,
        "clips": clips,
        "views": views,
        "top1": score,
    }


def network(theirs: PyTorchVideo, candidate: Candidate, space: SearchSpace, recipe: Recipe) -> nn.Module:
    """`create_x3d` of the candidate's geometry; logits in place of softmax, as the loss takes them."""
    assert candidate.solution is not None
    geometry, factors = candidate.solution.geometry, candidate.solution.factors
    keys = {
        "input_clip_length": geometry.frames,
        "input_crop_size": geometry.crop,
        "model_num_class": geometry.classes,
        "dropout_rate": recipe.dropout,
        "width_factor": 2.0 * factors.gamma_w,
        "depth_factor": factors.gamma_d,
        "stem_dim_in": space.basis.widths[0] // 2,
        "stem_conv_kernel_size": (geometry.stem_kernel, 3, 3),
        "bottleneck_factor": factors.gamma_b,
        "se_ratio": 1 / 16,
        "head_dim_out": geometry.head_width,
        "head_activation": None,
    }
    if (built := build(keys, geometry.stride)) != geometry:
        raise ValueError(f"create_x3d makes {built} where the search trains {geometry}")
    model: nn.Module = theirs.create_x3d(**keys)
    return model


def sgd(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    norms = [p for module in model.modules() if isinstance(module, nn.BatchNorm3d) for p in module.parameters()]
    left = {id(parameter) for parameter in norms}
    decayed = [parameter for parameter in model.parameters() if id(parameter) not in left]
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": norms, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum)


def training_videos(theirs: PyTorchVideo, geometry: Geometry, recipe: Recipe, train: Path) -> Any:
    low, high = (round_half_up(share * geometry.crop) for share in recipe.scale_jitter)

    def transform(sample: dict[str, Any]) -> dict[str, Any]:
        clip = normalised(theirs, sample["video"], geometry)
        clip = theirs.transforms.short_side_scale(clip, random.randint(low, high))
        # torchvision's RandomCrop and RandomHorizontalFlip.
        top, left = (random.randint(0, size - geometry.crop) for size in clip.shape[-2:])
        clip = clip[..., top : top + geometry.crop, left : left + geometry.crop]
        return picked(sample, clip.flip(-1) if recipe.flip and random.random() < 0.5 else clip)

    sampler = theirs.sampling.make_clip_sampler("random", duration(geometry))
    return theirs.data.LabeledVideoDataset(
        listed(train), sampler, transform=transform, decode_audio=False, decoder="pyav"
    )


def scored(
    theirs: PyTorchVideo, model: nn.Module, geometry: Geometry, space: SearchSpace, val: Path
) -> tuple[float, int]:
    """Top-1 over the softmax scores averaged over a video's views, and the number of views."""

    def transform(sample: dict[str, Any]) -> dict[str, Any]:
        clip = normalised(theirs, sample["video"], geometry)
        clip = theirs.transforms.short_side_scale(clip, shorter_side(geometry.crop))
        # torchvision's CenterCrop.
        top, left = ((size - geometry.crop) // 2 for size in clip.shape[-2:])
        return picked(sample, clip[..., top : top + geometry.crop, left : left + geometry.crop])

    views = space.views.clips
    sampler = theirs.sampling.make_clip_sampler("constant_clips_per_video", duration(geometry), views)
    videos = theirs.data.LabeledVideoDataset(
        listed(val), sampler, SequentialSampler, transform, decode_audio=False, decoder="pyav"
    )
    model.eval()
    scores: dict[int, Tensor] = {}
    labels: dict[int, int] = {}
    seen = 0
    with torch.no_grad():
        for batch in DataLoader(videos, batch_size=views * 2, num_workers=WORKERS):
            for index, label, score in zip(
                batch["video_index"].tolist(), batch["label"].tolist(), model(batch["video"]).softmax(1), strict=True
            ):
                scores[index] = scores.get(index, torch.zeros(())) + score
                labels[index] = label
                seen += 1
    right = sum(int(scores[index].argmax()) == label for index, label in labels.items())
    return right / len(labels), seen


def normalised(theirs: PyTorchVideo, clip: Tensor, geometry: Geometry) -> Tensor:
    """UniformTemporalSubsample, x / 255, Normalize: the first three of the tutorial's transforms."""
    clip = theirs.transforms.uniform_temporal_subsample(clip, geometry.frames)
    return (clip / 255.0 - MEAN) / STD


def picked(sample: dict[str, Any], clip: Tensor) -> dict[str, Any]:
    return {"video": clip, "label": sample["label"], "video_index": sample["video_index"]}


def duration(geometry: Geometry, rate: int = 30) -> Fraction:
    """Seconds from the first frame of a clip to behind its last."""
    return Fraction((geometry.frames - 1) * (geometry.stride or 0) + 1, rate)


def listed(manifest: Path) -> list[tuple[str, dict[str, int]]]:
    pairs = (line.rsplit(maxsplit=1) for line in manifest.read_text().splitlines())
    return [(str(manifest.parent / path), {"label": int(label)}) for path, label in pairs]


def pytorchvideo() -> PyTorchVideo:
    """Its age: it imports torchvision for a layer and a listing of folders that are not used here, and its transforms
    import a module that torchvision has lost; functional.py, which needs neither, is loaded alone."""
    with warnings.catch_warnings(), stubbed():
        warnings.simplefilter("ignore")
        import pytorchvideo.data
        import pytorchvideo.data.clip_sampling as sampling
        from pytorchvideo.models.x3d import create_x3d

        place = Path(pytorchvideo.__file__).parent / "transforms/functional.py"
        spec = importlib.util.spec_from_file_location("functional", place)
        assert spec is not None
        assert spec.loader is not None
        transforms = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(transforms)
    return PyTorchVideo(create_x3d, pytorchvideo.data, sampling, transforms)


@contextmanager
def stubbed() -> Iterator[None]:
    """With empty modules in place of those of torchvision, which has no build for this torch, where it is missing."""
    unused: Callable[..., Any] | None = None
    stubs = {name: ModuleType(f"torchvision{name}") for name in ("", ".ops", ".datasets", ".datasets.folder")}
    stubs[".ops"].RoIAlign = unused  # type: ignore[attr-defined]
    stubs[".datasets.folder"].make_dataset = unused  # type: ignore[attr-defined]
    added = [stub for stub in stubs.values() if sys.modules.setdefault(stub.__name__, stub) is stub]
    try:
        yield
    finally:
        for stub in added:
            del sys.modules[stub.__name__]


if __name__ == "__main__":
    main()
