"""What the peers' builders of X3D share: how they scale and round, and the search for the factors that give a network.

They round in plain floating point, without the allowance for binary decimals that `expander.geometry` makes.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NoReturn

from expander.errors import UsageError
from expander.geometry import MOBILE_PARTS, SQUEEZE_RATIO, Geometry, Stage
from results.config import InstanceConfig

# Every peer's basis, written into its builder.
BLOCKS = (1, 2, 5, 3)
# Of `DIM_C1` and `stem_dim_in`: half of Table 1's width, so that γw 1 is a factor of 2.
BASE_WIDTH = 12
# A base width beyond this is not looked for. Those up to twice the first stage's width find all there is to find:
# larger ones only come nearer to the doubling from stage to stage that BASE_WIDTH itself gives.
LARGEST_BASE = 10_000
# Digits after the point; factors that differ by less make the same network of any size that trains.
DIGITS = 9

Grow = Callable[[float], Sequence[int]]


def round_width(width: float, divisor: int = 8, least: int | None = None) -> int:
    """The peers' rounding: to the nearest multiple of `divisor`, at least `least`; one up where under 0.9 of `width`.

    least: `divisor` where it is None.
    """
    rounded = max(least or divisor, int(width + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * width else rounded + divisor


def repeats(factor: float) -> tuple[int, ...]:
    """Blocks of the four stages."""
    return tuple(math.ceil(factor * blocks) for blocks in BLOCKS)


def doubled(base: int, least: int) -> tuple[int, ...]:
    """The four stages' widths before any factor: PySlowFast and PyTorchVideo double, rounding to multiples of 8.

    least: 1 in PySlowFast, 8 in PyTorchVideo; of base 1 they make 1, 9, 24, 48 and 1, 8, 16, 32.
    """
    widths = [base]
    while len(widths) < len(BLOCKS):
        widths.append(round_width(2.0 * widths[-1], least=least))
    return tuple(widths)


def inner_widths(widths: Sequence[int], value: float) -> tuple[int, ...]:
    """Channels inside the bottlenecks of stages of these widths."""
    return tuple(int(value * width) for width in widths)


def squeeze_widths(inner: Sequence[int], ratio: float) -> tuple[int, ...]:
    """Channels of the squeeze-excitation of stages of these inner widths."""
    return tuple(round_width(width * ratio) for width in inner)


def stages(widths: Sequence[int], depth: float, bottleneck: float, squeeze: float) -> tuple[Stage, ...]:
    """The stages of these widths; `squeeze` is the ratio of squeeze-excitation, 0 for a network without."""
    inner = inner_widths(widths, bottleneck)
    reduced = squeeze_widths(inner, squeeze or SQUEEZE_RATIO)
    blocks = repeats(depth)[: len(widths)]
    return tuple(Stage(*numbers) for numbers in zip(blocks, widths, inner, reduced, strict=True))


def depth_factor(geometry: Geometry, gamma_d: float | None) -> float:
    """The factor of the blocks."""
    return factor(repeats, geometry.blocks, simple(gamma_d))


def bottleneck_factor(geometry: Geometry, gamma_b: float | None) -> float:
    """The factor of the inner widths over the widths."""
    return factor(partial(inner_widths, geometry.widths), geometry.inner_widths, simple(gamma_b))


def squeeze_ratio(geometry: Geometry) -> float:
    """The ratio of the squeeze-excitation to the inner widths; 0 without it."""
    grow = partial(squeeze_widths, geometry.inner_widths)
    return factor(grow, geometry.squeeze_widths, SQUEEZE_RATIO) if geometry.squeeze_excitation else 0.0


def factor(grow: Grow, wanted: Sequence[int], preferred: float | None) -> float:
    """A factor with `grow(factor) == wanted`: `preferred` where it does, else the shortest decimal.

    grow: never falls. Where nothing gives `wanted`, what gives its first entry: there the others show what is wrong.
    """
    for goal in (wanted, wanted[:1]):
        if preferred is not None and _equal(grow(preferred), goal):
            return preferred
        found = _shortest(grow, goal)
        if found is not None:
            return found
    return 1.0


def _shortest(grow: Grow, wanted: Sequence[int]) -> float | None:
    """The smallest of the shortest decimals that give `wanted`, which may be the first entries only."""
    for digits in range(DIGITS + 1):
        unit = int(10**digits)

        def reached(number: int, unit: int = unit) -> bool:
            return all(have >= want for have, want in zip(grow(number / unit), wanted, strict=False))

        # A factor of n gives at least n of anything, but for the rounding to a multiple.
        numbers = range(1, (max(wanted) + 16) * unit)
        place = bisect_left(numbers, True, key=reached)
        if place < len(numbers) and _equal(grow(numbers[place] / unit), wanted):
            return numbers[place] / unit
    return None


def _equal(made: Sequence[int], wanted: Sequence[int]) -> bool:
    return tuple(made[: len(wanted)]) == tuple(wanted)


def base_and_factor(widths: Sequence[int], gamma_w: float | None, divisor: int) -> tuple[int, float]:
    """The base width and the factor that make `widths`, by rounding to multiples of `divisor`.

    gamma_w: over Table 1's widths. Where nothing makes them, the usual base and a factor for the first stage.
    """
    preferred = simple(None if gamma_w is None else 24 / BASE_WIDTH * gamma_w)
    bases = (BASE_WIDTH, *range(1, min(2 * widths[0] + 24, LARGEST_BASE)))
    for base in bases:
        if _possible(doubled(base, divisor), widths, divisor):
            found = factor(partial(scaled, base, divisor), widths, preferred)
            if scaled(base, divisor, found) == tuple(widths):
                return base, found
    return BASE_WIDTH, factor(partial(scaled, BASE_WIDTH, divisor), widths, preferred)


def scaled(base: int, divisor: int, value: float) -> tuple[int, ...]:
    """Widths of the four stages that a base width and a factor make.

    divisor: of the last rounding; in both tools it is the least width of the first too.
    """
    return tuple(round_width(width * value, divisor) for width in doubled(base, divisor))


def simple(value: float | None) -> float | None:
    """`value` where it is a decimal of a few digits, as a person would write; None for 7 / 3."""
    if value is None or not math.isclose(value, round(value, 4), rel_tol=1e-12):
        return None
    return float(round(value, 4))


def _possible(bases: Sequence[int], widths: Sequence[int], divisor: int) -> bool:
    """Whether any factor could make `widths` of `bases`: an interval for each, and all of them must meet."""
    low = max(_least(width, divisor) / base for base, width in zip(bases, widths, strict=True))
    high = min(_least(width + divisor, divisor) / base for base, width in zip(bases, widths, strict=True))
    return low < high * (1 + 1e-9)


def _least(width: int, divisor: int) -> float:
    """The least that `round_width` rounds to `width` or more."""
    return 0.0 if width <= divisor else min(width - divisor / 2, (width - divisor) / 0.9)


def misfits(geometry: Geometry, built: Geometry, peer: str, source: Mapping[str, str]) -> list[str]:
    """What differs between a geometry and what a peer builds, in words; empty where they are equal.

    source: what the peer makes a thing of, such as 'blocks': 'DEPTH_FACTOR 2.2'.
    """
    if geometry == built:
        return []
    found = _of_stages(geometry, built, peer, source)
    if geometry.head_width != built.head_width:
        found.append(f"its head has {geometry.head_width} channels, {peer}'s always {built.head_width}")
    if geometry.stem_kernel != built.stem_kernel:
        found.append(f"its stem sees {geometry.stem_kernel} frames, {peer}'s always {built.stem_kernel}")
    for part in MOBILE_PARTS:
        if getattr(geometry, part) != getattr(built, part):
            name = part.replace("_", "-")
            found.append(f"it is without {name}, {source.get(part, f'which {peer} always builds')}")
    return found or [f"it has what {peer}'s X3D has no key for"]


def _of_stages(geometry: Geometry, built: Geometry, peer: str, source: Mapping[str, str]) -> list[str]:
    kinds = (("blocks", "blocks"), ("widths", "channels"), ("inner_widths", "inner channels"))
    for field, name in (*kinds, ("squeeze_widths", "channels in its squeeze-excitation")):
        pairs = zip(getattr(geometry, field), getattr(built, field), strict=True)
        found = [
            f"stage res{number} has {have} {name}, {peer} would make {made} of {source[field]}"
            for number, (have, made) in enumerate(pairs, start=2)
            if have != made
        ]
        if found:  # what follows from it would only repeat it
            return found
    return []


def x3d(config: InstanceConfig, peer: str, stages: Sequence[int]) -> Geometry:
    """The geometry of an X3D of one of these numbers of stages. Raises UsageError for anything else."""
    geometry = config.geometry
    if not isinstance(geometry, Geometry):
        refuse(config, peer, ["it is no X3D"])
    if len(geometry.stages) not in stages:
        wanted = " to ".join(map(str, sorted({min(stages), max(stages)})))
        refuse(config, peer, [f"it has {len(geometry.stages)} stages, {peer} builds {wanted}"])
    return geometry


def refuse(config: InstanceConfig, peer: str, reasons: Sequence[str]) -> NoReturn:
    """Raise the UsageError that says why `peer` cannot build this network."""
    raise UsageError(f"{config.name} cannot be built by {peer}: {'; '.join(reasons)}")
