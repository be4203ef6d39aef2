"""The integers that a network is made of, and the only rounding in the program (Table 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from expander.axis import EPSILON, Factors, round_half_up

WIDTH_DIVISOR = 8
SQUEEZE_RATIO = 1 / 16
# Table A.1: what mobile image networks brought, each of which a space can take out.
MOBILE_PARTS = ("channelwise", "swish", "squeeze_excitation")


@dataclass(frozen=True)
class Basis:
    """What every factor multiplies: X2D by default (Table 1, every γ one).

    widths, blocks: one entry for each residual stage. crop: pixels. head_width: channels of the head's first linear
    layer. stem_kernel: frames seen by the stem's temporal convolution (Table 1 prints 3; only 5 gives the published
    FLOPs). channelwise, swish, squeeze_excitation: the mobile parts that Table A.1 takes out one by one.
    """

    widths: tuple[int, ...] = (24, 48, 96, 192)
    blocks: tuple[int, ...] = (1, 2, 5, 3)
    crop: int = 112
    classes: int = 400
    head_width: int = 2048
    stem_kernel: int = 5
    channelwise: bool = True
    swish: bool = True
    squeeze_excitation: bool = True


@dataclass(frozen=True)
class Stage:
    """One residual stage; its first block halves the resolution. All widths are in channels."""

    blocks: int
    width: int
    inner_width: int
    squeeze_width: int


@dataclass(frozen=True)
class Geometry:
    """A network and its clip: frames x crop x crop pixels, taken with `stride` (None at one frame).

    The stem has the width of the first stage, the head's convolution the inner width of the last. channelwise: the
    blocks' 3x3x3 convolution has one filter for each channel; without, the first convolution of a block is a dense
    3x1x1 and the second a dense 1x3x3, as in SlowFast (only so are the figures Table A.1's). swish: else ReLU.
    squeeze_excitation: in every other block, beginning with the first of each stage.
    """

    frames: int
    stride: int | None
    crop: int
    stages: tuple[Stage, ...]
    classes: int
    head_width: int = 2048
    stem_kernel: int = 5
    channelwise: bool = True
    swish: bool = True
    squeeze_excitation: bool = True

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each stage."""
        return tuple(stage.width for stage in self.stages)

    @property
    def inner_widths(self) -> tuple[int, ...]:
        """Channels inside the bottleneck of each stage."""
        return tuple(stage.inner_width for stage in self.stages)

    @property
    def squeeze_widths(self) -> tuple[int, ...]:
        """Channels between the two squeeze-excitation convolutions of each stage."""
        return tuple(stage.squeeze_width for stage in self.stages)

    @property
    def blocks(self) -> tuple[int, ...]:
        """Blocks of each stage."""
        return tuple(stage.blocks for stage in self.stages)

    @property
    def clip(self) -> str:
        """Frames x stride, as the paper writes it: '16x5', or '1' for a single frame."""
        return f"{self.frames}x{self.stride}" if self.stride else f"{self.frames}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and YAML; `from_dict` reads them back."""
        # Named only where a part is missing: a trial keeps the id that it had before there were switches.
        missing = {part: False for part in MOBILE_PARTS if not getattr(self, part)}
        return {
            "frames": self.frames,
            "stride": self.stride,
            "crop": self.crop,
            "widths": list(self.widths),
            "inner_widths": list(self.inner_widths),
            "squeeze_widths": list(self.squeeze_widths),
            "blocks": list(self.blocks),
            "classes": self.classes,
            "head_width": self.head_width,
            "stem_kernel": self.stem_kernel,
            **missing,
        }

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Geometry:
        """The geometry that `as_dict` wrote."""
        lists = (values[key] for key in ("blocks", "widths", "inner_widths", "squeeze_widths"))
        stages = tuple(Stage(*numbers) for numbers in zip(*lists, strict=True))
        numbers = {key: values[key] for key in ("frames", "stride", "crop", "classes", "head_width", "stem_kernel")}
        return Geometry(stages=stages, **numbers, **{part: values.get(part, True) for part in MOBILE_PARTS})


def round_width(width: float) -> int:
    """To the nearest multiple of 8, at least 8; one multiple up where that is under 0.9 of `width`."""
    rounded = max(WIDTH_DIVISOR, math.floor((width + WIDTH_DIVISOR / 2 + EPSILON) / WIDTH_DIVISOR) * WIDTH_DIVISOR)
    return rounded if rounded >= 0.9 * width - EPSILON else rounded + WIDTH_DIVISOR


def blocks_at(gamma_d: float, base: int) -> int:
    """Blocks of a stage: γd x base, rounded up."""
    return math.ceil(gamma_d * base - EPSILON)


def crop_at(gamma_s: float, base: int) -> int:
    """Crop in pixels: γs x base, which the grid keeps whole."""
    return round_half_up(gamma_s * base)


def realise(factors: Factors, basis: Basis) -> Geometry:
    """The geometry of `factors` over `basis`. The only place where a factor becomes an integer."""
    stages = []
    for width, blocks in zip(basis.widths, basis.blocks, strict=True):
        rounded = round_width(width * factors.gamma_w)
        inner = max(1, math.floor(factors.gamma_b * rounded + EPSILON))
        stages.append(Stage(blocks_at(factors.gamma_d, blocks), rounded, inner, round_width(inner * SQUEEZE_RATIO)))
    return Geometry(
        frames=factors.gamma_t,
        stride=factors.gamma_tau,
        crop=crop_at(factors.gamma_s, basis.crop),
        stages=tuple(stages),
        classes=basis.classes,
        head_width=basis.head_width,
        stem_kernel=basis.stem_kernel,
        channelwise=basis.channelwise,
        swish=basis.swish,
        squeeze_excitation=basis.squeeze_excitation,
    )
