from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from bot.adapters.chat_endpoint import ChatEndpoint
from bot.adapters.http_actions import HttpActions
from bot.adapters.telegram_files import TelegramFiles
from bot.adapters.timed_http import TimedHttp
from bot.adapters.transcription_endpoint import TranscriptionEndpoint
from bot.domain.messages import Attachment
from bot.domain.rules import ActionSpec
from bot.errors import UnavailableError

HEAD = b"HTTP/1.1 200 OK\r\n"
SLOW = {
    "nothing": [(8.0, b"")],
    "dripping headers": [(0.3, HEAD), *[(0.3, b"X-More: y\r\n")] * 25],
    "late headers, then a late body": [(0.8, HEAD + b"Content-Length: 9\r\n\r\n"), (0.8, b'{"a": 1}\n')],
    "a dripping body": [(0.0, HEAD + b"Content-Length: 25\r\n\r\n"), *[(0.3, b" ")] * 25],
}


@pytest.fixture(params=SLOW.values(), ids=SLOW)
def slow_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that takes its time: seconds to wait and what to send then."""
    ended = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65_536)
            for wait, piece in request.param:
                if ended.wait(wait):
                    return
                connection.sendall(piece)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                threads.append(threading.Thread(target=answer, args=(connection,)))
                threads[-1].start()

    server = socket.create_server(("127.0.0.1", 0))
    threads = [threading.Thread(target=serve)]
    threads[0].start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    ended.set()
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    for thread in threads:
        thread.join()


def act(url: str) -> Callable[[], object]:
    calls = HttpActions(url)
    return lambda: calls.call(ActionSpec("look", "GET", "/x", "state", {}, seconds=1), {}, "m1")


def reword(url: str) -> Callable[[], object]:
    return lambda: ChatEndpoint(url, "tiny", seconds=1.0).rewrite("?", "!", "en")


def transcribe(url: str) -> Callable[[], object]:
    return lambda: TranscriptionEndpoint(url, "tiny", seconds=1.0).transcribe(Attachment("a.ogg", b"OggS"), "en")


def fetch(url: str) -> Callable[[], object]:
    return lambda: TelegramFiles("1:token", url, 1.0).fetch("f1")


@pytest.mark.parametrize("client", [act, reword, transcribe, fetch])
def test_what_is_slow_is_left_when_its_time_is_up(client: Callable[[str], Callable[[], object]], slow_url: str) -> None:
    call, began = client(slow_url), time.monotonic()
    with pytest.raises(UnavailableError):
        call()
    assert time.monotonic() - began < 4


def test_exchanges_go_on_side_by_side(slow_url: str) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        return httpx.Response(404, content=b"no")

    with ThreadPoolExecutor(1) as pool:
        slow, began = pool.submit(reword(slow_url)), time.monotonic()
        http = TimedHttp(transport=httpx.MockTransport(refuse))
        response = http.exchange("GET", "http://quick.test", seconds=5, most_bytes=10)
        http.close()
        assert (response.status_code, response.content) == (404, b"no")
        assert time.monotonic() - began < 0.8
        with pytest.raises(UnavailableError):
            slow.result()
