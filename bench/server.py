"""A real `frontdesk run` in a process of its own, and messages sent to it over HTTP."""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.commands import SHOP, BenchmarkError, environment, frontdesk
from bench.machine import resident_bytes
from bench.messages import TimedMessage
from bot.adapters.embedded_redis import open_embedded

_START_SECONDS = 300.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answers.

    Attributes:
        url: where.
        api_key: what it asks for.
        pid: its process.
        data_dir: its data folder.
        ready_seconds: from the start of the process to the first readiness.
    """

    url: str
    api_key: str
    pid: int
    data_dir: Path
    ready_seconds: float

    def resident_bytes(self) -> int:
        """The resident memory of the server and of the Redis that it started."""
        redis = (self.data_dir / "redis" / "valkey.pid").read_text("ascii").strip()
        return resident_bytes(self.pid) + resident_bytes(int(redis))

    def send(self, messages: Sequence[TimedMessage]) -> list[float]:
        """Sends messages one after the other.

        Args:
            messages: what to send.

        Returns:
            Milliseconds from request to answer, one a message.

        Raises:
            BenchmarkError: a message was not answered.
        """
        times = []
        headers = {"Authorization": f"Bearer {self.api_key}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False) as client:
            for message in messages:
                body = {"conversation": message.conversation, "id": message.id, "text": message.text}
                start = time.perf_counter()
                answer = client.post("/v1/messages", json=body)
                times.append((time.perf_counter() - start) * 1000)
                if answer.is_error:
                    raise BenchmarkError(
                        f"POST /v1/messages answered {answer.status_code} to message {message.id}: {answer.text[:300]}"
                    )
        return times


@contextlib.contextmanager
def running_server(data_dir: Path) -> Iterator[RunningServer]:
    """Starts a server for the example shop and stops it at the end.

    Args:
        data_dir: a data folder with a promoted release.

    Yields:
        The server, ready.
    """
    port, api_key = _free_port(), secrets.token_urlsafe(24)
    settings = environment(data_dir=data_dir, bot_dir=SHOP, port=str(port), api_key=api_key)
    log = data_dir / f"server-{port}.log"
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(frontdesk(["run"]), cwd=data_dir, env=settings, stdout=output, stderr=output)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_ready(process, url, start + _START_SECONDS, log)
            yield RunningServer(url, api_key, process.pid, data_dir, time.perf_counter() - start)
        finally:
            _stop(process, data_dir)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, deadline: float, log: Path) -> None:
    with httpx.Client(base_url=url, timeout=5, trust_env=False) as client:
        while time.perf_counter() < deadline and process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if client.get("/readyz").status_code == httpx.codes.OK:
                    return
            time.sleep(_POLL_SECONDS)
    ending = "ended" if process.poll() is not None else f"was not ready within {_START_SECONDS:g} s"
    last = " ".join(log.read_text("utf-8", errors="replace").splitlines()[-5:])
    raise BenchmarkError(f"`frontdesk run` {ending}; the last it said: {last}")


def _stop(process: subprocess.Popen[bytes], data_dir: Path) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        # A killed server leaves its Redis behind; whoever closes it last stops it.
        open_embedded(data_dir).close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
