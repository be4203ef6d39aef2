"""The amount that reaches a target on one axis, against brute force over the grid."""

import math
import random
from itertools import islice, takewhile

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from spaces import ANY_TOLERANCE, frontiers, grid_above_basis, lattices, rates, values_beyond

import expander.cost
from expander.axis import Axis, Factors, expand, factor_of
from expander.complexity import measure
from expander.cost import Cost, closed_form
from expander.geometry import Basis, blocks_at, realise
from expander.solve import FAR, Grids, Infeasible, Lattice, Limits, Solution, contract, solve

axes = st.sampled_from(list(Axis))
PAPER = Lattice()
TINY = Basis(widths=(8, 16), blocks=(1, 2), crop=16, classes=4, head_width=16)


def at(lattice, origin, axis, value):
    return expand(origin, axis, value, first_stride=lattice.first_stride)


def flops_at(lattice, factors):
    return measure(realise(factors, lattice.basis)).flops


def off(flops, target):
    return round(max(flops / target, target / flops), 12)


def nearest_by_brute_force(lattice, frontier, axis, rate):
    """The factor that the rule wants, by looking at every place up to the first that reaches the target."""
    start = flops_at(lattice, frontier)
    found = []
    for value in values_beyond(lattice, frontier, axis):
        flops = flops_at(lattice, at(lattice, frontier, axis, value))
        if flops > start:
            found.append((off(flops, rate * start), flops, value))
        if flops >= rate * start:
            break
    return min(found)[2] if found else None


@given(data=st.data(), lattice=lattices(), axis=axes)
def test_complexity_never_falls_along_an_axis(data, lattice, axis):
    frontier = data.draw(frontiers(lattice))
    costs = [
        flops_at(lattice, at(lattice, frontier, axis, value))
        for value in islice(grid_above_basis(lattice, axis), 40)
        if value > factor_of(frontier, axis)
    ]
    assert costs == sorted(costs)
    assert not costs or costs[0] >= flops_at(lattice, frontier)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), lattice=lattices(), axis=axes, rate=rates)
def test_solving_finds_what_brute_force_finds(data, lattice, axis, rate):
    frontier = data.draw(frontiers(lattice))
    wanted = nearest_by_brute_force(lattice, frontier, axis, rate)
    found = solve(lattice, frontier, axis, rate, ANY_TOLERANCE)
    if wanted is None:
        assert isinstance(found, Infeasible)
        assert found.nearest is None
        assert any(character.isdigit() for character in found.reason)
    else:
        assert isinstance(found, Solution)
        assert factor_of(found.factors, axis) == pytest.approx(wanted, abs=1e-8)
        assert found.geometry == realise(at(lattice, frontier, axis, wanted), lattice.basis)
        assert found.complexity == measure(found.geometry)
        assert found.achieved_rate == found.complexity.flops / flops_at(lattice, frontier)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), lattice=lattices(), axis=axes, rate=rates, tolerance=st.floats(0.01, 0.9))
def test_within_the_tolerance_an_axis_is_feasible_and_outside_it_is_not(data, lattice, axis, rate, tolerance):
    frontier = data.draw(frontiers(lattice))
    wanted = nearest_by_brute_force(lattice, frontier, axis, rate)
    assume(wanted is not None)
    distance = off(flops_at(lattice, at(lattice, frontier, axis, wanted)), rate * flops_at(lattice, frontier)) - 1
    assume(abs(distance - tolerance) > 1e-6)
    found = solve(lattice, frontier, axis, rate, tolerance)
    if distance < tolerance:
        assert isinstance(found, Solution)
    else:
        assert isinstance(found, Infeasible)
        assert factor_of(found.nearest.factors, axis) == pytest.approx(wanted)
        assert f"{rate:g} x is wanted" in found.reason
        assert f"{found.nearest.achieved_rate:.3f} x" in found.reason


@settings(deadline=None)
@given(data=st.data(), lattice=lattices())
def test_factors_are_snapped_to_what_the_geometry_is(data, lattice):
    factors = data.draw(frontiers(lattice))
    geometry = realise(factors, lattice.basis)
    assert (geometry.frames, geometry.stride) == (factors.gamma_t, factors.gamma_tau)
    assert geometry.crop / lattice.basis.crop == factors.gamma_s
    assert (geometry.stride is None) == (geometry.frames == 1)
    # The largest γd that gives these blocks is where the first of the stages is full.
    full = min(blocks / base for blocks, base in zip(geometry.blocks, lattice.basis.blocks, strict=True))
    assert factors.gamma_d == pytest.approx(full, rel=1e-12)
    assert geometry.blocks == tuple(blocks_at(full, base) for base in lattice.basis.blocks)
    assert geometry.blocks != tuple(blocks_at(full + 1e-6, base) for base in lattice.basis.blocks)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), lattice=lattices(), axis=axes, rate=st.floats(1.5, 8), share=st.floats(0.05, 0.999))
def test_an_expansion_applied_again_is_the_largest_within_the_bound(data, lattice, axis, rate, share):
    frontier = data.draw(frontiers(lattice))
    beyond = solve(lattice, frontier, axis, rate, ANY_TOLERANCE)
    assume(isinstance(beyond, Solution))
    start, over = flops_at(lattice, frontier), beyond.complexity.flops
    bound = start + share * (over - start)
    costs = ((flops_at(lattice, at(lattice, frontier, axis, v)), v) for v in values_beyond(lattice, frontier, axis))
    within = list(takewhile(lambda cost: cost[0] <= bound, costs))
    check_contraction(contract(lattice, frontier, axis, bound, start, shrink=False), within, start, axis)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), lattice=lattices(), axis=axes, share=st.floats(0.02, 0.999), floor=st.floats(0, 0.9))
def test_a_shrunk_axis_is_the_largest_within_the_bound_and_not_under_the_basis(data, lattice, axis, share, floor):
    origin = data.draw(frontiers(lattice))
    bound = share * flops_at(lattice, origin)
    values = takewhile(lambda value: value < factor_of(origin, axis) - 1e-9, grid_above_basis(lattice, axis))
    below = [1, *values] if factor_of(origin, axis) > 1 else []
    costs = [(flops_at(lattice, at(lattice, origin, axis, value)), value) for value in below]
    within, least = [cost for cost in costs if cost[0] <= bound], max(1, math.floor(floor * bound))
    check_contraction(contract(lattice, origin, axis, bound, least, shrink=True), within, least, axis)


def check_contraction(found, within, floor, axis):
    """`within`: cost and factor of every place within the bound."""
    largest = max((flops for flops, _ in within), default=0)
    if largest > floor:
        assert isinstance(found, Solution)
        assert found.complexity.flops == largest
        assert found.achieved_rate == largest / floor
        smallest = min(value for flops, value in within if flops == largest)
        assert factor_of(found.factors, axis) == pytest.approx(smallest, abs=1e-8)
    else:
        assert isinstance(found, Infeasible)
        assert any(character.isdigit() for character in found.reason)


def test_of_two_equally_near_the_smaller_is_taken():
    start = flops_at(PAPER, Factors())
    costs = [flops_at(PAPER, at(PAPER, Factors(), Axis.FAST, frames)) for frames in (2, 3)]
    between = math.sqrt(costs[0] * costs[1]) / start
    assert solve(PAPER, Factors(), Axis.FAST, between, 1.0).factors.gamma_t == 2
    assert solve(PAPER, Factors(), Axis.FAST, between + 1e-6, 1.0).factors.gamma_t == 3


def test_of_equal_complexities_the_smaller_factor_is_taken():
    # Pixels come in pairs: the stem halves 31 and 32 to 16.
    lattice = Lattice(TINY, Grids(crop=1))
    odd, even = (Factors(gamma_s=crop / 16) for crop in (31, 32))
    assert flops_at(lattice, odd) == flops_at(lattice, even)
    rate = flops_at(lattice, even) / flops_at(lattice, Factors())
    assert solve(lattice, Factors(), Axis.SPATIAL, rate, 0.1).geometry.crop == 31
    shrunk = contract(lattice, Factors(gamma_s=3), Axis.SPATIAL, flops_at(lattice, even), 1, shrink=True)
    assert shrunk.geometry.crop == 31


def test_a_step_of_the_grid_that_rounding_undoes_expands_nothing():
    # 8 x 1.05 channels are 8 again; 1.15 is the first that rounds up, and far over the target.
    lattice = Lattice(Basis(widths=(8,), blocks=(1,), crop=16, classes=4, head_width=16))
    assert flops_at(lattice, Factors(gamma_w=1.05)) == flops_at(lattice, Factors())
    found = solve(lattice, Factors(), Axis.WIDTH, 1.1, ANY_TOLERANCE)
    assert found.geometry.widths == (16,)
    assert found.factors.gamma_w == 1.15


def test_a_limit_on_a_plateau_leaves_nothing_to_expand():
    lattice = Lattice(Basis(widths=(8,), blocks=(1,), crop=16, classes=4, head_width=16), limits=Limits(width=1.1))
    found = solve(lattice, Factors(), Axis.WIDTH, 2, 0.2)
    assert found == Infeasible(
        "nothing on the grid is larger than the frontier: limits.width is 1.1, and the frontier stands at 1"
    )


def test_the_tolerance_itself_is_already_too_far():
    start = flops_at(PAPER, Factors())
    reached = flops_at(PAPER, at(PAPER, Factors(), Axis.FAST, 2)) / start
    lattice = Lattice(limits=Limits(frames=2))
    assert isinstance(solve(lattice, Factors(), Axis.FAST, reached * 1.25, 0.25), Infeasible)
    assert isinstance(solve(lattice, Factors(), Axis.FAST, reached * 1.2499, 0.25), Solution)


@pytest.mark.parametrize(
    ("grids", "basis", "axis", "values"),
    [
        (Grids(), Basis(), Axis.FAST, [2, 3, 4, 5]),
        (Grids(frames=4), Basis(), Axis.TEMPORAL, [4, 8, 12, 16]),
        (Grids(), Basis(), Axis.SPATIAL, [120 / 112, 128 / 112, 136 / 112]),
        (Grids(), Basis(crop=100), Axis.SPATIAL, [104 / 100, 112 / 100]),
        (Grids(), Basis(), Axis.WIDTH, [1.05, 1.1, 1.15]),
        (Grids(width=0.3), Basis(), Axis.WIDTH, [1.2, 1.5, 1.8]),
        (Grids(width=0.7), Basis(), Axis.WIDTH, [1.4, 2.1, 2.8]),
        (Grids(bottleneck=3.0), Basis(), Axis.BOTTLENECK, [3, 6, 9]),
        (Grids(), Basis(), Axis.DEPTH, [1.2, 4 / 3, 1.4, 1.5, 1.6, 5 / 3, 1.8, 2, 2.2]),
        (Grids(), Basis(widths=(8,), blocks=(6,)), Axis.DEPTH, [7 / 6, 8 / 6, 9 / 6, 10 / 6, 11 / 6, 2, 13 / 6]),
    ],
)
def test_the_places_of_a_grid(grids, basis, axis, values):
    lattice = Lattice(basis, grids)
    for place, value in enumerate(values):
        before = at(lattice, Factors(), axis, values[place - 1]) if place else Factors()
        cost = flops_at(lattice, at(lattice, Factors(), axis, value))
        found = solve(lattice, before, axis, cost / flops_at(lattice, before), ANY_TOLERANCE)
        assert factor_of(found.factors, axis) == pytest.approx(value, abs=1e-12)


def test_a_shrinking_axis_reaches_a_basis_that_is_off_its_grid():
    lattice = Lattice(Basis(crop=100), Grids(width=0.3))
    wide, large = Factors(gamma_w=1.2), Factors(gamma_s=1.04)
    assert contract(lattice, wide, Axis.WIDTH, flops_at(lattice, wide) - 1, 1, shrink=True).factors == Factors()
    assert contract(lattice, large, Axis.SPATIAL, flops_at(lattice, large) - 1, 1, shrink=True).factors == Factors()


XS = Factors(gamma_tau=12, gamma_t=4, gamma_s=160 / 112, gamma_b=2.25, gamma_d=2.2)


@pytest.mark.parametrize(
    ("limits", "axis", "reason"),
    [
        (
            Limits(frames=6),
            Axis.TEMPORAL,
            "the nearest is 1.498 x the frontier where 2 x is wanted: off by a factor of 1.335, and"
            " expansion.tolerance allows less than 1.2; limits.frames is 6, and the frontier stands at 4",
        ),
        (
            Limits(crop=160),
            Axis.SPATIAL,
            "nothing on the grid is larger than the frontier: limits.crop is 160, and the frontier stands at 160",
        ),
        (
            Limits(depth=2.2),
            Axis.DEPTH,
            "nothing on the grid is larger than the frontier: limits.depth is 2.2, and the frontier stands at 2.2",
        ),
        (
            Limits(width=1.04),
            Axis.WIDTH,
            "nothing on the grid is larger than the frontier: limits.width is 1.04, and the frontier stands at 1",
        ),
        (
            Limits(bottleneck=2.5),
            Axis.BOTTLENECK,
            "the nearest is 1.106 x the frontier where 2 x is wanted: off by a factor of 1.809, and"
            " expansion.tolerance allows less than 1.2; limits.bottleneck is 2.5, and the frontier stands at 2.25",
        ),
    ],
)
def test_a_limit_is_named_where_it_makes_an_axis_infeasible(limits, axis, reason):
    assert solve(Lattice(limits=limits), XS, axis, 2, 0.2).reason == reason


def test_x_fast_ends_where_the_stride_is_one():
    last = Factors(gamma_tau=1, gamma_t=64)
    assert solve(PAPER, last, Axis.FAST, 2, 0.2) == Infeasible(
        "nothing on the grid is larger than the frontier:"
        " a stride of 1 at 64 frames leaves no more than 64 of the same duration"
    )
    assert solve(PAPER, last, Axis.TEMPORAL, 2, 0.2).factors == Factors(gamma_tau=1, gamma_t=128)


def test_x_fast_says_how_far_the_duration_reaches_even_off_the_grid():
    # 5 frames at a stride of 3 span 15; of the grid of 4, 12 is within that.
    found = solve(Lattice(grids=Grids(frames=4)), Factors(gamma_tau=3, gamma_t=5), Axis.FAST, 4, 0.2)
    assert found.nearest.geometry.frames == 12
    assert found.reason.endswith("; a stride of 3 at 5 frames leaves no more than 15 of the same duration")


def test_a_limit_under_the_frontier_is_no_crash():
    assert isinstance(solve(Lattice(limits=Limits(frames=2)), XS, Axis.TEMPORAL, 2, 0.2), Infeasible)


def test_a_rate_that_the_grid_is_too_coarse_for_is_infeasible_with_its_figures():
    found = solve(PAPER, Factors(), Axis.FAST, 1.3, 0.2)
    assert found.nearest.geometry.frames == 2
    assert found.reason == (
        "the nearest is 1.940 x the frontier where 1.3 x is wanted: off by a factor of 1.493, and"
        " expansion.tolerance allows less than 1.2"
    )


def test_contraction_of_step_seven_is_x3d_s():
    frontier = Factors(gamma_tau=9, gamma_t=8, gamma_s=160 / 112, gamma_b=2.25, gamma_d=2.2)
    found = contract(PAPER, frontier, Axis.FAST, 2e9, flops_at(PAPER, frontier), shrink=False)
    assert (found.geometry.clip, found.complexity.flops) == ("13x6", 1_962_892_112)
    assert found.achieved_rate == pytest.approx(1.6240, abs=1e-4)


@pytest.mark.parametrize(
    ("axis", "bound", "floor", "reason"),
    [
        (Axis.WIDTH, 0.5e9, 0.4e9, "at 1, width is the basis' and does not shrink"),
        (Axis.TEMPORAL, 0.1e9, 0.05e9, "the smallest has 152.7 MFLOPs, over the bound of 100 MFLOPs"),
        (
            Axis.TEMPORAL,
            0.5e9,
            0.46e9,
            "the largest within 500 MFLOPs has 454.4 MFLOPs, no more than the last step within has (460 MFLOPs)",
        ),
    ],
)
def test_an_impossible_contraction_says_what_there_is(axis, bound, floor, reason):
    assert contract(PAPER, XS, axis, bound, floor, shrink=True).reason == reason


def test_a_bound_is_met_to_the_last_multiply_add():
    two, three = (flops_at(PAPER, at(PAPER, Factors(), Axis.FAST, frames)) for frames in (2, 3))
    for bound, frames in ((three, 3), (three - 1, 2), (three - 0.5, 2), (three + 0.5, 3), (two, 2)):
        assert contract(PAPER, Factors(), Axis.FAST, bound, 1, shrink=False).geometry.frames == frames


def test_six_candidates_take_a_few_hundred_evaluations_of_the_closed_form(monkeypatch):
    calls = []
    monkeypatch.setattr(expander.cost, "measure", lambda geometry: calls.append(geometry) or measure(geometry))
    frontier = Factors(gamma_tau=3, gamma_t=32, gamma_s=312 / 112, gamma_w=1.45, gamma_b=2.25, gamma_d=5.0)
    for axis in Axis:
        assert isinstance(solve(Lattice(first_stride=17), frontier, axis, 2, 0.2), Solution)
    assert 6 < len(calls) < 300


# Other complexities than multiply-adds.

SMALL = Lattice(TINY, Grids(crop=4))
# Many places between one that costs once and one that costs twice, for measurements to fall between.
FINE = Lattice(Basis((24, 48), (4, 6), crop=48, classes=4, head_width=16), Grids(crop=2, width=0.05, bottleneck=0.1))


def read_off(values, device="a drawn device"):
    """A measured cost that says of each network what `values` says of its multiply-adds; and what was asked."""
    asked = []

    def of(geometry):
        asked.append(geometry)
        return values(measure(geometry).flops)

    return Cost("latency", of, device), asked


def noisy(seed, spread):
    """Multiply-adds, each off by up to `spread` of itself; the same network always by the same."""
    return lambda flops: flops * (1 + spread * (2 * random.Random(f"{seed} {flops}").random() - 1))


@settings(max_examples=100, deadline=None)
@given(data=st.data(), lattice=lattices(), axis=axes, rate=st.floats(1.1, 4))
def test_a_staircase_that_never_falls_is_solved_as_the_closed_form_is(data, lattice, axis, rate):
    frontier = data.draw(frontiers(lattice))
    exactly = solve(lattice, frontier, axis, rate, ANY_TOLERANCE)
    measured = solve(lattice, frontier, axis, rate, ANY_TOLERANCE, read_off(float)[0])
    assume(isinstance(exactly, Solution) and exactly.achieved_rate < FAR / 8)
    assert measured == exactly


@settings(max_examples=150, deadline=None)
@given(data=st.data(), axis=axes, rate=st.floats(1.2, 4), seed=st.integers(0, 10**6), spread=st.floats(0, 0.6))
def test_the_nearest_of_the_places_that_took_more_than_all_before_is_taken(data, axis, rate, seed, spread):
    frontier = data.draw(frontiers(FINE))
    cost, _ = read_off(noisy(seed, spread))
    start = cost.of(realise(frontier, FINE.basis))
    most, records = start, []
    for value in values_beyond(FINE, frontier, axis):
        geometry = realise(at(FINE, frontier, axis, value), FINE.basis)
        if measure(geometry).flops > FAR * flops_at(FINE, frontier) or most >= rate * start:
            break
        if cost.of(geometry) > most:
            most = cost.of(geometry)
            records.append((off(most, rate * start), most, value))
    found = solve(FINE, frontier, axis, rate, ANY_TOLERANCE, cost)
    if not records:
        assert isinstance(found, Infeasible)
        return
    assert factor_of(found.factors, axis) == pytest.approx(min(records)[2], abs=1e-8)
    # What is written down of a network is what was measured of it.
    assert found.cost == cost.of(found.geometry)
    assert found.achieved_rate == found.cost / start > 1


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    axis=axes,
    share=st.floats(0.05, 4),
    seed=st.integers(0, 10**6),
    spread=st.floats(0, 0.6),
    shrink=st.booleans(),
)
def test_no_contraction_is_over_its_bound_however_the_measurements_fall(data, axis, share, seed, spread, shrink):
    origin = data.draw(frontiers(FINE))
    cost, _ = read_off(noisy(seed, spread))
    start = cost.of(realise(origin, FINE.basis))
    floor = start * (0.05 if shrink else 1)
    found = contract(FINE, origin, axis, share * start, floor, shrink=shrink, cost=cost)
    if isinstance(found, Solution):
        assert floor < found.cost == cost.of(found.geometry) <= share * start
    else:
        assert found.reason


def test_each_place_is_measured_once_and_none_beyond_the_target():
    cost, asked = read_off(float)
    found = solve(SMALL, Factors(), Axis.SPATIAL, 2.0, ANY_TOLERANCE, cost)
    beyond = [geometry.crop for geometry in asked if geometry.crop > 16]
    assert beyond == sorted(set(beyond))
    assert max(beyond) - found.geometry.crop in (0, 4)


def test_a_plateau_of_the_staircase_is_left_at_its_first_place():
    # Rounded to steps of 50k: many networks take the same.
    cost, _ = read_off(lambda flops: 5e4 * (flops // 50_000 + 1))
    found = solve(SMALL, Factors(), Axis.SPATIAL, 3.0, ANY_TOLERANCE, cost)
    at_least = [crop for crop in range(16, 100, 4) if cost.of(realise(Factors(gamma_s=crop / 16), TINY)) == found.cost]
    assert found.geometry.crop == at_least[0]
    assert len(at_least) > 1


def test_a_cost_that_does_not_grow_ends_the_axis_far_beyond_the_frontier():
    cost, asked = read_off(lambda flops: 1.0)
    found = solve(SMALL, Factors(), Axis.SPATIAL, 2.0, ANY_TOLERANCE, cost)
    assert found == Infeasible(
        "nothing on the grid is larger than the frontier: it was not measured beyond 64 x the frontier's multiply-adds"
    )
    assert measure(asked[-1]).flops <= FAR * flops_at(SMALL, Factors())
    slow, _ = read_off(lambda flops: 1 + flops * 1e-12)
    found = solve(SMALL, Factors(), Axis.SPATIAL, 2.0, 0.2, slow)
    assert found.reason.endswith("; it was not measured beyond 64 x the frontier's multiply-adds")
    assert found.nearest.geometry == asked[-1]


def test_a_limit_before_the_far_end_is_what_an_axis_is_said_to_end_at():
    cost, _ = read_off(lambda flops: 1.0)
    lattice = Lattice(TINY, Grids(crop=4), Limits(crop=24))
    assert "limits.crop is 24" in solve(lattice, Factors(), Axis.SPATIAL, 2.0, 0.2, cost).reason


def test_an_axis_ends_where_the_device_has_no_room():
    most = flops_at(SMALL, Factors(gamma_s=24 / 16))
    cost, _ = read_off(lambda flops: float(flops) if flops <= most else math.inf)
    found = solve(SMALL, Factors(), Axis.SPATIAL, 8.0, 0.2, cost)
    assert found.nearest.geometry.crop == 24
    assert found.reason.endswith("; at 28, it does not fit in the memory of a drawn device")
    assert solve(SMALL, Factors(), Axis.SPATIAL, 2.0, ANY_TOLERANCE, cost).geometry.crop == 24
    full = Factors(gamma_s=24 / 16)
    nothing = "at 28, it does not fit in the memory of a drawn device"
    assert solve(SMALL, full, Axis.SPATIAL, 2.0, 0.2, cost) == Infeasible(
        f"nothing on the grid is larger than the frontier: {nothing}"
    )
    start = cost.of(realise(full, TINY))
    assert contract(SMALL, full, Axis.SPATIAL, 2 * start, start, shrink=False, cost=cost) == Infeasible(nothing)
    again = contract(SMALL, Factors(), Axis.SPATIAL, 1e12, 1.0, shrink=False, cost=cost)
    assert again.geometry.crop == 24


@pytest.mark.parametrize("axis", [Axis.FAST, Axis.TEMPORAL, Axis.SPATIAL])
def test_an_axis_that_parameters_do_not_see_is_infeasible_with_that_reason(axis):
    more = "pixels" if axis is Axis.SPATIAL else "frames"
    reason = Infeasible(f"params does not see {axis}: more {more} add no parameters")
    params = closed_form("params")
    assert solve(PAPER, XS, axis, 2, 0.2, params) == reason
    for shrink in (False, True):
        assert contract(PAPER, XS, axis, 1e6, 1e5, shrink=shrink, cost=params) == reason


@settings(max_examples=100, deadline=None)
@given(data=st.data(), lattice=lattices(), axis=axes, rate=rates, name=st.sampled_from(("params", "activations")))
def test_another_closed_form_is_solved_by_its_own_values(data, lattice, axis, rate, name):
    frontier = data.draw(frontiers(lattice))
    cost = closed_form(name)
    assume(cost.unseen(axis) is None)
    start = cost.of(realise(frontier, lattice.basis))
    found = []
    for value in values_beyond(lattice, frontier, axis):
        here = cost.of(realise(at(lattice, frontier, axis, value), lattice.basis))
        if here > start:
            found.append((off(here, rate * start), here, value))
        if here >= rate * start:
            break
    solved = solve(lattice, frontier, axis, rate, ANY_TOLERANCE, cost)
    if found:
        assert factor_of(solved.factors, axis) == pytest.approx(min(found)[2], abs=1e-8)
        assert solved.cost == min(found)[1]
    else:
        assert isinstance(solved, Infeasible)
