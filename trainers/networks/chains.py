"""BN and what follows it in a block, in one pass where the compiled kernels do it, else layer by layer."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from trainers.networks.batchnorm import GroupedBatchNorm3d
from trainers.networks.fused import excite, normalise
from trainers.networks.kernels.calls import NOTHING, RELU, SWISH
from trainers.networks.layers import DropConnect, SqueezeExcitation
from trainers.networks.paths import middle_kernels, norm_kernels

ACTS: dict[type[nn.Module], int] = {nn.ReLU: RELU, nn.SiLU: SWISH}


def normalised(norm: GroupedBatchNorm3d, x: Tensor, activation: nn.Module | None) -> Tensor:
    """activation(norm(x)), or norm(x)."""
    if kernels := norm_kernels(x, norm):
        parts = (norm.weight, norm.bias, _sizes(norm, x), norm.eps, ACTS[type(activation)] if activation else NOTHING)
        return _entered(norm, x, *normalise(kernels, x, *parts))
    out: Tensor = activation(norm(x)) if activation else norm(x)
    return out


def excited(norm: GroupedBatchNorm3d, x: Tensor, excitation: nn.Module, activation: nn.Module) -> Tensor:
    """activation(excitation(norm(x))); the excitation may be the identity."""
    if not isinstance(excitation, SqueezeExcitation):
        return normalised(norm, x, activation)
    if kernels := norm_kernels(x, norm):
        parts = (norm.weight, norm.bias, _squeeze(excitation), _sizes(norm, x), norm.eps, ACTS[type(activation)])
        return _entered(norm, x, *excite(kernels, x, *parts))
    out: Tensor = activation(excitation(norm(x)))
    return out


def between(
    first: GroupedBatchNorm3d,
    x: Tensor,
    relu: nn.Module,
    conv: nn.Conv3d,
    second: GroupedBatchNorm3d,
    excitation: nn.Module,
    activation: nn.Module,
) -> Tensor:
    """activation(excitation(second(conv(relu(first(x)))))), where a GPU does it in one step of autograd."""
    if (kernels := middle_kernels(x, first, conv, second)) is None:
        return excited(second, conv(normalised(first, x, relu)), excitation, activation)
    from trainers.networks.gpu.middle import Settings, middle

    squeeze = _squeeze(excitation) if isinstance(excitation, SqueezeExcitation) else None
    settings = Settings(_sizes(first, x), (first.eps, second.eps), conv.stride[1], ACTS[type(activation)])
    parts = ((first.weight, first.bias), conv.weight, (second.weight, second.bias), squeeze, settings)
    out, mean, variance, last_mean, last_variance = middle(kernels, x, *parts)
    _entered(first, x, out, mean, variance)
    return _entered(second, out, out, last_mean, last_variance)


def added(norm: GroupedBatchNorm3d, x: Tensor, drop: DropConnect, residual: Tensor, activation: nn.Module) -> Tensor:
    """activation(drop(norm(x)) + residual)."""
    if kernels := norm_kernels(x, norm):
        gate = drop.gate(x) if drop.training and drop.rate else None
        parts = (norm.weight, norm.bias, _sizes(norm, x), norm.eps, ACTS[type(activation)])
        return _entered(norm, x, *normalise(kernels, x, *parts, gate=gate, residual=residual))
    out: Tensor = activation(drop(norm(x)).add_(residual))
    return out


def expanded(expansion: nn.Module, x: Tensor) -> Tensor:
    """expansion(x): the identity, or a convolution, BN and an activation."""
    if isinstance(expansion, nn.Sequential):
        conv, norm, activation = expansion
        return normalised(cast("GroupedBatchNorm3d", norm), conv(x), activation)
    out: Tensor = expansion(x)
    return out


def shortened(shortcut: nn.Module, x: Tensor) -> Tensor:
    """shortcut(x): the identity, or a convolution and BN."""
    if isinstance(shortcut, nn.Sequential):
        conv, norm = shortcut
        if isinstance(norm, GroupedBatchNorm3d):
            return normalised(norm, conv(x), None)
    out: Tensor = shortcut(x)
    return out


def _squeeze(excitation: SqueezeExcitation) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    reduce, restore = excitation.reduce, excitation.restore
    assert reduce.bias is not None
    assert restore.bias is not None
    return reduce.weight.flatten(1), reduce.bias, restore.weight.flatten(1), restore.bias


def _sizes(norm: GroupedBatchNorm3d, x: Tensor) -> list[int]:
    return list(norm.sizes) or [len(x)]


def _entered(norm: GroupedBatchNorm3d, x: Tensor, out: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    norm.positions = x[0, 0].numel()
    with torch.no_grad():
        norm.enter(means, variances)
    return out
