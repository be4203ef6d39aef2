"""A store that an earlier version wrote, brought to this version's tables in place, in one transaction."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session, load_only

from expander.errors import StoreError
from results import reading
from results.connect import Database, reach
from results.schema import VERSION, SearchRow, StoreInfo

# Others commit each change of a table by itself: a failure would leave the store between two versions.
TRANSACTIONAL = ("sqlite", "postgresql")
# What tells who runs a search; a store of any version has these columns.
HELD_BY = (
    *(SearchRow.name, SearchRow.state, SearchRow.last_event_at),
    *(SearchRow.host, SearchRow.pid, SearchRow.process_started),
)


def upgrade(database: Database) -> int:
    """Upgrade a store of an earlier version; nothing where it is of this one. Returns the version that it was of.

    Raises StoreError, and changes nothing, while a search in it is being run, in a database that could not take the
    change back, and for a store of a later version.
    """
    if database.dialect not in TRANSACTIONAL:
        raise StoreError(
            f"the store {database.shown} cannot be brought to version {VERSION}: this is done in"
            f" {' and '.join(TRANSACTIONAL)} alone, and {database.dialect} could be left half-way. Read it with the"
            " program that wrote it, and start new searches in another store (--store)"
        )
    with database.migrating() as session:
        # Locked, so that of two that upgrade at once the later finds it done.
        before = session.scalar(select(StoreInfo.version).with_for_update())
        assert before is not None
        database.refuse_later(before)
        if before < VERSION:
            _refuse_held(session, database.shown, before)
            migrate(session.connection(), before)
            session.execute(update(StoreInfo).values(version=VERSION))
    return before


def upgrade_store(url: str) -> int:
    """The same for the store at a URL. Raises UsageError where there is none."""
    database, _ = reach(url)
    try:
        return upgrade(database)
    finally:
        database.close()


def refuse_held(database: Database) -> None:
    """Raise StoreError while a search is being run; `upgrade` asks again, where none can be resumed meanwhile."""
    with database.reading() as session:
        version = session.scalar(select(StoreInfo.version))
        assert version is not None
        _refuse_held(session, database.shown, version)


def migrate(connection: Connection, before: int | None, to: int = VERSION) -> None:
    """Run the migrations after version `before`, from no tables at all where that is None."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    # Stores of before version 4 know their version by our own table alone.
    if before is not None and MigrationContext.configure(connection).get_current_revision() is None:
        command.stamp(config, str(before))
    command.upgrade(config, str(to))


def _refuse_held(session: Session, shown: str, version: int) -> None:
    # Locked, so that none is resumed by the earlier program before this transaction ends.
    rows = session.scalars(select(SearchRow).options(load_only(*HELD_BY)).order_by(SearchRow.id).with_for_update())
    held = [row.name for row in rows if row.state == "running" and reading.is_held(row)]
    if held:
        raise StoreError(
            f"the store {shown} is of version {version}, and cannot be brought to version {VERSION} while"
            f" {', '.join(held)} is run by the program that wrote it: wait for it, or stop it with Ctrl-C"
        )
