"""What a training is asked for. The doing is train.py's, imported only then: who only sends it needs no PyTorch."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from expander.imports import at_once
from expander.trial import Completed, Told, Trial
from trainers.data.decode import SECONDS_PER_VIDEO
from trainers.data.files import Seen
from trainers.data.manifest import ManifestSource
from trainers.fence import Claim
from trainers.micro_batch import MicroBatches
from trainers.team import ALONE, Team
from trainers.watchdog import Watchdog

AUTOMATIC = MicroBatches()
# Of this process, and of no other.
HERE = secrets.token_hex(8)

DeviceName = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class VideoTraining:
    """Trains trials on videos; plain values only, so that a dispatcher can send it to another process.

    runs: the files of trial X are in `runs`/trials/X. damage_share: share of a manifest's videos that may fail to
    decode, in [0, 1]. loader_workers: processes that decode; 0 decodes in the training's own. threads: PyTorch's, None
    leaves them. device: 'auto' takes a GPU where there is one. micro_batches: what is computed at once. gpus:
    how many a trial holds; recorded with its outcome. seconds_per_video: one that takes longer is damaged. seen: what
    the coordinator saw of both manifests; one that sees something else trains nothing. claim: of
    the coordinator that orders it; None lets any number of processes write to the same folder. watchdog: where the
    process is the training's own, which it may end.
    """

    train: ManifestSource
    val: ManifestSource
    runs: Path
    damage_share: float = 0.01
    loader_workers: int = 0
    threads: int | None = None
    device: DeviceName = "auto"
    micro_batches: MicroBatches = AUTOMATIC
    gpus: float = 0.0
    seconds_per_video: float = SECONDS_PER_VIDEO
    seen: tuple[Seen, Seen] | None = None
    claim: Claim | None = None
    watchdog: Watchdog | None = None

    def __call__(self, trial: Trial, report: Callable[[Told], None], team: Team = ALONE) -> Completed:
        """As `trainers.train.train` of this training."""
        from trainers.train import train

        return train(self, trial, report, team)

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (HERE, *(getattr(self, field.name) for field in fields(self)))


def _arrived(sender: str, *values: Any) -> VideoTraining:
    """One that another process has sent. What carries it out is imported before anything is told of a trial: a process
    that is ready to train is one that has. Ray Tune also unpickles it where it was sent, which trains nothing."""
    if sender != HERE and "trainers.train" not in sys.modules:
        with at_once(frozen=True):
            import_module("trainers.train")
    return VideoTraining(*values)
