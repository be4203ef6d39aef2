"""The whole check of one store, read at one moment."""

from __future__ import annotations

from sqlalchemy import select

from results.check.files import problems_of_files
from results.check.problem import Problem
from results.check.replay import problems_of
from results.check.rows import problems_in
from results.connect import Database
from results.schema import SearchRow


def check(database: Database) -> tuple[Problem, ...]:
    """Everything that is wrong in a store of this version; reads the weights of every finished trial."""
    with database.reading() as session:
        if database.dialect == "postgresql":
            # All statements see the store as it was at the first; SQLite's reading transactions do in any case.
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        found = [*problems_in(session)]
        for row in session.scalars(select(SearchRow).order_by(SearchRow.id)).all():
            found += problems_of(session, row)
        return (*found, *problems_of_files(session))
