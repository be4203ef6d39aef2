"""Every search of a store in one line each: what `expander status` lists.

To import SQLAlchemy takes longer than all else that this needs, so these statements are written in SQL that every
database reads, and go to a SQLite file or to PostgreSQL through its driver alone, where the URL is a plain one and
nothing is amiss. In every other case `results.store` carries out the same ones, and says what is wrong.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expander.axis import Axis
from results.lease import Lease, state_under
from results.owner import Owner
from results.version import VERSION

if TYPE_CHECKING:
    from expander.cost import ComplexityName
    from results.records import SearchState

# The frontier is where the last expansion left it: a contraction does not move it.
SEARCHES = """
SELECT searches.id, searches.name, searches.state, searches.created_at, searches.space, expanded.steps,
       decisions.axis, decisions.cost, lease_number, lease_token, host, pid, process_started, claimed_at, heartbeat_at,
       lease_seconds
FROM searches
LEFT JOIN (
    SELECT steps.search_id AS search_id, MAX(decisions.id) AS last, COUNT(*) AS steps
    FROM steps JOIN decisions ON decisions.step_id = steps.id
    WHERE steps.kind = 'expansion'
    GROUP BY steps.search_id
) AS expanded ON expanded.search_id = searches.id
LEFT JOIN decisions ON decisions.id = expanded.last
ORDER BY searches.id
"""
INSTANCES = "SELECT search_id, name FROM instances ORDER BY bound"
STORE = "SELECT version FROM store_info"
# URLs in which nothing is quoted, and nothing said that SQLAlchemy would have to understand.
SQLITE_FILE = re.compile(r"sqlite:///([^?%:#]+)")
POSTGRESQL = re.compile(r"postgresql(?:\+psycopg)?(://[\w.-]+)(:[\w.~-]+)?(@[\w.-]+(?::\d+)?/[\w.-]+)")
# Whoever does not answer so soon is asked again by SQLAlchemy, which waits longer and says what the matter is.
CONNECT_SECONDS = 5

# Carries a statement out and returns its rows.
Execute = Callable[[str], Iterable[Any]]
Opened = AbstractContextManager[tuple[Execute, datetime]]


@dataclass(frozen=True)
class SearchSummary:
    """One line about a search: its effective state, expansions decided, the last of them, instances settled so far.

    complexity: what it searches by. cost: of the last expansion, in the complexity's unit.
    """

    name: str
    state: SearchState
    created: datetime
    steps: int
    axis: Axis | None
    complexity: ComplexityName
    cost: float | None
    instances: tuple[str, ...]


def read_searches(url: str) -> tuple[str, tuple[SearchSummary, ...]]:
    """Every search of the store at `url`, oldest first, and the URL without its password. Raises as `open_store`."""
    found = through_the_driver(url)
    if found is not None:
        return found
    from results.store import open_store

    with closing(open_store(url)) as store:
        return store.url, store.searches()


def summaries(execute: Execute, now: datetime) -> tuple[SearchSummary, ...]:
    """Every search, oldest first. now: by the store's clock."""
    lines = list(execute(SEARCHES))
    names: defaultdict[int, list[str]] = defaultdict(list)
    for search, name in execute(INSTANCES):
        names[search].append(name)
    return tuple(_summary(line, names[line[0]], now) for line in lines)


def _summary(line: Any, instances: list[str], now: datetime) -> SearchSummary:
    _, name, state, created, space, steps, axis, cost, *lease = line
    space = json.loads(space) if isinstance(space, str) else space
    return SearchSummary(
        name=name,
        state=state_under(state, _lease(*lease), now),
        created=_time(created),
        steps=steps or 0,
        axis=Axis(axis) if axis else None,
        complexity=space.get("complexity", "flops"),
        cost=cost,
        instances=tuple(instances),
    )


def _lease(
    number: int, token: str | None, host: str, pid: int, started: str | None, claimed: Any, heard: Any, seconds: float
) -> Lease | None:
    if token is None:
        return None
    return Lease(number, token, Owner(host, pid, started), _time(claimed), _time(heard), seconds)


def _time(value: str | datetime) -> datetime:
    """As UTC, which SQLite keeps as text, and others without its zone or in that of the connection."""
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def through_the_driver(url: str) -> tuple[str, tuple[SearchSummary, ...]] | None:
    """The same without SQLAlchemy; None where that cannot be, whatever the reason."""
    if file := SQLITE_FILE.fullmatch(url):
        return _of_this_version(url, lambda: _sqlite(Path(file[1])))
    if server := POSTGRESQL.fullmatch(url):
        address, password, place = server[1], server[2] or "", server[3]
        shown = f"postgresql+psycopg{address}{':***' if password else ''}{place}"
        return _of_this_version(shown, lambda: _postgresql(f"postgresql{address}{password}{place}"))
    return None


def _of_this_version(shown: str, opened: Callable[[], Opened]) -> tuple[str, tuple[SearchSummary, ...]] | None:
    try:
        with opened() as (execute, now):
            if [tuple(row) for row in execute(STORE)] == [(VERSION,)]:
                return shown, summaries(execute, now)
    except Exception:  # noqa: BLE001  whatever it is, the other way meets it too and says it in words
        return None
    return None


@contextmanager
def _sqlite(path: Path) -> Iterator[tuple[Execute, datetime]]:
    path.stat()  # SQLite would make it
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        yield connection.execute, datetime.now(UTC)


@contextmanager
def _postgresql(url: str) -> Iterator[tuple[Execute, datetime]]:
    import psycopg

    with psycopg.connect(url, connect_timeout=CONNECT_SECONDS) as connection:
        ((now,),) = connection.execute("SELECT clock_timestamp()")
        yield lambda statement: connection.execute(statement.encode()), now
