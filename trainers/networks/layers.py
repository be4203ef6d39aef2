"""The layers that the networks are made of, all over (N, C, T, H, W) in channels_last_3d."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from trainers.networks.channelwise import ChannelwiseConv3d
from trainers.networks.pointwise import PointwiseConv3d

T = TypeVar("T")


class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate in (0, 1) computed from the means of all channels of the clip."""

    def __init__(self, channels: int, squeeze_width: int) -> None:
        super().__init__()
        self.reduce = PointwiseConv3d(channels, squeeze_width, bias=True)
        self.relu = nn.ReLU(inplace=True)
        self.restore = PointwiseConv3d(squeeze_width, channels, bias=True)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape."""
        gate: Tensor = self.restore(self.relu(self.reduce(x.mean((2, 3, 4), keepdim=True))))
        scaled: Tensor = x * self.sigmoid(gate)
        return scaled


class DropConnect(nn.Module):
    """Drops a residual branch for a share `rate` of the clips of a training batch, and scales the others up for it.

    draws: (N, 1) uniform in [0, 1), one for each clip; None draws them from torch's random state.
    """

    draws: Tensor | None = None

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> the same shape; in evaluation the input itself."""
        if not self.training or self.rate == 0:
            return x
        return x * self._factors(x).view(-1, *[1] * (x.dim() - 1))

    def gate(self, x: Tensor) -> Tensor:
        """What it scales each channel of each clip by in training: (N, C), the same for all channels of a clip."""
        return self._factors(x).expand(x.shape[:2]).contiguous()

    def _factors(self, x: Tensor) -> Tensor:
        draws = torch.rand(len(x), 1, device=x.device) if self.draws is None else self.draws
        return ((draws >= self.rate) / (1 - self.rate)).to(x.dtype)

    def extra_repr(self) -> str:
        """The rate, in the network's printed form."""
        return f"rate={self.rate:g}"


class Dropout(nn.Module):
    """Drops a share `rate` of the `width` features of each clip of a training batch, and scales the others up for it.

    draws: (N, width) uniform in [0, 1); None draws them from torch's random state.
    """

    draws: Tensor | None = None

    def __init__(self, rate: float, width: int) -> None:
        super().__init__()
        self.rate = rate
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        """(N, width) -> the same shape; in evaluation the input itself."""
        if not self.training or self.rate == 0:
            return x
        draws = torch.rand_like(x, dtype=torch.float32) if self.draws is None else self.draws
        return x * ((draws >= self.rate) / (1 - self.rate)).to(x.dtype)

    def extra_repr(self) -> str:
        """The rate, in the network's printed form."""
        return f"rate={self.rate:g}"


@contextmanager
def drawn(model: nn.Module, generators: Sequence[np.random.Generator], sizes: Sequence[int]) -> Iterator[None]:
    """Within it the random layers of `model` draw for each group of clips from a generator of its own.

    sizes: clips of each group, in order. Drawn on the CPU, so that a group has the same draws on any device, whatever
    else is computed with it, and when its forward pass is computed again.
    """
    with drawing(model, draws(model, generators, sizes).to(next(model.parameters()).device)):
        yield


def draws(model: nn.Module, generators: Sequence[np.random.Generator], sizes: Sequence[int]) -> Tensor:
    """What `drawn` draws: (clips, draws of a clip), uniform in [0, 1)."""
    _, widths = _random_layers(model)
    pairs = zip(generators, sizes, strict=True)
    groups = [generator.random((clips, sum(widths)), dtype=np.float32) for generator, clips in pairs]
    return torch.from_numpy(np.concatenate(groups))


@contextmanager
def drawing(model: nn.Module, values: Tensor) -> Iterator[None]:
    """Within it the random layers of `model` take these `draws`."""
    layers, widths = _random_layers(model)
    if layers:
        for layer, own in zip(layers, torch.split(values, widths, 1), strict=True):
            layer.draws = own
    try:
        yield
    finally:
        for layer in layers:
            layer.draws = None


def _random_layers(model: nn.Module) -> tuple[list[DropConnect | Dropout], list[int]]:
    """Those that draw, and how many numbers for each clip."""
    layers = [layer for layer in model.modules() if isinstance(layer, DropConnect | Dropout) and layer.rate > 0]
    return layers, [layer.width if isinstance(layer, Dropout) else 1 for layer in layers]


class Recomputable(nn.Module):
    """A residual block. recompute: forget what it computes inside, and compute it again for the backward pass.

    It takes a third more time and, of each block, only the memory of its input: for X3D-XL and XXL.
    """

    recompute = False


def computed(block: Recomputable, forward: Callable[[T], Tensor], x: T) -> Tensor:
    """`forward` of `x`, remembered in whole or to be computed again, as `block` says; the same values and gradients."""
    if not (block.recompute and torch.is_grad_enabled()):
        return forward(x)
    out: Tensor = checkpoint(forward, x, use_reentrant=False)
    return out


def recompute_blocks(model: nn.Module, recompute: bool) -> None:
    """Set `recompute` of every residual block of `model`."""
    for module in model.modules():
        if isinstance(module, Recomputable):
            module.recompute = recompute


def growing_rates(rate: float, blocks: int) -> Iterator[float]:
    """Drop-connect rates of `blocks` blocks, from 0 to `rate` at the last."""
    return (rate * block / max(1, blocks - 1) for block in range(blocks))


def initialise_convolutions(model: nn.Module) -> None:
    """He's normal over the outgoing connections, for every convolution of `model`."""
    for module in model.modules():
        if isinstance(module, nn.Conv3d):
            # torch's own He counts the connections of all groups, of which a channel-wise filter has only one.
            outgoing = module.weight.shape[0] // module.groups * module.weight.shape[2:].numel()
            nn.init.normal_(module.weight, std=math.sqrt(2 / outgoing))
            if module.bias is not None:
                nn.init.zeros_(module.bias)


@contextmanager
def plain_paths(model: nn.Module) -> Iterator[None]:
    """Within it, every layer of `model` runs PyTorch's own 3-D convolution, whose multiply-adds a tracer can count."""
    layers = [layer for layer in model.modules() if isinstance(layer, PointwiseConv3d | ChannelwiseConv3d)]
    for layer in layers:
        layer.plain = True
    try:
        yield
    finally:
        for layer in layers:
            layer.plain = False
