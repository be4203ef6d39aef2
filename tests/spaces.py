"""Random lattices and search spaces for the property tests, and searches over them without training."""

import hashlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import count

from hypothesis import strategies as st

from expander.axis import Axis, Factors, factor_of
from expander.cost import Cost
from expander.geometry import Basis
from expander.search import Decision, Step, decide, next_step
from expander.solve import Grids, Lattice, Limits, Solution, solve
from expander.space import SearchSpace, read_space
from expander.trial import Completed, Metrics

ANY_TOLERANCE = 1e9


def space_of(**sections: object) -> SearchSpace:
    """A search space of these sections; the others are the paper's."""
    return read_space(sections, {}, "test")


@st.composite
def bases(draw: st.DrawFn) -> Basis:
    stages = draw(st.integers(1, 4))
    return Basis(
        widths=tuple(draw(st.lists(st.integers(1, 64), min_size=stages, max_size=stages))),
        blocks=tuple(draw(st.lists(st.integers(1, 7), min_size=stages, max_size=stages))),
        crop=draw(st.integers(3, 96)),
        classes=draw(st.integers(2, 9)),
        head_width=draw(st.integers(1, 64)),
        stem_kernel=draw(st.sampled_from((1, 3, 5))),
    )


grids = st.builds(
    Grids,
    frames=st.integers(1, 5),
    crop=st.integers(1, 20),
    width=st.sampled_from((0.05, 0.1, 0.3, 0.5, 0.333, 1.0)),
    bottleneck=st.sampled_from((0.1, 0.25, 0.4, 0.7, 1.0)),
)


@st.composite
def lattices(draw: st.DrawFn) -> Lattice:
    basis = draw(bases())
    limits = Limits(
        frames=draw(st.none() | st.integers(1, 40)),
        crop=draw(st.none() | st.integers(basis.crop, 4 * basis.crop)),
        depth=draw(st.none() | st.floats(1, 6)),
        width=draw(st.none() | st.floats(1, 6)),
        bottleneck=draw(st.none() | st.floats(1, 6)),
    )
    return Lattice(basis, draw(grids), limits, first_stride=draw(st.integers(1, 20)))


rates = st.sampled_from((1.1, 1.3, 1.5, 2.0, 3.0, 10.0)) | st.floats(1.01, 12)


@st.composite
def frontiers(draw: st.DrawFn, lattice: Lattice) -> Factors:
    """Factors as a search leaves them: a few expansions from the basis."""
    factors = Factors()
    for axis in draw(st.lists(st.sampled_from(Axis), max_size=3)):
        found = solve(lattice, factors, axis, draw(st.floats(1.1, 4)), ANY_TOLERANCE)
        factors = found.factors if isinstance(found, Solution) else factors
    return factors


def grid_above_basis(lattice: Lattice, axis: Axis) -> Iterator[float]:
    """Every value of the grid above the basis, spelled out from its definition in the README of the spaces."""
    basis, grids = lattice.basis, lattice.grids
    match axis:
        case Axis.FAST | Axis.TEMPORAL:
            yield from (frames for frames in count(2) if frames % grids.frames == 0)
        case Axis.SPATIAL:
            yield from (crop / basis.crop for crop in count(basis.crop + 1) if crop % grids.crop == 0)
        case Axis.WIDTH:
            yield from (step * grids.width for step in count(1) if step * grids.width > 1 + 1e-9)
        case Axis.BOTTLENECK:
            yield from (step * grids.bottleneck for step in count(1) if step * grids.bottleneck > 1 + 1e-9)
        case Axis.DEPTH:
            gamma = Fraction(1)
            while True:
                gamma = min(Fraction(gamma * blocks // 1 + 1, blocks) for blocks in basis.blocks)
                yield float(gamma)


def allowed(lattice: Lattice, origin: Factors, axis: Axis, value: float) -> bool:
    """Whether the limits and, for X-Fast, the frames of the video allow `value`."""
    limits = lattice.limits
    limit: float | None
    match axis:
        case Axis.FAST | Axis.TEMPORAL:
            limit = limits.frames
        case Axis.SPATIAL:
            limit = None if limits.crop is None else limits.crop / lattice.basis.crop
        case _:
            limit = getattr(limits, axis)
    if axis is Axis.FAST and origin.gamma_tau is not None and value > origin.gamma_t * origin.gamma_tau:
        return False
    return limit is None or value <= limit + 1e-9


def values_beyond(lattice: Lattice, origin: Factors, axis: Axis) -> Iterator[float]:
    """The grid beyond `origin`, as far as it is allowed."""
    for value in grid_above_basis(lattice, axis):
        if value > factor_of(origin, axis) + 1e-9:
            if not allowed(lattice, origin, axis, value):
                return
            yield value


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    """Whole search spaces, small enough to be searched in a moment."""
    basis = {"widths": [8, 16], "blocks": [1, 2], "crop": 16, "classes": 4, "head_width": 16}
    axes = draw(st.lists(st.sampled_from(list(Axis)), min_size=1, unique=True))
    bounds = draw(st.lists(st.floats(2e5, 2e7), min_size=1, max_size=3))
    return space_of(
        basis=basis | {"crop": draw(st.integers(8, 24)), "blocks": draw(st.sampled_from(([1, 2], [2, 3], [1, 1])))},
        expansion={
            "rate": draw(st.sampled_from((1.5, 2.0, 3.0))),
            "tolerance": draw(st.sampled_from((0.1, 0.25, 0.6))),
            "axes": [axis.value for axis in axes],
            "max_steps": draw(st.none() | st.integers(1, 6)),
            "first_stride": 4,
        },
        grids={"crop": draw(st.sampled_from((2, 4, 8)))},
        limits={"frames": draw(st.none() | st.integers(2, 12)), "crop": draw(st.none() | st.integers(24, 60))},
        regimes={
            "bounds": {f"R{index}": bound for index, bound in enumerate(bounds)},
            "fill": draw(st.sampled_from((0.5, 0.85, 1.0))),
            "grace": draw(st.sampled_from((0.0, 0.05))),
            "contract": draw(st.sampled_from(("expanded-axis", "every-axis"))),
        },
    )


def score_of(trial: str, luck: int = 0) -> float:
    """A score drawn from the trial's name, coarse enough for draws."""
    return hashlib.sha256(f"{trial} {luck}".encode()).digest()[0] % 8 / 8


def completed(trial: str, score: float) -> Completed:
    return Completed(trial, Metrics(top1=score, top5=1.0, loss=1.0, videos=10), seconds=1.0)


def outcomes_of(step: Step, luck: int = 0) -> list[Completed]:
    return [completed(trial.id, score_of(trial.id, luck)) for trial in step.trials]


def searched(space: SearchSpace, luck: int = 0, cost: Cost | None = None) -> tuple[list[Step], list[Decision]]:
    """Every step of a search whose trials score what their names say, and its decisions. cost: where it is measured."""
    steps: list[Step] = []
    decisions: list[Decision] = []
    while step := next_step(space, decisions, "videos", cost):
        steps.append(step)
        decisions.append(decide(step, outcomes_of(step, luck)))
        assert len(decisions) < 200, "a search of this size has ended long ago"
    return steps, decisions


def expansions(decisions: Sequence[Decision]) -> list[Decision]:
    return [decision for decision in decisions if decision.kind == "expansion"]
