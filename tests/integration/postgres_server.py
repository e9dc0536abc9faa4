"""A PostgreSQL server for the tests that need one of their own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

_START_SECONDS = 60.0


class PostgresServer:
    """A PostgreSQL server of the tests' own, in a temporary folder, heard on 127.0.0.1 only.

    Args:
        package: a folder of Python's that holds another PostgreSQL in `pginstall`, with its libraries beside it; it
            is copied and run instead of the system's.
    """

    def __init__(self, package: Path | None = None) -> None:
        self._prefix: list[str] = []
        self._folder = Path(tempfile.mkdtemp(prefix="frontdesk-postgres-"))
        self._programs = _postgres_programs() if package is None else self._copied(package)
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

    def _copied(self, package: Path) -> Path:
        """A copy that the server's user can read, wherever the original lies."""
        for folder in package.parent.glob(f"{package.name}*"):
            if folder.is_dir():
                shutil.copytree(folder, self._folder / "installed" / folder.name, symlinks=True)
        return self._folder / "installed" / package.name / "pginstall" / "bin"

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
