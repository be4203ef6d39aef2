"""How both networks begin."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainers.networks.batchnorm import GroupedBatchNorm3d
from trainers.networks.chains import Activated, filtered, running
from trainers.networks.channelwise import ChannelwiseConv3d
from trainers.networks.kernels.calls import RELU
from trainers.networks.paths import stem_kernels


class Stem(nn.Module):
    """1x3x3 convolution of spatial stride 2, then a channel-wise temporal one; BN, ReLU."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.spatial = nn.Conv3d(3, width, (1, 3, 3), (1, 2, 2), (0, 1, 1), bias=False)
        self.temporal = ChannelwiseConv3d(width, (kernel, 1, 1))
        self.norm = GroupedBatchNorm3d(width)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, width, T, ceil(H / 2), ceil(W / 2))."""
        return self.activated(x).value

    def activated(self, x: Tensor) -> Activated:
        """As `forward`, for a block that keeps nothing of it."""
        if kernels := stem_kernels(x, self.spatial, self.temporal, self.norm):
            weights = self.spatial.weight, self.temporal.weight
            return Activated(kernels.convolve_images(x, *weights, running(self.norm), RELU))
        y = self.spatial(x.contiguous(memory_format=torch.channels_last_3d))
        return filtered(self.temporal, self.norm, Activated(y), nn.Identity(), self.relu, keep=True)
