"""Version 5: what kind of failure ended an attempt, where, what its log said last, and when the next attempt is due."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from results.migrations.columns import NESTED, TIME, WORD

revision, down_revision = "5", "4"


def upgrade() -> None:
    """Add what is known of a failure; of earlier ones nobody knows the kind, and "error" says the least."""
    op.add_column("failures", sa.Column("kind", WORD, nullable=False, server_default="error"))
    for column in ("worker", "node"):
        op.add_column("failures", sa.Column(column, sa.Text()))
    for column in ("log", "next"):
        op.add_column("failures", sa.Column(column, sa.Text(), nullable=False, server_default=""))
    op.add_column("failures", sa.Column("epoch", sa.Integer()))
    op.add_column("failures", sa.Column("due_at", TIME))
    op.add_column("trials", sa.Column("notes", NESTED))
