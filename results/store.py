"""The SQL store: everything that is remembered of every search, in SQLite or on a server."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from expander.errors import UsageError
from expander.space import SearchSpace
from expander.throughput import Trained
from results import inputs, throughput, writing
from results.clock import clock
from results.connect import Database, connect
from results.forking import Fork
from results.inputs import Packed
from results.lease import LEASE_SECONDS
from results.schema import SearchRow, StepRow
from results.search import SearchStore
from results.summaries import SearchSummary, summaries


def open_store(url: str, *, create: bool = False) -> SqlStore:
    """The store at a SQLAlchemy URL; with `create` an absent one is made, else it is a UsageError.

    Raises StoreError for a wrong URL, a server that cannot be reached and a store of another version.
    """
    return SqlStore(connect(url, create=create))


class SqlStore:
    """Every search of one store. Only a search's coordinator writes to it; anyone may read meanwhile."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def url(self) -> str:
        """Where it is, without the password."""
        return self._database.shown

    def create(
        self,
        name: str,
        *,
        space: SearchSpace,
        source: str,
        overrides: Sequence[str],
        data: Mapping[str, Any] | None,
        runs: str,
        versions: Mapping[str, str],
        sources: Mapping[str, str] | None = None,
        files: Mapping[str, Packed] | None = None,
        fork: Fork | None = None,
    ) -> SearchStore:
        """A new search, with its space frozen. Raises UsageError when the name exists.

        files: what was found of the files of its data, by digest. fork: what it begins with, else with nothing.
        """
        now = datetime.now(UTC)
        row = SearchRow(
            name=name,
            space=space.as_dict(),
            source=source,
            overrides=list(overrides),
            data=None if data is None else dict(data),
            runs=runs,
            versions=dict(versions),
            sources=dict(sources) if sources else None,
            accepted=[],
            forked_from=fork.name if fork else None,
            forked_step=fork.step if fork else None,
            device=fork.device if fork else None,
            created_at=now,
            state="created",
            lease_number=0,
            lease_seconds=LEASE_SECONDS,
            last_event_at=now,
        )
        with self._database.writing() as session:
            self._refuse_known(session, name)
            session.add(row)
            session.flush()
            inputs.keep_files(session, files or {})
            if fork is not None:
                writing.begin(session, row, fork)
            return SearchStore(self._database, row.id, name)

    def check_free(self, name: str) -> None:
        """Raise UsageError when a search of that name exists."""
        with self._database.reading() as session:
            self._refuse_known(session, name)

    def _refuse_known(self, session: Session, name: str) -> None:
        if session.scalar(select(SearchRow.id).where(SearchRow.name == name)) is not None:
            raise UsageError(
                f"a search named {name!r} exists in {self.url}: resume it with `expander resume {name}`, or choose"
                " another name"
            )

    def search(self, name: str) -> SearchStore:
        """The search of that name. Raises UsageError, with the names there are, when there is none."""
        with self._database.reading() as session:
            found = session.scalar(select(SearchRow.id).where(SearchRow.name == name))
            if found is None:
                names = session.scalars(select(SearchRow.name).order_by(SearchRow.id)).all()
                raise UsageError(f"no search is named {name!r} in {self.url}; {_hint(name, names)}")
        return SearchStore(self._database, found, name)

    def discard(self, search: SearchStore) -> None:
        """Forget a search that has taken no step; nothing where it has taken one, or where a process holds it."""
        with self._database.writing() as session:
            held = search._locked(session).lease_token is not None
            if not held and not session.scalar(select(func.count()).where(StepRow.search_id == search._id)):
                session.execute(delete(SearchRow).where(SearchRow.id == search._id))

    def searches(self) -> tuple[SearchSummary, ...]:
        """Every search, oldest first."""
        with self._database.reading() as session:
            return summaries(session.connection().exec_driver_sql, clock(session))

    def trained_on(self, marks: Sequence[str]) -> tuple[Trained, ...]:
        """What finished trials took on GPUs whose names have all `marks`, whichever search ordered them."""
        with self._database.reading() as session:
            return throughput.trained_on(session, marks)

    def close(self) -> None:
        """Give every connection back."""
        self._database.close()


def _hint(name: str, names: Sequence[str]) -> str:
    if not names:
        return "it holds no search yet: `expander search` starts one"
    close = difflib.get_close_matches(name, names, n=1)
    return f"it holds {', '.join(names)}{f' (did you mean {close[0]}?)' if close else ''}"
