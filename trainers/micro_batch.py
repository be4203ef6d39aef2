"""How many BN groups a device computes at once: the most that fit, found once and remembered in a file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from expander.errors import DeviceMemoryError, FileError
from expander.files import sealed, unsealed, write_whole
from expander.recipe import Recipe
from expander.trial import Trial, content_id
from trainers.versions import versions

if TYPE_CHECKING:
    import torch

FILE = "micro_batches.json"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MicroBatch:
    """groups: BN groups that are computed at once. recompute: compute blocks again for the backward pass."""

    groups: int
    recompute: bool = False

    def smaller(self, may_recompute: bool) -> MicroBatch | None:
        """What to try where this does not fit; None where there is nothing."""
        if self.groups > 1:
            return MicroBatch(self.groups // 2, self.recompute)
        return MicroBatch(1, True) if may_recompute and not self.recompute else None


@dataclass(frozen=True)
class MicroBatches:
    """What a space's `resources` say of it.

    clips: of one micro-batch, at least one BN group; None finds the most that fit a GPU, and takes one group on a
    CPU, which is busy with one. recompute: gradient checkpointing; None where not even one group fits without.
    """

    clips: int | None = None
    recompute: bool | None = None

    @property
    def may_recompute(self) -> bool:
        """Whether gradient checkpointing is allowed."""
        return self.recompute is not False

    def first(self, trial: Trial, device: torch.device, folder: Path, most: int) -> MicroBatch:
        """What to begin with: at most `most` groups, as `folder` remembers it for such trials or as it is found now.

        Raises DeviceMemoryError where not even the smallest fits.
        """
        recompute = self.recompute is True
        if self.clips is not None:
            return MicroBatch(max(1, min(most, self.clips // trial.recipe.batchnorm_group)), recompute)
        if device.type != "cuda":
            return MicroBatch(1, recompute)
        from trainers.fitting import fits
        from trainers.processor import processor_name

        key = key_of(trial, processor_name(device), self, most)
        if (known := remembered(folder, key)) is not None:
            return known
        found = largest(lambda micro: fits(trial, device, micro), most, recompute, self.may_recompute)
        if found is None:
            raise DeviceMemoryError(too_large(trial, self))
        remember(folder, key, found)
        return found


def largest(fits: Callable[[MicroBatch], bool], most: int, recompute: bool, may_recompute: bool) -> MicroBatch | None:
    """The most groups up to `most` of which `fits` is true, by doubling; with `recompute` only where it must be."""
    micro: MicroBatch | None = MicroBatch(1, recompute)
    while micro is not None and not fits(micro):
        micro = micro.smaller(may_recompute)
    if micro is None:
        return None
    while micro.groups * 2 <= most and fits(MicroBatch(micro.groups * 2, micro.recompute)):
        micro = MicroBatch(micro.groups * 2, micro.recompute)
    return micro


def too_large(trial: Trial, wanted: MicroBatches) -> str:
    """Why a trial cannot be trained here, and what helps."""
    group = trial.recipe.batchnorm_group
    advice = "a GPU with more memory, or a smaller recipe.batchnorm_group"
    if not wanted.may_recompute:
        advice = f"resources.gradient_checkpointing: null, {advice}"
    return (
        f"trial {trial.id}: a single BN group of {group} clips does not fit in the device's memory; it takes {advice}"
    )


def shrunk(recipe: Recipe, before: MicroBatch, now: MicroBatch) -> str:
    """What is said, logged and stored of a training that goes on in smaller pieces."""

    def shown(micro: MicroBatch) -> str:
        again = ", blocks computed again for the backward pass" if micro.recompute else ""
        return f"{micro.groups * recipe.batchnorm_group} clips{again}"

    return (
        f"the device's memory does not hold micro-batches of {shown(before)}: trained with {shown(now)}, whose"
        f" gradients are added up to the same batch of {recipe.batch} clips; the recipe is unchanged"
    )


def key_of(trial: Trial, device: str, wanted: MicroBatches, most: int) -> str:
    """Names what the micro-batch that is found depends on."""
    recipe = trial.recipe
    parts = [trial.geometry.as_dict(), recipe.batchnorm_group, recipe.precision, device, versions()["torch"]]
    return content_id([*parts, wanted.recompute, most])


def remembered(folder: Path, key: str) -> MicroBatch | None:
    """What `remember` wrote; None for what it never did, and where the file is damaged."""
    try:
        values = unsealed((folder / FILE).read_bytes())[key]
        return MicroBatch(int(values["groups"]), bool(values["recompute"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(folder: Path, key: str, micro: MicroBatch) -> None:
    """Keep it for trials like this one. Of two that write at once one is forgotten, and found again later; so is what
    cannot be written, as on a full disk."""
    try:
        known = unsealed((folder / FILE).read_bytes())
    except (OSError, ValueError):
        known = {}
    try:
        write_whole(folder / FILE, sealed({**known, key: {"groups": micro.groups, "recompute": micro.recompute}}))
    except FileError as error:
        logger.warning("the micro-batch that fits is looked for again by the next trial: %s", error)
