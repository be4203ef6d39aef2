"""A detector from the weights of an instance to its frame mAP (Sec. 5, A.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from expander.efficientnet3d import AnyGeometry
from expander.errors import DataError, UsageError
from expander.files import make_folder, write_whole
from expander.recipe import Recipe
from expander.trial import content_id
from trainers import checkpoint
from trainers.allocator import keep_freed_memory
from trainers.checkpoint import save_weights
from trainers.data import ava
from trainers.data.clips import Damaged
from trainers.data.damage import Ledger
from trainers.detection.clips import KeyFrames, TestKeyFrames, TrainingKeyFrames
from trainers.detection.detect import detect
from trainers.detection.frame_ap import FrameMeanAP, KeyFrame, Labelled, frame_mean_ap
from trainers.detection.learner import DetectionLearner
from trainers.detection.network import detector
from trainers.detection.schedule import Schedule
from trainers.finetune.loop import keys
from trainers.loading import load
from trainers.train import find_device, fixed_threads
from trainers.training import DeviceName

WEIGHTS = "detector.safetensors"
DETECTIONS = "detections.csv"
STEM = "detector"  # of the names of checkpoints


@dataclass(frozen=True)
class Round:
    """The iterations up to a validation. loss: mean over these iterations; rate: of the last; score: frame mAP."""

    iteration: int
    loss: float
    rate: float
    score: float


@dataclass(frozen=True)
class DetectionData:
    """Everything of AVA that a training needs, as read and checked. classes: names of the action ids.

    id: of what the files hold, not of where they or the videos lie.
    """

    id: str
    train: KeyFrames
    val: KeyFrames
    truth: tuple[Labelled, ...]
    classes: dict[int, str]
    excluded: frozenset[KeyFrame]


@dataclass(frozen=True)
class AvaFiles:
    """Where AVA's files are. excluded: one file or several. root: the folder of the videos. start: see KeyFrames."""

    train: Path
    train_boxes: Path | None
    val: Path
    val_boxes: Path
    excluded: tuple[Path, ...]
    labels: Path
    root: Path
    start: float = 0.0

    def read(self) -> DetectionData:
        """Raises ManifestError for what is wrong in a file, or a video that is not there."""
        classes = ava.read_label_map(self.labels)
        excluded = frozenset[KeyFrame]().union(*map(ava.read_excluded, self.excluded))
        proposals = ava.read_proposals(self.train_boxes) if self.train_boxes else ()
        train = ava.training_samples(ava.read_truth(self.train), proposals, classes, excluded)
        val = ava.proposed_samples(ava.read_proposals(self.val_boxes), excluded)
        for path, samples in ((self.train, train), (self.val_boxes, val)):
            if not samples:
                raise DataError(
                    f"{path}: no box is left, by the classes of {self.labels.name}, the excluded key frames and, of"
                    f" proposals, a score of more than {ava.TEST_SCORE:g}"
                )
        first, second = (
            KeyFrames(samples, ava.find_videos(samples, self.root), self.start) for samples in (train, val)
        )
        truth = tuple(each for each in ava.read_truth(self.val) if each.action in classes and each.key not in excluded)
        if not truth:
            raise DataError(f"{self.val}: no box is left to score against, by the classes and the excluded key frames")
        return DetectionData(self._id(), first, second, truth, classes, excluded)

    def _id(self) -> str:
        files = (self.train, self.train_boxes, self.val, self.val_boxes, *self.excluded, self.labels)
        digests = [None if path is None else hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
        return content_id({"files": digests, "start": self.start})


@dataclass(frozen=True)
class DetectionTraining:
    """Trains a detector. weights: of the instance of `geometry`; None starts from random ones. whole_frame: test on
    whole frames, not on centre crops. The others are those of VideoTraining."""

    geometry: AnyGeometry
    recipe: Recipe
    schedule: Schedule
    weights: Path | None
    seed: int = 0
    whole_frame: bool = False
    damage_share: float = 0.01
    loader_workers: int = 0
    threads: int | None = None
    device: DeviceName = "auto"

    def id(self, data: DetectionData) -> str:
        """Of all that the result follows from."""
        weights = None if self.weights is None else hashlib.sha256(self.weights.read_bytes()).hexdigest()
        settings = {"schedule": vars(self.schedule), "seed": self.seed, "whole_frame": self.whole_frame}
        network = {"geometry": self.geometry.as_dict(), "recipe": self.recipe.as_dict(), "weights": weights}
        return content_id(settings | network | {"data": data.id})

    def __call__(
        self, data: DetectionData, out: Path, report: Callable[[Round], None]
    ) -> tuple[FrameMeanAP, tuple[str, ...]]:
        """Train, and return the last validation and the damaged videos; each round is reported once it is on disk.

        Goes on from the last checkpoint in `out`. Weights and detections, an official csv, are left there. Raises
        UsageError for other weights or settings than those of `out`, DataError for too many damaged videos, TrialError
        for a loss that is not a number, FileError where `out` cannot be written to.
        """
        make_folder(out)
        device = find_device(self.device)
        keep_freed_memory()
        with fixed_threads(self.threads), torch.random.fork_rng([device] if device.type == "cuda" else []):
            return _Run(self, data, out, device).finish(report)


class _Run:
    """One attempt."""

    def __init__(self, training: DetectionTraining, data: DetectionData, out: Path, device: torch.device) -> None:
        torch.manual_seed(training.seed)
        self.training, self.data, self.out, self.device = training, data, out, device
        self.classes = sorted(data.classes)
        recipe = training.recipe
        model = detector(
            training.geometry,
            training.weights,
            len(self.classes),
            dropout=recipe.dropout,
            drop_connect=recipe.drop_connect,
        )
        self.damaged, self.val_damaged = (
            Ledger(len(set(frames.paths)), training.damage_share) for frames in (data.train, data.val)
        )
        self.learner = DetectionLearner(
            model, recipe, data.train.samples, self.classes, self.damaged, device, training.seed
        )
        self.rounds: list[Round] = []
        # The id is of the weights' content: after these were read, so that a missing file is named by their reader.
        self.id = training.id(data)
        self._go_on()

    def finish(self, report: Callable[[Round], None]) -> tuple[FrameMeanAP, tuple[str, ...]]:
        """Train to the end and score."""
        score: FrameMeanAP | None = None
        begin = self.rounds[-1].iteration if self.rounds else 0
        with closing(self._clips(begin)) as clips:
            for end in self.training.schedule.ends()[len(self.rounds) :]:
                loss, rate = self._train(clips, begin, end)
                score, detections = self._validate()
                self.rounds.append(Round(end, loss, rate, score.mean))
                write_whole(self.out / DETECTIONS, "".join(ava.detection_lines(detections)).encode())
                checkpoint.save_values(self.out, STEM, end, self._values())
                report(self.rounds[-1])
                begin = end
        if score is None:  # finished before
            score, _ = self._validate()
        save_weights(self.out / WEIGHTS, self.learner.model)
        return score, self.damaged.videos + self.val_damaged.videos

    def _train(self, clips: Iterator[Any], begin: int, end: int) -> tuple[float, float]:
        """Mean loss and last rate of the iterations from `begin` to `end`."""
        scores, peak = [each.score for each in self.rounds], self.training.recipe.peak_rate
        losses, rate = [], 0.0
        for iteration in range(begin, end):
            rate = self.training.schedule.rate(iteration, peak, scores)
            losses.append(self.learner.step(clips, iteration, rate))
        return sum(losses) / len(losses), rate

    def _validate(self) -> tuple[FrameMeanAP, tuple[Labelled, ...]]:
        val, training = self.data.val, self.training
        items = TestKeyFrames(val, training.geometry, whole_frame=training.whole_frame)
        with closing(load(items, range(len(val.samples)), training.loader_workers)) as clips:
            found = detect(
                self.learner.model,
                clips,
                val.samples,
                self.classes,
                self.val_damaged,
                device=self.device,
                precision=training.recipe.precision,
            )
        return frame_mean_ap(self.data.truth, found, self.classes, self.data.excluded), found

    def _clips(self, begin: int) -> Generator[Any, None, None]:
        """The training clips from iteration `begin` on, one after the other."""
        training, batch = self.training, self.training.recipe.batch
        items = TrainingKeyFrames(self.data.train, training.geometry, training.recipe, training.seed)
        order = keys(training.seed, len(self.data.train.samples), begin * batch)
        return load(items, islice(order, (training.schedule.iterations - begin) * batch), training.loader_workers)

    def _values(self) -> dict[str, Any]:
        """What a checkpoint keeps. No random state: every draw follows from the seed and what it is for."""
        learner = self.learner
        return {
            "id": self.id,
            "model": learner.model.state_dict(),
            "optimizer": learner.optimizer.state_dict(),
            "scaler": learner.scaler.state_dict(),
            "rounds": [asdict(each) for each in self.rounds],
            "damaged": {each.video: each.reason for each in self.damaged.entries},
        }

    def _go_on(self) -> None:
        """Take the state of the newest checkpoint, if there is one."""
        found = checkpoint.newest(self.out, STEM)
        if found is None:
            return
        path, values = found
        if values["id"] != self.id:
            raise UsageError(
                f"{path} is of a training with another config, weights, data or settings; give those again to go on,"
                " or another --out to begin anew"
            )
        self.learner.model.load_state_dict(values["model"])
        self.learner.optimizer.load_state_dict(values["optimizer"])
        self.learner.scaler.load_state_dict(values["scaler"])
        self.rounds = [Round(**each) for each in values["rounds"]]
        for video, reason in values["damaged"].items():
            self.damaged.add(Damaged(video, reason, index=-1))
