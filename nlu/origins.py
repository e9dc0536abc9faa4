"""Where the characters of a normalised text stand in the text as it was given."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nlu.text import GAP, INVISIBLE, JOINED_EMOJI, QUOTES, ROOM_TO_SHRINK, kept_ends


class Origin(NamedTuple):
    """A character of a normalised text and what it was made of.

    Attributes:
        sign: the character.
        start: the first character that it comes from, counted in the given text.
        end: one past the last.
    """

    sign: str
    start: int
    end: int


def trace(text: str, max_chars: int = 2000) -> list[Origin]:
    """Does what `nlu.text.normalise` does, step by step, and keeps track of each character.

    It is slower; few texts are normalised to something else and have entities.

    Args:
        text: any string.
        max_chars: the longest result.

    Returns:
        The characters of `normalise(text, max_chars)` with their origins, in order.
    """
    given = [Origin(sign, place, place + 1) for place, sign in enumerate(text)]
    visible = _collapsed(_without(JOINED_EMOJI, _without(INVISIBLE, given)))
    cleaned = _cleaned(_ends(visible, max_chars * ROOM_TO_SHRINK))
    return cleaned if len(cleaned) <= max_chars else _cleaned(_ends(cleaned, max_chars))


def _cleaned(signs: Sequence[Origin]) -> list[Origin]:
    quoted = [sign._replace(sign=sign.sign.translate(QUOTES)) for sign in signs]
    return _collapsed(_composed(_without(JOINED_EMOJI, quoted)))


def _without(unwanted: re.Pattern[str], signs: Sequence[Origin]) -> list[Origin]:
    """Leaves out what a pattern matches, but for what its group holds."""
    found = unwanted.finditer(_text(signs))
    gone = {place for match in found if not match.lastindex for place in range(*match.span())}
    return [sign for place, sign in enumerate(signs) if place not in gone]


def _collapsed(signs: Iterable[Origin]) -> list[Origin]:
    """One space for each run of white space, none at the ends."""
    kept: list[Origin] = []
    for sign in signs:
        if not sign.sign.isspace():
            kept.append(sign)
        elif kept and kept[-1].sign != " ":
            kept.append(sign._replace(sign=" "))
    return kept[:-1] if kept and kept[-1].sign == " " else kept


def _ends(signs: Sequence[Origin], limit: int) -> list[Origin]:
    head, tail = kept_ends(len(signs), limit)
    if not tail:
        return list(signs[:head])
    left_off = signs[head - 1].end, max(signs[head - 1].end, signs[-tail].start)
    return [*signs[:head], *(Origin(sign, *left_off) for sign in GAP), *signs[-tail:]]


def _composed(signs: Iterable[Origin]) -> list[Origin]:
    """NFKC of the shortest runs whose forms depend on nothing around them (Unicode Standard Annex 15)."""
    done: list[Origin] = []
    run: list[Origin] = []
    for sign in signs:
        if run and _stands_apart(_text(run), sign.sign):
            done += _compose(run)
            run = []
        run.append(sign)
    return done + _compose(run)


def _stands_apart(before: str, sign: str) -> bool:
    """Whether a character neither composes with those before it nor changes places with them."""
    if sign.isascii() or "\u4e00" <= sign <= "\u9fff":
        return True  # known without asking, as most are
    if unicodedata.combining(unicodedata.normalize("NFKD", sign)[0]):
        return False
    return _nfkc(before + sign) == _nfkc(before) + _nfkc(sign)


def _compose(run: list[Origin]) -> list[Origin]:
    plain = _text(run)
    composed = _nfkc(plain)
    if composed == plain:
        return run
    parts = [_nfkc(sign.sign) for sign in run]
    if "".join(parts) == composed:
        return [origin._replace(sign=sign) for origin, part in zip(run, parts, strict=True) for sign in part]
    return [Origin(sign, run[0].start, run[-1].end) for sign in composed]


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _text(signs: Iterable[Origin]) -> str:
    return "".join(sign.sign for sign in signs)
