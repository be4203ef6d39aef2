"""The fine-tuning of any network, by iterations: what a killed one goes on from, and the weights it leaves."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from expander.errors import DataError, TrialError
from expander.files import make_folder
from trainers import checkpoint
from trainers.data.clips import Damaged
from trainers.data.damage import Ledger
from trainers.finetune.recipe import FinetuneRecipe, rate_at
from trainers.learner import sgd
from trainers.loading import load

S = TypeVar("S")
STEM = "iteration"  # of the names of checkpoints


@dataclass(frozen=True)
class Loss:
    """Of some samples that share BN statistics: the sum of the losses, with its graph, of what the mean is taken over.

    A step follows the mean over all of a batch: `total` over `count` (clips for Charades, boxes for AVA; 0 is allowed).
    """

    total: Tensor
    count: int


@dataclass(frozen=True)
class Progress:
    """After an iteration, of all since the last report. loss: the mean; rate: of the last one; seconds: their time."""

    iteration: int
    iterations: int
    loss: float
    rate: float
    seconds: float


@dataclass(frozen=True)
class Finetuning(Generic[S]):
    """What is trained, on what, and how.

    id: names the whole, such as a `content_id`; a folder with checkpoints of another is refused. model: on its device,
    with the weights that it starts from. loss: of one BN group of samples, in train mode; it moves them to the device.
    samples: an item for each key (epoch, place), place in [0, places), that follows from the key alone, in any process;
    Damaged where its video cannot be read, then the batch is smaller by it. folder: for checkpoints and the weights.
    damage_share: share of `places` that may be damaged. every: iterations between two checkpoints, and two reports.
    loader_workers: processes that decode.
    """

    id: str
    model: nn.Module
    loss: Callable[[nn.Module, list[S]], Loss]
    samples: Dataset[S | Damaged]
    places: int
    recipe: FinetuneRecipe
    folder: Path
    seed: int = 0
    damage_share: float = 0.01
    every: int = 500
    loader_workers: int = 0


def finetune(training: Finetuning[S], report: Callable[[Progress], None]) -> tuple[str, ...]:
    """Train `training.model` in place; its weights are then at `folder`/weights.safetensors. Returns the damaged
    videos, 'path: reason' each.

    Goes on from the last checkpoint in the folder to the same bits as without a stop, on the same device. Reports at
    every checkpoint, once that is on disk. Raises DataError for too many damaged videos or no sample, TrialError for a
    loss that is not a number and for a folder of another training, FileError where a checkpoint cannot be written.
    """
    if not training.places:
        raise DataError("nothing to train on: the training annotations name no sample")
    make_folder(training.folder)
    device = next(training.model.parameters()).device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        run = _Run(training, Ledger(training.places, training.damage_share))
        run.go_on()
        recipe = training.recipe
        first, last = run.iteration * recipe.batch, recipe.iterations * recipe.batch
        order = islice(keys(training.seed, training.places, first), last - first)
        # One loader for all iterations: its processes start once, and decode ahead.
        with closing(load(training.samples, order, training.loader_workers)) as items:
            while run.iteration < recipe.iterations:
                report(run.learn(items))
        checkpoint.save_weights(training.folder / checkpoint.WEIGHTS, training.model)
    return run.ledger.videos


class _Run(Generic[S]):
    """A training between two checkpoints."""

    def __init__(self, training: Finetuning[S], ledger: Ledger) -> None:
        self.training = training
        self.ledger = ledger
        self.optimizer = sgd(training.model, training.recipe.of_network)
        self.iteration = 0
        self.damaged: dict[str, str] = {}

    def go_on(self) -> None:
        """Take the state of the newest checkpoint, if there is one."""
        found = checkpoint.newest(self.training.folder, STEM)
        if found is None:
            return
        path, values = found
        if values["id"] != self.training.id:
            raise TrialError(
                f"{path} belongs to another fine-tuning (of other data, weights or recipe); give another folder, or "
                "delete its checkpoints to start anew"
            )
        self.training.model.load_state_dict(values["model"])
        self.optimizer.load_state_dict(values["optimizer"])
        self.iteration = values["iteration"]
        for video, reason in values["damaged"].items():
            self._enter(Damaged(video, reason, index=-1))

    def learn(self, items: Iterator[S | Damaged]) -> Progress:
        """Iterate up to the next checkpoint and write it."""
        training, recipe = self.training, self.training.recipe
        started, losses = time.monotonic(), list[float]()
        training.model.train()
        end = min(recipe.iterations, (self.iteration // training.every + 1) * training.every)
        while self.iteration < end:
            rate = rate_at(self.iteration, recipe)
            batch = list(self._intact(islice(items, recipe.batch)))
            losses += self._step(batch, rate)
            self.iteration += 1
        checkpoint.save_values(training.folder, STEM, self.iteration, self._values())
        mean = sum(losses) / len(losses) if losses else 0.0
        return Progress(self.iteration, recipe.iterations, mean, rate, time.monotonic() - started)

    def _step(self, batch: Sequence[S], rate: float) -> list[float]:
        """One step of SGD; its loss, none where nothing of the batch counts."""
        # Dropout follows from the seed and the iteration, so that a checkpoint holds no random state.
        torch.manual_seed(random.Random(f"{self.training.seed} {self.iteration}").getrandbits(63))
        total, count = 0.0, 0
        for group in bn_groups(batch, self.training.recipe.batchnorm_group):
            loss = self.training.loss(self.training.model, group)
            if loss.count:
                loss.total.backward()  # type: ignore[no-untyped-call]
                total, count = total + loss.total.item(), count + loss.count
        if not count:
            return []
        if not math.isfinite(total):
            raise TrialError(
                f"the loss is {total / count} in iteration {self.iteration + 1}, at learning rate {rate:.3g}; lower the"
                " recipe's base_rate or lengthen its warmup"
            )
        for parameter in self.training.model.parameters():
            if parameter.grad is not None:
                parameter.grad /= count
        for group_of_parameters in self.optimizer.param_groups:
            group_of_parameters["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        return [total / count]

    def _intact(self, items: Iterator[S | Damaged]) -> Iterator[S]:
        for item in items:
            if isinstance(item, Damaged):
                self._enter(item)
            else:
                yield item

    def _enter(self, damaged: Damaged) -> None:
        self.damaged.setdefault(damaged.path, damaged.reason)
        self.ledger.add(damaged)

    def _values(self) -> Mapping[str, Any]:
        return {
            "id": self.training.id,
            "model": self.training.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "iteration": self.iteration,
            "damaged": self.damaged,
        }


def bn_groups(batch: Sequence[S], group: int) -> list[list[S]]:
    """The batch in groups of `group` samples; a single one left over joins the group before it, as BN has no variance
    over one."""
    groups = [list(batch[start : start + group]) for start in range(0, len(batch), group)]
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return groups


def keys(seed: int, places: int, start: int) -> Iterator[tuple[int, int]]:
    """(epoch, place) of each sample from the `start`-th on, without end: every epoch has each place once, shuffled."""
    epoch, skipped = divmod(start, places)
    while True:
        order = random.Random(f"{seed} {epoch + 1}").sample(range(places), places)
        yield from ((epoch + 1, place) for place in order[skipped:])
        epoch, skipped = epoch + 1, 0
