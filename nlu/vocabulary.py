"""Trims a multilingual vocabulary to the pieces that the configured languages need."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from nlu.text import HAN, primary_language

WORD_START = "\u2581"

_LETTERS = {
    "en": "A-Za-z",
    "zh": HAN,
}


def trimmable_languages(languages: Sequence[str]) -> tuple[str, ...]:
    """Returns the languages to trim to, sorted, or nothing where a vocabulary must stay whole.

    Args:
        languages: codes such as `("en", "zh-CN")`; `*` stands for every language.

    Returns:
        `("en", "zh")` or one of them; empty as soon as one language is none of these two.
    """
    codes = sorted({primary_language(code) for code in languages})
    return tuple(codes) if all(code in _LETTERS for code in codes) else ()


def select_pieces(pieces: Sequence[str], languages: Sequence[str], special: Collection[str]) -> NDArray[np.int64]:
    """Chooses the pieces that stay.

    Every single character stays, so no text becomes unreadable; longer pieces stay where all their letters belong to
    the languages. Digits, punctuation, symbols and emoji belong to all.

    Args:
        pieces: the whole vocabulary.
        languages: what to trim to; every piece stays where `trimmable_languages` returns nothing.
        special: pieces that always stay, such as `<s>`.

    Returns:
        The ids of the pieces that stay, ascending.
    """
    codes = trimmable_languages(languages)
    if not codes:
        return np.arange(len(pieces), dtype=np.int64)
    letters = re.compile("[" + "".join(_LETTERS[code] for code in codes) + "]")

    @cache
    def belongs(character: str) -> bool:
        return unicodedata.category(character)[0] not in "LM" or letters.match(character) is not None

    kept = [
        index
        for index, piece in enumerate(pieces)
        if len(piece.removeprefix(WORD_START)) <= 1 or piece in special or all(map(belongs, piece))
    ]
    return np.array(kept, dtype=np.int64)
