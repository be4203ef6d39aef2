"""The lease on a search: the right to write to it, of one process from its claim to the next.

Each claim has a number, one more than the last. A write compares it with the search's row, which its transaction locks:
a process that was taken over writes nothing, whether it knows or not.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.orm import Session

from results.owner import Owner
from results.records import SearchState
from results.schema import SearchRow, UtcDateTime

LEASE_SECONDS = 60.0


@dataclass(frozen=True)
class Lease:
    """One claim of a search.

    number: grows with every claim. token: of this claim alone, as a store that is restored counts again. heard: when
    its holder was last heard of. seconds: so long after that nobody else may claim the search.
    """

    number: int
    token: str
    owner: Owner
    claimed: datetime
    heard: datetime
    seconds: float

    def stands(self, now: datetime) -> bool:
        """Whether it keeps others from the search: not once it has run out, nor once its holder is known to be dead."""
        return now - self.heard <= timedelta(seconds=self.seconds) and not self.owner.dead

    def given_back(self, row: SearchRow) -> bool:
        """Whether `row` says that its holder has given it back, and nobody has claimed it since."""
        return row.lease_token is None and row.lease_number == self.number

    def holds(self, row: SearchRow) -> bool:
        """Whether `row` still has this claim."""
        return (row.lease_number, row.lease_token) == (self.number, self.token)


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


def lease_of(row: SearchRow) -> Lease | None:
    """The lease on a search; None where nobody has claimed it since it was given back."""
    if row.lease_token is None:
        return None
    assert row.host is not None
    assert row.pid is not None
    assert row.claimed_at is not None
    assert row.heartbeat_at is not None
    owner = Owner(row.host, row.pid, row.process_started)
    return Lease(row.lease_number, row.lease_token, owner, row.claimed_at, row.heartbeat_at, row.lease_seconds)


def grant(row: SearchRow, owner: Owner, seconds: float, now: datetime) -> Lease:
    """Write a new lease into `row`, whoever had it; it must be locked."""
    # Later than the last claim even where the clock was set back: folders of trials compare these times.
    claimed = now if row.claimed_at is None else max(now, row.claimed_at + timedelta(microseconds=1))
    row.host, row.pid, row.process_started = owner.host, owner.pid, owner.started
    row.lease_number, row.lease_token, row.lease_seconds = row.lease_number + 1, secrets.token_hex(16), seconds
    row.claimed_at, row.heartbeat_at = claimed, now
    granted = lease_of(row)
    assert granted is not None
    return granted


def refusal(name: str, lease: Lease) -> str:
    """What to say to another process that would write to the search."""
    return (
        f"search {name!r} is run by {lease.owner} since {lease.claimed:%F %T} UTC, last heard of {lease.heard:%F %T}:"
        " wait for it, or stop it there with Ctrl-C and resume. It may be taken over once it has been silent for"
        f" {lease.seconds:g} seconds"
    )


def lost(name: str, row: SearchRow, mine: Lease) -> str:
    """What to say to a process whose lease is no longer that of `row`."""
    what = f"search {name!r} was taken over by process {row.pid} on {row.host} at {row.claimed_at:%F %T} UTC"
    if row.lease_number <= mine.number:
        what = f"the store of search {name!r} no longer knows the claim of this process, as after it was restored"
    return (
        f"{what} (lease {row.lease_number}, this process had lease {mine.number}): this process stops, and writes no"
        " more of it"
    )


def effective_state(row: SearchRow, now: datetime) -> SearchState:
    """The state of a search; 'interrupted' where a coordinator that is dead or silent left it running."""
    lease = lease_of(row)
    left = row.state == "running" and (lease is None or not lease.stands(now))
    return "interrupted" if left else cast("SearchState", row.state)
