from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
import telegram

from bot.channels import telegram_typing
from bot.channels.telegram_typing import TypingIndicator


class FakeBot:
    def __init__(self) -> None:
        self.notices = 0

    async def send_chat_action(self, *_: Any) -> bool:
        self.notices += 1
        return True


def notices(works: Callable[[int], bool], seconds: float, answered_after: float | None = None) -> int:
    """How often the notice is shown within some seconds, at a notice every 0.02 seconds."""

    async def wait() -> int:
        bot = FakeBot()
        typing = TypingIndicator(cast("telegram.Bot", bot), works, every=0.02)
        typing.begin(7)
        if answered_after is not None:
            await asyncio.sleep(answered_after)
            await typing.end(7)
        await asyncio.sleep(seconds)
        await typing.close()
        return bot.notices

    return asyncio.run(wait())


def test_it_is_shown_for_as_long_as_the_bot_works() -> None:
    assert notices(lambda _: True, 0.5) > 2


def test_it_is_not_shown_where_the_bot_does_not_answer() -> None:
    assert notices(lambda _: False, 0.1) == 0


def test_it_ends_when_the_turn_ends_without_words() -> None:
    turns = iter([True, True])
    assert notices(lambda _: next(turns, False), 0.3) == 2


def test_it_ends_with_the_answer() -> None:
    assert notices(lambda _: True, 0.3, answered_after=0.0) <= 1


def test_it_ends_in_time_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telegram_typing, "LONGEST", 0.05)
    assert 1 <= notices(lambda _: True, 0.5) <= 4
