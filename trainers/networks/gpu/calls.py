"""The Triton kernels as functions of tensors: the calls of kernels/calls.py, for a GPU, and those only it has.

Tensors are (N, C, T, H, W) in channels_last_3d, in float32, bfloat16 or float16; weights, moments and sums are in
float32, as is everything that is added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from trainers.networks.gpu import channelwise, excitation, norm
from trainers.networks.gpu.plans import PASS, VARIANTS, WEIGHT_VARIANTS, Variant, chunks, plan, power_of_two
from trainers.networks.kernels.calls import NOTHING, Moments

PLAIN, NORMALISED = 0, 1
MOMENTS, RECTIFIED = 1, 2


@dataclass(frozen=True)
class Normed:
    """BN and ReLU of a tensor, to be computed as it is read: x is what BN is of."""

    x: Tensor
    moments: Moments
    gain: Tensor
    bias: Tensor


@dataclass(frozen=True)
class GpuKernels:
    """variant, weight_variant: the tiles of the channel-wise convolution, and of its weight's gradient."""

    variant: Variant = VARIANTS[0]
    weight_variant: Variant = WEIGHT_VARIANTS[0]

    # The channel-wise convolution

    def convolve(self, x: Tensor, weight: Tensor, stride: int, *, reverse: bool = False) -> Tensor:
        """The channel-wise convolution of `x` by `weight` (C, 1, kt, kh, kw), each axis of it reversed if so asked."""
        return self._convolve(x, weight, stride, reverse=reverse)[0]

    def convolve_normed(self, normed: Normed, weight: Tensor, stride: int) -> tuple[Tensor, Tensor]:
        """That of relu(BN(x)), and of each clip the sums of the output and of its square, (N, 2, C)."""
        out, sums = self._convolve(normed.x, weight, stride, read=normed, write=MOMENTS)
        assert sums is not None
        return out, sums

    def input_gradient(self, gradient: Tensor, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        """Of `convolve`, from the output's."""
        if stride == 1:
            return self.convolve(gradient, weight, 1, reverse=True)
        return self._spread(gradient, x, weight, None)[0]

    def rectified_gradient(
        self, gradient: Tensor, normed: Normed, weight: Tensor, stride: int
    ) -> tuple[Tensor, Tensor]:
        """dz of `convolve_normed`, where z = BN(x); and of each clip the sums of dz and of dz xhat, (N, 2, C)."""
        if stride == 1:
            out, sums = self._convolve(gradient, weight, 1, reverse=True, write=RECTIFIED, mask=normed)
        else:
            out, sums = self._spread(gradient, normed.x, weight, normed)
        assert sums is not None
        return out, sums

    def weight_gradient(
        self, gradient: Tensor, x: Tensor, weight: Tensor, stride: int, normed: Normed | None = None
    ) -> Tensor:
        """Of `convolve`, from the output's; of `convolve_normed` where `normed` is given, whose x it is then of."""
        weight, tap = _seen(x, weight)
        tile = plan(x.shape[1], self.weight_variant, gradient.shape[3:].numel())
        blocks = -(-x.shape[1] // tile.channels)
        items = x.shape[0] * -(-gradient.shape[3:].numel() // tile.positions)
        parts = chunks(items, 2 * blocks, 1)
        partial = _sums_like(x, parts, weight[0].numel())
        with _on(x):
            channelwise.weigh[(parts * blocks,)](
                x,
                gradient,
                partial,
                *_norm_arguments(normed, weight),
                x.shape[0],
                *_sizes(x, gradient),
                C=x.shape[1],
                KT=weight.shape[2],
                KH=weight.shape[3],
                KW=weight.shape[4],
                STRIDE=stride,
                READ=NORMALISED if normed else PLAIN,
                VECTOR=tile.vector,
                BLOCK_P=tile.positions,
                BLOCK_C=tile.channels,
                num_warps=tile.warps,
            )
        found = partial.sum(0).view(weight.shape)
        return found if tap is None else _padded(found, *tap)

    def _convolve(
        self,
        x: Tensor,
        weight: Tensor,
        stride: int,
        *,
        reverse: bool = False,
        read: Normed | None = None,
        write: int = PLAIN,
        mask: Normed | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        weight, _ = _seen(x, weight)
        out = _empty(x, -(-x.shape[3] // stride), -(-x.shape[4] // stride))
        tile = plan(x.shape[1], self.variant, out.shape[3:].numel())
        tiles, blocks = -(-out.shape[3:].numel() // tile.positions), -(-x.shape[1] // tile.channels)
        pieces = chunks(x.shape[2], tiles * blocks * x.shape[0], 4)
        chunk = -(-x.shape[2] // pieces)
        pieces = -(-x.shape[2] // chunk)
        partial = _sums_like(x, x.shape[0] * pieces * tiles, 2) if write else None
        with _on(x):
            channelwise.convolve[(tiles * blocks, pieces, x.shape[0])](
                x,
                weight.contiguous(),
                out,
                mask.x if mask else x,
                *_norm_arguments(read or mask, weight),
                out if partial is None else partial,
                *_sizes(x, out),
                chunk,
                C=x.shape[1],
                KT=weight.shape[2],
                KH=weight.shape[3],
                KW=weight.shape[4],
                STRIDE=stride,
                REVERSED=reverse,
                READ=NORMALISED if read else PLAIN,
                WRITE=write,
                VECTOR=tile.vector,
                BLOCK_P=tile.positions,
                BLOCK_C=tile.channels,
                num_warps=tile.warps,
            )
        return out, _clip_sums(partial, x)

    def _spread(self, gradient: Tensor, x: Tensor, weight: Tensor, mask: Normed | None) -> tuple[Tensor, Tensor | None]:
        weight, _ = _seen(x, weight)
        out = _empty(gradient, x.shape[3], x.shape[4])
        tile = plan(x.shape[1], self.variant, gradient.shape[3:].numel())
        tiles, blocks = 4 * -(-gradient.shape[3:].numel() // tile.positions), -(-x.shape[1] // tile.channels)
        pieces = chunks(x.shape[2], tiles * blocks * x.shape[0], 4)
        chunk = -(-x.shape[2] // pieces)
        pieces = -(-x.shape[2] // chunk)
        partial = _sums_like(x, x.shape[0] * pieces * tiles, 2) if mask else None
        with _on(x):
            channelwise.spread[(tiles * blocks, pieces, x.shape[0])](
                gradient,
                weight.contiguous(),
                out,
                x,
                *_norm_arguments(mask, weight),
                out if partial is None else partial,
                *_sizes(x, gradient),
                chunk,
                C=x.shape[1],
                KT=weight.shape[2],
                WRITE=RECTIFIED if mask else PLAIN,
                VECTOR=tile.vector,
                BLOCK_P=tile.positions,
                BLOCK_C=tile.channels,
                num_warps=tile.warps,
            )
        return out, _clip_sums(partial, x)

    # BN with what follows it

    def moments(self, x: Tensor, sizes: Sequence[int], eps: float) -> Moments:
        """Of each group of `sizes` clips, over their positions."""
        grid, chunk, layout, partial = _pass(x)
        with _on(x):
            norm.moments[grid](x, partial, x.shape[2:].numel(), chunk, C=x.shape[1], **layout)
        return self.moments_of(partial.sum(1), x, sizes, eps)

    def moments_of(self, sums: Tensor, x: Tensor, sizes: Sequence[int], eps: float) -> Moments:
        """The same from each clip's sums of `x` and of its square, (N, 2, C)."""
        groups = sums.new_empty(2, len(sizes), x.shape[1])
        of_clips = sums.new_empty(3, x.shape[0], x.shape[1])
        found = Moments(*groups.unbind(), *of_clips.unbind())
        with _on(x):
            norm.settle_moments[(-(-x.shape[1] // 16),)](
                sums,
                group_of(tuple(sizes), x.device),
                *groups.unbind(),
                *of_clips.unbind(),
                x.shape[0],
                len(sizes),
                x.shape[2:].numel(),
                eps,
                C=x.shape[1],
                BLOCK_N=power_of_two(x.shape[0]),
                BLOCK_C=16,
            )
        return found

    def normalise(
        self,
        x: Tensor,
        moments: Moments,
        gain: Tensor,
        bias: Tensor,
        act: int,
        gate: Tensor | None = None,
        residual: Tensor | None = None,
    ) -> Tensor:
        """act(gate (gain xhat + bias) + residual); gate (N, C)."""
        out = _empty(x, x.shape[3], x.shape[4])
        grid, chunk, layout, _ = _pass(x, sums=False)
        with _on(x):
            norm.apply[grid](
                x,
                moments.center,
                moments.inverse,
                gain,
                bias,
                x if gate is None else _full(gate),
                x if residual is None else residual,
                out,
                x.shape[2:].numel(),
                chunk,
                C=x.shape[1],
                ACT=act,
                GATED=gate is not None,
                ADDED=residual is not None,
                **layout,
            )
        return out

    def sums(
        self,
        gradient: Tensor,
        x: Tensor,
        out: Tensor | None,
        moments: Moments,
        gain: Tensor,
        bias: Tensor,
        act: int,
        gate: Tensor | None,
        kept: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Of each clip the sums of dz and of dz xhat, (N, C); z is what `act` is of. dz is left in `kept`."""
        found = self.gradient_sums(gradient, x, out, moments, gain, bias, act, gate, kept)
        return found[:, 0], found[:, 1]

    def gradient_sums(
        self,
        gradient: Tensor,
        x: Tensor,
        out: Tensor | None,
        moments: Moments,
        gain: Tensor,
        bias: Tensor,
        act: int,
        gate: Tensor | None,
        kept: Tensor | None,
    ) -> Tensor:
        """Both in one tensor, (N, 2, C)."""
        grid, chunk, layout, partial = _pass(x)
        with _on(x):
            norm.sum_gradients[grid](
                gradient,
                x,
                x if out is None else out,
                moments.center,
                moments.inverse,
                gain,
                bias,
                x if gate is None else _full(gate),
                x if kept is None else kept,
                partial,
                x.shape[2:].numel(),
                chunk,
                C=x.shape[1],
                ACT=act,
                GATED=gate is not None,
                BY_OUTPUT=out is not None,
                KEPT=kept is not None,
                **layout,
            )
        return partial.sum(1)

    def normalise_gradients(
        self,
        gradient: Tensor,
        x: Tensor,
        moments: Moments,
        gain: Tensor,
        bias: Tensor,
        act: int,
        gate: Tensor | None,
        sizes: Sequence[int],
        sums: tuple[Tensor, Tensor] | Tensor,
        for_mean: Tensor | None = None,
        for_x: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Of x, gain and bias; for_mean: the gradient of each clip's mean of gain xhat + bias, (N, C).

        sums: those of `sums`, or of `gradient_sums`. for_x: where that of x is written, which may be `gradient` itself.
        """
        both = sums if isinstance(sums, Tensor) else torch.stack(sums, 1)
        for_x = _empty(x, x.shape[3], x.shape[4]) if for_x is None else for_x
        for_gain, for_bias = torch.empty_like(gain), torch.empty_like(bias)
        terms = both.new_empty(3, x.shape[0], x.shape[1])
        gate = None if gate is None else _full(gate)
        positions = x.shape[2:].numel()
        grid, chunk, layout, _ = _pass(x, sums=False)
        with _on(x):
            norm.settle_gradients[(-(-x.shape[1] // 16),)](
                both,
                group_of(tuple(sizes), x.device),
                moments.clip_mean,
                moments.center,
                moments.inverse,
                gain,
                both if gate is None else gate,
                both if for_mean is None else for_mean,
                terms,
                for_gain,
                for_bias,
                x.shape[0],
                len(sizes),
                positions,
                C=x.shape[1],
                GATED=gate is not None,
                POOLED=for_mean is not None,
                BLOCK_N=power_of_two(x.shape[0]),
                BLOCK_C=16,
            )
            norm.combine[grid](
                gradient,
                x,
                terms,
                moments.center,
                moments.inverse,
                gain,
                bias,
                terms if gate is None else gate,
                for_x,
                x.shape[0],
                positions,
                chunk,
                C=x.shape[1],
                ACT=act,
                GATED=gate is not None and act != NOTHING,
                **layout,
            )
        return for_x, for_gain, for_bias

    # Squeeze-excitation

    def open_gate(
        self, moments: Moments, gain: Tensor, bias: Tensor, squeeze: tuple[Tensor, Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """SE's gate of each clip (N, C), with what its gradient needs: the clip's means (N, C), and what is between
        both layers (N, narrow)."""
        clips, channels = moments.center.shape
        narrow_width = squeeze[0].shape[0]
        mean, gate = moments.center.new_empty(2, clips, channels).unbind()
        narrow = gate.new_empty(clips, narrow_width)
        with _on(gate):
            excitation.open_gate[(clips,)](
                moments.clip_mean,
                moments.center,
                moments.inverse,
                gain,
                bias,
                *squeeze,
                mean,
                narrow,
                gate,
                C=channels,
                NARROW=narrow_width,
                **_gate_layout(channels, narrow_width),
            )
        return gate, mean, narrow

    def gate_gradients(
        self,
        sums: Tensor,
        gain: Tensor,
        bias: Tensor,
        reduce: Tensor,
        restore: Tensor,
        mean: Tensor,
        narrow: Tensor,
        gate: Tensor,
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor, Tensor]]:
        """From `gradient_sums`, those of the clips' means (N, C), and of both layers' weights and biases."""
        clips, channels = gate.shape
        for_gate, for_mean = torch.empty_like(gate), torch.empty_like(gate)
        for_narrow = torch.empty_like(narrow)
        for_squeeze = (
            torch.empty_like(reduce),
            narrow.new_empty(narrow.shape[1]),
            torch.empty_like(restore),
            gate.new_empty(channels),
        )
        layout = _gate_layout(channels, narrow.shape[1])
        sizes = {"C": channels, "NARROW": narrow.shape[1]}
        with _on(gate):
            excitation.close_gate[(clips,)](
                sums,
                gain,
                bias,
                reduce,
                restore,
                narrow,
                gate,
                for_gate,
                for_narrow,
                for_mean,
                **sizes,
                **layout,
            )
            excitation.weigh_gate[(-(-channels // layout["BLOCK_C"]),)](
                for_gate, for_narrow, mean, narrow, *for_squeeze, clips, **sizes, **layout
            )
        return for_mean, for_squeeze

    def planned(self, variant: int, weight_variant: int) -> GpuKernels:
        """These with other tiles, by their places in plans.VARIANTS and WEIGHT_VARIANTS."""
        return replace(self, variant=VARIANTS[variant], weight_variant=WEIGHT_VARIANTS[weight_variant])


@cache
def group_of(sizes: tuple[int, ...], device: torch.device) -> Tensor:
    """The group of each clip, (N,) int32: copied to the device once, and never while a CUDA graph is captured."""
    numbers = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return numbers.to(torch.int32).to(device)


def _norm_arguments(normed: Normed | None, nothing: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    if normed is None:
        return nothing, nothing, nothing, nothing
    return normed.moments.center, normed.moments.inverse, normed.gain, normed.bias


def _seen(x: Tensor, weight: Tensor) -> tuple[Tensor, tuple[Tensor, int] | None]:
    """The taps that meet more than padding; and of which weight they are, from which frame, where that is not all."""
    if x.shape[2] > 1 or weight.shape[2] == 1:
        return weight.contiguous(), None
    middle = weight.shape[2] // 2
    return weight[:, :, middle : middle + 1].contiguous(), (weight, middle)


def _padded(found: Tensor, weight: Tensor, middle: int) -> Tensor:
    whole = torch.zeros_like(weight, memory_format=torch.contiguous_format)
    whole[:, :, middle : middle + 1] = found
    return whole


def _sizes(x: Tensor, out: Tensor) -> tuple[int, int, int, int, int]:
    return x.shape[2], x.shape[3], x.shape[4], out.shape[3], out.shape[4]


def _sums_like(x: Tensor, parts: int, each: int) -> Tensor:
    return torch.empty(parts, each * x.shape[1], dtype=torch.float32, device=x.device)


def _clip_sums(partial: Tensor | None, x: Tensor) -> Tensor | None:
    return None if partial is None else partial.view(x.shape[0], -1, 2, x.shape[1]).sum(1)


def _pass(x: Tensor, *, sums: bool = True) -> tuple[tuple[int, int], int, dict[str, int], Tensor]:
    """Grid, positions of a chunk, constants of compilation, and room for sums (clips, chunks, 2, C)."""
    positions = x.shape[2:].numel()
    tile = plan(x.shape[1], PASS, positions)
    blocks = -(-x.shape[1] // tile.channels)
    # A sum's programs take as many tiles as leave the GPU full; others one each, for the most of loads at once.
    pieces = chunks(positions, blocks * x.shape[0], tile.positions) if sums else -(-positions // tile.positions)
    chunk = -(-positions // pieces)
    pieces = -(-positions // chunk)
    partial = torch.empty(x.shape[0] if sums else 0, pieces, 2, x.shape[1], dtype=torch.float32, device=x.device)
    layout = {"VECTOR": tile.vector, "BLOCK_P": tile.positions, "BLOCK_C": tile.channels, "num_warps": tile.warps}
    return (pieces * blocks, x.shape[0]), chunk, layout, partial


def _gate_layout(channels: int, narrow: int) -> dict[str, int]:
    return {"BLOCK_C": min(32, power_of_two(channels)), "BLOCK_J": power_of_two(narrow)}


def _empty(x: Tensor, height: int, width: int) -> Tensor:
    size = (x.shape[0], x.shape[1], x.shape[2], height, width)
    return torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last_3d)


def _on(x: Tensor) -> AbstractContextManager[object]:
    """Triton launches on the current device."""
    return torch.cuda.device(x.device) if x.is_cuda else nullcontext()


def _full(gate: Tensor) -> Tensor:
    return gate.float().contiguous()
