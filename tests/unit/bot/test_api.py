"""The HTTP API where no server is needed to see it."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from starlette.types import Message

from bot.api import _SIDE_BY_SIDE, MOST_TURNS, _WaitingRoom, create_app
from bot.domain.conversation import Status
from bot.domain.log_ports import ConversationLog
from bot.domain.messages import IncomingMessage, Reply
from bot.domain.records import ConversationSummary, TurnView

KEY = "k" * 32
CHUNK = b" " * 100_000
LIMIT = 1_000_000
REFUSED = {"error": f"A body of at most {LIMIT} bytes is expected."}


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, tzinfo=UTC)


class EchoIntake:
    def accept(self, message: IncomingMessage) -> bool:
        return True

    def answer(self, message: IncomingMessage) -> dict[str, Any]:
        return {"said": message.text}


class SlowIntake(EchoIntake):
    """Answers once it is told to."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.go = threading.Event()

    def answer(self, message: IncomingMessage) -> dict[str, Any]:
        self.asked.release()
        assert self.go.wait(30)
        return super().answer(message)


class LongLog:
    """A conversation of `count` turns, numbered from 1."""

    def __init__(self, count: int) -> None:
        self._numbers = range(1, count + 1)

    def conversation(self, name: str) -> ConversationSummary:
        return ConversationSummary(name, Status.BOT, "en", "Anna", FixedClock().now())

    def turns(self, name: str, limit: int, before: int | None = None) -> list[TurnView]:
        numbers = [number for number in self._numbers if before is None or number < before][-limit:]
        return [TurnView(n, name, f"m{n}", FixedClock().now(), str(n), "text", {}, ()) for n in numbers]


class EmptyLog:
    def conversation(self, _: str) -> None:
        return None


@pytest.fixture
def app() -> FastAPI:
    return _app(KEY)


def _app(api_key: str, log: object = None, intake: EchoIntake | None = None, waiting: int = 200) -> FastAPI:
    return create_app(
        api_key=api_key,
        intake=intake or EchoIntake(),
        waiting=waiting,
        log=cast("ConversationLog", log or EmptyLog()),
        clock=FixedClock(),
        ready=list,
        apology=lambda _: Reply("Later", "en"),
        version="0",
    )


def _post(app: FastAPI, chunks: list[bytes], headers: dict[str, str]) -> tuple[int, dict[str, Any], int]:
    """Posts a message in chunks, as a server hands them on; gives status, answer and how many chunks were read."""
    read = 0
    sent: list[Message] = []

    async def receive() -> Message:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": chunks[read - 1], "more_body": read < len(chunks)}

    async def send(message: Message) -> None:
        sent.append(message)

    given = {"authorization": f"Bearer {KEY}", "content-type": "application/json", **headers}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/messages",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    asyncio.run(app(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], json.loads(body), read


@pytest.mark.parametrize("coding", ["chunked", "Chunked", "gzip, CHUNKED", ""])
def test_no_header_gets_more_than_the_limit_read(app: FastAPI, coding: str) -> None:
    status, answer, read = _post(app, [CHUNK] * 100, {"transfer-encoding": coding} if coding else {})
    assert (status, answer) == (413, REFUSED)
    assert read <= LIMIT // len(CHUNK) + 1


def test_a_body_whose_told_length_is_too_large_is_not_read(app: FastAPI) -> None:
    assert _post(app, [CHUNK] * 100, {"content-length": str(100 * len(CHUNK))}) == (413, REFUSED, 0)


@pytest.mark.parametrize("coding", ["chunked", "Chunked"])
def test_a_body_in_chunks_is_taken_up_to_the_limit(app: FastAPI, coding: str) -> None:
    message = b'{"conversation": "demo", "text": "hi"}'
    chunks = [message, *[CHUNK] * 9, b" " * (LIMIT - 9 * len(CHUNK) - len(message))]
    assert _post(app, chunks, {"transfer-encoding": coding})[:2] == (200, {"said": "hi"})


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer  ", "bearer", ""])
def test_an_empty_key_lets_nobody_in(header: str) -> None:
    caller = TestClient(_app(""), headers={"Authorization": header})
    assert caller.get("/v1/conversations/x").status_code == 401


def test_who_shows_the_key_is_let_in(app: FastAPI) -> None:
    assert TestClient(app, headers={"Authorization": f"Bearer {KEY}"}).get("/v1/conversations/x").status_code == 404


@pytest.mark.parametrize(("count", "pages"), [(0, 1), (MOST_TURNS, 1), (MOST_TURNS + 1, 2), (3 * MOST_TURNS - 1, 3)])
def test_a_long_conversation_is_told_in_pages(count: int, pages: int) -> None:
    caller = TestClient(_app(KEY, LongLog(count)), headers={"Authorization": f"Bearer {KEY}"})
    turns: list[int] = []
    earlier: dict[str, int] = {}
    for page in range(1, pages + 1):
        document = caller.get("/v1/conversations/web:1/x", params=earlier).json()
        turns = [turn["turn"] for turn in document["turns"]] + turns
        assert (document["earlier"] is None) is (page == pages)
        earlier = {"before": document["earlier"]}
    assert turns == list(range(1, count + 1))


def test_a_page_is_as_long_as_asked_for() -> None:
    caller = TestClient(_app(KEY, LongLog(9)), headers={"Authorization": f"Bearer {KEY}"})
    document = caller.get("/v1/conversations/x?limit=2").json()
    assert ([turn["turn"] for turn in document["turns"]], document["earlier"]) == ([8, 9], 8)
    for wrong in ("limit=0", f"limit={MOST_TURNS + 1}", "before=0", "before=1" + "0" * 30, "before=x"):
        assert caller.get(f"/v1/conversations/x?{wrong}").status_code == 422, wrong


def test_a_message_beyond_those_that_may_wait_is_refused() -> None:
    intake = SlowIntake()
    body = {"conversation": "c", "text": "hi"}
    app = _app(KEY, intake=intake, waiting=1)
    with (
        TestClient(app, headers={"Authorization": f"Bearer {KEY}"}) as caller,
        ThreadPoolExecutor(1) as other,
    ):
        first = other.submit(caller.post, "/v1/messages", json=body)
        assert intake.asked.acquire(timeout=30)
        refused = caller.post("/v1/messages", json=body)
        alive = caller.get("/healthz").status_code
        intake.go.set()
        assert (first.result().status_code, alive) == (200, 200)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
        assert caller.post("/v1/messages", json=body).json() == {"said": "hi"}


def test_those_who_wait_are_answered_in_turn_and_leave_threads_to_others() -> None:
    most = 3 * _SIDE_BY_SIDE
    began = threading.Semaphore(0)

    async def run() -> list[bool]:
        room, go = _WaitingRoom(most), threading.Event()

        def answer() -> bool:
            began.release()
            return go.wait(30)

        waiting = [asyncio.create_task(room.answered(answer)) for _ in range(most)]
        for _ in range(_SIDE_BY_SIDE):
            assert await asyncio.to_thread(began.acquire, timeout=30)
        assert not await asyncio.to_thread(began.acquire, timeout=0.05)
        with pytest.raises(HTTPException, match="429"):
            await room.answered(answer)
        go.set()
        return await asyncio.gather(*waiting)

    assert asyncio.run(run()) == [True] * most
