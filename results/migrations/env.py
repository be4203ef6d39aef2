"""Run by Alembic: migrates over the connection of `results.upgrade`, inside of its transaction."""

from alembic import context

from results.schema import Base

# The metadata for its naming of constraints.
connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
context.run_migrations()
