"""Values that fit a button: the id of an FAQ entry may be longer than Telegram lets a button carry."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

VALUE_BYTES = 64
"""The longest value that a button may carry (Telegram's limit)."""

_STAND_IN = re.compile(r"(?:faq|more):#[0-9a-f]{16}")


def short_value(value: str) -> str:
    """What a button carries for an option such as `faq:<id>`: the option, or a stand-in where it is too long.

    Args:
        value: the verb and the name, with a colon between them.

    Returns:
        At most 64 bytes, always the same for the same value.
    """
    if len(value.encode()) <= VALUE_BYTES:
        return value
    verb, _, name = value.partition(":")
    return f"{verb}:#{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def whole_value(value: str, entries: Iterable[str]) -> str:
    """What a button's value stands for.

    Args:
        value: what came back from a button, or any other text.
        entries: the ids of the FAQ entries.

    Returns:
        The verb with the whole id in place of a stand-in; anything else, and what no entry has, as it is.
    """
    if not _STAND_IN.fullmatch(value):
        return value
    verb = value.partition(":")[0]
    options = (f"{verb}:{entry}" for entry in entries)
    return next((option for option in options if value in (option, short_value(option))), value)
