"""Long texts in parts that Telegram takes, cut where it hurts least."""

from __future__ import annotations

import re
import unicodedata

LIMIT = 4096
"""The longest message Telegram takes, in UTF-16 code units."""

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_LINE = re.compile(r"\n\s*")
# A match begins behind a run's last mark: tried from each mark on, a run takes the square of its length.
_SENTENCE = re.compile(r"[。！？…；]+[”’」』）]*|(?<=[.!?])[\"'”’)\]]*+\s+")
_WORD = re.compile(r"\s+|[，、：]")
_BORDERS = (_PARAGRAPH, _LINE, _SENTENCE, _WORD)

_ZERO_WIDTH_JOINER = "\u200d"


def split_text(text: str, limit: int = LIMIT) -> tuple[str, ...]:
    """Splits a text at paragraphs, else lines, sentences, words, else between two visible characters.

    Args:
        text: any text.
        limit: the longest part, in UTF-16 code units, at least 2.

    Returns:
        The parts in order, none of them blank; joined they are the text, less white space at the cuts. A text
        without anything to see has no parts.
    """
    parts = []
    rest = text
    while len(head := rest[: _fitting(rest, limit)]) < len(rest):
        cut = _cut(rest, len(head))
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    parts.append(rest)
    return tuple(part for part in parts if part.strip())


def utf16_length(text: str) -> int:
    """The length of a text in UTF-16 code units, as Telegram counts."""
    return len(text) + sum(character > "\uffff" for character in text)


def _fitting(text: str, limit: int) -> int:
    """How many code points from the start fit into `limit` UTF-16 code units."""
    if utf16_length(text[:limit]) <= limit:
        return min(len(text), limit)
    units = 0
    for index, character in enumerate(text):
        units += 2 if character > "\uffff" else 1
        if units > limit:
            return index
    return len(text)


def _cut(text: str, fitting: int) -> int:
    """Where to end the first part, at most `fitting`; a border in the second half beats a better one before it."""
    for start in (fitting // 2, 0):
        for border in _BORDERS:
            ends = [match.end() for match in border.finditer(text, start, fitting) if _divides(text, match.end())]
            if ends and text[: ends[-1]].strip():
                return ends[-1]
    return next((at for at in range(fitting, 0, -1) if _divides(text, at)), fitting)


def _divides(text: str, at: int) -> bool:
    """Whether a cut before `text[at]` leaves every visible character whole (most of UAX #29, section 3)."""
    before, after = text[at - 1], text[at]
    if _ZERO_WIDTH_JOINER in (before, after) or _extends(after):
        return False
    if _is_flag_half(before) and _is_flag_half(after):
        run = at - len(text[:at].rstrip("".join(map(chr, range(0x1F1E6, 0x1F200)))))
        return run % 2 == 0
    return not (before == "\r" and after == "\n") and not (
        "\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff"
    )


def _extends(character: str) -> bool:
    """Whether a character belongs to the one before it: accents, skin tones, tags, Hangul vowels and finals."""
    code = ord(character)
    return (
        unicodedata.category(character).startswith("M")
        or 0x1F3FB <= code <= 0x1F3FF
        or 0xE0020 <= code <= 0xE007F
        or 0x1160 <= code <= 0x11FF
    )


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
