"""Messages and turns for the tests of the log."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.adapters.sql_log import SqlLog
from bot.domain.conversation import Conversation, Status
from bot.domain.messages import Button, IncomingMessage, Reply
from bot.domain.records import TurnRecord

CHAT = "telegram:42"
AT = datetime(2024, 5, 17, 11, 59, 30, 250000, tzinfo=UTC)


def message(number: int = 1, conversation: str = CHAT, text: str = "where is my parcel") -> IncomingMessage:
    return IncomingMessage(id=f"m{number}", conversation=conversation, text=text, at=AT)


def turn(
    incoming: IncomingMessage, *replies: str, escalate: str | None = None, document: dict[str, Any] | None = None
) -> TurnRecord:
    known = {
        "replies": [{"text": text, "lang": "en", "buttons": []} for text in replies],
        "decision": {"kind": "template", "reason": "clear"},
        "understanding": {
            "lang": "en",
            "intent": {"label": "track_order", "confidence": 0.93, "top": []},
            "emotion": {"label": "calm", "confidence": 0.8, "top": []},
            "entities": [],
            "oos": 0.02,
        },
        "hits": [],
        "release": "r1",
    }
    status = Status.WAITING if escalate else Status.BOT
    return TurnRecord(
        message=incoming,
        at=AT + timedelta(seconds=1),
        replies=tuple(Reply(text, "en", (Button("Yes", "yes:"),)) for text in replies),
        document=known if document is None else document,
        state=Conversation(incoming.conversation, status=status, lang="en", turns=1),
        escalate=escalate,
    )


def answered(
    log: SqlLog, number: int = 1, conversation: str = CHAT, replies: tuple[str, ...] = ("It is near.",)
) -> int:
    incoming = message(number, conversation)
    log.accept(incoming)
    return log.record_turn(turn(incoming, *replies))


def agent(log: SqlLog, name: str = "mei") -> int:
    return log.add_agent(name, "hash", "agent")


def from_threads(count: int, act: Callable[[int], object]) -> list[object]:
    """Runs an act in several threads that start together; gives what each returned."""
    start = threading.Barrier(count)

    def run(index: int) -> object:
        start.wait()
        return act(index)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
