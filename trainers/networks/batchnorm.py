"""BN whose statistics are of groups of n clips, however many a device holds at once (A.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GroupedBatchNorm3d(nn.BatchNorm3d):
    """PyTorch's BN, but that in training each group of clips is normalised by its own statistics.

    Within `GroupStatistics.of` the running statistics are left alone and the moments of every group are written to
    `moments`, one (mean, unbiased variance) pair a group; outside of it a batch is one group, as in PyTorch.
    """

    sizes: Sequence[int] = ()
    moments: Sequence[tuple[Tensor, Tensor]] = ()
    positions = 0  # of one clip: frames x height x width

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape; N is the sum of `sizes`."""
        if not (self.training and self.sizes):
            return super().forward(x)
        self.positions = x[0, 0].numel()
        if len(self.sizes) == 1:
            return self._normalised(x, *self.moments[0])
        parts = torch.split(x, list(self.sizes))
        return torch.cat([self._normalised(part, *own) for part, own in zip(parts, self.moments, strict=True)])

    def enter(self, means: Tensor, variances: Tensor) -> None:
        """Take the moments of the groups of a batch, (groups, C), from a path that computes more than BN alone."""
        if self.sizes:
            for number, (mean, variance) in enumerate(self.moments):
                mean.copy_(means[number])
                variance.copy_(variances[number])
            return
        cast("Tensor", self.running_mean).lerp_(means[0], self.momentum or 0.0)
        cast("Tensor", self.running_var).lerp_(variances[0], self.momentum or 0.0)
        cast("Tensor", self.num_batches_tracked).add_(1)

    def _normalised(self, x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        # With a momentum of one PyTorch's running statistics are those of this group.
        return F.batch_norm(x, mean, variance, self.weight, self.bias, True, 1.0, self.eps)


class GroupStatistics:
    """The moments of all groups of one batch, of all BN layers of a model, until they enter the running statistics.

    They enter once a batch, exactly: its mean, and its variance by the law of total variance. So what evaluation uses
    does not depend on how many groups are held at once, nor on who held which.
    """

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self.layers = [layer for layer in model.modules() if isinstance(layer, GroupedBatchNorm3d)]
        self._widths = [layer.num_features for layer in self.layers]
        self._device = device
        self._rows = torch.zeros(0, 2, sum(self._widths), device=device)
        self._counts = torch.zeros(0, dtype=torch.float64)
        # Sums over the clips so far, by layer and channel: of means, of mean squares, and of elements, which a member
        # of a team that has computed no clip does not know. The first two are subtracted: float64.
        self.sums = torch.zeros(3, sum(self._widths), dtype=torch.float64, device=device)

    @contextmanager
    def of(self, sizes: Sequence[int]) -> Iterator[None]:
        """Within it a forward pass is of groups of these sizes, and its backward pass may compute it again."""
        rows = [torch.split(row, self._widths, 1) for row in self.room(sizes)[: len(sizes)]]
        for layer, *own in zip(self.layers, *rows, strict=True):
            layer.sizes, layer.moments = sizes, [(moments[0], moments[1]) for moments in own]
        try:
            yield
        finally:
            for layer in self.layers:
                layer.sizes, layer.moments = (), ()

    def room(self, sizes: Sequence[int]) -> Tensor:
        """Where the moments of so many groups are written, or more; another place once there are more groups."""
        if len(self._rows) < len(sizes):
            self._rows = torch.zeros(len(sizes), 2, sum(self._widths), device=self._device)
        return self._rows

    def add(self, sizes: Sequence[int]) -> None:
        """Take in the moments of the forward pass just made."""
        positions = self._positions()
        for row, clips in zip(self._rows, sizes, strict=False):
            mean, unbiased = row.double()
            elements = positions * clips
            self.sums[0] += clips * mean
            self.sums[1] += clips * (unbiased * ((elements - 1) / elements) + mean * mean)
            self.sums[2] += elements

    def enter(self, clips: int) -> None:
        """The sums are of `clips` clips: let their moments enter the running statistics, by the layers' momentum."""
        mean, variance = self._moments(clips)
        means = [cast("Tensor", layer.running_mean) for layer in self.layers]
        variances = [cast("Tensor", layer.running_var) for layer in self.layers]
        momentum = self.layers[0].momentum or 0.0
        torch._foreach_lerp_(means, torch.split(mean, self._widths), momentum)
        torch._foreach_lerp_(variances, torch.split(variance, self._widths), momentum)
        torch._foreach_add_([cast("Tensor", layer.num_batches_tracked) for layer in self.layers], 1)
        self.sums.zero_()

    def replace(self, clips: int) -> None:
        """The sums are of `clips` clips: let their moments be the running statistics."""
        mean, variance = self._moments(clips)
        parts = zip(self.layers, torch.split(mean, self._widths), torch.split(variance, self._widths), strict=True)
        for layer, own_mean, own_variance in parts:
            cast("Tensor", layer.running_mean).copy_(own_mean)
            cast("Tensor", layer.running_var).copy_(own_variance)
        self.sums.zero_()

    def _moments(self, clips: int) -> tuple[Tensor, Tensor]:
        """Mean and unbiased variance over all elements, in float32."""
        mean, square = self.sums[:2] / clips
        elements = self.sums[2]
        return mean.float(), ((square - mean * mean) * (elements / (elements - 1))).clamp(min=0).float()

    def _positions(self) -> Tensor:
        """Elements of one clip and channel, for every channel of every layer; after a forward pass."""
        if not len(self._counts):
            counts = [float(layer.positions) for layer in self.layers for _ in range(layer.num_features)]
            self._counts = torch.tensor(counts, dtype=torch.float64).to(self._device)
        return self._counts
