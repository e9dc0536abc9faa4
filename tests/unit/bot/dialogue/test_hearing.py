from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.dialogue.hearing import LONGEST, Hearing
from bot.domain.messages import Attachment, ContentKind, IncomingMessage
from bot.errors import UnavailableError

VOICE = IncomingMessage("u1", "telegram:7", "", datetime(2026, 3, 1, tzinfo=UTC), ContentKind.VOICE, media="f1")


class Ear:
    """Gives recordings and says what it is told to; an error is raised."""

    def __init__(self, *sayings: str | Exception) -> None:
        self.sayings = list(sayings)
        self.heard: list[tuple[str, str | None]] = []

    def fetch(self, media: str) -> Attachment:
        return Attachment("voice.ogg", media.encode())

    def transcribe(self, recording: Attachment, lang: str | None) -> str:
        self.heard.append((recording.content.decode(), lang))
        saying = self.sayings.pop(0)
        if isinstance(saying, Exception):
            raise saying
        return saying


def test_a_voice_message_gets_its_words() -> None:
    ear = Ear(" Where is my order? ")
    assert Hearing(ear, ear).of(VOICE, "en") == replace(VOICE, text="Where is my order?")
    assert ear.heard == [("f1", "en")]


@pytest.mark.parametrize(
    "message",
    [
        replace(VOICE, kind=ContentKind.PHOTO),
        replace(VOICE, media=""),
        replace(VOICE, text="heard before"),
    ],
    ids=["photo", "no file", "words"],
)
def test_what_needs_no_hearing_is_left_as_it_is(message: IncomingMessage) -> None:
    ear = Ear()
    assert Hearing(ear, ear).of(message, None) is message


def test_private_numbers_are_hidden_and_endless_talk_is_cut() -> None:
    ear = Ear("my card is 4111 1111 1111 1111", "la " * LONGEST)
    hearing = Hearing(ear, ear)
    assert "4111" not in hearing.of(VOICE, None).text
    assert len(hearing.of(VOICE, None).text) == LONGEST


def test_what_keeps_failing_is_left_alone_for_a_while() -> None:
    time = [100.0]
    ear = Ear(*[UnavailableError("no answer")] * 3, "hello")
    hearing = Hearing(ear, ear, now=lambda: time[0])
    for _ in range(5):
        assert hearing.of(VOICE, None) is VOICE
    assert len(ear.heard) == 3
    time[0] += 60
    assert hearing.of(VOICE, None).text == "hello"
