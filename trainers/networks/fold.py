"""Batch normalisation folded into the convolution before it: what a network in evaluation mode really computes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, fx, nn

from trainers.networks.kernels.calls import Triple


def fold_batchnorm(model: nn.Module) -> nn.Module:
    """A copy of `model` in evaluation mode, of which every BN is part of the convolution before it.

    The pairs are found by following the data through the network, not by their names: it works for every network of
    these layers. Each pair becomes a plain `nn.Conv3d` with bias and an `nn.Identity`. Raises ValueError naming a BN
    that normalises anything but the output of a convolution that nothing else reads.
    """
    folded = copy.deepcopy(model).eval()
    for conv_name, norm_name in list(_pairs(folded)):
        conv, norm = folded.get_submodule(conv_name), folded.get_submodule(norm_name)
        folded.set_submodule(conv_name, _merged(cast("nn.Conv3d", conv), cast("nn.BatchNorm3d", norm)))
        folded.set_submodule(norm_name, nn.Identity())
    return folded.eval()


class _Tracer(fx.Tracer):
    """Looks into every module but convolutions and BN, whose paths depend on the clip's shape or the groups."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        """Whether `module` stays one node of the graph."""
        return isinstance(module, nn.Conv3d | nn.BatchNorm3d) or super().is_leaf_module(module, name)


def _pairs(model: nn.Module) -> Iterator[tuple[str, str]]:
    """The names of each convolution and of the BN that alone reads its output."""
    modules = dict(model.named_modules())
    for node in _Tracer().trace(model).nodes:
        if node.op != "call_module" or not isinstance(modules[str(node.target)], nn.BatchNorm3d):
            continue
        source = node.args[0]
        if not (
            isinstance(source, fx.Node)
            and isinstance(modules.get(str(source.target)), nn.Conv3d)
            and len(source.users) == 1
        ):
            raise ValueError(
                f"{node.target} cannot be folded: its input is not the output of a convolution for it alone"
            )
        yield str(source.target), str(node.target)


def _merged(conv: nn.Conv3d, norm: nn.BatchNorm3d) -> nn.Conv3d:
    """One convolution that computes norm(conv(x)). Its weights are rounded once: the arithmetic is in float64."""
    gain = norm.weight.double() / torch.sqrt(cast("Tensor", norm.running_var).double() + norm.eps)
    bias = 0 if conv.bias is None else conv.bias.double()
    shift = norm.bias.double() + (bias - cast("Tensor", norm.running_mean).double()) * gain
    weight = conv.weight.double() * gain.view(-1, 1, 1, 1, 1)
    # On the meta device nothing is initialised, which would draw from the random state of whoever folds.
    merged = nn.Conv3d(
        conv.in_channels,
        conv.out_channels,
        cast("Triple", conv.kernel_size),
        cast("Triple", conv.stride),
        cast("Triple", conv.padding),
        groups=conv.groups,
        device="meta",
    )
    merged.weight = nn.Parameter(weight.detach().to(conv.weight.dtype))
    merged.bias = nn.Parameter(shift.detach().to(conv.weight.dtype))
    return merged
