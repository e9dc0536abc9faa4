"""What the channel refuses before it ever speaks to Telegram."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest

from bot.channels.telegram import LARGEST_WEBHOOK_BODY, TelegramChannel
from bot.domain.log_ports import ConversationLog
from bot.domain.ports import Intake
from bot.errors import SettingsError

SECRET = "right_secret-1"
POST = {"update_id": 1, "channel_post": {"message_id": 1, "date": 0, "chat": {"id": -1, "type": "channel"}}}
NOWHERE = cast("Any", None)


def channel(**changes: Any) -> TelegramChannel:
    settings: dict[str, Any] = {
        "token": "123:ABC",
        "intake": cast("Intake", NOWHERE),
        "log": cast("ConversationLog", NOWHERE),
        "outage_texts": {},
        "mode": "webhook",
        "webhook_url": "https://shop.example/telegram/webhook",
        "webhook_secret": SECRET,
    }
    return TelegramChannel(**(settings | changes))


@pytest.mark.parametrize(
    ("body", "secret", "status"),
    [
        pytest.param(json.dumps(POST).encode(), SECRET, 200, id="taken"),
        pytest.param(json.dumps(POST).encode(), "wrong", 401, id="wrong-secret"),
        pytest.param(json.dumps(POST).encode(), "sécret", 401, id="secret-not-ascii"),
        pytest.param(json.dumps(POST).encode(), None, 401, id="no-secret"),
        pytest.param(b"{" * 10, SECRET, 400, id="bad-json"),
        pytest.param(b"\xff\xfe", SECRET, 400, id="not-utf-8"),
        pytest.param(b"", SECRET, 400, id="empty"),
        pytest.param(b"[]", SECRET, 400, id="list"),
        pytest.param(b"17", SECRET, 400, id="number"),
        pytest.param(b"{}", SECRET, 400, id="no-update-id"),
        pytest.param(b'{"update_id": 1, "message": {"chat": 5}}', SECRET, 400, id="broken-message"),
        pytest.param(b"[" * 200_000, SECRET, 400, id="deep-nesting"),
        pytest.param(b" " * (LARGEST_WEBHOOK_BODY + 1), SECRET, 413, id="too-large"),
        pytest.param(b" " * (LARGEST_WEBHOOK_BODY + 1), "wrong", 401, id="too-large-from-a-stranger"),
    ],
)
def test_webhook_statuses(body: bytes, secret: str | None, status: int) -> None:
    assert asyncio.run(channel().handle_webhook(body, secret)) == status


def test_no_webhook_while_polling() -> None:
    polling = channel(mode="polling", webhook_url="", webhook_secret="")
    assert asyncio.run(polling.handle_webhook(json.dumps(POST).encode(), "")) == 404


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"token": ""}, ["FRONTDESK_TELEGRAM_TOKEN", "@BotFather"]),
        ({"token": "no colon"}, ["FRONTDESK_TELEGRAM_TOKEN", "@BotFather"]),
        ({"token": "123:AB C\n"}, ["FRONTDESK_TELEGRAM_TOKEN", "@BotFather"]),
        ({"api_url": "api.telegram.org"}, ["FRONTDESK_TELEGRAM_API_URL", "https://"]),
        ({"webhook_url": ""}, ["FRONTDESK_TELEGRAM_WEBHOOK_URL", "FRONTDESK_TELEGRAM_MODE=polling"]),
        ({"webhook_secret": ""}, ["FRONTDESK_TELEGRAM_WEBHOOK_SECRET", "FRONTDESK_TELEGRAM_MODE=polling"]),
        ({"webhook_secret": "a b"}, ["FRONTDESK_TELEGRAM_WEBHOOK_SECRET"]),
    ],
)
def test_settings_that_cannot_work(changes: dict[str, str], names: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        channel(**changes)
    assert all(name in str(caught.value) for name in names)
