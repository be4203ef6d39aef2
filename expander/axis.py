"""The six axes and the factors that they move (Sec. 3.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

# Sec. A.3: at a doubling of the frames X-Temporal takes 0.75 of the stride, and 2 ** -0.415 is 0.75.
TEMPORAL_STRIDE_EXPONENT = 0.415
# Grid values such as 7 / 3 are not exact in binary; this is far under any grid's step.
EPSILON = 1e-9


class Axis(StrEnum):
    """The six axes of expansion, in the order of Sec. 3.2."""

    FAST = "fast"
    TEMPORAL = "temporal"
    SPATIAL = "spatial"
    DEPTH = "depth"
    WIDTH = "width"
    BOTTLENECK = "bottleneck"


@dataclass(frozen=True)
class Factors:
    """The six γ's over the basis, always snapped to what the geometry is.

    gamma_t: frames of a clip. gamma_tau: stride between them in frames of the video, None at one frame.
    gamma_s: crop over the basis' crop. gamma_w, gamma_b: multipliers of the widths and of the inner widths.
    gamma_d: the largest multiplier that gives these blocks.
    """

    gamma_tau: int | None = None
    gamma_t: int = 1
    gamma_s: float = 1.0
    gamma_w: float = 1.0
    gamma_b: float = 1.0
    gamma_d: float = 1.0

    def as_dict(self) -> dict[str, float | int | None]:
        """The factors as plain values, for JSON and YAML."""
        return {name: getattr(self, name) for name in FACTORS}


FACTORS = ("gamma_tau", "gamma_t", "gamma_s", "gamma_w", "gamma_b", "gamma_d")


def round_half_up(value: float) -> int:
    """The nearest whole number; 2.5 gives 3, where Python's round gives 2."""
    return math.floor(value + 0.5 + EPSILON)


def stride_after(axis: Axis, stride: int | None, frames: int, new_frames: int, first_stride: int) -> int:
    """Stride in frames of the video after `axis` took the clip from `frames` to `new_frames` (Sec. A.3).

    X-Fast keeps the duration, X-Temporal lengthens it. The first temporal expansion, which has no stride to start
    from, takes `first_stride`.
    """
    if stride is None:
        return first_stride
    exponent = 1.0 if axis is Axis.FAST else TEMPORAL_STRIDE_EXPONENT
    return max(1, round_half_up(stride * (frames / new_frames) ** exponent))


def expand(factors: Factors, axis: Axis, value: float, *, first_stride: int) -> Factors:
    """`factors` with the factor of `axis` moved to the grid value `value`; smaller values contract.

    `value` is in the factor's own unit: frames for fast and temporal, γs, γd, γw, γb for the others.
    """
    match axis:
        case Axis.FAST | Axis.TEMPORAL:
            frames = int(value)
            stride = (
                None if frames == 1 else stride_after(axis, factors.gamma_tau, factors.gamma_t, frames, first_stride)
            )
            return replace(factors, gamma_t=frames, gamma_tau=stride)
        case Axis.SPATIAL:
            return replace(factors, gamma_s=value)
        case Axis.DEPTH:
            return replace(factors, gamma_d=value)
        case Axis.WIDTH:
            return replace(factors, gamma_w=value)
        case Axis.BOTTLENECK:
            return replace(factors, gamma_b=value)


def factor_of(factors: Factors, axis: Axis) -> float:
    """The factor that `axis` moves, in its own unit."""
    match axis:
        case Axis.FAST | Axis.TEMPORAL:
            return factors.gamma_t
        case Axis.SPATIAL:
            return factors.gamma_s
        case Axis.DEPTH:
            return factors.gamma_d
        case Axis.WIDTH:
            return factors.gamma_w
        case Axis.BOTTLENECK:
            return factors.gamma_b
