"""Amounts of money, with their currency."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from nlu.patterns.latin import END, FLAGS, START
from nlu.patterns.numerals import CHINESE, DIGITS, read_number
from nlu.types import Entity

_SIGNS = {"¥": "CNY", "￥": "CNY", "us$": "USD", "$": "USD", "€": "EUR", "£": "GBP"}
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
_SIGN = "|".join(map(re.escape, _SIGNS))
# Nothing is read again in a shorter way: of `$1,2345` neither 1 nor 1234 is meant.
_ARABIC = r"(?>\d{1,3}(?:,\d{3}(?!\d)){1,4}(?:\.\d{1,2})?|\d{1,9}(?:\.\d{1,2})?)[百千]?+万?+亿?+"
_NUMERAL = rf"[{CHINESE}]{{1,12}}(?:点[零〇{DIGITS}]{{1,2}}[百千]?万?亿?)?"
_UNIT = rf"(?P<unit>{'|'.join(_CHINESE)})(?!(?<=元)[旦宵])"
_DIGIT = f"[1-9{DIGITS}]"
# The 5 of `199块5` is a fraction where nothing is counted by it, as in `100块3天` and `20块3个`.
_ALONE = r"(?<=块.)(?![.:/~-]\d|%)(?=[钱了的吗呢吧啊呀啦嘛哦]|(?u:\W)|\Z)"
_FRACTION = rf"(?:(?P<tenths>{_DIGIT})(?:[毛角](?:(?P<hundredths>{_DIGIT})分)?|{_ALONE}))?"
# In `20 € 14 days ago` the sign belongs to the number before it.
_SPACE = r"(?:(?<!\d\s.)(?<!\d\s...)\s)?"
_LARGE = r"\s?(?:hundred|thousand|[mb]illion|trillion|[mb]ln|bn)\b"
_PATTERNS = tuple(
    re.compile(pattern, FLAGS)
    for pattern in (
        # A comma may end a clause of Chinese, but `$1,50` is an amount to some and none to others.
        rf"{START}(?P<unit>[¥￥]|rmb|cny|(?<!元)人民币){_SPACE}(?P<number>{_ARABIC})(?!\.\d){END}元?",
        rf"{START}(?P<unit>{_SIGN}|usd|eur|gbp){_SPACE}(?P<number>{_ARABIC})(?![.,]\d|{_LARGE}){END}",
        rf"(?<!\d)(?<!\d\.)(?<![第几数{CHINESE}])(?P<number>{_ARABIC}|{_NUMERAL})\s?{_UNIT}{_FRACTION}",
        rf"{START}(?<!\d[.,])(?P<number>{_ARABIC})\s?(?P<unit>{'|'.join(_ENGLISH)}|{_SIGN}){END}",
    )
)


def find_money(text: str) -> Iterator[Entity]:
    """Finds amounts such as `¥199.50`, `20 euros`, `二百元`, `199块5`, `3元5角`.

    Args:
        text: normalised text.

    Yields:
        Entities whose value is the currency's code (ISO 4217) and the amount, such as `CNY 199.50`.
    """
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            amount = read_number(match["number"])
            if amount is None:
                continue
            for place, digit in enumerate(("tenths", "hundredths"), start=1):
                amount += (read_number(match.groupdict().get(digit) or "0") or Decimal(0)).scaleb(-place)
            currency = _CURRENCIES[match["unit"].lower()]
            yield Entity("amount", match.start(), match.end(), match[0], f"{currency} {amount:.2f}", "pattern")
