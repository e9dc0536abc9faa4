from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from redis import Redis

from bot.adapters import embedded_redis
from bot.adapters.embedded_redis import EmbeddedRedis, open_embedded
from bot.adapters.redis_state import RedisState
from bot.errors import SettingsError, StateUnavailableError
from tests.integration.redis_servers import FULL, Child, wait_until


def server_pid(url: str) -> int:
    with closing(Redis.from_url(url)) as client:
        return int(client.info("server")["process_id"])


def runs(pid: int) -> bool:
    """Whether a process lives; one that has ended but whom nobody has asked for its result does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def use_and_stay(data_dir: Path, pipe: Connection) -> None:
    with closing(open_embedded(data_dir)) as server, closing(RedisState(server.url, 60)) as state:
        state.save(FULL)
        pipe.send(server_pid(server.url))
        pipe.recv()


@contextmanager
def embedded(data_dir: Path) -> Iterator[tuple[EmbeddedRedis, RedisState]]:
    with closing(open_embedded(data_dir)) as server, closing(RedisState(server.url, 60)) as state:
        yield server, state


def test_an_embedded_server_keeps_its_data_and_stops_with_its_last_user(tmp_path: Path) -> None:
    with embedded(tmp_path) as (server, state):
        first = server_pid(server.url)
        state.save(FULL)
    assert not runs(first)
    with embedded(tmp_path) as (server, state):
        assert state.load(FULL.id) == FULL
        server.close()
        server.close()
        with pytest.raises(StateUnavailableError, match=r"valkey\.sock"):
            state.ping()


def test_a_killed_embedded_server_comes_back_with_its_data(tmp_path: Path) -> None:
    with embedded(tmp_path) as (server, state):
        state.save(FULL)
        for _ in range(2):
            os.kill(server_pid(server.url), signal.SIGKILL)
            wait_until(lambda: answers(state), seconds=5)
            assert state.load(FULL.id) == FULL


def answers(state: RedisState) -> bool:
    try:
        state.ping()
    except StateUnavailableError:
        return False
    return True


def test_two_processes_share_one_embedded_server(tmp_path: Path) -> None:
    with closing(Child(use_and_stay, tmp_path)) as child:
        pid = child.said()
        with embedded(tmp_path) as (server, state):
            assert server_pid(server.url) == pid
            assert state.load(FULL.id) == FULL
        assert runs(pid)
        child.end()
    assert not runs(pid)


def test_a_server_that_survived_its_parent_is_used_again(tmp_path: Path) -> None:
    with closing(Child(use_and_stay, tmp_path)) as child:
        pid = child.said()
        child.kill()
    assert runs(pid)
    with embedded(tmp_path) as (server, state):
        assert server_pid(server.url) == pid
        assert state.load(FULL.id) == FULL
    assert not runs(pid)


def test_only_one_server_is_started_by_many_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        servers = list(pool.map(open_embedded, [tmp_path] * 4))
    assert len({server_pid(server.url) for server in servers}) == 1
    for server in servers:
        server.close()


@pytest.mark.parametrize(
    "name", [pytest.param("数据 %41 #1?", id="odd characters"), pytest.param("d" * 200, id="deep")]
)
def test_any_data_folder_will_do(tmp_path: Path, name: str) -> None:
    with embedded(tmp_path / name) as (server, state):
        state.save(FULL)
        with embedded(tmp_path / name) as (_, other):
            assert other.load(FULL.id) == FULL
        assert len(server.url) < 300
    assert (tmp_path / name / "redis" / "appendonlydir").is_dir()


def test_nobody_else_reaches_the_embedded_server(tmp_path: Path) -> None:
    with embedded(tmp_path) as (server, _), closing(Redis.from_url(server.url, decode_responses=True)) as client:
        assert client.config_get("port") == {"port": "0"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("appendfsync") == {"appendfsync": "everysec"}
        assert stat.S_IMODE((tmp_path / "redis").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "redis" / "valkey.sock").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("text", "mode", "complaint"),
    [
        pytest.param(None, 0, "No such file", id="missing"),
        pytest.param("#!/bin/sh\n", 0o600, "Permission denied", id="not executable"),
        pytest.param("\x7fELF of another machine", 0o700, "Exec format error", id="another machine's"),
        pytest.param("#!/bin/sh\necho no libc; exit 3\n", 0o700, "ended with 3: no libc", id="fails"),
        pytest.param("#!/bin/sh\n", 0o700, "ended as soon as it was started", id="ends at once"),
    ],
)
def test_a_server_that_cannot_run_is_a_wrong_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, mode: int, complaint: str
) -> None:
    binary = tmp_path / "valkey-server"
    if text is not None:
        binary.write_text(text)
        binary.chmod(mode)
    monkeypatch.setattr(embedded_redis, "_server_binary", lambda: binary)
    with pytest.raises(SettingsError, match=rf"(?s){complaint}.*set FRONTDESK_REDIS_URL"):
        open_embedded(tmp_path)


def test_a_machine_without_a_server_is_a_wrong_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Plan9")
    with pytest.raises(SettingsError, match=r"plan9.*set FRONTDESK_REDIS_URL"):
        open_embedded(tmp_path)


def test_a_damaged_append_only_file_is_named(tmp_path: Path) -> None:
    with embedded(tmp_path) as (_, state):
        state.save(FULL)
    for part in (tmp_path / "redis" / "appendonlydir").glob("*.incr.aof"):
        part.write_bytes(b"*garbage\r\n" + part.read_bytes())
    with pytest.raises(SettingsError, match=r"(?s)Bad file format.*may be moved away"):
        open_embedded(tmp_path)


def test_a_data_folder_that_cannot_be_one_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="FRONTDESK_DATA_DIR"):
        open_embedded(tmp_path / "file")
