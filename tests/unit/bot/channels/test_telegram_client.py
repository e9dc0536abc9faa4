from __future__ import annotations

import json
from typing import Any

import pytest

from bot.channels.telegram_client import open_bot

CHAT = {"id": 7, "type": "private"}
SOUND = {"update_id": 11, "message": {"message_id": 2, "date": 1, "chat": CHAT, "text": "hi"}}
UNREADABLE = {"update_id": 10, "message": {"message_id": 1, "chat": CHAT, "text": "no date"}}


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        pytest.param([SOUND], [SOUND], id="sound"),
        pytest.param([UNREADABLE, SOUND], [{"update_id": 10}, SOUND], id="unreadable"),
        pytest.param([SOUND, {**SOUND, "update_id": "12"}, {}, None], [SOUND], id="without-a-number"),
        pytest.param([{"message": 5}], [{"message": 5}], id="nothing-to-acknowledge"),
        pytest.param([], [], id="none"),
        pytest.param(None, None, id="no-updates"),
    ],
)
def test_unreadable_updates_are_acknowledged_only(answer: Any, read: Any) -> None:
    updates, _ = open_bot("1:a", "http://127.0.0.1", request_seconds=1, connections=1)._request
    payload = json.dumps({"ok": True, "result": answer}).encode()
    assert updates.parse_json_payload(payload) == {"ok": True, "result": read}
