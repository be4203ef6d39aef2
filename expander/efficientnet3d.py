"""EfficientNet3D, which the paper compares X3D with (Table 7): the 2D networks' public definition, extended in time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from expander.axis import EPSILON, round_half_up
from expander.geometry import SQUEEZE_RATIO, Geometry, round_width

NETWORK = "efficientnet3d"
# What a clip of B0 is. The paper does not say. Four frames are X3D-XS's, which Table 7 sets beside B0; 144 pixels are
# where four frames cost the 0.74 GFLOPs of Table 7. The clips of B3 and B4 follow from it.
B0_FRAMES, B0_CROP, CLIP_SPAN = 4, 144, 48
FRAMES_DIVISOR, CROP_DIVISOR = 4, 8


@dataclass(frozen=True)
class MobileStage:
    """Blocks of one width (channels). stride: spatial, of the first block. expansion: inner over entering width."""

    blocks: int
    stride: int
    width: int
    expansion: int


@dataclass(frozen=True)
class MobileBlock:
    """One block: channels that enter, inside, and that leave; squeeze_width is None where it has no SE."""

    entering: int
    inner_width: int
    width: int
    stride: int
    squeeze_width: int | None

    @property
    def expands(self) -> bool:
        """Whether a 1x1x1 convolution leads to the inner width; at an expansion of 1 there is none."""
        return self.inner_width != self.entering

    @property
    def residual(self) -> bool:
        """Whether its input is added to its output: where the shape stays, as in 2D; there is no other shortcut."""
        return self.stride == 1 and self.entering == self.width


@dataclass(frozen=True)
class EfficientNet3D:
    """A network and its clip: frames x crop x crop pixels, taken with `stride` (None at one frame).

    A stem of `stem_width` channels, stages of blocks, and a head whose 1x1x1 convolution has `head_width`.
    stem_kernel: frames seen by the stem's temporal convolution.
    """

    frames: int
    stride: int | None
    crop: int
    stem_width: int
    stages: tuple[MobileStage, ...]
    head_width: int
    classes: int = 400
    stem_kernel: int = 5

    @property
    def clip(self) -> str:
        """Frames x stride, as the paper writes it: '4x12', or '1' for a single frame."""
        return f"{self.frames}x{self.stride}" if self.stride else f"{self.frames}"

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each stage."""
        return tuple(stage.width for stage in self.stages)

    @property
    def blocks(self) -> tuple[int, ...]:
        """Blocks of each stage."""
        return tuple(stage.blocks for stage in self.stages)

    def mobile_blocks(self) -> Iterator[tuple[MobileBlock, ...]]:
        """The blocks of each stage; every other one has an SE, beginning with the first of the stage."""
        entering = self.stem_width
        for stage in self.stages:
            blocks = []
            for number in range(stage.blocks):
                inner = stage.expansion * entering
                squeeze = round_width(inner * SQUEEZE_RATIO) if number % 2 == 0 else None
                stride = stage.stride if number == 0 else 1
                blocks.append(MobileBlock(entering, inner, stage.width, stride, squeeze))
                entering = stage.width
            yield tuple(blocks)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and YAML; `from_dict` reads them back. `network` tells them from an X3D's."""
        return {
            "network": NETWORK,
            "frames": self.frames,
            "stride": self.stride,
            "crop": self.crop,
            "stem_width": self.stem_width,
            "widths": list(self.widths),
            "expansions": [stage.expansion for stage in self.stages],
            "spatial_strides": [stage.stride for stage in self.stages],
            "blocks": list(self.blocks),
            "head_width": self.head_width,
            "classes": self.classes,
            "stem_kernel": self.stem_kernel,
        }

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> EfficientNet3D:
        """The network that `as_dict` wrote."""
        lists = (values[key] for key in ("blocks", "spatial_strides", "widths", "expansions"))
        stages = tuple(MobileStage(*numbers) for numbers in zip(*lists, strict=True))
        keys = ("frames", "stride", "crop", "stem_width", "head_width", "classes", "stem_kernel")
        return EfficientNet3D(stages=stages, **{key: values[key] for key in keys})


AnyGeometry = Geometry | EfficientNet3D


def read_geometry(values: Mapping[str, Any]) -> AnyGeometry:
    """The geometry that either network's `as_dict` wrote."""
    return EfficientNet3D.from_dict(values) if "network" in values else Geometry.from_dict(values)


# EfficientNet-B0 (Tan and Le, arXiv:1905.11946, Table 1): blocks, spatial stride, width, expansion of each stage.
B0_STAGES = (
    (1, 1, 16, 1),
    (2, 2, 24, 6),
    (2, 2, 40, 6),
    (3, 2, 80, 6),
    (3, 1, 112, 6),
    (4, 2, 192, 6),
    (1, 1, 320, 6),
)
B0_STEM, B0_HEAD, B0_SIDE = 32, 1280, 224


def extend(width: float, depth: float, side: int) -> EfficientNet3D:
    """The EfficientNet with these multipliers of B0's widths and blocks, for images of `side` pixels, in 3D.

    Widths are rounded as X3D's (which is EfficientNet's rule), blocks up. What the paper shares with X3D replaces the
    2D form (Sec. 4.3, A.2): every channel-wise convolution is 3x3x3, SE has 1/16 of the inner width and sits in every
    other block, ReLU follows each block's sum, and the stem adds X3D's temporal convolution. No stage subsamples time.

    The clip: pixels of a frame and frames grow by one coefficient, (side / 224)^2, from B0's 4 frames of 144 x 144
    ("uniform scaling coefficients for the spatial and temporal resolution"), crops to multiples of 8 and frames to
    multiples of 4; every clip spans 48 frames of the video, as X3D-XS's 4 x 12.
    """
    growth = side / B0_SIDE
    stages = (
        MobileStage(math.ceil(blocks * depth - EPSILON), stride, round_width(channels * width), expansion)
        for blocks, stride, channels, expansion in B0_STAGES
    )
    frames = FRAMES_DIVISOR * round_half_up(B0_FRAMES * growth**2 / FRAMES_DIVISOR)
    return EfficientNet3D(
        frames=frames,
        stride=round_half_up(CLIP_SPAN / frames),
        crop=CROP_DIVISOR * round_half_up(B0_CROP * growth / CROP_DIVISOR),
        stem_width=round_width(B0_STEM * width),
        stages=tuple(stages),
        head_width=round_width(B0_HEAD * width),
    )


# The multipliers and image sides that are public of each EfficientNet.
EFFICIENTNET3D: Mapping[str, EfficientNet3D] = MappingProxyType(
    {
        "EfficientNet3D-B0": extend(width=1.0, depth=1.0, side=224),
        "EfficientNet3D-B3": extend(width=1.2, depth=1.4, side=300),
        "EfficientNet3D-B4": extend(width=1.4, depth=1.8, side=380),
    }
)
