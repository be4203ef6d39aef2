"""Which path computes a layer: the one place that looks at device, type, shape and threads.

CPU in float32: the compiled kernels (kernels/). Without these, or in another type, PyTorch's operators around its slow
ones. Elsewhere PyTorch's own; so too while a network is traced, exported or compiled.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from trainers.networks.kernels.calls import FEWEST_CHANNELS, MOST_CHANNELS, Kernels, typed
from trainers.networks.kernels.check import sound
from trainers.networks.kernels.library import library

# With one thread and a smaller batch than this, ATen takes im2col for a 1x1x1 convolution instead of oneDNN.
ONEDNN_POINTWISE_BATCH = 16
LAST = torch.channels_last_3d
# (height, width) of the kernels that are compiled, each with its strides; any odd number of frames.
CHANNELWISE = {(3, 3): (1, 2), (1, 1): (1,)}


@cache
def compiled() -> Kernels | None:
    """The compiled kernels of this process, if there are any and they compute what PyTorch does."""
    if (found := library()) is None:
        return None
    kernels = Kernels(typed(found))
    return kernels if sound(kernels) else None


def channelwise_kernels(x: Tensor, conv: nn.Conv3d) -> Kernels | None:
    """What computes a channel-wise convolution of `x`; None leaves it to PyTorch."""
    height, width = conv.kernel_size[1:]
    if conv.stride[1] not in CHANNELWISE.get((height, width), ()) or conv.weight.dtype != torch.float32:
        return None
    return compiled() if _suits(x) else None


def norm_kernels(x: Tensor, norm: nn.Module) -> Kernels | None:
    """What computes BN of a training batch `x` with all that follows it; None leaves it to PyTorch."""
    if not isinstance(norm, nn.BatchNorm3d) or not norm.training or norm.momentum is None or not isinstance(x, Tensor):
        return None
    if norm.weight.dtype != torch.float32 or x.numel() <= x.shape[1]:  # which PyTorch refuses
        return None
    return compiled() if _suits(x) else None


def running_kernels(x: Tensor, norm: nn.Module) -> Kernels | None:
    """What computes BN by the running statistics in place of `x` with all that follows it; None leaves it to PyTorch.

    Where gradients are asked for nothing may be computed in place.
    """
    if not isinstance(norm, nn.BatchNorm3d) or norm.training or torch.is_grad_enabled() or norm.running_mean is None:
        return None
    if not _suits(x) or norm.weight.dtype != torch.float32 or not x.is_contiguous(memory_format=LAST):
        return None
    return compiled()


def pointwise_by_product(x: Tensor, stride: int) -> bool:
    """Whether a 1x1x1 convolution of `x` is faster as a matrix product on the channels-last view.

    im2col is 2 to 3 times slower than the product. With more threads, or a larger batch, oneDNN's convolution is up to
    20 % faster than the product; a single position is all overhead.
    """
    if not x.is_cpu or stride != 1:
        return False
    im2col = torch.get_num_threads() == 1 and x.shape[0] < ONEDNN_POINTWISE_BATCH
    return im2col or x.shape[2:].numel() == 1


def _suits(x: Tensor) -> bool:
    return (
        type(x) in (Tensor, nn.Parameter)  # not one that only stands for a tensor, as exporters have
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and FEWEST_CHANNELS <= x.shape[1] <= MOST_CHANNELS
        and x.numel() > 0
        and not torch.is_autocast_enabled("cpu")
        and torch._C._get_tracing_state() is None
        and not torch.compiler.is_compiling()
    )
