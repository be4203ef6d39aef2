"""A network in training, one epoch at a time (Sec. 4): what varies between epochs is what a checkpoint holds."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from expander.errors import DataError, TrialError
from expander.recipe import Recipe
from expander.trial import Epoch, Trial
from trainers.checkpoint import State
from trainers.data.clips import Clip, Damaged, normalise
from trainers.data.damage import Ledger
from trainers.networks.build import build
from trainers.schedule import rate_at
from trainers.stopwatch import Stopwatch

T = TypeVar("T")


class Learner:
    """The network of a trial, its optimiser, history and damaged videos.

    Draws from torch's global random state, which it seeds: run it within `torch.random.fork_rng`.
    """

    def __init__(self, trial: Trial, device: torch.device, ledger: Ledger) -> None:
        torch.manual_seed(trial.seed)
        self.trial = trial
        self.device = device
        self.ledger = ledger
        self.model = build(trial.geometry, trial.recipe).to(device)
        self.optimizer = sgd(self.model, trial.recipe)
        self.epochs: list[Epoch] = []
        self.damaged: dict[str, str] = {}

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return len(self.epochs)

    def state(self) -> State:
        """What a checkpoint keeps."""
        states = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        model, optimizer = self.model.state_dict(), self.optimizer.state_dict()
        return State(self.trial.id, model, optimizer, states, tuple(self.epochs), dict(self.damaged))

    def go_on_from(self, state: State | None) -> None:
        """Take a checkpoint's state; None starts from the beginning."""
        if state is None:
            return
        self.model.load_state_dict(state.model)
        self.optimizer.load_state_dict(dict(state.optimizer))
        torch.set_rng_state(state.random["cpu"])
        if self.device.type == "cuda" and "cuda" in state.random:
            torch.cuda.set_rng_state(state.random["cuda"], self.device)
        self.epochs = list(state.epochs)
        for path, reason in state.damaged.items():
            self._enter(Damaged(path, reason, index=-1))

    def learn(self, items: Iterable[Clip | Damaged], videos: int) -> Epoch:
        """One epoch over `items`, of which there is one for each of `videos` videos."""
        stopwatch = Stopwatch(self.device)
        recipe = self.trial.recipe
        self.model.train()
        epoch = batch = nothing = _Sums.zero(self.device)
        rate, iteration = 0.0, 0
        for clips, ends_batch in groups(
            self._intact(stopwatch.waiting_for(items)), recipe.batch, recipe.batchnorm_group
        ):
            batch += self._backward(clips)
            if ends_batch:
                # At the middle of the step's clips: at their start the first step has rate 0, at their end the last.
                share = (epoch.clips + batch.clips / 2) / videos
                rate, iteration = rate_at((self.epoch + share) / recipe.epochs, recipe), iteration + 1
                self._step(batch, rate, iteration)
                epoch, batch = epoch + batch, nothing
        if not epoch.clips:
            raise DataError("no video to train on: the training manifest is empty or none of its videos decodes")
        loss, top1 = epoch.loss.item() / epoch.clips, epoch.right.item() / epoch.clips
        pace = stopwatch.stop(epoch.clips)
        self.epochs.append(Epoch(self.trial.id, self.epoch + 1, recipe.epochs, loss, top1, rate, *pace))
        return self.epochs[-1]

    def _intact(self, items: Iterable[Clip | Damaged]) -> Iterator[Clip]:
        for item in items:
            if isinstance(item, Damaged):
                self._enter(item)
            else:
                yield item

    def _enter(self, damaged: Damaged) -> None:
        self.damaged.setdefault(damaged.path, damaged.reason)
        self.ledger.add(damaged)

    def _backward(self, clips: list[Clip]) -> _Sums:
        """Add the gradient of the summed loss of one BN group."""
        pixels = torch.stack([clip.pixels for clip in clips]).to(self.device)
        labels = torch.tensor([clip.label for clip in clips], device=self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            logits = self.model(normalise(pixels))
        loss = F.cross_entropy(logits.float(), labels, reduction="sum")
        loss.backward()  # type: ignore[no-untyped-call]
        return _Sums(len(clips), loss.detach().double(), (logits.argmax(1) == labels).sum())

    def _step(self, batch: _Sums, rate: float, iteration: int) -> None:
        """One step of SGD on the mean gradient of the batch's clips."""
        if not math.isfinite(loss := batch.loss.item() / batch.clips):
            raise TrialError(
                f"trial {self.trial.id}: the loss is {loss} in epoch {self.epoch + 1}, iteration {iteration}, at "
                f"learning rate {rate:.3g}; lower the recipe's base_rate or lengthen its warmup"
            )
        for parameter in self.model.parameters():
            if parameter.grad is not None:
                parameter.grad /= batch.clips
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()


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
    """SGD with momentum; weight decay on everything but BN's gain and bias. The rate is set at each step."""
    norms = [p for module in model.modules() if isinstance(module, nn.BatchNorm3d) for p in module.parameters()]
    undecayed = {id(parameter) for parameter in norms}
    decayed = [parameter for parameter in model.parameters() if id(parameter) not in undecayed]
    parameters = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": norms, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(parameters, lr=0.0, momentum=recipe.momentum)


def groups(clips: Iterable[T], batch: int, group: int) -> Iterator[tuple[list[T], bool]]:
    """Clips that share BN statistics, in order, and whether a step of SGD follows: at every `batch` clips and the last.

    A single clip left over, of a batch or of the epoch, joins the group before it: BN has no variance over one clip
    where the network leaves one pixel of it.
    """
    sizes = itertools.cycle(_group_sizes(batch, group))
    held: list[T] = []  # a full group, until it is known whether just one clip follows
    current: list[T] = []
    size, ends = next(sizes)
    held_ends = ends
    for clip in clips:
        current.append(clip)
        if held and len(current) == min(2, size):
            yield held, held_ends
            held = []
        if len(current) == size:
            held, held_ends, current = current, ends, []
            size, ends = next(sizes)
    if len(current) == 1:
        held, current = held + current, []
    if held:
        yield held, True
    if current:
        yield current, True


def _group_sizes(batch: int, group: int) -> list[tuple[int, bool]]:
    """Sizes of the BN groups of a full batch, the last marked."""
    sizes = [group] * (batch // group)
    rest = batch % group
    if sizes and rest == 1:
        sizes[-1] += 1
    elif rest:
        sizes.append(rest)
    return [(size, place == len(sizes)) for place, size in enumerate(sizes, start=1)]


def epoch_order(seed: int, epoch: int, videos: int) -> list[int]:
    """The shuffled places of an epoch's videos; from the seed and the epoch alone, so that it needs no saving."""
    return random.Random(f"{seed} {epoch}").sample(range(videos), videos)
