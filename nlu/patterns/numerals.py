"""Numbers as people write them: with separators, or in Chinese numerals."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

CHINESE = "零〇一二两三四五六七八九十百千万亿"

_DIGITS = {**{digit: value for value, digit in enumerate("零一二三四五六七八九")}, "〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_MYRIADS = {"万": 10_000, "亿": 100_000_000}


def read_number(text: str) -> Decimal | None:
    """Reads a number.

    Args:
        text: such as `1,299.50`, `1.5万`, `二百零五`, `三万`.

    Returns:
        The number; None where it is none.
    """
    plain = text.replace(",", "").replace("，", "").replace(" ", "")
    factor = Decimal(1)
    while plain and plain[-1] in _MYRIADS and plain[0].isascii():
        factor *= _MYRIADS[plain[-1]]
        plain = plain[:-1]
    try:
        return Decimal(plain) * factor if plain.isascii() else _read_chinese(plain)
    except InvalidOperation:
        return None


def _read_chinese(text: str) -> Decimal | None:
    """`二百零五` to 205, and digits in a row such as `二〇二六` to 2026."""
    if not text or any(character not in CHINESE for character in text):
        return None
    if all(character in _DIGITS for character in text):
        return Decimal("".join(str(_DIGITS[character]) for character in text))
    total = section = digit = 0
    for character in text:
        if character in _DIGITS:
            digit = _DIGITS[character]
        elif character in _UNITS:
            section += (digit or 1) * _UNITS[character]
            digit = 0
        elif character == "万":
            total += (section + digit or 1) * _MYRIADS[character]
            section = digit = 0
        else:
            total = (total + section + digit or 1) * _MYRIADS[character]
            section = digit = 0
    return Decimal(total + section + digit)
