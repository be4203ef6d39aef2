"""The one clock by which leases are given and run out."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.orm import Session

from results.schema import UtcDateTime


def clock(session: Session) -> datetime:
    """Now, by `instant`."""
    return session.scalars(select(instant(session))).one()


def instant(session: Session) -> ColumnElement[datetime]:
    """Now, by the one clock that every process of a store reads, so that those of their hosts may differ.

    PostgreSQL's own. SQLite's processes share a host and its clock. Those of another server are taken to have clocks
    that agree to a fraction of a lease.
    """
    if session.get_bind().dialect.name == "postgresql":
        # Not now(), which is when the transaction began: it may have waited for the row since.
        return func.clock_timestamp(type_=UtcDateTime())
    return literal(datetime.now(UTC), UtcDateTime())
