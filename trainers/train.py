"""One training from its start, or from where it was killed, to its score (Sec. 4, A.3)."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from expander.efficientnet3d import AnyGeometry
from expander.errors import DeviceMemoryError, FileError, TrialError, UsageError
from expander.files import digest, remove
from expander.recipe import ShortVideos
from expander.trial import Completed, Epoch, GoesOn, Metrics, Told, Trial, Views, shorter_side
from trainers import checkpoint
from trainers.allocator import keep_freed_memory
from trainers.batches import epoch_order, own_places
from trainers.data.clips import TestViews, TrainingClips
from trainers.data.damage import Ledger
from trainers.data.files import check_seen
from trainers.data.manifest import Manifest, check_classes, read_pair
from trainers.evaluate import Evaluation, evaluate, own_videos
from trainers.fence import Fence
from trainers.journal import Journal, keeping_journal
from trainers.learner import DoesNotFit, Learner
from trainers.loading import load
from trainers.micro_batch import MicroBatch, shrunk, too_large
from trainers.networks.build import build
from trainers.processor import processor_name
from trainers.team import ALONE, Team, led
from trainers.training import DeviceName, VideoTraining
from trainers.trial_log import LOG
from trainers.versions import versions

logger = logging.getLogger(__name__)


def train(training: VideoTraining, trial: Trial, report: Callable[[Told], None], team: Team = ALONE) -> Completed:
    """Train `trial` and score it. Each epoch is reported when its checkpoint is on disk, and only once; one
    GoesOn names those of the checkpoint that it goes on from, or that a finished trial left.

    Every member of `team` calls it with the same trial and returns the same; the leader alone reports, and reads
    and writes the trial's folder. Goes on from the trial's last checkpoint, whatever team wrote it; a trial that
    finished here returns what it returned then. What the leader warns of is reported too. Raises DataError for
    manifests or too many damaged videos, TrialError for a loss that is no number, a network that does not fit, or a
    later attempt at the same trial, FileError where a checkpoint cannot be written: each on every member.
    """
    folder, fence = led(team, lambda: _begun(training, trial))
    watched = training.watchdog.watching(folder / LOG) if training.watchdog else nullcontext(_nothing)
    keeping = keeping_journal(folder, trial, training.loader_workers, versions(), report, leads=team.rank == 0)
    with keeping as journal, watched as beat:
        if completed := led(team, lambda: _finished(folder, trial.id, report)):
            return completed
        led(team, fence.begin)
        device = find_device(training.device)
        return _Attempt(training, trial, folder, team, device, report, journal, fence, beat).outcome()


def _begun(training: VideoTraining, trial: Trial) -> tuple[Path, Fence]:
    folder = checkpoint.make_folder(training.runs, trial.id)
    return folder, Fence(folder, training.claim)


@dataclass(frozen=True)
class _Attempt:
    """One member's part in a training, from its last checkpoint to its outcome."""

    training: VideoTraining
    trial: Trial
    folder: Path
    team: Team
    device: torch.device
    report: Callable[[Told], None]
    journal: Journal
    fence: Fence
    beat: Callable[[], None]

    def outcome(self) -> Completed:
        """Train and score."""
        started = time.monotonic()
        keep_freed_memory()
        share = self.training.damage_share
        train, val = read_pair(self.training.train, self.training.val)
        for manifest in (train, val):
            check_classes(manifest, self.trial.geometry.classes)
        for manifest, expected in zip((train, val), self.training.seen or (), strict=False):
            check_seen(manifest, expected)
        random = torch.random.fork_rng([self.device] if self.device.type == "cuda" else [])
        with fixed_threads(self.training.threads), random, deterministic(self.device):
            learner, notes = self._trained(train)
            checksum = led(self.team, lambda: self._keep_weights(learner))
            damaged = Ledger(len(val.videos), share, "val", before=learner.ledger.entries)
            metrics = self._scored(learner, val, damaged)
        completed = Completed(
            trial=self.trial.id,
            metrics=metrics,
            seconds=time.monotonic() - started,
            weights=str(self.folder / checkpoint.WEIGHTS),
            damaged=(*learner.ledger.videos, *damaged.videos),
            versions=versions(),
            train_top1=learner.epochs[-1].top1,
            device=processor_name(self.device),
            gpus=self._gpus(),
            ledger=damaged.entries,
            notes=notes,
            weights_sha256=checksum,
        )
        self.journal.completed(completed, self.trial.recipe.epochs)

        def keep() -> Completed:
            self.fence.check()
            checkpoint.save_completed(self.folder, completed)
            return completed

        return led(self.team, keep)

    def _keep_weights(self, learner: Learner) -> str:
        """Write them, and return the file's SHA-256."""
        self.fence.check()
        remove(self.folder / checkpoint.COMPLETED)  # one from before is not of these weights
        checkpoint.save_weights(self.folder / checkpoint.WEIGHTS, learner.model)
        return digest(self.folder / checkpoint.WEIGHTS)

    def _keep_epoch(self, learner: Learner, epoch: Epoch) -> None:
        self.fence.check()
        checkpoint.save(self.folder, learner.state())
        self.journal.epoch(epoch)
        self.report(epoch)

    def _gpus(self) -> float | None:
        """GPUs that the trial holds: one a member; None on a CPU."""
        if self.device.type != "cuda":
            return None
        return float(self.team.size) if self.team.size > 1 else self.training.gpus or 1.0

    def _trained(self, train: Manifest) -> tuple[Learner, tuple[str, ...]]:
        """The learner after its last epoch, and notes. Where memory does not suffice it goes on in smaller pieces."""
        recipe, wanted = self.trial.recipe, self.training.micro_batches
        most = -(-recipe.batch // (recipe.batchnorm_group * self.team.size))
        # The leader's, as its GPU may have another one's memory; where another member has less, all of them go down.
        micro = self.team.share(wanted.first(self.trial, self.device, self.training.runs, most))
        first = micro
        while True:
            try:
                learner = self._learn(train, micro)
            except DoesNotFit as error:
                if (smaller := micro.smaller(wanted.may_recompute)) is None:
                    raise DeviceMemoryError(too_large(self.trial, wanted)) from error
            else:
                return learner, () if micro == first else (shrunk(recipe, first, micro),)
            logger.warning("%s; going on from the last checkpoint", shrunk(recipe, micro, smaller))
            micro = smaller

    def _learn(self, train: Manifest, micro: MicroBatch) -> Learner:
        trial, videos, team = self.trial, len(train.videos), self.team
        recipe = trial.recipe
        learner = Learner(trial, self.device, Ledger(videos, self.training.damage_share), team, micro)
        learner.go_on_from(led(team, lambda: _latest(self.folder, trial.id, self.report)))
        self.journal.goes_on(learner.epochs, self.device)
        clips = TrainingClips(train, trial.geometry, recipe, trial.seed, self.training.seconds_per_video)
        order = _order(trial, learner.epoch + 1, videos, team)
        # One loader for all epochs: its processes start once, and decode the next epoch as this one is saved.
        workers, each = self.training.loader_workers, _bytes_of(trial.geometry, 1)
        with closing(load(clips, order, workers, self.beat, each)) as items:
            while learner.epoch < recipe.epochs:
                led(team, partial(self._keep_epoch, learner, learner.learn(items, videos)))
            learner.graphs.release()  # what follows needs their memory
            if recipe.precise_batchnorm:
                learner.refine(items, min(videos, recipe.precise_batchnorm))
        return learner

    def _scored(self, learner: Learner, val: Manifest, damaged: Ledger) -> Metrics:
        views = self.trial.views
        at_once = learner.at_once * self.trial.recipe.batchnorm_group  # what fits to train on fits to test on
        run = -(-at_once // views.per_video)
        short, seconds = self.trial.recipe.short_videos, self.training.seconds_per_video
        tested = TestViews(val, self.trial.geometry, [views], short, seconds)
        order = own_videos(len(val.videos), self.team, run)
        workers, each = self.training.loader_workers, _bytes_of(self.trial.geometry, views.per_video)
        with closing(load(tested, order, workers, self.beat, each)) as videos:
            evaluation = evaluate(
                learner.model,
                videos,
                damaged,
                device=self.device,
                clips_at_once=at_once,
                precision=self.trial.recipe.precision,
                team=self.team,
                run=run,
            )
        return evaluation.metrics[0]


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
    each = _bytes_of(geometry, sum(each.per_video for each in views))
    with fixed_threads(threads), closing(load(tested, order, loader_workers, item_bytes=each)) as loaded:
        return evaluate(model, loaded, damaged, device=find_device(device)), damaged.videos


def find_device(name: DeviceName) -> torch.device:
    """Where PyTorch computes. Raises UsageError for a GPU that is not there."""
    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        raise UsageError(
            "device cuda: PyTorch finds no GPU on this machine; use cpu, or auto to take a GPU if there is"
        )
    return torch.device("cuda" if found and name != "cpu" else "cpu")


def _order(trial: Trial, first: int, videos: int, team: Team) -> Iterator[tuple[int, int]]:
    """The keys of this member's clips: of epoch `first`, of all after it, and of one more for precise BN."""
    recipe = trial.recipe
    for epoch in range(first, recipe.epochs + 1):
        order = epoch_order(trial.seed, epoch, videos)
        yield from ((epoch, place) for place in own_places(order, recipe, team))
    if recipe.precise_batchnorm:
        last = recipe.epochs + 1
        order = epoch_order(trial.seed, last, videos)[: recipe.precise_batchnorm]
        yield from ((last, place) for place in own_places(order, recipe, team))


def _finished(folder: Path, trial: str, report: Callable[[Told], None]) -> Completed | None:
    """The outcome of a trial that finished, None where it has not; its epochs are reported first."""
    completed = checkpoint.load_completed(folder, trial)
    if completed is not None:
        with suppress(FileError, TrialError):  # a trial that is finished does not fail for want of its history
            _latest(folder, trial, report)
    return completed


def _latest(folder: Path, trial: str, report: Callable[[Told], None]) -> checkpoint.State | None:
    """The last checkpoint, None where there is none; its epochs are reported."""
    state = checkpoint.latest(folder, trial)
    if state is not None:
        report(GoesOn(trial, state.epochs))
    return state


def _bytes_of(geometry: AnyGeometry, clips: int) -> int:
    """About as many as the pixels of so many clips, or views."""
    return clips * geometry.frames * shorter_side(geometry.crop) ** 2 * 3


def _nothing() -> None: ...


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Within it a GPU computes the same bits each time, by kernels that may be slower; where there are none, PyTorch
    warns. A CPU does so by itself."""
    if device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS is first used
    # A debugging aid that writes to every new tensor.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


@contextmanager
def fixed_threads(threads: int | None) -> Iterator[None]:
    """PyTorch's threads within it; set back after, as the in-process dispatcher trains in the caller's process."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
