"""What customers are told for a time, and to whom it is news."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.dialogue.announcements import announce
from bot.domain.messages import Reply
from bot.domain.rules import Announcement

BEGINS = datetime(2026, 12, 24, 18, tzinfo=UTC)
ENDS = BEGINS + timedelta(hours=2)
LATE = Announcement(BEGINS, ENDS, {"en": "Parcels are late.", "zh": "包裹会晚到。"})


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (BEGINS - timedelta(seconds=1), []),
        (BEGINS, [Reply("包裹会晚到。", "zh")]),
        (ENDS - timedelta(seconds=1), [Reply("包裹会晚到。", "zh")]),
        (ENDS, []),
    ],
)
def test_it_is_said_while_it_holds(now: datetime, said: list[Reply]) -> None:
    assert list(announce([LATE], (), "zh", now).values()) == said


def test_it_is_said_once() -> None:
    assert announce([LATE], [LATE.key], "en", BEGINS) == {}


def test_another_language_gets_the_first() -> None:
    assert announce([LATE], (), "fr", BEGINS)[LATE.key].lang == "en"
