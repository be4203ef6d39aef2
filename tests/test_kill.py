"""A coordinator killed at any moment loses nothing recorded: resumed, the search ends as the undisturbed one."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import Videos, command, environment, heed_ctrl_c

DEADLINE_SECONDS = 240


@dataclass(frozen=True)
class Search:
    """One search in a folder of its own."""

    folder: Path
    dispatcher: str

    def start(self, videos: Videos) -> subprocess.Popen[bytes]:
        shrunk = ["recipe.epochs=2", "recipe.batch=12", "recipe.batchnorm_group=12", "views.clips=1"]
        arguments = ["search", "smoke", "--name", "smoke", "--train", videos.train, "--val", videos.val]
        return self._run(*arguments, *(f"--set={key}" for key in shrunk), "--dispatcher", self.dispatcher)

    def resume(self) -> int:
        return self._run("resume", "smoke", "--dispatcher", self.dispatcher).wait(DEADLINE_SECONDS)

    def count(self, table: str) -> int:
        """Rows of one table of the store, 0 while there is none."""
        try:
            store = f"file:{self.folder}/runs/expander.db?mode=ro"
            with closing(sqlite3.connect(store, uri=True, timeout=30)) as connection:
                rows: int = connection.execute(f"select count(*) from {table}").fetchone()[0]
                return rows
        except sqlite3.OperationalError:
            return 0

    def document(self) -> dict[str, Any]:
        arguments = command("status", "smoke", "--json")
        done = subprocess.run(arguments, cwd=self.folder, env=environment(), check=True, stdout=subprocess.PIPE)
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def result(self) -> dict[str, Any]:
        """What must not depend on how often the search was killed."""
        document = self.document()
        steps = []
        for step in document["steps"]:
            scores = [(c["axis"], c["trial"], c["score"]) for c in step["candidates"]]
            steps.append((step["number"], step["kind"], step["chosen"], scores))
        return {"state": document["state"], "steps": steps, "instances": document["instances"]}

    def weights(self) -> dict[str, int]:
        """When the weights of each trial that the store has as completed were written, in nanoseconds."""
        states = {c["trial"]: c["state"] for step in self.document()["steps"] for c in step["candidates"]}
        folder = self.folder / "runs" / "trials"
        done = [trial for trial, state in states.items() if state == "completed"]
        return {trial: (folder / trial / "weights.safetensors").stat().st_mtime_ns for trial in done}

    def _run(self, *arguments: object) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                command(*arguments),
                cwd=self.folder,
                env=environment(),
                stdout=log,
                stderr=log,
                preexec_fn=heed_ctrl_c,
            )


@pytest.fixture(scope="module")
def undisturbed(videos: Videos, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    search = Search(tmp_path_factory.mktemp("undisturbed"), "inline")
    assert search.start(videos).wait(DEADLINE_SECONDS) == 0, (search.folder / "log").read_text()
    result = search.result()
    assert result["state"] == "completed"
    assert "contraction" in [step[1] for step in result["steps"]]
    return result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dispatcher", "table", "rows"),
    [
        ("inline", "candidates", 1),
        ("inline", "epochs", 3),
        ("inline", "decisions", 1),
        ("inline", "epochs", 14),
        ("inline", "decisions", 2),
        pytest.param("ray", "epochs", 5, marks=pytest.mark.ray),
    ],
)
def test_a_search_killed_at_this_moment_ends_as_the_undisturbed_one(
    dispatcher: str, table: str, rows: int, videos: Videos, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    search = Search(tmp_path, dispatcher)
    process = search.start(videos)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while search.count(table) < rows:
        assert process.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert search.document()["state"] == "interrupted"
    trained = search.weights()

    assert search.resume() == 0, (tmp_path / "log").read_text()
    assert search.result() == undisturbed
    again = {trial for trial, written in search.weights().items() if trained.get(trial, written) != written}
    assert not again, "finished trials were trained again"


@pytest.mark.slow
@pytest.mark.parametrize("dispatcher", ["inline", pytest.param("ray", marks=pytest.mark.ray)])
def test_ctrl_c_stops_within_seconds_says_how_to_go_on_and_loses_nothing(
    dispatcher: str, videos: Videos, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    search = Search(tmp_path, dispatcher)
    process = search.start(videos)
    while search.count("epochs") < 3:
        assert process.poll() is None, (tmp_path / "log").read_text()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    log = (tmp_path / "log").read_text()
    hint = "Go on with: expander resume smoke" + (" --dispatcher inline" if dispatcher == "inline" else "")
    assert hint in " ".join(log.split())
    assert "Traceback" not in log
    assert search.document()["state"] == "interrupted"
    assert search.resume() == 0
    assert search.result() == undisturbed


@pytest.mark.ray
def test_a_cluster_that_ends_the_search_while_ray_starts_is_answered_as_ctrl_c(videos: Videos, tmp_path: Path) -> None:
    search = Search(tmp_path, "ray")
    process = search.start(videos)
    while search.count("searches where state = 'running'") < 1:
        assert process.poll() is None, (tmp_path / "log").read_text()
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130, (tmp_path / "log").read_text()
    assert "expander resume smoke" in " ".join((tmp_path / "log").read_text().split())
    assert search.document()["state"] == "interrupted"
