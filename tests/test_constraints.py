"""What the database itself refuses, and what processes leave behind that record the same at the same moment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from test_store import (
    DATA,
    SPACE,
    SPAWN,
    FakeTraining,
    completed,
    first_step,
    new_search,
    new_url,
    process,
    received,
    run,
    seeded,
    whole_search,
)

from expander.errors import StoreError
from expander.search import decide, instances, next_step
from expander.trial import Damage, Epoch, Failed, Metrics
from results.store import SqlStore, open_store

PROCESSES = 3


@pytest.fixture(params=["sqlite-file", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_url(request.param, request, tmp_path)


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    """With one search that has completed."""
    with closing(open_store(url, create=True)) as opened:
        search = new_search(opened)
        run(search, FakeTraining())
        other = new_search(opened, "other", seeded(5))
        step = next_step(seeded(5), (), DATA)
        assert step is not None
        other.enroll(step)
        other.record(Failed(step.trials[0].id, "out of memory"))
        yield opened


DECISION = (
    "INSERT INTO decisions (step_id, axis, factors, cost, trial_id, score, ranking, decided_at)"
    " SELECT {step}, {axis}, factors, cost, {trial}, {score}, ranking, decided_at FROM decisions WHERE step_id = 1"
)
# In a column of its own each: what would be recorded twice, half, or out of its range.
REFUSED = {
    "two decisions of a step": DECISION.format(step=1, axis="axis", trial="trial_id", score="score"),
    "a decision of no step": DECISION.format(step=99, axis="axis", trial="trial_id", score="score"),
    "a decision for an axis that is no candidate": DECISION.format(
        step="(SELECT max(id) FROM steps)", axis="'sideways'", trial="trial_id", score="score"
    ),
    "a decision with a score of nothing": DECISION.format(
        step="(SELECT max(id) FROM steps)", axis="axis", trial="NULL", score="score"
    ),
    "a trial without its score": "UPDATE trials SET top1 = NULL WHERE completed_at IS NOT NULL",
    "a score without its trial's completion": "UPDATE trials SET completed_at = NULL WHERE top1 IS NOT NULL",
    "a top-1 over 1": "UPDATE trials SET top1 = 1.01 WHERE completed_at IS NOT NULL",
    "a top-5 under 0": "UPDATE trials SET top5 = -0.01 WHERE completed_at IS NOT NULL",
    "an epoch beyond the last": "UPDATE trials SET epoch = epochs + 1",
    "an epoch 0": "UPDATE epochs SET number = 0 WHERE number = 1",
    "an epoch recorded twice": "UPDATE epochs SET number = 1",
    "a step of a search twice": "UPDATE steps SET key = '1' WHERE search_id = 1",
    "a contraction for no regime": "UPDATE steps SET regime = NULL WHERE kind = 'contraction'",
    "two candidates in one place": "UPDATE candidates SET position = 0",
    "an infeasible candidate with a trial": "UPDATE candidates SET reason = 'none' WHERE trial_id IS NOT NULL",
    "a feasible candidate without a network": "UPDATE candidates SET geometry = NULL WHERE reason IS NULL",
    "a failure with the number of another": (
        "INSERT INTO failures (search_id, trial_id, number, reason, traceback, forgiven, failed_at)"
        " SELECT search_id, trial_id, number, reason, traceback, forgiven, failed_at FROM failures"
    ),
    "two instances of a regime": "UPDATE instances SET name = 'T-S'",
    "an instance of the basis after a step": "UPDATE instances SET kind = 'basis'",
    "a candidate of a trial that is none": "UPDATE candidates SET trial_id = 'nowhere' WHERE trial_id IS NOT NULL",
    "a trial that others are decided from removed": "DELETE FROM trials",
}


def test_the_database_refuses_what_cannot_be(store: SqlStore) -> None:
    answers = {}
    for what, statement in REFUSED.items():
        try:
            with store._database.writing() as session:
                changed: Any = session.execute(text(statement))
                answers[what] = f"{changed.rowcount} rows were changed"
        except StoreError as refusal:
            answers[what] = str(refusal).lower()
    assert {what: answer for what, answer in answers.items() if "constraint" not in answer} == {}
    search = store.search("first")
    assert search.decisions() == whole_search()
    assert len(search.instances()) == 2


def test_a_score_out_of_range_is_refused_whole(store: SqlStore) -> None:
    search, step = store.search("other"), first_step()
    space = SPACE.model_copy(update={"seed": 9})
    trial = replace(step.trials[0], seed=9)
    fresh = new_search(store, "fresh", space)
    fresh.enroll(replace(step, candidates=(replace(step.candidates[0], trial=trial),)))
    damage = Damage("val", "a.mp4", "torn")
    impossible = replace(completed(trial.id), metrics=Metrics(1.5, 1.0, 1.0, 9), ledger=(damage,))
    with pytest.raises(StoreError, match="ck_trials_top1"):
        fresh.record(impossible)
    with pytest.raises(StoreError, match="ck_epochs_top1"):
        fresh.record(Epoch(trial.id, 1, 2, 1.0, 1.5, 0.1, 1.0))
    assert fresh.trial(trial.id).outcome is None
    assert fresh.trial(trial.id).epochs == ()
    assert fresh.damaged() == search.damaged() == ()


def complete(url: str, barrier: Any, name: str, sender: Connection) -> None:
    """In a process of its own: record another outcome of each trial than the others do, at the same moment."""
    mine = Damage("val", f"{name}.mp4", "torn")
    with closing(open_store(url)) as store:
        search = store.search(name)
        for trial in first_step().trials:
            barrier.wait()
            outcome = replace(completed(trial.id), weights=name, seconds=float(os.getpid()), ledger=(mine,))
            search.record(outcome)
        sender.send(os.getpid())


def test_of_coordinators_that_complete_a_trial_at_once_one_is_recorded_with_all_that_is_its_own(url: str) -> None:
    names, barrier, step = [f"search-{n}" for n in range(PROCESSES)], SPAWN.Barrier(PROCESSES), first_step()
    with closing(open_store(url, create=True)) as store, ExitStack() as stack:
        for name in names:
            new_search(store, name).enroll(step)
        receivers = [stack.enter_context(process(complete, url, barrier, name))[1] for name in names]
        pids = dict(zip(names, map(received, receivers), strict=True))
        outcomes = store.search(names[0]).outcomes(step)
        assert len(outcomes) == len(step.trials)
        ledger = store.search(names[0]).damaged()
        for outcome in outcomes:
            winner = _winner(outcome)
            assert outcome == replace(completed(outcome.trial), weights=winner, seconds=pids[winner])
            # The losers have not even entered their damaged videos.
            assert [video.video for video in ledger if outcome.trial in video.trials] == [f"{winner}.mp4"]


def _winner(outcome: Any) -> str:
    name = outcome.weights
    assert isinstance(name, str)
    return name


def decide_and_fail(url: str, barrier: Any, number: int, sender: Connection) -> None:
    """In a process of its own: decide a step otherwise than the others, and fail a trial, at the same moment."""
    step = first_step()
    outcomes = [completed(trial.id) for trial in step.trials]
    best = decide(step, outcomes)
    mine = replace(best, score=number / 10)
    with closing(open_store(url)) as store:
        search = store.search("first")
        barrier.wait()
        for attempt in range(5):
            search.record(Failed(step.trials[0].id, f"process {number}, attempt {attempt}"))
        barrier.wait()
        try:
            search.commit(mine, [replace(instances(SPACE, whole_search())[0], trial=None, score=None)])
        except StoreError as refusal:
            sender.send(str(refusal))
        else:
            sender.send(None)


def test_of_coordinators_that_decide_a_step_otherwise_at_once_one_is_recorded_and_the_others_told(url: str) -> None:
    barrier, step = SPAWN.Barrier(PROCESSES), first_step()
    with closing(open_store(url, create=True)) as store, ExitStack() as stack:
        search = new_search(store)
        search.enroll(step)
        receivers = [
            stack.enter_context(process(decide_and_fail, url, barrier, number))[1] for number in range(PROCESSES)
        ]
        answers = [received(receiver) for receiver in receivers]
        (decided,) = search.decisions()
        assert answers.count(None) == 1
        assert decided.score == answers.index(None) / 10
        assert all("it cannot be decided again" in answer for answer in answers if answer is not None)
        assert [instance.name for instance in search.instances()] == ["T-S"]
        # None of the attempts is lost, and none has the number of another.
        with store._database.reading() as session:
            rows = session.execute(text("SELECT number, reason FROM failures ORDER BY number")).all()
        assert [number for number, _ in rows] == list(range(1, 5 * PROCESSES + 1))
        assert len({reason for _, reason in rows}) == 5 * PROCESSES
