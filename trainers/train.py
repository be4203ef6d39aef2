"""One training from its start, or from where it was killed, to its score (Sec. 4, A.3)."""

from __future__ import annotations

import ctypes
import platform
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from expander.efficientnet3d import AnyGeometry
from expander.errors import UsageError
from expander.recipe import ShortVideos
from expander.trial import Completed, Epoch, Trial, Views
from trainers import checkpoint
from trainers.data.clips import TestViews, TrainingClips
from trainers.data.damage import Ledger
from trainers.data.decode import SECONDS_PER_VIDEO
from trainers.data.manifest import Manifest, ManifestSource, check_classes, read_pair
from trainers.evaluate import Evaluation, evaluate
from trainers.learner import Learner, epoch_order
from trainers.networks.build import build

# Of glibc's malloc.h.
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
LARGEST_INT = 2**31 - 1

T = TypeVar("T")
DeviceName = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class VideoTraining:
    """Trains trials on videos; plain values only, so that a dispatcher can send it to another process.

    runs: the files of trial X are in `runs`/trials/X. damage_share: share of a manifest's videos that may fail to
    decode, in [0, 1]. loader_workers: processes that decode; 0 decodes in the training's own. threads: PyTorch's, None
    leaves them. seconds_per_video: one that takes longer is damaged. device: 'auto' takes a GPU where there is one.
    """

    train: ManifestSource
    val: ManifestSource
    runs: Path
    damage_share: float = 0.01
    loader_workers: int = 0
    threads: int | None = None
    device: DeviceName = "auto"
    seconds_per_video: float = SECONDS_PER_VIDEO

    def __call__(self, trial: Trial, report: Callable[[Epoch], None]) -> Completed:
        """Train `trial` and score it. Each epoch is reported when its checkpoint is on disk, and only once.

        Goes on from the trial's last checkpoint; a trial that finished here returns what it returned then. Raises
        DataError for manifests or too many damaged videos, TrialError for a loss that is not a number.
        """
        folder = self.runs / "trials" / trial.id
        if completed := checkpoint.load_completed(folder, trial.id):
            return completed
        started = time.monotonic()
        keep_freed_memory()
        train, val = read_pair(self.train, self.val)
        for manifest in (train, val):
            check_classes(manifest, trial.geometry.classes)
        device, workers = find_device(self.device), self.loader_workers
        with fixed_threads(self.threads), torch.random.fork_rng([device] if device.type == "cuda" else []):
            learner = Learner(trial, device, Ledger(len(train.videos), self.damage_share))
            learner.go_on_from(checkpoint.latest(folder, trial.id))
            clips = TrainingClips(train, trial.geometry, trial.recipe, trial.seed, self.seconds_per_video)
            # One loader for all epochs: its processes start once, and decode the next epoch as this one is saved.
            with closing(_load(clips, _order(trial, learner.epoch + 1, len(train.videos)), workers)) as items:
                while learner.epoch < trial.recipe.epochs:
                    epoch = learner.learn(islice(items, len(train.videos)), len(train.videos))
                    checkpoint.save(folder, learner.state())
                    report(epoch)
            (folder / checkpoint.COMPLETED).unlink(missing_ok=True)  # one from before is not of these weights
            checkpoint.save_weights(folder / checkpoint.WEIGHTS, learner.model)
            damaged = Ledger(len(val.videos), self.damage_share, "val", before=learner.ledger.entries)
            at_once = trial.recipe.batchnorm_group  # what fits in memory to train on fits to test on
            short, seconds = trial.recipe.short_videos, self.seconds_per_video
            tested = TestViews(val, trial.geometry, [trial.views], short, seconds)
            with closing(_load(tested, range(len(val.videos)), workers)) as views:
                (metrics,) = evaluate(learner.model, views, damaged, device=device, clips_at_once=at_once).metrics
        completed = Completed(
            trial=trial.id,
            metrics=metrics,
            seconds=time.monotonic() - started,
            weights=str(folder / checkpoint.WEIGHTS),
            damaged=(*learner.ledger.videos, *damaged.videos),
            versions=versions(),
            ledger=damaged.entries,
        )
        checkpoint.save_completed(folder, completed)
        return completed


def score(
    geometry: AnyGeometry,
    weights: Path,
    manifest: Manifest,
    views: Sequence[Views],
    *,
    short_videos: ShortVideos = "loop",
    damage_share: float = 0.01,
    loader_workers: int = 0,
    threads: int | None = None,
    device: DeviceName = "auto",
) -> tuple[Evaluation, tuple[str, ...]]:
    """Scores of the network of `geometry` with `weights` (safetensors) on a manifest, and the videos left out.

    Every video is decoded once and scored from each of `views`. short_videos: as in the recipe. The other arguments are
    those of VideoTraining. Raises UsageError for weights of another network, or a GPU that is not there.
    """
    keep_freed_memory()
    model = build(geometry).to(find_device(device))
    checkpoint.load_weights(weights, model)
    damaged = Ledger(len(manifest.videos), damage_share)
    order = range(len(manifest.videos))
    tested = TestViews(manifest, geometry, views, short_videos)
    with fixed_threads(threads), closing(_load(tested, order, loader_workers)) as loaded:
        return evaluate(model, loaded, damaged, device=find_device(device)), damaged.videos


def find_device(name: DeviceName) -> torch.device:
    """Where PyTorch computes. Raises UsageError for a GPU that is not there."""
    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        raise UsageError(
            "device cuda: PyTorch finds no GPU on this machine; use cpu, or auto to take a GPU if there is"
        )
    return torch.device("cuda" if found and name != "cpu" else "cpu")


def _order(trial: Trial, first: int, videos: int) -> Iterator[tuple[int, int]]:
    """The keys of the clips of epoch `first` and all after it."""
    for epoch in range(first, trial.recipe.epochs + 1):
        yield from ((epoch, place) for place in epoch_order(trial.seed, epoch, videos))


def _load(items: Dataset[T], order: Iterable[Any], workers: int) -> Generator[T, None, None]:
    """`items` in `order`, one by one; decoded ahead where there are workers, which end when it is closed."""
    # Its own generator: with the global one, what a loader draws would shift the dropout of the training.
    yield from DataLoader(
        items,
        batch_size=None,
        sampler=order,
        num_workers=workers,
        collate_fn=_as_it_is,
        generator=torch.Generator(),
    )


def versions() -> dict[str, str]:
    """What trains: Python and the packages whose version can change a result."""
    return {"python": platform.python_version()} | {name: version(name) for name in ("torch", "av", "x3d-expander")}


def keep_freed_memory() -> None:
    """Let glibc keep the pages of freed activations; does nothing with another C library.

    By default it gives them back and maps them anew at every step, which costs up to a quarter of a step's time.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            libc.mallopt(option, LARGEST_INT)


@contextmanager
def fixed_threads(threads: int | None) -> Iterator[None]:
    """PyTorch's threads within it; set back after, as the in-process dispatcher trains in the caller's process."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _as_it_is(item: T) -> T:
    return item
