"""Whatever is posted as an update, the parser makes a sound message of it or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.telegram_updates import UNREADABLE, incoming, read_update
from bot.domain.messages import ContentKind, IncomingMessage

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HUGE = 1_000_000
NAMES = (
    *("update_id", "message", "edited_message", "callback_query", "message_id", "date", "chat", "from", "id", "type"),
    *("text", "caption", "data", "photo", "voice", "video_note", "document", "sticker", "location", "venue", "contact"),
    *("latitude", "longitude", "title", "address", "phone_number", "first_name", "last_name", "language_code"),
    *("file_id", "file_unique_id", "reply_to_message", "entities", "username", "is_bot", "duration", "chat_instance"),
)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
anything = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=25,
)


numbered, named = st.integers(-(10**12), 10**12), st.text(max_size=20)
written = st.sampled_from(["hi", "/help", "/start@shop_bot order_1", "@shop_bot 在哪里", "verdict:1:+"]) | named
person = st.fixed_dictionaries(
    {"id": numbered, "is_bot": st.booleans(), "first_name": named},
    optional={"last_name": named, "username": st.just("shop_bot"), "language_code": named},
)
kinds = st.sampled_from(["private", "private", "group", "supergroup", "channel"])
file = st.fixed_dictionaries(
    dict.fromkeys(("width", "height", "length", "duration"), numbered) | {"file_id": named, "file_unique_id": named}
)
place = st.fixed_dictionaries({"latitude": numbers, "longitude": numbers})
head = {
    "message_id": numbered,
    "date": st.integers(0, 2**31),
    "chat": st.fixed_dictionaries({"id": numbered, "type": kinds}),
    "from": person,
}
contents = st.one_of(
    st.fixed_dictionaries({"text": written}),
    st.fixed_dictionaries({"photo": st.lists(file, max_size=2)}, optional={"caption": written}),
    *(st.fixed_dictionaries({name: file}) for name in ("voice", "video_note", "document", "audio", "video")),
    st.fixed_dictionaries({"location": place}),
    st.fixed_dictionaries(
        {"location": place, "venue": st.fixed_dictionaries({"location": place, "title": named, "address": named})}
    ),
    st.fixed_dictionaries(
        {"contact": st.fixed_dictionaries({"phone_number": named, "first_name": named}, optional={"last_name": named})}
    ),
)
message = st.builds(
    lambda *parts: {name: value for part in parts for name, value in part.items()},
    st.fixed_dictionaries(head),
    contents,
    st.fixed_dictionaries({}, optional={"reply_to_message": st.fixed_dictionaries(head)}),
)
query = st.fixed_dictionaries(
    {"id": named, "from": person, "chat_instance": named, "message": message, "data": written}
)
updates = st.one_of(
    st.fixed_dictionaries({"update_id": numbered, "message": message}),
    st.fixed_dictionaries({"update_id": numbered, "edited_message": message}),
    st.fixed_dictionaries({"update_id": numbered, "callback_query": query}),
)


@st.composite
def broken(draw: st.DrawFn) -> dict[str, Any]:
    """An update of which up to three parts are absent or anything at all."""
    update = draw(updates)
    for _ in range(draw(st.integers(0, 3))):
        places = list(places_in(update))
        if not places:
            break
        holder, name = draw(st.sampled_from(places))
        if draw(st.booleans()):
            holder[name] = draw(anything)
        else:
            del holder[name]
    return update


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in list(parts):
        yield value, name
        yield from places_in(part)


def taken(body: bytes) -> IncomingMessage | None:
    """What becomes of a body; anything else than a refusal or a sound message fails the test."""
    try:
        update = read_update(body, None)
    except UNREADABLE:
        return None
    found = incoming(update, NOW, "shop_bot", {"/help"})
    if found is None:
        return None
    assert found.conversation.removeprefix("telegram:").lstrip("-").isdigit()
    for text in (found.id, found.text, found.media, found.lang or "", found.customer or ""):
        assert isinstance(text, str)
    assert isinstance(found.kind, ContentKind)
    return found


@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    taken(body)


@given(anything)
def test_any_json(value: Any) -> None:
    taken(json.dumps(value).encode())


@given(broken())
def test_any_update(value: dict[str, Any]) -> None:
    taken(json.dumps(value).encode())


@given(updates)
def test_what_a_customer_sends_alone_is_taken(value: dict[str, Any]) -> None:
    found = taken(json.dumps(value).encode())
    private = "message" in value and value["message"]["chat"]["type"] == "private"
    assert found is not None or not private


PERSON = {"id": 7, "is_bot": False, "first_name": "Ann"}
PRIVATE = {"message_id": 3, "date": 1, "chat": {"id": 7, "type": "private"}, "from": PERSON}
IN_GROUP = {**PRIVATE, "chat": {"id": -5, "type": "group", "title": "Friends"}}
HUGE_UPDATES = {
    "text": {"message": {**PRIVATE, "text": "字" * HUGE}},
    "a command that never ends": {"message": {**IN_GROUP, "text": "/" + "a" * HUGE}},
    "mentions": {"message": {**IN_GROUP, "text": "@" * HUGE}},
    "near mentions": {"message": {**IN_GROUP, "text": "@shop_bots " * (HUGE // 10)}},
    "words before a mention": {"message": {**IN_GROUP, "text": "a." * (HUGE // 2) + "@shop_bot"}},
    "caption": {"message": {**PRIVATE, "photo": [], "caption": "x" * HUGE}},
    "name": {"message": {**PRIVATE, "from": {**PERSON, "first_name": "x" * HUGE}, "text": "hi"}},
    "contact": {"message": {**PRIVATE, "contact": {"phone_number": "1" * HUGE, "first_name": "x" * HUGE}}},
    "latitude": {"message": {**PRIVATE, "location": {"latitude": 10**4000, "longitude": "9" * HUGE}}},
    "photos": {"message": {**PRIVATE, "photo": [{"file_id": "f", "file_unique_id": "u"}] * (HUGE // 100)}},
    "data": {
        "callback_query": {"id": "q", "from": PERSON, "chat_instance": "i", "message": PRIVATE, "data": "y" * HUGE}
    },
    "a verdict on no turn": {
        "callback_query": {
            "id": "q",
            "from": PERSON,
            "chat_instance": "i",
            "message": PRIVATE,
            "data": f"verdict:{'9' * HUGE}:+",
        }
    },
    "nesting": {"message": {**PRIVATE, "text": "hi", "reply_to_message": {"chat": {}} | PRIVATE}},
}


@pytest.mark.parametrize("update", HUGE_UPDATES.values(), ids=HUGE_UPDATES)
@pytest.mark.timeout(20)
def test_huge_updates(update: dict[str, Any]) -> None:
    taken(json.dumps({"update_id": 1, **update}).encode())


def test_nesting_without_end() -> None:
    taken(b'{"update_id": 1, "message": ' + b'{"reply_to_message": ' * 100_000 + b"{}" + b"}" * 100_001)
