"""BN of a training batch with all that follows it, as one step of autograd over the compiled kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.autograd.graph import saved_tensors_hooks

from trainers.networks.kernels.calls import NOTHING, RELU, SWISH, Kernels, Moments

if TYPE_CHECKING:
    from trainers.networks.gpu.calls import GpuKernels

# Of squeeze-excitation: the weight (narrow, C) and bias of what reduces, and of what restores, (C, narrow).
Squeeze = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Normalised:
    """out; the statistics that it was computed by; again: computes it once more, None where that takes more than x."""

    out: Tensor
    moments: Moments
    again: Callable[[], Tensor] | None


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
    x, residual = _last(x), None if residual is None else _last(residual)
    moments = kernels.moments(x, sizes, eps)
    # Autograd's apply is untyped in PyTorch's stubs.
    out = _Normalise.apply(kernels, x, gain, bias, moments, list(sizes), act, gate, residual)  # type: ignore[no-untyped-call]
    again = None if residual is not None else _again(kernels, x, moments, gain, bias, act, gate)
    return Normalised(cast("Tensor", out), moments, again)


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
    x = _last(x)
    moments = kernels.moments(x, sizes, eps)
    with torch.no_grad():
        mean = torch.addcmul(bias, (moments.clip_mean - moments.center) * moments.inverse, gain)
        narrow, gate = squeezed(mean, squeeze)
    found = (mean, narrow, gate)
    out = _Excite.apply(kernels, x, gain, bias, *squeeze, moments, *found, list(sizes), act)  # type: ignore[no-untyped-call]
    return Normalised(cast("Tensor", out), moments, _again(kernels, x, moments, gain, bias, act, gate))


def squeezed(mean: Tensor, squeeze: Squeeze) -> tuple[Tensor, Tensor]:
    """Of SE what it is narrowed to (N, narrow), and its gate (N, C), from each clip's mean (N, C)."""
    reduce, reduce_bias, restore, restore_bias = squeeze
    with torch.autocast(mean.device.type, enabled=False):  # a few numbers of each clip: in float32
        narrow = F.linear(mean, reduce, reduce_bias).relu_()
        return narrow, F.linear(narrow, restore, restore_bias).sigmoid_()


def forgetting(layer: nn.Module, x: Tensor, again: Callable[[], Tensor]) -> Tensor:
    """layer(x), of which no `x` is kept for the backward pass: `again` computes it there."""
    where = x.untyped_storage().data_ptr()

    def pack(saved: Tensor) -> Any:
        if saved.untyped_storage().data_ptr() != where:
            return saved
        return saved.shape, saved.stride(), saved.storage_offset()

    def unpack(packed: Any) -> Tensor:
        return packed if isinstance(packed, Tensor) else again().as_strided(*packed)

    with saved_tensors_hooks(pack, unpack):
        out: Tensor = layer(x)
    return out


def _again(
    kernels: Kernels | GpuKernels, x: Tensor, moments: Moments, gain: Tensor, bias: Tensor, *after: Any
) -> Callable[[], Tensor] | None:
    if x.is_cuda:  # whose time goes into passes over memory; where that is short, fewer groups are held at once
        return None
    return partial(kernels.normalise, x.detach(), moments, gain.detach(), bias.detach(), *after)


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        kernels: Kernels | GpuKernels,
        x: Tensor,
        gain: Tensor,
        bias: Tensor,
        moments: Moments,
        sizes: list[int],
        act: int,
        gate: Tensor | None,
        residual: Tensor | None,
    ) -> Tensor:
        out = kernels.normalise(x, moments, gain, bias, act, gate, residual)
        kept = out if act == RELU and residual is not None else None
        ctx.save_for_backward(x, gain, bias, gate, kept, *_parts(moments))
        ctx.kernels, ctx.sizes, ctx.act, ctx.added = kernels, sizes, act, residual is not None
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
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
        moments: Moments,
        mean: Tensor,
        narrow: Tensor,
        gate: Tensor,
        sizes: list[int],
        act: int,
    ) -> Tensor:
        out = kernels.normalise(x, moments, gain, bias, act, gate)
        ctx.save_for_backward(x, gain, bias, reduce, restore, mean, narrow, gate, *_parts(moments))
        ctx.kernels, ctx.sizes, ctx.act = kernels, sizes, act
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
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
        return None, *ctx.kernels.normalise_gradients(*values), *for_squeeze, None, None, None, None, None, None


def _parts(moments: Moments) -> tuple[Tensor, ...]:
    return tuple(getattr(moments, field.name) for field in fields(moments))


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last_3d)
