"""docs/reproduction.md: every cell that says "ours" is computed here again."""

from dataclasses import replace
from pathlib import Path

import pytest

from expander.axis import Axis
from expander.cli.files import load_space
from expander.cli.networks import shipped_configs
from expander.complexity import Complexity, measure
from expander.efficientnet3d import EFFICIENTNET3D
from expander.geometry import Basis, realise
from expander.plan import inference_flops, plan
from expander.recipe import recipe_at
from expander.trial import Views

PAGE = (Path(__file__).parents[1] / "docs" / "reproduction.md").read_text(encoding="utf-8")
CONFIGS = shipped_configs()
SPACE = load_space("x3d_kinetics400")[0]
PATH: list[Axis] = load_space("x3d_published")[0].expansion.path
PLAN = plan(SPACE, PATH)
NETWORKS = ("X2D", "X3D-XS", "X3D-S", "X3D-M", "X3D-L", "X3D-XL", "X3D-XXL")


def table(heading: str) -> list[list[str]]:
    """The rows of the table under a heading, without their head."""
    section = PAGE.split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def figures(complexity: Complexity) -> str:
    millions = complexity.params_without_batchnorm / 1e6
    return f"{complexity.flops / 1e9:#.4g}, {millions:#.4g}"


def test_the_path_is_the_plans():
    rows = [("X2D", None)]
    rows += [(planned.step.key, planned) for planned in PLAN.steps]
    assert len(table("X2D and the path")) == len(rows)
    for cells, (key, planned) in zip(table("X2D and the path"), rows, strict=True):
        geometry = CONFIGS["X2D"].geometry
        chosen = ""
        if planned is not None:
            kept = next(c for c in planned.step.candidates if c.axis is planned.chosen)
            geometry, chosen = kept.solution.geometry, f"{planned.chosen}, "
        cost = measure(geometry)
        assert cells[0].replace(", contracted = ", "-").split(" = ")[0] == key
        assert cells[2] == f"{chosen}{geometry.clip}, {geometry.crop}, {cost.flops / 1e9:#.4g}"
        assert cells[3] == f"{cost.params_without_batchnorm / 1e6:#.4g}"


def test_the_instances_are_the_shipped_networks():
    assert [row[0] for row in table("The instances")] == list(NETWORKS)
    for name, _, ours, with_batchnorm in table("The instances"):
        cost = CONFIGS[name].complexity
        assert (ours, with_batchnorm) == (figures(cost), f"{cost.params / 1e6:#.4g}")


def test_inference_costs_are_those_of_the_views():
    for name, _, crop, *centers in table("Inference cost"):
        geometry = CONFIGS[name].geometry
        views = [Views(1, "left-center-right"), *map(Views, (1, 3, 5, 7, 10))]
        flops = [inference_flops(geometry, each) for each in views]
        assert [crop, *centers] == [f"{f / 1e9:#.4g}".removesuffix(".") for f in (flops[0] / 3, *flops[1:])]


def test_the_first_five_steps_train_as_many_models_as_the_page_says():
    first = [planned for planned in PLAN.steps if planned.step.number <= 5]
    networks = [{c.solution.geometry for c in planned.step.candidates if c.feasible} for planned in first]
    flops = sum(measure(geometry).flops for step in networks for geometry in step)
    trained, together = table("What the search costs")
    assert trained[2] == str(sum(map(len, networks))) == str(sum(planned.trainings for planned in first))
    assert together[2] == f"{flops / 1e9:.2f}"


def without(part: str, gamma_b: float, name: str) -> Complexity:
    factors = next(instance.factors for instance in PLAN.instances if instance.name == name)
    return measure(realise(replace(factors, gamma_b=gamma_b), Basis(**{part: False})))


PARTS = {"channel-wise convolution": "channelwise", "swish": "swish", "squeeze-excitation": "squeeze_excitation"}


@pytest.mark.parametrize("row", table("Mobile parts"), ids=lambda row: f"{row[0]} {row[1]}")
def test_without_a_mobile_part_it_costs_what_the_page_says(row):
    name, part = row[0].split(" without ")
    assert row[3] == figures(without(PARTS[part], float(row[1]), name))


def test_efficientnet3d_costs_what_the_page_says():
    rows = table("EfficientNet3D")
    assert [row[0] for row in rows] == ["EfficientNet3D-B0", "EfficientNet3D-B3", "EfficientNet3D-B4"]
    for name, clip, _, ours in rows:
        geometry = CONFIGS[name].geometry
        assert clip == f"{geometry.clip}, {geometry.crop}"
        assert ours == figures(measure(geometry))


def test_what_the_page_says_of_other_efficientnets():
    printed = {
        "EfficientNet3D-B0": (0.74, 3.30),
        "EfficientNet3D-B3": (6.91, 8.19),
        "EfficientNet3D-B4": (23.80, 12.16),
    }

    def off(**changes: tuple[int, ...]) -> list[float]:
        found = []
        for index, (name, (gflops, _)) in enumerate(printed.items()):
            geometry = replace(EFFICIENTNET3D[name], **{key: values[index] for key, values in changes.items()})
            found.append(measure(geometry).flops / 1e9 / gflops - 1)
        return found

    # Frames that grow as the resolution does, 300 / 224 and 380 / 224; and a B0 of 152 pixels.
    assert off(frames=(4, 5, 7))[1:] == pytest.approx([-0.46, -0.40], abs=0.01)
    assert off(crop=(152, 200, 256))[:2] == pytest.approx([0.10, 0.05], abs=0.005)
    for name, (_, millions) in printed.items():
        blocks = [block for stage in EFFICIENTNET3D[name].mobile_blocks() for block in stage]
        weights = sum(b.inner_width * (b.entering * b.expands + 27 + b.width) for b in blocks)
        assert (weights / 1e6 > millions) == (name != "EfficientNet3D-B0")


def test_a_detector_costs_what_the_page_says():
    for row in table("AVA"):
        geometry = CONFIGS[row[0].split(",")[0]].geometry
        larger = replace(geometry, crop=geometry.crop * 8 // 7, classes=80)
        assert row[2] == figures(measure(larger))


@pytest.mark.parametrize("row", table("Ratios to other networks"), ids=lambda row: row[0])
def test_ratios_to_other_networks_are_of_our_figures(row):
    compared, kind = row[0].split(": ")
    geometry = CONFIGS[compared.split(" to ")[0]].geometry
    if compared.endswith("R50 (AVA)") and kind == "params":
        geometry = replace(geometry, classes=80)
    ours = inference_flops(geometry, Views(1, "left-center-right")) / 3e9
    if kind == "params":
        ours = measure(geometry).params_without_batchnorm / 1e6
    assert row[3] == f"{float(row[2]) / ours:.1f}"


def test_the_recipe_is_the_spaces():
    videos = SPACE.data.train_videos
    base = SPACE.base_recipe
    steps = {step: recipe_at(step, base, SPACE.regularisation_expansion) for step in (1, 7, 8, 10, 11, 13)}
    iterations = base.epochs * videos / base.batch
    expected = [
        f"{iterations:g}",
        f"{iterations * base.warmup:g}",
        f"{base.peak_rate:g}",
        *(f"{r.batch}, {r.batchnorm_group}, {r.epochs}" for r in (steps[1], steps[8])),
        f"{steps[11].drop_connect:g}, {steps[13].drop_connect:g}",
    ]
    assert (steps[7], steps[10]) == (steps[1], steps[8])
    assert [row[2] for row in table("Recipe")] == expected
