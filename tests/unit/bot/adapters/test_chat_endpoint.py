from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import httpx
import pytest

from bot.adapters.chat_endpoint import ChatEndpoint
from bot.errors import UnavailableError


def answering(respond: Callable[[httpx.Request], httpx.Response]) -> ChatEndpoint:
    return ChatEndpoint("http://llm.test/v1/", "tiny", "secret", 1.0, httpx.MockTransport(respond))


def test_question_and_answer_are_sent_and_the_text_comes_back():
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"choices": [{"message": {"content": "Yes."}}]})

    assert answering(respond).rewrite("Is it free?", "It is free.", "en") == "Yes."
    (request,) = seen
    assert str(request.url) == "http://llm.test/v1/chat/completions"
    assert request.headers["Authorization"] == "Bearer secret"
    body = json.loads(request.content)
    assert body["model"] == "tiny"
    assert "code en" in body["messages"][0]["content"]
    assert body["messages"][1]["content"] == "QUESTION:\nIs it free?\n\nANSWER:\nIt is free."


GARBAGE = {
    "no JSON": b"<html>",
    "a list": b"[]",
    "no choices": b'{"choices": []}',
    "a number": b"7",
    "no text": b'{"choices": [{"message": {"content": null}}]}',
    "not UTF-8": b"\xff\xfe\x00",
    "deep": b"[" * 100_000,
    "huge": b" " * 300_000,
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_completion_is_no_answer(body):
    with pytest.raises(UnavailableError):
        answering(lambda _: httpx.Response(200, content=body)).rewrite("?", "!", "en")


@pytest.mark.parametrize("status", [302, 401, 429, 500])
def test_a_refusal_is_no_answer(status):
    with pytest.raises(UnavailableError, match="HTTPStatusError"):
        answering(lambda _: httpx.Response(status)).rewrite("?", "!", "en")


class Dripping(BaseHTTPRequestHandler):
    """Answers with a byte every tenth of a second, for ten seconds, or says nothing at all."""

    silent: ClassVar[bool] = False
    ended: ClassVar[threading.Event] = threading.Event()

    def do_POST(self) -> None:
        if not self.silent:
            self.send_response(200)
            self.end_headers()
        for _ in range(100):
            if self.ended.wait(0.1):
                return
            if not self.silent:
                try:
                    self.wfile.write(b" ")
                except OSError:
                    return

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(params=[False, True], ids=["drips", "hangs"])
def slow_url(request) -> Iterator[str]:
    ended = threading.Event()
    handler = type("Slow", (Dripping,), {"silent": request.param, "ended": ended})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    ended.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_endpoint_that_takes_too_long_is_no_answer(slow_url):
    endpoint = ChatEndpoint(slow_url, "tiny", seconds=0.5)
    start = time.monotonic()
    with pytest.raises(UnavailableError):
        endpoint.rewrite("?", "!", "en")
    assert time.monotonic() - start < 3
    endpoint.close()
