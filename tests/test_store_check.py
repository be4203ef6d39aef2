"""`expander store check`: whatever is wrong in a store is named, and what is safe is repaired."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Expander
from sqlalchemy import JSON, Boolean
from sqlalchemy.types import String
from test_store import (
    DATA,
    PRESCRIBED,
    SPACE,
    VALUES,
    FakeTraining,
    completed,
    first_step,
    holding,
    interrupt_after,
    kill_unwaited,
    new_search,
    received,
    rewrite,
    run,
    seeded,
    sized,
    whole_search,
)

from expander.coordinator import measured, run_search
from expander.cost import MeasuredName
from expander.geometry import Geometry
from expander.search import decide, next_step
from expander.space import read_space
from expander.trial import TRAINER, Completed, Event, Failed, Trial
from results.check.problem import Problem, repair
from results.check.store import check
from results.connect import connect
from results.schema import Base
from results.store import SqlStore, open_store

if TYPE_CHECKING:
    from servers import PostgresServer


@dataclass(frozen=True)
class WrittenTraining:
    """Makes outcomes up, and a file of weights for each below `runs`."""

    runs: Path
    failing: tuple[str, ...] = ()

    nodes: int = 1

    def run(self, trials: Sequence[Trial], *rest: Any) -> Generator[Event, None, None]:
        for happened in FakeTraining(dict.fromkeys(self.failing, 99)).run(trials, *rest):
            yield self.written(happened) if isinstance(happened, Completed) else happened

    def written(self, outcome: Completed) -> Completed:
        weights = self.runs / "trials" / outcome.trial / "weights.safetensors"
        weights.parent.mkdir(parents=True, exist_ok=True)
        weights.write_bytes(outcome.trial.encode())
        return replace(outcome, weights=str(weights), weights_sha256=hashlib.sha256(weights.read_bytes()).hexdigest())


@dataclass(frozen=True)
class StoreFile:
    """A SQLite store that can be tampered with."""

    file: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.file}"

    def tamper(self, *statements: str) -> None:
        """Behind every constraint's back, as SQLite's own shell would."""
        with closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            for statement in statements:
                connection.execute(statement)

    def ask(self, statement: str) -> Any:
        with closing(sqlite3.connect(self.file)) as connection:
            return connection.execute(statement).fetchall()


def fill(store: SqlStore, runs: Path) -> None:
    """A search that completed, one that was interrupted after a failure, one along a path and one that only began."""
    whole = new_search(store, "whole")
    whole.claim()
    run_search(SPACE, whole, WrittenTraining(runs), DATA, lambda *_: None)  # type: ignore[arg-type]
    whole.release("completed")
    cut = new_search(store, "cut", seeded(3))
    cut.claim()
    step = next_step(seeded(3), (), DATA)
    assert step is not None
    cut.enroll(step)
    cut.record(Failed(step.trials[0].id, "out of memory"))
    with pytest.raises(KeyboardInterrupt):
        run_search(seeded(3), cut, WrittenTraining(runs), DATA, interrupt_after(25))  # type: ignore[arg-type]
    cut.release("interrupted")
    path = new_search(store, "path", read_space({**VALUES, "expansion": PRESCRIBED}, {}, "the test's space"))
    run(path, FakeTraining())
    path.remember("latency", "a CPU", sized(32), 0.5)
    new_search(store, "new")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    with closing(open_store(f"sqlite:///{folder / 'store.db'}", create=True)) as store:
        fill(store, folder / "runs")
    rewrite(f"sqlite:///{folder / 'store.db'}", "UPDATE searches SET runs = :runs", runs=str(folder / "runs"))
    return folder


@pytest.fixture
def stored(filled: Path, tmp_path: Path) -> StoreFile:
    """A sound store of its own for each test; the weights are those of all."""
    shutil.copy(filled / "store.db", tmp_path / "store.db")
    return StoreFile(tmp_path / "store.db")


def found(url: str) -> tuple[Problem, ...]:
    with closing(connect(url, create=False)) as database:
        return check(database)


def lines(url: str) -> list[str]:
    return [problem.line for problem in found(url)]


def repaired(url: str) -> None:
    with closing(connect(url, create=False)) as database:
        repair(database, check(database))


def trial_of_step_1(place: int = 0) -> str:
    return first_step().trials[place].id


def test_a_sound_store_has_no_problem(stored: StoreFile) -> None:
    assert lines(stored.url) == []


def test_a_sound_store_on_a_server_has_no_problem_and_an_unsound_one_has(
    server: PostgresServer, tmp_path: Path
) -> None:
    url = server.empty()
    with closing(open_store(url, create=True)) as store:
        fill(store, tmp_path)
    assert lines(url) == []
    rewrite(url, "UPDATE trials SET seed = 5 WHERE id = :trial", trial=trial_of_step_1())
    rewrite(url, "DELETE FROM instances WHERE name = 'T-M'")
    assert [problem.repairable for problem in found(url)] == [False, True]
    repaired(url)
    (left,) = lines(url)
    assert left.startswith(f"trial {trial_of_step_1()}: its columns are those of trial ")


def test_a_decision_is_that_of_the_recorded_outcomes(stored: StoreFile) -> None:
    kept = whole_search()[0]
    loser = next(ranked for ranked in reversed(kept.ranking) if ranked.trial and ranked.trial != kept.trial)
    stored.tamper(f"UPDATE trials SET top1 = 0.9999 WHERE id = '{loser.trial}'")
    (line,) = lines(stored.url)
    assert line.startswith(f"search 'whole', step 1: keeps {kept.axis} (cost {kept.cost:g}, score {kept.score}), and")
    assert f"the recorded outcomes give {loser.axis} (cost" in line
    assert "score 0.9999); left, as the program, the space or the record has changed" in line


def test_a_decision_that_left_a_failed_trial_out_stands_though_another_search_trained_it_since(
    stored: StoreFile,
) -> None:
    broken = trial_of_step_1(3)
    space = read_space({**VALUES, "failures": {"retries": 0, "then": "skip"}}, {}, "the test's space")
    with closing(open_store(f"{stored.url}-2", create=True)) as store:
        skipping = new_search(store, "skipping", space)
        training = WrittenTraining(stored.file.parent, (broken,))
        run_search(space, skipping, training, DATA, lambda *_: None)  # type: ignore[arg-type]
        assert {ranked.trial for ranked in skipping.decisions()[0].ranking if ranked.score is None} == {None, broken}
        other = new_search(store, "other")
        other.enroll(first_step())
        other.record(training.written(replace(completed(broken), metrics=replace(completed(broken).metrics, top1=1))))
    assert lines(f"{stored.url}-2") == []
    rewrite(f"{stored.url}-2", "DELETE FROM failures")
    (line,) = lines(f"{stored.url}-2")
    assert f"step 1: it is decided, and no failure of trial {broken}, which it left out, is recorded" in line


def test_a_decision_without_a_completed_trial_is_named(stored: StoreFile) -> None:
    empty = ", ".join(f"{column} = NULL" for column in ("completed_at", "top1", "top5", "loss", "videos", "seconds"))
    stored.tamper(f"UPDATE trials SET {empty} WHERE id = '{trial_of_step_1()}'")
    assert any(
        line.startswith(f"search 'whole', step 1: it is decided, and trial {trial_of_step_1()} is not completed")
        for line in lines(stored.url)
    )


def test_a_step_without_a_decision_before_another_step_is_named(stored: StoreFile) -> None:
    stored.tamper("DELETE FROM decisions WHERE step_id = 1")
    assert any("step 1: it has no decision, and later steps follow; left, as" in line for line in lines(stored.url))


def test_a_candidate_that_does_not_follow_from_the_decisions_is_named(stored: StoreFile) -> None:
    stored.tamper("UPDATE candidates SET cost = cost + 1 WHERE step_id = 2 AND axis = 'depth'")
    (line,) = lines(stored.url)
    assert line.startswith("search 'whole', step 2: other candidate for depth would follow from the decisions before")


def test_a_search_that_is_not_at_its_end_is_not_completed(stored: StoreFile) -> None:
    stored.tamper("UPDATE searches SET state = 'completed' WHERE name = 'cut'")
    (line,) = lines(stored.url)
    assert line == (
        "search 'cut': it is marked as completed, and a step follows; left, as `expander resume cut` goes on with it"
    )


def test_a_trial_that_was_tampered_with_is_named(stored: StoreFile) -> None:
    stored.tamper(f"UPDATE trials SET seed = 5 WHERE id = '{trial_of_step_1()}'")
    (line,) = lines(stored.url)
    tampered = replace(first_step().trials[0], seed=5).id
    assert line == (
        f"trial {trial_of_step_1()}: its columns are those of trial {tampered}: it was tampered with; left, as only a"
        " backup knows what it was"
    )


def test_an_outcome_that_is_half_there_or_no_share_is_named(stored: StoreFile) -> None:
    unread = first_step().trials[-1].id
    stored.tamper(
        f"UPDATE trials SET loss = NULL WHERE id = '{trial_of_step_1()}'",
        f"UPDATE trials SET top5 = 1.5 WHERE id = '{unread}'",
    )
    told = "\n".join(lines(stored.url))
    assert f"trial {trial_of_step_1()}: of its outcome loss is missing" in told
    assert f"trial {unread}: its top5 is 1.5, and not in [0, 1]" in told


def test_a_gap_in_the_epochs_is_none_and_an_epoch_beyond_the_last_is_removed(stored: StoreFile) -> None:
    one, other = trial_of_step_1(0), trial_of_step_1(1)
    # As a kill between a checkpoint and its record leaves it.
    stored.tamper(
        f"DELETE FROM epochs WHERE trial_id = '{one}' AND number = 1",
        f"UPDATE epochs SET number = 3 WHERE trial_id = '{other}' AND number = 2",
    )
    assert list(lines(stored.url)) == [
        f"trial {other}: epoch 3 is recorded, of 2; --repair removes what is beyond the last"
    ]
    repaired(stored.url)
    assert stored.ask(f"SELECT number FROM epochs WHERE trial_id = '{other}'") == [(1,)]


def test_rows_that_point_to_nothing_are_removed_where_nothing_is_decided_from_them(stored: StoreFile) -> None:
    stored.tamper(
        "INSERT INTO epochs (trial_id, number, loss, top1, rate, seconds, recorded_at)"
        " VALUES ('nowhere', 1, 1, 0.5, 0.1, 1, '2026-01-01')",
        "UPDATE failures SET trial_id = 'nowhere'",
        "UPDATE instances SET trial_id = 'nowhere' WHERE name = 'T-S' AND search_id = 1",
    )
    told = found(stored.url)
    assert [problem.line for problem in told if problem.repairable] == [
        "table epochs: 1 row points to no row of trials (trial_id); --repair removes them",
        "table failures: 1 row points to no row of trials (trial_id); --repair removes them",
    ]
    repaired(stored.url)
    assert stored.ask("SELECT count(*) FROM failures") == [(0,)]
    assert [problem.where for problem in found(stored.url)] == ["table instances", "search 'whole'"]


def test_a_trial_of_no_step_is_removed_unless_it_is_finished(stored: StoreFile) -> None:
    strange = [replace(first_step().trials[0], seed=seed) for seed in (50, 51)]
    for trial in strange:
        values = trial.as_dict()
        for key in ("geometry", "recipe", "views"):
            values[key] = json.dumps(values[key])
        rewrite(
            stored.url,
            "INSERT INTO trials (id, geometry, recipe, views, data, seed, trainer, epochs, enrolled_at)"
            " VALUES (:id, :geometry, :recipe, :views, :data, :seed, :trainer, 2, '2026-01-01')",
            id=trial.id,
            **values | {"trainer": TRAINER},
        )
    finished, unfinished = (trial.id for trial in strange)
    rewrite(
        stored.url,
        "UPDATE trials SET completed_at = '2026-01-01', top1 = 0, top5 = 0, loss = 1, videos = 9, seconds = 1"
        " WHERE id = :trial",
        trial=finished,
    )
    rewrite(
        stored.url,
        "INSERT INTO epochs (trial_id, number, loss, top1, rate, seconds, recorded_at)"
        " VALUES (:trial, 1, 1, 0.5, 0.1, 1, '2026-01-01')",
        trial=unfinished,
    )
    told = {problem.where: problem.remedy for problem in found(stored.url)}
    assert told == {
        f"trial {finished}": "as it is finished work, which a search takes over that needs it",
        f"trial {unfinished}": "removes it, as it was never finished",
    }
    repaired(stored.url)
    assert [problem.where for problem in found(stored.url)] == [f"trial {finished}"]


def test_a_failure_in_a_search_that_has_not_the_trial_is_removed(stored: StoreFile) -> None:
    stored.tamper("UPDATE failures SET search_id = (SELECT id FROM searches WHERE name = 'new')")
    (line,) = lines(stored.url)
    assert line.startswith("search 'new': a failure of trial ")
    assert line.endswith("is recorded, which no step of it has; --repair removes it")
    repaired(stored.url)
    assert lines(stored.url) == []


def test_an_instance_that_is_missing_is_recorded_again_as_it_was(stored: StoreFile) -> None:
    columns = "name, bound, step, kind, factors, geometry, flops, params, cost, trial_id, score"
    before = stored.ask(f"SELECT {columns} FROM instances ORDER BY name")
    stored.tamper("DELETE FROM instances WHERE name = 'T-M'")
    (line,) = lines(stored.url)
    assert line == "search 'whole': instance T-M is settled and not recorded; --repair records it"
    repaired(stored.url)
    assert stored.ask(f"SELECT {columns} FROM instances ORDER BY name") == before


def test_an_instance_that_differs_or_is_not_settled_is_left(stored: StoreFile) -> None:
    stored.tamper(
        "UPDATE instances SET cost = cost + 1 WHERE name = 'T-S' AND search_id = 1",
        "UPDATE instances SET search_id = 2 WHERE name = 'T-M' AND search_id = 1",
    )
    told = lines(stored.url)
    assert any(line.startswith("search 'whole': instance T-S would have another cost; left") for line in told)
    assert any("search 'cut': instance T-M is recorded, and its decisions settle none; left" in line for line in told)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE decisions SET factors = '{\"x\": 1}' WHERE step_id = 1",
        "UPDATE decisions SET axis = 'sideways' WHERE step_id = 1",
        "UPDATE decisions SET ranking = '[{\"axis\": 7}]' WHERE step_id = 1",
        "UPDATE searches SET space = '{}' WHERE id = 1",
        "UPDATE trials SET geometry = '[]' WHERE rowid = 1",
        'UPDATE trials SET recipe = \'{"epochs": "many"}\' WHERE rowid = 1',
    ],
)
def test_what_cannot_be_read_is_told_in_words(stored: StoreFile, statement: str) -> None:
    stored.tamper(statement)
    assert any("left, as" in line for line in lines(stored.url))


def test_a_tampered_measurement_is_named(stored: StoreFile) -> None:
    stored.tamper("UPDATE measurements SET geometry = '{}'")
    (line,) = lines(stored.url)
    assert line.startswith("latency on a CPU of network ")
    assert "its columns are those of network" in line


# What nothing else in a store tells: when things happened, where, in which words, and what was merely watched.
UNVERIFIABLE = {
    "alembic_version": {"version_num"},
    "store_info": {"id", "version", "created_at"},
    "searches": {
        *(
            "source",
            "overrides",
            "data",
            "versions",
            "device",
            "runs",
            "reason",
            "state",
            "name",
            "sources",
            "accepted",
        ),
        *("forked_from", "forked_step", "lease_number", "lease_token", "lease_seconds"),
    },
    "trials": {
        *("worker", "top5", "loss", "videos", "seconds", "damaged", "versions", "device", "gpus", "epoch", "notes"),
        "started_with",
    },
    "candidates": {"reason"},
    "epochs": {"loss", "top1", "rate", "seconds", "clips_per_second", "waited", "gpu_memory"},
    "failures": {
        *("id", "number", "reason", "traceback", "forgiven", "kind", "log", "worker", "node", "epoch", "next"),
    },
    "measurements": {"name", "device", "value", "versions"},
    "damaged_videos": {"manifest", "video_id", "video", "reason"},
}


def test_any_column_that_can_be_verified_is(stored: StoreFile, tmp_path: Path) -> None:
    """Each is changed in one row of the whole search, in every way that its type suggests."""
    sound = tmp_path / "sound.db"
    shutil.copy(stored.file, sound)
    unnoticed, tried = [], 0
    for table in Base.metadata.sorted_tables:
        # The holder and times of what happened are what a coordinator says.
        skipped = UNVERIFIABLE.get(table.name, set()) | {"id", "host", "pid", "process_started", "trained_by"}
        for column in table.columns:
            if column.name in skipped or str(column.type) == "DATETIME" or not stored.ask(f"SELECT 1 FROM {table}"):
                continue
            change = (
                "NULL"
                if column.nullable and column.name in ("trial_id", "regime")
                else _changed(column.name, column.type)
            )
            [(row,)] = stored.ask(f"SELECT min(rowid) FROM {table} WHERE {column.name} IS NOT NULL")
            assert row is not None, f"{table}.{column.name} is empty in the whole search"
            stored.tamper(f"UPDATE {table} SET {column.name} = {change} WHERE rowid = {row}")
            tried += 1
            if not lines(stored.url):
                unnoticed.append(f"{table}.{column.name}")
            shutil.copy(sound, stored.file)
    assert unnoticed == []
    assert tried > 45


def _changed(name: str, kind: object) -> str:
    match kind:
        case JSON():
            return "'{\"changed\": 1}'"
        case Boolean():
            return f"NOT {name}"
        case String():
            return f"{name} || 'x'"
        case _:
            return f"{name} + 3" if name == "search_id" else f"{name} + 100"


def test_a_search_that_is_measured_is_checked_against_its_measurements(tmp_path: Path) -> None:
    short = {"first_stride": 4, "axes": ["temporal", "depth"], "max_steps": 2}
    timed = {"complexity": "latency", "expansion": short, "regimes": {"bounds": {"T-S": 1e-2}}}
    space = read_space({**VALUES, **timed}, {}, "the test's space")
    url = f"sqlite:///{tmp_path / 'store.db'}"

    class Meter:
        device = "a CPU"

        def measure(self, name: MeasuredName, geometry: Geometry) -> float:
            return 1e-9 * geometry.crop**2 * geometry.frames * sum(geometry.blocks) * sum(geometry.widths)

    with closing(open_store(url, create=True)) as store:
        search = new_search(store, space=space)
        search.measure_on("a CPU")
        cost = measured("latency", Meter(), search)
        run_search(space, search, WrittenTraining(tmp_path), DATA, lambda *_: None, cost)  # type: ignore[arg-type]
        assert len(search.decisions()) == 2
    assert lines(url) == []
    rewrite(url, "UPDATE measurements SET value = value * 1.1")
    assert any("would follow from the decisions before it" in line for line in lines(url))
    rewrite(url, "DELETE FROM measurements")
    assert any("no latency on a CPU is recorded for one of its networks" in line for line in lines(url))


def test_a_search_whose_coordinator_was_killed_is_marked_as_interrupted(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with closing(open_store(url, create=True)) as store, holding(store, url) as (child, receiver):
        received(receiver)
        assert lines(url) == []
        kill_unwaited(child)
        (line,) = lines(url)
        assert line.startswith(f"search 'first': it is marked as running by process {child.pid} on ")
        assert line.endswith("which is dead; --repair marks it as interrupted")
        repaired(url)
        assert lines(url) == []
        record = store.search("first").record_of
        assert (record.state, record.reason) == ("interrupted", "its coordinator died")


def test_a_search_that_was_taken_over_since_the_check_is_not_repaired(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with closing(open_store(url, create=True)) as store, holding(store, url) as (child, receiver):
        received(receiver)
        kill_unwaited(child)
        problems = found(url)
        search = store.search("first")
        search.claim()
        with closing(connect(url, create=False)) as database:
            repair(database, problems)
        assert search.effective_state == "running"
        search.release("interrupted")


def test_weights_that_are_lost_changed_or_without_a_checksum_are_named(stored: StoreFile, tmp_path: Path) -> None:
    changed, lost, unknown = (trial_of_step_1(place) for place in range(3))
    (tmp_path / "changed").write_bytes(b"other weights")
    stored.tamper(
        f"UPDATE trials SET weights = '{tmp_path}/changed' WHERE id = '{changed}'",
        f"UPDATE trials SET weights = '{tmp_path}/lost' WHERE id = '{lost}'",
        f"UPDATE trials SET weights_sha256 = NULL WHERE id = '{unknown}'",
    )
    told = {problem.where: problem for problem in found(stored.url)}
    assert f"its weights {tmp_path}/changed are not those that were trained" in told[f"trial {changed}"].what
    assert f"its weights {tmp_path}/lost cannot be read (No such file or directory)" in told[f"trial {lost}"].line
    assert told[f"trial {unknown}"].line.endswith("is recorded; --repair records that of today")
    assert [problem.repairable for problem in told.values()].count(True) == 1
    repaired(stored.url)
    assert len(found(stored.url)) == 2
    recorded = hashlib.sha256(unknown.encode()).hexdigest()
    assert stored.ask(f"SELECT weights_sha256 FROM trials WHERE id = '{unknown}'") == [(recorded,)]


def test_a_folder_of_no_trial_is_listed_and_left(stored: StoreFile, tmp_path: Path) -> None:
    stray = tmp_path / "runs" / "trials" / "0123456789abcdef"
    stray.mkdir(parents=True)
    rewrite(stored.url, "UPDATE searches SET runs = :runs WHERE name = 'new'", runs=str(tmp_path / "runs"))
    (line,) = lines(stored.url)
    assert line == f"folder {stray}: no trial of this store has it; left, as a trial of another store may"
    repaired(stored.url)
    assert stray.is_dir()


def test_the_command_says_what_is_wrong_and_repairs_after_a_copy(expander: Expander, stored: StoreFile) -> None:
    clean = expander("store", "check", "--store", stored.url)
    assert clean.stdout == f"{stored.url}: no problem found\n"
    unread = first_step().trials[-1].id
    stored.tamper("DELETE FROM instances WHERE name = 'T-M'", f"UPDATE trials SET top5 = 1.5 WHERE id = '{unread}'")
    told = expander("store", "check", "--store", stored.url, code=1).stdout.splitlines()
    assert told[-1] == f"{stored.url}: 2 problems"
    assert len(told) == 3
    document = json.loads(expander("store", "check", "--store", stored.url, "--repair", "--json", code=1).stdout)
    assert document["backup"] == f"{stored.file}.before-repair"
    assert [(each["repairable"], each["repaired"]) for each in document["problems"]] == [(False, False), (True, True)]
    assert stored.ask("SELECT count(*) FROM instances WHERE name = 'T-M'") == [(1,)]
    with closing(sqlite3.connect(f"{stored.file}.before-repair")) as copy:
        assert copy.execute("SELECT count(*) FROM instances WHERE name = 'T-M'").fetchone() == (0,)
    stored.tamper("DELETE FROM instances WHERE name = 'T-M'", f"UPDATE trials SET top5 = 1.0 WHERE id = '{unread}'")
    last = expander("store", "check", "--store", stored.url, "--repair").stdout.splitlines()
    assert last[-1] == f"{stored.url}: 1 problem, 1 repaired"
    assert last[-2] == f"the store as it was is kept as {stored.file}.before-repair-2"


def test_a_decision_of_the_whole_search_is_what_the_test_takes_it_for() -> None:
    """The tests above tamper with this search: its steps are decided among several trials."""
    step = first_step()
    assert decide(step, [completed(trial.id) for trial in step.trials]) == whole_search()[0]
    assert len(step.trials) == 4
