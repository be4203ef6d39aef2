"""A store that an earlier version wrote, brought to this version's tables in place, in one transaction."""

from __future__ import annotations

import logging

from sqlalchemy import Double, select, text
from sqlalchemy.orm import Session, load_only

from expander.errors import StoreError
from expander.trial import content_id
from results import reading
from results.schema import VERSION, DamagedRow, MeasurementRow, SearchRow, StoreInfo, TrialRow

OLDEST = 1
# Others commit each change of a table by itself: a failure would leave the store between two versions.
TRANSACTIONAL = ("sqlite", "postgresql")
# What tells who runs a search; a store of any version has these columns.
HELD_BY = (
    *(SearchRow.name, SearchRow.state, SearchRow.last_event_at),
    *(SearchRow.host, SearchRow.pid, SearchRow.process_started),
)
# Version 2: a step multiplies the complexity of its space, until then always multiply-adds.
RENAMED = (
    ("steps", "frontier_flops", "frontier_cost"),
    ("steps", "bound_flops", "bound"),
    ("decisions", "flops", "cost"),
    ("instances", "bound_flops", "bound"),
)
COSTED = (("candidates", ""), ("instances", "NOT NULL DEFAULT 0"))


def upgrade(session: Session, shown: str) -> None:
    """Upgrade a store of an earlier version; nothing where another process has just done so.

    shown: the store's URL, for messages. Raises StoreError, and changes nothing, while a search in it is being run, and
    in a database that could not take the change back.
    """
    dialect = session.get_bind().dialect
    if dialect.name not in TRANSACTIONAL:
        raise StoreError(
            f"the store {shown} is of an earlier version, and cannot be brought to version {VERSION}: this is done in"
            f" {' and '.join(TRANSACTIONAL)} alone, and {dialect.name} could be left half-way. Read it with the"
            " program that wrote it, and start new searches in another store (--store)"
        )
    before = session.scalar(select(StoreInfo.version).with_for_update())
    assert before is not None
    if before == VERSION:
        return
    _refuse_held(session, shown, before)
    if before < 2:
        _to_version_2(session)
    if before < 3:
        _to_version_3(session)
    session.get_one(StoreInfo, 1).version = VERSION
    logging.getLogger(__name__).warning(
        "the store %s was of version %d and is now of version %d: earlier programs do not read it any more",
        shown,
        before,
        VERSION,
    )


def _to_version_2(session: Session) -> None:
    dialect = session.get_bind().dialect
    number = Double().compile(dialect=dialect)
    for table, before, name in RENAMED:
        session.execute(text(f"ALTER TABLE {table} RENAME COLUMN {before} TO {name}"))
        # A column of SQLite takes any number as it is, whatever its type was declared as.
        if dialect.name != "sqlite":
            session.execute(text(f"ALTER TABLE {table} ALTER COLUMN {name} TYPE {number}"))
    for table, rule in COSTED:
        session.execute(text(f"ALTER TABLE {table} ADD COLUMN cost {number} {rule}"))
        session.execute(text(f"UPDATE {table} SET cost = flops"))
    session.execute(text("ALTER TABLE searches ADD COLUMN device TEXT"))
    MeasurementRow.metadata.tables[MeasurementRow.__tablename__].create(session.connection())


def _to_version_3(session: Session) -> None:
    _add_ledger(session)


def _add_ledger(session: Session) -> None:
    """The table of damaged videos, with those of trials that completed before; nobody knows of which manifest."""
    DamagedRow.metadata.tables[DamagedRow.__tablename__].create(session.connection())
    columns = load_only(TrialRow.id, TrialRow.damaged, TrialRow.completed_at)
    for row in session.scalars(select(TrialRow).options(columns).where(TrialRow.completed_at.is_not(None))):
        for video, _, reason in (line.partition(": ") for line in dict.fromkeys(row.damaged or ())):
            seen = {"first_seen": row.completed_at, "last_seen": row.completed_at}
            key = {"trial_id": row.id, "manifest": "", "video_id": content_id(video)}
            session.merge(DamagedRow(**key, video=video, reason=reason, **seen))


def _refuse_held(session: Session, shown: str, version: int) -> None:
    # Locked, so that none is resumed by the earlier program before this transaction ends.
    rows = session.scalars(select(SearchRow).options(load_only(*HELD_BY)).order_by(SearchRow.id).with_for_update())
    held = [row.name for row in rows if row.state == "running" and reading.is_held(row)]
    if held:
        raise StoreError(
            f"the store {shown} is of version {version}, and cannot be brought to version {VERSION} while"
            f" {', '.join(held)} is run by the program that wrote it: wait for it, or stop it with Ctrl-C"
        )
