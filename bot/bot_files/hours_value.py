"""Reads the part `hours` of `bot.yaml`."""

from __future__ import annotations

from datetime import date, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.bot_files.yaml_values import Value
from bot.domain.rules import Hours
from bot.hours import DAYS


def read_hours(value: Value) -> Hours | None:
    """When people are there; None where the file does not say."""
    if value.node is None:
        return None
    fields = value.fields(("timezone", "week"), ("holidays",))
    week = fields["week"].fields(optional=DAYS)
    spans = {number: span for number, day in enumerate(DAYS) if (span := _span(week[day])) is not None}
    if not spans and fields["week"].node is not None:
        fields["week"].complain('name at least one day with its hours, such as mon: "8:00-20:00"')
    holidays = frozenset(day for item in fields["holidays"].items() if (day := _date(item)) is not None)
    return Hours(_timezone(fields["timezone"]), spans, holidays)


def _timezone(value: Value) -> str:
    name = value.text("UTC")
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        value.complain(f'"{name}" is no time zone; use a name such as Europe/Berlin or Asia/Shanghai')
        return "UTC"
    return name


def _span(value: Value) -> tuple[time, time] | None:
    if value.node is None:
        return None
    text = value.text()
    try:
        opening, closing = (time.fromisoformat(part.strip().zfill(5)) for part in text.split("-"))
    except ValueError:
        value.complain(f'"{text}" are no hours; write them such as "8:00-20:00"')
        return None
    if closing <= opening:
        value.complain(f'"{text}" ends before it begins; write the opening first')
        return None
    return opening, closing


def _date(value: Value) -> date | None:
    text = value.text()
    try:
        return date.fromisoformat(text)
    except ValueError:
        value.complain(f'"{text}" is no date; write one such as 2026-12-25')
        return None
