"""Real servers for the integration tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from bot.adapters.sql_engine import create_log_engine, parse_url
from bot.adapters.sql_log import SqlLog
from bot.adapters.sql_schema import upgrade_schema
from bot.adapters.sql_tables import METADATA
from tests.integration.postgres_server import PostgresServer


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    return postgres_server.url


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server that a test may stop."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without tables, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'folder' / 'log.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = f"log_{uuid4().hex}"
    server.execute(f"CREATE DATABASE {name}")
    yield server.database_url(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with all tables, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "log.db"
    upgrade_schema(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres_url(postgres_server: PostgresServer) -> str:
    """The address of a database with all tables, which every test empties first."""
    postgres_server.execute("CREATE DATABASE migrated")
    url = postgres_server.database_url("migrated")
    upgrade_schema(url)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with empty tables, of each kind in turn."""
    if request.param == "sqlite":
        path = tmp_path / "folder" / "log.db"
        path.parent.mkdir()
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), path)
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("migrated_postgres_url")
    with psycopg.connect(url, autocommit=True) as connection:
        tables = ", ".join(f'"{name}"' for name in METADATA.tables)
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY")
    return url


class SetClock:
    """A clock that goes on only when told to."""

    def __init__(self) -> None:
        self.present = datetime(2024, 5, 17, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        """The moment that was set."""
        return self.present

    def advance(self, seconds: float) -> None:
        """Moves on."""
        self.present += timedelta(seconds=seconds)


@pytest.fixture
def sql_clock() -> SetClock:
    return SetClock()


@pytest.fixture
def sql_log(database_url: str, sql_clock: SetClock) -> Iterator[SqlLog]:
    log = SqlLog(create_log_engine(parse_url(database_url)), sql_clock)
    yield log
    log.close()
