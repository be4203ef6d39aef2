"""Version 6: what a search and a trial were carried out with, the files of their data, and forks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from results.migrations.columns import NAME, NESTED, WORD

revision, down_revision = "6", "5"


def upgrade() -> None:
    """Add what is recorded of inputs; what earlier versions trained has the first version of the training."""
    op.add_column("searches", sa.Column("sources", NESTED))
    op.add_column("searches", sa.Column("accepted", NESTED, nullable=False, server_default="[]"))
    op.add_column("searches", sa.Column("forked_from", NAME))
    op.add_column("searches", sa.Column("forked_step", sa.Integer()))
    op.add_column("trials", sa.Column("trainer", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("trials", sa.Column("started_with", NESTED))
    op.add_column("decisions", sa.Column("by_user", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "file_lists",
        sa.Column("digest", WORD, nullable=False),
        sa.Column("sizes", sa.LargeBinary(), nullable=False),
        sa.Column("sample", NESTED, nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
