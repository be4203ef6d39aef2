"""Version 3: how fast an epoch trained, scores on training clips, `gpus_per_trial`, the ledger of damaged videos."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from expander.trial import content_id
from results.migrations.columns import NESTED, TIME, WORD

revision, down_revision = "3", "2"

SEARCHES = sa.table("searches", *(sa.column(name, kind) for name, kind in (("id", sa.Integer()), ("space", NESTED))))
OVERRIDES = sa.table("searches", sa.column("id", sa.Integer()), sa.column("overrides", NESTED))
DAMAGED = sa.table("trials", sa.column("id", WORD), sa.column("damaged", NESTED), sa.column("completed_at", TIME))


def upgrade() -> None:
    """Add what is watched of a training; on what finished trials ran nobody knows any more."""
    for column in ("clips_per_second", "waited"):
        op.add_column("epochs", sa.Column(column, sa.Double()))
    op.add_column("epochs", sa.Column("gpu_memory", sa.BigInteger()))
    op.add_column("trials", sa.Column("train_top1", sa.Double()))
    op.add_column("trials", sa.Column("device", sa.Text()))
    op.add_column("trials", sa.Column("gpus", sa.Double()))
    op.add_column("decisions", sa.Column("train_top1", sa.Double()))
    _fill_training_scores()
    _rename_gpus()
    _make_ledger()


def _fill_training_scores() -> None:
    """The training top-1 of a finished trial is that of its last epoch."""
    last = "SELECT e.top1 FROM epochs e WHERE e.trial_id = trials.id AND e.number = trials.epochs"
    op.execute(f"UPDATE trials SET train_top1 = ({last}) WHERE completed_at IS NOT NULL")
    of_trial = "SELECT t.train_top1 FROM trials t WHERE t.id = decisions.trial_id"
    op.execute(f"UPDATE decisions SET train_top1 = ({of_trial})")


def _rename_gpus() -> None:
    """`resources.gpus` of a recorded space is `gpus_per_trial` now, and what was set of it on the command line."""
    connection = op.get_bind()
    for search, space in connection.execute(sa.select(SEARCHES)).all():
        resources: dict[str, Any] = dict(space.get("resources", {}))
        if "gpus" in resources:
            # More than one was held, and one was used: a trial was one process.
            resources["gpus_per_trial"] = min(resources.pop("gpus"), 1.0)
            changed = {**space, "resources": resources}
            connection.execute(sa.update(SEARCHES).where(SEARCHES.c.id == search).values(space=changed))
    before, now = "resources.gpus=", "resources.gpus_per_trial="
    for search, overrides in connection.execute(sa.select(OVERRIDES)).all():
        named = [now + given.removeprefix(before) if given.startswith(before) else given for given in overrides]
        connection.execute(sa.update(OVERRIDES).where(OVERRIDES.c.id == search).values(overrides=named))


def _make_ledger() -> None:
    """The table of damaged videos, with those of trials that completed before; nobody knows of which manifest."""
    ledger = op.create_table(
        "damaged_videos",
        sa.Column("trial_id", WORD, nullable=False),
        sa.Column("manifest", WORD, nullable=False),
        sa.Column("video_id", WORD, nullable=False),
        sa.Column("video", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("first_seen", TIME, nullable=False),
        sa.Column("last_seen", TIME, nullable=False),
        sa.PrimaryKeyConstraint("trial_id", "manifest", "video_id"),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"]),
    )
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for trial, damaged, completed in op.get_bind().execute(
        sa.select(DAMAGED).where(DAMAGED.c.completed_at.is_not(None))
    ):
        for video, _, reason in (line.partition(": ") for line in damaged or ()):
            key = {"trial_id": trial, "manifest": "", "video_id": content_id(video)}
            seen = {"first_seen": completed, "last_seen": completed}
            rows[trial, video] = {**key, "video": video, "reason": reason, **seen}
    op.bulk_insert(ledger, list(rows.values()))
