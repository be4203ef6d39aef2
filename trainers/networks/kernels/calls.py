"""The compiled kernels as functions of tensors: float32 on the CPU, (N, C, T, H, W) in channels_last_3d."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

Triple = tuple[int, int, int]

# Below it there are no whole vectors; above it the kernels have no room.
FEWEST_CHANNELS, MOST_CHANNELS = 8, 4096
NOTHING, RELU, SWISH = range(3)
# A thread more is woken for so many elements.
ELEMENTS_PER_THREAD = 16384
# Shapes whose description is kept: those of the layers of some networks.
KEPT_SHAPES = 1024
# Pieces of a sum; their number may not depend on the threads.
PIECES = 16
# Of a piece of a pointwise weight's gradient.
POSITIONS_OF_A_PIECE = 1024
# Of a panel and a tile of pointwise.c: what the last ones may have beyond the channels; and of its blocks, positions.
MOST_LANES, MOST_ROWS, MOST_OF_A_BLOCK = 16, 12, 96


class _Shape(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("clips", "frames", "height", "width", "out_height", "out_width")]
    _fields_ += [(name, ctypes.c_int) for name in ("channels", "kt", "kh", "kw", "stride")]


class _Norm(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ["clips", "positions", "channels", "groups", "act", "threads"]]
    _fields_ += [("eps", ctypes.c_double)]


class _Product(ctypes.Structure):
    _fields_ = [("positions", ctypes.c_long)]
    _fields_ += [(name, ctypes.c_int) for name in ("entering", "leaving", "act", "threads")]


class _Running(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("mean", "variance", "gain", "bias")]
    _fields_ += [("eps", ctypes.c_double)]


class _Image(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("of_clip", "of_channel", "of_frame", "of_row", "of_column")]
    _fields_ += [(name, ctypes.c_int) for name in ("clips", "frames", "height", "width", "leaving", "threads")]


POINTER, INT, LONG, DOUBLE = ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_double
# What each function of the library takes; nothing is returned.
SIGNATURES: dict[str, list[Any]] = {
    "channelwise_forward": [POINTER] * 5 + [INT] * 2,
    "channelwise_running": [POINTER] * 6 + [INT] * 2,
    "channelwise_means": [POINTER] * 7 + [INT],
    "channelwise_input": [POINTER] * 5 + [INT],
    "channelwise_weight": [POINTER] * 5 + [INT] * 2,
    "widened_image": [POINTER] * 8 + [INT],
    "widened_projected": [POINTER] * 13 + [INT],
    "widened_means": [POINTER] * 10,
    "widened_excited": [POINTER] * 17 + [INT] * 2,
    "norm_moments": [POINTER] * 9,
    "norm_apply": [POINTER] * 9,
    "norm_running": [POINTER] * 7,
    "norm_scaled": [POINTER] * 4,
    "norm_excite": [POINTER] * 12 + [INT],
    "norm_sums": [POINTER] * 13,
    "norm_input": [POINTER] * 17,
    "pointwise_thin": [POINTER] * 3,
    "pointwise_forward": [POINTER] * 5,
    "pointwise_running": [POINTER] * 12 + [DOUBLE, INT, LONG],
    "pointwise_input": [POINTER] * 5,
    "pointwise_weight": [POINTER] * 5 + [INT],
}


def typed(library: ctypes.CDLL) -> ctypes.CDLL:
    """The library, whose functions then take plain integers for addresses."""
    for name, signature in SIGNATURES.items():
        kernel = getattr(library, name)
        kernel.argtypes, kernel.restype = signature, None
    library.widened_room.argtypes, library.widened_room.restype = [POINTER, INT, INT, INT, INT], LONG
    library.excited_room.argtypes, library.excited_room.restype = [POINTER, INT, INT, INT], LONG
    return library


@dataclass(frozen=True)
class Running:
    """BN in evaluation: (C,) each."""

    mean: Tensor
    variance: Tensor
    gain: Tensor
    bias: Tensor
    eps: float


@dataclass(frozen=True)
class Widening:
    """relu(BN(x)) of the pointwise convolution by weight (C', C, 1, 1, 1), of which no more is held at once than
    a core's cache has room for."""

    weight: Tensor
    norm: Running


@dataclass(frozen=True)
class Scaled:
    """What BN and SE come to in evaluation: act(x scale + shift), (N, C) each."""

    scale: Tensor
    shift: Tensor
    act: int


@dataclass(frozen=True)
class Moments:
    """group_mean, group_variance (unbiased): (groups, C).

    clip_mean, center, inverse: (N, C), of each clip its own mean, and its group's mean and 1 / standard deviation.
    """

    group_mean: Tensor
    group_variance: Tensor
    clip_mean: Tensor
    center: Tensor
    inverse: Tensor


@dataclass(frozen=True)
class Kernels:
    """The calls of one library."""

    library: ctypes.CDLL

    def convolve(self, x: Tensor, weight: Tensor, stride: int, *, reverse: bool = False) -> Tensor:
        """The channel-wise convolution of `x` by `weight` (C, 1, kt, kh, kw), each axis of it reversed if so asked."""
        shape, out = _shape(x, weight, stride), _convolved(x, stride)
        tensors = (x, weight.contiguous(), out, _taps(weight))
        _call(self.library.channelwise_forward, [shape], tensors, int(reverse), _threads(x))
        return out

    def convolve_running(self, x: Tensor, weight: Tensor, stride: int, norm: Running, act: int) -> Tensor:
        """act(BN(convolve(x, weight, stride)))."""
        out = _convolved(x, stride)
        tensors = (x, weight.contiguous(), out, _taps(weight))
        _call(self.library.channelwise_running, [_shape(x, weight, stride), _running(norm)], tensors, act, _threads(x))
        return out

    def convolve_projected(
        self,
        x: Tensor,
        widening: Widening,
        weight: Tensor,
        stride: int,
        norm: Running,
        act: int,
        project: Tensor,
        last_norm: Running,
        residual: Tensor,
        squeeze: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """relu(BN(act(SE(BN(convolve(x, weight, stride)))) project) + residual), of `x` as `widening` leaves it.

        squeeze: as of `excite_running`, with which each clip is one thread's; None where there is no SE.
        """
        given, out, scratch = self._widened(x, widening, weight, stride, len(project), whole=squeeze is not None)
        middle = torch.Size((len(x), len(weight), *out.shape[2:]))
        given += [_running(norm), _product_of(middle, len(project), RELU, _threads(x)), _running(last_norm)]
        before, between = (widening.weight, weight), (*(squeeze or ()), project)
        tensors = (x, *(each.contiguous() for each in (*before, *between)), residual, out, scratch)
        if squeeze is None:
            _call(self.library.widened_projected, given, tensors, act)
        else:
            _call(self.library.widened_excited, given, tensors, act, len(squeeze[1]))
        return out

    def convolve_averaged(
        self, x: Tensor, weight: Tensor, stride: int, widening: Widening | None = None
    ) -> tuple[Tensor, Tensor]:
        """`convolve`, of `x` as `widening` leaves it, and the means of each clip's channels, (N, C)."""
        means = x.new_empty(len(x), len(weight))
        if widening is None:
            out = _convolved(x, stride)
            of_means = (means, _row_sums(out))
            _call(
                self.library.channelwise_means,
                [_shape(x, weight, stride)],
                (x, weight.contiguous(), out, _taps(weight), *of_means),
                _threads(x),
            )
            return out, means
        given, out, scratch = self._widened(x, widening, weight, stride)
        tensors = (x, widening.weight.contiguous(), weight.contiguous(), out, scratch, means, _row_sums(out))
        _call(self.library.widened_means, given, tensors)
        return out, means

    def _widened(
        self, x: Tensor, widening: Widening, weight: Tensor, stride: int, leaving: int = 0, *, whole: bool = False
    ) -> tuple[list[Any], Tensor, Tensor]:
        """What describes the work, and room for the result (of `leaving` channels if it goes on) and for the rest.

        whole: for that of whole clips.
        """
        wide = torch.Size((x.shape[0], len(weight), *x.shape[2:]))
        shape = _shape_of(wide, weight.shape, stride)
        room = self.library.excited_room if whole else self.library.widened_room
        scratch = _room(room(shape, x.shape[1], leaving, *(() if whole else (0,)), _threads(x)))
        sides = -(-wide[3] // stride), -(-wide[4] // stride)
        out = _new(wide[0], leaving or wide[1], wide[2], *sides)
        return [shape, _product(x, wide[1], RELU), _running(widening.norm)], out, scratch

    def input_gradient(self, gradient: Tensor, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        """Of `convolve`, from the output's."""
        if stride == 1:
            return self.convolve(gradient, weight, 1, reverse=True)
        found = _empty(x, x.shape[3], x.shape[4])
        tensors = (gradient, weight.contiguous(), found, _taps(weight))
        _call(self.library.channelwise_input, [_shape(x, weight, stride)], tensors, _threads(x))
        return found

    def weight_gradient(self, gradient: Tensor, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        """Of `convolve`, from the output's."""
        found = torch.empty_like(weight, memory_format=torch.contiguous_format)
        pieces = min(PIECES, x.shape[0] * x.shape[2])
        scratch = _room(pieces * weight[0].numel() * (x.shape[1] + 16), torch.float64)
        tensors = (x, gradient, found, scratch)
        _call(self.library.channelwise_weight, [_shape(x, weight, stride)], tensors, pieces, _threads(gradient))
        return found

    def convolve_images(self, x: Tensor, spatial: Tensor, temporal: Tensor, norm: Running, act: int) -> Tensor:
        """act(BN(...)) of a channel-wise convolution by `temporal` (C, 1, kt, 1, 1) of the 1x3x3 convolution of spatial
        stride 2 by `spatial` (C, 3, 1, 3, 3) of clips of three channels, however they lie in memory."""
        out, image = _halved(x, len(spatial)), _image(x, len(spatial))
        shape, threads = _shape_of(out.shape, temporal.shape, 1), _threads(x)
        scratch = _room(self.library.widened_room(shape, spatial[0].numel(), 0, x.shape[4], threads))
        tensors = (x, spatial.contiguous(), temporal.contiguous(), out, scratch)
        _call(self.library.widened_image, [shape, image, _running(norm)], tensors, act)
        return out

    def thin(self, x: Tensor) -> Tensor:
        """x[:, :, :, ::2, ::2]."""
        out = _halved(x, x.shape[1])
        _call(self.library.pointwise_thin, [_image(x, x.shape[1])], (x, out))
        return out

    def project(self, x: Tensor, weight: Tensor) -> Tensor:
        """The pointwise convolution of `x` by `weight` (C', C, 1, 1, 1)."""
        out = _with_channels(x, len(weight))
        tensors = (x, weight.contiguous(), out, _panels(x, out))
        _call(self.library.pointwise_forward, [_product(x, len(weight))], tensors)
        return out

    def project_running(
        self,
        x: Tensor,
        weight: Tensor,
        norm: Running,
        act: int,
        residual: Tensor | None = None,
        before: Scaled | None = None,
    ) -> Tensor:
        """act(BN(project(x, weight)) + residual); act is NOTHING or RELU. before: what is done to x first."""
        out = _with_channels(x, len(weight))
        of_norm = (norm.mean, norm.variance, norm.gain, norm.bias)
        first = (before.scale, before.shift) if before else (None, None)
        product, scratch = _product(x, len(weight), act), _panels(x, out, blocks=before is not None)
        tensors = (x, weight.contiguous(), *of_norm, residual, out, *first, scratch)
        then = (before.act if before else NOTHING, x.shape[2:].numel())
        _call(self.library.pointwise_running, [product], tensors, norm.eps, *then)
        return out

    def project_input_gradient(self, gradient: Tensor, weight: Tensor) -> Tensor:
        """Of `project`, from the output's."""
        found = _with_channels(gradient, weight.shape[1])
        tensors = (gradient, weight.contiguous(), found, _panels(gradient, found))
        _call(self.library.pointwise_input, [_product(gradient, weight.shape[1])], tensors)
        return found

    def project_weight_gradient(self, gradient: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        """Of `project`, from the output's."""
        found = torch.empty_like(weight, memory_format=torch.contiguous_format)
        pieces = min(PIECES, 1 + x.shape[0] * x.shape[2:].numel() // POSITIONS_OF_A_PIECE)
        fewer, more = sorted(weight.shape[:2])
        scratch = _room(pieces * (fewer + MOST_ROWS) * (more + MOST_LANES))
        tensors = (x, gradient, found, scratch)
        _call(self.library.pointwise_weight, [_product(x, len(weight))], tensors, pieces)
        return found

    def moments(self, x: Tensor, sizes: Sequence[int], eps: float) -> Moments:
        """Of each group of `sizes` clips, over their positions."""
        groups, of_clips = x.new_empty(2, len(sizes), x.shape[1]), x.new_empty(3, x.shape[0], x.shape[1])
        found = Moments(*groups.unbind(), *of_clips.unbind())
        of_groups, of_each = (found.group_mean, found.group_variance), (found.clip_mean, found.center, found.inverse)
        given = [_norm(x, len(sizes), NOTHING, eps), _sizes(tuple(sizes))]
        _call(self.library.norm_moments, given, (x, *of_groups, *of_each, _pieces(x)))
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
        out = _like(x)
        tensors = (x, moments.center, moments.inverse, gain, bias, gate, residual, out)
        _call(self.library.norm_apply, [_norm(x, 1, act)], tensors)
        return out

    def normalise_running(self, x: Tensor, norm: Running, act: int, residual: Tensor | None = None) -> Tensor:
        """act(BN(x) + residual) by the running statistics, in place of `x`."""
        tensors = (x, norm.mean, norm.variance, norm.gain, norm.bias, residual)
        _call(self.library.norm_running, [_norm(x, 1, act, norm.eps)], tensors)
        return x

    def scale(self, x: Tensor, by: Scaled) -> Tensor:
        """In place of `x`."""
        _call(self.library.norm_scaled, [_norm(x, 1, by.act)], (x, by.scale, by.shift))
        return x

    def excite_running(self, x: Tensor, means: Tensor, norm: Running, squeeze: Sequence[Tensor], act: int) -> Scaled:
        """act(SE(BN(x))) by the running statistics. means: those of x, (N, C); squeeze: SE's weight and bias of what
        reduces, (narrow, C), and of what restores, (C, narrow)."""
        scale, shift = x.new_empty(2, *means.shape).unbind()
        found = Scaled(scale, shift, act)
        of_norm = (norm.mean, norm.variance, norm.gain, norm.bias)
        tensors = (means, *of_norm, *(each.contiguous() for each in squeeze), found.scale, found.shift)
        _call(self.library.norm_excite, [_norm(x, 1, act, norm.eps)], tensors, len(squeeze[1]))
        return found

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
        found, norm = x.new_empty(2, x.shape[0], x.shape[1]), _norm(x, 1, act)
        values = (gradient, x, out, moments.center, moments.inverse, gain, bias, gate, kept, *found, _pieces(x))
        _call(self.library.norm_sums, [norm], values)
        return found[0], found[1]

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
        sums: tuple[Tensor, Tensor],
        for_mean: Tensor | None = None,
        for_x: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Of x, gain and bias; for_mean: the gradient of each clip's mean of gain xhat + bias, (N, C).

        for_x: where that of x is written, which may be `gradient` itself.
        """
        for_x, for_gain, for_bias = _like(x) if for_x is None else for_x, torch.empty_like(gain), torch.empty_like(bias)
        norm, scratch = _norm(x, len(sizes), act), x.new_empty(2, x.shape[0], x.shape[1])
        of_clips = (moments.clip_mean, moments.center, moments.inverse)
        values = (gradient, x, *of_clips, gain, bias, gate, *sums, for_mean, for_x, for_gain, for_bias, scratch)
        _call(self.library.norm_input, [norm, _sizes(tuple(sizes))], values)
        return for_x, for_gain, for_bias


# Is told of a call before it is made: the kernel, and what it is given before its tensors, these, and after them.
Watcher = Callable[[Callable[..., None], Sequence[Any], Sequence[Tensor | None], Sequence[float]], None]


class _Watched(threading.local):
    by: Watcher | None = None


_watched = _Watched()


@contextmanager
def watched(by: Watcher) -> Iterator[None]:
    """Within it `by` is told of every call that this thread makes."""
    _watched.by = by
    try:
        yield
    finally:
        _watched.by = None


def _call(kernel: Callable[..., None], before: Sequence[Any], tensors: Sequence[Tensor | None], *after: float) -> None:
    """`tensors` are held until the kernel returns, of which only the addresses are passed on."""
    if (watcher := _watched.by) is not None:
        watcher(kernel, before, tensors, after)
    kernel(*before, *[None if tensor is None else tensor.data_ptr() for tensor in tensors], *after)


# Of two hundred calls in a step of 10 milliseconds also Python's part counts: what follows from shapes alone is kept.
@cache
def _sizes(sizes: tuple[int, ...]) -> ctypes.Array[ctypes.c_int]:
    return (ctypes.c_int * len(sizes))(*sizes)


def _running(norm: Running) -> Any:
    addresses = (each.data_ptr() for each in (norm.mean, norm.variance, norm.gain, norm.bias))
    return ctypes.pointer(_Running(*addresses, norm.eps))


def _shape(x: Tensor, weight: Tensor, stride: int) -> Any:
    return _shape_of(x.shape, weight.shape, stride)


@lru_cache(KEPT_SHAPES)
def _shape_of(of_x: torch.Size, of_weight: torch.Size, stride: int) -> Any:
    clips, channels, frames, height, width = of_x
    out = -(-height // stride), -(-width // stride)
    return ctypes.pointer(_Shape(clips, frames, height, width, *out, channels, *of_weight[2:], stride))


def _norm(x: Tensor, groups: int, act: int, eps: float = 0.0) -> Any:
    return _norm_of(x.shape, groups, act, _threads(x), eps)


@lru_cache(KEPT_SHAPES)
def _norm_of(of_x: torch.Size, groups: int, act: int, threads: int, eps: float) -> Any:
    return ctypes.pointer(_Norm(of_x[0], of_x[2:].numel(), of_x[1], groups, act, threads, eps))


def _product(x: Tensor, leaving: int, act: int = NOTHING) -> Any:
    return _product_of(x.shape, leaving, act, _threads(x))


@lru_cache(KEPT_SHAPES)
def _product_of(of_x: torch.Size, leaving: int, act: int, threads: int) -> Any:
    return ctypes.pointer(_Product(of_x[0] * of_x[2:].numel(), of_x[1], leaving, act, threads))


def _image(x: Tensor, leaving: int) -> Any:
    clips, _, frames, height, width = x.shape
    return ctypes.pointer(_Image(*x.stride(), clips, frames, height, width, leaving, _threads(x)))


def _threads(x: Tensor) -> int:
    return min(torch.get_num_threads(), 1 + x.numel() // ELEMENTS_PER_THREAD)


def _convolved(x: Tensor, stride: int) -> Tensor:
    return _empty(x, -(-x.shape[3] // stride), -(-x.shape[4] // stride))


def _empty(x: Tensor, height: int, width: int) -> Tensor:
    return _new(*x.shape[:3], height, width)


def _halved(x: Tensor, channels: int) -> Tensor:
    return _new(x.shape[0], channels, x.shape[2], -(-x.shape[3] // 2), -(-x.shape[4] // 2))


def _with_channels(x: Tensor, channels: int) -> Tensor:
    return _new(x.shape[0], channels, *x.shape[2:])


def _panels(x: Tensor, out: Tensor, *, blocks: bool = False) -> Tensor:
    """Room for the weights; blocks: and for a block of x in each thread."""
    rows = MOST_OF_A_BLOCK * _threads(x) if blocks else 0
    return _room(x.shape[1] * (out.shape[1] + MOST_LANES + rows))


def _taps(weight: Tensor) -> Tensor:
    return _room(weight.numel())


def _row_sums(out: Tensor) -> Tensor:
    return _room(out.numel() // out.shape[4])


def _pieces(x: Tensor) -> Tensor:
    """Room for two sums of each channel of each piece of each clip; a piece has 1024 positions at most."""
    return _room(x.shape[0] * -(-x.shape[2:].numel() // 1024) * 2 * x.shape[1], torch.float64)


# The kernels write float32 to the memory of the processor, whatever PyTorch's default type and device are.
def _new(*size: int) -> Tensor:
    return torch.empty(size, dtype=torch.float32, device="cpu", memory_format=torch.channels_last_3d)


def _room(numbers: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(numbers, dtype=dtype, device="cpu")


def _like(x: Tensor) -> Tensor:
    return torch.empty_like(x, memory_format=torch.channels_last_3d)
