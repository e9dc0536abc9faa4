from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import telegram

from bot.channels.telegram_receiver import TRIES, Receiver
from bot.channels.telegram_typing import TypingIndicator
from bot.domain.log_ports import ConversationLog
from bot.domain.ports import Intake
from bot.domain.records import TurnView
from bot.errors import InputError, LogUnavailableError

ANN = {"id": 7, "is_bot": False, "first_name": "Ann"}
SHOWN = {"message_id": 3, "date": 1, "chat": {"id": 7, "type": "private"}, "text": "It takes two days."}
THUMB = {"id": "q", "from": ANN, "chat_instance": "i", "message": SHOWN, "data": "verdict:5:+"}


class FakeBot:
    username = "shop_bot"
    defaults = None

    async def answer_callback_query(self, **_: Any) -> bool:
        return True

    async def edit_message_reply_markup(self, *_: Any, **__: Any) -> bool:
        return True


class Verdicts:
    """A log where judging a turn fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def turn(self, turn_id: int) -> TurnView:
        return TurnView(turn_id, "telegram:7", "m", datetime.now(UTC), "hi", "text", {}, ())

    def add_feedback(self, turn_id: int, value: int) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "taken"),
    [
        pytest.param(InputError("there is no turn 5; it may have been erased"), [True, True, True], id="turn-erased"),
        pytest.param(LogUnavailableError("SQL does not answer"), [False, False, False], id="store-away"),
        pytest.param(RuntimeError("a fault"), [False, False, True], id="fault"),
    ],
)
def test_a_thumb_that_cannot_be_stored(error: Exception, taken: list[bool]) -> None:
    async def offer() -> list[bool]:
        bot = cast("telegram.Bot", FakeBot())
        log = cast("ConversationLog", Verdicts(error))
        receiver = Receiver(bot, cast("Intake", None), {}, TypingIndicator(bot, lambda _: True, 1.0), log)
        update = telegram.Update.de_json({"update_id": 1, "callback_query": THUMB}, bot)
        return [await receiver.take(update) for _ in range(TRIES)]

    assert asyncio.run(offer()) == taken
