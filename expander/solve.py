"""How far to move one axis: to a target complexity, or back to a bound (Sec. 3.3)."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, lru_cache

from expander.axis import EPSILON, Axis, Factors, expand, factor_of
from expander.complexity import Complexity, measure
from expander.cost import Cost, closed_form
from expander.geometry import Basis, Geometry, crop_at, realise

# A measured cost may stop growing: a step is not looked for where the network has this many times the multiply-adds.
FAR = 64


@dataclass(frozen=True)
class Grids:
    """The step of each factor's grid: whole frames, pixels of crop, multiples of γw and γb.

    The basis is a place of every grid, the multiples above it are the others. Depth needs no step: its grid is every
    γd at which some stage is about to gain a block.
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
    """Factors on the lattice and what they cost.

    cost: in the unit of the search's complexity. achieved_rate: cost over that of what the step started from.
    """

    factors: Factors
    geometry: Geometry
    complexity: Complexity
    cost: float
    achieved_rate: float


@dataclass(frozen=True)
class Infeasible:
    """Why an axis has no candidate, and the nearest that it reaches, None where it cannot move at all."""

    reason: str
    nearest: Solution | None = None


# A step asks again for what an instance's bound already had to know.
@lru_cache(maxsize=1024)
def solve(
    lattice: Lattice,
    frontier: Factors,
    axis: Axis,
    rate: float,
    tolerance: float,
    cost: Cost = closed_form("flops"),  # noqa: B008 - a constant
) -> Solution | Infeasible:
    """Move `axis` so that the cost comes as near as possible, in ratio, to `rate` x the frontier's.

    Of two equally near it takes the smaller cost, of equal costs the smaller factor. Infeasible where `cost` does not
    see the axis, or where the nearest is off by `tolerance` or more, as a ratio over or under the target.
    """
    if (unseen := cost.unseen(axis)) is not None:
        return Infeasible(unseen)
    line = Line(lattice, frontier, axis, cost)
    start = cost.of(realise(frontier, lattice.basis))
    # A step of the grid that rounding undoes costs what the frontier costs: that would expand nothing.
    first, last = line.above(start, line.next, line.last), line.last
    if first is None:
        return Infeasible(f"nothing on the grid is larger than the frontier: {line.end()}")
    target = rate * start
    over, within = line.over(target, first, last), line.within(target, first, last)
    places = [place for place in (within, over) if place is not None]
    best = min(places, key=lambda place: round(_off(line.cost(place), target), 12))
    solution = line.solution(best, start)
    off = _off(solution.cost, target)
    if off - 1 < tolerance - EPSILON:
        return solution
    reason = (
        f"the nearest is {solution.achieved_rate:.3f} x the frontier where {rate:g} x is wanted:"
        f" off by a factor of {off:.3f}, and expansion.tolerance allows less than {1 + tolerance:g}"
    )
    return Infeasible(reason if over is not None else f"{reason}; {line.end()}", solution)


def contract(
    lattice: Lattice,
    origin: Factors,
    axis: Axis,
    bound: float,
    floor: float,
    *,
    shrink: bool,
    cost: Cost = closed_form("flops"),  # noqa: B008 - a constant
) -> Solution | Infeasible:
    """The largest geometry that costs no more than `bound` and has `axis` moved from `origin`.

    Without `shrink`, `origin` is the frontier before the step that overshot: its expansion is applied again by a
    smaller amount. With it, `origin` is too large itself and moves back, not under the basis. Infeasible where that
    costs no more than `floor`, the last step within the bound; the achieved rate is over that step.
    """
    if (unseen := cost.unseen(axis)) is not None:
        return Infeasible(unseen)
    line = Line(lattice, origin, axis, cost)
    first, last = (0, line.previous) if shrink else (line.next, line.last)
    if last < first:
        return Infeasible(f"at {line.here:g}, {axis} is the basis' and does not shrink" if shrink else line.end())
    place = line.within(bound, first, last)
    if place is None and line.last < first:
        return Infeasible(line.end())
    if place is None:
        smallest = line.solution(first, floor)
        return Infeasible(
            f"the smallest has {cost.show(smallest.cost)}, over the bound of {cost.show(bound)}", smallest
        )
    solution = line.solution(place, floor)
    if solution.cost > floor:
        return solution
    reason = (
        f"the largest within {cost.show(bound)} has {cost.show(solution.cost)},"
        f" no more than the last step within has ({cost.show(floor)})"
    )
    return Infeasible(reason, solution)


def _off(cost: float, target: float) -> float:
    """How far off the target, as a ratio of at least 1."""
    return max(cost / target, target / cost)


class Line:
    """The grid along one axis through `origin`: place 0 is the basis, and the cost never falls from place to place.

    here: the factor of `origin`, in the unit of its limit. next, previous: the places around it. last: the last place
    within the limits. A measured cost may fall by chance: what stands for it is the staircase of the largest value
    measured so far, from the basis up to `origin` and from `origin` on.
    """

    def __init__(self, lattice: Lattice, origin: Factors, axis: Axis, cost: Cost) -> None:
        self.lattice, self.origin, self.axis = lattice, origin, axis
        self.value = _grid(lattice, axis)
        self.measured = cost.measured
        # The cost at one place. Searches along the line come by the same places.
        self.cost = cache(self._staircase(cost.of) if cost.measured else self._exactly(cost.of))
        factor, limit = factor_of(origin, axis), _limit(lattice, origin, axis)
        self.here = crop_at(factor, lattice.basis.crop) if axis is Axis.SPATIAL else factor
        self.next = self._first_beyond(factor + EPSILON)
        self.previous = self._first_beyond(factor - EPSILON) - 1
        self.last = sys.maxsize if limit == math.inf else self._first_beyond(limit + EPSILON) - 1
        self.device = cost.device
        # Why it ends before its limits do; a measured cost alone has such an end.
        self.stop: str | None = None
        if cost.measured and (end := self._end_of_measuring()) < self.last:
            self.last, self.stop = end, f"it was not measured beyond {FAR} x the frontier's multiply-adds"

    def over(self, cost: float, first: int, last: int) -> int | None:
        """The smallest place of first..last that costs `cost` or more."""
        return self._search(lambda place: self.cost(place) >= cost, first, last)

    def above(self, cost: float, first: int, last: int) -> int | None:
        """The smallest place of first..last that costs more than `cost`."""
        return self._search(lambda place: self.cost(place) > cost, first, last)

    def within(self, cost: float, first: int, last: int) -> int | None:
        """The most costly place of first..last that costs no more than `cost`; of equal ones the smallest."""
        above = self.above(cost, first, last)
        top = min(last, self.last) if above is None else above - 1
        return None if top < first else self.over(self.cost(top), first, top)

    def factors(self, place: int) -> Factors:
        """The factors at one place."""
        return expand(self.origin, self.axis, self.value(place), first_stride=self.lattice.first_stride)

    def geometry(self, place: int) -> Geometry:
        """The geometry at one place."""
        return realise(self.factors(place), self.lattice.basis)

    def solution(self, place: int, start: float) -> Solution:
        """What stands at one place; its rate is over a cost of `start`."""
        geometry, cost = self.geometry(place), self.cost(place)
        return Solution(self.factors(place), geometry, measure(geometry), cost, cost / start)

    def end(self) -> str:
        """Why the line ends at its last place."""
        if self.stop is not None:
            return self.stop
        key = _limit_key(self.axis)
        limit: float | None = getattr(self.lattice.limits, key)
        if self.axis is Axis.FAST and (limit is None or _fastest(self.origin) <= limit):
            stride, fastest = self.origin.gamma_tau, _fastest(self.origin)
            return f"a stride of {stride} at {self.here} frames leaves no more than {fastest:g} of the same duration"
        return f"limits.{key} is {limit:g}, and the frontier stands at {self.here:g}"

    def _exactly(self, of: Callable[[Geometry], float]) -> Callable[[int], float]:
        return lambda place: of(self.geometry(place))

    def _staircase(self, of: Callable[[Geometry], float]) -> Callable[[int], float]:
        # Each step of it is measured once, in order: the same measurements give the same staircase.
        below: list[float] = []
        beyond = [of(realise(self.origin, self.lattice.basis))]

        def cost(place: int) -> float:
            steps, first = (below, 0) if place < self.next else (beyond, self.next - 1)
            while len(steps) <= place - first:
                value = of(self.geometry(first + len(steps)))
                steps.append(max(value, steps[-1]) if steps else value)
            return steps[place - first]

        return cost

    def _end_of_measuring(self) -> int:
        """The last place of no more than FAR times the multiply-adds of `origin`."""
        most = FAR * measure(realise(self.origin, self.lattice.basis)).flops
        place = _search(lambda place: measure(self.geometry(place)).flops > most, self.next, self.last)
        return self.last if place is None else place - 1

    def _search(self, reached: Callable[[int], bool], first: int, last: int) -> int | None:
        """The first of first..last that satisfies `reached`, which stays true from there on."""
        return self._climb(reached, first, last) if self.measured else _search(reached, first, last)

    def _climb(self, reached: Callable[[int], bool], first: int, last: int) -> int | None:
        # The staircase needs every place anyway, and none beyond the one that is looked for.
        for place in range(first, min(last, self.last) + 1):
            if math.isinf(self.cost(place)):
                # What a device has no room for is neither nearest nor within: the line ends before it.
                value = self.geometry(place).crop if self.axis is Axis.SPATIAL else self.value(place)
                self.last = place - 1
                self.stop = f"at {value:g}, it does not fit in the memory of {self.device}"
                return None
            if reached(place):
                return place
        return None

    def _first_beyond(self, factor: float) -> int:
        place = _search(lambda place: self.value(place) > factor, 0, sys.maxsize)
        assert place is not None
        return place


def _grid(lattice: Lattice, axis: Axis) -> Callable[[int], float]:
    """The rising grid of `axis`, place by place, in the unit of its factor; place 0 is the basis."""
    grids, basis = lattice.grids, lattice.basis
    match axis:
        case Axis.FAST | Axis.TEMPORAL:
            return _multiples(grids.frames, 1)
        case Axis.SPATIAL:
            return _multiples(grids.crop, basis.crop)
        case Axis.WIDTH:
            return _multiples(grids.width, 1)
        case Axis.BOTTLENECK:
            return _multiples(grids.bottleneck, 1)
        case Axis.DEPTH:
            # A stage of b blocks grows after every k / b, so k / b is the largest γd that gives its blocks. Fractions:
            # a decimal of 1 / 6 is over it or under it, and one too many or too few blocks follow.
            parts = sorted({Fraction(k, blocks) for blocks in basis.blocks for k in range(1, blocks + 1)})
            return lambda place: float(1 + (place - 1) // len(parts) + parts[(place - 1) % len(parts)])


def _multiples(step: float, unit: int) -> Callable[[int], float]:
    """The multiples of `step` above `unit`, over `unit`; place 0 is `unit` itself, on the grid or not."""
    below = math.floor(unit / step + EPSILON)
    # Twelve digits: 29 x 0.05 is 1.4500000000000002 in binary.
    return lambda place: round((below + place) * step, 12) / unit if place else 1


def _limit_key(axis: Axis) -> str:
    match axis:
        case Axis.FAST | Axis.TEMPORAL:
            return "frames"
        case Axis.SPATIAL:
            return "crop"
        case Axis.DEPTH | Axis.WIDTH | Axis.BOTTLENECK:
            return axis.value


def _limit(lattice: Lattice, origin: Factors, axis: Axis) -> float:
    """The largest factor that limits and time allow on `axis`; infinite where nothing does."""
    value: float | None = getattr(lattice.limits, _limit_key(axis))
    limit = math.inf if value is None else value
    match axis:
        case Axis.FAST:
            return min(limit, _fastest(origin))
        case Axis.SPATIAL:
            return limit / lattice.basis.crop
        case _:
            return limit


def _fastest(origin: Factors) -> float:
    """The frames of the same duration at a stride of 1: nothing is between two frames of a video."""
    return math.inf if origin.gamma_tau is None else origin.gamma_t * origin.gamma_tau


def _search(reached: Callable[[int], bool], first: int, last: int) -> int | None:
    """The first of first..last that satisfies `reached`, which stays true from there on; by galloping and halving."""
    if last < first:
        return None
    stride, low, high = 1, first, first
    while not reached(high):
        if high == last:
            return None
        low, high = high + 1, min(high + stride, last)
        stride *= 2
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle + 1, high)
    return low
