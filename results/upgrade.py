"""A store that an earlier version wrote, brought to this version's tables in place, in one transaction."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session, load_only

from expander.errors import StoreError
from results.connect import Database, reach
from results.lease import clock, lease_of
from results.owner import Owner, this_process
from results.schema import VERSION, SearchRow, StoreInfo

# Others commit each change of a table by itself: a failure would leave the store between two versions.
TRANSACTIONAL = ("sqlite", "postgresql")
# What tells who runs a search; a store of any version has these columns, the lease since version 4.
HELD_BY = (
    *(SearchRow.name, SearchRow.state, SearchRow.last_event_at),
    *(SearchRow.host, SearchRow.pid, SearchRow.process_started, SearchRow.claimed_at),
)
LEASED_BY = (SearchRow.lease_number, SearchRow.lease_token, SearchRow.lease_seconds, SearchRow.heartbeat_at)
# Before there were leases, a coordinator on another host was taken for dead once it had written nothing for so long.
SILENCE = timedelta(minutes=10)


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
    columns, held_in = ((*HELD_BY, *LEASED_BY), _is_leased) if version >= 4 else (HELD_BY, _is_held)
    rows = session.scalars(select(SearchRow).options(load_only(*columns)).order_by(SearchRow.id).with_for_update())
    now = clock(session)
    held = [row.name for row in rows.all() if row.state == "running" and held_in(row, now)]
    if held:
        raise StoreError(
            f"the store {shown} is of version {version}, and cannot be brought to version {VERSION} while"
            f" {', '.join(held)} is run by the program that wrote it: wait for it, or stop it with Ctrl-C"
        )


def _is_leased(row: SearchRow, now: datetime) -> bool:
    lease = lease_of(row)
    return lease is not None and lease.stands(now)


def _is_held(row: SearchRow, now: datetime) -> bool:
    if row.host is None or row.pid is None:
        return False
    if row.host != this_process().host:
        return now - row.last_event_at <= SILENCE
    return not Owner(row.host, row.pid, row.process_started).dead
