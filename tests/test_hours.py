"""GPU-hours of a search: the estimate against published figures, measured trials of a store, and the command."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT
from spaces import space_of
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from expander.axis import Axis, Factors
from expander.cli.commands import app
from expander.cli.files import load_space
from expander.cli.networks import shipped_configs
from expander.complexity import measure
from expander.coordinator import run_search
from expander.errors import UsageError
from expander.geometry import Basis, Geometry, realise
from expander.hours import HOUR, readers_of
from expander.placement import sizes_of, speed, work_of
from expander.plan import plan
from expander.schedule import hours_of
from expander.simulate import START_HOURS
from expander.throughput import (
    GPUS,
    INFERENCE_BYTES,
    ROOFLINE_SHARE,
    TRAINING_BYTES,
    Throughput,
    Trained,
)
from expander.trial import Completed, Epoch, Metrics, Trial, Views
from results.store import SqlStore, open_store
from trainers.dispatch.inline import InlineDispatcher

NETWORKS: dict[str, Geometry] = {
    name: config.geometry for name, config in shipped_configs().items() if isinstance(config.geometry, Geometry)
}
XS, S, M = (NETWORKS[name] for name in ("X3D-XS", "X3D-S", "X3D-M"))
X2D = realise(Factors(), Basis())
# Cores that read: none, and so many that a GPU never waits for them.
ALONE, FED = 0, 10_000
H100 = GPUS["h100"]
KINETICS, _ = load_space("x3d_kinetics400")


# The estimate.


@pytest.mark.parametrize(("network", "gigabytes"), [("X3D-XS", 1.78), ("X3D-S", 5.78), ("X3D-M", 13.97)])
def test_the_traffic_is_that_counted_layer_by_layer(network: str, gigabytes: float) -> None:
    moved = 8 * TRAINING_BYTES * measure(NETWORKS[network]).activations
    assert moved / 1e9 == pytest.approx(gigabytes, rel=0.005)


@pytest.mark.parametrize(("network", "gigabytes"), [("X3D-S", 1.40), ("X3D-M", 3.37)])
def test_so_is_that_of_inference(network: str, gigabytes: float) -> None:
    assert 8 * INFERENCE_BYTES * measure(NETWORKS[network]).activations / 1e9 == pytest.approx(gigabytes, rel=0.005)


def test_the_readers_of_the_roofline_is_that_of_a_published_training() -> None:
    # Multiscale Vision Transformers, Table 16: X3D-M at 7.9 clips/s on an M40 of 288 GB/s, in float32 and not bfloat16.
    moved = 2 * TRAINING_BYTES * measure(M).activations
    assert 7.9 * moved / 288e9 == pytest.approx(ROOFLINE_SHARE, rel=0.05)


def test_a_fed_gpu_trains_as_fast_as_it_moves_what_a_clip_needs() -> None:
    rate = Throughput(H100, FED).training(M)
    assert (rate.source, rate.bound) == ("estimated", "GPU")
    assert 1 / rate.seconds == pytest.approx(0.1 * 3.35e12 / (19.83 * 87_914_520))
    faster = Throughput(GPUS["h200"], FED).training(M)
    assert rate.seconds / faster.seconds == pytest.approx(4.8 / 3.35)


def test_a_network_without_channelwise_convolutions_is_bound_by_its_products() -> None:
    dense = replace(M, channelwise=False)
    seconds = Throughput(H100, FED).training(dense).seconds
    assert seconds == pytest.approx(
        10 * max(3 * measure(dense).flops / 494.5e12, 19.83 * measure(dense).activations / 3.35e12)
    )


def test_small_networks_wait_for_reading_and_less_for_a_prepared_copy() -> None:
    few = 7
    rate = Throughput(H100, few).training(XS)
    assert (rate.bound, rate.seconds) == ("reading", pytest.approx((0.0116 + 4 * 0.00124) / 7))
    prepared = Throughput(H100, 1, prepared=True).training(X2D)
    assert (prepared.bound, prepared.seconds) == ("reading", pytest.approx(0.0002 + 0.00037))
    assert Throughput(H100, few, prepared=True).training(XS).bound == "GPU"


def test_a_training_that_reads_itself_waits_for_both() -> None:
    both = Throughput(H100, ALONE).training(M).seconds
    assert both == pytest.approx(Throughput(H100, FED).training(M).seconds + 0.0116 + 16 * 0.00124)


def test_validation_is_one_pass_over_every_view_and_reads_a_video_once_for_all_crops() -> None:
    fed = Throughput(H100, FED)
    ten = fed.validation(M, Views(10))
    assert 1 / ten.seconds == pytest.approx(0.1 * 3.35e12 / (10 * 4.8 * 87_914_520))
    larger = measure(replace(M, crop=256)).activations / measure(M).activations
    assert fed.validation(M, Views(10, "left-center-right")).seconds == pytest.approx(3 * larger * ten.seconds)
    slow = Throughput(replace(GPUS["h200"], bandwidth=1e16, multiply_adds=1e18), 1)
    crops = [slow.validation(XS, Views(10, crops)).seconds for crops in ("center", "left-center-right")]
    assert crops[0] == crops[1] == pytest.approx(10 * (0.0116 + 4 * 0.00124))


# What trials took.


def trained(geometry: Geometry, clips_per_second: float, gpus: float = 1, view_seconds: float | None = 0.01) -> Trained:
    return Trained(geometry, gpus, Views(10), 1 / clips_per_second, view_seconds)


def test_what_a_network_took_stands_before_any_estimate() -> None:
    known = Throughput(H100, FED, known=(trained(S, 700), trained(S, 800), trained(S, 750), trained(M, 400)))
    rate = known.training(replace(S, stride=3))
    assert (rate.source, 1 / rate.seconds) == ("measured", pytest.approx(750))
    tested = known.validation(S, Views(30))
    assert (tested.source, tested.seconds) == ("measured", pytest.approx(0.3))


def test_other_networks_are_scaled_from_the_nearest_by_the_estimates_of_both() -> None:
    plain = Throughput(H100, FED)
    known = replace(plain, known=(trained(XS, 3000), trained(M, 400)))
    rate = known.training(S)
    nearest, speed = (M, 400) if abs_ratio(plain, S, M) < abs_ratio(plain, S, XS) else (XS, 3000)
    assert rate.source == "scaled"
    assert 1 / rate.seconds == pytest.approx(speed * plain.training(nearest).seconds / plain.training(S).seconds)


def abs_ratio(throughput: Throughput, one: Geometry, other: Geometry) -> float:
    ratio = throughput.training(one).seconds / throughput.training(other).seconds
    return max(ratio, 1 / ratio)


def test_a_trial_on_eight_gpus_tells_what_one_takes_and_is_told_what_it_took() -> None:
    known = Throughput(H100, FED, known=(trained(M, 1600, gpus=8, view_seconds=None),))
    assert known.training(M).seconds == pytest.approx(speed(8, 64) / 1600)
    assert known.validation(M, Views(10)).source == "estimated"
    part = Throughput(H100, FED, known=(trained(M, 100, gpus=0.5),))
    assert 1 / part.training(M).seconds == pytest.approx(200)
    small = Throughput(H100, FED, known=(trained(X2D, 100, gpus=0.5),))
    assert 1 / small.training(X2D).seconds == pytest.approx(100), "more than the part that keeps it from going faster"


# The hours of a search.


FIXED = KINETICS.model_copy(update={"resources": KINETICS.resources.model_copy(update={"placement": "fixed"})})


def test_hours_are_clips_and_videos_times_what_one_takes_and_the_start() -> None:
    throughput = Throughput(H100, FED)
    whole, steps = hours_of(KINETICS, plan(KINETICS), throughput, 1)
    step = steps[0]
    assert len(step.trials) == 5
    assert step.trials[0].axes == (Axis.FAST, Axis.TEMPORAL)
    for trial, spent in zip(step.trials, step.spent, strict=True):
        clips = 240_000 * 128
        assert trial.training == pytest.approx(clips * throughput.training(trial.geometry).seconds / HOUR)
        assert trial.validation == pytest.approx(
            20_000 * throughput.validation(trial.geometry, Views(10)).seconds / HOUR
        )
        assert (spent.gpus, spent.other) == (1, pytest.approx(START_HOURS))
        assert (spent.training, spent.validation) == pytest.approx((trial.training, trial.validation))
    assert step.hours == pytest.approx(step.training + step.validation + 5 * START_HOURS) == step.held
    assert whole.makespan == pytest.approx(sum(each.hours for each in steps))


def test_each_trial_has_the_gpus_that_the_dispatcher_gives_it() -> None:
    planned = plan(KINETICS)
    _, steps = hours_of(KINETICS, planned, Throughput(H100, readers_of(KINETICS)), 16)
    for step in steps:
        trials = [Trial(trial.geometry, step.step.recipe, "videos", Views(10), 0) for trial in step.trials]
        of_dispatcher = sizes_of(trials, 16, 1)
        assert [spent.gpus for spent in step.spent] == [of_dispatcher[trial.id] for trial in trials]
        for trial, spent in zip(step.trials, step.spent, strict=True):
            speed = work_of(trial.geometry, step.step.recipe)
            lasts = (trial.training + trial.validation) * speed.on(spent.gpus) / speed.seconds
            assert spent.hours == pytest.approx(START_HOURS + lasts)


def test_more_gpus_take_as_many_gpu_hours_and_fewer_hours_where_each_trial_has_one() -> None:
    planned, throughput = plan(FIXED), Throughput(H100, FED)
    (_, few), (_, many) = (hours_of(FIXED, planned, throughput, count) for count in (2, 6))
    for one, other in zip(few, many, strict=True):
        assert one.training == pytest.approx(other.training)
        assert one.hours >= other.hours
    assert many[0].hours == max(spent.hours for spent in many[0].spent)


def test_in_proportion_a_step_ends_sooner_by_as_much_as_more_gpus_are_worth() -> None:
    planned, throughput = plan(KINETICS), Throughput(H100, FED)
    (fixed, _), (sized, steps) = (hours_of(space, planned, throughput, 64) for space in (FIXED, KINETICS))
    assert sized.makespan < 0.1 * fixed.makespan
    assert fixed.busy < sized.busy < 1.2 * fixed.busy
    assert all(sum(spent.gpus for spent in step.spent) >= 64 for step in steps)


def test_half_a_gpu_puts_two_trials_on_one() -> None:
    resources = FIXED.resources.model_copy(update={"gpus_per_trial": 0.5})
    halved = FIXED.model_copy(update={"resources": resources})
    planned, throughput = plan(FIXED), Throughput(H100, FED)
    # Of a network that keeps a whole GPU busy.
    whole, halves = (hours_of(space, planned, throughput, 3)[1][-1] for space in (FIXED, halved))
    assert halves.training == pytest.approx(whole.training)
    assert {spent.gpus for spent in halves.spent} == {0.5}
    assert halves.hours == pytest.approx(START_HOURS + 2 * max(t.training + t.validation for t in whole.trials))


def test_what_reads_beside_a_gpu_is_what_the_space_says() -> None:
    assert readers_of(KINETICS) == 7
    several = space_of(resources={"gpus_per_trial": 8, "loader_workers": 7})
    assert readers_of(several) == 7
    with pytest.raises(
        UsageError,
        match=r"the space trains on CPUs, as resources.gpus_per_trial is 0; give --set resources.gpus_per_trial=1",
    ):
        readers_of(space_of())


# The store.

VALUES: dict[str, Any] = {
    "basis": {"widths": [8, 16], "blocks": [1, 1], "crop": 32, "classes": 3, "head_width": 16},
    "expansion": {"first_stride": 4, "path": ["depth", "fast"], "max_steps": 1},
    "limits": {"width": 1.0},
    "regimes": {"bounds": {"T-M": 9e6}},
    "recipe": {"epochs": 3, "batch": 8},
    "resources": {"gpus_per_trial": 1, "loader_workers": 2},
}
VIDEOS = {
    "id": "da7a" * 4,
    "train": {"videos": 50, "classes": 3, "sha256": ""},
    "val": {"videos": 40, "classes": 3, "sha256": ""},
}


def made_up(device: str | None, gpus: float | None) -> Callable[[Trial, Callable[[Epoch], None]], Completed]:
    """A training of 50 videos whose epochs take 9, 2 and 4 seconds."""

    def train(trial: Trial, report: Callable[[Epoch], None]) -> Completed:
        for number, seconds in enumerate((9.0, 2.0, 4.0), start=1):
            report(Epoch(trial.id, number, 3, 1.0, 0.5, 0.1, seconds))
        return Completed(trial.id, Metrics(0.5, 1.0, 1.0, 40), 100.0, train_top1=0.5, device=device, gpus=gpus)

    return train


def searched(store: SqlStore, name: str, device: str | None, gpus: float | None, seed: int = 0) -> None:
    space = space_of(**VALUES, seed=seed)
    search = store.create(name, space=space, source="x", overrides=(), data=VIDEOS, runs="runs", versions={})
    search.claim()
    run_search(space, search, InlineDispatcher(made_up(device, gpus), None), VIDEOS["id"], lambda *_: None)  # type: ignore[arg-type]
    search.release("completed")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(open_store(f"sqlite:///{tmp_path}/s.db", create=True)) as opened:
        yield opened


def ask(store: SqlStore, statement: str) -> None:
    engine = create_engine(store.url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_a_store_knows_what_its_trials_took_on_a_kind_of_gpu(store: SqlStore) -> None:
    searched(store, "on-h100", "NVIDIA H100 80GB HBM3", 2.0)
    found = store.trained_on(H100.marks)
    assert len(found) == 4
    assert {(trial.gpus, trial.views) for trial in found} == {(2.0, Views(10))}
    # The median epoch, 4 s for 50 videos.
    assert {trial.clip_seconds for trial in found} == {0.08}
    assert store.trained_on(GPUS["h200"].marks) == store.trained_on(GPUS["a100"].marks) == ()


@pytest.mark.parametrize(
    ("device", "gpus"), [("AMD EPYC", None), (None, None), ("NVIDIA H100 PCIe", 1.0), ("NVIDIA H200", 1.0)]
)
def test_trials_elsewhere_tell_nothing(store: SqlStore, device: str | None, gpus: float | None) -> None:
    searched(store, "elsewhere", device, gpus)
    assert store.trained_on(H100.marks) == ()


def test_validation_is_what_lies_between_the_last_epoch_and_the_outcome(store: SqlStore) -> None:
    searched(store, "on-h100", "NVIDIA H100 80GB HBM3", 1.0)
    ask(store, "UPDATE trials SET started_at = '2026-01-01 00:00:00', completed_at = '2026-01-01 00:01:20'")
    ask(store, "UPDATE epochs SET recorded_at = '2026-01-01 00:00:' || (10 * number)")
    # 50 s for 40 videos of ten views.
    assert {trial.view_seconds for trial in store.trained_on(H100.marks)} == {0.125}
    ask(store, "UPDATE trials SET completed_at = '2026-01-03 00:00:00'")
    assert {trial.view_seconds for trial in store.trained_on(H100.marks)} == {None}
    ask(store, "UPDATE trials SET completed_at = '2026-01-01 00:01:20', started_at = '2026-01-01 00:01:19'")
    assert {trial.view_seconds for trial in store.trained_on(H100.marks)} == {None}


# The command.


def planned(*arguments: object, code: int = 0) -> Any:
    found = CliRunner().invoke(app, ["plan", *map(str, arguments)], env={"EXPANDER_STORE": None})
    assert found.exit_code == code, found.output
    return found


def test_the_command_scales_from_the_store_and_says_of_each_figure_where_it_is_from(
    store: SqlStore, tmp_path: Path
) -> None:
    space = tmp_path / "tiny.yaml"
    space.write_text(yaml.safe_dump(VALUES | {"expansion": {"first_stride": 4, "path": ["depth", "fast"]}}))
    searched(store, "on-h100", "NVIDIA H100 80GB HBM3", 1.0)
    known = json.loads(planned(space, "--gpu", "h100", "--count", 2, "--store", store.url, "--json").stdout)["hours"]
    assert known["measured_trials"] == 4
    first, second = known["steps"]
    assert {trial["training"]["source"] for trial in first["trials"]} == {"measured"}
    assert {trial["training"]["source"] for trial in second["trials"]} == {"scaled"}
    assert {round(trial["training"]["clips_per_second"], 6) for trial in first["trials"]} == {12.5}
    assert first["training_gpu_hours"] == pytest.approx(4 * 3 * 240_000 * 0.08 / 3600)
    shown = planned(space, "--gpu", "h100", "--count", 2, "--store", store.url).stdout
    assert "scaled: from the nearest of the 4 trials that finished there" in " ".join(shown.split())
    alone = json.loads(planned(space, "--gpu", "h100", "--count", 2, "--json").stdout)["hours"]
    assert {t["training"]["source"] for step in alone["steps"] for t in step["trials"]} == {"estimated"}
    assert "estimated, not measured" in planned(space, "--gpu", "h100", "--count", 2).stdout


def test_totals_are_the_sums_of_the_steps_and_the_price_is_of_all_gpus_to_the_end() -> None:
    found = json.loads(planned("x3d_kinetics400", "--gpu", "a100", "--count", 16, "--price", 2, "--json").stdout)[
        "hours"
    ]
    steps = found["steps"]
    assert [step["key"] for step in steps][6:9] == ["7", "7-X3D-S", "8"]
    assert found["gpu_hours"] == pytest.approx(sum(step["gpu_hours"] for step in steps))
    assert found["hours"] == pytest.approx(sum(step["hours"] for step in steps))
    assert found["held_gpu_hours"] == pytest.approx(16 * found["hours"]) == found["price"] / 2
    for step in steps:
        for part in ("training_gpu_hours", "validation_gpu_hours", "gpu_hours"):
            assert step[part] == pytest.approx(sum(trial[part] for trial in step["trials"]))
        parts = step["training_gpu_hours"] + step["validation_gpu_hours"]
        starts = sum(trial["gpus"] for trial in step["trials"]) * found["start_seconds"] / HOUR
        assert step["gpu_hours"] == pytest.approx(parts + starts)


@pytest.mark.parametrize(
    ("settings", "policy"),
    [
        ((), "proportional"),
        (("placement=fixed",), "one_each"),
        (("gpus_per_trial=4",), "proportional"),
        (("placement=fixed", "gpus_per_trial=0.5"), "one_each"),
        (("speculation=likely",), "proportional+likely"),
        (("placement=fixed", "speculation=certain"), "one_each+certain"),
    ],
)
def test_a_plan_and_a_simulation_without_failures_tell_the_same_hours(settings: tuple[str, ...], policy: str) -> None:
    asked = ["x3d_kinetics400", "--axes", "bottleneck,fast,spatial", "--json"]
    for setting in settings:
        asked += ["--set", f"resources.{setting}"]
    plain = json.loads(planned(*asked, "--gpu", "h100", "--count", 8).stdout)["hours"]
    luck = ("--failures-per-1000-gpu-hours", 0, "--preemptions-per-1000-node-hours", 0)
    simulated = json.loads(planned(*asked, "--simulate", "--gpus", 8, *luck).stdout)["simulation"]
    assert simulated["policy_of_the_space"] == policy
    same = next(each for each in simulated["policies"] if each["name"] == policy)
    assert plain["hours"] == same["makespan_hours"]
    assert [step["hours"] for step in plain["steps"]] == same["step_hours"]
    assert (plain["gpu_hours"], plain["wasted_gpu_hours"]) == (same["busy_gpu_hours"], same["wasted_gpu_hours"])


def test_the_command_says_how_it_places_and_what_is_begun_early() -> None:
    asked = ("x3d_kinetics400", "--axes", "bottleneck,fast", "--gpu", "h100", "--count", 8)
    shown = " ".join(planned(*asked).stdout.split())
    assert "resources.placement is proportional: a step's trials share all 8 GPUs by what they cost" in shown
    shown = " ".join(
        planned(*asked, "--set", "resources.placement=fixed", "--set", "resources.speculation=likely").stdout.split()
    )
    assert "resources.placement is fixed: each trial has 1 of the 8 GPUs" in shown
    assert re.search(r"resources.speculation is likely: \d+ trials are begun early, \d+ of them needed", shown)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x3d_kinetics400", "--gpu", "h100"), "--gpu h100: how many are there? give --count N"),
        (("x3d_kinetics400", "--count", "8"), "--count: of which GPUs? give --gpu h100, h200, a100 too"),
        (("x3d_kinetics400", "--prepared"), "--prepared: of which GPUs?"),
        (("x3d_published", "--gpu", "h100", "--count", "8"), "the space prescribes its path and trains nothing"),
        (("smoke", "--gpu", "h100", "--count", "8"), "the space trains on CPUs, as resources.gpus_per_trial is 0"),
        (
            ("x3d_kinetics400", "--gpu", "h100", "--count", "4", "--set", "resources.gpus_per_trial=8"),
            "--count 4: fewer than the 8 GPUs of one trial",
        ),
    ],
)
def test_a_mistake_says_what_to_give(arguments: tuple[str, ...], message: str) -> None:
    found = CliRunner().invoke(app, ["plan", *arguments], env={"EXPANDER_STORE": None})
    assert isinstance(found.exception, UsageError)
    assert message in str(found.exception)


# The page.

PAGE = ROOT / "docs" / "training.md"


def pasted() -> list[tuple[str, list[str]]]:
    """Every `expander plan` command of the page that has its output below it, and that output."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)
    found = []
    for block in blocks:
        command, *lines = block.replace("\\\n", " ").splitlines()
        found.append((command.removeprefix("$ "), [line.rstrip() for line in lines if line.strip()]))
    return found


def test_the_page_shows_plans_of_8_and_of_128_gpus() -> None:
    counts = [re.findall(r"--count (\d+)", command) for command, _ in pasted()]
    assert {"8", "128"} <= {count for found in counts for count in found}


def test_the_check_from_outside_is_what_it_says() -> None:
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    clips = 256 * 240_000
    assert (
        f"its 256 epochs are {clips / 7.9 / 3600:,.0f} GPU-hours, or {clips / 7.9 / 3600 / 128:.0f} hours on 128"
        in page
    )
    assert f"on an H100 comes to {clips * Throughput(H100, FED).training(M).seconds / 3600:.0f} GPU-hours" in page
    _, steps = hours_of(KINETICS, plan(KINETICS), Throughput(H100, readers_of(KINETICS)), 8)
    parts = [sum(step.held for step in steps if step.step.number <= last) for last in (8, 10, 13)]
    assert f"after {parts[0] / parts[2]:.0%} of".replace("%", " %") in page
    assert f"with L after {parts[1] / parts[2]:.0%}".replace("%", " %") in page


@pytest.mark.parametrize(("command", "output"), pasted(), ids=lambda value: value if isinstance(value, str) else "")
def test_the_figures_of_the_page_are_those_that_its_commands_print(command: str, output: list[str]) -> None:
    program, _, *arguments = shlex.split(command)
    assert program == "expander"
    shown = [line.rstrip() for line in planned(*arguments).stdout.splitlines() if line.strip()]
    assert output == shown
