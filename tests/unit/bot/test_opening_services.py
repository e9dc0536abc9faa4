from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.bootstrap import open_services
from bot.errors import LogUnavailableError
from bot.settings import Settings
from tests.conftest import SHOP


class Opened:
    """Something open; notes when it is closed."""

    url = "redis://localhost"

    def __init__(self, name: str, closed: list[str]) -> None:
        self._name = name
        self._closed = closed

    def ping(self) -> None:
        """It answers."""

    def close(self) -> None:
        self._closed.append(self._name)


FAILURES = {
    "open_embedded": ["log"],
    "RedisState": ["redis", "log"],
    "release_store": ["state", "redis", "log"],
    "outside.actions": ["state", "redis", "log"],
    "kept_key": ["state", "redis", "log"],
    "Dispatcher": ["state", "redis", "log"],
}


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is closed, of all that is opened."""
    names: list[str] = []
    for opens, name in (("open_log", "log"), ("open_embedded", "redis"), ("RedisState", "state")):
        monkeypatch.setattr(f"bot.bootstrap.{opens}", lambda *_, name=name: Opened(name, names))
    return names


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, bot_dir=SHOP, redis_url=None, _env_file=None)


@pytest.mark.parametrize(("fails", "expected"), FAILURES.items(), ids=FAILURES)
def test_what_was_opened_is_closed_where_building_fails(
    closed: list[str], settings: Settings, monkeypatch: pytest.MonkeyPatch, fails: str, expected: list[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise PermissionError(fails)

    monkeypatch.setattr(f"bot.bootstrap.{fails}", fail)
    with pytest.raises(PermissionError, match=fails):
        open_services(settings)
    assert closed == expected


def test_what_was_opened_is_closed_where_sql_is_away(
    closed: list[str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: Opened) -> None:
        raise LogUnavailableError("SQL is away")

    monkeypatch.setattr(Opened, "ping", away)
    with pytest.raises(LogUnavailableError):
        open_services(settings)
    assert closed == ["state", "redis", "log"]


def test_what_was_built_stays_open(closed: list[str], settings: Settings) -> None:
    assert open_services(settings).api_key_is_new
    assert closed == []
