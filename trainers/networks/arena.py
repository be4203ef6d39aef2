"""Where in one piece of memory each of several lies, if each is needed for some time only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# What PyTorch aligns tensors to on a CPU.
ALIGNMENT = 64


@dataclass(frozen=True)
class Span:
    """So many bytes, from one step of a sequence to another, both inclusive."""

    size: int
    first: int
    last: int


def places(spans: Sequence[Span]) -> tuple[list[int], int]:
    """The offset of each, no two of the same time overlapping, and the size of the whole.

    The largest first, each in the lowest gap that holds it: close to the most that is needed at once.
    """
    offsets = [0] * len(spans)
    placed: list[tuple[int, int, Span]] = []  # from, to; by the former
    for number in sorted(range(len(spans)), key=lambda number: -spans[number].size):
        span, at = spans[number], 0
        size = -(-span.size // ALIGNMENT) * ALIGNMENT
        for start, end, other in placed:
            if other.last < span.first or span.last < other.first:
                continue
            if start >= at + size:
                break
            at = max(at, end)
        offsets[number] = at
        placed.append((at, at + size, span))
        placed.sort(key=lambda each: each[0])
    return offsets, max((end for _, end, _ in placed), default=0)
