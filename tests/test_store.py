"""The store's contract, over SQLite in a file and in memory and over PostgreSQL; and what a killed process leaves."""

from __future__ import annotations

import inspect
import itertools
import math
import multiprocessing
import os
import re
import signal
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import PostgresServer
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy import inspect as tables_of

from expander import coordinator
from expander.axis import Axis, Factors
from expander.cli.snapshot import take
from expander.coordinator import NO_WAITS, nobody, nowhere, run_search
from expander.cost import closed_form
from expander.errors import LeaseLost, StepFailed, StoreError, UsageError
from expander.geometry import Geometry, realise
from expander.search import Decision, Ranked, Step, decide, instances, next_step
from expander.space import SearchSpace, read_space
from expander.trial import Completed, Damage, Epoch, Event, Failed, Metrics, Outcome, Started, Trial
from results.connect import NOTICED, connect
from results.lease import LEASE_SECONDS
from results.search import SearchStore
from results.store import SqlStore, open_store
from results.summaries import POSTGRESQL, SQLITE_FILE, read_searches, through_the_driver
from results.version import VERSION

DATA = "da7a" * 4
VALUES: dict[str, Any] = {
    "basis": {"widths": [8, 16], "blocks": [1, 1], "crop": 32, "classes": 3, "head_width": 16},
    "expansion": {"first_stride": 4},
    "limits": {"width": 1.0},
    "regimes": {"bounds": {"T-S": 0.4e6, "T-M": 1e6}},
    "recipe": {"epochs": 2, "batch": 8},
}
# Expansions and a contraction; X-Fast and X-Temporal share a trial, and X-Width is infeasible, in each.
SPACE = read_space(VALUES, {}, "the test's space")
PRESCRIBED = {"first_stride": 4, "path": ["depth", "fast"], "path_is": "prescribed"}
COST = closed_form("flops")
NUMBERS = itertools.count()
SPAWN = multiprocessing.get_context("spawn")


def new_url(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    match kind:
        case "sqlite-file":
            return f"sqlite:///{folder / 'runs' / 'store.db'}"
        case "sqlite-memory":
            return "sqlite://"
        case _:
            url: str = request.getfixturevalue("server").empty()
            return url


@pytest.fixture(params=["sqlite-file", "sqlite-memory", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    with closing(open_store(new_url(request.param, request, tmp_path), create=True)) as opened:
        yield opened


@pytest.fixture(params=["sqlite-file", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store can be that outlives its process; there is none yet."""
    return new_url(request.param, request, tmp_path)


def new_search(store: SqlStore, name: str = "first", space: SearchSpace = SPACE) -> SearchStore:
    return store.create(
        name,
        space=space,
        source="tiny.yaml",
        overrides=["recipe.epochs=2"],
        data={"fingerprint": DATA, "train": {"videos": 12}},
        runs="runs/first",
        versions={"expander": "0.1.0"},
    )


def sized(crop: int) -> Geometry:
    return replace(realise(Factors(), SPACE.lattice.basis), crop=crop)


def seeded(seed: int) -> SearchSpace:
    """The space with trials of its own, because the trials of a search that came before are finished work."""
    return SPACE.model_copy(update={"seed": seed})


@cache
def first_step() -> Step:
    step = next_step(SPACE, (), DATA)
    assert step is not None
    return step


def score_of(trial: str) -> float:
    """A score for every trial, that nothing but its content decides."""
    return int(trial[:8], 16) / 2**32


def completed(trial: str) -> Completed:
    metrics = Metrics(top1=score_of(trial), top5=1.0, loss=1 / 3, videos=9)
    made = f"runs/{trial}/weights", ("a.mp4", "b.mp4"), {"torch": "2.6"}
    return Completed(trial, metrics, 1.25, *made, train_top1=0.7, device="NVIDIA H100 80GB HBM3", gpus=1.0)


def epoch(trial: str, number: int) -> Epoch:
    pace = {"clips_per_second": 100 / 3, "waited": 0.3 - 0.1, "gpu_memory": 2**40 + 1} if number > 1 else {}
    return Epoch(trial, number, 2, loss=0.1 / number, top1=0.7, rate=0.1 + 0.2, seconds=1e-3, **pace)


class FakeTraining:
    """Dispatches by making outcomes up; each trial first fails as often as `failing` says."""

    def __init__(self, failing: Mapping[str, int] | None = None) -> None:
        self.failing = Counter(failing or {})
        self.finished: Counter[str] = Counter()

    nodes = frozenset({"here"})

    def run(
        self,
        trials: Sequence[Trial],
        again: Callable[[Failed], float | None],
        waits: Mapping[str, float] = NO_WAITS,
        avoid: Callable[[str], frozenset[str]] = nowhere,
        early: Callable[[], Sequence[Trial]] = nobody,
    ) -> Generator[Event, None, None]:
        for trial in trials:
            outcome = yield from self._attempt(trial.id)
            while isinstance(outcome, Failed) and again(outcome) is not None:
                outcome = yield from self._attempt(trial.id)

    def _attempt(self, trial: str) -> Generator[Event, None, Outcome]:
        yield Started(trial, "here:1")
        outcome: Outcome = completed(trial)
        if self.failing[trial]:
            self.failing[trial] -= 1
            outcome = Failed(trial, f"out of memory, {self.failing[trial]} to go", "Traceback ...")
        else:
            yield epoch(trial, 1)
            yield epoch(trial, 2)
            self.finished[trial] += 1
        yield outcome
        return outcome


def run(search: SearchStore, dispatcher: FakeTraining, watch: Callable[..., None] = lambda *_: None) -> str:
    return run_search(search.record_of.space, search, dispatcher, DATA, watch)


@cache
def whole_search(seed: int = 0) -> tuple[Decision, ...]:
    """What the search decides when nothing goes wrong, worked out without any store."""
    decisions: list[Decision] = []
    while step := next_step(seeded(seed), decisions, DATA):
        decisions.append(decide(step, [completed(trial.id) for trial in step.trials]))
    return tuple(decisions)


@contextmanager
def counted_queries() -> Iterator[list[str]]:
    queries: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            queries.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield queries
    finally:
        event.remove(Engine, "before_cursor_execute", count)


FACTORS = st.builds(
    Factors,
    gamma_tau=st.none() | st.integers(1, 64),
    gamma_t=st.integers(1, 512),
    gamma_s=st.floats(0.01, 100),
    gamma_w=st.floats(0.01, 100),
    gamma_b=st.floats(0.01, 100),
    gamma_d=st.floats(0.01, 100),
)
SCORES = st.none() | st.floats(0, 1)
FLOPS = st.integers(1, 2**62)
RANKED = st.builds(
    Ranked,
    axis=st.sampled_from(Axis),
    flops=st.none() | FLOPS,
    trial=st.none() | st.text(),
    score=SCORES,
    reason=st.none() | st.text(),
)


class TestAnyStore:
    """What every store does, in memory too."""

    def test_a_search_is_read_as_it_was_created(self, store: SqlStore) -> None:
        before = datetime.now(UTC)
        new_search(store)
        record = store.search("first").record_of
        assert (record.name, record.space, record.source) == ("first", SPACE, "tiny.yaml")
        assert record.overrides == ("recipe.epochs=2",)
        assert record.data == {"fingerprint": DATA, "train": {"videos": 12}}
        assert (record.runs, record.versions) == ("runs/first", {"expander": "0.1.0"})
        assert (record.state, record.reason) == ("created", None)
        assert before <= record.created <= datetime.now(UTC)
        assert record.created.utcoffset() == timedelta(0)

    def test_a_measurement_is_kept_for_every_search_by_name_device_and_network(self, store: SqlStore) -> None:
        one, other = new_search(store, "one"), new_search(store, "other")
        values = {
            (name, device, crop): sum(map(ord, name + device)) / 3 * crop
            for name in ("latency", "memory")
            for device in ("a CPU, 1 thread", "a CPU, 2 threads")
            for crop in (16, 24)
        }
        for (name, device, crop), value in values.items():
            assert one.measurement(name, device, sized(crop)) is None
            assert one.remember(name, device, sized(crop), value) == value
        for (name, device, crop), value in values.items():
            assert other.measurement(name, device, sized(crop)) == value
        assert other.remember("latency", "a CPU, 1 thread", sized(16), 1e9) == values["latency", "a CPU, 1 thread", 16]
        assert one.remember("memory", "a CPU", sized(32), math.inf) == math.inf
        assert other.measurement("memory", "a CPU", sized(32)) == math.inf

    def test_a_search_is_measured_on_one_device(self, store: SqlStore) -> None:
        space = SPACE.model_copy(update={"complexity": "latency"})
        search = new_search(store, space=space)
        assert search.record_of.device is None
        search.measure_on("a CPU, 1 thread")
        search.measure_on("a CPU, 1 thread")
        with pytest.raises(
            UsageError, match=r"latency of search 'first' was measured on a CPU, 1 thread, and here .* on a GPU"
        ):
            search.measure_on("a GPU")
        assert search.record_of.device == "a CPU, 1 thread"
        new_search(store, "second", space).measure_on("a GPU")

    def test_a_search_is_measured_with_one_version_of_torch(self, store: SqlStore) -> None:
        search = new_search(store, space=SPACE.model_copy(update={"complexity": "latency"}))
        search.measure_on("a GPU, torch 2.13.0+cu130")
        with pytest.raises(UsageError) as error:
            search.measure_on("a GPU, torch 2.14.0+cu130")
        assert str(error.value) == (
            "the latency of search 'first' was measured on a GPU, torch 2.13.0+cu130, and here it would be measured on"
            " a GPU, torch 2.14.0+cu130: torch 2.14.0+cu130 has other kernels, and the two cannot be compared. Resume"
            " it with torch 2.13.0+cu130, or start a new search under another name: it takes over every finished trial"
        )
        with pytest.raises(UsageError, match=r"cannot be compared\. Resume it where it was begun, with the same disp"):
            search.measure_on("another GPU, torch 2.14.0+cu130")

    def test_a_name_that_exists_is_refused_with_the_way_out(self, store: SqlStore) -> None:
        new_search(store)
        with pytest.raises(UsageError, match=r"'first' exists.*expander resume first.*another name"):
            new_search(store)
        with pytest.raises(UsageError, match="exists"):
            store.check_free("first")
        store.check_free("second")
        assert len(store.searches()) == 1

    def test_a_name_that_does_not_exist_is_refused_with_those_that_do(self, store: SqlStore) -> None:
        with pytest.raises(UsageError, match="holds no search yet"):
            store.search("first")
        new_search(store, "first")
        new_search(store, "other")
        with pytest.raises(UsageError, match=r"'frist'.*it holds first, other \(did you mean first\?\)"):
            store.search("frist")

    def test_a_whole_search_is_recorded_and_read_back(self, store: SqlStore) -> None:
        search, training = new_search(store), FakeTraining()
        assert run(search, training) == "every regime has its instance"
        decisions = whole_search()
        assert search.decisions() == store.search("first").decisions() == decisions
        assert [step.key for step in search.steps()] == [decision.key for decision in decisions]
        assert [step.chosen for step in search.steps()] == [decision.axis for decision in decisions]
        settled = instances(SPACE, decisions)
        assert [(i.name, i.step, i.kind, i.trial, i.score) for i in search.instances()] == [
            (i.name, i.step, i.kind, i.trial, i.score) for i in settled
        ]
        assert [i.geometry for i in search.instances()] == [i.geometry.as_dict() for i in settled]
        assert set(training.finished.values()) == {1}

    def test_a_search_interrupted_anywhere_decides_alike_and_trains_no_finished_trial_again(
        self, store: SqlStore
    ) -> None:
        seen: list[object] = []
        run(new_search(store, "whole"), FakeTraining(), lambda _step, event: seen.append(event))
        for place in range(0, len(seen), 13):
            training = FakeTraining()
            search = new_search(store, f"cut at {place}", seeded(place + 1))
            with pytest.raises(KeyboardInterrupt):
                run(search, training, interrupt_after(place))
            resumed = store.search(f"cut at {place}")
            run(resumed, training)
            assert resumed.decisions() == whole_search(place + 1)
            assert set(training.finished.values()) == {1}

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        axis=st.sampled_from(Axis),
        factors=FACTORS,
        cost=st.integers(1, 2**53) | st.floats(1e-9, 1e15),
        kept=st.just((None, None)) | st.tuples(st.integers(0, 3), st.floats(0, 1)),
        ranking=st.lists(RANKED, max_size=6),
        train_top1=SCORES,
    )
    def test_any_decision_is_read_back_to_the_last_bit(
        self,
        store: SqlStore,
        axis: Axis,
        factors: Factors,
        cost: float,
        kept: tuple[int | None, float | None],
        ranking: list[Ranked],
        train_top1: float | None,
    ) -> None:
        step, (chosen, score) = first_step(), kept
        trial = None if chosen is None else step.trials[chosen].id
        decision = Decision(1, "expansion", None, axis, factors, cost, trial, score, tuple(ranking), train_top1)
        search = new_search(store, f"search {next(NUMBERS)}")
        search.enroll(step)
        search.commit(decision, ())
        assert search.decisions() == (decision,)
        search.commit(decision, ())
        assert search.decisions() == (decision,)

    def test_outcomes_are_read_back_as_they_were_recorded(self, store: SqlStore) -> None:
        search, step = new_search(store), first_step()
        search.enroll(step)
        assert search.outcomes(step) == ()
        first, second = step.trials[:2]
        failed = Failed(second.id, "the loss is not a number", "Traceback\n  line 1\n")
        search.record(completed(first.id))
        search.record(failed)
        assert search.outcomes(step) == (completed(first.id), failed)
        assert search.trial(first.id).outcome == completed(first.id)
        assert search.trial(first.id).weights == f"runs/{first.id}/weights"
        assert search.trial(first.id).damaged == ("a.mp4", "b.mp4")
        assert search.trial(second.id).outcome == failed
        assert search.trial(second.id).weights is None

    def test_a_trial_is_read_back_with_its_epochs_in_order(self, store: SqlStore) -> None:
        search, step = new_search(store), first_step()
        search.enroll(step)
        trial = step.trials[0]
        search.record(epoch(trial.id, 2))
        search.record(epoch(trial.id, 1))
        record = search.trial(trial.id)
        assert record.trial == trial
        assert record.trial.id == record.id == trial.id
        assert record.epochs == (epoch(trial.id, 1), epoch(trial.id, 2))
        with pytest.raises(UsageError, match="no trial 'none'"):
            search.trial("none")

    def test_an_epoch_trained_again_replaces_itself(self, store: SqlStore) -> None:
        search, step = new_search(store), first_step()
        search.enroll(step)
        trial = step.trials[0].id
        for number in (1, 2):
            search.record(epoch(trial, number))
        search.record(replace(epoch(trial, 1), loss=9.0))
        assert [each.loss for each in search.trial(trial).epochs] == [9.0, 0.05]
        assert search.steps()[0].candidates[0].epoch == 1

    def test_enrolling_again_changes_nothing(self, store: SqlStore) -> None:
        search, step = new_search(store), first_step()
        search.enroll(step)
        search.record(completed(step.trials[0].id))
        before = search.steps()
        search.enroll(step)
        assert search.steps() == before
        assert search.unfinished(step) == step.trials[1:]

    def test_a_step_is_not_enrolled_again_with_other_candidates(self, store: SqlStore) -> None:
        search = new_search(store)
        search.enroll(first_step())
        other = next_step(SPACE, (), "0ther data")
        assert other is not None
        with pytest.raises(StoreError, match="step 1 is recorded with other candidates for bottleneck, depth, fast"):
            search.enroll(other)
        assert [c.trial for c in search.steps()[0].candidates if c.trial] == [
            c.trial.id for c in first_step().candidates if c.trial
        ]

    def test_a_completed_trial_stays_completed(self, store: SqlStore) -> None:
        search, step = new_search(store), first_step()
        search.enroll(step)
        trial = step.trials[0].id
        search.record(completed(trial))
        before = search.steps()
        search.record(replace(completed(trial), metrics=Metrics(0.0, 0.0, 9.0, 1)))
        search.record(Failed(trial, "too late"))
        search.record(Started(trial, "there:2"))
        search.record(epoch(trial, 1))
        assert search.steps() == before
        assert search.outcomes(step) == (completed(trial),)
        assert search.trial(trial).epochs == ()

    def test_a_second_different_decision_is_refused_and_leaves_nothing_behind(self, store: SqlStore) -> None:
        search, step = new_search(store), first_step()
        search.enroll(step)
        decision = decide(step, [completed(trial.id) for trial in step.trials])
        search.commit(decision, ())
        settled = instances(SPACE, whole_search())
        with pytest.raises(StoreError) as error:
            search.commit(replace(decision, score=0.5, cost=2 * decision.cost), settled)
        assert str(error.value) == (
            f"search 'first': step 1 is decided for {decision.axis} with {COST.show(decision.cost)}, score"
            f" {decision.score}; it cannot be decided again for {decision.axis} with"
            f" {COST.show(2 * decision.cost)}, score 0.5: the program, the space or the data has changed since; go"
            " on with what it was started with, or start a new search"
        )
        assert search.decisions() == (decision,)
        assert search.instances() == ()

    def test_a_decision_needs_its_step_and_its_trial(self, store: SqlStore) -> None:
        search, step = new_search(store), first_step()
        decision = decide(step, [completed(trial.id) for trial in step.trials])
        with pytest.raises(StoreError, match="step 1 is decided but was never enrolled"):
            search.commit(decision, ())
        search.enroll(step)
        with pytest.raises(StoreError, match=r"cannot write to the store .*(?i:foreign key)"):
            search.commit(replace(decision, trial="0123456789abcdef"), ())
        assert search.decisions() == ()

    def test_an_event_of_an_unknown_trial_is_refused(self, store: SqlStore) -> None:
        with pytest.raises(StoreError, match="trial 0123 was never enrolled"):
            new_search(store).record(Started("0123", "here:1"))

    def test_instances_are_settled_once_and_cannot_become_others(self, store: SqlStore) -> None:
        search = new_search(store)
        run(search, FakeTraining())
        decisions, before = search.decisions(), search.instances()
        settled = instances(SPACE, decisions)
        search.commit(decisions[-1], settled)
        assert search.instances() == before
        with pytest.raises(StoreError) as error:
            search.commit(decisions[-1], [replace(settled[0], score=0.123, step=7)])
        cost = COST.show(settled[0].cost)
        assert str(error.value) == (
            f"search 'first': T-S is settled at step 2 with {cost} and cannot become that of step 7 with {cost}; step,"
            " score would differ: the program, the space or the data has changed since; go on with what it was started"
            " with, or start a new search"
        )
        assert search.instances() == before

    def test_a_measured_cost_is_refused_in_its_unit(self, store: SqlStore) -> None:
        search = new_search(store, space=SPACE.model_copy(update={"complexity": "latency"}))
        settled = replace(instances(SPACE, whole_search())[0], cost=0.0042, trial=None)
        search.settle([settled])
        with pytest.raises(StoreError, match=r"with 4\.2 ms and cannot become that of step 2 with 1\.5 s; cost would"):
            search.settle([replace(settled, cost=1.5)])

    def test_a_failed_trial_is_unfinished_and_its_failures_are_told_in_order(self, store: SqlStore) -> None:
        search, step = new_search(store), first_step()
        search.enroll(step)
        trial = step.trials[0]
        search.record(Failed(trial.id, "once", "Traceback ...", log="a line"))
        search.record(Failed(trial.id, "twice", "Traceback ..."))
        assert search.unfinished(step) == step.trials
        assert search.failures() == (Failed(trial.id, "once"), Failed(trial.id, "twice"))
        assert search.outcomes(step) == (Failed(trial.id, "twice", "Traceback ..."),)
        search.record(completed(trial.id))
        assert search.unfinished(step) == step.trials[1:]

    def test_a_trial_that_fails_too_often_stops_the_search_until_it_is_forgiven(self, store: SqlStore) -> None:
        search, step = new_search(store), first_step()
        broken = step.trials[1].id
        training = FakeTraining({broken: 3})
        with pytest.raises(StepFailed, match="out of memory, 1 to go"):
            run(search, training)
        with pytest.raises(StepFailed):
            run(search, training)
        assert training.failing[broken] == 1
        failed = next(c for c in search.steps()[0].candidates if c.trial == broken)
        assert (failed.state, failed.failures, failed.failure) == ("failed", 2, "out of memory, 1 to go")
        search.forgive()
        assert next(c for c in search.steps()[0].candidates if c.trial == broken).state == "pending"
        run(search, training)
        assert search.decisions() == whole_search()
        healed = next(c for c in search.steps()[0].candidates if c.trial == broken)
        assert (healed.state, healed.failures, healed.failure) == ("completed", 3, "out of memory, 0 to go")

    def test_failures_of_a_decided_step_and_of_another_search_are_not_forgiven(self, store: SqlStore) -> None:
        step = first_step()
        broken = step.trials[0].id
        decided, undecided = new_search(store, "decided"), new_search(store, "undecided")
        for search in (decided, undecided):
            search.enroll(step)
            search.record(Failed(broken, "out of memory"))
        outcomes = [completed(trial.id) for trial in step.trials[1:]]
        decided.commit(decide(step, outcomes, skip_failed=True), ())
        decided.forgive()
        assert decided.failures() == undecided.failures() == (Failed(broken, "out of memory"),)
        undecided.forgive()
        assert decided.failures() == (Failed(broken, "out of memory"),)
        assert undecided.failures() == ()

    def test_candidates_that_are_the_same_work_share_a_trial(self, store: SqlStore) -> None:
        search, step = new_search(store), first_step()
        search.enroll(step)
        assert len(step.trials) == 4
        search.record(completed(step.trials[0].id))
        fast, temporal = search.steps()[0].candidates[:2]
        assert (fast.axis, temporal.axis) == (Axis.FAST, Axis.TEMPORAL)
        assert fast.trial == temporal.trial == step.trials[0].id
        assert fast.state == temporal.state == "completed"
        assert fast.score == temporal.score == score_of(step.trials[0].id)

    def test_work_that_another_search_finished_is_finished(self, store: SqlStore) -> None:
        first, second, step = new_search(store, "first"), new_search(store, "second"), first_step()
        first.enroll(step)
        first.record(completed(step.trials[0].id))
        first.record(Failed(step.trials[1].id, "out of memory"))
        second.enroll(step)
        assert second.unfinished(step) == step.trials[1:]
        assert second.outcomes(step) == (completed(step.trials[0].id),)
        training = FakeTraining()
        run(second, training)
        assert step.trials[0].id not in training.finished
        assert first.outcomes(step) == second.outcomes(step)

    def test_steps_show_what_was_tried_and_what_came_back(self, store: SqlStore) -> None:
        search, step = new_search(store), first_step()
        search.claim()
        search.enroll(step)
        done, running, failed, pending = (trial.id for trial in step.trials)
        search.record(completed(done))
        search.record(Started(running, "node-3:17"))
        search.record(epoch(running, 1))
        search.record(Started(failed, "node-3:18"))
        search.record(Failed(failed, "out of memory"))
        (record,) = search.steps()
        assert (record.number, record.kind, record.regime, record.key) == (1, "expansion", None, "1")
        assert (record.bound, record.frontier_cost) == (step.bound, step.frontier_cost)
        assert (record.chosen, record.ranking, record.decided_at) == (None, (), None)
        states = {c.axis: c.state for c in record.candidates}
        by_trial = {done: "completed", running: "running", failed: "failed", pending: "pending"}
        assert states == {c.axis: by_trial[c.trial.id] if c.trial else "infeasible" for c in step.candidates}
        for shown, candidate in zip(record.candidates, step.candidates, strict=True):
            assert (shown.axis, shown.feasible, shown.reason) == (candidate.axis, candidate.feasible, candidate.reason)
            assert shown.trial == (candidate.trial and candidate.trial.id)
            if candidate.solution is None:
                assert (shown.factors, shown.geometry, shown.flops, shown.achieved_rate) == (None, None, None, None)
                continue
            solution, complexity = candidate.solution, candidate.solution.complexity
            assert shown.factors == solution.factors.as_dict()
            assert shown.geometry == solution.geometry.as_dict()
            assert shown.achieved_rate == solution.achieved_rate
            costs = (shown.flops, shown.params, shown.params_without_batchnorm, shown.activations)
            assert costs == tuple(complexity.as_dict().values())
        shown = next(c for c in record.candidates if c.trial == done)
        assert (shown.score, shown.top5, shown.loss, shown.seconds) == (score_of(done), 1.0, 1 / 3, 1.25)
        shown = next(c for c in record.candidates if c.trial == running)
        assert (shown.epoch, shown.epochs, shown.score) == (1, 2, None)
        assert (shown.last, shown.damaged) == (epoch(running, 1), 0)
        assert search.epoch_seconds() == {running: (1e-3,)}

    def test_steps_are_read_in_as_many_queries_however_many_there_are(self, store: SqlStore) -> None:
        search = new_search(store)
        search.enroll(first_step())
        with counted_queries() as one_step:
            search.steps()
        run(search, FakeTraining())
        with counted_queries() as every_step:
            assert len(search.steps()) == len(whole_search())
        assert len(one_step) == len(every_step) <= 5
        with counted_queries() as decisions:
            search.decisions()
        assert len(decisions) == 1

    def test_a_status_takes_as_many_queries_however_many_trials_there_are(self, store: SqlStore) -> None:
        def queries() -> tuple[int, int, int]:
            with counted_queries() as of_all:
                store.searches()
            with counted_queries() as of_one:
                take(store.search("first"))
            with counted_queries() as of_trials:
                store.trained_on(["H100"])
            return len(of_all), len(of_one), len(of_trials)

        search = new_search(store)
        search.enroll(first_step())
        search.record(replace(completed(first_step().trials[0].id), ledger=(Damage("val", "a.mp4", "torn"),)))
        few = queries()
        run(search, FakeTraining())
        for seed in range(1, 4):
            run(new_search(store, f"search {seed}", seeded(seed)), FakeTraining())
        assert queries() == few
        assert sum(few) < 25

    def test_a_resumed_search_takes_as_many_queries_however_far_it_is(self, store: SqlStore) -> None:
        def queries(name: str) -> int:
            with counted_queries() as counted:
                search = store.search(name)
                search.claim()
                search.update_space(search.record_of.space)
                search.forgive()
                step = next_step(search.record_of.space, search.decisions()[:3], DATA)
                assert step is not None
                search.enroll(step)
                search.unfinished(step)
                search.release("interrupted")
            return len(counted)

        near, far = new_search(store, "near"), new_search(store, "far", seeded(1))
        with pytest.raises(KeyboardInterrupt):
            run(near, FakeTraining(), interrupt_after(2))
        run(far, FakeTraining())
        # What a step that is recorded already does not insert is all that tells them apart.
        assert abs(queries("near") - queries("far")) <= 1

    def test_a_search_is_forgotten_only_before_its_first_step(self, store: SqlStore) -> None:
        begun, fresh = new_search(store, "begun"), new_search(store, "fresh")
        begun.enroll(first_step())
        for search in (begun, fresh):
            store.discard(search)
        assert [summary.name for summary in store.searches()] == ["begun"]
        assert len(begun.steps()) == 1
        new_search(store, "fresh")

    def test_finished_trials_on_a_kind_of_gpu_are_read_whichever_search_ordered_them(self, store: SqlStore) -> None:
        recorded = {"id": DATA, "train": {"videos": 12}}
        options = {"source": "tiny.yaml", "overrides": [], "data": recorded, "runs": "runs", "versions": {}}
        search = store.create("first", space=SPACE, **options)
        run(search, FakeTraining())
        trained = store.trained_on(["H100"])
        assert {each.gpus for each in trained} == {1.0}
        assert {each.geometry for each in trained} == {
            search.trial(c.trial).trial.geometry for s in search.steps() for c in s.candidates if c.trial
        }
        assert store.trained_on(["H200"]) == ()

    def test_a_store_and_its_searches_say_where_it_is(self, store: SqlStore) -> None:
        assert new_search(store).url == store.url
        assert store.url.startswith(("sqlite://", "postgresql+psycopg://expander:***@"))

    def test_failures_are_counted_by_trial_forgiven_ones_too(self, store: SqlStore) -> None:
        search, (trial, other, *_) = new_search(store), first_step().trials
        search.claim()
        search.enroll(first_step())
        for _ in range(2):
            search.record(Failed(trial.id, "torn"))
        search.forgive()
        search.record(Failed(trial.id, "torn"))
        assert (search.failed(trial.id), search.failed(other.id)) == (3, 0)
        assert [attempt.number for attempt in search.attempts(trial.id)] == [1, 2, 3]
        assert search.attempts(other.id) == ()

    def test_the_files_of_data_are_noted_once_where_an_earlier_program_did_not_look_at_them(
        self, store: SqlStore
    ) -> None:
        search, lists = new_search(store), {"5": (b"sizes", {"0": "a"}), "6": (b"others", {"0": "b"})}
        search.claim()
        search.note_files({"files": {"train": "5"}}, {"5": lists["5"]})
        search.note_files({"files": {"train": "6"}}, {"6": lists["6"]})
        assert search.record_of.data == {"fingerprint": DATA, "train": {"videos": 12}, "files": {"train": "5"}}
        assert (search.file_list("5"), search.file_list("6")) == (lists["5"], None)

    def test_this_suite_calls_everything_that_a_store_has(self) -> None:
        """So that whatever is added to it is tried on each database."""
        # Those of leases, inputs and forks run on each database too, and through the commands.
        elsewhere = (Path(__file__).with_name(f"test_{name}.py") for name in ("lease", "inputs", "fork"))
        calls = inspect.getsource(TestAnyStore) + inspect.getsource(run) + inspect.getsource(new_search)
        calls += "".join(file.read_text() for file in elsewhere)
        loop = inspect.getsource(coordinator)
        loop += "".join((ROOT / "expander" / "cli" / f"{name}.py").read_text() for name in ("inputs", "running"))
        for owner in (SqlStore, SearchStore):
            for name in vars(owner):
                if not name.startswith("_") and name != "close":
                    used = f".{name}" in calls or re.search(rf"(store|resumed|origin)\.{name}\b", loop)
                    assert used, f"no test of {owner.__name__}.{name}"

    def test_a_prescribed_search_records_candidates_that_are_never_trained(self, store: SqlStore) -> None:
        space = read_space({**VALUES, "expansion": PRESCRIBED}, {}, "the test's space")
        search = new_search(store, space=space)
        run(search, FakeTraining())
        assert [step.chosen for step in search.steps() if step.kind == "expansion"] == [Axis.DEPTH, Axis.FAST]
        assert {c.state for step in search.steps() for c in step.candidates} == {"untrained", "infeasible"}

    def test_searches_are_listed_with_how_far_they_are(self, store: SqlStore) -> None:
        new_search(store, "fresh")
        run(new_search(store, "done"), FakeTraining())
        fresh, done = store.searches()
        *_, last = expansions = [decision for decision in whole_search() if decision.kind == "expansion"]
        assert (fresh.name, fresh.state, fresh.steps, fresh.axis, fresh.cost) == ("fresh", "created", 0, None, None)
        assert fresh.instances == ()
        assert (done.name, done.steps, done.axis, done.cost) == ("done", len(expansions), last.axis, last.cost)
        assert done.instances == ("T-S", "T-M")

    def test_a_failure_is_recorded_whatever_its_message_quotes(self, store: SqlStore) -> None:
        search, step = new_search(store), first_step()
        search.enroll(step)
        trial = step.trials[0].id
        search.record(Failed(trial, "codec \0 in \udcff.mp4", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"))
        (outcome,) = search.outcomes(step)
        assert outcome == Failed(trial, r"codec \x00 in \udcff.mp4", "caf\N{LATIN SMALL LETTER E WITH ACUTE}")

    def test_a_damaged_video_is_recorded_whatever_its_name(self, store: SqlStore) -> None:
        search, step = new_search(store), first_step()
        search.enroll(step)
        outcome = replace(completed(step.trials[0].id), damaged=("\udcff.mp4",))
        search.record(outcome)
        assert search.outcomes(step) == (outcome,)

    def test_the_ledger_says_which_video_of_which_manifest_was_damaged_in_which_trials(self, store: SqlStore) -> None:
        search, step = new_search(store), first_step()
        search.enroll(step)
        first, second, *_ = (trial.id for trial in step.trials)
        torn, lost = Damage("train", "/v/a.mp4", "packet 3 is torn"), Damage("val", "/v/b.mp4", "does not exist")
        # Twice by an attempt that fails, the second time for another reason; and by another trial that completes.
        search.record(Failed(first, "too many", "", (torn,)))
        search.record(Failed(first, "too many", "", (replace(torn, reason="took more than 1 s"),)))
        search.record(replace(completed(second), ledger=(torn, lost)))
        in_train, in_val = search.damaged()
        assert (in_train.manifest, in_train.video, in_train.reason) == ("train", "/v/a.mp4", "packet 3 is torn")
        assert in_train.trials == tuple(sorted((first, second)))
        assert in_train.first_seen < in_train.last_seen
        assert (in_val.manifest, in_val.trials, in_val.searches) == ("val", (second,), ("first",))
        assert in_val.first_seen == in_val.last_seen

        # A search that takes the trials over has their damage; one that has none of them has none.
        other, strange = new_search(store, "other"), new_search(store, "strange", seeded(5))
        other.enroll(step)
        assert [video.searches for video in other.damaged()] == [("first", "other")] * 2
        assert strange.damaged() == ()

    def test_the_ledger_takes_any_name_and_a_completed_trial_reports_no_more(self, store: SqlStore) -> None:
        search, step = new_search(store), first_step()
        search.enroll(step)
        trial = step.trials[0].id
        search.record(replace(completed(trial), ledger=(Damage("val", "\udcff.mp4", "codec \0"),)))
        search.record(Failed(trial, "late", "", (Damage("val", "late.mp4", "late"),)))
        (video,) = search.damaged()
        assert (video.video, video.reason) == (r"\udcff.mp4", r"codec \x00")

    def test_only_the_operational_sections_of_a_space_may_change(self, store: SqlStore) -> None:
        search = new_search(store)
        changed = read_space(
            {**VALUES, "resources": {"gpus_per_trial": 0.5}, "failures": {"retries": 3}}, {}, "changed"
        )
        search.update_space(changed)
        assert search.record_of.space == changed
        with pytest.raises(StoreError, match="frozen, and recipe, seed would change"):
            search.update_space(read_space({**VALUES, "recipe": {"epochs": 3}, "seed": 1}, {}, "changed"))
        assert search.record_of.space == changed

    def test_a_released_search_says_how_it_stands(self, store: SqlStore) -> None:
        search, step = new_search(store), first_step()
        search.claim()
        assert search.effective_state == "running"
        search.enroll(step)
        search.record(Started(step.trials[0].id, "here:1"))
        search.release("interrupted", "Ctrl-C")
        assert (search.record_of.state, search.record_of.reason) == ("interrupted", "Ctrl-C")
        assert {c.state for c in search.steps()[0].candidates} == {"pending", "infeasible"}
        search.claim()
        assert (search.record_of.state, search.record_of.reason) == ("running", None)

    def test_an_attempt_cut_off_after_a_failure_is_pending(self, store: SqlStore) -> None:
        search, step = new_search(store), first_step()
        search.claim()
        search.enroll(step)
        trial = step.trials[0].id
        search.record(Failed(trial, "out of memory"))
        search.record(Started(trial, "here:1"))
        assert search.steps()[0].candidates[0].state == "running"
        search.release("interrupted")
        assert search.steps()[0].candidates[0].state == "pending"
        assert search.steps()[0].candidates[0].failures == 1


def interrupt_after(events: int) -> Callable[[Step, object], None]:
    numbers = itertools.count()

    def watch(_step: Step, _event: object) -> None:
        if next(numbers) == events:
            raise KeyboardInterrupt

    return watch


def write_searches(url: str, sender: Connection) -> None:
    """In a process of its own: search after search, saying so when one is recorded; until it is killed."""
    store, step = open_store(url, create=True), first_step()
    decision = decide(step, [completed(trial.id) for trial in step.trials])
    for number in itertools.count(1):
        search = new_search(store, str(number))
        search.enroll(step)
        search.record(Failed(step.trials[0].id, "out of memory"))
        search.commit(decision, [replace(instances(SPACE, whole_search())[0], trial=None)])
        sender.send(number)


def hold_search(url: str, sender: Connection) -> None:
    """In a process of its own: claim the search, begin a trial, and wait to be killed."""
    search, step = open_store(url).search("first"), first_step()
    search.claim()
    search.enroll(step)
    search.record(Started(step.trials[0].id, "here:1"))
    sender.send(None)
    time.sleep(600)


def race(url: str, barrier: Any, name: str, sender: Connection) -> None:
    """In a process of its own: make the store, a search and its trials' outcomes at the same moment as others."""
    step = first_step()
    barrier.wait()
    with closing(open_store(url, create=True)) as store:
        search = new_search(store, name)
        search.enroll(step)
        for trial in step.trials:
            search.record(replace(completed(trial.id), weights=f"runs/{name}"))
        sender.send(search.outcomes(step))


def race_to_measure(url: str, barrier: Any, name: str, sender: Connection) -> None:
    """In a process of its own: record other values of the same networks at the same moment as others."""
    with closing(open_store(url)) as store:
        search = store.search(name)
        barrier.wait()
        values = [search.remember("latency", "a CPU", sized(crop), float(os.getpid())) for crop in range(20)]
        sender.send(values)


@contextmanager
def process(target: Callable[..., None], *arguments: object) -> Iterator[tuple[Any, Connection]]:
    """A process, and what it sends; killed at the end."""
    receiver, sender = SPAWN.Pipe(duplex=False)
    child = SPAWN.Process(target=target, args=(*arguments, sender), daemon=True)
    child.start()
    sender.close()
    try:
        yield child, receiver
    finally:
        child.kill()
        child.join()
        child.close()
        receiver.close()


@contextmanager
def holding(store: SqlStore, url: str) -> Iterator[tuple[Any, Connection]]:
    """A new search, held by a process of its own."""
    new_search(store)
    with process(hold_search, url) as held:
        yield held


def received(receiver: Connection) -> Any:
    assert receiver.poll(60), "the process says nothing"
    return receiver.recv()


def opened_after(receiver: Connection, url: str) -> SqlStore:
    received(receiver)
    return open_store(url)


def rest_of(receiver: Connection) -> list[Any]:
    """What a dead process had sent and nobody read."""
    found = []
    while True:
        try:
            found.append(receiver.recv())
        except (EOFError, OSError):
            return found


def kill_unwaited(child: Any) -> None:
    """Kill a process and leave it a zombie, as a shell does that is busy."""
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


def rewrite(url: str, statement: str, **values: object) -> None:
    """Change a store behind its back."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


def everything(url: str) -> dict[str, list[Any]]:
    """Every row of a store."""
    engine = create_engine(url)
    with engine.connect() as connection:
        names = tables_of(connection).get_table_names()
        rows = {name: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {name}"))] for name in names}
    engine.dispose()
    return rows


class TestAcrossProcesses:
    """What holds between processes, and when one is killed; a store in memory has but one."""

    @pytest.mark.parametrize("writes", [1, 25])
    def test_everything_acknowledged_outlives_kill_9_and_nothing_is_half_written(self, url: str, writes: int) -> None:
        with process(write_searches, url) as (child, receiver):
            acknowledged = [received(receiver) for _ in range(writes)]
            kill_unwaited(child)
            acknowledged += rest_of(receiver)
        step = first_step()
        decision = decide(step, [completed(trial.id) for trial in step.trials])
        with closing(open_store(url)) as store:
            names = [summary.name for summary in store.searches()]
            assert names[: len(acknowledged)] == [str(number) for number in acknowledged]
            assert len(names) - len(acknowledged) in (0, 1)
            for name in names[: len(acknowledged)]:
                assert store.search(name).decisions() == (decision,)
                assert [instance.name for instance in store.search(name).instances()] == ["T-S"]
                assert store.search(name).outcomes(step) == (Failed(step.trials[0].id, "out of memory"),)
            # The last may have lost its end, but each of its writes is whole or absent.
            for name in names[-1:]:
                assert [len(each.candidates) for each in store.search(name).steps()] in ([], [6])
                assert len(store.search(name).decisions()) == len(store.search(name).instances())

    def test_searches_are_listed_alike_with_and_without_sqlalchemy(self, url: str) -> None:
        assert through_the_driver(url) is None, "there is no store yet"
        with closing(open_store(url, create=True)) as store:
            assert through_the_driver(url) == (store.url, ())
            new_search(store, "fresh")
            run(new_search(store, "done"), FakeTraining())
            new_search(store, "measured", SPACE.model_copy(update={"complexity": "latency"}))
            for name in ("held", "left"):
                new_search(store, name).claim()
            rewrite(url, "UPDATE searches SET lease_seconds = -1 WHERE name = 'left'")
            listed = through_the_driver(url)
            assert listed is not None
            assert listed == read_searches(url) == (store.url, store.searches())
            states = [summary.state for summary in listed[1]]
            assert states == ["created", "created", "created", "running", "interrupted"]
            rewrite(url, "UPDATE store_info SET version = 99")
            assert through_the_driver(url) is None
            with pytest.raises(StoreError, match="of version 99, this program reads version"):
                read_searches(url)

    def test_others_read_and_write_while_a_process_writes(self, url: str) -> None:
        with process(write_searches, url) as (_, receiver), closing(opened_after(receiver, url)) as store:
            mine, seen = new_search(store, "mine"), 0
            mine.enroll(first_step())
            for _ in range(6):
                received(receiver)  # so that the other process gets its turn, however slow it is
                summaries = store.searches()
                assert len(summaries) >= seen
                seen = len(summaries)
                for step in store.search("1").steps():
                    assert len(step.candidates) == 6
                mine.record(Failed(first_step().trials[0].id, "out of memory"))
            assert seen > 6

    def test_processes_that_make_a_store_and_the_same_trials_at_once_agree(self, url: str) -> None:
        barrier = SPAWN.Barrier(3)
        with (
            process(race, url, barrier, "a") as (_, first),
            process(race, url, barrier, "b") as (_, second),
            process(race, url, barrier, "c") as (_, third),
        ):
            outcomes = [received(receiver) for receiver in (first, second, third)]
        assert outcomes[0] == outcomes[1] == outcomes[2]
        with closing(open_store(url)) as store:
            assert {summary.name for summary in store.searches()} == {"a", "b", "c"}
            assert store.search("a").outcomes(first_step()) == outcomes[0]

    def test_of_processes_that_measure_the_same_at_once_all_get_what_was_recorded_first(self, url: str) -> None:
        barrier = SPAWN.Barrier(2)
        with closing(open_store(url, create=True)) as store:
            searches = [new_search(store, name) for name in ("a", "b")]
            with (
                process(race_to_measure, url, barrier, "a") as (_, first),
                process(race_to_measure, url, barrier, "b") as (_, second),
            ):
                values, others = received(first), received(second)
            assert values == others
            assert values == [searches[0].measurement("latency", "a CPU", sized(crop)) for crop in range(20)]

    def test_a_search_whose_coordinator_lives_is_refused_and_a_killed_ones_is_taken_over(self, url: str) -> None:
        with closing(open_store(url, create=True)) as store, holding(store, url) as (child, receiver):
            search = store.search("first")
            received(receiver)
            with pytest.raises(UsageError, match=rf"run by process {child.pid} on {socket.gethostname()} since 20"):
                search.claim()
            with pytest.raises(UsageError, match=f"run by process {child.pid}"):
                search.forgive()
            assert search.effective_state == store.searches()[0].state == "running"
            assert search.steps()[0].candidates[0].state == "running"
            kill_unwaited(child)
            assert search.effective_state == store.searches()[0].state == "interrupted"
            assert search.record_of.state == "running"
            assert search.steps()[0].candidates[0].state == "pending"
            search.claim()
            assert search.effective_state == "running"
            assert search.steps()[0].candidates[0].state == "pending"

    @pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to tell when a process started")
    def test_a_later_process_of_the_same_number_is_not_the_coordinator(self, url: str) -> None:
        with closing(open_store(url, create=True)) as store:
            search = new_search(store)
            search.claim()
            rewrite(url, "UPDATE searches SET pid = :pid, process_started = '1'", pid=os.getppid())
            assert search.effective_state == "interrupted"
            store.search("first").claim()

    def test_a_coordinator_on_another_host_is_taken_over_once_it_is_silent(self, url: str) -> None:
        with closing(open_store(url, create=True)) as store:
            search, rival = new_search(store), store.search("first")
            assert search.claim() is None
            rewrite(url, "UPDATE searches SET host = 'node-9', pid = 7")
            with pytest.raises(UsageError, match=r"run by process 7 on node-9 since .* last heard of"):
                rival.claim()
            rewrite(url, "UPDATE searches SET heartbeat_at = :then", then=datetime.now(UTC) - timedelta(seconds=61))
            assert rival.effective_state == "interrupted"
            before = rival.claim()
            assert before is not None
            assert (before.owner.host, before.owner.pid, before.number) == ("node-9", 7, 1)
            assert rival.effective_state == "running"

    def test_a_coordinator_that_was_taken_over_writes_no_more(self, url: str) -> None:
        with closing(open_store(url, create=True)) as store:
            search, rival, step = new_search(store), store.search("first"), first_step()
            search.claim()
            search.enroll(step)
            rewrite(url, "UPDATE searches SET heartbeat_at = :then", then=datetime.now(UTC) - timedelta(seconds=61))
            rival.claim()
            writes: list[Callable[[], object]] = [
                lambda: search.record(completed(step.trials[0].id)),
                lambda: search.enroll(step),
                lambda: search.commit(whole_search()[0], ()),
                lambda: search.settle(()),
                lambda: search.remember("latency", "a CPU", sized(16), 1.0),
                lambda: search.measure_on("a CPU"),
                lambda: search.update_space(SPACE),
                lambda: search.release("failed", "taken over"),
                search.forgive,
                search.renew,
            ]
            before = everything(url)
            # Also once the new one is done.
            for done in (False, True):
                for write in writes:
                    with pytest.raises(
                        LeaseLost,
                        match=rf"'first' was taken over by process {os.getpid()} on .*lease 2, .* had lease 1",
                    ):
                        write()
                if not done:
                    assert everything(url) == before
                    rival.release("completed")
            assert search.record_of.state == "completed"
            assert search.outcomes(step) == ()

    def test_a_search_that_another_process_has_claimed_is_not_discarded(self, url: str) -> None:
        with closing(open_store(url, create=True)) as store:
            created = new_search(store)
            store.search("first").claim()
            rewrite(url, "UPDATE searches SET host = 'node-9', pid = 7")
            with pytest.raises(UsageError, match="is run by"):
                created.claim()
            store.discard(created)
            assert [summary.name for summary in store.searches()] == ["first"]

    def test_a_store_of_another_version_is_refused(self, url: str) -> None:
        open_store(url, create=True).close()
        rewrite(url, "UPDATE store_info SET version = 99")
        for create in (False, True):
            with pytest.raises(StoreError, match=f"is of version 99, this program reads version {VERSION}"):
                open_store(url, create=create)
        rewrite(url, "DELETE FROM store_info")
        with pytest.raises(StoreError, match="is of version 0"):
            open_store(url)

    def test_a_store_that_exists_is_opened_and_not_made_again(self, url: str) -> None:
        with closing(open_store(url, create=True)) as store:
            new_search(store)
        for create in (False, True):
            with closing(open_store(url, create=create)) as store:
                assert [summary.name for summary in store.searches()] == ["first"]

    def test_a_store_that_is_absent_is_refused_with_what_makes_one(self, url: str) -> None:
        with pytest.raises(UsageError, match=r"there is no store at .*: `expander search` makes one.*--store"):
            open_store(url)

    def test_tables_of_another_program_are_left_alone(self, url: str, tmp_path: Path) -> None:
        (tmp_path / "runs").mkdir()
        rewrite(url, "CREATE TABLE trials (id INTEGER)")
        for create in (False, True):
            with pytest.raises(StoreError, match=r"holds tables of another program .*\(trials\)"):
                open_store(url, create=create)


class TestSqlite:
    def test_a_file_is_made_with_its_folder_and_written_ahead(self, tmp_path: Path) -> None:
        file = tmp_path / "deep" / "er" / "store.db"
        open_store(f"sqlite:///{file}", create=True).close()
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    def test_looking_for_a_store_makes_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError):
            open_store(f"sqlite:///{tmp_path / 'runs' / 'store.db'}")
        with pytest.raises(UsageError):
            open_store("sqlite://")
        assert list(tmp_path.iterdir()) == []

    def test_an_empty_file_is_no_store_but_may_become_one(self, tmp_path: Path) -> None:
        file = tmp_path / "store.db"
        file.touch()
        with pytest.raises(UsageError, match="there is no store"):
            open_store(f"sqlite:///{file}")
        open_store(f"sqlite:///{file}", create=True).close()

    def test_a_file_that_is_no_database_is_refused_in_words(self, tmp_path: Path) -> None:
        file = tmp_path / "notes.txt"
        file.write_text("not a database, only notes " * 40)
        with pytest.raises(StoreError, match=r"cannot read the store sqlite:///.*notes\.txt: file is not a database"):
            open_store(f"sqlite:///{file}", create=True)

    def test_a_folder_that_cannot_be_made_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "runs").write_text("in the way")
        with pytest.raises(StoreError, match="cannot make the folder of the store"):
            open_store(f"sqlite:///{tmp_path / 'runs' / 'deep' / 'store.db'}", create=True)


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("runs/store.db", "'runs/store.db' is no URL of a store; expected sqlite:///runs/store.db"),
            ("postgresql://me:hunter2@host:port/x", r"'postgresql://\*\*\*@host:port/x' is no URL of a store"),
            ("nosuch://me:hunter2@host/x", "'nosuch' is no database that SQLAlchemy knows"),
            ("mysql+nosuch://me:hunter2@host/x", "is no database that SQLAlchemy knows"),
            ("postgresql+pg8000://me:hunter2@host/x", "its driver is not installed"),
            ("postgresql://me:hunter2@127.0.0.1:1/x", r"cannot read the store postgresql\+psycopg://me:\*\*\*@127"),
            ("postgresql://127.0.0.1:1/x?user=me&password=hunter2", "cannot read the store"),
        ],
    )
    def test_a_url_that_leads_nowhere_is_said_without_its_password(self, url: str, words: str) -> None:
        with pytest.raises(StoreError, match=words) as caught:
            open_store(url, create=True)
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize(
        "url",
        [
            *("sqlite://", "sqlite:///:memory:", "sqlite:///file:a.db?uri=true", "sqlite:///a.db?timeout=3"),
            *("postgresql://me@/x?host=/tmp", "postgresql://me:p%40ss@host/x", "postgresql://host/x?sslmode=require"),
            *("postgresql+pg8000://me@host/x", "postgresql://me@one,two/x", "mysql://me@host/x", "runs/store.db"),
        ],
    )
    def test_a_url_that_says_more_than_where_is_left_to_sqlalchemy(self, url: str) -> None:
        assert SQLITE_FILE.fullmatch(url) is None
        assert POSTGRESQL.fullmatch(url) is None

    def test_a_server_that_refuses_the_password_is_said_without_it(self, server: PostgresServer) -> None:
        with pytest.raises(StoreError, match="password authentication failed") as caught:
            open_store(server.url(password="hunter2"))
        assert "hunter2" not in str(caught.value)

    def test_a_server_that_vanishes_is_noticed_within_a_lease_and_the_urls_own_words_on_it_stand(
        self, server: PostgresServer
    ) -> None:
        def given(url: str) -> dict[str, str]:
            with closing(connect(url, create=True)) as database, database.writing() as session:
                assert session.scalar(text("SHOW statement_timeout")) == "40s"
                driver: Any = session.connection().connection.driver_connection
                return dict(driver.info.get_parameters())

        url = server.empty()
        found = given(url)
        said = {name: found[name] for name in NOTICED if name in found}
        assert said == {name: str(value) for name, value in NOTICED.items() if name in said}
        assert {*NOTICED} - {*said} <= {"keepalives"}, "libpq leaves out what is its default"
        probed = NOTICED["keepalives_idle"] + NOTICED["keepalives_interval"] * NOTICED["keepalives_count"]
        assert max(probed, NOTICED["tcp_user_timeout"] / 1000, NOTICED["connect_timeout"]) < LEASE_SECONDS * 3 / 4
        own = given(f"{url}?keepalives_idle=77&tcp_user_timeout=9000")
        assert (own["keepalives_idle"], own["tcp_user_timeout"], own["keepalives_count"]) == ("77", "9000", "3")

    def test_a_stores_own_url_hides_the_password(self, server: PostgresServer) -> None:
        with closing(open_store(server.empty(), create=True)) as store:
            assert store.url.startswith("postgresql+psycopg://expander:***@127.0.0.1")
