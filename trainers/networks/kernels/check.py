"""Whether compiled kernels compute what PyTorch does: asked once in each process, before they are used."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.networks.kernels.calls import RELU, SWISH, Kernels, Running, Widening

# Relative L2 distance to PyTorch's in float64.
TOLERANCE = 1e-5

logger = logging.getLogger(__name__)


def sound(kernels: Kernels) -> bool:
    """True where all of them agree with PyTorch on small inputs; else a line of the log says which does not."""
    # Whoever asks first may do so within inference mode, which remembers no gradients, even where they are enabled.
    with torch.random.fork_rng([]), torch.inference_mode(mode=False), torch.enable_grad():
        torch.manual_seed(0)
        parts = [_channelwise(kernels, 1), _channelwise(kernels, 2), _norm(kernels), _pointwise(kernels)]
        parts += [_evaluation(kernels), _held(kernels)]
        apart = {name: distance for part in parts for name, distance in part.items()}
    wrong = [f"{name} by {distance:.0e}" for name, distance in apart.items() if not distance < TOLERANCE]
    if wrong:
        logger.warning("PyTorch computes what compiled kernels would: they are off here, %s", ", ".join(wrong))
    return not wrong


def _channelwise(kernels: Kernels, stride: int) -> dict[str, float]:
    x, weight = _clips(2, 24, 3, 11, 14), torch.randn(24, 1, 3, 3, 3)
    exact, by = x.double().requires_grad_(), weight.double().requires_grad_()
    wanted = F.conv3d(exact, by, None, (1, stride, stride), 1, 1, 24)
    gradient = _clips(*wanted.shape)
    for_x, for_weight = torch.autograd.grad(wanted, [exact, by], gradient.double())
    return {
        f"convolution of stride {stride}": _distance(kernels.convolve(x, weight, stride), wanted),
        f"its input's gradient at {stride}": _distance(kernels.input_gradient(gradient, x, weight, stride), for_x),
        f"its weight's gradient at {stride}": _distance(
            kernels.weight_gradient(gradient, x, weight, stride), for_weight
        ),
    }


def _norm(kernels: Kernels) -> dict[str, float]:
    x, gain, bias, gradient = _clips(4, 24, 2, 3, 5), torch.randn(24), torch.randn(24), _clips(4, 24, 2, 3, 5)
    exact, by, plus = (each.double().requires_grad_() for each in (x, gain, bias))
    parts = [F.batch_norm(part, None, None, by, plus, True) for part in torch.split(exact, [3, 1])]
    wanted = F.silu(torch.cat(parts))
    gradients = torch.autograd.grad(wanted, [exact, by, plus], gradient.double())
    moments = kernels.moments(x, [3, 1], 1e-5)
    sums = kernels.sums(gradient, x, None, moments, gain, bias, SWISH, None, None)
    found = kernels.normalise_gradients(gradient, x, moments, gain, bias, SWISH, None, [3, 1], sums)
    apart = {"BN": _distance(kernels.normalise(x, moments, gain, bias, SWISH), wanted)}
    names = ("BN's input's gradient", "BN's gain's gradient", "BN's bias' gradient")
    return apart | {name: _distance(*pair) for name, *pair in zip(names, found, gradients, strict=True)}


def _pointwise(kernels: Kernels) -> dict[str, float]:
    x, weight, gradient = _clips(2, 24, 3, 5, 7), torch.randn(54, 24, 1, 1, 1), _clips(2, 54, 3, 5, 7)
    exact, by = x.double().requires_grad_(), weight.double().requires_grad_()
    plain = F.conv3d(exact, by)
    for_x, for_weight = torch.autograd.grad(plain, [exact, by], gradient.double())
    norm = Running(torch.randn(54), torch.rand(54), torch.randn(54), torch.randn(54), 1e-5)
    followed = (_normalised(plain, norm) + gradient).relu()
    return {
        "pointwise convolution": _distance(kernels.project(x, weight), plain),
        "pointwise convolution with BN": _distance(kernels.project_running(x, weight, norm, RELU, gradient), followed),
        "the pointwise input's gradient": _distance(kernels.project_input_gradient(gradient, weight), for_x),
        "the pointwise weight's gradient": _distance(kernels.project_weight_gradient(gradient, x, weight), for_weight),
    }


def _evaluation(kernels: Kernels) -> dict[str, float]:
    images, spatial, temporal = torch.randn(2, 3, 2, 11, 14), torch.randn(24, 3, 1, 3, 3), torch.randn(24, 1, 3, 1, 1)
    x, by = _clips(2, 24, 3, 11, 14), torch.randn(24, 1, 3, 3, 3)
    norm = Running(torch.randn(24), torch.rand(24) + 0.1, torch.randn(24), torch.randn(24), 1e-5)
    squeeze = torch.randn(8, 24), torch.randn(8), torch.randn(24, 8), torch.randn(24)
    out, means = kernels.convolve_averaged(x, by, 2)
    found = kernels.scale(out.clone(), kernels.excite_running(out, means, norm, squeeze, SWISH))
    y = _normalised(F.conv3d(x.double(), by.double(), None, (1, 2, 2), 1, 1, 24), norm)
    wanted = F.conv3d(images.double(), spatial.double(), None, (1, 2, 2), (0, 1, 1))
    wanted = F.conv3d(wanted, temporal.double(), None, 1, (1, 0, 0), 1, 24)
    found_stem = kernels.convolve_images(images, spatial, temporal, norm, RELU)
    return {
        "the stem": _distance(found_stem, _normalised(wanted, norm).relu()),
        "SE": _distance(found, F.silu(y * _gate(y, squeeze))),
    }


def _held(kernels: Kernels) -> dict[str, float]:
    """What a block without SE, and one with it, compute of a few rows at a time."""
    x, by = _clips(2, 24, 3, 9, 14), torch.randn(54, 1, 3, 3, 3)
    expand, project = torch.randn(54, 24, 1, 1, 1), torch.randn(24, 54, 1, 1, 1)
    first, second, third = (
        Running(torch.randn(width), torch.rand(width) + 0.1, torch.randn(width), torch.randn(width), 1e-5)
        for width in (54, 54, 24)
    )
    wide = F.conv3d(_normalised(F.conv3d(x.double(), expand.double()), first).relu(), by.double(), None, 1, 1, 1, 54)
    middle = _normalised(wide, second)
    squeeze = torch.randn(8, 54), torch.randn(8), torch.randn(54, 8), torch.randn(54)
    widening, last = Widening(expand, first), (project, third, x)

    def whole(middle: Tensor) -> Tensor:
        return (_normalised(F.conv3d(F.silu(middle), project.double()), third) + x.double()).relu()

    found = kernels.convolve_projected(x, widening, by, 1, second, SWISH, *last)
    excited = kernels.convolve_projected(x, widening, by, 1, second, SWISH, *last, squeeze)
    averaged, means = kernels.convolve_averaged(x, by, 1, widening)
    return {
        "a block": _distance(found, whole(middle)),
        "a block with SE": _distance(excited, whole(middle * _gate(middle, squeeze))),
        "a block's middle": _distance(averaged, wide),
        "its means": _distance(means, wide.mean((2, 3, 4))),
    }


def _gate(y: Tensor, squeeze: Sequence[Tensor]) -> Tensor:
    """SE's, in float64."""
    reduce, reduce_bias, restore, restore_bias = (each.double() for each in squeeze)
    few = F.linear(y.mean((2, 3, 4), dtype=torch.float64), reduce, reduce_bias).relu()
    return F.linear(few, restore, restore_bias).sigmoid()[..., None, None, None]


def _normalised(x: Tensor, norm: Running) -> Tensor:
    mean, variance, gain, bias = (each.double() for each in (norm.mean, norm.variance, norm.gain, norm.bias))
    return F.batch_norm(x, mean, variance, gain, bias, eps=norm.eps)


def _clips(*shape: int) -> Tensor:
    return torch.randn(shape).contiguous(memory_format=torch.channels_last_3d)


def _distance(found: Tensor, wanted: Tensor) -> float:
    return float((found.double() - wanted.detach()).norm() / wanted.detach().norm())
