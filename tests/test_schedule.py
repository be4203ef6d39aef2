import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expander.recipe import Recipe
from trainers.schedule import rate_at

PAPER = Recipe()


@pytest.mark.parametrize(
    ("progress", "rate"),
    [
        (0, 0.0),
        (4 / 60, 0.8),  # half of the 8k iterations of warm-up
        (8 / 60, 1.6),
        (21 / 60, 0.8 * (1 + math.sqrt(0.5))),  # a quarter of the cosine's half period
        (34 / 60, 0.8),
        (47 / 60, 0.8 * (1 - math.sqrt(0.5))),
        (1, 0.0),
    ],
)
def test_the_papers_schedule_climbs_to_its_peak_and_falls_along_a_cosine(progress, rate):
    assert rate_at(progress, PAPER) == pytest.approx(rate, abs=1e-12)


@pytest.mark.parametrize(("batch", "rate"), [(2048, 3.2), (1024, 1.6), (64, 0.1)])
def test_the_peak_is_linear_in_the_batch(batch, rate):
    assert rate_at(8 / 60, replace(PAPER, batch=batch)) == pytest.approx(rate)


def test_without_a_warm_up_it_begins_at_the_peak():
    assert rate_at(0, replace(PAPER, warmup=0.0)) == 1.6


def test_a_warm_up_as_long_as_the_training_ends_at_the_peak():
    assert rate_at(1, replace(PAPER, warmup=1.0)) == 1.6


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_it_never_falls_in_the_warm_up_nor_climbs_after_it(warmup, first, second):
    recipe = replace(PAPER, warmup=warmup)
    early, late = sorted((first, second))
    if late < warmup:
        assert rate_at(early, recipe) <= rate_at(late, recipe)
    elif early >= warmup:
        assert rate_at(early, recipe) >= rate_at(late, recipe)
    assert 0 <= rate_at(first, recipe) <= recipe.peak_rate
