"""`frontdesk run` as a process of its own, with a folder and a port of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import httpx

from nlu.releases import ReleaseStore, new_name, read_manifest

SHOP = Path(__file__).parents[2] / "examples" / "shop"
START_SECONDS = 120.0
STOP_SECONDS = 40.0


class Server:
    """A Frontdesk server that a test starts, ends, kills and talks to.

    Args:
        release: what it answers with; copied into its store and promoted.
        settings: `FRONTDESK_<NAME>` by name.

    Attributes:
        folder: holds everything of it.
        data: its data folder.
        url: where it answers.
        api_key: what callers of `/v1` show.
        process: the process, None before the first start.
    """

    def __init__(self, release: Path | None = None, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fd-"))
        self.data = self.folder / "data"
        self.store = ReleaseStore(self.data / "releases")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.api_key = secrets.token_urlsafe(24)
        self.process: subprocess.Popen[bytes] | None = None
        self._settings = settings
        self._log = self.folder / "server.log"
        self._client = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.api_key}"}, timeout=60, trust_env=False
        )
        if release is not None:
            self.store.promote(self.add_release(release))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- releases
    def add_release(self, folder: Path) -> str:
        """Puts a copy of a release into the store, under a name of its own."""
        draft = self.store.new_folder("copy")
        shutil.copytree(folder, draft, dirs_exist_ok=True)
        (draft / "manifest.json").unlink()
        return self.store.seal(draft, replace(read_manifest(folder), name=new_name()))

    # -- the process
    @property
    def env(self) -> dict[str, str]:
        """The environment of its processes."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK_")}
        own = {
            "data_dir": str(self.data),
            "bot_dir": str(SHOP),
            "port": str(self.port),
            "api_key": self.api_key,
            **self._settings,
        }
        return {**kept, "NO_PROXY": "127.0.0.1", **{f"FRONTDESK_{name.upper()}": value for name, value in own.items()}}

    @property
    def log(self) -> str:
        """What it wrote since the first start, stdout and stderr together."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def start(self, **settings: str) -> Self:
        """Starts it, with further settings from now on; see `wait_ready`."""
        self._settings |= settings
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command("run"), cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self

    def wait_ready(self) -> Self:
        """Waits until it can answer messages."""
        wait_until(self._is_ready, START_SECONDS, lambda: f"not ready; its log ends so:\n{self.log[-3000:]}")
        return self

    def stop(self) -> int:
        """Ends it in good order; gives its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """Ends it as a crash would, in the middle of whatever it does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def restart(self) -> Self:
        """Stops it where it still runs, then starts it and waits until it is ready."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        return self.start().wait_ready()

    def close(self) -> None:
        """Ends it, the embedded Redis that a killed server leaves behind too, and removes the folder."""
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()
        self._client.close()
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((self.data / "redis" / "valkey.pid").read_text()), signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *arguments: str, stdin: str = "", seconds: float = START_SECONDS) -> subprocess.CompletedProcess[str]:
        """Runs another `frontdesk` command with the same settings."""
        return subprocess.run(
            command(*arguments),
            cwd=self.folder,
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    # -- talking to it
    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any request, with the key unless other headers say otherwise."""
        return self._client.request(method, path, **options)

    def post(self, conversation: str, text: str, id: str | None = None, **more: Any) -> httpx.Response:  # noqa: A002
        """Sends a message; gives the whole response."""
        body = {"conversation": conversation, "text": text, **({"id": id} if id else {}), **more}
        return self.request("POST", "/v1/messages", json=body)

    def ask(self, conversation: str, text: str, id: str | None = None, **more: Any) -> dict[str, Any]:  # noqa: A002
        """Sends a message that must be answered; gives the answer document."""
        response = self.post(conversation, text, id, **more)
        assert response.status_code == 200, f"{response.status_code} {response.text}"
        document: dict[str, Any] = response.json()
        return document

    def conversation(self, id: str) -> dict[str, Any]:  # noqa: A002
        """A conversation as the API shows it."""
        response = self.request("GET", f"/v1/conversations/{id}")
        assert response.status_code == 200, f"{response.status_code} {response.text}"
        document: dict[str, Any] = response.json()
        return document

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Reads the server's own SQLite database."""
        with contextlib.closing(sqlite3.connect(self.data / "frontdesk.sqlite3")) as connection:
            return connection.execute(statement, values).fetchall()

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log[-3000:]}"
        try:
            return self._client.get("/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False


def command(*arguments: str) -> list[str]:
    """The `frontdesk` command as a process of its own runs it."""
    return [sys.executable, "-m", "bot.cli", *arguments]


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(true: Callable[[], object], seconds: float = 30.0, explain: Callable[[], str] = lambda: "") -> None:
    """Waits until something holds; an AssertionError says what was there instead."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not so within {seconds} s: {explain()}"
        time.sleep(0.05)
