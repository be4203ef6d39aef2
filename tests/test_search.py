"""The search as pure functions: the published path, and what holds for every search."""

import json
import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from spaces import completed, expansions, outcomes_of, searched, space_of, spaces, values_beyond

from expander.axis import Axis, Factors, expand
from expander.complexity import measure
from expander.cost import Cost
from expander.errors import StepFailed
from expander.geometry import realise
from expander.search import decide, ending, instances, next_step, prescribe, prescribed_axis
from expander.trial import Failed

PUBLISHED = Path(__file__).parents[1].parent / "shared" / "paper" / "published.json"
PATH = (
    *("bottleneck", "fast", "spatial", "depth", "temporal", "temporal", "fast"),
    *("spatial", "spatial", "depth", "width", "fast", "depth"),
)


class Row(NamedTuple):
    key: str
    axis: str
    clip: str
    crop: int
    blocks: tuple[int, ...]
    widths: tuple[tuple[int, ...], tuple[int, ...]]  # of the stages, and inside their bottlenecks
    gamma_w: float
    gamma_b: float
    gamma_d: float
    flops: int
    params: int
    params_without_batchnorm: int
    rate: float


W1, W2 = ((24, 48, 96, 192), (54, 108, 216, 432)), ((32, 72, 136, 280), (72, 162, 306, 630))
D1, D2, D5, D10 = (1, 2, 5, 3), (3, 5, 11, 7), (5, 10, 25, 15), (11, 21, 51, 31)
# fmt: off
# Fig. 2 and Sec. 4.1, reconstructed:
#   step, axis, T x τ, S, blocks, widths, γw, γb, γd, FLOPs, params, without BN, achieved rate
ROWS = [Row(*row) for row in (
    ("1",       "bottleneck", "1",    112, D1,  W1, 1.00, 2.25,  1.0,      40_996_040,  2_653_172,  2_638_604, 1.9841),
    ("2",       "fast",       "2x16", 112, D1,  W1, 1.00, 2.25,  1.0,      80_209_520,  2_653_172,  2_638_604, 1.9565),
    ("3",       "spatial",    "2x16", 160, D1,  W1, 1.00, 2.25,  1.0,     153_402_560,  2_653_172,  2_638_604, 1.9125),
    ("4",       "depth",      "2x16", 160, D2,  W1, 1.00, 2.25,  2.2,     303_559_712,  3_794_322,  3_762_858, 1.9788),
    ("5",       "temporal",   "4x12", 160, D2,  W1, 1.00, 2.25,  2.2,     605_256_512,  3_794_322,  3_762_858, 1.9939),
    ("6",       "temporal",   "8x9",  160, D2,  W1, 1.00, 2.25,  2.2,   1_208_650_112,  3_794_322,  3_762_858, 1.9969),
    ("7",       "fast",       "16x5", 160, D2,  W1, 1.00, 2.25,  2.2,   2_415_437_312,  3_794_322,  3_762_858, 1.9985),
    ("7-X3D-S", "fast",       "13x6", 160, D2,  W1, 1.00, 2.25,  2.2,   1_962_892_112,  3_794_322,  3_762_858, 1.6240),
    ("8",       "spatial",    "16x5", 224, D2,  W1, 1.00, 2.25,  2.2,   4_732_468_736,  3_794_322,  3_762_858, 1.9593),
    ("9",       "spatial",    "16x5", 312, D2,  W1, 1.00, 2.25,  2.2,   9_451_559_360,  3_794_322,  3_762_858, 1.9972),
    ("10",      "depth",      "16x5", 312, D5,  W1, 1.00, 2.25,  5.0,  18_367_710_176,  6_153_432,  6_087_120, 1.9434),
    ("11",      "width",      "16x5", 312, D5,  W2, 1.45, 2.25,  5.0,  35_837_627_616, 11_095_904, 11_000_260, 1.9511),
    ("12",      "fast",       "32x3", 312, D5,  W2, 1.45, 2.25,  5.0,  71_672_522_272, 11_095_904, 11_000_260, 1.9999),
    ("13",      "depth",      "32x3", 312, D10, W2, 1.45, 2.25, 10.2, 143_541_630_016, 20_474_404, 20_279_760, 2.0027),
)]
INSTANCES = {  # step, kind
    "X3D-XS": (5, "expansion"),
    "X3D-S": (7, "contraction"),
    "X3D-M": (8, "expansion"),
    "X3D-L": (10, "expansion"),
    "X3D-XL": (11, "expansion"),
    "X3D-XXL": (13, "expansion"),
}
# fmt: on

# The order of the axes, ĉ = 2 and the grids: nothing else of the paper's figures.
ORDER = space_of(
    expansion={"rate": 2.0, "path": list(PATH), "path_is": "prescribed"},
    grids={"frames": 1, "crop": 8, "width": 0.05, "bottleneck": 0.25},
)


def prescribed(space):
    """Steps and decisions along the path of a space."""
    steps, decisions = [], []
    while step := next_step(space, decisions):
        steps.append(step)
        decisions.append(prescribe(step, prescribed_axis(space, step, decisions)))
    return steps, decisions


PATH_STEPS, PATH_DECISIONS = prescribed(ORDER)


def kept(step, decision):
    return next(candidate for candidate in step.candidates if candidate.axis is decision.axis).solution


@pytest.mark.parametrize(("place", "row"), list(enumerate(ROWS)), ids=[row.key for row in ROWS])
def test_the_order_of_the_axes_alone_lands_on_the_published_step(place, row):
    step, decision = PATH_STEPS[place], PATH_DECISIONS[place]
    solution = kept(step, decision)
    geometry, factors, cost = solution.geometry, solution.factors, solution.complexity
    assert (
        Row(
            step.key,
            decision.axis.value,
            geometry.clip,
            geometry.crop,
            geometry.blocks,
            (geometry.widths, geometry.inner_widths),
            factors.gamma_w,
            factors.gamma_b,
            factors.gamma_d,
            cost.flops,
            cost.params,
            cost.params_without_batchnorm,
            round(solution.achieved_rate, 4),
        )
        == row
    )
    assert factors.gamma_s == geometry.crop / 112
    assert (decision.factors, decision.cost, decision.trial, decision.score) == (factors, cost.flops, None, None)
    assert geometry == realise(factors, ORDER.lattice.basis)


def test_the_path_ends_with_the_six_published_instances():
    assert len(PATH_STEPS) == len(ROWS)
    found = {instance.name: (instance.step, instance.kind) for instance in instances(ORDER, PATH_DECISIONS)}
    assert found == INSTANCES
    assert list(found) == list(INSTANCES)
    assert ending(ORDER, PATH_DECISIONS) == "every regime has its instance"
    by_key = {row.key: row for row in ROWS}
    for instance in instances(ORDER, PATH_DECISIONS):
        row = by_key[f"{instance.step}-X3D-S" if instance.kind == "contraction" else str(instance.step)]
        assert (instance.complexity.flops, instance.geometry.clip, instance.trial) == (row.flops, row.clip, None)


@pytest.mark.skipif(not PUBLISHED.exists(), reason="../shared/paper/published.json is not here")
def test_every_row_of_the_shared_figures_is_reached():
    rows = json.loads(PUBLISHED.read_text())["path"]
    reached = {decision.key: kept(step, decision) for step, decision in zip(PATH_STEPS, PATH_DECISIONS, strict=True)}
    checked = 0
    for row in rows[1:]:
        key = f"{row['step']}-{row['instance']}" if row["kind"] == "contraction" else str(row["step"])
        solution = reached[key]
        values = solution.geometry.as_dict() | solution.factors.as_dict() | solution.complexity.as_dict()
        same = {name: values[name] for name in row if name in values}
        assert same == {name: row[name] for name in same}
        assert len(same) == 12
        assert row["achieved_rate"] in (None, round(solution.achieved_rate, 4))
        checked += 1
    assert checked == len(reached) == 14


def test_a_trained_search_whose_scores_prefer_the_path_lands_on_the_same():
    space = space_of()
    decisions = []
    while step := next_step(space, decisions, "videos"):
        wanted = prescribed_axis(space_of(expansion={"path": list(PATH)}), step, decisions)
        (best,) = (candidate.trial for candidate in step.candidates if candidate.axis is wanted)
        decisions.append(decide(step, [completed(trial.id, float(trial == best)) for trial in step.trials]))
    pairs = [(decision.key, decision.cost) for decision in decisions]
    assert pairs == [(row.key, row.flops) for row in ROWS]
    assert {found.name: (found.step, found.kind) for found in instances(space, decisions)} == INSTANCES
    assert all(found.trial and found.score == 1.0 for found in instances(space, decisions))


def test_a_contraction_leaves_the_frontier_where_it_was():
    after = PATH_STEPS[8]
    assert (after.number, after.frontier, after.frontier_cost) == (8, PATH_DECISIONS[6].factors, 2415437312)
    assert (PATH_STEPS[7].frontier, PATH_STEPS[7].frontier_cost) == (PATH_DECISIONS[5].factors, 1208650112)
    assert PATH_STEPS[7].bound == pytest.approx(2.02e9)
    assert after.bound == 2 * 2415437312


def test_contraction_along_every_axis_trains_six_smaller_networks():
    space = ORDER.model_copy(update={"regimes": ORDER.regimes.model_copy(update={"contract": "every-axis"})})
    step = next(step for step in prescribed(space)[0] if step.kind == "contraction")
    found = {
        c.axis.value: (c.solution.geometry.clip, c.solution.complexity.flops) for c in step.candidates if c.feasible
    }
    geometries = {c.axis: c.solution.geometry for c in step.candidates if c.solution}
    assert found["fast"] == ("13x6", 1962892112)
    assert found["temporal"] == ("13x5", 1962892112)  # 5 x (16 / 13) ** 0.415 is 5.45
    assert geometries[Axis.SPATIAL].crop == 136
    assert geometries[Axis.DEPTH].blocks == (2, 4, 9, 6)
    assert geometries[Axis.BOTTLENECK].inner_widths == (42, 84, 168, 336)
    (width,) = (candidate for candidate in step.candidates if candidate.axis is Axis.WIDTH)
    assert width.reason == "at 1, width is the basis' and does not shrink"
    assert all(flops <= 2.02e9 for _, flops in found.values())


def test_x_fast_and_x_temporal_from_one_frame_share_one_trial():
    step = next_step(space_of(), [], "videos")
    fast, temporal, *_ = step.candidates
    assert (fast.axis, temporal.axis) == (Axis.FAST, Axis.TEMPORAL)
    assert fast.trial == temporal.trial
    assert len(step.trials) == 5
    decision = decide(step, [completed(trial.id, float(trial == fast.trial)) for trial in step.trials])
    assert decision.axis is Axis.FAST
    assert [ranked.axis for ranked in decision.ranking[:2]] == [Axis.FAST, Axis.TEMPORAL]


def test_without_data_candidates_carry_no_trials():
    assert next_step(space_of(), []).trials == ()
    assert next_step(ORDER, [], "videos").trials == ()


def test_the_recipe_follows_the_step_and_a_contraction_has_that_of_the_step_that_overshot():
    space = ORDER.model_copy(
        update={"regularisation": space_of(regularisation=[{"from_step": 8, "batch": 2}]).regularisation}
    )
    batches = {step.key: step.recipe.batch for step in prescribed(space)[0]}
    assert [batches[key] for key in ("1", "7", "7-X3D-S", "8", "13")] == [1024, 1024, 1024, 2, 2]


# What is decided.


@pytest.fixture
def step():
    return next_step(space_of(), [], "videos")


def scores(step, **by_axis):
    """Outcomes with these scores: a number, or a text for the reason of a failure."""
    trials = {candidate.axis.value: candidate.trial.id for candidate in step.candidates}
    return [
        Failed(trials[axis], score) if isinstance(score, str) else completed(trials[axis], score)
        for axis, score in by_axis.items()
    ]


ALL = {"fast": 0.5, "spatial": 0.5, "depth": 0.5, "width": 0.5, "bottleneck": 0.5}


def test_the_best_score_is_kept_and_the_ranking_says_why(step):
    decision = decide(step, scores(step, **ALL | {"width": 0.6, "depth": 0.4}))
    assert (decision.axis, decision.score) == (Axis.WIDTH, 0.6)
    assert [ranked.axis.value for ranked in decision.ranking] == [
        "width", "spatial", "fast", "temporal", "bottleneck", "depth",
    ]  # fmt: skip
    assert decision.key == "1"


def test_of_equal_scores_the_cheapest_is_kept(step):
    assert decide(step, scores(step, **ALL)).axis is Axis.SPATIAL
    assert decide(step, scores(step, **ALL)).cost == min(c.solution.complexity.flops for c in step.candidates)


def test_infeasible_candidates_stay_in_the_ranking_with_their_reason():
    step = next_step(space_of(limits={"depth": 1, "crop": 112, "width": 1}), [], "videos")
    decision = decide(step, outcomes_of(step))
    reasons = {ranked.axis.value: ranked.reason for ranked in decision.ranking if ranked.score is None}
    assert set(reasons) == {"spatial", "depth", "width"}
    assert reasons["depth"].endswith("limits.depth is 1, and the frontier stands at 1")


def test_a_failed_trial_stops_the_step_and_is_named_once(step):
    trial = step.candidates[0].trial.id
    with pytest.raises(StepFailed) as caught:
        decide(step, scores(step, **ALL | {"fast": "loss is not a number"}))
    assert str(caught.value) == (
        f"step 1: 1 of 5 trials failed\n  fast, temporal (trial {trial}): loss is not a number\n"
        "Fix the cause and run `expander retry` with the name of the search, which trains only these again; or set"
        " failures.then: skip in the space to decide without them."
    )


def test_a_trial_without_an_outcome_stops_the_step(step):
    outcomes = scores(step, **ALL)
    with pytest.raises(StepFailed, match=r"1 of 5 trials failed\n  bottleneck \(trial \w+\): it has no outcome"):
        decide(step, outcomes[:-1])


def test_failed_trials_are_left_out_where_the_space_says_so(step):
    outcomes = scores(step, **ALL | {"spatial": "out of memory", "bottleneck": 0.9})
    decision = decide(step, outcomes, skip_failed=True)
    assert decision.axis is Axis.BOTTLENECK
    assert decision.ranking[-1].reason == "out of memory"


def test_a_step_whose_trials_all_failed_stops_whatever_the_space_says(step):
    with pytest.raises(StepFailed, match="5 of 5 trials failed") as caught:
        decide(step, scores(step, **dict.fromkeys(ALL, "no such file")), skip_failed=True)
    assert "failures.then" not in str(caught.value)


def test_one_cause_of_several_failures_is_told_once():
    step = next_step(space_of(expansion={"axes": ["depth", "width"]}), [], "videos")
    with pytest.raises(StepFailed) as caught:
        decide(step, [Failed(trial.id, "no video can be read") for trial in step.trials])
    depth, width = (trial.id for trial in step.trials)
    lines = str(caught.value).splitlines()
    assert lines[:2] == [
        "step 1: 2 of 2 trials failed",
        f"  depth (trial {depth}); width (trial {width}): no video can be read",
    ]


def test_a_path_that_cannot_be_followed_says_why():
    step = next_step(space_of(expansion={"axes": ["fast", "width"]}, limits={"width": 1}), [])
    with pytest.raises(StepFailed) as caught:
        prescribe(step, Axis.WIDTH)
    assert str(caught.value) == (
        "step 1: the path takes width, which is infeasible: nothing on the grid is larger than the frontier:"
        " limits.width is 1, and the frontier stands at 1"
    )
    with pytest.raises(StepFailed, match="the path takes depth, which is infeasible: it is not among"):
        prescribe(step, Axis.DEPTH)


# Regimes, one case each. X-Fast alone over a tiny basis: its FLOPs are nearly those of its frames.

TINY = {"widths": [8, 16], "blocks": [1, 2], "crop": 16, "classes": 4, "head_width": 16}


def fast_only(bounds, path=9, grids=None, limits=None, fill=0.85, **expansion):
    """1, 2, 4, 8, 16, ... frames."""
    expansion = {"axes": ["fast"], "path": ["fast"] * path, "path_is": "prescribed"} | expansion
    return space_of(
        basis=TINY,
        expansion=expansion,
        regimes={"bounds": bounds, "fill": fill},
        grids=grids or {},
        limits=limits or {},
    )


def frames_flops(frames):
    return measure(realise(Factors(gamma_t=frames), space_of(basis=TINY).lattice.basis)).flops


def found(space):
    _, decisions = prescribed(space)
    names = {i.name: (i.kind, i.step, i.geometry.frames) for i in instances(space, decisions)}
    return names, [decision.key for decision in decisions], ending(space, decisions)


def test_two_regimes_crossed_in_one_step_are_both_contracted_the_smaller_first():
    space = fast_only({"Large": frames_flops(14), "Small": frames_flops(11), "End": frames_flops(16)})
    names, keys, _ = found(space)
    assert keys == ["1", "2", "3", "4", "4-Small", "4-Large"]
    assert names == {
        "Small": ("contraction", 4, 11),
        "Large": ("contraction", 4, 14),
        "End": ("expansion", 4, 16),
    }


def test_a_regime_under_the_first_step_is_contracted_from_the_basis_or_is_the_basis():
    basis = space_of(basis=TINY).lattice.basis
    bound = measure(realise(Factors(gamma_s=22 / 16), basis)).flops
    expansion = {"rate": 4, "axes": ["spatial"], "path": ["spatial"] * 3, "path_is": "prescribed"}
    _, decisions = prescribed(
        space := space_of(basis=TINY, expansion=expansion, grids={"crop": 2}, regimes={"bounds": {"A": bound}})
    )
    (instance,) = instances(space, decisions)
    assert (instance.kind, instance.step, instance.geometry.crop) == ("contraction", 1, 22)
    # From one frame to two there is nothing between.
    names, keys, _ = found(fast_only({"A": frames_flops(1) * 1.4}))
    assert names == {"A": ("basis", 0, 1)}
    assert keys == ["1"]


def test_a_basis_that_fills_its_regime_is_its_instance_without_any_step():
    names, keys, reason = found(fast_only({"A": frames_flops(1) * 1.1}))
    assert (names, keys, reason) == ({"A": ("basis", 0, 1)}, [], "every regime has its instance")


def test_the_last_step_within_is_kept_where_nothing_lies_between_it_and_the_next():
    names, keys, _ = found(fast_only({"A": frames_flops(7)}, grids={"frames": 4}, rate=3, tolerance=0.9))
    assert names == {"A": ("expansion", 1, 4)}
    assert keys == ["1", "2"]  # 4 frames, 12 frames; 8 are over the bound


def test_a_needed_contraction_is_made_even_where_the_steps_are_at_their_end():
    for last in ({"max_steps": 4}, {"path": 4}):
        names, keys, reason = found(fast_only({"A": frames_flops(12), "B": frames_flops(99)}, **last))
        assert names == {"A": ("contraction", 4, 12)}
        assert keys == ["1", "2", "3", "4", "4-A"]
        assert reason in ("expansion.max_steps (4) is reached", "the path ends after 4 steps")


def test_at_the_end_of_the_path_the_last_step_is_an_instance_if_it_fills_its_regime():
    assert found(fast_only({"A": frames_flops(9)}, path=3)) == ({"A": ("expansion", 3, 8)}, ["1", "2", "3"],
                                                               "every regime has its instance")  # fmt: skip
    assert found(fast_only({"A": frames_flops(10)}, path=3)) == ({}, ["1", "2", "3"], "the path ends after 3 steps")


def test_at_the_end_an_instance_does_not_wait_for_a_larger_step_that_would_fit():
    for last in ({"max_steps": 3}, {"path": 3}):
        names, keys, _ = found(fast_only({"A": frames_flops(17)}, fill=0.4, **last))
        assert (names, keys) == ({"A": ("expansion", 3, 8)}, ["1", "2", "3"])
    assert found(fast_only({"A": frames_flops(17)}, fill=0.4))[0] == {"A": ("expansion", 4, 16)}


def test_the_search_ends_before_a_step_that_no_regime_needs():
    names, keys, _ = found(fast_only({"A": frames_flops(9)}))
    assert (names, keys) == ({"A": ("expansion", 3, 8)}, ["1", "2", "3"])


def test_a_search_that_cannot_go_on_says_why_of_every_axis():
    _, keys, reason = found(fast_only({"A": 1e9}, limits={"frames": 4}))
    assert keys == ["1", "2"]
    assert reason == (
        "no axis can be expanded at step 3 (fast: nothing on the grid is larger than the frontier: limits.frames is 4,"
        " and the frontier stands at 4)"
    )


def test_the_grace_is_part_of_the_bound():
    bound = frames_flops(8) / 1.0099
    assert found(fast_only({"A": bound}))[0] == {"A": ("expansion", 3, 8)}
    assert found(fast_only({"A": frames_flops(8) / 1.0101}))[0] == {"A": ("contraction", 3, 7)}


# What holds for every search.

many = settings(max_examples=30, deadline=None)
lucky = st.integers(0, 1000)


@many
@given(spaces(), lucky)
def test_every_search_ends_and_says_why(space, luck):
    steps, decisions = searched(space, luck)
    assert [step.key for step in steps] == [decision.key for decision in decisions]
    assert len({step.key for step in steps}) == len(steps)
    assert ending(space, decisions)
    for end in range(len(decisions)):
        assert ending(space, decisions[:end]) is None
    numbers = [step.number for step in steps if step.kind == "expansion"]
    assert numbers == list(range(1, len(numbers) + 1))


@many
@given(spaces(), lucky)
def test_each_step_grows_as_far_as_the_tolerance_allows(space, luck):
    steps, decisions = searched(space, luck)
    rate, tolerance = space.expansion.rate, space.expansion.tolerance
    for step, decision in zip(steps, decisions, strict=True):
        chosen = kept(step, decision)
        assert decision.cost == chosen.complexity.flops == measure(realise(decision.factors, space.lattice.basis)).flops
        if step.kind == "expansion":
            assert 1 < chosen.achieved_rate < rate * (1 + tolerance)
            assert chosen.achieved_rate > rate / (1 + tolerance)
        else:
            assert step.frontier_cost < decision.cost <= step.bound
        for candidate in step.candidates:
            assert candidate.feasible == (candidate.reason is None) == (candidate.trial is not None)
            assert candidate.feasible or any(character.isdigit() for character in candidate.reason)


@many
@given(spaces(), lucky)
def test_instances_are_what_the_rule_of_the_paper_says(space, luck):
    _, decisions = searched(space, luck)
    settled = {instance.name: instance for instance in instances(space, decisions)}
    basis = measure(realise(Factors(), space.lattice.basis)).flops
    for name, bound in space.regimes.bounds.items():
        limit = bound * (1 + space.regimes.grace)
        path = [(0, basis), *((decision.number, decision.cost) for decision in expansions(decisions))]
        within = [step for step in path if step[1] <= limit][-1]
        beyond = len(path) > within[0] + 1
        instance = settled.get(name)
        if instance is not None:
            assert instance.complexity.flops <= limit
            assert instance.bound == bound
            assert instance.geometry == realise(instance.factors, space.lattice.basis)
        if within[1] >= space.regimes.fill * bound and (beyond or instance):
            assert (instance.step, instance.complexity.flops) == within
        elif beyond and instance.kind == "contraction":
            assert instance.step == within[0] + 1
            assert instance.complexity.flops > within[1]
        elif beyond:
            assert (instance.step, instance.complexity.flops) == within
        else:
            assert instance is None
    assert [i.bound for i in instances(space, decisions)] == sorted(i.bound for i in settled.values())


@many
@given(spaces(), lucky)
def test_a_contraction_on_the_expanded_axis_is_the_largest_within_the_bound(space, luck):
    steps, decisions = searched(space, luck)
    contractions = [step for step in steps if step.kind == "contraction"]
    assume(contractions)
    lattice = space.lattice
    for step in contractions:
        axis = next(decision.axis for decision in decisions if decision.key == str(step.number))
        (candidate,) = (candidate for candidate in step.candidates if candidate.axis is axis)
        largest = step.frontier_cost
        for value in values_beyond(lattice, step.frontier, axis):
            factors = expand(step.frontier, axis, value, first_stride=lattice.first_stride)
            flops = measure(realise(factors, lattice.basis)).flops
            if flops > step.bound:
                break
            largest = flops
        assert candidate.feasible == (largest > step.frontier_cost)
        assert not candidate.feasible or candidate.solution.complexity.flops == largest


@many
@given(spaces(), lucky)
def test_every_prefix_of_the_decisions_leads_to_the_same_next_step(space, luck):
    steps, decisions = searched(space, luck)
    for end, step in enumerate(steps):
        assert next_step(space, list(decisions[:end]), "videos") == step
        assert decide(step, outcomes_of(step, luck)) == decisions[end]
    assert next_step(space, decisions, "videos") is None


@many
@given(spaces(), lucky)
def test_an_instance_once_settled_stays(space, luck):
    _, decisions = searched(space, luck)
    before = {}
    for end in range(len(decisions) + 1):
        now = {instance.name: instance for instance in instances(space, decisions[:end])}
        assert before.items() <= now.items()
        before = now


@settings(max_examples=20, deadline=None)
@given(st.data(), spaces(), lucky)
def test_decisions_do_not_depend_on_the_order_of_outcomes(data, space, luck):
    steps, decisions = searched(space, luck)
    assume(steps)
    place = data.draw(st.integers(0, len(steps) - 1))
    outcomes = data.draw(st.permutations(outcomes_of(steps[place], luck)))
    assert decide(steps[place], outcomes) == decisions[place]


@settings(max_examples=20, deadline=None)
@given(spaces(), lucky)
def test_the_expansions_only_ever_grow_and_keep_their_other_factors(space, luck):
    _, decisions = searched(space, luck)
    path = [Factors(), *(decision.factors for decision in expansions(decisions))]
    moved = [decision.axis for decision in expansions(decisions)]
    for (before, after), axis in zip(pairwise(path), moved, strict=True):
        names = {name for name, value in before.as_dict().items() if after.as_dict()[name] != value}
        assert names <= {
            Axis.FAST: {"gamma_t", "gamma_tau"},
            Axis.TEMPORAL: {"gamma_t", "gamma_tau"},
            Axis.SPATIAL: {"gamma_s"},
            Axis.DEPTH: {"gamma_d"},
            Axis.WIDTH: {"gamma_w"},
            Axis.BOTTLENECK: {"gamma_b"},
        }[axis]  # fmt: skip
        assert replace(after, gamma_tau=None) != replace(before, gamma_tau=None)
        assert measure(realise(after, space.lattice.basis)).flops > measure(realise(before, space.lattice.basis)).flops


@pytest.mark.parametrize("rate", [1.2, 1.3, 3.0, 10.0])
def test_any_rate_leads_from_the_basis_to_the_regimes(rate):
    space = space_of(expansion={"rate": rate})
    _, decisions = searched(space)
    assert len(instances(space, decisions)) == 6
    assert all(decision.factors.gamma_t >= 1 for decision in decisions)


@pytest.mark.parametrize(
    "sections",
    [
        {"basis": {"widths": [32], "blocks": [4], "crop": 100, "classes": 2}},
        {"basis": {"widths": [16, 32, 64], "blocks": [1, 1, 1], "crop": 90, "classes": 1000, "stem_kernel": 1}},
        {"basis": {"widths": [7, 9, 100, 3, 60], "blocks": [6, 1, 7, 2, 1], "classes": 7}},
        {"expansion": {"axes": ["spatial"]}},
        {"expansion": {"axes": ["width"]}, "grids": {"width": 0.3}},
        {"expansion": {"axes": ["depth", "temporal"]}},
        {"grids": {"frames": 3, "crop": 30, "bottleneck": 1.7}, "expansion": {"tolerance": 0.9}},
    ],
    ids=["one stage", "three stages", "five odd stages", "spatial alone", "width alone", "two axes", "coarse grids"],
)
def test_any_basis_grid_and_subset_of_the_axes_can_be_searched(sections):
    space = space_of(**sections)
    steps, decisions = searched(space)
    assert [candidate.axis for candidate in steps[0].candidates] == space.expansion.axes
    assert [instance.name for instance in instances(space, decisions)] == list(INSTANCES)
    for instance in instances(space, decisions):
        assert instance.geometry.classes == space.basis.classes
        assert len(instance.geometry.stages) == len(space.basis.widths)


# Other complexities than multiply-adds.

SMALL = {"widths": [8, 16], "blocks": [1, 2], "crop": 16, "classes": 4, "head_width": 16}
PARAMS = space_of(
    complexity="params",
    basis=SMALL,
    expansion={"tolerance": 0.5},
    grids={"bottleneck": 0.1},
    regimes={"bounds": {"Small": 10e3, "Large": 60e3}},
)


def test_a_search_by_parameters_expands_only_what_has_parameters():
    steps, decisions = searched(PARAMS)
    assert {decision.axis for decision in decisions} <= {Axis.DEPTH, Axis.WIDTH, Axis.BOTTLENECK}
    for step in steps:
        reasons = {candidate.axis: candidate.reason for candidate in step.candidates}
        assert reasons.get(Axis.FAST, "more frames add no parameters").endswith("more frames add no parameters")
    assert steps[0].frontier_cost == measure(realise(Factors(), PARAMS.lattice.basis)).params
    for step, decision in zip(steps, decisions, strict=True):
        assert decision.cost == kept(step, decision).complexity.params
        assert step.kind == "contraction" or step.bound == 2 * step.frontier_cost
    settled = instances(PARAMS, decisions)
    assert [instance.name for instance in settled] == ["Small", "Large"]
    assert all(instance.cost == instance.complexity.params <= 1.01 * instance.bound for instance in settled)
    assert {instance.kind for instance in settled} == {"contraction", "expansion"}


def test_a_path_by_parameters_ends_at_an_axis_that_has_none():
    path = {"tolerance": 0.5, "path": ["bottleneck", "depth", "fast"], "path_is": "prescribed"}
    space = PARAMS.model_copy(update={"expansion": PARAMS.expansion.model_validate(path)})
    with pytest.raises(StepFailed, match=r"step 3: the path takes fast, .*: params does not see fast: more frames add"):
        prescribed(space)


def test_the_published_path_by_activations_multiplies_activations():
    space = space_of(
        complexity="activations",
        expansion={"path": ["bottleneck", "temporal", "spatial", "depth"], "path_is": "prescribed"},
        regimes={"bounds": {"Some": 20e6}},
    )
    steps, decisions = prescribed(space)
    for step, decision in zip(steps, decisions, strict=True):
        assert decision.cost == kept(step, decision).complexity.activations
        assert decision.cost / step.frontier_cost == kept(step, decision).achieved_rate
        assert step.kind == "contraction" or 1.6 < kept(step, decision).achieved_rate < 2.4
    assert [step.key for step in steps][:4] == ["1", "2", "3", "4"]
    assert decisions[0].factors != PATH_DECISIONS[0].factors


def test_of_equal_scores_the_candidate_that_is_cheaper_by_the_spaces_complexity_is_kept():
    axes = {"tolerance": 0.5, "axes": ["depth", "width"]}
    step = next_step(PARAMS.model_copy(update={"expansion": PARAMS.expansion.model_validate(axes)}), [], "videos")
    decision = decide(step, [completed(trial.id, 0.5) for trial in step.trials])
    params = {c.axis: c.solution.complexity.params for c in step.candidates if c.feasible}
    flops = {c.axis: c.solution.complexity.flops for c in step.candidates if c.feasible}
    assert params[decision.axis] == min(params.values())
    assert flops[decision.axis] > min(flops.values())


def timed(seed=0, spread=0.1):
    """A latency that is mostly multiply-adds, off by up to `spread` of itself."""

    def of(geometry):
        flops = measure(geometry).flops
        return (20_000 + flops) * 1e-9 * (1 + spread * (2 * random.Random(f"{seed} {flops}").random() - 1))

    return Cost("latency", of, "a drawn device")


LATENCY = space_of(
    complexity="latency",
    basis=SMALL,
    expansion={"tolerance": 0.6, "first_stride": 4},
    grids={"crop": 4},
    regimes={"bounds": {"Quick": 0.7e-3, "Slow": 3e-3}},
)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 0.4), lucky)
def test_a_search_by_what_is_measured_keeps_to_its_bounds_whatever_the_noise(seed, spread, luck):
    cost = timed(seed, spread)
    assume(cost.of(realise(Factors(), LATENCY.lattice.basis)) < 0.7e-3)
    steps, decisions = searched(LATENCY, luck, cost)
    assert ending(LATENCY, decisions, cost)
    for step, decision in zip(steps, decisions, strict=True):
        assert decision.cost == kept(step, decision).cost == cost.of(kept(step, decision).geometry)
        assert decision.cost > step.frontier_cost
        assert step.kind == "expansion" or decision.cost <= step.bound
    for instance in instances(LATENCY, decisions, cost):
        assert instance.cost == cost.of(instance.geometry) <= 1.01 * instance.bound
    for end, step in enumerate(steps):
        assert next_step(LATENCY, decisions[:end], "videos", cost) == step
