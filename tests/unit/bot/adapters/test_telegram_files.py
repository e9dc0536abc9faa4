from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from bot.adapters.telegram_files import MOST_BYTES, TelegramFiles
from bot.domain.messages import Attachment
from bot.errors import UnavailableError

TOKEN = "123:secret"


def files(respond: Callable[[httpx.Request], httpx.Response]) -> TelegramFiles:
    return TelegramFiles(TOKEN, "http://api.test/", 1.0, httpx.MockTransport(respond))


def giving(answer: httpx.Response) -> Callable[[httpx.Request], httpx.Response]:
    named = {"ok": True, "result": {"file_id": "f1", "file_path": "voice/file_7.oga"}}

    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=named) if request.url.path.endswith("/getFile") else answer

    return respond


def test_a_file_is_asked_for_and_fetched() -> None:
    seen: list[str] = []
    give = giving(httpx.Response(200, content=b"sound"))

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return give(request)

    assert files(respond).fetch("f 1&x=2") == Attachment("file_7.oga", b"sound")
    assert seen == [
        f"http://api.test/bot{TOKEN}/getFile?file_id=f+1%26x%3D2",
        f"http://api.test/file/bot{TOKEN}/voice/file_7.oga",
    ]


FAULTS = {
    "expired": lambda _: httpx.Response(400, json={"ok": False, "description": "wrong file_id"}),
    "no JSON": lambda _: httpx.Response(200, content=b"<html>"),
    "no path": lambda _: httpx.Response(200, json={"ok": True, "result": {}}),
    "a path of another kind": lambda _: httpx.Response(200, json={"ok": True, "result": {"file_path": 7}}),
    "gone": giving(httpx.Response(404)),
    "too large": giving(httpx.Response(200, content=bytes(MOST_BYTES + 1))),
}


@pytest.mark.parametrize("respond", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_without_the_token(respond: Callable[[httpx.Request], httpx.Response]) -> None:
    with pytest.raises(UnavailableError) as caught:
        files(respond).fetch("f1")
    assert "Telegram" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_connection_that_breaks_is_told_without_the_token() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"cannot reach {request.url}")

    with pytest.raises(UnavailableError, match=r"^Telegram did not give the file \(ConnectError\)$"):
        files(respond).fetch("f1")
