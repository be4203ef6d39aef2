"""What a search says of itself while it runs."""

from __future__ import annotations

import pytest
from rich.console import Console
from spaces import space_of

from expander.cli import output
from expander.cli.failing import avoided
from expander.cli.progress import Progress
from expander.cli.status import document_of, take
from expander.plan import plan
from expander.search import next_step
from expander.trial import Epoch, Failed, FailureKind
from expander.units import duration
from results.store import open_store


def test_the_time_left_counts_no_epoch_from_before_the_search_was_resumed() -> None:
    space = space_of(expansion={"axes": ["depth"]}, recipe={"epochs": 100})
    store = open_store("sqlite://", create=True).create(
        "one", space=space, source="x", overrides=(), data=None, runs="r", versions={}
    )
    step = next_step(space, [], "videos")
    assert step is not None
    progress = Progress(store, space)
    progress.watch(step, None)
    assert progress._left() == "?"
    assert progress.board is not None
    progress.board.began -= 100  # seconds of this epoch
    progress.watch(step, Epoch(step.trials[0].id, 41, 100, loss=1.0, top1=0.5, rate=0.1, seconds=100))
    assert progress._left() == "1 h 38 min"


def test_the_time_left_to_the_search_follows_the_assumed_path() -> None:
    path = {"axes": ["depth"], "path": ["depth", "depth"], "max_steps": 2}
    space = space_of(expansion=path, recipe={"epochs": 10}, regimes={"bounds": {"Far": 1e15}})
    store = open_store("sqlite://", create=True).create(
        "one", space=space, source="x", overrides=(), data=None, runs="r", versions={}
    )
    first, second = (planned.step for planned in plan(space).steps)
    step = next_step(space, [], "videos")
    assert step is not None
    progress = Progress(store, space)
    progress.watch(step, None)
    assert progress.board is not None
    progress.board.began -= 36_000
    progress.watch(step, Epoch(step.trials[0].id, 1, 10, loss=1.0, top1=0.5, rate=0.1, seconds=36_000))
    # Ten hours for a tenth of the first step: nine more of these, and the second step at its own complexity.
    assert first.candidates[0].solution is not None
    assert second.candidates[0].solution is not None
    growth = second.candidates[0].solution.complexity.flops / first.candidates[0].solution.complexity.flops
    assert progress._left() == f"3 d 18 h, the search in about {duration(324_000 + 360_000 * growth)}"


def test_a_trial_that_waits_for_data_is_told_once_and_the_remedy_once_for_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    space = space_of(recipe={"epochs": 10}, resources={"loader_workers": 2})
    store = open_store("sqlite://", create=True).create(
        "one", space=space, source="x", overrides=(), data=None, runs="r", versions={}
    )
    step = next_step(space, [], "videos")
    assert step is not None
    progress = Progress(store, space)
    progress.watch(step, None)
    for trial in step.trials[:2]:
        for number in (41, 42, 43):
            progress.watch(step, Epoch(trial.id, number, 50, 1.0, 0.5, 0.1, 60.0, clips_per_second=9.0, waited=0.5))
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("epoch 42 spent 50% of its 1 min 00 s waiting for data (9.00 clips/s; computing alone 18.0)") == 2
    assert said.count("Set resources.loader_workers to 4 (now 2)") == 1
    assert "epoch 43 spent" not in said


def test_the_table_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "document", lambda: Console(width=80))
    space = space_of(recipe={"epochs": 256})
    store = open_store("sqlite://", create=True).create(
        "one", space=space, source="x", overrides=(), data=None, runs="r", versions={}
    )
    step = next_step(space, [], "videos")
    assert step is not None
    progress = Progress(store, space)
    progress.watch(step, None)
    for trial in step.trials:
        progress.watch(step, Epoch(trial.id, 128, 256, 1.0, 1.0, 0.1, 1.0, clips_per_second=1234.0, waited=1.0))
    narrow = Console(width=80)
    lines = narrow.render_lines(progress._table(), pad=False)
    text = "\n".join("".join(segment.text for segment in line) for line in lines)
    assert "epoch 128/256" in text
    assert "…" not in text


@pytest.mark.parametrize(
    ("nodes", "then"),
    [
        ({"gpu1", "gpu2"}, "new attempts are placed elsewhere"),
        ({"gpu1"}, "it is used all the same, as there is no other"),
    ],
)
def test_a_node_that_fails_two_trials_is_named_once_with_what_follows(
    nodes: set[str], then: str, capsys: pytest.CaptureFixture[str]
) -> None:
    space = space_of(recipe={"epochs": 10})
    store = open_store("sqlite://", create=True).create(
        "one", space=space, source="x", overrides=(), data=None, runs="r", versions={}
    )
    step = next_step(space, [], "videos")
    assert step is not None
    store.enroll(step)
    progress = Progress(store, space)
    progress.nodes = lambda: frozenset(nodes)
    progress.watch(step, None)
    first, second, *_ = (trial.id for trial in step.trials)
    for trial in (first, first, second, second):
        failed = Failed(trial, "died", kind=FailureKind.HANG, node="gpu1", wait=30.0, next="attempt 2 of 3")
        store.record(failed)
        progress.watch(step, failed)
    told = " ".join(capsys.readouterr().err.split())
    assert "it hung on gpu1; attempt 2 of 3 in 30 s, from its last checkpoint" in told
    assert told.count(f"trials {first}, {second} failed on node gpu1 (hang): {then}") == 1
    status = document_of(take(store))
    assert status["avoided"] == ["gpu1"]
    assert avoided(store.failures()) == [
        f"trials {first}, {second} failed on node gpu1 (hang): new attempts are placed elsewhere, as long as another"
        " node has room for a trial"
    ]
