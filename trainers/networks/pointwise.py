"""The 1x1x1 convolution: a matrix product over the positions."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from trainers.networks.kernels.calls import Kernels
from trainers.networks.paths import pointwise_by_product, pointwise_kernels


class PointwiseConv3d(nn.Conv3d):
    """1x1x1 convolution; `stride` is spatial. (N, C, T, H, W) -> (N, C', T, ceil(H / stride), ceil(W / stride)).

    `plain` forces PyTorch's own convolution; the other paths give the same values and gradients.
    """

    plain = False

    def __init__(self, channels: int, out_channels: int, stride: int = 1, *, bias: bool = False) -> None:
        super().__init__(channels, out_channels, 1, (1, stride, stride), bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> (N, C', T, H', W')."""
        if self.plain:
            return super().forward(x)
        if kernels := pointwise_kernels(x, self):
            if self.stride[1] == 2:
                return kernels.project(kernels.thin(x.contiguous(memory_format=torch.channels_last_3d)), self.weight)
            # Autograd's apply is untyped in PyTorch's stubs.
            return cast("Tensor", _Product.apply(kernels, x, self.weight))  # type: ignore[no-untyped-call]
        if not pointwise_by_product(x, self.stride[1]):
            return super().forward(x)
        return F.linear(x.permute(0, 2, 3, 4, 1), self.weight.flatten(1), self.bias).permute(0, 4, 1, 2, 3)


class _Product(torch.autograd.Function):
    """By the compiled kernels."""

    @staticmethod
    def forward(ctx: Any, kernels: Kernels, x: Tensor, weight: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last_3d)
        ctx.save_for_backward(x, weight)
        ctx.kernels = kernels
        return kernels.project(x, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last_3d)
        for_x = ctx.kernels.project_input_gradient(gradient, weight) if ctx.needs_input_grad[1] else None
        for_weight = ctx.kernels.project_weight_gradient(gradient, x, weight) if ctx.needs_input_grad[2] else None
        return None, for_x, for_weight
