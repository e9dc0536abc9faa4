"""Numbers as people write them: with separators, or in Chinese numerals."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

CHINESE = "零〇一二两三四五六七八九十百千万亿"
DIGITS = "一二三四五六七八九"

_DIGITS = {**{digit: value for value, digit in enumerate("零" + DIGITS)}, "〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_MYRIADS = {"万": 10_000, "亿": 100_000_000}
_FACTORS = _UNITS | _MYRIADS


def read_number(text: str) -> Decimal | None:
    """Reads a number.

    Args:
        text: such as `1,299.50`, `1.5万`, `二百零五`, `三万`, `九点九`.

    Returns:
        The number; None where it is none, or more than one, such as `两三百`.
    """
    plain = text.replace(",", "").replace("，", "").replace(" ", "")
    factor = Decimal(1)
    while plain and plain[-1] in _FACTORS and (plain[0].isascii() or "点" in plain):
        factor *= _FACTORS[plain[-1]]
        plain = plain[:-1]
    try:
        number = Decimal(plain) if plain.isascii() else _read_chinese(plain)
    except InvalidOperation:
        return None
    return None if number is None else number * factor


def _read_chinese(text: str) -> Decimal | None:
    """`二百零五` to 205, `九点九` to 9.9, and digits in a row such as `二〇二六` to 2026."""
    whole, point, fraction = text.partition("点")
    if point:
        number, digits = _read_chinese(whole), _in_a_row(fraction)
        return Decimal(f"{number}.{digits}") if number is not None and digits else None
    digits = _in_a_row(text)
    if len(digits) == 2 and "0" not in digits:
        return None  # `两三` is two or three
    return Decimal(digits) if digits else _read_units(text)


def _in_a_row(text: str) -> str:
    """The digits of a text that is nothing else, empty otherwise."""
    return "".join(str(_DIGITS[character]) for character in text) if all(c in _DIGITS for c in text) else ""


def _read_units(text: str) -> Decimal | None:
    total = section = digit = 0
    last = 1  # what a last digit counts: a tenth of the unit straight before it, so that `三千五` is 3500
    for character in text:
        if character in _DIGITS:
            if digit:
                return None
            digit = _DIGITS[character]
            last = last if digit else 1
        elif character in _UNITS:
            if not digit and character != "十":
                return None
            section += (digit or 1) * _UNITS[character]
            digit, last = 0, _UNITS[character] // 10
        elif character in _MYRIADS:
            kept, counted = (0, total + section + digit) if character == "亿" else (total, section + digit)
            if not counted:
                return None
            total = kept + counted * _MYRIADS[character]
            section, digit, last = 0, 0, _MYRIADS[character] // 10
        else:
            return None
    return Decimal(total + section + digit * last) if text else None
