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


class _Sum:
    """The complexities of layers, added up; plain integers, as a search measures a thousand geometries."""

    def __init__(self) -> None:
        self.flops = self.weights = self.norms = self.activations = 0

    def add(
        self, positions: int, fan_in: int, channels: int, *, times: int = 1, batchnorm: bool = True, bias: bool = False
    ) -> None:
        """`times` convolutions or linear layers, each of `channels` values of `fan_in` products at each position."""
        weights = fan_in * channels
        self.flops += times * positions * weights
        self.weights += times * (weights + (channels if bias else 0))
        self.norms += times * 2 * channels if batchnorm else 0
        self.activations += times * positions * channels

    def complexity(self) -> Complexity:
        return Complexity(self.flops, self.weights + self.norms, self.weights, self.activations)


def _x3d(geometry: Geometry) -> Complexity:
    size = _halved(geometry.crop)
    positions = geometry.frames * size * size
    width = geometry.stages[0].width
    total = _Sum()
    total.add(positions, 3 * 9, width, batchnorm=False)
    total.add(positions, geometry.stem_kernel, width)
    for stage in geometry.stages:
        _add_stage(total, geometry, size, width, stage)
        size, width = _halved(size), stage.width
    inner = geometry.stages[-1].inner_width
    total.add(geometry.frames * size * size, width, inner)
    total.add(1, inner, geometry.head_width, batchnorm=False)
    total.add(1, geometry.head_width, geometry.classes, batchnorm=False, bias=True)
    return total.complexity()


def _add_stage(total: _Sum, geometry: Geometry, size: int, width: int, stage: Stage) -> None:
    """A stage that takes `width` channels at `size` x `size` pixels."""
    before, after = geometry.frames * size * size, geometry.frames * _halved(size) ** 2
    inner, out, blocks = stage.inner_width, stage.width, stage.blocks
    # Without channel-wise convolutions a block is SlowFast's: 3x1x1, 1x3x3, 1x1x1, all dense.
    taps, fan_in = (1, 27) if geometry.channelwise else (3, 9 * inner)
    total.add(before, taps * width, inner)
    total.add(after, taps * out, inner, times=blocks - 1)
    total.add(after, fan_in, inner, times=blocks)
    total.add(after, inner, out, times=blocks)
    total.add(after, width, out)  # the first block's shortcut
    # Squeeze-excitation sits in every other block, beginning with the first.
    excited = (blocks + 1) // 2 if geometry.squeeze_excitation else 0
    _add_excitation(total, inner, stage.squeeze_width, excited)


def _add_excitation(total: _Sum, inner: int, squeeze: int, times: int = 1) -> None:
    total.add(1, inner, squeeze, times=times, batchnorm=False, bias=True)
    total.add(1, squeeze, inner, times=times, batchnorm=False, bias=True)


def _efficientnet3d(geometry: EfficientNet3D) -> Complexity:
    size = _halved(geometry.crop)
    positions = geometry.frames * size * size
    width = geometry.stem_width
    total = _Sum()
    total.add(positions, 3 * 9, width, batchnorm=False)
    total.add(positions, geometry.stem_kernel, width)
    for stage in geometry.mobile_blocks():
        for block in stage:
            before, size = size, -(-size // block.stride)
            _add_mobile_block(total, block, geometry.frames * before * before, geometry.frames * size * size)
    total.add(geometry.frames * size * size, geometry.widths[-1], geometry.head_width)
    total.add(1, geometry.head_width, geometry.classes, batchnorm=False, bias=True)
    return total.complexity()


def _add_mobile_block(total: _Sum, block: MobileBlock, before: int, after: int) -> None:
    """A block that takes `before` positions and leaves `after`."""
    inner = block.inner_width
    total.add(after, 27, inner)
    total.add(after, inner, block.width)
    if block.expands:
        total.add(before, block.entering, inner)
    if block.squeeze_width:
        _add_excitation(total, inner, block.squeeze_width)


def _halved(size: int) -> int:
    """Pixels along one side after a 3x3 convolution of stride 2 and padding 1."""
    return (size + 1) // 2
