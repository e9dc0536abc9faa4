"""Real servers for the integration tests."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
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

_START_SECONDS = 60.0


class PostgresServer:
    """A PostgreSQL server of the tests' own, in a temporary folder, heard on 127.0.0.1 only."""

    def __init__(self) -> None:
        self._programs = _postgres_programs()
        self._prefix: list[str] = []
        self._folder = Path(tempfile.mkdtemp(prefix="frontdesk-postgres-"))
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            owner = pwd.getpwnam("postgres")
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
            self._prefix = ["runuser", "-u", "postgres", "--"]
        self._cluster = self._folder / "cluster"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self._initialise()

    @property
    def url(self) -> str:
        """The address of the server's first database."""
        return self.database_url("postgres")

    def database_url(self, name: str) -> str:
        """The address of a database."""
        return f"postgresql://frontdesk@127.0.0.1:{self.port}/{name}"

    def execute(self, statement: str) -> None:
        """Runs a statement outside any transaction."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        program = [str(self._programs / "postgres"), "-D", str(self._cluster), "-p", str(self.port)]
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self._folder),
            "fsync": "off",
            "max_connections": "100",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, *program, *options], stdout=log, stderr=log, cwd=self._folder
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """Stops the server at once, sessions and all; `start` brings it back."""
        if self._process is None:
            return
        pid_file = self._cluster / "postmaster.pid"
        if pid_file.exists():
            # The process that was started may be `runuser`; the server itself is named by its pid file.
            os.kill(int(pid_file.read_text().split()[0]), signal.SIGINT)
        self._process.wait(timeout=60)
        self._process = None

    def remove(self) -> None:
        """Stops the server and removes its folder."""
        self.stop()
        shutil.rmtree(self._folder)

    def _initialise(self) -> None:
        options = ["--username=frontdesk", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        made = subprocess.run(
            [*self._prefix, str(self._programs / "initdb"), "-D", str(self._cluster), *options],
            capture_output=True,
            cwd=self._folder,
            check=False,
        )
        if made.returncode != 0:
            pytest.fail(f"initdb failed:\n{made.stderr.decode(errors='replace')}")

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                ended = self._process is None or self._process.poll() is not None
                if ended or time.monotonic() > until:
                    log = (self._folder / "server.log").read_text(errors="replace")
                    pytest.fail(f"PostgreSQL did not start on port {self.port}:\n{log[-2000:]}")
                time.sleep(0.1)
            else:
                return


def _postgres_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4].split(".")[0]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        pytest.fail("PostgreSQL's server programs are missing; install them, on Debian: apt-get install postgresql")
    return Path(on_path).resolve().parent


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
