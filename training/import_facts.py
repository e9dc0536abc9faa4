"""What two answers state: figures (numbers, amounts, dates, times) and whether something is denied."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rapidfuzz import fuzz

from nlu.text import normalise

_LEAST_ALIKE = 60.0
_COMPARED = 2_000

_FIGURE = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_CHINESE_FIGURE = re.compile(
    "[〇零一二两三四五六七八九十百千万]{1,12}(?=[个天日号月年周星小时分秒元块角折成倍件次张岁人位]|工作日|个工作日|%)"
)
_DIGITS = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10_000}
_ENGLISH_NUMBERS = {
    **dict(zip(("one", "two", "three", "four", "five", "six", "seven"), range(1, 8), strict=True)),
    **dict(zip(("eight", "nine", "ten", "eleven", "twelve", "fourteen"), (8, 9, 10, 11, 12, 14), strict=True)),
    **dict(zip(("fifteen", "twenty", "thirty", "forty", "sixty", "ninety"), (15, 20, 30, 40, 60, 90), strict=True)),
}
_ENGLISH_FIGURE = re.compile(
    rf"\b({'|'.join(_ENGLISH_NUMBERS)})[- ]"
    r"(?=(?:\w{1,12} )?(?:day|hour|week|month|year|minute|euro|dollar|pound|time|item|piece|percent))"
)
_DENIED = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|cannot|without|unable|impossible|neither|nor)\b|n't\b"
    r"|不(?!同|过|仅|但|久|少|错|管|论|如|断|足|到|好意思|用担心|客气|妨)|没(?!问题|关系)|无(?!论|需担心|忧|理由)|未(?!来)|勿|禁止|谢绝|拒绝",
    re.IGNORECASE,
)


def difference_of(first: str, second: str) -> str:
    """Tells in what two answers to nearly the same question differ.

    Args:
        first: an answer.
        second: the other one.

    Returns:
        Figures such as `30 / 14`, `one says no`, or `other words`; empty where the answers agree. An answer that says
        more than the other does not differ from it for that.
    """
    of_first, of_second = figures(first), figures(second)
    if (only_first := of_first - of_second) and (only_second := of_second - of_first):
        return f"{_shown(only_first)} / {_shown(only_second)}"
    if negates(first) != negates(second) and (len(first) < 400 or len(second) < 400):
        return "one says no"
    plain = [normalise(answer, max_chars=_COMPARED).casefold() for answer in (first, second)]
    return "" if fuzz.token_set_ratio(*plain) >= _LEAST_ALIKE or _contained(*plain) else "other words"


def figures(text: str) -> frozenset[str]:
    """The figures of a text, in digits without thousands separators; `七天` and `seven days` count as 7."""
    return frozenset(_figures(normalise(text, max_chars=20_000).casefold()))


def negates(text: str) -> bool:
    """Whether a text denies something."""
    return bool(_DENIED.search(normalise(text, max_chars=20_000)))


def _figures(text: str) -> Iterator[str]:
    for match in _FIGURE.finditer(text):
        number = match[0].replace(",", "")
        whole, _, decimals = number.partition(".")
        decimals = decimals.rstrip("0")
        yield (whole.lstrip("0") or "0") + (f".{decimals}" if decimals else "")
    for match in _CHINESE_FIGURE.finditer(text):
        yield str(_value(match[0]))
    for match in _ENGLISH_FIGURE.finditer(text):
        yield str(_ENGLISH_NUMBERS[match[1]])


def _value(signs: str) -> int:
    total = part = 0
    for sign in signs:
        if sign in _UNITS:
            total += max(part, 1) * _UNITS[sign] if sign != "万" else 0
            total = (total + part) * _UNITS[sign] if sign == "万" else total
            part = 0
        else:
            part = part * 10 + _DIGITS[sign] if part else _DIGITS[sign]
    return total + part


def _contained(first: str, second: str) -> bool:
    """Whether most of the shorter text stands in the longer one, as Chinese has no spaces to compare words by."""
    return fuzz.partial_ratio(first, second) >= _LEAST_ALIKE


def _shown(values: frozenset[str]) -> str:
    return ", ".join(sorted(values, key=lambda value: (len(value), value))[:4])
