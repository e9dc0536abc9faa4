"""Connections to SQLite and PostgreSQL: made alike, failing alike."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, Executable, bindparam, case, create_engine, event, inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlmodel import Session, SQLModel

from bot.adapters.sql_tables import storable
from bot.domain.ports import Clock
from bot.errors import LogUnavailableError, SettingsError

LOCK_WAIT = 10.0
"""How long a writer waits for another one, in seconds."""

_EMPTY_WAIT_MILLISECONDS = 100
_EMPTY_AGAIN_SECONDS = 2.0
_BEGIN = "frontdesk_begin"
_CONNECTIONS = 30
_IDLE_SECONDS = 30.0
_OUR_FAULT = (IntegrityError, DataError, ProgrammingError, NotSupportedError)
_POSTGRES_LIMITS = {
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def parse_url(url: str) -> URL:
    """Reads a database address.

    Args:
        url: `sqlite:///path`, `postgresql://...` or `postgresql+psycopg://...`.

    Returns:
        The address with the driver that Frontdesk uses.

    Raises:
        SettingsError: it is none of these.
    """
    expected = (
        "expected sqlite:///path/to/file.db or postgresql://user:password@host:5432/name; set FRONTDESK_DATABASE_URL"
    )
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # The text itself may hold a password, so it is not repeated.
        raise SettingsError(f"the database address cannot be read: {expected}") from error
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite":
        raise SettingsError(f"the database address {describe(parsed)} is of an unknown kind: {expected}")
    if parsed.database in {None, "", ":memory:"} or (parsed.database or "").startswith("file:"):
        raise SettingsError(f"the database address {describe(parsed)} names no file: {expected}")
    return parsed.set(drivername="sqlite")


def describe(url: URL) -> str:
    """A database address for people, its password hidden."""
    return url.render_as_string(hide_password=True)


def create_log_engine(url: URL, *, lock_wait: float = LOCK_WAIT) -> Engine:
    """Makes an engine whose commits survive a crash.

    Args:
        url: what `parse_url` gave.
        lock_wait: how long a writer waits for another one, in seconds.

    Returns:
        An engine; nothing is connected yet.
    """
    if url.get_backend_name() == "sqlite":
        engine = _create(url, {"timeout": lock_wait})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = _create(url, {name: value for name, value in _POSTGRES_LIMITS.items() if name not in url.query})
    event.listen(engine, "connect", lambda connection, _record: _prepare_postgres(connection, lock_wait))
    return engine


def _create(url: URL, connect_args: dict[str, Any]) -> Engine:
    return create_engine(
        url,
        connect_args=connect_args,
        json_serializer=_to_json,
        hide_parameters=True,  # errors are logged, and parameters hold what customers wrote
        pool_pre_ping=url.get_backend_name() != "sqlite",
        pool_size=_CONNECTIONS // 3,
        max_overflow=_CONNECTIONS - _CONNECTIONS // 3,
        pool_timeout=LOCK_WAIT,
    )


def _to_json(value: object) -> str:
    return storable(json.dumps(value, ensure_ascii=False))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver would begin transactions by itself, late and deferred; `_begin_sqlite` does it instead.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _prepare_postgres(connection: Any, lock_wait: float) -> None:
    # Days are counted in UTC wherever the server is.
    connection.execute("SET TIME ZONE 'UTC'")
    # A process that hangs within a transaction would keep its rows from all others for ever.
    for name, seconds in (("lock_timeout", lock_wait), ("idle_in_transaction_session_timeout", _IDLE_SECONDS)):
        connection.execute(f"SET {name} = {round(seconds * 1000)}")
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that turns from reading to writing fails at once where another one writes; an immediate
    # one queues.
    if begin := connection.get_execution_options().get(_BEGIN, "BEGIN IMMEDIATE"):
        connection.exec_driver_sql(begin)


@contextmanager
def reporting_outage(url: URL) -> Iterator[None]:
    """Turns every failure of the database itself into one error with a remedy.

    Args:
        url: which database.

    Yields:
        Nothing.

    Raises:
        LogUnavailableError: the database does not do its work.
        DBAPIError: the database works; the statement was wrong.
    """
    try:
        yield
    except DBAPIError as error:
        if isinstance(error, _OUR_FAULT):
            raise
        raise LogUnavailableError(outage(url, str(error.orig))) from error
    except PoolTimeoutError as error:
        raise LogUnavailableError(outage(url, "all connections are in use")) from error


def outage(url: URL, why: str) -> str:
    """What to say of a database that does not do its work.

    Args:
        url: which database.
        why: what it said.

    Returns:
        A text that says what is wrong and what to do.
    """
    if url.get_backend_name() == "sqlite":
        path = Path(url.database or "")
        remedy = f"check that {path} can be written, that its disk has room and that no other program keeps it locked"
    else:
        remedy = f"check that PostgreSQL runs at {url.host}:{url.port or 5432} and that FRONTDESK_DATABASE_URL is right"
    return f"the database {describe(url)} does not answer ({' '.join(why.split())}): {remedy}"


class SqlAccess:
    """Transactions on the log's database.

    Args:
        engine: from `create_log_engine`.
        clock: tells the time.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._readers = engine.execution_options(**{_BEGIN: "BEGIN"})
        self._clock = clock
        # SQLite has one writer at a time and lets the others sleep, ever longer; these queue instead.
        self._writing = threading.Semaphore(1 if engine.dialect.name == "sqlite" else _CONNECTIONS)
        self._closing = threading.Event()
        self._uncleared = False

    @contextmanager
    def _write(self) -> Iterator[Session]:
        with reporting_outage(self._engine.url), self._turn(), Session(self._engine) as session, session.begin():
            yield session

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._writing.acquire(timeout=LOCK_WAIT):
            raise LogUnavailableError(outage(self._engine.url, "its other writers take too long"))
        try:
            yield
        finally:
            self._writing.release()

    @contextmanager
    def _read(self) -> Iterator[Session]:
        with reporting_outage(self._engine.url), Session(self._readers) as session:
            yield session

    def _empty_write_ahead_log(self) -> None:
        """Takes deleted text out of SQLite's second file; PostgreSQL clears up by itself.

        SQLite cannot while somebody reads it; as callers hold a conversation's lock, a thread goes on trying then.
        """
        if self._engine.dialect.name == "sqlite" and not self._emptied():
            threading.Thread(target=self._empty_later, name="empty-wal", daemon=True).start()

    def _empty_later(self) -> None:
        while not self._closing.wait(_EMPTY_AGAIN_SECONDS):
            if self._emptied():
                return

    def _emptied(self) -> bool:
        """Tries it once; False where the file was in use."""
        # SQLite refuses to do this within a transaction.
        alone = self._engine.execution_options(**{_BEGIN: ""})
        try:
            with reporting_outage(self._engine.url), alone.connect() as connection:
                usual = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
                connection.exec_driver_sql(f"PRAGMA busy_timeout={_EMPTY_WAIT_MILLISECONDS}")
                try:
                    busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
                finally:
                    connection.exec_driver_sql(f"PRAGMA busy_timeout={usual}")
        except LogUnavailableError:
            busy = True
        self._uncleared = bool(busy)
        return not busy

    def _stop(self) -> None:
        """Ends the thread that empties SQLite's second file, with a last try."""
        self._closing.set()
        if self._uncleared:
            self._emptied()


def insert_once(session: Session, kind: type[SQLModel], values: Mapping[str, Any]) -> Any:
    """Inserts a row where no unique key of it is taken.

    Args:
        session: a writing transaction.
        kind: the table.
        values: the columns; those that are left out have their defaults.

    Returns:
        The (first) column of the new row's primary key; None where a key was taken and nothing was inserted.
    """
    statement = _insert_once(_dialect(session), kind, tuple(values))
    return session.execute(statement, values).scalar()


def insert_or_update(
    session: Session,
    kind: type[SQLModel],
    values: Mapping[str, Any],
    *,
    key: tuple[str, ...],
    update: tuple[str, ...],
    fill: tuple[str, ...] = (),
) -> Any:
    """Inserts a row, or changes and thereby holds the row that has its key.

    Args:
        session: a writing transaction.
        kind: the table.
        values: the columns; those that are left out have their defaults.
        key: the columns of the unique key.
        update: the columns that an older row takes over from these values; at least one.
        fill: the columns of text that it takes over where its own are empty.

    Returns:
        The (first) column of the row's primary key.
    """
    statement = _insert_or_update(_dialect(session), kind, tuple(values), key, update, fill)
    return session.execute(statement, values).scalar_one()


def _dialect(session: Session) -> str:
    return session.get_bind().dialect.name


# Building a statement costs more than running it.
@cache
def _insert_once(dialect: str, kind: type[SQLModel], columns: tuple[str, ...]) -> Executable:
    return _insert(dialect, kind, columns).on_conflict_do_nothing().returning(_first_key(kind))


@cache
def _insert_or_update(
    dialect: str,
    kind: type[SQLModel],
    columns: tuple[str, ...],
    key: tuple[str, ...],
    update: tuple[str, ...],
    fill: tuple[str, ...],
) -> Executable:
    statement = _insert(dialect, kind, columns)
    old, new = inspect(kind).local_table.columns, statement.excluded
    changes: dict[str, Any] = {name: new[name] for name in update}
    changes |= {name: case((old[name] == "", new[name]), else_=old[name]) for name in fill}
    return statement.on_conflict_do_update(index_elements=key, set_=changes).returning(_first_key(kind))


def _insert(dialect: str, kind: type[SQLModel], columns: tuple[str, ...]) -> postgresql.Insert | sqlite.Insert:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(inspect(kind).local_table).values({name: bindparam(name) for name in columns})


def _first_key(kind: type[SQLModel]) -> Column[Any]:
    first: Column[Any] = next(iter(inspect(kind).local_table.primary_key.columns))
    return first
