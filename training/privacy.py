"""Masks personal data in what customers wrote, before a model or an index learns it.

Whatever looks like a number of somebody's (phone, bank card, identity card, order) keeps its shape and loses its
digits, so that a classifier still sees that a number was named. Checksums are not consulted: a mistyped card number is
personal too. Names and street addresses have no pattern and stay.
"""

from __future__ import annotations

import re

_EMAIL = "name@example.com"
_PERSONAL = re.compile(
    r"""
      (?P<url>(?:https?://|www\.)[!-~]+)
    | (?P<email>(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)
    | (?P<grouped>(?<![A-Za-z\d])\+?\(?\d+\)?(?:[ .-]{1,2}\(?\d+\)?)+(?![A-Za-z\d]))
    | (?P<code>(?<![A-Za-z\d])(?=(?:[A-Za-z]*\d){6})[A-Za-z\d]+)
    """,
    re.VERBOSE,
)
_DATE = re.compile(r"(?:\d{4}[.-]\d{1,2}[.-]\d{1,2}|\d{1,2}[.-]\d{1,2}[.-]\d{4})(?: \d{1,2})?")
_LONG_RUN = re.compile(r"\d{6,}")
_DIGIT = re.compile(r"\d")
_PHONE_DIGITS = 9
_SPACED_DIGITS = 8


def mask(text: str) -> str:
    """Masks e-mail addresses, phone, card, identity and order numbers; web addresses and dates are kept.

    Applying it twice changes nothing more.

    Args:
        text: a normalised text.

    Returns:
        The text with `name@example.com` for addresses and zeros for the digits of numbers, such as `FD00000000`.
    """
    return _PERSONAL.sub(_masked, text)


def _masked(match: re.Match[str]) -> str:
    found = match[0]
    match match.lastgroup:
        case "url":
            return found
        case "email":
            return _EMAIL
        case "grouped" if not _is_number_of_somebody(found):
            return _LONG_RUN.sub(_zeros, found)
    return _zeros_for_digits(found)


def _is_number_of_somebody(found: str) -> bool:
    """Nine digits are a phone number or more; eight are one after a plus or in spaced groups, as order numbers are."""
    if _DATE.fullmatch(found):
        return False
    digits = len(_DIGIT.findall(found))
    spaced = not any(sign in found for sign in ".-")
    return digits >= _PHONE_DIGITS or (digits >= _SPACED_DIGITS and (spaced or found.startswith("+")))


def _zeros(match: re.Match[str]) -> str:
    return _zeros_for_digits(match[0])


def _zeros_for_digits(text: str) -> str:
    return _DIGIT.sub("0", text)
