"""Both networks from the clips to the head; evaluation on a CPU a few clips at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from trainers.networks.paths import in_pieces
from trainers.networks.stem import Stem

# Bytes of a layer's result that are still in a processor's cache when the next layer reads it.
CACHED = 12 << 20


def staged(stem: Stem, stages: nn.Sequential, clips: Tensor) -> Tensor:
    """stages(stem(clips)).

    The numbers that a stage holds of a clip are counted at its first block, which reads the whole resolution.
    """
    first, *others = stages
    height, width = -(-clips.shape[3] // 2), -(-clips.shape[4] // 2)
    x = _by_pieces(lambda piece: first(stem.activated(piece)), clips, first, clips.shape[2] * height * width)
    for stage in others:
        x = _by_pieces(stage, x, stage, x.shape[2:].numel())
    return x


def _by_pieces(function: Callable[[Tensor], Tensor], x: Tensor, stage: nn.Module, positions: int) -> Tensor:
    if stage.training or not in_pieces(x):
        return function(x)
    clips = max(1, CACHED // (4 * _widest(stage) * positions))
    return function(x) if len(x) <= clips else torch.cat([function(piece) for piece in torch.split(x, clips)])


def _widest(stage: nn.Module) -> int:
    """The most channels that a convolution of `stage` leaves."""
    return max(module.out_channels for module in stage.modules() if isinstance(module, nn.Conv3d))
