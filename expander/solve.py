"""How far to move one axis: to a target complexity, or back to a bound (Sec. 3.3)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from expander.axis import EPSILON, Axis, Factors, expand, factor_of
from expander.complexity import Complexity, measure
from expander.geometry import Basis, Geometry, realise


@dataclass(frozen=True)
class Grids:
    """The step of each factor's grid: whole frames, pixels of crop, multiples of γw and γb.

    Depth needs none: its grid is every γd at which some stage gains a block.
    """

    frames: int = 1
    crop: int = 8
    width: float = 0.05
    bottleneck: float = 0.25


@dataclass(frozen=True)
class Limits:
    """The largest value of each factor, None where there is no limit: frames, crop in pixels, γd, γw, γb."""

    frames: int | None = None
    crop: int | None = None
    depth: float | None = None
    width: float | None = None
    bottleneck: float | None = None


@dataclass(frozen=True)
class Lattice:
    """Every place that factors can take: the basis, the grids over it and their limits.

    first_stride: γτ, in frames of the video, of the first clip of more than one frame.
    """

    basis: Basis = field(default_factory=Basis)
    grids: Grids = field(default_factory=Grids)
    limits: Limits = field(default_factory=Limits)
    first_stride: int = 16


@dataclass(frozen=True)
class Solution:
    """Factors on the lattice and what they cost. achieved_rate: over the complexity that the step started from."""

    factors: Factors
    geometry: Geometry
    complexity: Complexity
    achieved_rate: float


@dataclass(frozen=True)
class Infeasible:
    """Why an axis has no candidate, and the nearest that it reaches, None where it cannot move at all."""

    reason: str
    nearest: Solution | None = None


# A step asks again for what an instance's bound already had to know.
@lru_cache(maxsize=1024)
def solve(lattice: Lattice, frontier: Factors, axis: Axis, rate: float, tolerance: float) -> Solution | Infeasible:
    """Move `axis` so that the complexity comes as near as possible, in ratio, to `rate` x the frontier's.

    Of two equally near it takes the smaller complexity, of equal complexities the smaller factor. Infeasible where
    the nearest is off by `tolerance` or more, as a ratio over or under the target.
    """
    line = Line(lattice, frontier, axis)
    start = measure(realise(frontier, lattice.basis)).flops
    target = rate * start
    over = line.first(lambda flops: flops >= target)
    under = line.last if over is None else over - 1
    indices = [] if over is None else [over]
    # A step of the grid that rounding undoes costs what the frontier costs: that would expand nothing.
    if under is not None and under >= line.start and line.flops(under) > start:
        indices.append(line.plateau(line.flops(under)))
    if not indices:
        return Infeasible(line.end())
    best = min(indices, key=lambda index: (round(_distance(line.flops(index), target), 12), line.flops(index)))
    solution = line.solution(best, start)
    off = math.exp(_distance(solution.complexity.flops, target)) - 1
    if off < tolerance - EPSILON:
        return solution
    side = "over" if solution.complexity.flops > target else "under"
    limit = f" ({line.end()})" if over is None else ""
    reason = (
        f"nearest is {solution.achieved_rate:.3f} x the frontier, {off:.0%} {side} the target of {rate:g} x"
        f" (tolerance {tolerance:.0%}){limit}"
    )
    return Infeasible(reason, solution)


def contract(
    lattice: Lattice, origin: Factors, axis: Axis, bound_flops: float, floor_flops: int, beyond: Factors | None = None
) -> Solution | Infeasible:
    """The largest geometry within `bound_flops` that has `axis` moved from `origin`.

    With `beyond`, `origin` is the frontier before the step that overshot to `beyond`: its expansion is applied again
    by a smaller amount. Without, `origin` itself is too large and shrinks, not under the basis. A geometry that costs
    no more than `floor_flops`, the last step within the bound, is infeasible. The rate is over that step.
    """
    line = Line(lattice, origin, axis, down=beyond is None)
    if beyond is None:
        index = line.first(lambda flops: flops <= bound_flops)
    else:
        over = line.first(lambda flops: flops > bound_flops)
        top = line.last if over is None else over - 1
        index = None if top is None or top < line.start else line.plateau(line.flops(top))
    if index is None:
        return Infeasible(f"no {axis} on the grid is within {bound_flops / 1e9:.4g} GFLOPs")
    solution = line.solution(index, floor_flops)
    if solution.complexity.flops <= floor_flops:
        reason = (
            f"the largest within {bound_flops / 1e9:.4g} GFLOPs has {solution.complexity.flops / 1e9:.4g},"
            f" no more than the last step within the bound"
        )
        return Infeasible(reason, solution)
    return solution


def _distance(flops: int, target: float) -> float:
    return abs(math.log(flops / target))


class Line:
    """The grid along one axis through `origin`, as indices from `start` on; complexity is monotone along it."""

    def __init__(self, lattice: Lattice, origin: Factors, axis: Axis, *, down: bool = False) -> None:
        self.lattice, self.origin, self.axis, self.down = lattice, origin, axis, down
        self.values = _values(lattice, axis)
        self._costs: dict[int, int] = {}
        here = factor_of(origin, axis)
        if down:
            # Counting down from the value under `origin` to the basis: index 0 is the nearest.
            top = _search(lambda index: self.values(index) >= here - EPSILON) - 1
            bottom = _search(lambda index: self.values(index) >= 1 - EPSILON)
            self.start, self.last = 0, top - bottom if top >= bottom else -1
            rising = self.values
            self.values = lambda index: rising(top - index)
        else:
            self.start = _search(lambda index: self.values(index) > here + EPSILON)
            highest = _highest(lattice, origin, axis)
            self.last = None if highest is None else _search(lambda index: self.values(index) > highest + EPSILON) - 1

    last: int | None

    def factors(self, index: int) -> Factors:
        """The factors at one place of the line."""
        return expand(self.origin, self.axis, self.values(index), first_stride=self.lattice.first_stride)

    def flops(self, index: int) -> int:
        """Multiply-adds at one place of the line."""
        if index not in self._costs:
            self._costs[index] = measure(realise(self.factors(index), self.lattice.basis)).flops
        return self._costs[index]

    def first(self, reached: Callable[[int], bool]) -> int | None:
        """The first index whose flops satisfy `reached`, which stays true from there on; None past the end."""
        return _search_within(lambda index: reached(self.flops(index)), self.start, self.last)

    def plateau(self, flops: int) -> int:
        """The first index that costs as much as `flops`, which some index costs."""
        found = self.first(lambda cost: cost >= flops)
        assert found is not None
        return found

    def solution(self, index: int, start_flops: int) -> Solution:
        """What stands at one place of the line."""
        factors = self.factors(index)
        geometry = realise(factors, self.lattice.basis)
        complexity = measure(geometry)
        return Solution(factors, geometry, complexity, complexity.flops / start_flops)

    def end(self) -> str:
        """Why the line ends where it does."""
        if self.axis is Axis.FAST and self.origin.gamma_tau is not None and _fastest(self.origin) == self.last_value():
            stride, fastest = self.origin.gamma_tau, _fastest(self.origin)
            return f"a stride of {stride} leaves no more than {fastest} frames of the same duration"
        return f"the limit of {self.axis} is reached at {_unit(self.axis, self.origin, self.lattice)}"

    def last_value(self) -> float | None:
        """The largest value within the limits."""
        return None if self.last is None else self.values(self.last)


def _unit(axis: Axis, factors: Factors, lattice: Lattice) -> str:
    match axis:
        case Axis.FAST | Axis.TEMPORAL:
            return f"{factors.gamma_t} frames (limits.frames: {lattice.limits.frames})"
        case Axis.SPATIAL:
            return f"a crop of {realise(factors, lattice.basis).crop} (limits.crop: {lattice.limits.crop})"
        case Axis.DEPTH | Axis.WIDTH | Axis.BOTTLENECK:
            return f"{factor_of(factors, axis):g} (limits.{axis}: {getattr(lattice.limits, axis)})"


def _values(lattice: Lattice, axis: Axis) -> Callable[[int], float]:
    """The rising grid of `axis`: index 1, 2, ... to a value in the unit of its factor."""
    grids, basis = lattice.grids, lattice.basis
    match axis:
        case Axis.FAST | Axis.TEMPORAL:
            # One frame is the basis, whatever the grid; its multiples follow.
            return lambda index: 1 if index == 1 and grids.frames > 1 else (index - (grids.frames > 1)) * grids.frames
        case Axis.SPATIAL:
            return lambda index: index * grids.crop / basis.crop
        case Axis.WIDTH:
            return lambda index: round(index * grids.width, 9)
        case Axis.BOTTLENECK:
            return lambda index: round(index * grids.bottleneck, 9)
        case Axis.DEPTH:
            # A stage of b blocks grows after every k / b, so k / b is the largest γd that gives its blocks.
            parts = sorted({round(k / blocks, 9) for blocks in basis.blocks for k in range(1, blocks + 1)})
            return lambda index: (index - 1) // len(parts) + parts[(index - 1) % len(parts)]


def _highest(lattice: Lattice, factors: Factors, axis: Axis) -> float | None:
    """The largest value that limits and time allow on `axis`, None where nothing does."""
    limits = lattice.limits
    match axis:
        case Axis.FAST if factors.gamma_tau is not None:
            # A stride under one frame of the video does not exist.
            fastest = _fastest(factors)
            return fastest if limits.frames is None else min(fastest, limits.frames)
        case Axis.FAST | Axis.TEMPORAL:
            return limits.frames
        case Axis.SPATIAL:
            return None if limits.crop is None else limits.crop / lattice.basis.crop
        case Axis.DEPTH | Axis.WIDTH | Axis.BOTTLENECK:
            value: float | None = getattr(limits, axis)
            return value


def _fastest(factors: Factors) -> int:
    return factors.gamma_t * (factors.gamma_tau or 1)


def _search(reached: Callable[[int], bool]) -> int:
    """The first index from 1 on that satisfies `reached`, which stays true from there on."""
    found = _search_within(reached, 1, None)
    assert found is not None
    return found


def _search_within(reached: Callable[[int], bool], start: int, last: int | None) -> int | None:
    """The first of start..last that satisfies `reached`, by galloping and halving."""
    if last is not None and last < start:
        return None
    stride, low, high = 1, start, start
    while not reached(high):
        if high == last:
            return None
        low, high = high + 1, high + stride if last is None else min(high + stride, last)
        stride *= 2
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle + 1, high)
    return low
