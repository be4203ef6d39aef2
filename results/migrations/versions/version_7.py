"""Version 7: constraints on what belongs together, indexes for large stores, and a checksum of a trial's weights."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from results.migrations.columns import NESTED

revision, down_revision = "7", "6"

OUTCOME = ("completed_at", "top1", "top5", "loss", "videos", "seconds")
WHOLE, NONE = (" AND ".join(f"{column} IS {empty}" for column in OUTCOME) for empty in ("NOT NULL", "NULL"))
CHECKS = {
    "trials": {
        "outcome": f"({WHOLE}) OR ({NONE})",
        **{column: f"{column} BETWEEN 0 AND 1" for column in ("top1", "top5", "train_top1")},
        "loss": "loss >= 0",
        "epochs": "epochs >= 1",
        "epoch": "epoch BETWEEN 1 AND epochs",
    },
    "steps": {
        "number": "number >= 1",
        "kind": "(kind = 'expansion' AND regime IS NULL) OR (kind = 'contraction' AND regime IS NOT NULL)",
    },
    "candidates": {
        "feasible": "reason IS NOT NULL OR (factors IS NOT NULL AND geometry IS NOT NULL AND cost IS NOT NULL)",
        "infeasible": "reason IS NULL OR trial_id IS NULL",
    },
    "epochs": {"number": "number >= 1", **{column: f"{column} BETWEEN 0 AND 1" for column in ("top1", "waited")}},
    "failures": {"number": "number >= 1"},
    "decisions": {"score": "score BETWEEN 0 AND 1", "trained": "(trial_id IS NULL) = (score IS NULL)"},
    "instances": {
        "score": "score BETWEEN 0 AND 1",
        "kind": "(kind = 'basis' AND step = 0) OR (kind <> 'basis' AND step >= 1)",
    },
    "measurements": {"value": "value > 0"},
    "damaged_videos": {"manifest": "manifest IN ('', 'train', 'val')"},
}


SEARCHES = sa.table(
    "searches", sa.column("id", sa.Integer()), sa.column("space", NESTED), sa.column("overrides", NESTED)
)


def upgrade() -> None:
    """Add them; a store that breaks one stays as it is."""
    _allow_what_was_allowed()
    op.add_column("trials", sa.Column("weights_sha256", sa.Text()))
    # SQLite cannot add a constraint: the table is made anew, once for all of its constraints.
    for table, checks in CHECKS.items():
        with op.batch_alter_table(table) as batch:
            for name, condition in checks.items():
                batch.create_check_constraint(name, condition)
            if table == "candidates":
                batch.create_unique_constraint("uq_candidates_step_id_position", ["step_id", "position"])
            if table == "decisions":
                ours, theirs = ["step_id", "axis"], ["step_id", "axis"]
                batch.create_foreign_key("fk_decisions_candidate", "candidates", ours, theirs)


def _allow_what_was_allowed() -> None:
    """Manifests of the searches that there are could name videos anywhere; `data.outside_root` says so now."""
    connection = op.get_bind()
    for search, space, overrides in connection.execute(sa.select(SEARCHES)).all():
        allowed = {**space, "data": {**space.get("data", {}), "outside_root": True}}
        values = {"space": allowed, "overrides": [*overrides, "data.outside_root=true"]}
        connection.execute(sa.update(SEARCHES).where(SEARCHES.c.id == search).values(**values))
