"""A detector in training, one step of SGD at a time (A.1)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from expander.errors import DataError, TrialError
from expander.recipe import Recipe
from trainers.batches import batches
from trainers.data.ava import Sample
from trainers.data.clips import Damaged, normalise
from trainers.data.damage import Ledger
from trainers.detection.clips import KeyFrameClip
from trainers.detection.detect import flat_boxes
from trainers.detection.network import Detector
from trainers.learner import sgd
from trainers.networks.batchnorm import GroupStatistics
from trainers.precision import autocast

# Keeps the draws of a group apart from those of a clip, which come from (seed, epoch, place).
DRAWS = 2


class DetectionLearner:
    """A detector and its optimiser. classes: the action id of each output. ledger: of the training videos."""

    def __init__(
        self,
        model: Detector,
        recipe: Recipe,
        samples: Sequence[Sample],
        classes: Sequence[int],
        ledger: Ledger,
        device: torch.device,
        seed: int,
    ) -> None:
        self.model = model.to(device)
        self.recipe = recipe
        self.samples = samples
        self.outputs = {action: place for place, action in enumerate(classes)}
        self.ledger = ledger
        self.device = device
        self.seed = seed
        self.statistics = GroupStatistics(self.model, device)
        self.optimizer = sgd(self.model, recipe)
        # Only float16 needs its gradients scaled: bfloat16 has the exponents of float32.
        scaled = device.type == "cuda" and recipe.precision == "float16"
        self.scaler = torch.amp.GradScaler(device.type, enabled=scaled)

    def step(self, items: Iterator[KeyFrameClip | Damaged], iteration: int, rate: float) -> float:
        """One step on the next `recipe.batch` of `items`: its loss, binary cross-entropy in nats, mean over boxes and
        classes.

        BN groups are computed one after the other. Raises DataError for too many damaged videos, TrialError for a loss
        that is not a number.
        """
        self.model.train()
        loss, boxes, clips = torch.zeros((), dtype=torch.float64, device=self.device), 0, 0
        for place, size in enumerate(next(batches(self.recipe.batch, self.recipe))):
            group = self._sound(items, size)
            # BN has no variance over a clip that its damaged neighbours have left alone.
            if len(group) < min(2, size):
                continue
            torch.manual_seed(int(np.random.SeedSequence((self.seed, iteration, place, DRAWS)).generate_state(1)[0]))
            loss += self._gradients(group)
            boxes += sum(len(clip.boxes) for clip in group)
            clips += len(group)
        if not clips:
            raise DataError(f"iteration {iteration + 1}: none of its {self.recipe.batch} clips decodes")
        return self._update(loss.item() / max(1, boxes), boxes, clips, iteration, rate)

    def _sound(self, items: Iterator[KeyFrameClip | Damaged], size: int) -> list[KeyFrameClip]:
        group = []
        for _ in range(size):
            item = next(items)
            if isinstance(item, Damaged):
                self.ledger.add(item)
            else:
                group.append(item)
        return group

    def _gradients(self, group: list[KeyFrameClip]) -> Tensor:
        """The sum of the losses of a group's boxes; its gradients are added."""
        pixels = torch.stack([clip.pixels for clip in group]).to(self.device)
        boxes, places = flat_boxes(group, self.device)
        with self.statistics.of([len(group)]):
            with autocast(self.device, self.recipe.precision):
                logits = self.model(normalise(pixels), boxes, places)
            self.statistics.add([len(group)])
            losses = F.binary_cross_entropy_with_logits(logits.float(), self._targets(group), reduction="none")
            loss = losses.sum() / len(self.outputs)
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        return loss.detach().double()

    def _targets(self, group: list[KeyFrameClip]) -> Tensor:
        """(R, classes) of 0 and 1."""
        actions = [
            self.samples[clip.index].persons[person].actions for clip in group for person in clip.persons.tolist()
        ]
        targets = torch.zeros(len(actions), len(self.outputs))
        for row, ids in enumerate(actions):
            targets[row, [self.outputs[action] for action in ids]] = 1
        return targets.to(self.device)

    def _update(self, loss: float, boxes: int, clips: int, iteration: int, rate: float) -> float:
        if not math.isfinite(loss):
            raise TrialError(
                f"detection: the loss is {loss} in iteration {iteration + 1}, at learning rate {rate:.3g}; lower the"
                " recipe's base_rate or lengthen the warm-up"
            )
        self.statistics.enter(clips)
        self.scaler.unscale_(self.optimizer)
        for parameter in self.model.parameters():
            if parameter.grad is not None:
                parameter.grad /= max(1, boxes)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
        return loss
