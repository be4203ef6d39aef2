"""What an MLflow server is told of a search: by a server of the test that speaks the calls that MLflow documents."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, cycle, repeat
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from spaces import space_of
from test_store import DATA, FakeTraining, new_search

from expander.coordinator import run_search
from expander.errors import SpaceError
from expander.search import Step, next_step
from expander.trial import Epoch, Started
from results import tracking
from results.mlflow import Server
from results.search import SearchStore
from results.store import open_store
from results.tracking import Tracker


@dataclass
class Recorded:
    """What the server knows. answer: changes what it answers, to (status, document)."""

    port: int = 0
    experiments: dict[str, str] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)
    answer: Callable[[str], tuple[int, Any] | None] = lambda path: None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def by_trial(self, trial: str) -> dict[str, Any]:
        (found,) = [run for run in self.runs.values() if run["tags"]["trial"] == trial]
        return found

    def get(self, query: dict[str, list[str]]) -> tuple[int, Any]:
        (name,) = query["experiment_name"]
        if name not in self.experiments:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"no {name}"}
        return 200, {"experiment": {"experiment_id": self.experiments[name]}}

    def post(self, path: str, values: dict[str, Any]) -> tuple[int, Any]:
        match path:
            case "experiments/create":
                self.experiments[values["name"]] = str(len(self.experiments) + 1)
                return 200, {"experiment_id": self.experiments[values["name"]]}
            case "runs/search":
                wanted = [text.split(" = ") for text in values["filter"].split(" and ")]
                tags = {key.removeprefix("tags.").strip("`"): value.strip("'") for key, value in wanted}
                found = [run for run in self.runs.values() if tags.items() <= run["tags"].items()]
                return 200, {"runs": [{"info": {"run_id": r["id"], "status": r["status"]}} for r in found]}
            case "runs/create":
                run = {"id": f"run{len(self.runs)}", "status": "RUNNING", "metrics": [], "params": {}}
                self.runs[run["id"]] = run | {"name": values["run_name"], "tags": pairs(values["tags"])}
                return 200, {"run": {"info": {"run_id": run["id"]}}}
            case "runs/log-batch":
                run = self.runs[values["run_id"]]
                assert len(values.get("metrics", [])) <= 1000
                run["metrics"] += [each for each in values.get("metrics", []) if each not in run["metrics"]]
                run["params"] |= pairs(values.get("params", []))
                run["tags"] |= pairs(values.get("tags", []))
                return 200, {}
            case "runs/update":
                self.runs[values["run_id"]]["status"] = values["status"]
                return 200, {}
        raise AssertionError(path)


def pairs(values: list[dict[str, str]]) -> dict[str, str]:
    assert all(isinstance(each["value"], str) for each in values)
    return {each["key"]: each["value"] for each in values}


@contextmanager
def serving(recorded: Recorded) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(lambda path: recorded.get(parse_qs(urlparse(self.path).query)))

        def do_POST(self) -> None:
            values = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._reply(lambda path: recorded.post(path, values))

        def _reply(self, known: Callable[[str], tuple[int, Any]]) -> None:
            recorded.headers.append(dict(self.headers))
            path = urlparse(self.path).path.removeprefix("/api/2.0/mlflow/")
            status, document = recorded.answer(path) or known(path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", recorded.port), Handler)
    recorded.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def search() -> Iterator[SearchStore]:
    with closing(open_store("sqlite://", create=True)) as store:
        yield new_search(store)


def tracked(search: SearchStore, recorded: Recorded, training: FakeTraining, said: list[str]) -> str:
    search.claim()
    try:
        with Tracker(recorded.uri, search, said.append) as tracker:
            return run_search(search.record_of.space, search, training, DATA, tracker.watch)
    finally:
        search.release("interrupted")


def test_a_search_is_an_experiment_with_a_run_for_each_trial(search: SearchStore) -> None:
    recorded, said = Recorded(), []
    with serving(recorded):
        tracked(search, recorded, FakeTraining(), said)
    assert said == []
    assert list(recorded.experiments) == ["first"]
    candidates = [(step, c) for step in search.steps() for c in step.candidates if c.trial]
    assert {run["tags"]["trial"] for run in recorded.runs.values()} == {c.trial for _, c in candidates}
    assert {run["status"] for run in recorded.runs.values()} == {"FINISHED"}
    step, candidate = candidates[0]
    shared = "/".join(c.axis for c in step.candidates if c.trial == candidate.trial)
    run = recorded.by_trial(candidate.trial or "")
    assert run["name"] == f"step 1 {shared}"
    assert {key: run["tags"][key] for key in ("search", "step", "axis")} == {
        "search": "first",
        "step": "1",
        "axis": shared,
    }
    assert run["params"]["recipe.epochs"] == "2"
    assert run["params"]["geometry.frames"] == str((candidate.geometry or {})["frames"])
    assert run["params"]["flops"] == str(candidate.flops)
    losses = {each["step"]: each["value"] for each in run["metrics"] if each["key"] == "train/loss"}
    assert losses == {epoch.number: epoch.loss for epoch in search.trial(candidate.trial or "").epochs}
    assert [each["value"] for each in run["metrics"] if each["key"] == "val/top1"] == [candidate.score]
    kept = {run["tags"]["kept"] for run in recorded.runs.values() if "kept" in run["tags"]}
    assert kept == {f"{step.key} {step.chosen}" for step in search.steps()}


def first_step(search: SearchStore) -> Step:
    step = next_step(search.record_of.space, (), DATA)
    assert step is not None
    return step


def test_a_failed_attempt_is_told_and_its_run_goes_on_with_the_next(search: SearchStore) -> None:
    recorded, said = Recorded(), []
    trial = first_step(search).trials[0].id
    with serving(recorded):
        tracked(search, recorded, FakeTraining({trial: 1}), said)
    run = recorded.by_trial(trial)
    assert run["status"] == "FINISHED"
    assert run["tags"]["failure"]


def test_a_resumed_search_goes_on_with_the_runs_that_it_has(search: SearchStore) -> None:
    recorded, said = Recorded(), []
    step = first_step(search)
    trial = step.trials[0].id
    search.claim()
    search.enroll(step)
    with serving(recorded):
        with Tracker(recorded.uri, search, said.append) as tracker:
            for event in (None, Started(trial, "here:1"), Epoch(trial, 1, 2, 1.0, 0.5, 0.1, 1.0)):
                tracker.watch(step, event)
        assert [run["status"] for run in recorded.runs.values()] == ["KILLED"]
        tracked(search, recorded, FakeTraining(), said)
    trials = [run["tags"]["trial"] for run in recorded.runs.values()]
    assert len(trials) == len(set(trials))
    assert {run["status"] for run in recorded.runs.values()} == {"FINISHED"}
    assert said == []


def test_what_was_trained_before_is_told_with_its_curves(search: SearchStore) -> None:
    search.claim()
    run_search(search.record_of.space, search, FakeTraining(), DATA, lambda *_: None)
    step, recorded = first_step(search), Recorded()
    with serving(recorded), Tracker(recorded.uri, search, lambda line: None) as tracker:
        tracker.watch(step, None)
    assert len(recorded.runs) == len(step.trials)
    for run in recorded.runs.values():
        assert run["status"] == "FINISHED"
        assert [each["step"] for each in run["metrics"] if each["key"] == "train/loss"] == [1, 2]


def test_a_server_that_is_down_is_one_warning_and_the_search_ends_as_ever(
    search: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "GRACE_SECONDS", 0.3)
    recorded, said = Recorded(), []
    with serving(recorded):
        pass  # its port is free now
    begun = time.monotonic()
    assert tracked(search, recorded, FakeTraining(), said) == "every regime has its instance"
    assert time.monotonic() - begun < 10
    assert len(said) == 2
    assert said[0].startswith(f"MLflow at {recorded.uri} cannot be told (")
    assert "the search goes on, and what happens is told once it answers" in said[0]
    assert "could not be told any more" in said[1]


def test_a_server_that_never_answers_hangs_nothing(search: SearchStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "GRACE_SECONDS", 0.3)
    released = threading.Event()
    recorded, said = Recorded(answer=lambda path: (released.wait(30), None)[1]), []  # type: ignore[func-returns-value]
    with serving(recorded):
        begun = time.monotonic()
        assert tracked(search, recorded, FakeTraining(), said) == "every regime has its instance"
        assert time.monotonic() - begun < 10
        released.set()
    assert len(said) == 1


def test_nothing_is_lost_while_a_server_is_away(search: SearchStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "PATIENCE_SECONDS", (0.01,))
    monkeypatch.setattr(tracking, "LAST_TRIES_SECONDS", 0.01)
    monkeypatch.setattr(tracking, "GRACE_SECONDS", 60)
    # Away for a while, and again in the middle of what belongs together.
    away = chain(repeat(True, 15), cycle([False] * 7 + [True]))
    recorded = Recorded(answer=lambda _: (503, {"message": "starting"}) if next(away) else None)
    said: list[str] = []
    with serving(recorded):
        tracked(search, recorded, FakeTraining(), said)
    assert len(said) == 1
    assert "HTTP 503: starting" in said[0]
    trials = {c.trial for step in search.steps() for c in step.candidates if c.trial}
    assert {run["tags"]["trial"] for run in recorded.runs.values()} == trials
    for trial in trials:
        run = recorded.by_trial(trial or "")
        assert run["params"]["recipe.epochs"] == "2"
        assert [each["step"] for each in run["metrics"] if each["key"] == "train/loss"] == [1, 2]


def test_what_a_server_refuses_is_said_once_and_the_rest_is_told(search: SearchStore) -> None:
    refused = (400, {"message": "no such status"})
    recorded, said = Recorded(answer=lambda path: refused if path == "runs/update" else None), []
    with serving(recorded):
        tracked(search, recorded, FakeTraining(), said)
    assert said == [
        f"MLflow at {recorded.uri} refuses (HTTP 400: no such status): the search goes on without telling it that"
    ]
    assert all(run["params"] for run in recorded.runs.values())


def test_credentials_are_those_of_mlflows_own_client(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = Recorded()
    with serving(recorded):
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
        Server(recorded.uri).experiment("x")
        assert recorded.headers[-1]["Authorization"] == "Bearer secret"
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "pw")
        Server(recorded.uri).experiment("x")
    assert recorded.headers[-1]["Authorization"] == f"Basic {base64.b64encode(b'ada:pw').decode()}"
    assert recorded.experiments == {"x": "1"}


@pytest.mark.parametrize("uri", ["file:mlruns", "sqlite:///ml.db", "localhost:5000", "databricks"])
def test_what_is_no_server_is_a_mistake_of_the_space(uri: str) -> None:
    with pytest.raises(SpaceError, match=r"watch\.mlflow: .* is no address of an MLflow server; expected http://host"):
        space_of(watch={"mlflow": uri})


def test_a_password_does_not_come_into_the_store() -> None:
    with pytest.raises(SpaceError, match="MLFLOW_TRACKING_USERNAME") as error:
        space_of(watch={"mlflow": "https://ada:pw@host"})
    assert "pw" not in str(error.value).replace("PASSWORD", "")


def test_started_tells_where_a_trial_runs(search: SearchStore) -> None:
    step, recorded = first_step(search), Recorded()
    with serving(recorded), Tracker(recorded.uri, search, lambda line: None) as tracker:
        tracker.watch(step, Started(step.trials[0].id, "node-3:17"))
    run = recorded.by_trial(step.trials[0].id)
    assert run["tags"]["worker"] == "node-3:17"
    assert run["status"] == "KILLED"  # the search ended before it did
