"""A network in training, one epoch at a time (Sec. 4): what varies between epochs is what a checkpoint holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from expander.errors import DataError, Diverged
from expander.imports import at_once
from expander.recipe import Recipe
from expander.trial import Epoch, Trial
from trainers.batches import batches, own_groups
from trainers.checkpoint import State
from trainers.data.clips import Clip, Damaged, normalise
from trainers.data.damage import Ledger
from trainers.gradients import Gradients
from trainers.graphs import graphs_for
from trainers.micro_batch import MicroBatch
from trainers.networks.batchnorm import GroupStatistics
from trainers.networks.build import build
from trainers.networks.layers import drawing, draws, recompute_blocks
from trainers.precision import autocast
from trainers.schedule import rate_at
from trainers.stopwatch import Stopwatch
from trainers.team import ALONE, Team

# Keeps the draws of a group apart from those of a clip, which come from (seed, epoch, place).
DRAWS = 1
ONE_GROUP = MicroBatch(1)
# A loss so many times that of guessing, ln(classes), for so many iterations in a row of one epoch has diverged: a high
# rate in warm-up passes a few times guessing, and comes back within a few steps. Counted within an epoch, so that a
# training that goes on after a kill ends where one that was not killed does.
FAR = 10
FAR_STEPS = 20


class DoesNotFit(Exception):
    """The device ran out of memory in a forward or backward pass; raised by every member of the team."""


class Learner:
    """The network of a trial, its optimiser, history and damaged videos; one of these on each member of a team.

    micro: what is computed at once. It changes the memory, and the results only as far as the order of sums within a
    pass does; the team's size changes nothing.
    """

    def __init__(
        self,
        trial: Trial,
        device: torch.device,
        ledger: Ledger,
        team: Team = ALONE,
        micro: MicroBatch = ONE_GROUP,
    ) -> None:
        torch.manual_seed(trial.seed)
        self.trial = trial
        self.device = device
        self.ledger = ledger
        self.team = team
        self.at_once = micro.groups
        self.model = build(trial.geometry, trial.recipe).to(device)
        recompute_blocks(self.model, micro.recompute)
        self.statistics = GroupStatistics(self.model, device)
        self.gradients = Gradients(list(self.model.parameters()))
        self.optimizer = sgd(self.model, trial.recipe)
        # Only float16 needs its gradients scaled: bfloat16 has the exponents of float32.
        scaled = device.type == "cuda" and trial.recipe.precision == "float16"
        self.scaler = torch.amp.GradScaler(device.type, enabled=scaled)
        # A scaler makes its scale at the first pass; a block that is computed again looks at the device's random state.
        self.graphs = graphs_for(device, allowed=not scaled and not micro.recompute)
        self.epochs: list[Epoch] = []
        self.damaged: dict[str, str] = {}
        self._far = 0

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return len(self.epochs)

    def state(self) -> State:
        """What a checkpoint keeps."""
        model, optimizer, scaler = self.model.state_dict(), self.optimizer.state_dict(), self.scaler.state_dict()
        return State(self.trial.id, model, optimizer, tuple(self.epochs), dict(self.damaged), scaler)

    def go_on_from(self, state: State | None) -> None:
        """Take a checkpoint's state; None starts from the beginning."""
        if state is None:
            return
        self.model.load_state_dict(state.model)
        self.optimizer.load_state_dict(dict(state.optimizer))
        if state.scaler:  # a CPU scales nothing, and leaves none
            self.scaler.load_state_dict(dict(state.scaler))
        self.epochs = list(state.epochs)
        for path, reason in state.damaged.items():
            self._enter(Damaged(path, reason, index=-1))

    def learn(self, items: Iterable[Clip | Damaged], videos: int) -> Epoch:
        """One epoch over `videos` videos. items: those that `trainers.batches.own_places` gives this member, in order.

        Raises DataError and Diverged on every member alike, and DoesNotFit where memory does not suffice.
        """
        stopwatch = Stopwatch(self.device)
        recipe = self.trial.recipe
        self.model.train()
        self._far = 0
        own, seen, epoch, rate = stopwatch.waiting_for(items), 0, _Sums.zero(self.device), 0.0
        for number, sizes in enumerate(batches(videos, recipe)):
            batch = self._batch(own, number, sizes)
            # At the middle of the step's clips: at their start the first step has rate 0, at their end the last.
            share, seen = (seen + sum(sizes) / 2) / videos, seen + sum(sizes)
            rate = rate_at((self.epoch + share) / recipe.epochs, recipe)
            if batch.clips:
                self._step(batch, rate, number + 1)
            epoch += batch
        if not epoch.clips:
            raise DataError("no video to train on: the training manifest is empty or none of its videos decodes")
        loss, top1 = epoch.loss.item() / epoch.clips, epoch.right.item() / epoch.clips
        pace = stopwatch.stop(epoch.clips)
        self.epochs.append(Epoch(self.trial.id, self.epoch + 1, recipe.epochs, loss, top1, rate, *pace))
        return self.epochs[-1]

    def refine(self, items: Iterable[Clip | Damaged], videos: int) -> None:
        """Precise BN: let the running statistics be those of `videos` videos under the weights as they are.

        items: as for `learn`, of the epoch after the last.
        """
        self.model.train()
        own, clips = iter(items), 0
        with torch.no_grad():
            for number, sizes in enumerate(batches(videos, self.trial.recipe)):
                clips += self._batch(own, number, sizes).clips
        self.team.sum(self.statistics.sums)
        if clips:
            self.statistics.replace(clips)

    def _batch(self, own: Iterator[Clip | Damaged], number: int, sizes: list[int]) -> _Sums:
        """Take this member's groups of a batch, and sum over the team: counts, gradients and moments."""
        sums, damaged, failure = _Sums.zero(self.device), list[Damaged](), None
        mine, many = own_groups(len(sizes), self.team), len(sizes) > 1 and torch.is_grad_enabled()
        for first in range(mine.start, mine.stop, self.at_once):
            held: dict[int, list[Clip]] = {}
            for place in range(first, min(first + self.at_once, mine.stop)):
                group = list(islice(own, sizes[place]))
                damaged += [item for item in group if isinstance(item, Damaged)]
                clips = [item for item in group if isinstance(item, Clip)]
                # BN has no variance over a clip that its damaged neighbours have left alone.
                if len(clips) >= min(2, sizes[place]):
                    held[place] = clips
            if held and failure is None:
                try:
                    sums += self._compute(number, held)
                    if many:
                        self.gradients.collect()
                except torch.OutOfMemoryError as error:
                    # The others wait for this batch's sums: they are told with them. Its traceback would keep all
                    # that was computed, and leave no memory for a smaller piece.
                    failure = error.with_traceback(None)
        sums = self._together(sums, damaged, failure)
        if many:
            self.gradients.give_back(self.team)
        elif torch.is_grad_enabled():
            self.gradients.sum(self.team)
        return sums

    def _compute(self, batch: int, held: dict[int, list[Clip]]) -> _Sums:
        """Losses of some BN groups, by their places in the batch; their gradients are added where these are wanted."""
        clips = [clip for group in held.values() for clip in group]
        sizes = tuple(len(group) for group in held.values())
        seed = (self.trial.seed, self.epoch + 1, batch)
        generators = [np.random.default_rng((*seed, place, DRAWS)) for place in held]
        pixels = torch.stack([clip.pixels for clip in clips])
        labels = torch.tensor([clip.label for clip in clips])
        inputs = (pixels, labels, draws(self.model, generators, sizes))

        def run(placed: Sequence[Tensor]) -> Sequence[Tensor]:
            return self._pass(sizes, *placed)

        if torch.is_grad_enabled() and self.graphs.active:
            self.gradients.all()  # are there before the pass, and stay
            kept = [self.statistics.room(sizes)]
            loss, right = self.graphs.compute(sizes, run, inputs, self.device, kept)
        else:
            loss, right = run([each.to(self.device, non_blocking=True) for each in inputs])
        return _Sums(len(clips), loss, right)

    def _pass(self, sizes: Sequence[int], pixels: Tensor, labels: Tensor, random: Tensor) -> tuple[Tensor, Tensor]:
        """Sum of the losses and number of the right ones; gradients and moments are added to their sums."""
        with self.statistics.of(sizes), drawing(self.model, random):
            with autocast(self.device, self.trial.recipe.precision):
                logits = self.model(normalise(pixels))
            self.statistics.add(sizes)
            loss = F.cross_entropy(logits.float(), labels, reduction="sum")
            if torch.is_grad_enabled():
                self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        return loss.detach().double(), (logits.argmax(1) == labels).sum()

    def _together(self, sums: _Sums, damaged: list[Damaged], failure: Exception | None) -> _Sums:
        """The sums over the team, and its damaged videos entered; moments are summed in place."""
        if self.team.size == 1:
            self._tell(damaged, failure)
            return sums
        counts = [sums.clips, len(damaged), failure is not None]
        totals = torch.tensor(counts, dtype=torch.float64, device=self.device)
        totals = torch.cat([totals, sums.loss.view(1), sums.right.double().view(1)])
        self.team.sum(totals)
        if totals[1] or totals[2]:
            everyone = self.team.gather((damaged, failure is not None))
            found = [each for member, _ in everyone for each in member]
            self._tell(found, failure or (DoesNotFit() if any(failed for _, failed in everyone) else None))
        if torch.is_grad_enabled():
            self.team.sum(self.statistics.sums)
        return _Sums(int(totals[0]), totals[3], totals[4])

    def _tell(self, damaged: list[Damaged], failure: Exception | None) -> None:
        for each in damaged:
            self._enter(each)
        if failure is not None:
            raise DoesNotFit from failure

    def _enter(self, damaged: Damaged) -> None:
        self.damaged.setdefault(damaged.path, damaged.reason)
        self.ledger.add(damaged)

    def _step(self, batch: _Sums, rate: float, iteration: int) -> None:
        """One step of SGD on the mean gradient of the batch's clips; its moments enter the running statistics."""
        loss = batch.loss.item() / batch.clips
        if not math.isfinite(loss):
            raise self._diverged(f"the loss is {loss}", rate, iteration)
        self._far = self._far + 1 if loss > FAR * math.log(self.trial.geometry.classes) else 0
        if self._far == FAR_STEPS:
            text = f"the loss is {loss:.3g}, and for {FAR_STEPS} iterations was over {FAR} times that of guessing"
            raise self._diverged(text, rate, iteration)
        self.statistics.enter(batch.clips)
        self.scaler.unscale_(self.optimizer)
        torch._foreach_div_(self.gradients.all(), batch.clips)
        # Those of float16 may overflow: its scaler leaves such a step out, and takes a smaller scale.
        if not self.scaler.is_enabled() and not self._finite():
            raise self._diverged(f"the loss is {loss:.3g} and its gradient is not a number", rate, iteration)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=not self.graphs.active)

    def _finite(self) -> bool:
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        return bool(torch.isfinite(torch.stack(torch._foreach_norm(gradients)).sum()))

    def _diverged(self, what: str, rate: float, iteration: int) -> Diverged:
        return Diverged(
            f"trial {self.trial.id}: {what} in epoch {self.epoch + 1}, iteration {iteration}, at "
            f"learning rate {rate:.3g}; lower the recipe's base_rate or lengthen its warmup"
        )


@dataclass(frozen=True)
class _Sums:
    """Over some clips: their number, the sum of their losses in nats, and how many are right."""

    clips: int
    loss: Tensor
    right: Tensor

    @staticmethod
    def zero(device: torch.device) -> _Sums:
        return _Sums(0, torch.zeros((), dtype=torch.float64, device=device), torch.zeros((), device=device))

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(self.clips + other.clips, self.loss + other.loss, self.right + other.right)


def sgd(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """SGD with momentum; weight decay on everything but BN's gain and bias. The rate is set at each step.

    On a CPU all parameters in one call: one by one, PyTorch takes three times as long for X2D's.
    """
    norms = [p for module in model.modules() if isinstance(module, nn.BatchNorm3d) for p in module.parameters()]
    undecayed = {id(parameter) for parameter in norms}
    decayed = [parameter for parameter in model.parameters() if id(parameter) not in undecayed]
    parameters = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": norms, "weight_decay": 0.0},
    ]
    fused = True if next(model.parameters()).device.type == "cpu" else None
    with at_once():  # PyTorch's first optimiser imports torch._dynamo
        return torch.optim.SGD(parameters, lr=0.0, momentum=recipe.momentum, fused=fused)
