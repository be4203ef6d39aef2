"""Version 4: leases. Nobody holds a search then, as an upgrade is refused while one is run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from results.migrations.columns import TIME

revision, down_revision = "4", "3"


def upgrade() -> None:
    """Add what a lease is; none is given."""
    op.add_column("searches", sa.Column("lease_number", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("searches", sa.Column("lease_token", sa.Text()))
    op.add_column("searches", sa.Column("heartbeat_at", TIME))
    op.add_column("searches", sa.Column("lease_seconds", sa.Double(), nullable=False, server_default="60"))
