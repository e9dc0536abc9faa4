"""Dates, absolute and counted from a day."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from nlu.patterns.latin import END, FLAGS, START
from nlu.patterns.numerals import read_number
from nlu.types import Entity

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS = {
    "the day after tomorrow": 2,
    "the day before yesterday": -2,
    "tomorrow": 1,
    "yesterday": -1,
    "today": 0,
    "tonight": 0,
    "大后天": 3,
    "大前天": -3,
    "后天": 2,
    "前天": -2,
    "明天": 1,
    "明日": 1,
    "昨天": -1,
    "昨日": -1,
    "今天": 0,
    "今日": 0,
    "今晚": 0,
}
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_DIGIT = "[一二三四五六七八九]"
_COUNT = r"(?P<count>\d{1,3}|[一二两三四五六七八九十]{1,3})"
_ABSOLUTE = tuple(
    re.compile(pattern, FLAGS)
    for pattern in (
        rf"(?<!\d){_YEAR}[-/.](?P<month>\d{{1,2}})[-/.]{_DAY}(?!\d)",
        rf"(?<!\d){_YEAR}\s?年\s?(?P<month>\d{{1,2}})\s?月\s?{_DAY}\s?[日号]?",
        rf"(?<![\d年])(?P<month>\d{{1,2}}|十[一二]?|{_DIGIT})\s?月\s?(?P<day>\d{{1,2}}|[一二三]?十{_DIGIT}?|{_DIGIT})\s?[日号]",
        rf"{START}{_MONTH}\s{{1,2}}{_DAY}(?:,?\s{_YEAR})?{END}",
        rf"{START}{_DAY}\s(?:of\s)?{_MONTH}(?:,?\s{_YEAR})?{END}",
    )
)
_WORDS = re.compile("|".join(rf"{START}{word}{END}" if word[0].isascii() else word for word in _DAYS), FLAGS)
_WEEKDAY = re.compile(
    rf"{START}(?:(?P<which>next|last|this|on)\s)?"
    rf"(?P<name>mon(?:day)?|tue(?:s|sday)?|wed(?:nesday)?|thu(?:r|rs|rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?){END}",
    FLAGS,
)
_CHINESE_WEEKDAY = re.compile(r"(?P<which>下下|上上|下|上|这|本)?(?:个)?(?:周|星期|礼拜)(?P<name>[一二三四五六日天])")
_COUNTED = (
    (re.compile(rf"{START}in\s{_COUNT}\s(?P<unit>day|week)s?{END}", FLAGS), 1),
    (re.compile(rf"{START}{_COUNT}\s(?P<unit>day|week)s?\s(?:ago|earlier){END}", FLAGS), -1),
    (re.compile(rf"(?<!\d){_COUNT}\s?(?:个)?(?P<unit>天|日|周|星期)(?:之|以)?后", FLAGS), 1),
    (re.compile(rf"(?<!\d){_COUNT}\s?(?:个)?(?P<unit>天|日|周|星期)(?:之|以)?前", FLAGS), -1),
)


def find_dates(text: str, today: date) -> Iterator[Entity]:
    """Finds dates such as `2026-03-05`, `3月5日`, `March 5`, `下周二`, `in 3 days`.

    Args:
        text: normalised text.
        today: the day that relative dates count from; a date without a year is the one nearest to it.

    Yields:
        Entities whose value is the day in ISO 8601.
    """
    for pattern in _ABSOLUTE:
        for match in pattern.finditer(text):
            yield from _entity(match, _absolute(match, today))
    for match in _WORDS.finditer(text):
        yield from _entity(match, today + timedelta(days=_DAYS[match[0].lower()]))
    for match in _WEEKDAY.finditer(text):
        short = match["name"].lower() in _WEEKDAYS
        if not short or match["which"]:
            yield from _entity(match, _english_weekday(match, today))
    for match in _CHINESE_WEEKDAY.finditer(text):
        weeks = {"下下": 2, "下": 1, "上": -1, "上上": -2}.get(match["which"] or "", 0)
        place = "一二三四五六日天".index(match["name"])
        monday = today - timedelta(days=today.weekday())
        yield from _entity(match, monday + timedelta(days=7 * weeks + min(place, 6)))
    for pattern, direction in _COUNTED:
        for match in pattern.finditer(text):
            count = int(read_number(match["count"]) or 0)
            days = count * (7 if match["unit"].lower() in {"week", "周", "星期"} else 1)
            yield from _entity(match, today + timedelta(days=direction * days))


def _absolute(match: re.Match[str], today: date) -> date | None:
    """The day that a match names; None where there is no such day."""
    named = match["month"].lower()
    number = read_number(named) if not named[0].isalpha() or not named[0].isascii() else None
    month = int(number) if number is not None else _MONTHS.index(named[:3]) + 1
    day = int(read_number(match["day"]) or 0)
    year = match.groupdict().get("year")
    if year:
        return _day(int(year), month, day)
    near = [found for year in (today.year - 1, today.year, today.year + 1) if (found := _day(year, month, day))]
    return min(near, key=lambda found: abs(found - today), default=None)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _english_weekday(match: re.Match[str], today: date) -> date:
    """`next` is the one of the week after this, `last` that of the week before, else the coming one."""
    place = _WEEKDAYS.index(match["name"].lower()[:3])
    monday = today - timedelta(days=today.weekday())
    which = (match["which"] or "").lower()
    if which in {"next", "last"}:
        return monday + timedelta(days=place + (7 if which == "next" else -7))
    return today + timedelta(days=(place - today.weekday()) % 7)


def _entity(match: re.Match[str], day: date | None) -> Iterator[Entity]:
    if day is not None:
        yield Entity("date", match.start(), match.end(), match[0], day.isoformat(), "pattern")
