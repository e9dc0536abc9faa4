"""What the tests of the console share: who says what, and how an agent gets in."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from fastapi.testclient import TestClient

from bot.adapters.sql_log import SqlLog
from bot.domain.conversation import Conversation, Status
from bot.domain.messages import Attachment, Button, ContentKind, IncomingMessage, Reply
from bot.domain.records import TurnRecord
from bot.errors import UnavailableError
from retrieval.types import FaqEntry

PASSWORD = "correct horse battery"
CHAT = "telegram:1001"
EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


RELEASED = (
    FaqEntry("ret-1", "How do I return an <item>?", "Within 30 days.", "en", ("can I send it back",), ("returns",)),
    FaqEntry("wash.zh", "羊毛衫怎么洗？", "手洗。", "zh"),
)


class MovableClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


class Files:
    """The port `Attachments`: every file is there unless it is `away`."""

    away = False

    def fetch(self, media: str) -> Attachment:
        if self.away:
            raise UnavailableError("Telegram does not give the file (404)")
        return Attachment('a"ü\r\n.ogg', f"content of {media}".encode())


class ShopKnowledge:
    def labels(self, head: str) -> list[str]:
        return {"intent": ["refund", "track_order"], "emotion": ["anger", "joy"]}[head]

    def faq_entries(self) -> list[tuple[str, str]]:
        return [(entry.id, entry.question) for entry in RELEASED[:1]]


def csrf_of(html: str) -> str:
    match = re.search(r'name="csrf" value="([0-9a-f]{64})"', html)
    assert match, "the page has no CSRF token"
    return match[1]


def log_in(client: TestClient, name: str, password: str = PASSWORD) -> int:
    csrf = csrf_of(client.get("/console/login").text)
    return client.post("/console/login", data={"name": name, "password": password, "csrf": csrf}).status_code


def post(client: TestClient, path: str, **fields: str) -> tuple[int, str]:
    csrf = csrf_of(client.get("/console").text)
    answer = client.post(f"/console/{path}", data={"csrf": csrf, **fields})
    return answer.status_code, answer.headers.get("location", "") or answer.text


def say(
    log: SqlLog,
    clock: MovableClock,
    text: str,
    *,
    escalate: str | None = "strong anger",
    kind: ContentKind = ContentKind.TEXT,
    media: str = "",
) -> int:
    name = f"m{len(log.turns(CHAT))}"
    message = IncomingMessage(name, CHAT, text, clock.now(), kind, customer="Anna", media=media)
    log.accept(message)
    document = {
        "decision": {"kind": "handover", "reason": "strong anger"},
        "understanding": {
            "intent": {"label": "refund", "confidence": 0.93},
            "emotion": {"label": "anger", "confidence": 0.9},
            "oos": 0.02,
        },
        "hits": [{"id": "ret-1", "question": "How do I return it?", "score": 0.71}],
        "release": "release-7",
    }
    state = Conversation(CHAT, Status.WAITING, "en", turns=1)
    replies = (Reply("Sorry!", "en", (Button("Talk to a person", "human:"),)),)
    return log.record_turn(TurnRecord(message, clock.now(), replies, document, state, escalate))
