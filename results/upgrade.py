"""A store that an earlier version wrote, brought to this version's tables in place, in one transaction."""

from __future__ import annotations

import logging

from sqlalchemy import Double, select, text
from sqlalchemy.orm import Session

from expander.errors import StoreError
from results import reading
from results.schema import VERSION, MeasurementRow, SearchRow, StoreInfo

UPGRADED_FROM = 1
# Version 2: a step multiplies the complexity of its space, until then always multiply-adds.
RENAMED = (
    ("steps", "frontier_flops", "frontier_cost"),
    ("steps", "bound_flops", "bound"),
    ("decisions", "flops", "cost"),
    ("instances", "bound_flops", "bound"),
)
COSTED = (("candidates", ""), ("instances", "NOT NULL DEFAULT 0"))


def upgrade(session: Session, shown: str) -> None:
    """Upgrade a store of version 1; nothing where another process has just done so.

    shown: the store's URL, for messages. Raises StoreError, and changes nothing, while a search in it is being run.
    """
    if session.scalar(select(StoreInfo.version).with_for_update()) == VERSION:
        return
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
    session.get_one(StoreInfo, 1).version = VERSION
    held = [row.name for row in session.scalars(select(SearchRow).order_by(SearchRow.id)) if _is_run(row)]
    if held:
        raise StoreError(
            f"the store {shown} is of version {UPGRADED_FROM}, and cannot be brought to version {VERSION} while"
            f" {', '.join(held)} is run by the program that wrote it: wait for it, or stop it with Ctrl-C"
        )
    logging.getLogger(__name__).warning(
        "the store %s was of version %d and is now of version %d: earlier programs do not read it any more",
        shown,
        UPGRADED_FROM,
        VERSION,
    )


def _is_run(row: SearchRow) -> bool:
    return row.state == "running" and reading.is_held(row)
