"""Which path computes a layer: the one place that looks at device, type, shape and threads.

CPU in float32: the compiled kernels (kernels/). Without these, or in another type, PyTorch's operators around its slow
ones. A GPU: Triton's kernels (gpu/) where they are faster than PyTorch's operators, measured for each shape. Elsewhere
PyTorch's own; so too while a network is traced, exported or compiled.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from trainers.networks.kernels.calls import FEWEST_CHANNELS, MOST_CHANNELS, Kernels, typed
from trainers.networks.kernels.check import sound
from trainers.networks.kernels.library import VARIABLE, library

if TYPE_CHECKING:
    from trainers.networks.gpu.calls import GpuKernels

# With one thread and a smaller batch than this, ATen takes im2col for a 1x1x1 convolution instead of oneDNN.
ONEDNN_POINTWISE_BATCH = 16
LAST = torch.channels_last_3d
# (height, width) of the kernels that are compiled, each with its strides; any odd number of frames.
CHANNELWISE = {(3, 3): (1, 2), (1, 1): (1,)}
# What Triton's kernels compute on, and in.
GPU = "cuda"
GPU_TYPES = (torch.float32, torch.bfloat16, torch.float16)
MOST_FRAMES_OF_A_TAP = 5
# Frames that the compiled ones read for one of the output, at most.
MOST_TAPS = 31
# Bytes that a core has for itself, about, with room for what else there is.
CORE_CACHE = 640 << 10
MOST_GROUPED_CLIPS = 256

logger = logging.getLogger(__name__)


@cache
def compiled() -> Kernels | None:
    """The compiled kernels of this process, if there are any and they compute what PyTorch does."""
    if (found := library()) is None:
        return None
    kernels = Kernels(typed(found))
    return kernels if sound(kernels) else None


@cache
def gpu() -> Any | None:
    """The choice among Triton's kernels (gpu/choice.py), None where there is no Triton, as in PyTorch's CPU builds."""
    if os.environ.get(VARIABLE) == "off":
        return None
    try:
        return import_module("trainers.networks.gpu.choice")
    except ImportError as error:
        logger.warning("PyTorch computes what GPU kernels would, several times slower: %s", error)
        return None


def trunk_kernels(clips: Tensor) -> Kernels | None:
    """What may compute a whole trunk of `clips` in evaluation without its modules (replay.py); None has them run.

    Not where somebody watches the operators: they would see none.
    """
    if torch.is_grad_enabled() or not _float_on_cpu(clips):
        return None
    if torch._C._len_torch_dispatch_stack() or torch._C._len_torch_function_stack():
        return None
    return compiled()


def channelwise_kernels(x: Tensor, conv: nn.Conv3d) -> Kernels | GpuKernels | None:
    """What computes a channel-wise convolution of `x`; None leaves it to PyTorch."""
    if not made_for(conv):
        return None
    if _suits_gpu(x) and conv.kernel_size[0] <= MOST_FRAMES_OF_A_TAP and (chosen := gpu()):
        return chosen.convolution(x, conv.kernel_size, conv.stride[1])  # type: ignore[no-any-return]
    return compiled() if _suits(x) else None


def norm_kernels(x: Tensor, norm: nn.Module) -> Kernels | GpuKernels | None:
    """What computes BN of a training batch `x` with all that follows it; None leaves it to PyTorch."""
    if not _suits_norm(x, norm):
        return None
    if _suits_gpu(x) and len(x) <= MOST_GROUPED_CLIPS and (chosen := gpu()):
        return chosen.norm(x)  # type: ignore[no-any-return]
    return compiled() if _suits(x) else None


def middle_kernels(x: Tensor, first: nn.Module, conv: nn.Module, second: nn.Module) -> GpuKernels | None:
    """What computes BN, ReLU, channel-wise convolution and BN of a training batch `x` in one step, on a GPU alone."""
    if not (isinstance(first, nn.BatchNorm3d) and isinstance(second, nn.BatchNorm3d) and _suits_norm(x, first)):
        return None
    if not isinstance(conv, nn.Conv3d) or conv.groups != conv.in_channels or not made_for(conv):
        return None
    if not second.training or not _suits_gpu(x):
        return None
    if len(x) > MOST_GROUPED_CLIPS or getattr(conv, "plain", False) or not (chosen := gpu()):
        return None
    return chosen.block_middle(x, conv.kernel_size, conv.stride[1])  # type: ignore[no-any-return]


def running_kernels(x: Tensor, norm: nn.Module) -> Kernels | None:
    """What computes BN by the running statistics in place of `x` with all that follows it; None leaves it to PyTorch.

    Where gradients are asked for nothing may be computed in place.
    """
    if not _suits(x) or not _settled(norm) or not x.is_contiguous(memory_format=LAST):
        return None
    return compiled()


def stem_kernels(x: Tensor, spatial: nn.Conv3d, temporal: nn.Conv3d, norm: nn.Module) -> Kernels | None:
    """What computes both convolutions of the stem and its BN by the running statistics; None leaves them to PyTorch."""
    if not _float_on_cpu(x) or not _settled(norm) or getattr(temporal, "plain", False) or not made_for(temporal):
        return None
    if (x.shape[1], spatial.kernel_size, spatial.stride) != (3, (1, 3, 3), (1, 2, 2)):
        return None
    fits = spatial.weight.dtype == torch.float32 and FEWEST_CHANNELS <= spatial.out_channels <= MOST_CHANNELS
    return compiled() if fits else None


def pointwise_kernels(x: Tensor, conv: nn.Conv3d) -> Kernels | None:
    """What computes a 1x1x1 convolution of `x`; None leaves it to PyTorch, as gradients at stride 2.

    A single position is all overhead.
    """
    if not _suits(x) or x.shape[2:].numel() == 1 or (conv.stride[1] != 1 and torch.is_grad_enabled()):
        return None
    return compiled() if made_for_product(conv) else None


def pointwise_by_product(x: Tensor, stride: int) -> bool:
    """Whether a 1x1x1 convolution of `x` is faster as PyTorch's matrix product on the channels-last view.

    im2col is 2 to 3 times slower than the product. With more threads, or a larger batch, oneDNN's convolution is up to
    20 % faster than the product; a single position is all overhead. On a GPU cuBLAS needs no plan for a new shape.
    """
    if stride != 1:
        return False
    if x.is_cuda:
        return True
    if not x.is_cpu:
        return False
    im2col = torch.get_num_threads() == 1 and x.shape[0] < ONEDNN_POINTWISE_BATCH
    return im2col or x.shape[2:].numel() == 1


def more_than_a_cache(x: Tensor, channels: int) -> bool:
    """Whether a clip of `x` with so many channels is more than a core's cache has room for."""
    return 4 * channels * x.shape[2:].numel() > CORE_CACHE


def clip_by_clip(x: Tensor) -> bool:
    """Whether threads are to have whole clips of `x`: they have as many each."""
    return len(x) % torch.get_num_threads() == 0


def made_for(conv: nn.Conv3d) -> bool:
    """Whether there are kernels for such a channel-wise convolution."""
    frames, height, width = conv.kernel_size
    return (
        frames <= MOST_TAPS
        and conv.stride[1] in CHANNELWISE.get((height, width), ())
        and conv.weight.dtype == torch.float32
    )


def made_for_product(conv: nn.Conv3d) -> bool:
    """Whether there are kernels for such a 1x1x1 convolution, of what is left of its input by its stride."""
    return (
        conv.stride[1] in (1, 2)
        and conv.bias is None
        and FEWEST_CHANNELS <= conv.out_channels <= MOST_CHANNELS
        and conv.weight.dtype == torch.float32
    )


def _settled(norm: nn.Module) -> bool:
    """Whether it normalises by its running statistics, and no gradients are asked for.

    To be asked once x is known to be no stand-in: of a traced network no weight may be looked at.
    """
    if not isinstance(norm, nn.BatchNorm3d) or norm.training or torch.is_grad_enabled():
        return False
    return norm.running_mean is not None and norm.weight.dtype == torch.float32


def _suits_norm(x: Tensor, norm: nn.Module) -> bool:
    return (
        isinstance(norm, nn.BatchNorm3d)
        and norm.training
        and norm.momentum is not None
        and isinstance(x, Tensor)
        and norm.weight.dtype == torch.float32
        and x.numel() > x.shape[1]  # else PyTorch refuses
    )


def _suits(x: Tensor) -> bool:
    return _float_on_cpu(x) and FEWEST_CHANNELS <= x.shape[1] <= MOST_CHANNELS


def _float_on_cpu(x: Tensor) -> bool:
    return _eager(x) and x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")


def _suits_gpu(x: Tensor) -> bool:
    """In float32 under autocast it would have to be cast first; the networks have no such convolution."""
    return (
        _eager(x)
        and x.device.type == GPU
        and x.dtype in GPU_TYPES
        and not (x.dtype == torch.float32 and torch.is_autocast_enabled(GPU))
    )


def _eager(x: Tensor) -> bool:
    return (
        type(x) in (Tensor, nn.Parameter)  # not one that only stands for a tensor, as exporters have
        and x.numel() > 0
        and torch._C._get_tracing_state() is None
        and not torch.compiler.is_compiling()
    )
