"""Dates, absolute and counted from a day."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from nlu.patterns.latin import END, FLAGS, START
from nlu.patterns.numerals import CHINESE, DIGITS, read_number
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
_DIGIT = f"[{DIGITS}]"
# `the 2 may be late`: a word after a small `may` makes it a verb, unless one of these stands before the day.
_PREPOSITIONS = ("on", "by", "before", "after", "since", "from", "until", "till")
_NO_VERB = "|".join((*(rf"(?<=\b{word}\s)" for word in _PREPOSITIONS), r"(?!\d+\s(?-i:may|march)\s[a-z])"))
_ABSOLUTE = tuple(
    re.compile(pattern, FLAGS)
    for pattern in (
        rf"(?<!\d){_YEAR}[-/.](?P<month>\d{{1,2}})[-/.]{_DAY}(?!\d)",
        rf"(?<!\d){_YEAR}\s?年\s?(?P<month>\d{{1,2}})\s?月\s?{_DAY}(?:\s?[日号]|(?!\.?\d|,\d{{3}}(?!\d)|\s?[百千万元块]))",
        rf"(?<![\d年])(?P<month>\d{{1,2}}|十[一二]?|{_DIGIT})\s?月\s?(?P<day>\d{{1,2}}|[一二三]?十{_DIGIT}?|{_DIGIT})\s?[日号]",
        rf"{START}{_MONTH}\s{{1,2}}{_DAY}(?:,?\s{_YEAR})?{END}",
        rf"{START}(?:{_NO_VERB}){_DAY}\s(?:of\s)?{_MONTH}(?:,?\s{_YEAR})?{END}",
    )
)
# `然后天天催` and `目前天气` name no day.
_DAY_APART = dict.fromkeys(("前天", "后天"), r"(?<![以之此然今最随目当提]){}(?!天(?!气))")
_WORDS = re.compile(
    "|".join(f"{START}{word}{END}" if word.isascii() else _DAY_APART.get(word, "{}").format(word) for word in _DAYS),
    FLAGS,
)
_WEEKDAY = re.compile(
    rf"{START}(?:(?P<which>next|last|this|on)\s)?"
    rf"(?P<name>mon(?:day)?|tue(?:s|sday)?|wed(?:nesday)?|thu(?:r|rs|rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?){END}",
    FLAGS,
)
# `每周一` is no one day, `一周三次` is how often, `本周天气` about the weather.
_CHINESE_WEEKDAY = re.compile(
    rf"(?<![\d每{CHINESE}])(?<![\d每{CHINESE}]个)"
    r"(?P<which>下下|上上|下|上|这|本)?(?:个)?(?:周|星期|礼拜)(?P<name>[一二三四五六日天])(?![次气期])",
    FLAGS,
)
_COUNT = r"(?P<count>\d{1,3})\s(?P<unit>day|week)s?"
# A count without 日: `15日前` means before the 15th.
_CHINESE_COUNT = rf"(?P<count>\d{{1,3}}|[{CHINESE}]{{1,6}})\s?(?:个)?(?P<unit>天|周|星期|礼拜)(?:之|以)?"
# The end of `2-3 days`, `1.5天` or `三到五天` is no count of its own.
_WHOLE = r"(?<!\d[.~-])(?<!\d\sor\s)(?<!\d\sto\s)"
_CHINESE_WHOLE = rf"(?<![\d几数{CHINESE}])(?<![\d{CHINESE}][.~到至或、-])"
_COUNTED = tuple(
    (re.compile(pattern, FLAGS), direction)
    for pattern, direction in (
        (rf"{START}in\s{_COUNT}{END}", 1),
        (rf"{START}{_WHOLE}{_COUNT}\s(?:ago|earlier){END}", -1),
        (rf"{_CHINESE_WHOLE}{_CHINESE_COUNT}后", 1),
        (rf"{_CHINESE_WHOLE}{_CHINESE_COUNT}前", -1),
    )
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
            count = read_number(match["count"])
            days = 1 if match["unit"].lower() in {"day", "天"} else 7
            yield from _entity(match, _days_from(today, direction * days * int(count)) if count is not None else None)


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


def _days_from(today: date, days: int) -> date | None:
    try:
        return today + timedelta(days=days)
    except OverflowError:
        return None


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
