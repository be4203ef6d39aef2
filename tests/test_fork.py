"""A fork begins with the decisions of another search before a step, and shares its finished trials."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from finished import SPACE, Place, place, run
from test_inputs import shown

from expander.axis import Axis
from expander.errors import UsageError
from expander.fork import before as decisions_before
from results.export import export
from results.report import render


@pytest.fixture(params=["sqlite", "postgresql"])
def first(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A search that has ended, in a file and on a server."""
    url = f"sqlite:///{tmp_path}/store.db" if request.param == "sqlite" else request.getfixturevalue("server").empty()
    made = place(tmp_path / "here", url)
    made.begin()
    return made


def refusal(made: Place, step: int, **given: Any) -> str:
    with pytest.raises(UsageError) as error:
        made.fork(step, **given)
    return str(error.value)


def decided(made: Place, name: str) -> list[tuple[str, Any, Any]]:
    with closing(made.opened()) as store:
        return [(each.key, each.axis, each.trial) for each in store.search(name).decisions()]


def go_on(made: Place, name: str = "second") -> int:
    """Run a fork to its end; returns how many trials it trained."""
    with closing(made.opened()) as store:
        search = store.search(name)
        data = search.record_of.data
        assert data is not None
        search.claim()
        return len(run(search, search.record_of.space, data["id"]).finished)


def test_a_fork_with_the_same_space_trains_nothing_and_decides_the_same(first: Place) -> None:
    assert [key for key, *_ in decided(first, "first")] == ["1", "2", "2-Tiny", "3"]
    first.fork(3)
    assert decided(first, "second") == decided(first, "first")[:3]
    assert [each["name"] for each in shown(first, "second")["instances"]] == ["Tiny"]
    assert go_on(first) == 0
    assert decided(first, "second") == decided(first, "first")
    documents = [shown(first, name) for name in ("first", "second")]
    assert documents[0]["steps"][:3] == [
        {**step, "decided": before["decided"]}
        for step, before in zip(documents[1]["steps"][:3], documents[0]["steps"], strict=False)
    ]
    assert [instance["trial"] for instance in documents[0]["instances"]] == [
        instance["trial"] for instance in documents[1]["instances"]
    ]


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_a_fork_begins_with_what_was_decided_before_its_step(step: int, first: Place) -> None:
    first.fork(step)
    kept = {1: 0, 2: 1, 3: 3, 4: 4}[step]
    assert decided(first, "second") == decided(first, "first")[:kept]
    assert go_on(first) == 0


def test_a_fork_goes_on_with_its_own_space_and_shares_what_is_the_same_work(first: Place) -> None:
    first.fork(3, overrides=["expansion.axes=[fast, spatial, depth, width]"])
    assert go_on(first) == 1, "the axis that is new"
    other = first.folder / "other.yaml"
    other.write_text(SPACE.replace("axes: [fast, spatial, depth]", "axes: [fast, depth]"))
    first.fork(3, "third", space=str(other))
    assert go_on(first, "third") == 0
    axes = [[candidate["axis"] for candidate in step["candidates"]] for step in shown(first, "third")["steps"]]
    assert axes == [["fast", "spatial", "depth"]] * 3 + [["fast", "depth"]]


def test_a_space_that_would_have_decided_otherwise_is_told_where_it_parts(first: Place) -> None:
    text = refusal(first, 4, overrides=["regularisation=[{from_step: 3, epochs: 4}]"])
    assert "would part from what it decided at step 3" in text
    assert "recipe.epochs: 2 recorded, 4 with the new space" in text
    assert "Fork it from step 3 at the latest: --from-step 3" in text
    assert "at step 1" in refusal(first, 4, overrides=["basis.swish=false"])
    assert "swish: True recorded, False with the new space" in refusal(first, 4, overrides=["basis.swish=false"])
    assert "ended before" in refusal(first, 4, overrides=["expansion.max_steps=2"])
    text = refusal(first, 4, overrides=["regimes.bounds={Mini: 1.25e5, Large: 1.0e9}"])
    assert "at step 2-Tiny\n  step 2-Mini would come in its place" in text
    kept = decided(first, "first")[0][1]
    axes = [axis for axis in ("fast", "spatial", "depth") if axis != kept]
    text = refusal(first, 2, overrides=[f"expansion.axes=[{', '.join(axes)}]"])
    assert f"{kept} was kept, and is not among expansion.axes" in text
    assert "complexity: flops recorded, params with" in refusal(
        first, 2, overrides=["complexity=params", "regimes.bounds={Big: 1e9}"]
    )
    with closing(first.opened()) as store:
        assert [summary.name for summary in store.searches()] == ["first"], "nothing was created"


def test_a_fork_over_other_data_keeps_the_decisions_and_shares_no_trial(
    first: Place,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (first.folder / "train1.mp4").write_bytes(b"another")
    first.fork(3)
    assert "train1.mp4: 11 bytes recorded, 7 bytes now" in " ".join(capsys.readouterr().err.split())
    assert decided(first, "second") == decided(first, "first")[:3]
    assert go_on(first) == 3
    assert decided(first, "second")[-1][2] not in {trial for *_, trial in decided(first, "first")}


def test_a_step_is_decided_by_the_user_and_that_is_told_everywhere(first: Place) -> None:
    winner = decided(first, "first")[0][1]
    other = next(axis for axis in (Axis.FAST, Axis.SPATIAL, Axis.DEPTH) if axis != winner)
    first.fork(1, decide=other)
    ((key, axis, trial),) = decided(first, "second")
    assert (key, axis) == ("1", other)
    step = shown(first, "second")["steps"][0]
    assert (step["chosen"], step["chosen_by_user"], step["ranking"][0]["axis"]) == (other, True, winner)
    assert step["candidates"][["fast", "spatial", "depth"].index(other)]["trial"] == trial
    go_on(first)
    assert decided(first, "second")[1:] != decided(first, "first")[1:]
    with closing(first.opened()) as store:
        page = render(store.search("second"))
    assert f"<dt>chosen by the user</dt><dd>{other} at step 1" in page
    assert "trial has completed (" in refusal(first, 1, decide=Axis.WIDTH, new="third")
    assert not shown(first, "first")["steps"][0]["chosen_by_user"]


def test_where_a_fork_is_from_is_told_everywhere(first: Place, capsys: pytest.CaptureFixture[str]) -> None:
    first.fork(3)
    assert "forked from first at step 3" in capsys.readouterr().out
    assert shown(first, "second")["forked"] == {"name": "first", "step": 3}
    with closing(first.opened()) as store:
        search = store.search("second")
        (exported, *_) = export(search, (), (), first.folder / "out")
        assert "from first at step 3" in render(search)
        assert "forked" not in render(store.search("first"))
    assert "forked: {from: first, step: 3}" in exported.config.read_text()


def test_a_fork_that_is_run_ends_and_is_resumed_like_any_search(first: Place) -> None:
    first.fork(3, run=True)
    assert shown(first, "second")["state"] == "completed"
    first.resume("second")


def test_mistakes_in_what_to_fork_are_told(first: Place) -> None:
    assert "has decided 3 expansions; expected 1 to 4" in refusal(first, 5)
    assert "a search named 'first' exists" in refusal(first, 2, new="first")
    assert "expected letters" in refusal(first, 2, new="a b")
    first.space.write_text(SPACE.replace("epochs: 2", "epochs: 3"))
    text = refusal(first, 2)
    assert "recipe.epochs: 2 recorded, 3 now" in text
    assert f"say so: --space {first.space}" in text
    first.space.unlink()
    assert "give --space FILE" in refusal(first, 2, overrides=["seed=1"])
    first.fork(2)


def test_a_step_that_has_a_contraction_of_its_own_is_kept_with_it(first: Place) -> None:
    with closing(first.opened()) as store:
        decisions = store.search("first").decisions()
    assert [decision.key for decision in decisions_before(decisions, 3)] == ["1", "2", "2-Tiny"]
    assert [decision.key for decision in decisions_before(decisions, 2)] == ["1"]
