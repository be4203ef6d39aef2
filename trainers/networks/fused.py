"""BN of a training batch with all that follows it, as one step of autograd over the compiled kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from trainers.networks.kernels.calls import NOTHING, RELU, SWISH, Kernels, Moments

if TYPE_CHECKING:
    from trainers.networks.gpu.calls import GpuKernels

# Out, and each group's mean and unbiased variance, (groups, C).
Normalised = tuple[Tensor, Tensor, Tensor]
# Of squeeze-excitation: the weight (narrow, C) and bias of what reduces, and of what restores, (C, narrow).
Squeeze = tuple[Tensor, Tensor, Tensor, Tensor]


def normalise(
    kernels: Kernels | GpuKernels,
    x: Tensor,
    gain: Tensor,
    bias: Tensor,
    sizes: Sequence[int],
    eps: float,
    act: int,
    *,
    gate: Tensor | None = None,
    residual: Tensor | None = None,
) -> Normalised:
    """act(gate BN(x) + residual), BN by groups of `sizes` clips. gate: (N, C), of no gradient."""
    # Autograd's apply is untyped in PyTorch's stubs.
    found = _Normalise.apply(kernels, x, gain, bias, list(sizes), eps, act, gate, residual)  # type: ignore[no-untyped-call]
    return cast("Normalised", found)


def excite(
    kernels: Kernels | GpuKernels,
    x: Tensor,
    gain: Tensor,
    bias: Tensor,
    squeeze: Squeeze,
    sizes: Sequence[int],
    eps: float,
    act: int,
) -> Normalised:
    """act(SE(BN(x))), BN by groups of `sizes` clips.

    SE scales each channel of each clip, so its gate is only another factor of BN's own; and the clip's mean of BN(x),
    which it computes the gate from, follows from that of x. So SE takes no pass over memory.
    """
    found = _Excite.apply(kernels, x, gain, bias, *squeeze, list(sizes), eps, act)  # type: ignore[no-untyped-call]
    return cast("Normalised", found)


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        kernels: Kernels | GpuKernels,
        x: Tensor,
        gain: Tensor,
        bias: Tensor,
        sizes: list[int],
        eps: float,
        act: int,
        gate: Tensor | None,
        residual: Tensor | None,
    ) -> Normalised:
        x, residual = _last(x), None if residual is None else _last(residual)
        moments = kernels.moments(x, sizes, eps)
        out = kernels.normalise(x, moments, gain, bias, act, gate, residual)
        kept = out if act == RELU and residual is not None else None
        ctx.save_for_backward(x, gain, bias, gate, kept, *_parts(moments))
        ctx.kernels, ctx.sizes, ctx.act, ctx.added = kernels, sizes, act, residual is not None
        ctx.mark_non_differentiable(moments.group_mean, moments.group_variance)
        return out, moments.group_mean, moments.group_variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Any, ...]:
        x, gain, bias, gate, out, *moments = ctx.saved_tensors
        gradient, moments, act = _last(gradient), Moments(*moments), ctx.act
        kept = None if out is None and act != SWISH else torch.empty_like(x, memory_format=torch.channels_last_3d)
        sums = ctx.kernels.sums(gradient, x, out, moments, gain, bias, act, gate, kept)
        if kept is not None:
            gradient, act = kept, NOTHING
        for_x = kept if not ctx.added else None
        found = ctx.kernels.normalise_gradients(
            gradient, x, moments, gain, bias, act, gate, ctx.sizes, sums, None, for_x
        )
        return None, *found, None, None, None, None, gradient if ctx.added else None


class _Excite(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        kernels: Kernels | GpuKernels,
        x: Tensor,
        gain: Tensor,
        bias: Tensor,
        reduce: Tensor,
        reduce_bias: Tensor,
        restore: Tensor,
        restore_bias: Tensor,
        sizes: list[int],
        eps: float,
        act: int,
    ) -> Normalised:
        x = _last(x)
        moments = kernels.moments(x, sizes, eps)
        mean = torch.addcmul(bias, (moments.clip_mean - moments.center) * moments.inverse, gain)
        with torch.autocast(x.device.type, enabled=False):  # a few numbers of each clip: in float32
            narrow = F.linear(mean, reduce, reduce_bias).relu_()
            gate = F.linear(narrow, restore, restore_bias).sigmoid_()
        out = kernels.normalise(x, moments, gain, bias, act, gate)
        ctx.save_for_backward(x, gain, bias, reduce, restore, mean, narrow, gate, *_parts(moments))
        ctx.kernels, ctx.sizes, ctx.act = kernels, sizes, act
        ctx.mark_non_differentiable(moments.group_mean, moments.group_variance)
        return out, moments.group_mean, moments.group_variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Any, ...]:
        x, gain, bias, reduce, restore, mean, narrow, gate, *moments = ctx.saved_tensors
        gradient, moments = _last(gradient), Moments(*moments)
        # dz of swish is not computed twice: it is kept where the gradient of x then takes its place.
        kept = torch.empty_like(x, memory_format=torch.channels_last_3d) if ctx.act == SWISH else None
        sums = ctx.kernels.sums(gradient, x, None, moments, gain, bias, ctx.act, gate, kept)
        # The gate's gradient is the sum of dz (gain xhat + bias).
        for_gate = torch.addcmul(sums[0] * bias, sums[1], gain) * gate * (1 - gate)
        for_narrow = (for_gate @ restore) * (narrow > 0)
        for_squeeze = (for_narrow.t() @ mean, for_narrow.sum(0), for_gate.t() @ narrow, for_gate.sum(0))
        for_mean = for_narrow @ reduce
        of = (kept, NOTHING) if kept is not None else (gradient, ctx.act)
        values = (of[0], x, moments, gain, bias, of[1], gate, ctx.sizes, sums, for_mean, kept)
        return None, *ctx.kernels.normalise_gradients(*values), *for_squeeze, None, None, None


def _parts(moments: Moments) -> tuple[Tensor, ...]:
    return tuple(getattr(moments, field.name) for field in fields(moments))


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last_3d)
