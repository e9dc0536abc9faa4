from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast
from unittest.mock import MagicMock

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from bot import bootstrap
from bot.channels.telegram import TelegramChannel
from bot.errors import SettingsError
from bot.settings import Settings


class FailingChannel:
    """Ends with each of the errors in turn, then serves until it is stopped."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.runs = 0
        self.serves = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        self.runs += 1
        if self.errors:
            raise self.errors.pop(0)
        self.serves.set()
        await stop.wait()


def test_an_answer_wakes_the_telegram_channel() -> None:
    told: list[Callable[[str], None]] = []
    services = MagicMock(
        settings=Settings(telegram_token=SecretStr("123456789:AAE-token")),
        intake=SimpleNamespace(when_answered=told.append),
    )
    channel = bootstrap.build_telegram(services)
    assert channel is not None
    assert told == [channel.notify]


def test_a_telegram_channel_that_ends_is_reported_and_runs_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "FIRST_RESTART", 0.01)

    async def serve() -> FailingChannel:
        channel = FailingChannel(SettingsError("Telegram refused the token"), RuntimeError("a fault"))
        stop = asyncio.Event()
        running = asyncio.create_task(bootstrap._run_telegram(cast("TelegramChannel", channel), stop))
        await asyncio.wait_for(channel.serves.wait(), 5)
        stop.set()
        await running
        return channel

    with capture_logs() as logged:
        channel = asyncio.run(serve())
    assert channel.runs == 3
    assert [(line["event"], line["error"], line["log_level"]) for line in logged] == [
        ("telegram_stopped", "Telegram refused the token", "warning"),
        ("telegram_stopped", "a fault", "error"),
    ]


def test_a_telegram_channel_that_fails_while_it_stops_raises_nothing() -> None:
    class FailingLate(FailingChannel):
        async def run(self, stop: asyncio.Event) -> None:
            await super().run(stop)
            raise RuntimeError("a fault")

    async def serve() -> None:
        channel = FailingLate()
        stop = asyncio.Event()
        running = asyncio.create_task(bootstrap._run_telegram(cast("TelegramChannel", channel), stop))
        await channel.serves.wait()
        stop.set()
        await asyncio.wait_for(running, 5)

    with capture_logs() as logged:
        asyncio.run(serve())
    assert [line["event"] for line in logged] == ["telegram_stopped"]
