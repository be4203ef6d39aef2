"""How many GPUs each trial of a step gets: sizes, what they are taken to be worth, and that the step ends soonest."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expander.axis import Factors
from expander.complexity import measure
from expander.geometry import Basis, realise
from expander.placement import (
    DOUBLING,
    SHARING_GAIN,
    Work,
    allowed,
    groups_of,
    makespan,
    occupancy,
    sizes,
    sizes_of,
    speed,
)
from expander.recipe import Recipe
from expander.trial import Trial, Views

X2D = realise(Factors(), Basis())
works = st.lists(st.builds(Work, st.floats(0.1, 100), st.integers(1, 130), st.floats(0.1, 1)), min_size=1, max_size=6)


def placed(some: list[Work], gpus: int, **how: bool) -> tuple[list[float], float]:
    found = sizes(some, gpus, [allowed(1.0, gpus, work.groups, **how) for work in some])
    return found, makespan([(work.on(size), size) for work, size in zip(some, found, strict=True)], gpus)


def test_twice_the_gpus_are_nearly_twice_as_fast_while_there_are_groups_for_them() -> None:
    assert speed(1, 128) == 1
    assert speed(2, 128) == pytest.approx(2 * DOUBLING)
    assert speed(128, 128) == pytest.approx(128 * DOUBLING**7)
    # 128 groups on 48 GPUs: one of them has three, as it would among 43.
    assert speed(48, 128) == pytest.approx(128 / 3 * DOUBLING ** math.log2(48))
    assert speed(256, 128) < speed(128, 128)


def test_six_x2d_on_one_gpu_gain_what_is_assumed_and_full_ones_nothing() -> None:
    assert occupancy(X2D) == pytest.approx(1 / SHARING_GAIN)
    assert 6 * speed(1 / 6, 128, occupancy(X2D)) == pytest.approx(SHARING_GAIN)
    assert speed(1 / 2, 128, occupancy(X2D)) == 1
    large = realise(Factors(gamma_t=16, gamma_tau=5), Basis())
    assert measure(large).activations > SHARING_GAIN * measure(X2D).activations
    assert occupancy(large) == 1
    assert 6 * speed(1 / 6, 128, occupancy(large)) == pytest.approx(1)


def test_at_most_a_gpu_for_each_group_of_a_batch() -> None:
    recipe = Recipe(batch=64, batchnorm_group=8)
    assert groups_of(recipe) == 8
    assert allowed(1, 1000, groups_of(recipe)) == [1, 2, 3, 4, 8]
    assert allowed(1, 3, 8) == [1, 2, 3]
    assert allowed(2, 1000, 8) == [2, 3, 4, 8]
    assert allowed(4, 1000, 8, several=False, parts=True) == [4]
    # A part that the space asks for is the smallest, unless several share a GPU whatever it says.
    assert allowed(1 / 4, 1000, 8) == [1 / 4, 1 / 3, 1 / 2, 1, 2, 3, 4, 8]
    assert min(allowed(1 / 4, 1000, 8, parts=True)) == 1 / 8
    assert allowed(1, 1000, 8, several=False, parts=True) == [1 / 8, 1 / 7, 1 / 6, 1 / 5, 1 / 4, 1 / 3, 1 / 2, 1]
    assert groups_of(Recipe(batch=4, batchnorm_group=8)) == 1


def test_candidates_get_gpus_in_proportion_to_their_cost() -> None:
    found, ends = placed([Work(4, 4096), Work(2, 4096), Work(2, 4096)], 64)
    assert sum(found) <= 64
    assert found[0] > 1.8 * found[1] == 1.8 * found[2]
    assert ends == pytest.approx(8 / 64, rel=0.2)
    each = [work / size for work, size in zip((4, 2, 2), found, strict=True)]
    assert max(each) / min(each) < 1.15


def test_one_trial_gets_all_there_are_and_six_on_one_gpu_one_each() -> None:
    assert placed([Work(3, 128)], 8)[0] == [8]
    assert placed([Work(3, 128)] * 6, 1)[0] == [1] * 6
    # Six alike on four: one after the other, with all four each, would end sooner only if GPUs were added for nothing.
    found, ends = placed([Work(1, 128)] * 6, 4)
    assert ends < 2
    assert set(found) <= {1, 2, 4}


def test_small_networks_share_gpus_where_candidates_outnumber_them_and_full_ones_do_not() -> None:
    small, ends = placed([Work(1, 128, 0.4)] * 6, 1, parts=True)
    assert max(small) < 1
    assert ends < 6 / 2
    full, ends = placed([Work(1, 128)] * 6, 1, parts=True)
    assert ends == pytest.approx(6)
    assert all(size == 1 for size in full)


def test_trials_are_placed_by_what_their_networks_move_the_longest_first() -> None:
    trials = [
        Trial(realise(Factors(gamma_t=frames, gamma_tau=4), Basis()), Recipe(epochs=10), "videos", Views(), 0)
        for frames in (2, 8, 4)
    ]
    found = sizes_of(trials, 64, 1)
    by_trial = [found[trial.id] for trial in trials]
    assert sum(by_trial) <= 64
    assert by_trial[1] > by_trial[2] > by_trial[0]
    moved = [measure(trial.geometry).activations for trial in trials]
    assert by_trial[1] / by_trial[0] == pytest.approx(moved[1] / moved[0], rel=0.35)
    lasts = {t.id: Work(m, 128).on(found[t.id]) for t, m in zip(trials, moved, strict=True)}
    assert [lasts[trial] for trial in found] == sorted(lasts.values(), reverse=True)
    assert set(sizes_of(trials, 1, 1).values()) == {1}
    assert sizes_of([], 8, 1) == {}


@settings(deadline=None, max_examples=60)
@given(works, st.sampled_from((1, 2, 3, 6, 8, 17, 64, 1024)), st.booleans())
def test_no_placement_is_later_than_one_gpu_each_or_sooner_than_all_gpus_could(
    some: list[Work], gpus: int, parts: bool
) -> None:
    found, ends = placed(some, gpus, parts=parts)
    single = makespan([(work.seconds, 1.0) for work in some], gpus)
    assert ends <= single * (1 + 1e-9)
    assert ends >= max(work.on(size) for work, size in zip(some, found, strict=True)) * (1 - 1e-9)
    least = sum(work.seconds * (work.occupancy if parts else 1) for work in some)
    assert ends >= least / gpus * (1 - 1e-9)
    assert all(0 < size <= max(1, min(gpus, work.groups)) for size, work in zip(found, some, strict=True))


@given(st.lists(st.tuples(st.floats(0.1, 10), st.integers(1, 4)), min_size=1, max_size=8), st.integers(4, 9))
def test_a_schedule_never_holds_more_gpus_than_there_are(jobs: list[tuple[float, float]], gpus: int) -> None:
    ends = makespan(jobs, gpus)
    assert ends >= sum(seconds * size for seconds, size in jobs) / gpus - 1e-9
    assert max(seconds for seconds, _ in jobs) <= ends <= sum(seconds for seconds, _ in jobs) + 1e-9
