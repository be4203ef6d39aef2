"""Version 1: searches, steps, candidates, trials, epochs, failures, decisions and instances."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from results.migrations.columns import NAME, NESTED, TIME, WORD

revision, down_revision = "1", None


def upgrade() -> None:
    """Make the tables of version 1 where there are none."""
    _make_store_info()
    _make_searches()
    _make_trials()
    _make_steps()
    _make_candidates()
    _make_epochs()
    _make_failures()
    _make_decisions()
    _make_instances()
    op.create_index("ix_trials_trained_by", "trials", ["trained_by"])
    op.create_index("ix_candidates_trial_id", "candidates", ["trial_id"])
    op.create_index("ix_failures_trial_id", "failures", ["trial_id"])
    op.create_index("ix_decisions_trial_id", "decisions", ["trial_id"])
    op.create_index("ix_instances_trial_id", "instances", ["trial_id"])


def _make_store_info() -> None:
    op.create_table(
        "store_info",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("id = 1", name="one_row"),
    )


def _make_searches() -> None:
    op.create_table(
        "searches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("space", NESTED, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("overrides", NESTED, nullable=False),
        sa.Column("data", NESTED),
        sa.Column("runs", sa.Text(), nullable=False),
        sa.Column("versions", NESTED, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("host", sa.Text()),
        sa.Column("pid", sa.BigInteger()),
        sa.Column("process_started", sa.Text()),
        sa.Column("claimed_at", TIME),
        sa.Column("last_event_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )


def _make_trials() -> None:
    op.create_table(
        "trials",
        sa.Column("id", WORD, nullable=False),
        sa.Column("geometry", NESTED, nullable=False),
        sa.Column("recipe", NESTED, nullable=False),
        sa.Column("views", NESTED, nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("epochs", sa.Integer(), nullable=False),
        sa.Column("enrolled_at", TIME, nullable=False),
        sa.Column("worker", sa.Text()),
        sa.Column("trained_by", sa.Integer()),
        sa.Column("started_at", TIME),
        sa.Column("epoch", sa.Integer()),
        sa.Column("completed_at", TIME),
        sa.Column("top1", sa.Double()),
        sa.Column("top5", sa.Double()),
        sa.Column("loss", sa.Double()),
        sa.Column("videos", sa.Integer()),
        sa.Column("seconds", sa.Double()),
        sa.Column("weights", sa.Text()),
        sa.Column("damaged", NESTED),
        sa.Column("versions", NESTED),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["trained_by"], ["searches.id"]),
    )


def _make_steps() -> None:
    op.create_table(
        "steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("search_id", sa.Integer(), nullable=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("regime", sa.Text()),
        sa.Column("frontier", NESTED, nullable=False),
        sa.Column("frontier_flops", sa.BigInteger(), nullable=False),
        sa.Column("bound_flops", sa.Double(), nullable=False),
        sa.Column("recipe", NESTED, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("search_id", "key"),
        sa.ForeignKeyConstraint(["search_id"], ["searches.id"]),
    )


def _make_candidates() -> None:
    op.create_table(
        "candidates",
        sa.Column("step_id", sa.Integer(), nullable=False),
        sa.Column("axis", WORD, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("factors", NESTED),
        sa.Column("geometry", NESTED),
        sa.Column("flops", sa.BigInteger()),
        sa.Column("params", sa.BigInteger()),
        sa.Column("params_without_batchnorm", sa.BigInteger()),
        sa.Column("activations", sa.BigInteger()),
        sa.Column("achieved_rate", sa.Double()),
        sa.Column("trial_id", WORD),
        sa.PrimaryKeyConstraint("step_id", "axis"),
        sa.ForeignKeyConstraint(["step_id"], ["steps.id"]),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"]),
    )


def _make_epochs() -> None:
    op.create_table(
        "epochs",
        sa.Column("trial_id", WORD, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("loss", sa.Double(), nullable=False),
        sa.Column("top1", sa.Double(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("trial_id", "number"),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"]),
    )


def _make_failures() -> None:
    op.create_table(
        "failures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("search_id", sa.Integer(), nullable=False),
        sa.Column("trial_id", WORD, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("traceback", sa.Text(), nullable=False),
        sa.Column("forgiven", sa.Boolean(), nullable=False),
        sa.Column("failed_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("search_id", "trial_id", "number"),
        sa.ForeignKeyConstraint(["search_id"], ["searches.id"]),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"]),
    )


def _make_decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("step_id", sa.Integer(), nullable=False),
        sa.Column("axis", WORD, nullable=False),
        sa.Column("factors", NESTED, nullable=False),
        sa.Column("flops", sa.BigInteger(), nullable=False),
        sa.Column("trial_id", WORD),
        sa.Column("score", sa.Double()),
        sa.Column("ranking", NESTED, nullable=False),
        sa.Column("decided_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("step_id"),
        sa.ForeignKeyConstraint(["step_id"], ["steps.id"]),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"]),
    )


def _make_instances() -> None:
    op.create_table(
        "instances",
        sa.Column("search_id", sa.Integer(), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("bound_flops", sa.Double(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("factors", NESTED, nullable=False),
        sa.Column("geometry", NESTED, nullable=False),
        sa.Column("flops", sa.BigInteger(), nullable=False),
        sa.Column("params", sa.BigInteger(), nullable=False),
        sa.Column("params_without_batchnorm", sa.BigInteger(), nullable=False),
        sa.Column("activations", sa.BigInteger(), nullable=False),
        sa.Column("trial_id", WORD),
        sa.Column("score", sa.Double()),
        sa.Column("settled_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("search_id", "name"),
        sa.ForeignKeyConstraint(["search_id"], ["searches.id"]),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"]),
    )
