"""Numbers that nobody should write in a chat: bank cards and identity cards, hidden before anything is stored.

Phone and order numbers stay, since agents need them. What is taken for a card passes its checksum, so that a tracking
number is rarely mistaken for one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from datetime import date
from enum import StrEnum

MARK = "••••"
"""What stands in the place of a hidden number; of a bank card the last four digits follow."""


class PrivateKind(StrEnum):
    """The kinds of numbers that are hidden."""

    BANK_CARD = "bank_card"
    IDENTITY_CARD = "identity_card"


# An issuer's first digits with the lengths of its numbers (ISO/IEC 7812): Visa, Mastercard, American Express, JCB,
# Diners, Discover, UnionPay.
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|2[2-7]\d{2}|222[1-9])\d*|3[47]\d{13}|35\d{14}|3[068]\d{12}|6[05]\d{14}|62\d{14,17}"
)
_GROUP = re.compile(r"\d+")
# Groups of digits a blank, dot, dash or slash or two apart: a card's own, and what stands beside it, such as its expiry
# date. Neither touches a letter, and the digits that a mark left of a card are none.
_RUN = re.compile(rf"(?<![A-Za-z\d])(?<!{MARK})\d+(?:[\s./\-\u2010-\u2015\u2212\uff0d]{{1,2}}\d+)*(?![A-Za-z\d])")
_SHORTEST, _LONGEST = 13, 19
_IDENTITY = re.compile(r"(?<![A-Za-z\d])\d{6}((?:19|20)\d{2})(\d{2})(\d{2})\d{3}[\dXx](?![A-Za-z\d])")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_MASTERCARD_DIGITS = 16
_TOO_BIG = 9


def hide(text: str, kinds: Collection[PrivateKind] = tuple(PrivateKind)) -> str:
    """Hides private numbers.

    Args:
        text: what somebody wrote.
        kinds: what to hide.

    Returns:
        The text with `MARK` in the place of each number; hiding again changes nothing.
    """
    for kind in PrivateKind:
        if kind in kinds:
            text = _HIDING[kind](text)
    return text


def has_hidden(text: str) -> bool:
    """Whether a number was hidden in a text."""
    return MARK in text


def _hide_identity_cards(text: str) -> str:
    return _IDENTITY.sub(lambda found: MARK if _is_identity_card(found) else found[0], text)


def _is_identity_card(found: re.Match[str]) -> bool:
    """The check character of GB 11643 and a birthday that has been."""
    digits = _ascii(found[0]).upper()
    try:
        born = date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=False))
    return born.year >= 1900 and _CHECKS[total % 11] == digits[-1]


def _hide_bank_cards(text: str) -> str:
    return _RUN.sub(lambda found: _hide_in_run(found[0]), text)


def _hide_in_run(run: str) -> str:
    """Hides each span of neighbouring groups that is a card, the longest first."""
    spans = [found.span() for found in _GROUP.finditer(run)]
    groups = [_digits(run[begin:end]) for begin, end in spans]
    told, at, first = "", 0, 0
    while first < len(groups):
        card, after = _card_from(groups, first)
        if card:
            told += f"{run[at : spans[first][0]]}{MARK}{card[-4:]}"
            at = spans[after - 1][1]
        first = after
    return told + run[at:]


def _card_from(groups: list[str], first: int) -> tuple[str, int]:
    """The longest card that begins with a group, empty for none, and which group to look at next."""
    number, card, after = "", "", first + 1
    for last in range(first, len(groups)):
        number += groups[last]
        if len(number) > _LONGEST:
            break
        if len(number) >= _SHORTEST and _is_card(number):
            card, after = number, last + 1
    return card, after


def _is_card(digits: str) -> bool:
    if _ISSUERS.fullmatch(digits) is None or (digits[0] in "25" and len(digits) != _MASTERCARD_DIGITS):
        return False
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    total = sum(int(digit) for digit in digits[::-2]) + sum(d - 9 if d > _TOO_BIG else d for d in doubled)
    return total % 10 == 0


def _digits(group: str) -> str:
    return group if group.isascii() else "".join(str(int(digit)) for digit in group)


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


_HIDING: Mapping[PrivateKind, Callable[[str], str]] = {
    PrivateKind.IDENTITY_CARD: _hide_identity_cards,
    PrivateKind.BANK_CARD: _hide_bank_cards,
}
