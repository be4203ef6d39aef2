"""One training, named by its content, and what comes back from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal

from expander.efficientnet3d import AnyGeometry, read_geometry
from expander.recipe import Recipe

# Raised whenever a trial comes to other results than before, and named here: part of what a trial is. 1: the first that
# was recorded.
FIRST_TRAINER = 1
TRAINER = 1


@dataclass(frozen=True)
class Views:
    """What a video is scored from: `clips` evenly spread, each with one centre crop or three along the longer side."""

    clips: int = 10
    crops: Literal["center", "left-center-right"] = "center"

    @property
    def per_video(self) -> int:
        """Views of one video."""
        return self.clips * (3 if self.crops == "left-center-right" else 1)

    @property
    def name(self) -> str:
        """What the paper calls them: '10-Center', '10-LeftCenterRight'."""
        return f"{self.clips}-{self.crops.title().replace('-', '')}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and YAML."""
        return {"clips": self.clips, "crops": self.crops}


def shorter_side(crop: int) -> int:
    """Pixels of the shorter side that a frame is tested at: 128 γs for a crop of 112 γs (Sec. 4), cut to whole pixels.

    Cut, not rounded: only so are the views of X3D-XL and XXL, 356 pixels wide, of the GFLOPs in Table 4.
    """
    return crop * 128 // 112


@dataclass(frozen=True)
class Trial:
    """One training: geometry, recipe, data (a fingerprint), views and seed; the same work has the same id.

    trainer: the version of the training; no part of the content at its first value, whose trials keep their names.
    """

    geometry: AnyGeometry
    recipe: Recipe
    data: str
    views: Views
    seed: int
    trainer: int = field(default_factory=lambda: TRAINER)

    @cached_property
    def id(self) -> str:
        """Sixteen hexadecimal digits, from the content alone."""
        return content_id(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; `from_dict` reads them back."""
        return {
            "geometry": self.geometry.as_dict(),
            "recipe": self.recipe.as_dict(),
            "data": self.data,
            "views": self.views.as_dict(),
            "seed": self.seed,
            **({} if self.trainer == FIRST_TRAINER else {"trainer": self.trainer}),
        }

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Trial:
        """The trial that `as_dict` wrote."""
        return Trial(
            geometry=read_geometry(values["geometry"]),
            recipe=Recipe.from_dict(values["recipe"]),
            data=values["data"],
            views=Views(**values["views"]),
            seed=values["seed"],
            trainer=values.get("trainer", FIRST_TRAINER),
        )


def content_id(values: Any) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of `values` as canonical JSON."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Metrics:
    """Scores on validation: shares of videos in [0, 1] and the mean cross-entropy of the averaged views, in nats."""

    top1: float
    top5: float
    loss: float
    videos: int


@dataclass(frozen=True)
class VideoScore:
    """One video, scored from one Views. video: its place in the manifest, from 0. label, predicted: classes.

    rank: place of the right class among all by probability, from 1. loss: minus the log of its probability, in nats.
    """

    video: int
    label: int
    predicted: int
    rank: int
    loss: float


@dataclass(frozen=True)
class Started:
    """An attempt has a worker and begins. worker: where, as 'host:pid'. node: the machine, as a dispatcher names it.
    versions: of what trains there."""

    trial: str
    worker: str
    node: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Epoch:
    """One epoch of a trial, reported as soon as its checkpoint is on disk. `number` counts from 1.

    loss, top1: on the training clips of the epoch. rate: the learning rate of its last step. seconds: wall time.
    How it is watched, None where that is not known: clips_per_second: trained on, of all its processes. waited: share
    of the seconds in which the training had nothing to compute on, for want of data, in [0, 1]. gpu_memory: the most
    that PyTorch held on the GPU, in bytes; None on a CPU.
    """

    trial: str
    number: int
    epochs: int
    loss: float
    top1: float
    rate: float
    seconds: float
    clips_per_second: float | None = None
    waited: float | None = None
    gpu_memory: int | None = None


@dataclass(frozen=True)
class GoesOn:
    """An attempt begins behind `epochs`, all those of the trial's checkpoint, oldest first; at least one.

    Each was reported when its checkpoint was on disk, but a kill may have come between, or before it was recorded. For
    the record alone: whoever shows epochs has no news here.
    """

    trial: str
    epochs: tuple[Epoch, ...]


@dataclass(frozen=True)
class Warned:
    """What an attempt warns of while it goes on, such as a damaged checkpoint; for people, and recorded nowhere."""

    trial: str
    text: str


@dataclass(frozen=True)
class Damage:
    """A video that a trial could not read. manifest: 'train' or 'val'. video: its path. reason: one line for people."""

    manifest: str
    video: str
    reason: str


@dataclass(frozen=True)
class Completed:
    """The outcome of a trial that finished. seconds: wall time of this attempt, from its start to its last score.

    weights: path of the trained weights (safetensors); weights_sha256: of that file. damaged: videos that did not
    decode, 'path: reason'. versions: what ran it. train_top1: on the augmented training clips of the last epoch, None
    where an earlier version did not record it. device, gpus: the processor it ran on, as its maker calls it, and how
    many GPUs it held; None on a CPU or unknown. ledger: the damaged videos, for the store. notes: what it did otherwise
    than it began, a sentence each, such as smaller pieces where memory did not suffice; none of it changes what the
    trial is.
    """

    trial: str
    metrics: Metrics
    seconds: float
    weights: str | None = None
    damaged: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    train_top1: float | None = None
    device: str | None = None
    gpus: float | None = None
    ledger: tuple[Damage, ...] = ()
    notes: tuple[str, ...] = ()
    weights_sha256: str | None = None

    @property
    def score(self) -> float:
        """J(𝒳): top-1 on validation, in [0, 1]."""
        return self.metrics.top1


class FailureKind(StrEnum):
    """What kind of failure ended an attempt; `expander.failure` says what follows from each."""

    DIVERGED = "diverged"  # the loss or the gradients are no numbers, or the loss is far beyond chance
    MEMORY = "memory"  # not even the smallest piece of work fits in the device's memory
    HANG = "hang"  # no progress for so long that it was ended
    SIGNAL = "signal"  # a signal ended its process: a crash outside of Python, or a kill
    LOST = "lost"  # its machine is gone, or cannot be reached
    DATA = "data"  # more videos are damaged than the space allows
    DISK = "disk"  # a file could not be written or read: a full disk, a mount that is gone
    CODE = "code"  # what it needs cannot be imported there
    ERROR = "error"  # any other exception


@dataclass(frozen=True)
class Failed:
    """The outcome of one attempt that did not finish. reason: one line for people; traceback: for developers.

    ledger: the videos that could not be read, where it failed for them. kind: of the failure. worker, node: where it
    ran, as its Started said, None where it never began. log: the last lines of its log. epoch: the last that the trial
    has reported, in this attempt or an earlier one. wait: seconds after it failed until the next attempt is due, None
    where none follows; read back, those that are left. next: what follows, in one line.
    """

    trial: str
    reason: str
    traceback: str = ""
    ledger: tuple[Damage, ...] = ()
    kind: FailureKind = FailureKind.ERROR
    worker: str | None = None
    node: str | None = None
    log: str = ""
    epoch: int | None = None
    wait: float | None = None
    next: str = ""


Outcome = Completed | Failed
Told = Epoch | GoesOn | Warned  # by a training, as it goes on
Event = Started | Told | Completed | Failed
# What a dispatcher carries out: trains one trial, reporting each epoch; raises when it cannot go on.
Training = Callable[[Trial, Callable[[Told], None]], Completed]
