from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from bot.adapters.transcription_endpoint import TranscriptionEndpoint
from bot.domain.messages import Attachment
from bot.errors import UnavailableError

VOICE = Attachment("file_7.oga", b"OggS sound")


def answering(respond: Callable[[httpx.Request], httpx.Response]) -> TranscriptionEndpoint:
    return TranscriptionEndpoint("http://asr.test/v1/", "tiny", "secret", 1.0, httpx.MockTransport(respond))


@pytest.mark.parametrize(("lang", "told"), [("zh", True), (None, False)])
def test_the_recording_is_sent_and_its_words_come_back(lang: str | None, told: bool) -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        request.read()
        seen.append(request)
        return httpx.Response(200, json={"text": "我的订单呢"})

    assert answering(respond).transcribe(VOICE, lang) == "我的订单呢"
    (request,) = seen
    assert str(request.url) == "http://asr.test/v1/audio/transcriptions"
    assert request.headers["Authorization"] == "Bearer secret"
    assert b'filename="file_7.ogg"' in request.content
    assert b"OggS sound" in request.content
    assert b"tiny" in request.content
    assert (b'name="language"' in request.content) is told


GARBAGE = {
    "no JSON": b"<html>",
    "a list": b"[]",
    "no text": b'{"text": null}',
    "nothing": b"{}",
    "not UTF-8": b"\xff\xfe\x00",
    "deep": b"[" * 100_000,
    "huge": b" " * 300_000,
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_transcription_is_no_answer(body: bytes) -> None:
    with pytest.raises(UnavailableError):
        answering(lambda _: httpx.Response(200, content=body)).transcribe(VOICE, "en")


@pytest.mark.parametrize("status", [302, 401, 429, 500])
def test_a_refusal_is_told_with_its_status(status: int) -> None:
    with pytest.raises(UnavailableError, match=str(status)):
        answering(lambda _: httpx.Response(status)).transcribe(VOICE, "en")
