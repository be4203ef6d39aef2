"""A trial is named by its content."""

import json
from dataclasses import replace

import pytest
from spaces import completed, space_of

from expander.axis import Factors
from expander.efficientnet3d import EFFICIENTNET3D
from expander.geometry import MOBILE_PARTS, Basis, Geometry, realise
from expander.recipe import LATER, Recipe
from expander.search import next_step
from expander.trial import Trial, Views, content_id

XS = Factors(gamma_tau=12, gamma_t=4, gamma_s=160 / 112, gamma_b=2.25, gamma_d=2.2)
TRIAL = Trial(realise(XS, Basis()), Recipe(), data="videos", views=Views(), seed=0)


def test_the_id_of_a_trial_is_the_same_in_every_version():
    # A store of last year knows its trials by these names: a change of this literal trains everything again.
    assert TRIAL.id == "5e6899924b7f01da"
    assert replace(TRIAL, trainer=2).id == "f28cf00e784b172c"


def test_a_recipe_that_says_what_an_earlier_one_could_not_has_an_id_of_its_own():
    held = replace(TRIAL, recipe=replace(TRIAL.recipe, short_videos="hold"))
    assert held.id != TRIAL.id
    assert Trial.from_dict(held.as_dict()) == held
    assert "short_videos" not in TRIAL.recipe.as_dict()
    assert Trial.from_dict(TRIAL.as_dict()) == TRIAL


def reordered(values):
    if isinstance(values, dict):
        return {key: reordered(values[key]) for key in reversed(values)}
    return values


def test_the_id_does_not_depend_on_the_order_of_keys():
    values = TRIAL.as_dict()
    assert list(reordered(values)) != list(values)
    assert content_id(reordered(values)) == content_id(values) == TRIAL.id


def changed(value):
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "x"
        case list():
            return [changed(value[0]), *value[1:]]
        case None:
            return 1


def leaves(values, path=()):
    for key, value in values.items():
        yield from leaves(value, (*path, key)) if isinstance(value, dict) else [(*path, key)]


@pytest.mark.parametrize("path", list(leaves(TRIAL.as_dict())), ids=".".join)
def test_the_id_depends_on_every_field(path):
    values = json.loads(json.dumps(TRIAL.as_dict()))
    section = values
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = changed(section[path[-1]])
    assert Trial.from_dict(values) != TRIAL
    assert Trial.from_dict(values).id != TRIAL.id


def test_every_field_of_geometry_recipe_and_views_is_in_the_content():
    values = TRIAL.as_dict()
    assert set(values["recipe"]) == set(vars(TRIAL.recipe)) - set(LATER)
    assert set(values["views"]) == set(vars(TRIAL.views))
    assert set(values["geometry"]) >= set(vars(TRIAL.geometry)) - {"stages", *MOBILE_PARTS}
    assert set(values) == {"geometry", "recipe", "data", "views", "seed"}


def test_what_came_later_is_in_the_content_only_where_it_is_not_as_it_was():
    for key, value in {"precision": "float32", "precise_batchnorm": 64}.items():
        trial = replace(TRIAL, recipe=replace(TRIAL.recipe, **{key: value}))
        assert trial.as_dict()["recipe"][key] == value
        assert trial.id != TRIAL.id
        assert Trial.from_dict(trial.as_dict()) == trial


def test_a_mobile_part_is_in_the_content_only_where_it_is_missing():
    assert not set(MOBILE_PARTS) & set(TRIAL.geometry.as_dict())
    without = [replace(TRIAL, geometry=replace(TRIAL.geometry, **{part: False})) for part in MOBILE_PARTS]
    assert [set(MOBILE_PARTS) & set(trial.geometry.as_dict()) for trial in without] == [{part} for part in MOBILE_PARTS]
    assert len({TRIAL.id, *(trial.id for trial in without)}) == 4


OF_OTHER_NETWORKS = {
    "no mobile parts": Trial(realise(XS, Basis(**dict.fromkeys(MOBILE_PARTS, False))), Recipe(), "videos", Views(), 0),
    "EfficientNet3D": Trial(EFFICIENTNET3D["EfficientNet3D-B0"], Recipe(), "videos", Views(), 0),
}


@pytest.mark.parametrize("trial", [TRIAL, *OF_OTHER_NETWORKS.values()], ids=["X3D", *OF_OTHER_NETWORKS])
def test_a_trial_survives_json(trial):
    again = Trial.from_dict(json.loads(json.dumps(trial.as_dict())))
    assert again == trial
    assert again.id == trial.id
    assert isinstance(again.geometry, Geometry) == isinstance(trial.geometry, Geometry)


def test_x_fast_and_x_temporal_from_one_frame_are_one_trial():
    step = next_step(space_of(), [], "videos")
    trials = {candidate.axis: candidate.trial.id for candidate in step.candidates}
    assert trials["fast"] == trials["temporal"]
    assert len(set(trials.values())) == len(step.trials) == 5


def test_whole_numbers_and_decimals_of_the_same_value_are_the_same_work():
    one = next_step(space_of(recipe={"dropout": 0, "base_rate": 2}), [], "videos")
    other = next_step(space_of(recipe={"dropout": 0.0, "base_rate": 2.0}), [], "videos")
    assert [trial.id for trial in one.trials] == [trial.id for trial in other.trials]


def test_what_a_trial_may_take_of_a_machine_is_not_part_of_it():
    one = next_step(space_of(), [], "videos")
    other = next_step(space_of(resources={"cpus": 9}, failures={"retries": 4}, description="x"), [], "videos")
    assert one == other


def test_a_number_that_is_none_has_no_name():
    with pytest.raises(ValueError, match="JSON"):
        replace(TRIAL, recipe=replace(Recipe(), base_rate=float("nan"))).id  # noqa: B018


@pytest.mark.parametrize(("views", "count"), [(Views(), 10), (Views(3, "left-center-right"), 9), (Views(1), 1)])
def test_views_of_a_video(views, count):
    assert views.per_video == count


def test_the_score_is_top_1():
    assert completed("t", 0.25).score == 0.25
