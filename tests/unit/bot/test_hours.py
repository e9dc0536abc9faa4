from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from bot.domain.rules import Hours
from bot.hours import in_words, opens_at, people_since

DAY = (time(8), time(20))
SHOP = Hours("Europe/Berlin", dict.fromkeys(range(5), DAY) | {5: (time(10), time(14))}, frozenset({date(2026, 5, 1)}))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


CASES = {
    "in the middle": ("2026-04-29 10:00", None),
    "at opening": ("2026-04-29 06:00", None),
    "before opening": ("2026-04-29 05:59", "2026-04-29T08:00:00+02:00"),
    "at closing, before a holiday": ("2026-04-30 18:00", "2026-05-02T10:00:00+02:00"),
    "on a holiday": ("2026-05-01 10:00", "2026-05-02T10:00:00+02:00"),
    "on a closed day": ("2026-05-03 10:00", "2026-05-04T08:00:00+02:00"),
    "in winter": ("2026-12-01 06:30", "2026-12-01T08:00:00+01:00"),
}


@pytest.mark.parametrize(("now", "expected"), CASES.values(), ids=CASES)
def test_when_people_are_there_again(now, expected):
    opening = opens_at(SHOP, at(now))
    assert (opening.isoformat() if opening else None) == expected


@pytest.mark.parametrize(("now", "expected"), CASES.values(), ids=CASES)
def test_since_when_people_are_there(now, expected):
    since = people_since(SHOP, at(now))
    assert (since is None) == (expected is not None)
    assert since is None or since == at("2026-04-29 06:00")


def test_people_who_never_come_have_no_opening():
    assert opens_at(Hours("UTC", {}), at("2026-05-01 10:00")) is None


@pytest.mark.parametrize(
    ("now", "lang", "expected"),
    [
        ("2026-04-29 05:00", "en", "today at 08:00"),
        ("2026-04-29 05:00", "zh", "今天 08:00"),
        ("2026-04-29 20:30", "en", "Thursday at 08:00"),
        ("2026-05-03 10:00", "zh", "周一 08:00"),
        ("2026-05-03 10:00", "fr", "2026-05-04, 08:00"),
    ],
)
def test_an_opening_in_words(now, lang, expected):
    opening = opens_at(SHOP, at(now))
    assert opening is not None
    assert in_words(opening, at(now), lang) == expected


def test_an_opening_far_ahead_is_a_date():
    opening = opens_at(Hours("UTC", {0: DAY}, frozenset({date(2026, 5, 4)})), at("2026-04-28 10:00"))
    assert opening is not None
    assert in_words(opening, at("2026-04-28 10:00"), "en") == "2026-05-11, 08:00"
