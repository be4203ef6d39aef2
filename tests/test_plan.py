"""The search on paper: along which path, at which cost, and without torch."""

import json
import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st
from spaces import space_of, spaces
from typer.testing import CliRunner

from expander.axis import Axis, Factors
from expander.cli.commands import app
from expander.cli.files import load_space
from expander.complexity import measure
from expander.geometry import Basis, realise
from expander.plan import inference_flops, plan, training_flops
from expander.search import next_step
from expander.trial import Views

KINETICS, _ = load_space("x3d_kinetics400")
PUBLISHED, _ = load_space("x3d_published")
PATH = [axis.value for axis in PUBLISHED.expansion.path]
INSTANCES = ["X3D-XS", "X3D-S", "X3D-M", "X3D-L", "X3D-XL", "X3D-XXL"]


def geometries(planned):
    return [(instance.name, instance.geometry) for instance in planned.instances]


def test_the_published_path_needs_no_training():
    planned = plan(PUBLISHED)
    assert [step.chosen.value for step in planned.steps if step.step.kind == "expansion"] == PATH
    assert (planned.training_flops, planned.assumed, planned.ending) == (0, False, "every regime has its instance")
    assert [instance.name for instance in planned.instances] == INSTANCES


def test_the_kinetics_search_assumes_the_published_path_and_says_so():
    planned = plan(KINETICS)
    assert planned.assumed
    assert geometries(planned) == geometries(plan(PUBLISHED))
    assert [instance.kind for instance in planned.instances].count("contraction") == 1


def test_axes_given_are_not_assumed():
    planned = plan(KINETICS, [Axis.FAST, Axis.WIDTH])
    assert [step.chosen for step in planned.steps] == [Axis.FAST, Axis.WIDTH]
    assert (planned.assumed, planned.ending) == (False, "the path ends after 2 steps")


def test_a_space_without_a_path_is_planned_to_its_first_candidates():
    planned = plan(space_of())
    (step,) = planned.steps
    assert (step.chosen, step.step.number, len(step.step.candidates)) == (None, 1, 6)
    assert planned.ending == "the space assumes no path: give --axes, or expansion.path in the space, to plan further"
    assert step.training_flops > 0


def test_a_path_that_becomes_infeasible_is_planned_to_there_and_says_why():
    planned = plan(space_of(limits={"crop": 120}), [Axis.FAST, Axis.SPATIAL])
    assert planned.ending.startswith("step 2: the path takes spatial, which is infeasible: the nearest is")
    assert [(planned_step.step.number, planned_step.chosen) for planned_step in planned.steps] == [
        (1, "fast"),
        (2, None),
    ]


def test_an_assumed_path_that_leaves_the_axes_is_planned_to_there():
    planned = plan(space_of(expansion={"axes": [Axis.DEPTH], "path": [Axis.DEPTH, Axis.FAST]}))
    assert planned.ending == "step 2: the path takes fast, which is infeasible: it is not among expansion.axes"


def test_training_is_three_passes_over_every_clip_and_one_over_every_view():
    step = next_step(KINETICS, [])
    xs = realise(Factors(gamma_tau=12, gamma_t=4, gamma_s=160 / 112, gamma_b=2.25, gamma_d=2.2), Basis())
    # Step 1 has half the schedule: 128 epochs of 240k clips; 20k videos of ten views after the last.
    assert training_flops(KINETICS, step, xs) == 605_256_512 * (3 * 128 * 240_000 + 10 * 20_000)


def test_candidates_that_are_one_network_are_trained_once():
    first = plan(KINETICS).steps[0]
    assert first.trainings == 5
    costs = {candidate.solution.geometry: training_flops(KINETICS, first.step, candidate.solution.geometry)
             for candidate in first.step.candidates}  # fmt: skip
    assert first.training_flops == sum(costs.values())


def test_a_search_costs_what_its_steps_cost():
    planned = plan(KINETICS)
    assert planned.training_flops == sum(step.training_flops for step in planned.steps)
    assert [step.trainings for step in planned.steps] == [5, 5, 6, 6, 6, 6, 6, 1, 6, 6, 6, 6, 6, 5]


def test_views_along_the_longer_side_are_larger():
    geometry = realise(Factors(gamma_tau=5, gamma_t=16, gamma_s=2.0), Basis())
    larger = realise(Factors(gamma_tau=5, gamma_t=16, gamma_s=256 / 112), Basis())
    assert inference_flops(geometry, Views(10)) == 10 * measure(geometry).flops
    assert inference_flops(geometry, Views(10, "left-center-right")) == 30 * measure(larger).flops


@settings(max_examples=40, deadline=None)
@given(spaces(), st.lists(st.sampled_from(list(Axis)), max_size=6))
def test_any_space_along_any_path_is_planned_and_says_where_it_ends(space, path):
    planned = plan(space, path)
    assert planned.ending
    limits = {name: bound * (1 + space.regimes.grace) for name, bound in space.regimes.bounds.items()}
    assert all(instance.complexity.flops <= limits[instance.name] for instance in planned.instances)


# As a user and a script see it.

run = CliRunner().invoke


def test_the_document_has_every_candidate_of_every_step():
    found = run(app, ["plan", "x3d_kinetics400", "--json"])
    document = json.loads(found.stdout)
    assert (document["space"], document["assumed"]) == ("x3d_kinetics400", True)
    assert [step["number"] for step in document["steps"]] == [1, 2, 3, 4, 5, 6, 7, 7, 8, 9, 10, 11, 12, 13]
    for step in document["steps"]:
        assert len(step["candidates"]) == (6 if step["kind"] == "expansion" else 1)
        for candidate in step["candidates"]:
            assert candidate["feasible"]
            assert candidate["geometry"].keys() >= {"frames", "stride", "crop", "widths", "inner_widths", "blocks"}
            assert candidate["factors"].keys() == set(Factors().as_dict())
            assert candidate.keys() >= {"axis", "flops", "params", "params_without_batchnorm", "achieved_rate"}
    assert [step["chosen"] for step in document["steps"] if step["kind"] == "expansion"] == PATH
    by_name = {instance["name"]: instance for instance in document["instances"]}
    assert list(by_name) == INSTANCES
    small = by_name["X3D-S"]
    assert (small["step"], small["kind"], small["flops"], small["params"]) == (7, "contraction", 1962892112, 3794322)
    assert small["params_without_batchnorm"] == 3762858
    assert small["geometry"]["frames"] == 13


def test_an_infeasible_candidate_keeps_its_reason_and_the_nearest_that_it_reaches():
    found = run(
        app,
        ["plan", "x3d_published", "--axes", "fast", "--set", "limits.crop=120", "--set", "limits.depth=1", "--json"],
    )
    candidates = {c["axis"]: c for c in json.loads(found.stdout)["steps"][0]["candidates"]}
    assert (candidates["spatial"]["feasible"], candidates["spatial"]["geometry"]["crop"]) == (False, 120)
    assert candidates["spatial"]["reason"].endswith("limits.crop is 120, and the frontier stands at 112")
    assert (candidates["depth"]["feasible"], candidates["depth"]["geometry"]) == (False, None)
    assert candidates["depth"]["flops"] is candidates["depth"]["achieved_rate"] is None


def test_the_table_marks_what_is_kept_what_is_infeasible_and_what_is_assumed():
    found = run(app, ["plan", "x3d_kinetics400", "--set", "limits.depth=1", "--set", "expansion.path=[fast, width]"])
    lines = found.stdout.splitlines()
    assert "x3d_kinetics400 (assumed path: a search decides for itself)" in lines[0]
    assert [line.split()[:2] for line in lines if "→" in line] == [["1", "→"], ["→", "width"]]
    assert any(line.split() == ["✗", "depth"] for line in lines)
    assert any(line.startswith("✗ step 1, depth: infeasible, nothing on the grid is larger") for line in lines)


def test_a_space_whose_name_looks_like_markup_is_shown_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "[red].yaml").write_text("expansion: {path: [fast]}")
    assert "[red].yaml (assumed path" in run(app, ["plan", "[red].yaml"]).stdout


def test_planning_imports_nothing_heavy():
    code = (
        "import sys; from expander.cli.commands import app;"
        "app(['plan', 'x3d_kinetics400', '--json'], standalone_mode=False);"
        "heavy = {'torch', 'ray', 'sqlalchemy', 'av', 'pandas', 'numpy', 'trainers'} & set(sys.modules);"
        "print(sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.splitlines()[-1] == "[]"
    assert len(json.loads(done.stdout)["steps"]) == 14
