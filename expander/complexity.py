"""What a geometry costs, in closed form (Table 1; equal to tracing the network with fvcore)."""

from __future__ import annotations

from dataclasses import dataclass

from expander.efficientnet3d import AnyGeometry, EfficientNet3D, MobileBlock
from expander.geometry import Geometry, Stage


@dataclass(frozen=True)
class Complexity:
    """Cost of one clip with a single centre crop.

    flops: multiply-adds of convolutions and linear layers. params: all of them. params_without_batchnorm: the
    paper's count, without BN's gain and bias. activations: elements that convolutions and linear layers put out.
    """

    flops: int
    params: int
    params_without_batchnorm: int
    activations: int

    def __add__(self, other: Complexity) -> Complexity:
        return Complexity(
            self.flops + other.flops,
            self.params + other.params,
            self.params_without_batchnorm + other.params_without_batchnorm,
            self.activations + other.activations,
        )

    def __mul__(self, times: int) -> Complexity:
        return Complexity(
            self.flops * times, self.params * times, self.params_without_batchnorm * times, self.activations * times
        )

    def as_dict(self) -> dict[str, int]:
        """Plain values, for JSON and YAML."""
        return {
            "flops": self.flops,
            "params": self.params,
            "params_without_batchnorm": self.params_without_batchnorm,
            "activations": self.activations,
        }


def measure(geometry: AnyGeometry) -> Complexity:
    """The complexity of `geometry`, without building the network."""
    match geometry:
        case Geometry():
            return _x3d(geometry)
        case EfficientNet3D():
            return _efficientnet3d(geometry)


def _x3d(geometry: Geometry) -> Complexity:
    size = _halved(geometry.crop)
    positions = geometry.frames * size * size
    width = geometry.stages[0].width
    total = _layer(positions, 3 * 9, width, batchnorm=False) + _layer(positions, geometry.stem_kernel, width)
    for stage in geometry.stages:
        total += _stage(geometry, size, width, stage)
        size, width = _halved(size), stage.width
    inner = geometry.stages[-1].inner_width
    total += _layer(geometry.frames * size * size, width, inner)
    total += _layer(1, inner, geometry.head_width, batchnorm=False)
    return total + _layer(1, geometry.head_width, geometry.classes, batchnorm=False, bias=True)


def _stage(geometry: Geometry, size: int, width: int, stage: Stage) -> Complexity:
    """A stage that takes `width` channels at `size` x `size` pixels."""
    before, after = geometry.frames * size * size, geometry.frames * _halved(size) ** 2
    inner, out = stage.inner_width, stage.width
    # Without channel-wise convolutions a block is SlowFast's: 3x1x1, 1x3x3, 1x1x1, all dense.
    taps, fan_in = (1, 27) if geometry.channelwise else (3, 9 * inner)
    tail = _layer(after, fan_in, inner) + _layer(after, inner, out)
    first = _layer(before, taps * width, inner) + tail + _layer(after, width, out)
    others = (_layer(after, taps * out, inner) + tail) * (stage.blocks - 1)
    excitation = _layer(1, inner, stage.squeeze_width, batchnorm=False, bias=True)
    excitation += _layer(1, stage.squeeze_width, inner, batchnorm=False, bias=True)
    # Squeeze-excitation sits in every other block, beginning with the first.
    return first + others + excitation * ((stage.blocks + 1) // 2 if geometry.squeeze_excitation else 0)


def _efficientnet3d(geometry: EfficientNet3D) -> Complexity:
    size = _halved(geometry.crop)
    positions = geometry.frames * size * size
    width = geometry.stem_width
    total = _layer(positions, 3 * 9, width, batchnorm=False) + _layer(positions, geometry.stem_kernel, width)
    for stage in geometry.mobile_blocks():
        for block in stage:
            before, size = size, -(-size // block.stride)
            total += _mobile_block(block, geometry.frames * before * before, geometry.frames * size * size)
    total += _layer(geometry.frames * size * size, geometry.widths[-1], geometry.head_width)
    return total + _layer(1, geometry.head_width, geometry.classes, batchnorm=False, bias=True)


def _mobile_block(block: MobileBlock, before: int, after: int) -> Complexity:
    """A block that takes `before` positions and leaves `after`."""
    inner, squeeze = block.inner_width, block.squeeze_width
    total = _layer(after, 27, inner) + _layer(after, inner, block.width)
    if block.expands:
        total += _layer(before, block.entering, inner)
    if squeeze:
        total += _layer(1, inner, squeeze, batchnorm=False, bias=True)
        total += _layer(1, squeeze, inner, batchnorm=False, bias=True)
    return total


def _layer(positions: int, fan_in: int, channels: int, *, batchnorm: bool = True, bias: bool = False) -> Complexity:
    """A convolution or linear layer that computes `channels` values of `fan_in` products at each position."""
    weights = fan_in * channels + (channels if bias else 0)
    return Complexity(
        flops=positions * fan_in * channels,
        params=weights + (2 * channels if batchnorm else 0),
        params_without_batchnorm=weights,
        activations=positions * channels,
    )


def _halved(size: int) -> int:
    """Pixels along one side after a 3x3 convolution of stride 2 and padding 1."""
    return (size + 1) // 2
