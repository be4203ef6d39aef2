"""How a kernel is laid over a tensor: sizes of its tiles, and how many programs share the work."""

from __future__ import annotations

from dataclasses import dataclass

# A GPU is full with so many programs: several for each of 132 multiprocessors.
PROGRAMS = 1024
MOST_BLOCK = 64
# What a tile of a convolution may be, (positions, warps, neighbouring channels of a thread), for the choice by
# measurement (choice.py); the first is taken without. The more a thread holds, the less it waits, until it spills.
Variant = tuple[int, int, int]
VARIANTS: tuple[Variant, ...] = ((16, 8, 2), (16, 4, 2), (32, 4, 4))
WEIGHT_VARIANTS: tuple[Variant, ...] = ((8, 4, 2), (8, 8, 2))
# That of a pass over memory.
PASS: Variant = (32, 4, 8)


@dataclass(frozen=True)
class Plan:
    """positions x channels of a tile, its warps, and how many neighbouring channels a thread holds at most."""

    positions: int
    channels: int
    warps: int
    vector: int


def power_of_two(number: int) -> int:
    """The least power of two that is not below `number`."""
    return 1 << max(0, number - 1).bit_length()


def plan(channels: int, variant: Variant, positions: int) -> Plan:
    """The tile of a variant for tensors of so many channels and positions."""
    block = min(MOST_BLOCK, power_of_two(channels))
    tile, warps, vector = variant
    return Plan(min(tile, power_of_two(positions)), block, warps, vector)


def chunks(total: int, others: int, least: int) -> int:
    """Into how many of at least `least` to divide `total`, where there are `others` programs already."""
    return max(1, min(-(-total // least), -(-PROGRAMS // others)))
