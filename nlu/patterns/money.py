"""Amounts of money, with their currency."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from nlu.patterns.latin import END, FLAGS
from nlu.patterns.numerals import CHINESE, read_number
from nlu.types import Entity

_SIGNS = {"¥": "CNY", "￥": "CNY", "$": "USD", "€": "EUR", "£": "GBP"}
_ENGLISH = {
    "rmb": "CNY",
    "cny": "CNY",
    "yuan": "CNY",
    "usd": "USD",
    "dollar": "USD",
    "dollars": "USD",
    "bucks": "USD",
    "eur": "EUR",
    "euro": "EUR",
    "euros": "EUR",
    "gbp": "GBP",
    "pound": "GBP",
    "pounds": "GBP",
}
_CHINESE = {
    "人民币": "CNY",
    "元": "CNY",
    "块钱": "CNY",
    "块": "CNY",
    "美元": "USD",
    "美金": "USD",
    "欧元": "EUR",
    "英镑": "GBP",
}
_CURRENCIES = _SIGNS | _ENGLISH | _CHINESE
_ARABIC = r"\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,2})?|\d{1,9}(?:\.\d{1,2})?"
_PATTERNS = (
    re.compile(
        rf"(?<!(?u:[\w.]))(?P<unit>[{re.escape(''.join(_SIGNS))}]|(?:usd|eur|gbp|rmb|cny|人民币)(?![a-z]))\s?"
        rf"(?P<number>{_ARABIC})(?P<myriad>[万亿]?)(?![\d.]\d|[a-z])",
        FLAGS,
    ),
    re.compile(
        rf"(?<![\d.,{CHINESE}])(?P<number>{_ARABIC}|[{CHINESE}]{{1,12}})(?P<myriad>[万亿]?)\s?"
        rf"(?P<unit>{'|'.join(_CHINESE)})(?P<tenths>[1-9一二三四五六七八九](?![\d.]))?",
        FLAGS,
    ),
    re.compile(rf"(?<!(?u:[\w.,]))(?P<number>{_ARABIC})(?P<myriad>)\s?(?P<unit>{'|'.join(_ENGLISH)}){END}", FLAGS),
)


def find_money(text: str) -> Iterator[Entity]:
    """Finds amounts such as `¥199.50`, `20 euros`, `二百元`, `199块5`.

    Args:
        text: normalised text.

    Yields:
        Entities whose value is the currency's code (ISO 4217) and the amount, such as `CNY 199.50`.
    """
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            amount = read_number(match["number"] + match["myriad"])
            if amount is None:
                continue
            unit = match["unit"].lower()
            tenths = match.groupdict().get("tenths") or ""
            end = match.end()
            if tenths and unit == "块":
                amount += (read_number(tenths) or Decimal(0)) / 10
            elif tenths:
                end = match.start("tenths")
            yield Entity(
                "amount", match.start(), end, text[match.start() : end], f"{_CURRENCIES[unit]} {amount:.2f}", "pattern"
            )
