"""The oracle of the closed-form cost: the real network, traced and counted by fvcore."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from expander.complexity import Complexity
from expander.efficientnet3d import AnyGeometry
from trainers.networks.build import build
from trainers.networks.layers import plain_paths

Handle = Callable[[list[Any], list[Any]], Any]


def trace(geometry: AnyGeometry) -> Complexity:
    """The complexity of `geometry` for one clip, counted on the network itself; equal to `expander.complexity.measure`.

    Runs one clip through it: shapes are tensors while torch traces, which the meta device's convolution refuses.
    """
    model = build(geometry).eval()
    clip = torch.zeros(1, 3, geometry.frames, geometry.crop, geometry.crop)
    with plain_paths(model), torch.no_grad():
        counts = _count(model, clip)
    return Complexity(
        flops=counts["flops"],
        params=sum(parameter.numel() for parameter in model.parameters()),
        params_without_batchnorm=sum(_own_params(m) for m in model.modules() if not isinstance(m, nn.BatchNorm3d)),
        activations=counts["activations"],
    )


def _count(model: nn.Module, clip: Tensor) -> Counter[str]:
    """Multiply-adds and outputs of convolutions and linear layers; BN, activations, pooling and sums are left out."""
    with warnings.catch_warnings():
        # fvcore scripts a function as it is imported and traces with torch.jit; torch calls both deprecated.
        warnings.simplefilter("ignore")
        from fvcore.nn.jit_analysis import JitModelAnalysis
        from fvcore.nn.jit_handles import conv_flop_jit, linear_flop_jit

        analysis = JitModelAnalysis(model, clip)
        analysis.set_op_handle("aten::_convolution", _with_outputs(conv_flop_jit))
        analysis.set_op_handle("aten::linear", _with_outputs(linear_flop_jit))
        # It logs a warning for every operator that it was not told to count.
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        counts: Counter[str] = analysis.by_operator()
    return counts


def _with_outputs(flops: Handle) -> Handle:
    """fvcore's count of an operator's multiply-adds, and beside it the number of its outputs: one trace gives both."""
    from fvcore.nn.jit_handles import get_shape

    def handle(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
        counted = flops(inputs, outputs)
        total = sum(counted.values()) if isinstance(counted, Counter) else counted
        return Counter(flops=int(total), activations=int(prod(get_shape(outputs[0]))))

    return handle


def _own_params(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters(recurse=False))
