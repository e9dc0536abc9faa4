"""Servers and processes for the tests of the working memory."""

from __future__ import annotations

import multiprocessing
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bot.domain.conversation import Conversation, FormState, Status

_SPAWN = multiprocessing.get_context("spawn")
FULL = Conversation(
    id="telegram:42",
    status=Status.WAITING,
    lang="zh",
    form=FormState(
        form="return", slots={"order_number": "FD20481937", "reason": "太小了 😞"}, asking="confirm", attempts=2
    ),
    moods=("anger", "neutral"),
    misses=1,
    last_intent="return_item",
    turns=7,
)


class DebianRedis:
    """Debian's redis-server on a free loopback port; forgets everything when it stops."""

    def __init__(self, password: str = "") -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{f':{self._password}@' if self._password else ''}127.0.0.1:{self.port}/0"

    def start(self) -> None:
        binary = shutil.which("redis-server")
        assert binary, "install Debian's package redis-server"
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        options += ["--requirepass", self._password] if self._password else []
        self._process = subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL)
        wait_until(lambda: can_connect(self.port))

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


def can_connect(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(true: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        time.sleep(0.02)


@contextmanager
def measured(at_most: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < at_most


class Child:
    """Another process; it says one thing when it is ready, and ends when it is told to or killed."""

    def __init__(self, work: Callable[..., None], *arguments: object) -> None:
        self._pipe, there = _SPAWN.Pipe()
        self.process = _SPAWN.Process(target=work, args=(*arguments, there), daemon=True)
        self.process.start()
        there.close()

    def said(self) -> Any:
        assert self._pipe.poll(30), "the other process says nothing"
        return self._pipe.recv()

    def end(self) -> None:
        self._pipe.send("end")
        self.process.join(30)
        assert self.process.exitcode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.join()

    def close(self) -> None:
        self.kill()
        self.process.close()
        self._pipe.close()
