"""BN and what follows it in a block, in one pass where the compiled kernels do it, else layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from trainers.networks.batchnorm import GroupedBatchNorm3d
from trainers.networks.channelwise import ChannelwiseConv3d
from trainers.networks.fused import Normalised, Squeeze, excite, forgetting, normalise
from trainers.networks.kernels.calls import NOTHING, RELU, SWISH, Kernels, Running, Scaled, Widening
from trainers.networks.layers import DropConnect, SqueezeExcitation
from trainers.networks.paths import (
    clip_by_clip,
    made_for,
    made_for_product,
    middle_kernels,
    more_than_a_cache,
    norm_kernels,
    running_kernels,
)
from trainers.networks.pointwise import PointwiseConv3d

ACTS: dict[type[nn.Module], int] = {nn.ReLU: RELU, nn.SiLU: SWISH}


@dataclass(frozen=True)
class Waiting:
    """BN and SE in evaluation, with the activation that follows."""

    kernels: Kernels
    by: Scaled

    def done(self, x: Tensor) -> Tensor:
        """In place of x."""
        return self.kernels.scale(x, self.by)


@dataclass(frozen=True)
class Unprojected:
    """The first two convolutions of a block in evaluation, with BN, activations and SE, if any: they are computed
    together with the third, so that what is between them stays near the core."""

    kernels: Kernels
    widening: Widening
    weight: Tensor
    stride: int
    norm: Running
    act: int
    squeeze: Squeeze | None = None

    def done(self, x: Tensor) -> Tensor:
        """Of x, by themselves."""
        if self.squeeze:
            y, means = self.kernels.convolve_averaged(x, self.weight, self.stride, self.widening)
            return self.kernels.scale(y, self.kernels.excite_running(y, means, self.norm, self.squeeze, self.act))
        wide = self.kernels.project_running(x, self.widening.weight, self.widening.norm, RELU)
        return self.kernels.convolve_running(wide, self.weight, self.stride, self.norm, self.act)


@dataclass(frozen=True)
class Activated:
    """What an activation leaves, and how to compute it once more; None where it is to be kept.

    waiting: what is yet to be done to the value, which the 1x1x1 convolution that follows does too.
    """

    value: Tensor
    again: Callable[[], Tensor] | None = None
    waiting: Waiting | Unprojected | None = None

    def through(self, layer: nn.Module, *, keep: bool = False) -> Tensor:
        """layer(value). Unless `keep`, what the backward pass needs of the value is computed again there, in a pass
        over memory: half of what a training step would hold. keep: where the whole block is computed again."""
        if keep or self.again is None or not torch.is_grad_enabled():
            out: Tensor = layer(self.waiting.done(self.value) if self.waiting else self.value)
            return out
        return forgetting(layer, self.value, self.again)


def normalised(norm: GroupedBatchNorm3d, x: Tensor, activation: nn.Module | None) -> Activated:
    """activation(norm(x)), or norm(x). In evaluation it may take the place of x.

    A norm that was folded is the identity.
    """
    act = ACTS[type(activation)] if activation else NOTHING
    if settled := running_kernels(x, norm):
        return Activated(settled.normalise_running(x, running(norm), act))
    if kernels := norm_kernels(x, norm):
        return _entered(norm, x, normalise(kernels, x, norm.weight, norm.bias, _sizes(norm, x), norm.eps, act))
    return Activated(activation(norm(x)) if activation else norm(x))


def projected(
    conv: nn.Module, norm: GroupedBatchNorm3d, x: Activated, activation: nn.Module, *, keep: bool = False
) -> Activated:
    """activation(norm(conv(x))) of a 1x1x1 convolution. keep: as of `Activated.through`."""
    if product := _for_product(conv, norm, activation, x.value):
        value, before = _read(x)
        return Activated(
            product.project_running(value, cast("Tensor", conv.weight), running(norm), RELU, before=before)
        )
    return normalised(norm, x.through(conv, keep=keep), activation)


def filtered(
    conv: nn.Module,
    norm: GroupedBatchNorm3d,
    x: Activated,
    excitation: nn.Module,
    activation: nn.Module,
    *,
    keep: bool,
    widening: Widening | None = None,
) -> Activated:
    """activation(excitation(norm(conv(x)))); the excitation may be the identity. keep: as of `Activated.through`.

    widening: what is to be done to x first, where the kernels do all of it.
    """
    act = ACTS[type(activation)]
    if both := _for_both(conv, norm, x.value):
        channelwise = cast("ChannelwiseConv3d", conv)
        given = x.value, channelwise.weight, channelwise.stride[1]
        if widening and (clip_by_clip(x.value) or not isinstance(excitation, SqueezeExcitation)):
            squeeze = _squeeze(excitation) if isinstance(excitation, SqueezeExcitation) else None
            return Activated(x.value, waiting=Unprojected(both, widening, *given[1:], running(norm), act, squeeze))
        if not isinstance(excitation, SqueezeExcitation):
            return Activated(both.convolve_running(*given, running(norm), act))
        y, means = both.convolve_averaged(*given, widening)
        return _excited(both, y, means, norm, excitation, act)
    y = x.through(conv, keep=keep)
    if not isinstance(excitation, SqueezeExcitation):
        return normalised(norm, y, activation)
    if settled := running_kernels(y, norm):
        means = settled.moments(y, [len(y)], norm.eps).clip_mean
        return _excited(settled, y, means, norm, excitation, act)
    if kernels := norm_kernels(y, norm):
        parts = (norm.weight, norm.bias, _squeeze(excitation), _sizes(norm, y), norm.eps, act)
        return _entered(norm, y, excite(kernels, y, *parts))
    return Activated(activation(excitation(norm(y))))


def between(
    expand: nn.Module,
    first: GroupedBatchNorm3d,
    x: Activated,
    relu: nn.Module,
    conv: nn.Module,
    second: GroupedBatchNorm3d,
    excitation: nn.Module,
    activation: nn.Module,
    *,
    keep: bool,
) -> Activated:
    """activation(excitation(second(conv(relu(first(expand(x))))))); a GPU does all but expand in one step of autograd.
    keep: as of `Activated.through`."""
    after = (excitation, activation)
    if product := _for_product(expand, first, relu, x.value):
        weight = cast("Tensor", expand.weight)
        if _for_both(conv, second, x.value) and more_than_a_cache(x.value, len(weight)):
            return filtered(conv, second, x, *after, keep=keep, widening=Widening(weight, running(first)))
        wide = product.project_running(x.value, weight, running(first), RELU)
        return filtered(conv, second, Activated(wide), *after, keep=keep)
    y = x.through(expand, keep=keep)
    if (kernels := middle_kernels(y, first, conv, second)) is None:
        return filtered(conv, second, normalised(first, y, relu), *after, keep=keep)
    from trainers.networks.gpu.middle import Settings, middle

    conv = cast("ChannelwiseConv3d", conv)
    squeeze = _squeeze(excitation) if isinstance(excitation, SqueezeExcitation) else None
    settings = Settings(_sizes(first, y), (first.eps, second.eps), conv.stride[1], ACTS[type(activation)])
    parts = ((first.weight, first.bias), conv.weight, (second.weight, second.bias), squeeze, settings)
    out, *moments = middle(kernels, y, *parts)
    with torch.no_grad():
        for norm, of, (mean, variance) in ((first, y, moments[:2]), (second, out, moments[2:])):
            norm.positions = of[0, 0].numel()
            norm.enter(mean, variance)
    return Activated(out)


def joined(
    conv: nn.Module,
    norm: GroupedBatchNorm3d,
    x: Activated,
    drop: DropConnect,
    residual: Tensor,
    activation: nn.Module,
    *,
    keep: bool,
) -> Tensor:
    """activation(drop(norm(conv(x))) + residual) of a 1x1x1 convolution. keep: as of `Activated.through`."""
    product = _for_product(conv, norm, activation, x.value)
    if product and residual.is_contiguous(memory_format=torch.channels_last_3d):
        last = cast("Tensor", conv.weight), running(norm)
        if isinstance(middle := x.waiting, Unprojected):
            first = middle.widening, middle.weight, middle.stride, middle.norm, middle.act
            return product.convolve_projected(x.value, *first, *last, residual, middle.squeeze)
        value, before = _read(x)
        return product.project_running(value, *last, RELU, residual, before)
    return added(norm, x.through(conv, keep=keep), drop, residual, activation)


def added(norm: GroupedBatchNorm3d, x: Tensor, drop: DropConnect, residual: Tensor, activation: nn.Module) -> Tensor:
    """activation(drop(norm(x)) + residual). In evaluation it may take the place of x."""
    act = ACTS[type(activation)]
    if (settled := running_kernels(x, norm)) and residual.is_contiguous(memory_format=torch.channels_last_3d):
        return settled.normalise_running(x, running(norm), act, residual=residual)
    if kernels := norm_kernels(x, norm):
        gate = drop.gate(x) if drop.training and drop.rate else None
        parts = (norm.weight, norm.bias, _sizes(norm, x), norm.eps, act)
        return _entered(norm, x, normalise(kernels, x, *parts, gate=gate, residual=residual)).value
    out: Tensor = activation(drop(norm(x)).add_(residual))
    return out


def expanded(expansion: nn.Module, x: Activated, *, keep: bool = False) -> Activated:
    """expansion(x): the identity, or a convolution, BN and an activation. keep: as of `Activated.through`."""
    if isinstance(expansion, nn.Sequential):
        conv, norm, activation = expansion
        return projected(conv, cast("GroupedBatchNorm3d", norm), x, activation, keep=keep)
    return x


def shortened(shortcut: nn.Module, x: Activated, *, keep: bool = False) -> Tensor:
    """shortcut(x): the identity, or a convolution and BN. keep: as of `Activated.through`."""
    if isinstance(shortcut, nn.Sequential):
        conv, norm = shortcut[0], cast("GroupedBatchNorm3d", shortcut[1])
        if product := _for_product(conv, norm, None, x.value):
            taken = product.thin(x.value) if cast("PointwiseConv3d", conv).stride[1] == 2 else x.value
            return product.project_running(taken, cast("Tensor", conv.weight), running(norm), NOTHING)
        return normalised(norm, x.through(conv, keep=keep), None).value
    return x.value


def _for_both(conv: nn.Module, norm: nn.Module, x: Tensor) -> Kernels | None:
    """What computes the channel-wise convolution with the BN that follows it, in evaluation."""
    if not isinstance(conv, ChannelwiseConv3d) or conv.plain:
        return None
    settled = running_kernels(x, norm)  # first, as none of a traced network's weights may be looked at
    return settled if settled and made_for(conv) else None


def _for_product(conv: nn.Module, norm: nn.Module, activation: nn.Module | None, x: Tensor) -> Kernels | None:
    """What computes a 1x1x1 convolution with the BN and the ReLU, if any, that follow it, in evaluation."""
    if not isinstance(conv, PointwiseConv3d) or conv.plain or not isinstance(activation, nn.ReLU | None):
        return None
    settled = running_kernels(x, norm)
    return settled if settled and made_for_product(conv) else None


def _read(x: Activated) -> tuple[Tensor, Scaled | None]:
    """What a 1x1x1 convolution reads of x, and what it does to that first."""
    if isinstance(x.waiting, Unprojected):
        return x.waiting.done(x.value), None
    return x.value, x.waiting.by if x.waiting else None


def _excited(
    kernels: Kernels, y: Tensor, means: Tensor, norm: GroupedBatchNorm3d, excitation: SqueezeExcitation, act: int
) -> Activated:
    """act(excitation(norm(y))) in evaluation, yet to be done. means: of each clip's channels."""
    return Activated(
        y, waiting=Waiting(kernels, kernels.excite_running(y, means, running(norm), _squeeze(excitation), act))
    )


def running(norm: GroupedBatchNorm3d) -> Running:
    """`norm` in evaluation, as the kernels take it."""
    return Running(
        cast("Tensor", norm.running_mean), cast("Tensor", norm.running_var), norm.weight, norm.bias, norm.eps
    )


def _squeeze(excitation: SqueezeExcitation) -> Squeeze:
    reduce, restore = excitation.reduce, excitation.restore
    assert reduce.bias is not None
    assert restore.bias is not None
    return reduce.weight.flatten(1), reduce.bias, restore.weight.flatten(1), restore.bias


def _sizes(norm: GroupedBatchNorm3d, x: Tensor) -> list[int]:
    return list(norm.sizes) or [len(x)]


def _entered(norm: GroupedBatchNorm3d, x: Tensor, found: Normalised) -> Activated:
    norm.positions = x[0, 0].numel()
    with torch.no_grad():
        norm.enter(found.moments.group_mean, found.moments.group_variance)
    return Activated(found.out, found.again)
