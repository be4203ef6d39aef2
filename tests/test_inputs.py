"""What a search was begun with is recorded, and a difference that would mix results is refused with what differs."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from finished import Place, place
from test_store import completed, first_step
from test_team_dispatch import rehearse
from test_team_dispatch import trial as team_trial

from expander import trial as trials
from expander.cli.snapshot import status_document
from expander.errors import UsageError
from expander.inputs import changes, mixing, same
from expander.trial import Completed, Event, Failed, Started, Trial
from results.export import export
from results.report import render
from results.schema import OUTCOME
from trainers import versions as program
from trainers.dispatch.attempt import attempt
from trainers.dispatch.inline import InlineDispatcher
from trainers.versions import sources, versions


@pytest.fixture(params=["sqlite", "postgresql"])
def first(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A search that has ended, over real files, in a file and on a server."""
    url = f"sqlite:///{tmp_path}/store.db" if request.param == "sqlite" else request.getfixturevalue("server").empty()
    made = place(tmp_path / "here", url)
    made.begin()
    return made


@pytest.fixture
def on_file(tmp_path: Path) -> Place:
    made = place(tmp_path / "here", f"sqlite:///{tmp_path}/store.db")
    made.begin()
    return made


def refusal(made: Place, accept: str | None = None, name: str = "first") -> str:
    with pytest.raises(UsageError) as error:
        made.resume(name, accept)
    return str(error.value)


def shown(made: Place, name: str = "first") -> dict[str, Any]:
    with closing(made.opened()) as store:
        return status_document(store.search(name))


def test_what_is_unchanged_is_resumed_whatever_the_times_of_the_files(first: Place) -> None:
    for path in first.folder.glob("*.mp4"):
        path.touch()
    first.resume()


def test_files_that_changed_are_named_and_no_option_accepts_them(first: Place) -> None:
    (first.folder / "train1.mp4").write_bytes(b"another")
    (first.folder / "val0.mp4").write_bytes(b"x" * 10)
    (first.folder / "val1.mp4").unlink()
    text = refusal(first)
    for line in (
        "train: train1.mp4: 11 bytes recorded, 7 bytes now",
        "val: val0.mp4: of the same size, with other content",
        "val: val1.mp4: 11 bytes recorded, absent now",
        "expander fork first --from-step K --name NEW",
    ):
        assert line in text
    assert "Other data are never accepted" in refusal_of_kind(first, "data")


def refusal_of_kind(made: Place, kind: str) -> str:
    """What is said where the data are what they were, and `kind` is to be accepted."""
    (made.folder / "train1.mp4").write_bytes(b"\1" * 11)
    (made.folder / "val0.mp4").write_bytes(b"\0" * 10)
    (made.folder / "val1.mp4").write_bytes(b"\1" * 11)
    return refusal(made, kind)


def test_a_store_that_knows_no_files_is_resumed_under_its_id_and_knows_them_from_then_on(first: Place) -> None:
    [(before,)] = first.ask("SELECT data FROM searches")
    first.rewrite("searches", "data", "first", {"id": "0123456789abcdef", "files": None})
    first.ask("DELETE FROM file_lists")
    first.ask("UPDATE searches SET state = 'interrupted'")
    first.resume()
    [(after,)] = first.ask("SELECT data FROM searches")
    recorded, now = (json.loads(each) if isinstance(each, str) else each for each in (before, after))
    assert now == recorded | {"id": "0123456789abcdef"}
    (first.folder / "train0.mp4").write_bytes(b"another")
    assert "train0.mp4: 10 bytes recorded, 7 bytes now" in refusal(first)


def test_versions_that_mix_results_are_refused_and_others_are_said(
    first: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    first.rewrite("searches", "versions", "first", {"ray": "1.0", "numpy": "1.0", "python": "3.0.0"})
    first.resume()
    said = capsys.readouterr().err
    assert "numpy: 1.0 recorded" in said
    assert "ray: 1.0 recorded" in said
    first.rewrite("searches", "versions", "first", {"torch": "1.13.1"})
    text = refusal(first)
    assert f"torch: 1.13.1 recorded, {versions()['torch']} now (PyTorch, whose kernels" in text
    assert "expander resume first --accept-changes torch" in text


def test_what_is_accepted_is_named_exactly_and_stays_on_record(first: Place) -> None:
    first.rewrite("searches", "versions", "first", {"torch": "1.13.1", "code": "0" * 16})
    first.rewrite("searches", "sources", "first", {"trainers/train.py": "0", "trainers/lost.py": "1"})
    text = refusal(first)
    assert "trainers/train.py has changed" in text
    assert "trainers/lost.py is gone" in text
    assert "code: " not in refusal(first, "code")
    assert "torch: " not in refusal(first, "torch")
    assert "av has not changed" in refusal(first, "torch,code,av")
    assert "found 'numpy'; expected some of code, torch, av" in refusal(first, "numpy")

    first.resume(accept="torch,code")

    accepted = shown(first)["accepted"]
    assert [(each["kind"], each["recorded"]) for each in accepted] == [("torch", "1.13.1"), ("code", "0" * 16)]
    assert all(each["at"].startswith("20") for each in accepted)
    first.resume()
    with closing(first.opened()) as store:
        search = store.search("first")
        assert search.record_of.sources == sources()
        assert "1.13.1, then" in render(search)
        (exported, *_) = export(search, (), (), first.folder / "out")
    assert "recorded: 1.13.1" in exported.config.read_text()
    first.rewrite("searches", "versions", "first", {"torch": "1.13.1"})
    assert "torch: 1.13.1 recorded" in refusal(first), "a change back is a change too"


def test_another_trainer_is_refused_and_never_accepted(on_file: Place) -> None:
    on_file.rewrite("searches", "versions", "first", {"trainer": "0"})
    text = refusal(on_file)
    assert f"trainer: 0 recorded, {trials.TRAINER} now (the version of the training itself)" in text
    assert "--accept-changes" not in text
    assert "Another trainer is never accepted" in refusal(on_file, "trainer")


def test_what_an_earlier_program_did_not_record_is_recorded_on_resume(on_file: Place) -> None:
    unknown = {"code": None, "trainer": None, "commit": None}
    on_file.rewrite("searches", "versions", "first", unknown)
    on_file.ask("UPDATE searches SET sources = NULL")
    on_file.resume()
    recorded = shown(on_file)["versions"]
    assert {key: recorded[key] for key in ("code", "trainer")} == {key: versions()[key] for key in ("code", "trainer")}


class TestTakingOver:
    """A finished trial of another search."""

    def test_one_that_was_trained_the_same_way_is_not_trained_again(self, on_file: Place) -> None:
        self.trained_with(on_file, {"torch": versions()["torch"], "code": versions()["code"], "python": "3.0"})
        on_file.begin("second")
        assert [each[0] for each in on_file.ask("SELECT DISTINCT trained_by FROM trials")] == [1]

    @pytest.mark.parametrize("kind", ["torch", "code"])
    def test_one_that_was_trained_otherwise_is_refused_until_that_is_accepted(self, kind: str, on_file: Place) -> None:
        self.trained_with(on_file, {kind: "0.1"})
        with pytest.raises(UsageError) as error:
            on_file.begin("second")
        assert f"{kind}: 0.1 recorded (trial " in str(error.value)
        assert f"expander resume second --accept-changes {kind}" in str(error.value)
        on_file.ask("UPDATE searches SET lease_token = NULL, state = 'failed'")
        assert f"{kind}: 0.1 recorded (trial " in refusal(on_file, name="second")
        on_file.resume("second", kind)
        accepted = shown(on_file, "second")["accepted"]
        assert {(each["kind"], each["recorded"]) for each in accepted} == {(kind, "0.1")}
        assert all(each["trial"] for each in accepted)

    def test_a_checkpoint_of_other_sources_is_not_gone_on_from(self, on_file: Place) -> None:
        # Of an attempt that was cut off after its first epoch.
        outcome = ", ".join(f"{column} = NULL" for column in OUTCOME)
        wiped = f"UPDATE trials SET {outcome}, epoch = 1, started_with = "
        on_file.ask(wiped + """'{"code": "other"}'""")
        with pytest.raises(UsageError, match="code: other recorded"):
            on_file.begin("second")
        on_file.ask("UPDATE trials SET epoch = NULL")
        on_file.begin("third")

    @staticmethod
    def trained_with(made: Place, given: Mapping[str, str]) -> None:
        made.ask(f"UPDATE trials SET versions = '{json.dumps(given)}'")


def test_an_attempt_tells_what_trains_when_it_starts_and_when_it_has_ended(on_file: Place) -> None:
    training = InlineDispatcher(_finish, None)  # type: ignore[arg-type]
    with closing(on_file.opened()) as store:
        search = store.search("first")
        step = replace(first_step(), number=9)
        search.enroll(step)
        for event in training.run(step.trials[:1], lambda _: None):
            search.record(event)
    [(begun, ended)] = on_file.ask(f"SELECT started_with, versions FROM trials WHERE id = '{step.trials[0].id}'")
    assert json.loads(begun)["code"] == versions()["code"]
    assert len(json.loads(begun)["space"]) == 16
    assert json.loads(ended) == {"written": "by the training"}


def _finish(trial: Trial, report: Any) -> Completed:
    return replace(completed(trial.id), versions={"written": "by the training"})


def test_a_worker_that_would_train_otherwise_fails_without_training() -> None:
    told: list[Event] = []
    called: list[Trial] = []

    def training(trial: Trial, report: Any) -> Any:
        called.append(trial)

    assert not attempt(training, team_trial("train"), told.append, wanted=versions() | {"torch": "1.2.3", "numpy": "1"})
    started, failed = told
    assert isinstance(started, Started)
    assert isinstance(failed, Failed)
    assert f"has torch {versions()['torch']} where the coordinator has 1.2.3." in failed.reason
    assert called == []


def test_a_team_has_the_versions_of_its_leader(tmp_path: Path) -> None:
    dispatcher = InlineDispatcher(rehearse, None, workers=2)  # type: ignore[arg-type]
    events = list(dispatcher.run([team_trial(f"train {tmp_path}")], lambda _: None))
    assert [event.versions["code"] for event in events if isinstance(event, Started)] == [versions()["code"]]


@pytest.mark.parametrize(
    ("kind", "one", "other", "equal"),
    [
        ("torch", "2.6.0+cpu", "2.6.1", True),
        ("torch", "2.6.0", "2.7.0", False),
        ("av", "14.1.0", "14.4.0", True),
        ("av", "14.1.0", "15.0.0", False),
        ("code", "a.b", "a.c", False),
        ("trainer", "1", "2", False),
        ("numpy", "1.26", "2.0", True),
        ("cuda", "12.1", "12.8", True),
    ],
)
def test_which_versions_give_the_same_results(kind: str, one: str, other: str, equal: bool) -> None:
    assert same(kind, one, other) == equal
    assert bool(mixing({kind: one}, {kind: other})) != equal
    assert len(changes({kind: one, "unknown": "1"}, {kind: other})) == 1


def made() -> Trial:
    """A trial as a search of this program makes it."""
    like = first_step().trials[0]
    return Trial(like.geometry, like.recipe, like.data, like.views, like.seed)


def test_a_version_of_the_trainer_is_in_the_name_of_a_trial_but_for_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    before = made()
    assert "trainer" not in before.as_dict()
    monkeypatch.setattr(trials, "TRAINER", 2)
    after = made()
    assert (after.trainer, after.as_dict()["trainer"], Trial.from_dict(after.as_dict())) == (2, 2, after)
    assert after.id != before.id
    assert Trial.from_dict(before.as_dict()) == before


# What starts, reads, writes, watches and carries out a training, and what checks what it is given.
AROUND = {
    *("expander/files.py", "expander/space.py", "expander/strict.py"),
    *("expander/errors.py", "expander/imports.py", "expander/inputs.py", "expander/pace.py", "expander/units.py"),
    *(f"trainers/{name}.py" for name in ("allocator", "checkpoint", "events", "fence")),
    *(f"trainers/{name}.py" for name in ("guard", "journal", "processor", "trial_log", "watchdog")),
    *(
        "trainers/versions.py",
        "trainers/stopwatch.py",
        "trainers/data/annotations.py",
        "trainers/data/entries.py",
        "trainers/data/files.py",
    ),
    *(
        f"trainers/data/{name}.py"
        for name in ("kinetics", "line_lists", "manifest", "prepared", "something", "video_index")
    ),
}


def test_every_module_that_training_or_deciding_imports_is_known_to_train_or_not_to() -> None:
    found = imported("trainers/train.py") | imported("trainers/distributed.py") | imported("expander/search.py")
    outside = {path for path in found if path not in sources() and not path.endswith("__init__.py")}
    assert outside - AROUND == set()
    kernels = ROOT / "trainers/networks/kernels"
    assert {f"trainers/networks/kernels/{path.name}" for path in kernels.iterdir() if path.is_file()} <= set(sources())
    assert {path for path in sources() if not path.startswith("trainers/networks")} <= found


def imported(path: str) -> set[str]:
    """The modules of ours that a module imports, and they in turn, as paths."""
    seen: set[str] = set()
    todo = [path]
    while todo:
        if (each := todo.pop()) in seen:
            continue
        seen.add(each)
        for node in ast.walk(ast.parse((ROOT / each).read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("expander", "trainers"):
                base = (node.module or "").replace(".", "/")
                names = [f"{base}.py", *(f"{base}/{alias.name}.py" for alias in node.names)]
                todo += [name for name in names if (ROOT / name).is_file()]
    return seen


def test_a_source_that_changes_changes_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in sources():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    before = versions()["code"]
    monkeypatch.setattr(program, "ROOT", tmp_path)
    fresh = program.sources.__wrapped__
    assert fresh() == sources()
    (tmp_path / "trainers/learner.py").write_text("something else")
    assert {name for name, digest in fresh().items() if digest != sources()[name]} == {"trainers/learner.py"}
    assert versions()["code"] == before, "of what this process has loaded"
