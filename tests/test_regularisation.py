"""Regularisation expansion by the gap between training and validation (Sec. A.3), as rule, as search, and on resume."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from spaces import space_of
from typer.testing import CliRunner

from expander.axis import Factors
from expander.cli.commands import app
from expander.cli.progress import Progress
from expander.complexity import measure
from expander.coordinator import run_search
from expander.errors import SpaceError
from expander.geometry import realise
from expander.plan import plan
from expander.recipe import Recipe, Regularisation, begun, recipe_at, told
from expander.search import Decision, decide, gaps, next_step, recipe_of, regularisation
from expander.space import SearchSpace
from expander.trial import Completed, Epoch, Metrics, Trial
from results import tables
from results.export import export
from results.report import render
from results.search import SearchStore
from results.store import open_store
from trainers.dispatch.inline import InlineDispatcher

DATA = "da7a" * 4
BATCH = {"when_gap": 0.02, "batch": 4, "epochs": 2}
DROP = {"when_gap": 0.05, "drop_connect": 0.1}
VALUES: dict[str, Any] = {
    "basis": {"widths": [8, 16], "blocks": [1, 1], "crop": 32, "classes": 3, "head_width": 16},
    "expansion": {"first_stride": 4},
    "limits": {"width": 1.0},
    "regimes": {"bounds": {"T-S": 0.4e6, "T-M": 3e6}},
    "recipe": {"epochs": 1, "batch": 8},
    "regularisation": [BATCH, DROP],
}
SPACE = space_of(**VALUES)
SMALLEST = measure(realise(Factors(), SPACE.lattice.basis)).flops
LISTED = (Regularisation(None, {"batch": 4}, 0.02), Regularisation(None, {"drop_connect": 0.1}, 0.05))


def begins(*found: float | None) -> list[int | None]:
    return [change.from_step for change in begun(LISTED, found)]


# The rule.


def test_a_change_begins_at_the_step_after_the_gap_is_over_its_value() -> None:
    assert begins() == begins(-0.1, 0.0, 0.02) == [None, None]
    assert begins(-0.1, 0.021) == [3, None]


def test_a_change_that_has_begun_stays_whatever_the_gap_does() -> None:
    assert begins(-0.1, 0.03, -0.2, -0.2) == [3, None]
    recipes = [recipe_at(step, Recipe(), begun(LISTED, (-0.1, 0.03, -0.2))) for step in (1, 2, 3, 4)]
    assert [recipe.batch for recipe in recipes] == [1024, 1024, 4, 4]


def test_changes_begin_in_their_order_and_one_a_step() -> None:
    assert begins(0.9) == [2, None]
    assert begins(0.9, 0.9) == begins(0.9, 0.9, 0.9) == [2, 3]
    # A gap over the second's value is nothing to it before the first has begun.
    assert begins(0.9, 0.03, 0.06) == [2, 4]


def test_an_unknown_gap_begins_nothing() -> None:
    assert begins(None, None) == [None, None]
    assert begins(None, 0.03) == [3, None]


def test_changes_by_step_and_automatic_ones_go_together() -> None:
    changes = (Regularisation(1, {"batch": 16}), LISTED[0], Regularisation(4, {"batch": 2}))
    found = begun(changes, (0.1,))
    assert [change.from_step for change in found] == [1, 2, 4]
    assert [recipe_at(step, Recipe(), found).batch for step in (1, 2, 3, 4)] == [16, 4, 4, 2]


@given(st.lists(st.none() | st.floats(-1, 1), max_size=8))
def test_later_gaps_change_nothing_of_what_has_begun(seen: list[float | None]) -> None:
    prefixes = [begins(*seen[:end]) for end in range(len(seen) + 1)]
    for before, after in pairwise(prefixes):
        assert all(old in (None, new) for old, new in zip(before, after, strict=True))


def test_people_are_told_what_each_change_waits_for() -> None:
    assert told(LISTED, ()) == (
        "batch 4: waits for a gap over 2.0 points",
        "drop_connect 0.1: waits for the change before it",
    )
    assert told(LISTED, (0.031, 0.0)) == (
        "batch 4: from step 2, as the gap of step 1 is 3.1 points, over 2.0 points",
        "drop_connect 0.1: waits for a gap over 5.0 points; that of step 2 is 0.0 points",
    )
    (first, _) = told(LISTED, (None,))
    assert first.endswith("that of step 1 is unknown, as no training top-1 was recorded")
    assert told((Regularisation(1, {"batch": 16}),), (0.5,)) == ()


# The search.


def outcome(trial: Trial, gap: float | None) -> Completed:
    """A score that the trial's content decides, and a training top-1 that is `gap` over it."""
    score = 0.3 + int(trial.id[:4], 16) / 16**4 / 10
    top1 = None if gap is None else score + gap
    return Completed(trial.id, Metrics(score, 1.0, 1.0, 100), 1.0, None, train_top1=top1)


def decisions_with(found: Callable[[int], float | None], space: SearchSpace = SPACE) -> list[Decision]:
    """Every decision of a search; found: the gap of the trials of a step."""
    made: list[Decision] = []
    while step := next_step(space, made, DATA):
        made.append(decide(step, [outcome(trial, found(step.number)) for trial in step.trials]))
    return made


def test_a_search_changes_its_recipe_as_its_gaps_say_and_a_contraction_has_that_of_its_step() -> None:
    made = decisions_with(lambda step: {1: 0.0, 2: 0.03, 3: 0.1}.get(step, -0.3))
    assert [decision.key for decision in made][:5] == ["1", "2", "2-T-S", "3", "4"]
    assert gaps(made)[:3] == pytest.approx((0.0, 0.03, 0.1))
    assert [change.from_step for change in regularisation(SPACE, made)] == [3, 4]
    recipes = {}
    for count, decision in enumerate(made):
        step = next_step(SPACE, made[:count], DATA)
        assert step is not None
        recipes[step.key] = step.recipe
        assert step.recipe == recipe_of(SPACE, made, decision.number)
        assert {trial.recipe for trial in step.trials} == {step.recipe}
    assert [(recipes[key].batch, recipes[key].epochs) for key in ("1", "2", "2-T-S", "3", "4")] == [
        *((8, 1), (8, 1), (8, 1), (4, 2), (4, 2))
    ]
    assert [recipes[key].drop_connect for key in ("2-T-S", "3", "4", "5")] == [0.0, 0.0, 0.1, 0.1]


def test_the_gap_is_that_of_the_kept_trial_alone() -> None:
    step = next_step(SPACE, [], DATA)
    assert step is not None
    best = max(step.trials, key=lambda trial: outcome(trial, 0).score)
    decision = decide(step, [outcome(trial, 0.01 if trial == best else 0.5) for trial in step.trials])
    assert decision.trial == best.id
    assert decision.gap == pytest.approx(0.01)


def test_the_gap_of_a_contraction_begins_nothing() -> None:
    made = decisions_with(lambda step: 0.0)
    shrunk = [replace(d, train_top1=1.0) if d.kind == "contraction" else d for d in made]
    assert regularisation(SPACE, shrunk) == regularisation(SPACE, made)


def test_without_recorded_training_scores_the_search_goes_on_with_its_first_recipe() -> None:
    made = decisions_with(lambda _: None)
    assert set(gaps(made)) == {None}
    assert {recipe_of(SPACE, made, step) for step in range(9)} == {SPACE.base_recipe}


# Over the store and the in-process dispatcher, interrupted and resumed.


class MadeUp:
    """Trains nothing: an epoch and an outcome by the trial's content; a doubling of FLOPs opens the gap by 2 points."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.trained: list[str] = []
        self.stop_after = stop_after

    def __call__(self, trial: Trial, report: Callable[[Epoch], None]) -> Completed:
        self.trained.append(trial.id)
        made = outcome(trial, 0.02 * math.log2(measure(trial.geometry).flops / SMALLEST) - 0.005)
        assert made.train_top1 is not None
        for number in range(1, trial.recipe.epochs + 1):
            report(Epoch(trial.id, number, trial.recipe.epochs, 1.0, made.train_top1, 0.1, 1.0))
        return made


def carried_on(search: SearchStore, training: MadeUp, steps: int | None = None) -> None:
    """Run the search; stop as Ctrl-C does once `steps` decisions have been made."""

    def watch(_step: object, event: object) -> None:
        if isinstance(event, Decision) and len(search.decisions()) == steps:
            raise KeyboardInterrupt

    search.claim()
    run_search(search.record_of.space, search, InlineDispatcher(training, None), DATA, watch)  # type: ignore[arg-type]
    search.release("completed")


def created(folder: Path, name: str) -> SearchStore:
    store = open_store(f"sqlite:///{folder / name}.db", create=True)
    data = {
        "id": DATA,
        "train": {"videos": 8, "classes": 3, "sha256": ""},
        "val": {"videos": 8, "classes": 3, "sha256": ""},
    }
    settings = {"source": "auto.yaml", "overrides": [], "data": data, "runs": str(folder), "versions": {"torch": "2"}}
    return store.create(name, space=SPACE, **settings)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> SearchStore:
    """A search that nothing interrupts."""
    search = created(tmp_path_factory.mktemp("whole"), "whole")
    carried_on(search, MadeUp())
    return search


@pytest.mark.parametrize("stop", [1, 2, 3, 4])
def test_a_search_resumed_at_any_step_begins_its_changes_where_it_would_have(
    whole: SearchStore, tmp_path: Path, stop: int
) -> None:
    first, second = MadeUp(), MadeUp()
    search = created(tmp_path, "stopped")
    with pytest.raises(KeyboardInterrupt):
        carried_on(search, first, steps=stop)
    with closing(open_store(f"sqlite:///{tmp_path}/stopped.db")) as store:
        carried_on(again := store.search("stopped"), second)
        assert again.decisions() == whole.decisions()
        assert [step.recipe for step in again.steps()] == [step.recipe for step in whole.steps()]
    assert not set(first.trained) & set(second.trained)


def test_the_store_keeps_the_gaps_and_the_changes_have_begun(whole: SearchStore) -> None:
    made = whole.decisions()
    assert None not in gaps(made)
    assert [change.from_step for change in regularisation(SPACE, made)].count(None) == 0
    assert len({json.dumps(dict(step.recipe), sort_keys=True) for step in whole.steps()}) == 3
    kept = next(decision for decision in made if decision.trial)
    completed = whole.trial(kept.trial or "").completed
    assert completed is not None
    assert completed.train_top1 == kept.train_top1


def test_an_exported_config_has_the_recipe_that_its_instance_was_trained_with(
    whole: SearchStore, tmp_path: Path
) -> None:
    for exported in export(whole, [], (), tmp_path):
        config = yaml.safe_load(exported.config.read_text())
        trained = whole.trial(config["provenance"]["trial"]).trial.recipe
        assert config["recipe"] == trained.as_dict()


def test_status_and_report_say_why_each_change_began(whole: SearchStore) -> None:
    lines = told(SPACE.regularisation_expansion, gaps(whole.decisions()))
    assert all("from step" in line for line in lines)
    shown = CliRunner().invoke(app, ["status", "whole", "--store", whole.url])
    assert [line for line in shown.stdout.splitlines() if line.startswith("regularisation: ")] == [
        f"regularisation: {line}" for line in lines
    ]
    document = json.loads(CliRunner().invoke(app, ["status", "whole", "--store", whole.url, "--json"]).stdout)
    assert [change["from_step"] for change in document["regularisation"]] == [
        change.from_step for change in regularisation(SPACE, whole.decisions())
    ]
    assert {step["recipe"]["batch"] for step in document["steps"]} == {8, 4}
    assert all(step["train_top1"] is not None for step in document["steps"])
    page = render(whole)
    assert all(f"<li>{line}</li>" in page for line in lines)


def test_the_log_names_a_change_as_its_step_begins(whole: SearchStore, capsys: pytest.CaptureFixture[str]) -> None:
    made = whole.decisions()
    (first, _) = regularisation(SPACE, made)
    for count in range(4):
        step = next_step(SPACE, made[:count], DATA)
        assert step is not None
        Progress(whole, SPACE).watch(step, None)
        said = f"the gap of step {step.number - 1} is over 2.0 points: epochs 2, batch 4" in capsys.readouterr().err
        assert said == (step.number == first.from_step)


def test_the_table_of_decisions_has_the_gaps(whole: SearchStore) -> None:
    rows = tables.rows_of(tables.decisions(whole))
    assert [row["gap"] for row in rows] == pytest.approx([decision.gap for decision in whole.decisions()])
    assert [row["train_top1"] for row in rows] == [decision.train_top1 for decision in whole.decisions()]


# The space and the plan.


def conflict(**change: Any) -> str:
    with pytest.raises(SpaceError) as error:
        space_of(regularisation=[change])
    return str(error.value)


def test_a_change_begins_by_its_step_or_by_the_gap() -> None:
    assert conflict(batch=4).endswith(
        "regularisation.0: it never begins; give from_step, its first step, or when_gap, the gap that it waits for"
    )
    assert conflict(from_step=2, when_gap=0.5).endswith(
        "regularisation.0.when_gap: 0.5 stands beside from_step 2; give one of the two"
    )
    assert conflict(when_gap=1.0).endswith("regularisation.0.when_gap: found 1.0; expected less than 1")


def test_a_prescribed_path_has_no_gap() -> None:
    with pytest.raises(SpaceError, match=r"a prescribed path trains nothing and has no gap; give from_step"):
        space_of(regularisation=[DROP], expansion={"path": ["fast"], "path_is": "prescribed"})


def test_a_plan_knows_no_gap_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "auto.yaml").write_text(yaml.safe_dump(VALUES | {"expansion": {"path": ["depth", "fast"]}}))
    assert {planned.step.recipe for planned in plan(SPACE).steps} == {SPACE.base_recipe}
    shown = CliRunner().invoke(app, ["plan", str(tmp_path / "auto.yaml")])
    assert "Of 2 changes of regularisation a gap decides" in " ".join(shown.stderr.split())
    document = json.loads(CliRunner().invoke(app, ["plan", str(tmp_path / "auto.yaml"), "--json"]).stdout)
    assert document["automatic_changes"] == 2
    assert json.loads(CliRunner().invoke(app, ["plan", "smoke", "--json"]).stdout)["automatic_changes"] == 0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from((-0.2, 0.01, 0.03, 0.06)), min_size=6, max_size=6), st.integers(1, 8))
def test_the_decisions_so_far_are_all_that_a_step_needs(found: list[float], count: int) -> None:
    made = decisions_with(lambda step: found[step % 6])
    assert made[:count] == [decision_again(made[:place], found) for place in range(min(count, len(made)))]


def decision_again(before: list[Decision], found: list[float]) -> Decision:
    step = next_step(SPACE, before, DATA)
    assert step is not None
    return decide(step, [outcome(trial, found[step.number % 6]) for trial in step.trials])
