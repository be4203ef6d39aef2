"""The recipe of a step: regularisation expansion (Sec. A.3)."""

import json
from dataclasses import FrozenInstanceError

import pytest

from expander.cli.files import load_space
from expander.recipe import Recipe, Regularisation, recipe_at


@pytest.mark.parametrize(
    ("step", "epochs", "batch", "batchnorm_group", "drop_connect"),
    [
        (1, 128, 2048, 16, 0.0),  # half the schedule, double the batch
        (7, 128, 2048, 16, 0.0),
        (8, 256, 1024, 8, 0.0),
        (10, 256, 1024, 8, 0.0),
        (11, 256, 1024, 8, 0.1),
        (12, 256, 1024, 8, 0.1),
        (13, 256, 1024, 8, 0.2),
        (20, 256, 1024, 8, 0.2),
    ],
)
def test_the_papers_search_regularises_as_it_expands(step, epochs, batch, batchnorm_group, drop_connect):
    space, _ = load_space("x3d_kinetics400")
    recipe = recipe_at(step, space.base_recipe, space.regularisation_expansion)
    assert (recipe.epochs, recipe.batch) == (epochs, batch)
    assert (recipe.batchnorm_group, recipe.drop_connect) == (batchnorm_group, drop_connect)
    assert (recipe.momentum, recipe.weight_decay, recipe.dropout) == (0.9, 5e-5, 0.5)
    assert recipe.warmup == pytest.approx(8 / 60, abs=1e-8)
    assert recipe.scale_jitter == pytest.approx((128 / 112, 160 / 112), abs=1e-8)


def test_without_changes_every_step_has_the_recipe_itself():
    assert recipe_at(1, Recipe(), ()) == recipe_at(99, Recipe(), ()) == Recipe()


def test_changes_apply_in_the_order_of_their_steps_however_they_are_listed():
    changes = (Regularisation(3, {"dropout": 0.3}), Regularisation(1, {"dropout": 0.1, "batch": 8}))
    found = [recipe_at(step, Recipe(), changes) for step in (0, 1, 2, 3)]
    assert [recipe.dropout for recipe in found] == [0.5, 0.1, 0.1, 0.3]
    assert [recipe.batch for recipe in found] == [1024, 8, 8, 8]


def test_of_two_changes_that_begin_together_the_later_listed_counts():
    changes = (Regularisation(2, {"epochs": 4}), Regularisation(2, {"epochs": 6}))
    assert recipe_at(2, Recipe(), changes).epochs == 6


def test_the_rate_grows_with_the_batch():
    assert Recipe().peak_rate == 1.6
    assert Recipe(batch=2048).peak_rate == 3.2
    assert Recipe(batch=8, base_rate=0.1, reference_batch=64).peak_rate == 0.0125


def test_a_recipe_survives_json():
    recipe = Recipe(epochs=3, scale_jitter=(1.0, 1.25), flip=False)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe


def test_a_recipe_is_a_value():
    with pytest.raises(FrozenInstanceError):
        Recipe().epochs = 3
    assert hash(Recipe()) == hash(Recipe())


def test_the_defaults_are_the_papers_and_the_same_in_the_schema():
    from spaces import space_of

    assert space_of().base_recipe == Recipe()
