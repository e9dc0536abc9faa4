"""The HTTP API where no server is needed to see it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.types import Message

from bot.api import create_app
from bot.domain.log_ports import ConversationLog
from bot.domain.messages import IncomingMessage, Reply

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


class EmptyLog:
    def conversation(self, _: str) -> None:
        return None


@pytest.fixture
def app() -> FastAPI:
    return _app(KEY)


def _app(api_key: str) -> FastAPI:
    return create_app(
        api_key=api_key,
        intake=EchoIntake(),
        log=cast("ConversationLog", EmptyLog()),
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
