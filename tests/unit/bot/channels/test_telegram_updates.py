from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from telegram import Update

from bot.channels.telegram_updates import chat_of, incoming, language, verdict_of
from bot.domain.messages import ContentKind, IncomingMessage

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
USER = {"id": 7, "is_bot": False, "first_name": "Ann", "last_name": "Lee", "language_code": "zh-hans"}
PRIVATE = {"id": 7, "type": "private", "first_name": "Ann"}
GROUP = {"id": -5, "type": "group", "title": "Friends"}
FILE = {"file_id": "f", "file_unique_id": "u"}
PLACE = {"latitude": 52.520008, "longitude": -13.404954}
STICKER = {**FILE, "width": 1, "height": 1, "is_animated": False, "is_video": False, "type": "regular"}


def message(chat: dict[str, Any] = PRIVATE, **content: Any) -> dict[str, Any]:
    return {"message_id": 3, "date": 1_700_000_000, "chat": chat, "from": USER, **content}


def read(kind: str, payload: dict[str, Any]) -> IncomingMessage | None:
    return incoming(Update.de_json({"update_id": 42, kind: payload}), NOW)


def test_every_field_of_a_text_message() -> None:
    assert read("message", message(text="你好 <b>")) == IncomingMessage(
        id="u42/3",
        conversation="telegram:7",
        text="你好 <b>",
        at=NOW,
        kind=ContentKind.TEXT,
        lang="zh",
        customer="Ann Lee",
    )


@pytest.mark.parametrize(
    ("content", "kind", "text"),
    [
        pytest.param({"text": "/start"}, ContentKind.TEXT, "/start", id="command"),
        pytest.param(
            {"photo": [{**FILE, "width": 1, "height": 1}], "caption": "broken"}, ContentKind.PHOTO, "broken", id="photo"
        ),
        pytest.param({"photo": [{**FILE, "width": 1, "height": 1}]}, ContentKind.PHOTO, "", id="photo-bare"),
        pytest.param({"sticker": {**STICKER, "emoji": "😡"}}, ContentKind.STICKER, "😡", id="sticker"),
        pytest.param({"sticker": STICKER}, ContentKind.STICKER, "", id="sticker-without-emoji"),
        pytest.param({"voice": {**FILE, "duration": 2}}, ContentKind.VOICE, "", id="voice"),
        pytest.param({"location": PLACE}, ContentKind.LOCATION, "52.52001, -13.40495", id="location"),
        pytest.param(
            {"location": PLACE, "venue": {"location": PLACE, "title": "Depot", "address": "Quay 1"}},
            ContentKind.LOCATION,
            "Depot, Quay 1 (52.52001, -13.40495)",
            id="venue",
        ),
        pytest.param({"video_note": {**FILE, "length": 1, "duration": 2}}, ContentKind.FILE, "", id="video-note"),
        pytest.param({"document": FILE, "caption": "bill"}, ContentKind.FILE, "bill", id="document"),
        pytest.param({"audio": {**FILE, "duration": 2}}, ContentKind.FILE, "", id="audio"),
        pytest.param({"video": {**FILE, "width": 1, "height": 1, "duration": 2}}, ContentKind.FILE, "", id="video"),
        pytest.param(
            {"contact": {"phone_number": "+49 30 1234", "first_name": "Bo"}},
            ContentKind.OTHER,
            "Bo +49 30 1234",
            id="contact",
        ),
        pytest.param({"dice": {"value": 3, "emoji": "🎲"}}, ContentKind.OTHER, "", id="dice"),
        pytest.param({}, ContentKind.OTHER, "", id="something-new"),
    ],
)
def test_kinds_of_messages(content: dict[str, Any], kind: ContentKind, text: str) -> None:
    got = read("message", message(**content))
    assert got is not None
    assert (got.kind, got.text) == (kind, text)


SMALL, LARGE = ({"file_id": name, "file_unique_id": name, "width": 1, "height": 1} for name in ("small", "large"))


@pytest.mark.parametrize(
    ("content", "media"),
    [
        ({"text": "hi"}, ""),
        ({"photo": [SMALL, LARGE]}, "large"),
        ({"voice": {**FILE, "duration": 2}}, FILE["file_id"]),
        ({"document": FILE}, FILE["file_id"]),
        ({"video_note": {**FILE, "length": 1, "duration": 2}}, FILE["file_id"]),
        ({"sticker": STICKER}, ""),
    ],
    ids=["text", "photo", "voice", "document", "video-note", "sticker"],
)
def test_the_file_that_came_along_is_named(content: dict[str, Any], media: str) -> None:
    got = read("message", message(**content))
    assert got is not None
    assert got.media == media


@pytest.mark.parametrize(
    ("content", "text"), [({"text": "no, blue"}, "no, blue"), ({"photo": [], "caption": "this one"}, "this one")]
)
def test_edits(content: dict[str, Any], text: str) -> None:
    got = read("edited_message", message(edit_date=1_700_000_001, **content))
    assert got is not None
    assert (got.kind, got.text, got.conversation) == (ContentKind.EDITED, text, "telegram:7")
    first = read("message", message(text="no, green"))
    assert first is not None
    assert got.number == first.number != ""


def test_tapped_button() -> None:
    got = read("callback_query", {"id": "q", "from": USER, "chat_instance": "i", "message": message(), "data": "faq:9"})
    assert got is not None
    assert (got.kind, got.text, got.conversation, got.id) == (ContentKind.BUTTON, "faq:9", "telegram:7", "u42")


def test_button_of_a_message_too_old_to_be_shown() -> None:
    old = {"message_id": 3, "date": 0, "chat": PRIVATE}
    got = read("callback_query", {"id": "q", "from": USER, "chat_instance": "i", "message": old, "data": "yes:"})
    assert got is not None
    assert (got.text, got.conversation) == ("yes:", "telegram:7")


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        pytest.param("message", message(GROUP, text="hi"), id="group"),
        pytest.param("edited_message", message(GROUP, text="hi"), id="group-edit"),
        pytest.param("channel_post", message({"id": -9, "type": "channel"}, text="news"), id="channel-post"),
        pytest.param(
            "callback_query",
            {"id": "q", "from": USER, "chat_instance": "i", "message": message(), "data": "verdict:5:+"},
            id="thumb",
        ),
        pytest.param(
            "callback_query", {"id": "q", "from": USER, "chat_instance": "i", "data": "x"}, id="inline-button"
        ),
        pytest.param(
            "callback_query",
            {"id": "q", "from": USER, "chat_instance": "i", "message": message(), "game_short_name": "g"},
            id="game-button",
        ),
        pytest.param("message", message(pinned_message=message(text="x")), id="pinned"),
        pytest.param("message", message(delete_chat_photo=True), id="chat-photo"),
        pytest.param("edited_message", message(location={"latitude": 1.0, "longitude": 2.0}), id="live-location-moves"),
        pytest.param(
            "poll_answer", {"poll_id": "p", "option_ids": [0], "option_persistent_ids": ["0"], "user": USER}, id="poll"
        ),
    ],
)
def test_nothing_to_answer(kind: str, payload: dict[str, Any]) -> None:
    assert read(kind, payload) is None


@pytest.mark.parametrize(
    ("code", "lang"),
    [
        ("zh", "zh"),
        ("zh-hans", "zh"),
        ("zh-TW", "zh"),
        ("zh_CN", "zh"),
        ("EN-gb", "en"),
        ("en", "en"),
        ("de", None),
        ("zha", None),
        ("", None),
        (None, None),
    ],
)
def test_language_codes(code: str | None, lang: str | None) -> None:
    assert language(code) == lang


@pytest.mark.parametrize(
    ("conversation", "chat"),
    [("telegram:7", 7), ("telegram:-5", -5), ("telegram:x", None), ("web:7", None), ("telegram", None)],
)
def test_chat_of(conversation: str, chat: int | None) -> None:
    assert chat_of(conversation) == chat


NAMED = {
    "mention": ("@shop_bot where is it?", {}, "where is it?"),
    "mention at the end": ("where is it, @Shop_Bot", {}, "where is it,"),
    "command": ("/help@shop_bot", {}, "/help"),
    "command without its name": ("/Help me", {}, "/Help me"),
    "command of another bot": ("/help@other_bot", {}, None),
    "command it does not know": ("/ban", {}, None),
    "a path": ("/help/me", {}, None),
    "a command within a sentence": ("try /help", {}, None),
    "reply to it": ("and then?", {"username": "shop_bot", "is_bot": True}, "and then?"),
    "reply to another": ("and then?", {"username": "ann", "is_bot": False}, None),
    "another bot": ("@shop_bots hi", {}, None),
    "an address": ("me@shop_bot.example", {}, None),
    "talk": ("hi all", {}, None),
}


@pytest.mark.parametrize(("text", "replied", "expected"), NAMED.values(), ids=NAMED)
def test_what_is_said_to_the_bot_in_a_group(text: str, replied: dict[str, Any], expected: str | None) -> None:
    answered = {"reply_to_message": message(GROUP, text="x") | {"from": {**USER, **replied}}} if replied else {}
    payload = message(GROUP, text=text, **answered)
    found = incoming(Update.de_json({"update_id": 42, "message": payload}), NOW, "shop_bot", {"/help"})
    assert (found.text if found else None) == expected


def test_a_button_in_a_group_is_answered_there() -> None:
    query = {"id": "q", "from": USER, "chat_instance": "i", "message": message(GROUP), "data": "yes:"}
    found = read("callback_query", query)
    assert found is not None
    assert found.conversation == "telegram:-5"


@pytest.mark.parametrize("data", ["verdict:9999999999:+", "verdict:-1:+", "verdict:5:?", "verdict:５:+x"])
def test_a_forged_thumb_is_no_verdict(data: str) -> None:
    query = Update.de_json(
        {
            "update_id": 1,
            "callback_query": {"id": "q", "from": USER, "chat_instance": "i", "message": message(), "data": data},
        }
    ).callback_query
    assert query is not None
    assert verdict_of(query) is None
