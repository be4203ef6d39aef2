"""The channel-wise convolution: most of an X3D training step on a CPU, so it goes round ATen's slow kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from trainers.networks.kernels.calls import Kernels, Triple
from trainers.networks.paths import channelwise_kernels

if TYPE_CHECKING:
    from trainers.networks.gpu.calls import GpuKernels


class ChannelwiseConv3d(nn.Conv3d):
    """One filter for each channel, no bias, zero-padded so that stride 1 keeps the size (Table 1).

    (N, C, T, H, W) -> (N, C, T, ceil(H / stride), ceil(W / stride)); `kernel` is (frames, height, width), all odd.
    The weight is (C, 1, frames, height, width) whatever path computes it. `plain` forces PyTorch's own convolution,
    which is what a tracer can count; the other paths give the same values and gradients.
    """

    plain = False

    def __init__(self, channels: int, kernel: Triple, stride: int = 1) -> None:
        padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        super().__init__(channels, channels, kernel, (1, stride, stride), padding, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> (N, C, T, H', W')."""
        if self.plain:
            return super().forward(x)
        if kernels := channelwise_kernels(x, self):
            return cast("Tensor", _Compiled.apply(kernels, x, self.weight, self.stride[1]))  # type: ignore[no-untyped-call]
        if x.shape[2] == 1:
            return self._single_frame(x)
        if x.is_cpu:
            # Autograd's apply is untyped in PyTorch's stubs.
            return cast("Tensor", _ChannelwiseOnCpu.apply(x, self.weight, self.stride[1]))  # type: ignore[no-untyped-call]
        return super().forward(x)

    def _single_frame(self, x: Tensor) -> Tensor:
        # Every tap but the middle one meets only padding. The 2-D kernels are oneDNN's backwards too: 8 to 30 times
        # faster than the 3-D ones on a CPU.
        middle = self.weight[:, :, self.kernel_size[0] // 2]
        stride, padding = self.stride[1:], cast("Triple", self.padding)[1:]
        return F.conv2d(x.squeeze(2), middle, None, stride, padding, 1, self.groups).unsqueeze(2)


class _Compiled(torch.autograd.Function):
    """By the compiled kernels."""

    @staticmethod
    def forward(ctx: Any, kernels: Kernels | GpuKernels, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last_3d)
        ctx.save_for_backward(x, weight)
        ctx.kernels, ctx.stride = kernels, stride
        return kernels.convolve(x, weight, stride)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        values = (gradient.contiguous(memory_format=torch.channels_last_3d), x, weight, ctx.stride)
        for_x = ctx.kernels.input_gradient(*values) if ctx.needs_input_grad[1] else None
        for_weight = ctx.kernels.weight_gradient(*values) if ctx.needs_input_grad[2] else None
        return None, for_x, for_weight, None


class _ChannelwiseOnCpu(torch.autograd.Function):
    """ATen's convolution forwards, and backwards by kernels that oneDNN has: the input's gradient at stride 1 is the
    same convolution with the filter reversed, the weight's is a sum of 2-D weight gradients, one for each temporal tap.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return F.conv3d(x, weight, None, (1, stride, stride), _padding(weight), 1, len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last_3d)
        for_x = _input_gradient(gradient, x, weight, ctx.stride) if ctx.needs_input_grad[0] else None
        for_weight = _weight_gradient(gradient, x, weight, ctx.stride) if ctx.needs_input_grad[1] else None
        return for_x, for_weight, None


def _input_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int) -> Tensor:
    if stride == 1:
        return F.conv3d(gradient, weight.flip(2, 3, 4), None, 1, _padding(weight), 1, len(weight))
    return _aten_backward(gradient, x, weight, [1, stride, stride], [True, False, False])[0]


def _weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """Tap `middle + shift` pairs frame t of the output with frame t + shift of the input, where both exist."""
    frames, middle = x.shape[2], weight.shape[2] // 2
    total = torch.zeros_like(weight)
    for shift in range(max(-middle, 1 - frames), min(middle, frames - 1) + 1):
        first, last = max(0, -shift), min(frames, frames - shift)
        outputs = _as_images(gradient[:, :, first:last])
        inputs = _as_images(x[:, :, first + shift : last + shift])
        tap = weight[:, :, middle + shift]
        total[:, :, middle + shift] = _aten_backward(outputs, inputs, tap, [stride, stride], [False, True, False])[1]
    return total


def _aten_backward(gradient: Tensor, x: Tensor, weight: Tensor, stride: list[int], wanted: list[bool]) -> list[Tensor]:
    """ATen's gradients of a channel-wise convolution for (input, weight, bias), those that are `wanted`."""
    once, nothing = [1] * len(stride), [0] * len(stride)
    gradients: list[Tensor] = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, stride, _padding(weight), once, False, nothing, len(weight), wanted
    )
    return gradients


def _as_images(x: Tensor) -> Tensor:
    """(N, C, T, H, W) -> (N T, C, H, W), channels last; a view where it can be."""
    return x.permute(0, 2, 3, 4, 1).flatten(0, 1).permute(0, 3, 1, 2)


def _padding(weight: Tensor) -> list[int]:
    return [size // 2 for size in weight.shape[2:]]
