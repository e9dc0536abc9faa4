from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.desk.service_level import Achieved, is_overdue, measure
from bot.domain.records import Escalation, ServiceTime
from bot.domain.rules import ServiceLevel

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GOAL = ServiceLevel(first_reply_minutes=5, resolution_minutes=60)


def took(ago: float, reply: float | None = None, end: float | None = None) -> ServiceTime:
    """Opened so many minutes ago, answered and closed so many minutes after that."""
    opened = NOW - timedelta(minutes=ago)
    reply_at, closed_at = (None if minutes is None else opened + timedelta(minutes=minutes) for minutes in (reply, end))
    return ServiceTime(opened, reply_at, closed_at)


def test_shares_and_medians() -> None:
    figures = measure([took(300, 5, 60), took(300, 1, 90), took(300, 6), took(50, 2)], GOAL, NOW)
    assert figures.opened == 4
    assert figures.first_reply == Achieved(4, 0.75, timedelta(minutes=3.5))
    assert figures.resolution == Achieved(3, 1 / 3, timedelta(minutes=75))


@pytest.mark.parametrize(
    ("time", "replied", "resolved"),
    [
        (took(5), Achieved(0, None, None), Achieved(0, None, None)),
        (took(6), Achieved(1, 0.0, None), Achieved(0, None, None)),
        (took(61), Achieved(1, 0.0, None), Achieved(1, 0.0, None)),
        (took(4, None, 1), Achieved(1, 0.0, None), Achieved(1, 1.0, timedelta(minutes=1))),
    ],
    ids=["time still runs", "no reply in time", "no end in time", "closed without a word"],
)
def test_what_did_not_come_in_time_is_missed(time: ServiceTime, replied: Achieved, resolved: Achieved) -> None:
    figures = measure([time], GOAL, NOW)
    assert (figures.first_reply, figures.resolution) == (replied, resolved)


def test_nothing_is_measured_of_nothing() -> None:
    assert measure([], GOAL, NOW).first_reply == Achieved(0, None, None)


@pytest.mark.parametrize(
    ("minutes", "status", "replied", "overdue"),
    [
        (5, "open", False, False),
        (6, "open", False, True),
        (6, "held", False, True),
        (60, "held", True, False),
        (61, "held", True, True),
        (99, "closed", False, False),
    ],
)
def test_who_waits_for_too_long(minutes: int, status: str, replied: bool, overdue: bool) -> None:
    opened = NOW - timedelta(minutes=minutes)
    escalation = Escalation(
        1, "web:a", "asked", status, opened, "", "", "", "en", first_reply_at=opened if replied else None
    )
    assert is_overdue(escalation, GOAL, NOW) is overdue
