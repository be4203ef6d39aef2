"""From a URL to transactions on the store behind it, with every error in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from expander.errors import StoreAway, StoreError, StoreUrlError, UsageError
from results.schema import OLDEST, VERSION, Base, RevisionRow, StoreInfo

# How long a write waits for another process' write before it gives up, and a server for its connection.
BUSY_SECONDS = 30
# What SQLite says of a file system that does not let it write, and what helps.
MOUNTED = "see that its folder is mounted, writable and on a sound disk that is not full"
FILE_TROUBLES = {
    "database or disk is full": "free some space on its disk",
    "attempt to write a readonly database": "have its file and its folder writable",
    "disk I/O error": MOUNTED,
    "unable to open database file": MOUNTED,
}
CONNECT_SECONDS = 10
# A server that stops, has stopped or begins (PostgreSQL's manual, appendix A); class 08: the connection is lost.
GOING_AND_COMING = ("57P01", "57P02", "57P03")
# A server ends a write that says nothing for so long; shorter than others wait for it.
STALLED_SECONDS = 15


class Database:
    """Transactions over one URL. shown: the URL without its password."""

    def __init__(self, url: URL) -> None:
        self.shown = _shown(url)
        self.file = _file(url)
        self._url = url
        self._engine = _engine(url)
        self._writer = self._engine.execution_options(writes=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One transaction that only reads. Raises StoreError where the database does."""
        with self._in_words("read"), Session(self._engine) as session, session.begin():
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction that is kept whole when the block ends, and not at all when it raises."""
        with self._in_words("write to"), Session(self._writer) as session, session.begin():
            yield session

    def apart(self) -> Database | None:
        """The same over connections of its own, for another thread; None where it is in memory and has but one."""
        return None if isinstance(self._engine.pool, StaticPool) else Database(self._url)

    @contextmanager
    def migrating(self) -> Iterator[Session]:
        """As `writing`, for changes of the tables: SQLite checks foreign keys at the end, as it copies tables."""
        with self._in_words("change"), self._writer.connect() as connection:
            # Outside of a transaction, where alone SQLite lets them be switched; on the driver's own connection, as
            # SQLAlchemy's would begin one.
            driver = connection.connection if self.dialect == "sqlite" else None
            if driver is not None:
                driver.execute("PRAGMA foreign_keys = OFF")
            try:
                with Session(connection) as session, session.begin():
                    yield session
                    if driver is not None and session.execute(text("PRAGMA foreign_key_check")).first() is not None:
                        raise StoreError(f"the store {self.shown} has rows that point to nothing, and stays as it is")
            finally:
                if driver is not None:
                    driver.execute("PRAGMA foreign_keys = ON")

    @property
    def dialect(self) -> str:
        """What kind of database it is, as SQLAlchemy calls it: 'sqlite', 'postgresql'."""
        return self._engine.dialect.name

    def refuse_later(self, version: int) -> None:
        """Raise StoreError where `version` is one that only a later program, or none, can have written."""
        if not OLDEST <= version <= VERSION:
            raise StoreError(
                f"the store {self.shown} is of version {version}, this program reads version {VERSION}: use the program"
                " that wrote it, or name another store with --store"
            )

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()

    @contextmanager
    def _in_words(self, deed: str) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            reason = error.orig if isinstance(error, DBAPIError) else error
            text = " ".join(str(reason).split())
            kind = StoreAway if isinstance(error, DBAPIError) and self._away(error) else StoreError
            raise kind(f"cannot {deed} the store {self.shown}: {text}{self._advice(text)}") from error

    def _away(self, error: DBAPIError) -> bool:
        """Whether it says that the server cannot be reached, and not that it will not do what it is asked."""
        if self.dialect == "sqlite":
            return False
        state: str | None = getattr(error.orig, "sqlstate", None)
        if error.connection_invalidated or (state is not None and (state in GOING_AND_COMING or state[:2] == "08")):
            return True
        # To connect is no statement, and libpq does not tell the state of why it could not.
        return isinstance(error, OperationalError) and error.statement is None and state is None

    def _advice(self, reason: str) -> str:
        """What to do where a SQLite file cannot be written; nothing where it is something else."""
        helps = next((what for said, what in FILE_TROUBLES.items() if said in reason), None)
        if self.file is None or helps is None:
            return ""
        return (
            f"; nothing of this was written, and what was before is kept: {helps}, and do it again; a search goes on"
            " with `expander resume`"
        )


def connect(given: str, *, create: bool) -> Database:
    """The store at the URL `given`, of this version; an absent one is made when `create`, else a UsageError.

    Raises StoreError for a wrong URL, a server that cannot be reached and a store of another version.
    """
    database, version = reach(given, create=create)
    try:
        database.refuse_later(version)
        if version < VERSION:
            raise StoreError(
                f"the store {database.shown} is of version {version}, this program reads version {VERSION}: bring it"
                f" there with `expander store upgrade --store {database.shown}`, which keeps a copy of a SQLite file"
            )
    except BaseException:
        database.close()
        raise
    return database


def reach(given: str, *, create: bool = False) -> tuple[Database, int]:
    """As `connect`, of whatever version it is, which is returned too."""
    database = Database(_parsed(given))
    try:
        if create:
            _make_folder(database)
        elif database.file is not None and not database.file.exists():
            raise _absent(database)
        version = _version(database)
        if version is None and not create:
            raise _absent(database)
        return database, _make(database) if version is None else version
    except BaseException:
        database.close()
        raise


def _version(database: Database) -> int | None:
    with database.reading() as session:
        return _version_in(session, database.shown)


def _version_in(session: Session, shown: str) -> int | None:
    """The version of the store's tables, None where there are none; 0 where the version is missing."""
    tables = set(inspect(session.connection()).get_table_names())
    if StoreInfo.__tablename__ in tables:
        return session.scalar(select(StoreInfo.version)) or 0
    if others := sorted(tables & set(Base.metadata.tables)):
        raise StoreError(
            f"{shown} holds tables of another program that are named as ours ({', '.join(others)}): name another"
            " store with --store"
        )
    return None


def _make(database: Database) -> int:
    try:
        with database.writing() as session:
            if _version_in(session, database.shown) is None:
                Base.metadata.create_all(session.connection(), checkfirst=False)
                session.add(StoreInfo(id=1, version=VERSION, created_at=datetime.now(UTC)))
                session.add(RevisionRow(version_num=str(VERSION)))
    except StoreError:
        # Servers let two programs make the same tables and fail the later; then the store is there.
        if (version := _version(database)) is None:
            raise
        return version
    return VERSION


def _absent(database: Database) -> UsageError:
    return UsageError(
        f"there is no store at {database.shown}: `expander search` makes one, and --store names one that is elsewhere"
    )


def _make_folder(database: Database) -> None:
    if database.file is None:
        return
    try:
        database.file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUrlError(f"cannot make the folder of the store {database.shown}: {error}") from error


def _parsed(given: str) -> URL:
    try:
        url = make_url(given)
    except (ArgumentError, ValueError) as error:
        raise StoreUrlError(
            f"{_redacted(given)} is no URL of a store; expected sqlite:///runs/store.db or"
            " postgresql+psycopg://user:password@host/name"
        ) from error
    # Only psycopg comes with our extra; a bare scheme means another driver in some versions of SQLAlchemy.
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def _engine(url: URL) -> Engine:
    options: dict[str, Any] = {}
    match url.get_backend_name():
        case "sqlite" if url.database in (None, "", ":memory:"):
            # One connection is the whole database: every session must see that one.
            options = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
        case "sqlite":
            options = {"connect_args": {"timeout": BUSY_SECONDS}}
        case "postgresql":
            options = {"connect_args": {"connect_timeout": CONNECT_SECONDS}, "pool_pre_ping": True}
        case _:
            options = {"pool_pre_ping": True}
    try:
        engine = create_engine(url, **options)
    except NoSuchModuleError as error:
        raise StoreUrlError(f"{_shown(url)}: {url.drivername!r} is no database that SQLAlchemy knows") from error
    except ImportError as error:
        raise StoreError(
            f"{_shown(url)}: its driver is not installed ({error}); for PostgreSQL install x3d-expander[postgresql] and"
            " write postgresql+psycopg://"
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif engine.dialect.name == "postgresql":
        event.listen(engine, "begin", _begin_postgresql)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: _begin_sqlite does
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later cannot wait for another's write: it has to fail at once, whatever
    # the timeout. One that may write therefore takes the lock as it begins, and waits there.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    # A process that is stopped in a transaction must not keep its rows from the others: the server ends it for them.
    if connection.get_execution_options().get("writes", False):
        limits = {"lock_timeout": BUSY_SECONDS, "idle_in_transaction_session_timeout": STALLED_SECONDS}
        each = ", ".join(f"set_config('{name}', '{seconds}s', true)" for name, seconds in limits.items())
        connection.exec_driver_sql(f"SELECT {each}")


def _file(url: URL) -> Path | None:
    """The file of a SQLite store; None for one in memory, on a server or given as SQLite's own URI."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    assert url.database is not None
    return None if url.database.startswith("file:") else Path(url.database)


def _shown(url: URL) -> str:
    query = {key: value for key, value in url.query.items() if "pass" not in key.lower()}
    return url.set(query=query).render_as_string(hide_password=True)


def _redacted(given: str) -> str:
    """A URL that cannot be parsed, without whatever may be its user and password."""
    scheme, separator, rest = given.partition("://")
    return repr(f"{scheme}{separator}***@{given.rpartition('@')[2]}" if "@" in rest else given)
