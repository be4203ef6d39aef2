"""Stores of earlier versions are brought to today's tables when that is asked for, and lose nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from conftest import Expander
from sqlalchemy import Engine, create_engine, event, inspect, text
from test_store import DATA, FakeTraining, run, score_of, whole_search

from expander.coordinator import run_search
from expander.errors import StoreError
from expander.search import Decision
from results.connect import reach
from results.owner import this_process
from results.schema import VERSION, Base
from results.store import SqlStore, open_store
from results.upgrade import migrate, upgrade, upgrade_store

if TYPE_CHECKING:
    import psycopg
    from servers import PostgresServer

STORES = Path(__file__).parent / "stores"


def sqlite_store(folder: Path, version: int = 1) -> str:
    with closing(sqlite3.connect(folder / "old.db")) as connection:
        connection.executescript((STORES / f"version{version}_sqlite.sql").read_text())
    return f"sqlite:///{folder / 'old.db'}"


def postgres_store(server: PostgresServer, version: int) -> str:
    url = server.empty()
    connection: psycopg.Connection[Any]
    with server._connect() as connection:
        connection.execute((STORES / f"version{version}_postgresql.sql").read_text().encode())
    return url


# A store of any of these versions knows neither how fast an epoch trained nor `gpus_per_trial`.
before_version_3 = pytest.mark.parametrize(
    "url", [(kind, version) for kind in ("sqlite", "postgresql") for version in (1, 2)], indirect=True
)
# Versions of which no release was made have no store here.
EARLIER = sorted(int(file.stem[len("version") : -len("_sqlite")]) for file in STORES.glob("version*_sqlite.sql"))


@pytest.fixture(params=[(kind, version) for kind in ("sqlite", "postgresql") for version in EARLIER])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of an earlier version."""
    kind, version = request.param
    if kind == "sqlite":
        return sqlite_store(tmp_path, version)
    return postgres_store(request.getfixturevalue("server"), version)


def opened(url: str) -> SqlStore:
    """The store, after its upgrade."""
    upgrade_store(url)
    return open_store(url)


def version_of(url: str) -> int:
    [(version,)] = ask(url, "SELECT version FROM store_info")
    assert isinstance(version, int)
    return version


def ask(url: str, statement: str) -> list[Any]:
    engine = create_engine(url)
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        rows = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return rows


def tables(url: str) -> dict[str, dict[str, tuple[str, bool]]]:
    """Table -> column -> its type, as SQLite and PostgreSQL agree on it, and whether it may be empty."""
    engine: Engine = create_engine(url)
    found = inspect(engine)
    columns = {
        name: {c["name"]: (_kind(c["type"]), c["nullable"]) for c in found.get_columns(name)}
        for name in found.get_table_names()
    }
    engine.dispose()
    return columns


def _kind(declared: object) -> str:
    # SQLite keeps any number in a column, whatever it is declared as.
    kind = str(declared).partition("(")[0].replace("_", " ")
    return "NUMBER" if kind in ("BIGINT", "INTEGER", "DOUBLE PRECISION", "DOUBLE", "FLOAT") else kind


def unworded(decisions: Sequence[Decision]) -> list[Decision]:
    """Decisions without the reasons of their infeasible candidates, which are worded otherwise today."""
    return [
        replace(decision, ranking=tuple(replace(ranked, reason=None) for ranked in decision.ranking))
        for decision in decisions
    ]


def test_an_upgraded_store_has_the_tables_of_a_new_one(
    url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    upgrade_store(url)
    upgraded = tables(url)
    fresh = request.getfixturevalue("server").empty() if url.startswith("postgresql") else f"sqlite:///{tmp_path}/n.db"
    open_store(fresh, create=True).close()
    assert upgraded == tables(fresh)
    assert set(upgraded) == set(Base.metadata.tables)


def test_the_epochs_of_an_upgraded_store_have_no_pace_where_none_was_recorded(url: str) -> None:
    recorded = version_of(url) >= 3
    with closing(opened(url)) as store:
        search = store.search("finished")
        epochs = search.trial(search.instances()[0].trial or "").epochs
    paces = [(epoch.clips_per_second, epoch.waited, epoch.gpu_memory) for epoch in epochs]
    assert paces == [(None, None, None), (100 / 3, 0.3 - 0.1, 2**40 + 1) if recorded else (None, None, None)]


def test_columns_that_hold_other_complexities_now_take_fractions(url: str) -> None:
    upgrade_store(url)
    ask(url, "UPDATE steps SET bound = 0.0123, frontier_cost = 0.0045")
    assert set(ask(url, "SELECT bound, frontier_cost FROM steps")) == {(0.0123, 0.0045)}
    for table in ("candidates", "decisions", "instances"):
        ask(url, f"UPDATE {table} SET cost = 0.0123")
        assert set(ask(url, f"SELECT cost FROM {table}")) == {(0.0123,)}


def test_an_old_store_is_opened_only_after_its_upgrade(url: str) -> None:
    before = version_of(url)
    for create in (False, True):
        with pytest.raises(StoreError, match=f"is of version {before}, .* `expander store upgrade --store"):
            open_store(url, create=create)
    assert version_of(url) == before
    assert [upgrade_store(url), upgrade_store(url)] == [before, VERSION]
    assert version_of(url) == VERSION
    assert ask(url, "SELECT version_num FROM alembic_version") == [(str(VERSION),)]
    open_store(url).close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_migrations_alone_make_a_new_store(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    def fresh(name: str) -> str:
        return f"sqlite:///{tmp_path / name}" if kind == "sqlite" else request.getfixturevalue("server").empty()

    open_store(url := fresh("made.db"), create=True).close()
    made = tables(url)
    engine = create_engine(url := fresh("migrated.db"))
    with engine.begin() as connection:
        migrate(connection, None)
    engine.dispose()
    assert tables(url) == made


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_alembic_finds_nothing_left_to_migrate(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folder = f"sqlite:///{tmp_path / 'new.db'}"
    url = folder if kind == "sqlite" else request.getfixturevalue("server").empty()
    engine = create_engine(url)
    with engine.begin() as connection:
        migrate(connection, None)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": kind != "sqlite"})
        found = compare_metadata(context, Base.metadata)
    engine.dispose()
    # Alembic leaves its own table out.
    assert [change for change in found if "alembic_version" not in str(change)] == []


def constraints(url: str) -> dict[str, set[str]]:
    """Table -> the rules that its rows keep, without their names and how each database words them."""
    engine = create_engine(url)
    found = inspect(engine)
    rules = {
        name: {f"check {rule['name']}" for rule in found.get_check_constraints(name)}
        | {f"unique {sorted(rule['column_names'])}" for rule in found.get_unique_constraints(name)}
        | {f"{rule['constrained_columns']} of {rule['referred_table']}" for rule in found.get_foreign_keys(name)}
        | {f"index {rule['column_names']}" for rule in found.get_indexes(name) if not rule["unique"]}
        for name in found.get_table_names()
    }
    engine.dispose()
    return rules


def test_an_upgraded_store_has_the_constraints_of_a_new_one(
    url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    upgrade_store(url)
    upgraded = constraints(url)
    fresh = request.getfixturevalue("server").empty() if url.startswith("postgresql") else f"sqlite:///{tmp_path}/n.db"
    open_store(fresh, create=True).close()
    assert upgraded == constraints(fresh)
    assert "check ck_trials_outcome" in upgraded["trials"]


def test_everything_recorded_is_read_as_flops(url: str) -> None:
    with closing(opened(url)) as store:
        assert [(s.name, s.state, s.complexity) for s in store.searches()] == [
            ("finished", "completed", "flops"),
            ("stopped", "interrupted", "flops"),
            ("path", "interrupted", "flops"),
        ]
        finished = store.search("finished")
        assert unworded(finished.decisions()) == unworded(whole_search())
        assert {decision.train_top1 for decision in finished.decisions()} == {0.7}
        assert finished.record_of.device is None
        assert [instance.name for instance in finished.instances()] == ["T-S", "T-M"]
        assert all(instance.cost == instance.flops for instance in finished.instances())
        steps = finished.steps()
        assert [step.key for step in steps] == ["1", "2", "2-T-S", "3", "3-T-M"]
        assert all(candidate.cost == candidate.flops for step in steps for candidate in step.candidates)
        assert [step.frontier_cost for step in steps][1] == whole_search()[0].cost
        assert steps[0].candidates[0].failures == 1
        assert len(finished.trial(finished.instances()[0].trial or "").epochs) == 2


@before_version_3
def test_what_a_trial_took_of_gpus_is_read_under_its_new_name(url: str) -> None:
    space, more = (ask(url, f"SELECT space FROM searches WHERE name = '{name}'") for name in ("finished", "stopped"))
    for name, ((recorded,),), gpus in (("finished", space, 0.5), ("stopped", more, 2.0)):
        values = json.loads(recorded) if isinstance(recorded, str) else recorded
        values["resources"]["gpus"] = gpus
        changed = json.dumps(values).replace("'", "''").replace(":", r"\:")
        ask(
            url,
            f"UPDATE searches SET space = '{changed}', overrides = '[\"resources.gpus=2\", \"seed=0\"]'"
            f" WHERE name = '{name}'",
        )
    with closing(opened(url)) as store:
        finished, stopped = (store.search(name).record_of for name in ("finished", "stopped"))
        assert finished.space.resources.gpus_per_trial == 0.5
        # It held two and used one, as its only process could.
        assert (stopped.space.resources.gpus_per_trial, stopped.space.resources.workers) == (1, 1)
        assert list(finished.overrides)[:2] == ["resources.gpus_per_trial=2", "seed=0"]
        assert store.search("path").record_of.space.resources.gpus_per_trial == 0


def test_an_interrupted_search_goes_on_and_decides_as_it_would_have(url: str) -> None:
    with closing(opened(url)) as store:
        search, training = store.search("stopped"), FakeTraining()
        before = {c.trial for step in search.steps() for c in step.candidates if c.state == "completed"}
        search.claim()
        search.update_space(search.record_of.space)
        assert run(search, training) == "every regime has its instance"
        search.release("completed")
        assert unworded(search.decisions()) == unworded(whole_search(7))
        assert len(before) == 6
        assert not before & set(training.finished)
        assert all(decision.score == score_of(decision.trial or "") for decision in search.decisions())


def test_damaged_videos_of_before_are_in_the_ledger(url: str) -> None:
    before = version_of(url)
    with closing(opened(url)) as store:
        videos = store.search("finished").damaged()
        # Until version 3 nobody recorded of which manifest.
        manifests = ("", "") if before < 3 else ("train", "val")
        assert [(video.manifest, video.video, video.searches) for video in videos] == [
            (manifests[0], "a.mp4", ("finished",)),
            (manifests[1], "b.mp4", ("finished",)),
        ]
        completed = [c.trial for s in store.search("finished").steps() for c in s.candidates if c.state == "completed"]
        assert all(set(video.trials) == set(completed) for video in videos)
        assert all(video.first_seen == video.last_seen or len(video.trials) > 1 for video in videos)


def test_a_search_along_a_path_goes_on(url: str) -> None:
    with closing(opened(url)) as store:
        search = store.search("path")
        search.claim()
        assert run_search(search.record_of.space, search, FakeTraining(), DATA, lambda *_: None)
        expansions = [decision for decision in search.decisions() if decision.kind == "expansion"]
        assert [decision.axis for decision in expansions] == ["depth", "fast", "spatial"]
        assert {decision.trial for decision in search.decisions()} == {None}


def test_a_store_whose_search_is_run_by_the_old_program_stays_as_it_is(url: str) -> None:
    me = this_process()
    held = f"state = 'running', host = '{me.host}', pid = {me.pid}, process_started = '{me.started}'"
    ask(url, f"UPDATE searches SET {held} WHERE name = 'stopped'")
    before, version = tables(url), version_of(url)
    refusal = f"is of version {version}, and cannot be brought to version {VERSION} while stopped is run by"
    with pytest.raises(StoreError, match=refusal):
        upgrade_store(url)
    assert tables(url) == before
    assert version_of(url) == version
    ask(url, "UPDATE searches SET state = 'running', host = 'gone', last_event_at = '2020-01-01 00:00:00'")
    opened(url).close()


def test_a_search_that_is_run_is_found_before_anything_is_changed(tmp_path: Path) -> None:
    url, me = sqlite_store(tmp_path), this_process()
    held = f"state = 'running', host = '{me.host}', pid = {me.pid}, process_started = '{me.started}'"
    ask(url, f"UPDATE searches SET {held} WHERE name = 'stopped'")
    database, _ = reach(url)
    said: list[str] = []
    event.listen(database._engine, "before_cursor_execute", lambda _c, _cursor, statement, *_: said.append(statement))
    with pytest.raises(StoreError, match="while stopped is run by"):
        upgrade(database)
    database.close()
    assert said
    assert all(statement.startswith(("SELECT", "BEGIN")) for statement in said)


def test_a_database_that_could_be_left_half_way_is_refused_before_the_first_statement() -> None:
    # Nothing but its name is asked of it: whatever else would fail in other words.
    database = SimpleNamespace(dialect="mysql", shown="mysql+pymysql://here/store")
    with pytest.raises(StoreError) as error:
        upgrade(database)  # type: ignore[arg-type]
    assert "this is done in sqlite and postgresql alone, and " in str(error.value)
    assert "Read it with the program that wrote it, and start new searches in another" in str(error.value)


def test_the_commands_read_and_go_on_with_an_old_store(tmp_path: Path, expander: Expander) -> None:
    sqlite_store(tmp_path)
    where = ("--store", "sqlite:///old.db")
    refusal = " ".join(expander("status", *where, code=1).stderr.split())
    assert "bring it there with `expander store upgrade --store sqlite:///old.db`" in refusal
    upgrade_store(f"sqlite:///{tmp_path / 'old.db'}")
    assert "finished" in expander("status", *where).stdout
    shown = json.loads(expander("status", "finished", *where, "--json").stdout)
    assert (shown["complexity"], shown["device"], shown["state"]) == ("flops", None, "completed")
    assert shown["instances"][0]["cost"] == shown["instances"][0]["flops"]
    expander("report", "finished", *where, "--out", "report.html")
    assert "T-S" in (tmp_path / "report.html").read_text()
    expander("export", "finished", *where, "--out", "configs")
    assert sorted(path.name for path in (tmp_path / "configs").iterdir()) == ["T-M.yaml", "T-S.yaml"]
    resumed = expander("resume", "path", *where, "--json")
    assert json.loads(resumed.stdout)["state"] == "completed"


def test_lists_that_could_lead_anywhere_still_may(url: str) -> None:
    with closing(opened(url)) as store:
        record = store.search("finished").record_of
        assert record.space.data.outside_root
        assert record.overrides[-1] == "data.outside_root=true"
