"""C(𝒳), the number that each step of a search multiplies (Sec. 3.3): counted in closed form or measured on a device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from expander.axis import Axis
from expander.complexity import measure
from expander.geometry import Geometry
from expander.units import PREFIXES

ComplexityName = Literal["flops", "params", "activations", "latency", "memory"]
MeasuredName = Literal["latency", "memory"]
MEASURED: tuple[MeasuredName, ...] = ("latency", "memory")
UNITS: dict[ComplexityName, str] = {
    "flops": "multiply-adds",
    "params": "parameters",
    "activations": "elements",
    "latency": "seconds",
    "memory": "bytes",
}
# What an axis changes of a network that has no weights for it.
UNSEEN: dict[tuple[ComplexityName, Axis], str] = {
    ("params", Axis.FAST): "more frames add no parameters",
    ("params", Axis.TEMPORAL): "more frames add no parameters",
    ("params", Axis.SPATIAL): "more pixels add no parameters",
}


@dataclass(frozen=True)
class Cost:
    """One complexity of a geometry, always of one clip with a single centre crop.

    of: its value, in the unit of `UNITS`: whole numbers in closed form, seconds or bytes where it is measured, infinite
    for a network that does not fit in the memory of the device. device: where it is measured, None in closed form.
    """

    name: ComplexityName
    of: Callable[[Geometry], float]
    device: str | None = None

    @property
    def unit(self) -> str:
        """The unit of its values, in words."""
        return UNITS[self.name]

    @property
    def measured(self) -> bool:
        """Whether its values come from a device, and so need not grow from place to place of a grid."""
        return self.name in MEASURED

    def unseen(self, axis: Axis) -> str | None:
        """Why it stays the same along `axis`; None where it grows."""
        reason = UNSEEN.get((self.name, axis))
        return f"{self.name} does not see {axis}: {reason}" if reason else None

    def show(self, value: float) -> str:
        """A value as people read it."""
        return shown(self.name, value)


def shown(name: ComplexityName, value: float) -> str:
    """A value of a complexity as people read it: '1.963 GFLOPs', '3.794 M parameters', '4.21 ms', '512.3 MB'."""
    match name:
        case "flops":
            return f"{_scaled(value)}FLOPs"
        case "params" | "activations":
            return f"{_scaled(value)}{' ' if value >= 1000 else ''}{UNITS[name]}"
        case "latency":
            return f"{value:.4g} s" if value >= 1 else f"{value * 1e3:.4g} ms"
        case "memory":
            return f"{_scaled(value)}B"


def _scaled(value: float) -> str:
    """A value and the prefix of its unit: '1.963 G', '2 G', '0.5 '."""
    for prefix in PREFIXES:
        # Four digits of what is just under a thousand could round up to it.
        if value < 999.95 or prefix == PREFIXES[-1]:
            break
        value /= 1000
    return f"{value:.4g} {prefix}"


def described(geometry: Geometry) -> str:
    """A network in few words: '4 frames of 160 pixels, blocks 3 5 11 7, widths 24 48 96 192'."""
    blocks, widths = (" ".join(map(str, numbers)) for numbers in (geometry.blocks, geometry.widths))
    frames = f"{geometry.frames} frame{'s' if geometry.frames > 1 else ''}"
    return f"{frames} of {geometry.crop} pixels, blocks {blocks}, widths {widths}"


@cache
def closed_form(name: ComplexityName) -> Cost:
    """The complexity of that name where a formula gives it; measured ones come from a device."""
    match name:
        case "flops":
            return Cost(name, lambda geometry: measure(geometry).flops)
        case "params":
            return Cost(name, lambda geometry: measure(geometry).params)
        case "activations":
            return Cost(name, lambda geometry: measure(geometry).activations)
        case _:
            raise AssertionError(f"{name} has no closed form")
