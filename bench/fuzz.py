"""A million broken Telegram updates: what the parser refuses, what it takes, and whether anything breaks."""

from __future__ import annotations

import copy
import json
import random
import resource
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from bench.commands import say
from bench.figures import Figure, Goal, Outcome
from bench.releases import Setup
from bot.channels.telegram_updates import UNREADABLE, incoming, read_update

INPUTS = 1_000_000
_COMMAND = "python -m bench fuzz"
_NOW = datetime(2026, 5, 1, tzinfo=UTC)
_PERSON = {
    "id": 7,
    "is_bot": False,
    "first_name": "Ann",
    "last_name": "Lee",
    "username": "ann",
    "language_code": "zh-hans",
}
_PRIVATE = {"id": 7, "type": "private", "first_name": "Ann"}
_GROUP = {"id": -5, "type": "supergroup", "title": "Friends"}
_FILE = {"file_id": "f", "file_unique_id": "u", "file_size": 3}
_MESSAGE = {"message_id": 3, "date": 1_700_000_000, "chat": _PRIVATE, "from": _PERSON}
_STICKER = {**_FILE, "width": 1, "height": 1, "is_animated": False, "is_video": False, "type": "regular", "emoji": "😡"}
_QUERY = {"id": "q", "from": _PERSON, "chat_instance": "i", "message": {**_MESSAGE, "text": "x"}}
_PLACE = {"latitude": 1.0, "longitude": 2.0}
_COMMAND_MARK = {"type": "bot_command", "offset": 0, "length": 6}
_REPLIED = {**_MESSAGE, "from": {"id": 1, "is_bot": True, "first_name": "B", "username": "shop_bot"}, "text": "x"}
SEEDS: tuple[dict[str, Any], ...] = (
    {"message": {**_MESSAGE, "text": "Where is FD20481937? 在哪里"}},
    {"message": {**_MESSAGE, "text": "/start order_1", "entities": [_COMMAND_MARK]}},
    {"message": {**_MESSAGE, "chat": _GROUP, "text": "@shop_bot hi", "reply_to_message": _REPLIED}},
    {"message": {**_MESSAGE, "photo": [{**_FILE, "width": 1, "height": 1}], "caption": "broken"}},
    {"message": {**_MESSAGE, "voice": {**_FILE, "duration": 2}}},
    {"message": {**_MESSAGE, "location": _PLACE}},
    {"message": {**_MESSAGE, "location": _PLACE, "venue": {"location": _PLACE, "title": "T", "address": "A"}}},
    {"message": {**_MESSAGE, "video_note": {**_FILE, "length": 1, "duration": 2}}},
    {"message": {**_MESSAGE, "sticker": _STICKER}},
    {"message": {**_MESSAGE, "document": _FILE, "caption": "bill"}},
    {"message": {**_MESSAGE, "contact": {"phone_number": "1", "first_name": "B"}}},
    {"message": {**_MESSAGE, "pinned_message": {**_MESSAGE, "text": "x"}}},
    {"edited_message": {**_MESSAGE, "text": "better", "edit_date": 1_700_000_001}},
    {"channel_post": {**_MESSAGE, "chat": {"id": -9, "type": "channel", "title": "C"}, "text": "news"}},
    {"callback_query": {**_QUERY, "data": "yes:"}},
    {"callback_query": {**_QUERY, "data": "verdict:5:+"}},
    {"callback_query": {"id": "q", "from": _PERSON, "chat_instance": "i", "inline_message_id": "m", "data": "x"}},
)
"""Updates as Telegram sends them, without their ids."""

_NAMES = ("text", "chat", "from", "message", "photo", "data", "id")
_STRANGE: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**63,
    1e308,
    "",
    "x",
    "\x00",
    "\ud800",
    "A" * 5000,
    "字" * 5000,
    [],
    {},
    [[]],
    {"id": {}},
    [None],
    "2026-01-01",
    -(2**40),
    "private",
    {"a": {"b": {"c": []}}},
)


def broken(chance: random.Random) -> dict[str, Any]:
    """An update with up to four parts absent, of the wrong kind, huge, or where they do not belong."""
    update = copy.deepcopy(chance.choice(SEEDS)) | {"update_id": chance.choice((1, 2**31, chance.randrange(10**9)))}
    for _ in range(chance.randrange(5)):
        places = list(_places(update))
        holder, key = chance.choice(places)
        match chance.randrange(4):
            case 0:
                del holder[key]
            case 1:
                holder[key] = chance.choice(_STRANGE)
            case 2:
                other, name = chance.choice(places)
                if name in (other if isinstance(other, dict) else range(len(other))):
                    holder[key] = copy.deepcopy(other[name])
            case _:
                if isinstance(holder, dict):
                    holder[chance.choice(("text", "chat", "from", "message", "photo", "data", "id"))] = chance.choice(
                        _STRANGE
                    )
        if not any(_places(update)):
            break
    return update


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in list(parts):
        yield value, key
        yield from _places(part)


def measure(setup: Setup) -> Outcome:
    """Feeds broken updates to the parser.

    Args:
        setup: the first seed makes the updates.

    Returns:
        How many were taken, refused and broke it, and how much memory that took.
    """
    say(f"{INPUTS} broken updates")
    chance = random.Random(setup.seeds[0])
    counts: Counter[str] = Counter()
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    for _ in range(INPUTS):
        counts[outcome(json.dumps(broken(chance)).encode())] += 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
    broke = sum(count for name, count in counts.items() if name.startswith("broke"))
    return Outcome(
        (
            Figure("broken updates", (float(sum(counts.values())),), _COMMAND, goal=Goal("at least", INPUTS)),
            Figure("that broke the parser", (float(broke),), _COMMAND, goal=Goal("at most", 0)),
            Figure("refused", (float(counts["refused"]),), _COMMAND),
            Figure("without anything to answer", (float(counts["nothing"]),), _COMMAND),
            Figure("taken as messages", (float(counts["message"]),), _COMMAND),
            Figure("memory grown", (grown,), _COMMAND, "MB", Goal("at most", 50)),
            Figure("updates a second", (INPUTS / (time.monotonic() - began),), _COMMAND),
        ),
        tuple(f"{name}: {count}" for name, count in counts.items() if name.startswith("broke")),
    )


def outcome(body: bytes) -> str:
    """What becomes of one update: `refused`, `nothing`, `message`, or `broke` with the error."""
    try:
        update = read_update(body, None)
    except UNREADABLE:
        return "refused"
    except Exception as error:  # noqa: BLE001
        return f"broke while reading: {type(error).__name__}"
    try:
        message = incoming(update, _NOW, "shop_bot")
    except Exception as error:  # noqa: BLE001
        return f"broke: {type(error).__name__}: {error}"[:120]
    if message is None:
        return "nothing"
    sound = isinstance(message.text, str) and message.conversation.startswith("telegram:")
    return "message" if sound else "broke: a message of the wrong kind"
