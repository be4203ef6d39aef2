"""Searches by latency and by memory, as a user runs them: measured once, on one device, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from conftest import Expander, Videos, command, environment, heed_ctrl_c

from expander.cli.files import load_space
from expander.cli.inputs import read_videos
from expander.cli.plan import _complexity_here
from expander.cli.running import _dispatcher
from expander.geometry import Geometry
from results.store import open_store
from trainers.dispatch.inline import InlineDispatcher
from trainers.meter import DeviceMeter
from trainers.training import VideoTraining

DEADLINE_SECONDS = 120
# The space asks for no GPU.
CPU = DeviceMeter(1, "cpu").device
SPACE: dict[str, Any] = {
    "complexity": "memory",
    "basis": {"widths": [8, 16], "blocks": [1, 1], "crop": 16, "classes": 6, "head_width": 16},
    "expansion": {"first_stride": 2, "tolerance": 0.6, "max_steps": 2, "axes": ["spatial", "depth"]},
    "limits": {"crop": 40},
    "regimes": {"bounds": {"Small": 2.5e5}},
    "recipe": {"epochs": 1, "batch": 12, "reference_batch": 12, "batchnorm_group": 12, "base_rate": 0.1},
    "views": {"clips": 1},
}


def write_space(folder: Path, **sections: Any) -> Path:
    path = folder / "space.yaml"
    path.write_text(yaml.safe_dump(SPACE | sections))
    return path


def search(videos: Videos, dispatcher: str = "inline") -> list[object]:
    given = ["--train", videos.train, "--val", videos.val, "--dispatcher", dispatcher]
    return ["search", "space.yaml", "--name", "one", *given]


def start(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    with (folder / "log").open("a") as log:
        return subprocess.Popen(
            command(*arguments),
            cwd=folder,
            env=environment(),
            stdout=log,
            stderr=log,
            text=True,
            preexec_fn=heed_ctrl_c,
        )


def rows(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    """What the store answers, nothing while it has no such table."""
    try:
        store = f"file:{folder}/runs/expander.db?mode=ro"
        with closing(sqlite3.connect(store, uri=True, timeout=30)) as connection:
            return connection.execute(statement).fetchall()
    except sqlite3.OperationalError:
        return []


def measurements(folder: Path) -> dict[tuple[str, str, str], float]:
    found = rows(folder, "SELECT name, device, geometry_id, value FROM measurements")
    return {(name, device, geometry): value for name, device, geometry, value in found}


def wait_for(process: subprocess.Popen[str], folder: Path, statement: str, count: int) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while len(rows(folder, statement)) < count:
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def result(document: dict[str, Any]) -> dict[str, Any]:
    """What must not depend on where a search by memory ran and how often it was stopped."""
    steps = [
        (
            step["number"],
            step["kind"],
            step["bound"],
            step["chosen"],
            [(c["axis"], c["cost"], c["score"]) for c in step["candidates"]],
        )
        for step in document["steps"]
    ]
    return {
        "state": document["state"],
        "device": document["device"],
        "steps": steps,
        "instances": document["instances"],
    }


def status(folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        command("status", "one", "--json"), cwd=folder, env=environment(), check=True, capture_output=True
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.fixture(scope="module")
def undisturbed(videos: Videos, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("undisturbed")
    write_space(folder)
    assert start(folder, *search(videos)).wait(DEADLINE_SECONDS) == 0, (folder / "log").read_text()
    document = status(folder)
    assert document["state"] == "completed"
    return document


def test_a_search_by_memory_keeps_what_it_measured(undisturbed: dict[str, Any]) -> None:
    assert (undisturbed["complexity"], undisturbed["device"]) == ("memory", CPU)
    meter = DeviceMeter(1, "cpu")
    for step in undisturbed["steps"]:
        for candidate in step["candidates"]:
            if candidate["feasible"]:
                geometry = Geometry.from_dict(candidate["geometry"])
                assert candidate["cost"] == meter.measure("memory", geometry)
                assert candidate["achieved_rate"] == candidate["cost"] / step["frontier_cost"]
        if step["kind"] == "expansion":
            assert step["bound"] == 2 * step["frontier_cost"]
    (instance,) = undisturbed["instances"]
    assert instance["cost"] <= 1.01 * 2.5e5


@pytest.mark.slow
@pytest.mark.parametrize("dispatcher", ["inline", pytest.param("ray", marks=pytest.mark.ray)])
def test_a_killed_search_by_memory_ends_as_the_undisturbed_one(
    dispatcher: str, videos: Videos, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    write_space(tmp_path)
    process = start(tmp_path, *search(videos, dispatcher))
    wait_for(process, tmp_path, "SELECT 1 FROM epochs", 1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = measurements(tmp_path)
    assert before
    assert start(tmp_path, "resume", "one", "--dispatcher", dispatcher).wait(DEADLINE_SECONDS) == 0, (
        tmp_path / "log"
    ).read_text()
    assert result(status(tmp_path)) == result(undisturbed)
    assert before.items() <= measurements(tmp_path).items()
    assert f"measuring memory on {undisturbed['device']}" in " ".join((tmp_path / "log").read_text().split())


@pytest.mark.slow
def test_a_search_by_latency_stopped_while_measuring_goes_on_with_the_values_that_it_had(
    videos: Videos, tmp_path: Path, expander: Expander
) -> None:
    write_space(
        tmp_path,
        complexity="latency",
        expansion=SPACE["expansion"] | {"max_steps": 1, "tolerance": 0.95, "axes": ["depth"]},
        regimes={"bounds": {"Small": 10.0}},
    )
    process = start(tmp_path, *search(videos))
    wait_for(process, tmp_path, "SELECT 1 FROM measurements", 2)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert "Go on with: expander resume one --dispatcher inline" in " ".join(log.split())
    before = measurements(tmp_path)
    assert {key[:2] for key in before} == {("latency", CPU)}
    assert rows(tmp_path, "SELECT device FROM searches") == [(CPU,)]
    assert not rows(tmp_path, "SELECT 1 FROM steps")

    resumed = json.loads(expander("resume", "one", "--dispatcher", "inline", "--json").stdout)
    assert resumed["state"] == "completed"
    known = measurements(tmp_path)
    assert before.items() <= known.items()
    (step,) = resumed["steps"]
    assert all(candidate["cost"] in known.values() for candidate in step["candidates"] if candidate["cost"])

    # Nothing is left: no Ray, no measuring.
    again = expander("resume", "one")
    assert "measuring" not in again.stderr
    assert measurements(tmp_path) == known
    assert f"latency measured on {CPU}" in again.stdout
    assert " ms " in again.stdout

    expander("report", "one", "--out", "report.html")
    page = " ".join((tmp_path / "report.html").read_text().split())
    assert f"latency, measured on {CPU}" in page
    assert "latency of one clip, seconds (log scale)" in page
    assert '<th class="n">latency</th>' in page


@pytest.mark.slow
def test_what_a_search_measured_is_shown_and_exported_and_another_device_is_refused(
    videos: Videos, undisturbed: dict[str, Any], tmp_path: Path, expander: Expander
) -> None:
    path = write_space(tmp_path)
    process = start(tmp_path, *search(videos))
    wait_for(process, tmp_path, "SELECT 1 FROM decisions", 1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 130
    path.write_text(path.read_text() + "resources: {cpus: 2}\n")
    refused = " ".join(expander("resume", "one", "--dispatcher", "inline", code=2).stderr.split())
    two = DeviceMeter(2, "cpu").device
    assert f"was measured on {CPU}, and here it would be measured on {two}: the two cannot be compared" in refused
    write_space(tmp_path)
    expander("resume", "one", "--dispatcher", "inline")
    assert result(status(tmp_path)) == result(undisturbed)
    expander("export", "one", "--out", "configs")
    provenance = yaml.safe_load((tmp_path / "configs" / "Small.yaml").read_text())["provenance"]
    assert (provenance["complexity"], provenance["device"]) == ("memory", CPU)


@pytest.mark.parametrize(("gpus", "device"), [(0, "cpu"), (0.5, "auto"), (1, "auto")])
def test_trials_and_what_measures_for_search_and_for_plan_take_a_gpu_only_where_the_space_asks_for_one(
    gpus: float, device: str, videos: Videos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a machine with a GPU. None is used: a device is only named.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a GPU")
    path = write_space(tmp_path, resources={"gpus_per_trial": gpus, "cpus": 2})
    given = [f"data.train={videos.train}", f"data.val={videos.val}"]
    space, _ = load_space(str(path), given)
    expected = f"a GPU, torch {torch.__version__}" if gpus else DeviceMeter(2, "cpu").device
    assert expected.startswith("a GPU") == (gpus > 0)
    assert _complexity_here(space).device == expected
    with closing(open_store("sqlite://", create=True)) as store:
        about: dict[str, Any] = {"overrides": given, "data": None, "runs": "", "versions": {}}
        created = store.create("one", space=space, source=str(path), **about)
        created.claim()
        with _dispatcher(created, space, read_videos(space), tmp_path, "inline", None) as made:
            assert made.meter.device == expected
            assert isinstance(made, InlineDispatcher)
            training = made._training
    assert isinstance(training, VideoTraining)
    assert (training.device, training.threads) == (device, 2)


def test_bounds_under_what_the_basis_takes_are_refused_and_the_name_stays_free(
    videos: Videos, tmp_path: Path, expander: Expander
) -> None:
    write_space(tmp_path, regimes={"bounds": {"Small": 1e3}})
    for _ in range(2):
        refused = " ".join(expander(*search(videos), code=2).stderr.split())
        assert "regimes.bounds.Small: 1 kB is under the memory of the basis, " in refused
        assert f"as measured on {CPU}; give a larger bound" in refused
    assert not rows(tmp_path, "SELECT 1 FROM searches")


def test_a_plan_measures_here_and_keeps_nothing(tmp_path: Path, expander: Expander) -> None:
    write_space(tmp_path)
    planned = expander("plan", "space.yaml", "--axes", "depth")
    assert "in this process" in planned.stderr
    assert "kB" in planned.stdout
    document = json.loads(expander("plan", "space.yaml", "--axes", "depth", "--json").stdout)
    assert (document["complexity"], document["device"]) == ("memory", CPU)
    (step, *_) = document["steps"]
    costs = {candidate["axis"]: candidate["cost"] for candidate in step["candidates"]}
    assert costs["depth"] > step["frontier_cost"]
    assert not (tmp_path / "runs").exists()
