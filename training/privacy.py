"""Masks personal data in what customers wrote, before a model or an index learns it.

Whatever looks like a number of somebody's (phone, bank card, identity card, order) keeps its shape and loses its
digits, so that a classifier still sees that a number was named. Checksums are not consulted: a mistyped card number is
personal too. Names and street addresses have no pattern and stay.
"""

from __future__ import annotations

import re

_EMAIL = "name@example.com"
_EMAIL_PATTERN = r"""
      (?P<email>
        (?<![A-Za-z\u00c0-\u024f0-9._%+-])[A-Za-z\u00c0-\u024f0-9._%+-]+
        (?:@|%40)(?:[\w-]+\.)+(?:[A-Za-z0-9-]+|中国|公司|网络)
      )
"""
_NUMBER_PATTERNS = r"""
      (?P<grouped>
        (?<![A-Za-z\d])\+?\(?\d+\)?
        (?:(?:[ ._/\u2010-\u2015\u2212-]{1,3}\(?|\(|(?<=\)))\d+\)?)+
        [Xx]?(?![A-Za-z\d])
      )
    | (?P<code>(?<![A-Za-z\d])(?=(?:[A-Za-z]*\d){6})[A-Za-z\d]+)
"""
_URL_PATTERN = r"""(?P<url>(?:https?://|www\.)[^\s,;|"'`<>(){}\[\]\u007f-\U0010ffff]+)"""
_IN_PATH = re.compile(_EMAIL_PATTERN, re.VERBOSE)
_IN_QUERY = re.compile(f"{_EMAIL_PATTERN}|{_NUMBER_PATTERNS}", re.VERBOSE)
_PERSONAL = re.compile(f"{_URL_PATTERN}|{_EMAIL_PATTERN}|{_NUMBER_PATTERNS}", re.VERBOSE)
_QUERY = re.compile(r"[?#].*", re.DOTALL)

_JOINT = r"[ ._/\u2010-\u2015\u2212-]{1,3}"
_DAY = r"(?:\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{4})(?: \d{1,2})?"
_YEAR_OR_ROUND = r"(?:(?:19|20)\d\d|\d\d00)"
_NOBODYS = re.compile(
    rf"{_DAY}(?:{_JOINT}{_DAY})?|\d+\.\d\d{_JOINT}\d+(?:\.\d\d)?|\d+{_JOINT}\d+\.\d\d"
    rf"|{_YEAR_OR_ROUND}[ ]?[/\u2010-\u2015\u2212-][ ]?{_YEAR_OR_ROUND}"
)
"""Days, amounts of money and years, and from one to another."""

_LONG_RUN = re.compile(r"\d{6,}")
_DIGIT = re.compile(r"\d")
_PHONE_DIGITS = 9
_SHORT_PHONE_DIGITS = 8


def mask(text: str) -> str:
    """Masks e-mail addresses, phone, card, identity and order numbers; days, amounts and web addresses are kept.

    Of a web address only the path is kept as it is, but for e-mail addresses: what follows `?` or `#` may be anything.
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
            path = _QUERY.sub("", found)
            return _IN_PATH.sub(_EMAIL, path) + _IN_QUERY.sub(_masked, found[len(path) :])
        case "email":
            return _EMAIL
        case "grouped" if not _is_number_of_somebody(found):
            return _LONG_RUN.sub(_zeros, found)
    return _zeros_for_digits(found)


def _is_number_of_somebody(found: str) -> bool:
    """Nine digits are a phone number or more; so are eight, but where a point parts them only with a plus."""
    if _NOBODYS.fullmatch(found):
        return False
    digits = len(_DIGIT.findall(found))
    return digits >= _PHONE_DIGITS or (digits >= _SHORT_PHONE_DIGITS and ("." not in found or found.startswith("+")))


def _zeros(match: re.Match[str]) -> str:
    return _zeros_for_digits(match[0])


def _zeros_for_digits(text: str) -> str:
    return _DIGIT.sub("0", text)
