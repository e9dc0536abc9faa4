"""When people are there: whether now, and if not, when again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.domain.rules import Hours

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days of the week as `bot.yaml` names them."""

_NAMES: Mapping[str, tuple[str, ...]] = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
}
_TODAY = {"en": "today", "zh": "今天"}
_FAR = 370


def opens_at(hours: Hours, now: datetime) -> datetime | None:
    """When people are there again.

    Args:
        hours: when they are.
        now: the present moment, aware.

    Returns:
        The next opening, in local time; None where somebody is there now, or not within a year.
    """
    zone = ZoneInfo(hours.timezone)
    local = now.astimezone(zone)
    for ahead in range(_FAR):
        day = local.date() + timedelta(days=ahead)
        span = hours.week.get(day.weekday())
        if span is None or day in hours.holidays:
            continue
        opening, closing = (datetime.combine(day, moment, zone) for moment in span)
        if opening <= local < closing:
            return None
        if local < opening:
            return opening
    return None


def people_since(hours: Hours, now: datetime) -> datetime | None:
    """Since when people are there; None while nobody is."""
    zone = ZoneInfo(hours.timezone)
    local = now.astimezone(zone)
    span = hours.week.get(local.weekday())
    if span is None or local.date() in hours.holidays:
        return None
    opening, closing = (datetime.combine(local.date(), moment, zone) for moment in span)
    return opening if opening <= local < closing else None


def in_words(moment: datetime, now: datetime, lang: str) -> str:
    """A moment for customers.

    Args:
        moment: local, aware.
        now: the present moment, aware.
        lang: the language; one without names for the days gets the date.

    Returns:
        Such as `today at 08:00`, `Monday at 08:00`, `周一 08:00` or, a week or more ahead, `2026-12-27, 08:00`.
    """
    day, clock = moment.date(), f"{moment:%H:%M}"
    ahead = (day - now.astimezone(moment.tzinfo or UTC).date()).days
    names = _NAMES.get(lang)
    if names is None or ahead >= len(DAYS):
        return f"{day.isoformat()}, {clock}"
    name = _TODAY[lang] if ahead == 0 else names[day.weekday()]
    return f"{name} at {clock}" if lang == "en" else f"{name} {clock}"
