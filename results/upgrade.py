"""A store that an earlier version wrote, brought to this version's tables in place, in one transaction."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Double, Text, select, text
from sqlalchemy.orm import Session, load_only
from sqlalchemy.types import TypeEngine

from expander.errors import StoreError
from expander.trial import content_id
from results.lease import LEASE_SECONDS
from results.owner import Owner, this_process
from results.schema import VERSION, DamagedRow, MeasurementRow, SearchRow, StoreInfo, TrialRow, UtcDateTime

OLDEST = 1
# Others commit each change of a table by itself: a failure would leave the store between two versions.
TRANSACTIONAL = ("sqlite", "postgresql")
# Before version 4 a coordinator on another host was taken for dead once it had written nothing for so long.
SILENCE = timedelta(minutes=10)
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
# Version 3: how fast an epoch trained.
PACE: dict[str, TypeEngine[Any]] = {"clips_per_second": Double(), "waited": Double(), "gpu_memory": BigInteger()}
# Version 3: what a trial ran on, and how it scored on its training clips.
RAN_ON: tuple[tuple[str, str, TypeEngine[Any]], ...] = (
    *(("trials", "train_top1", Double()), ("trials", "device", Text()), ("trials", "gpus", Double())),
    ("decisions", "train_top1", Double()),
)


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
    if before < 4:
        _to_version_4(session)
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
    _add_pace(session)
    _add_training_scores(session)
    _rename_gpus(session)
    _add_ledger(session)


def _to_version_4(session: Session) -> None:
    """Leases; nobody holds a search, since an upgrade is refused while one is run."""
    dialect = session.get_bind().dialect
    number, instant = Double().compile(dialect=dialect), UtcDateTime().compile(dialect=dialect)
    for column in (
        "lease_number INTEGER NOT NULL DEFAULT 0",
        "lease_token TEXT",
        f"heartbeat_at {instant}",
        f"lease_seconds {number} NOT NULL DEFAULT {LEASE_SECONDS:g}",
    ):
        session.execute(text(f"ALTER TABLE searches ADD COLUMN {column}"))


def _add_pace(session: Session) -> None:
    dialect = session.get_bind().dialect
    for name, kind in PACE.items():
        session.execute(text(f"ALTER TABLE epochs ADD COLUMN {name} {kind.compile(dialect=dialect)}"))


def _add_training_scores(session: Session) -> None:
    """The training top-1 of finished trials is that of their last epoch; on what they ran nobody knows any more."""
    for table, column, kind in RAN_ON:
        declared = kind.compile(dialect=session.get_bind().dialect)
        session.execute(text(f"ALTER TABLE {table} ADD COLUMN {column} {declared}"))
    last = "SELECT e.top1 FROM epochs e WHERE e.trial_id = trials.id AND e.number = trials.epochs"
    session.execute(text(f"UPDATE trials SET train_top1 = ({last}) WHERE completed_at IS NOT NULL"))
    of_trial = "SELECT t.train_top1 FROM trials t WHERE t.id = decisions.trial_id"
    session.execute(text(f"UPDATE decisions SET train_top1 = ({of_trial})"))


def _rename_gpus(session: Session) -> None:
    """`resources.gpus` of a recorded space is `gpus_per_trial` now, and what was set of it on the command line."""
    for row in session.scalars(select(SearchRow).options(load_only(SearchRow.space, SearchRow.overrides))):
        resources: dict[str, Any] = dict(row.space.get("resources", {}))
        if "gpus" in resources:
            # More than one was held, and one was used: a trial was one process.
            resources["gpus_per_trial"] = min(resources.pop("gpus"), 1.0)
            row.space = {**row.space, "resources": resources}
        row.overrides = [
            "resources.gpus_per_trial" + given.removeprefix("resources.gpus")
            if given.startswith("resources.gpus=")
            else given
            for given in row.overrides
        ]


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
    held = [row.name for row in rows if row.state == "running" and _is_held(row)]
    if held:
        raise StoreError(
            f"the store {shown} is of version {version}, and cannot be brought to version {VERSION} while"
            f" {', '.join(held)} is run by the program that wrote it: wait for it, or stop it with Ctrl-C"
        )


def _is_held(row: SearchRow) -> bool:
    if row.host is None or row.pid is None:
        return False
    if row.host != this_process().host:
        return datetime.now(UTC) - row.last_event_at <= SILENCE
    return not Owner(row.host, row.pid, row.process_started).dead
