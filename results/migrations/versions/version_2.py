"""Version 2: a step multiplies the complexity of its space, until then always multiply-adds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from results.migrations.columns import NAME, NESTED, TIME, WORD

revision, down_revision = "2", "1"

RENAMED = (
    ("steps", "frontier_flops", "frontier_cost"),
    ("steps", "bound_flops", "bound"),
    ("decisions", "flops", "cost"),
    ("instances", "bound_flops", "bound"),
)


def upgrade() -> None:
    """Name costs for what they are, and make the table of measurements."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table, before, name in RENAMED:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {before} TO {name}")
        # A column of SQLite takes any number as it is, whatever its type was declared as.
        if not sqlite:
            op.alter_column(table, name, type_=sa.Double())
    op.add_column("candidates", sa.Column("cost", sa.Double()))
    op.add_column("instances", sa.Column("cost", sa.Double(), nullable=False, server_default="0"))
    for table in ("candidates", "instances"):
        op.execute(f"UPDATE {table} SET cost = flops")
    op.add_column("searches", sa.Column("device", sa.Text()))
    op.create_table(
        "measurements",
        sa.Column("name", WORD, nullable=False),
        sa.Column("device", NAME, nullable=False),
        sa.Column("geometry_id", WORD, nullable=False),
        sa.Column("geometry", NESTED, nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("versions", NESTED, nullable=False),
        sa.Column("measured_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", "device", "geometry_id"),
    )
