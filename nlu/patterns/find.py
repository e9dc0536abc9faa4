"""All patterns over one text, and how they share it with what the token head found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from nlu.patterns.dates import find_dates
from nlu.patterns.latin import FLAGS, START, WORD
from nlu.patterns.money import find_money
from nlu.types import Entity

MOST_CHARACTERS = 4000
"""Longer texts are searched this far; what a model reads is shorter."""

_EMAIL = re.compile(
    rf"(?<![.%+-]){START}[a-z0-9][a-z0-9._%+-]{{0,63}}@(?:[a-z0-9-]{{1,63}}\.){{1,4}}[a-z]{{2,24}}(?!-|\.?{WORD})",
    FLAGS,
)
_ORDER = re.compile(r"(?<![A-Za-z0-9])(?P<letters>[A-Za-z]{1,4})(?P<gap>[-#\s]?)(?P<digits>[0-9]{6,14})(?![A-Za-z0-9])")
# What stands before numbers in capitals without being a part of them, in messages such as `CALL ME ON 13800138000`.
_NO_PREFIX = re.compile(
    "ALL|AM|AN|AND|ARE|AS|AT|BUT|BY|CALL|CARD|CELL|CODE|DATE|FAX|FOR|FROM|GOT|HAVE|ID|IN|IS|IT|LIKE|ME|MOB|MY|NEED|NO|"
    "NOT|NR|NUM|OF|ON|ONLY|OR|OTP|OUR|OVER|PAID|PAY|PIN|QQ|REF|SEND|SMS|TEL|TEXT|THAN|THAT|THE|THIS|TO|TRY|USE|VX|WAS|"
    "WITH|WX|YES|YOU|YOUR|ZIP",
    re.IGNORECASE,
)
# Digits alone are an order number where a word before them says so. What counts goods or money is none, and a parcel's
# number (运单号, 快递单号) is another.
_SAID_TO_BE = (
    rf"{START}orders?(?:\s(?:with\s)?(?:the\s|an?\s)?(?:number|num|no|nr|id|code|ref|reference))?\.?(?:\s(?:is|was))?",
    r"(?:订单|(?<![运递流])单(?=[号编]))(?:编?号码?)?\s?[是为]?",
)
_COUNTED = r"\s?(?:[元块万千百件个份只台箱双套瓶张]|(?:pcs|pieces?|units?|copies|items?)\b)"
_NAMED_ORDER = re.compile(
    rf"(?:{'|'.join(_SAID_TO_BE)})[\s:#(\[\"']{{0,3}}(?P<digits>[0-9]{{6,20}})(?!{WORD}|[-.,/][0-9]|{_COUNTED})",
    FLAGS,
)
_REGIONS = {"zh": ("CN",), "en": ("US", "GB"), "de": ("DE",)}
# A mobile number of mainland China; written in one piece or in such groups it is one in any language.
_MOBILE = re.compile(r"(?<![A-Za-z0-9+])(?<![0-9][-.])1[3-9][0-9](?P<gap>[ -]?)[0-9]{4}(?P=gap)[0-9]{4}(?!-?[0-9])")


def find_patterns(text: str, lang: str, today: date) -> list[Entity]:
    """Finds e-mail addresses, phone numbers, dates, amounts of money and order numbers.

    Args:
        text: normalised text; offsets count in it.
        lang: its language, which tells the countries that a phone number without `+` may be of.
        today: the day that relative dates count from.

    Returns:
        Entities in order, none overlapping another; where two kinds claim the same characters, the longer wins.
    """
    part = text[:MOST_CHARACTERS]
    found = [*_emails(part), *find_dates(part, today), *find_money(part), *_orders(part), *_phones(part, lang)]
    return _without_overlap(found)


def merge_entities(model: Iterable[Entity], patterns: Iterable[Entity]) -> list[Entity]:
    """Joins what the token head and the patterns found.

    Args:
        model: from the token head.
        patterns: from `find_patterns`.

    Returns:
        Entities in order, none overlapping another. A pattern that says the same as the token head gives it its value;
        where they disagree the token head, which was trained on this bot's texts, is believed.
    """
    kept = list(model)
    for pattern in patterns:
        rivals = [
            place for place, entity in enumerate(kept) if entity.start < pattern.end and pattern.start < entity.end
        ]
        if not rivals:
            kept.append(pattern)
        elif len(rivals) == 1 and kept[rivals[0]].type == pattern.type:
            kept[rivals[0]] = replace(kept[rivals[0]], value=pattern.value)
    return sorted(kept, key=lambda entity: entity.start)


def _without_overlap(found: Sequence[Entity]) -> list[Entity]:
    kept: list[Entity] = []
    for entity in sorted(found, key=lambda entity: (entity.start - entity.end, entity.start)):
        if all(entity.end <= other.start or other.end <= entity.start for other in kept):
            kept.append(entity)
    return sorted(kept, key=lambda entity: entity.start)


def _emails(text: str) -> Iterator[Entity]:
    for match in _EMAIL.finditer(text):
        yield Entity("email", match.start(), match.end(), match[0], match[0].lower(), "pattern")


def _orders(text: str) -> Iterator[Entity]:
    for match in _ORDER.finditer(text):
        if match["gap"].isspace() and not match["letters"].isupper():
            continue
        if match["gap"] not in ("", "-") and _NO_PREFIX.fullmatch(match["letters"]):
            continue
        value = (match["letters"] + match["digits"]).upper()
        yield Entity("order_number", match.start(), match.end(), match[0], value, "pattern")
    for match in _NAMED_ORDER.finditer(text):
        digits = match["digits"]
        if not _MOBILE.fullmatch(digits):
            yield Entity("order_number", match.start("digits"), match.end("digits"), digits, digits, "pattern")


def _phones(text: str, lang: str) -> Iterator[Entity]:
    if sum(character.isdigit() for character in text) < 7:
        return
    import phonenumbers

    mobiles = ((match.start(), match[0], phonenumbers.parse(match[0], "CN")) for match in _MOBILE.finditer(text))
    numbers = [mobile for mobile in mobiles if phonenumbers.is_valid_number(mobile[2])]
    for region in _REGIONS.get(lang, ("CN",)):
        found = phonenumbers.PhoneNumberMatcher(text, region)
        numbers += [(match.start, match.raw_string, match.number) for match in found]
    for start, raw, number in numbers:
        value = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        digits = raw.strip()  # the library takes a space before a number along
        first = start + raw.index(digits)
        yield Entity("phone", first, first + len(digits), digits, value, "pattern")
