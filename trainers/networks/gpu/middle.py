"""The middle of a block, from what its first convolution gives to what its last one takes, as one step of autograd.

BN, ReLU, channel-wise convolution, BN, [SE], activation. The first BN and ReLU are computed as the convolution reads,
the second BN's moments as it writes; backwards, the ReLU and the first BN's sums as the input's gradient is written. So
of the passes over memory that the layers make apart, six are saved, and only the input of each BN is remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from trainers.networks.gpu.calls import GpuKernels, Normed
from trainers.networks.kernels.calls import NOTHING, Moments

Squeeze = tuple[Tensor, Tensor, Tensor, Tensor]
# Out, and mean and unbiased variance of each group, (groups, C), of the first BN and of the second.
Found = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
PARTS = len(fields(Moments))


@dataclass(frozen=True)
class Settings:
    """sizes: clips of each BN group. act: what follows SE, as kernels/calls.py numbers it."""

    sizes: Sequence[int]
    eps: tuple[float, float]
    stride: int
    act: int


def middle(
    kernels: GpuKernels,
    x: Tensor,
    first: tuple[Tensor, Tensor],
    weight: Tensor,
    second: tuple[Tensor, Tensor],
    squeeze: Squeeze | None,
    settings: Settings,
) -> Found:
    """act(SE(BN(relu(BN(x)) * weight))). first, second: gain and bias of both BN."""
    # Autograd's apply is untyped in PyTorch's stubs.
    found = _Middle.apply(kernels, settings, x, *first, weight, *second, *(squeeze or (None,) * 4))  # type: ignore[no-untyped-call]
    return cast("Found", found)


class _Middle(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        kernels: GpuKernels,
        settings: Settings,
        x: Tensor,
        gain: Tensor,
        bias: Tensor,
        weight: Tensor,
        last_gain: Tensor,
        last_bias: Tensor,
        *squeeze: Tensor | None,
    ) -> Found:
        x = _last(x)
        moments = kernels.moments(x, settings.sizes, settings.eps[0])
        y, sums = kernels.convolve_normed(Normed(x, moments, gain, bias), weight, settings.stride)
        then = kernels.moments_of(sums, y, settings.sizes, settings.eps[1])
        opened: tuple[Tensor | None, Tensor | None, Tensor | None] = (None, None, None)
        if squeeze[0] is not None:
            opened = kernels.open_gate(then, last_gain, last_bias, cast("Squeeze", squeeze))
        out = kernels.normalise(y, then, last_gain, last_bias, settings.act, opened[0])
        ctx.save_for_backward(
            x,
            gain,
            bias,
            weight,
            y,
            last_gain,
            last_bias,
            squeeze[0],
            squeeze[2],
            *opened,
            *_parts(moments),
            *_parts(then),
        )
        ctx.kernels, ctx.settings = kernels, settings
        of_groups = (moments.group_mean, moments.group_variance, then.group_mean, then.group_variance)
        ctx.mark_non_differentiable(*of_groups)
        return (out, *of_groups)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Any, ...]:
        x, gain, bias, weight, y, last_gain, last_bias, reduce, restore, gate, mean, narrow, *parts = ctx.saved_tensors
        moments, then = Moments(*parts[:PARTS]), Moments(*parts[PARTS:])
        kernels, settings, gradient = ctx.kernels, ctx.settings, _last(gradient)
        kept = torch.empty_like(y, memory_format=torch.channels_last_3d)
        last = (then, last_gain, last_bias)
        sums = kernels.gradient_sums(gradient, y, None, *last, settings.act, gate, kept)
        for_mean, for_squeeze = None, (None,) * 4
        if gate is not None:
            values = (sums, last_gain, last_bias, reduce, restore, mean, narrow, gate)
            for_mean, for_squeeze = kernels.gate_gradients(*values)
        for_y, *for_last = kernels.normalise_gradients(
            kept, y, *last, NOTHING, gate, settings.sizes, sums, for_mean, kept
        )
        normed = Normed(x, moments, gain, bias)
        for_weight = kernels.weight_gradient(for_y, x, weight, settings.stride, normed)
        dz, sums = kernels.rectified_gradient(for_y, normed, weight, settings.stride)
        for_x, *for_first = kernels.normalise_gradients(
            dz, x, moments, gain, bias, NOTHING, None, settings.sizes, sums, None, dz
        )
        return None, None, for_x, *for_first, for_weight, *for_last, *for_squeeze


def _parts(moments: Moments) -> tuple[Tensor, ...]:
    return tuple(getattr(moments, field.name) for field in fields(moments))


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last_3d)
