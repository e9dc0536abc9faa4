"""Normalisation and language detection, the same in training and in serving.

Everything here runs in time proportional to the length of the text, as texts come from strangers.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Han characters, as the inside of a regular expression's character class."""

GAP = " ... "
ROOM_TO_SHRINK = 4

INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # controls that are not white space
    "\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180b-\u180f"
    "\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # letters by category, blank on every screen
    "\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f"  # zero width, direction overrides
    "\u20e3\ufe00-\ufe0e\ufeff\ufff9-\ufffb"  # the keycap frame, variant selectors but the emoji one
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # lone surrogates and non-characters: no tokenizer takes them
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"  # tags and ideographic variants: text hidden in text
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
    + "]"
)
# Only signs that NFKC leaves alone, so that one pass over the text is enough.
_EMOJI = (
    "[\u2194-\u21ff\u231a\u231b\u2328\u23cf\u23e9-\u23fa\u25aa-\u27bf\u2934\u2935\u2b00-\u2bff"
    "\U0001f000-\U0001f0ff\U0001f170-\U0001f18f\U0001f1e6-\U0001f1ff\U0001f300-\U0001faff]"
)
JOINED_EMOJI = re.compile(f"({_EMOJI}\ufe0f?(?:\u200d{_EMOJI}\ufe0f?)*)|[\u200d\ufe0f]+")
QUOTES = str.maketrans(
    {**dict.fromkeys("\u2018\u2019\u201b\u00b4\uff07", "'"), **dict.fromkeys("\u201c\u201d\u201f\uff02", '"')}
)

_SCRIPTS = {
    "latin": "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff\uff21-\uff3a\uff41-\uff5a",
    "han": HAN,
    "kana": "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d",
    "hangul": "\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3",
    "cyrillic": "\u0400-\u052f",
    "greek": "\u0370-\u03ff",
    "hebrew": "\u0591-\u05f4",
    "arabic": "\u0620-\u065f\u066e-\u06d3\u06d5-\u06ef\u0750-\u077f",
    "devanagari": "\u0900-\u0965",
    "thai": "\u0e01-\u0e3a\u0e40-\u0e4e",
}
_SCRIPT_OF_LANGUAGE = {
    "zh": "han",
    "ja": "kana",
    "ko": "hangul",
    "el": "greek",
    "he": "hebrew",
    "hi": "devanagari",
    "th": "thai",
    **dict.fromkeys(("ru", "uk", "bg", "be", "sr", "mk"), "cyrillic"),
    **dict.fromkeys(("ar", "fa", "ur"), "arabic"),
}
_BORROWED = 2
_WORDS = re.compile(
    f"(?P<han>[{HAN}])"
    + "".join(f"|(?P<{script}>[{signs}]+)" for script, signs in _SCRIPTS.items() if script != "han")
    + r"|(?P<other>[^\W\d_])"
)
# Addresses and codes such as FD20481937 are written in Latin letters whatever the customer speaks.
_CODES = re.compile(r"https?://[!-~]+|www\.[!-~]+|(?<![\w.+-])[\w.+-]+@[\w.-]+|(?<![\w-])(?=[\w-]*\d)[\w-]+", re.ASCII)


def normalise(text: str, max_chars: int = 2000) -> str:
    """Brings a text into the one form that training and serving read.

    Compatibility forms become plain ones (NFKC: full-width digits and letters turn half-width), curly quotes turn
    straight, control characters, zero-width characters, direction overrides and stray emoji joiners go, white space
    collapses. Applying it twice changes nothing.

    Args:
        text: any string, lone surrogates included.
        max_chars: the longest result; a longer text keeps its head and its tail with dots between them.

    Returns:
        The normalised text, at most `max_chars` characters; empty where nothing visible was given.
    """
    visible = " ".join(JOINED_EMOJI.sub(r"\1", INVISIBLE.sub("", text)).split())
    # NFKC sorts combining marks in quadratic time, so a huge text is cut before and, as it may grow, after.
    cleaned = _clean(_keep_ends(visible, max_chars * ROOM_TO_SHRINK))
    if len(cleaned) <= max_chars:
        return cleaned
    return _clean(_keep_ends(cleaned, max_chars))


def kept_ends(length: int, limit: int) -> tuple[int, int]:
    """How much of both ends of a text is kept so that it has at most `limit` characters, `GAP` between them included.

    Args:
        length: its length.
        limit: the longest result.

    Returns:
        The lengths of head and tail; a tail of 0 is a text that goes on to the end of its head.
    """
    kept = limit - len(GAP)
    if length <= limit or kept < len(GAP):
        return min(length, limit), 0
    return kept - kept // 2, kept // 2


def detect_language(
    text: str, languages: Sequence[str], default: str | None = None, hint: str | None = None
) -> str | None:
    """Tells the language of a text from its script.

    Each Han character counts like one word of a script with spaces. Kana makes the Han characters around it Japanese.

    Args:
        text: any string.
        languages: codes of the languages on offer, such as `("en", "zh")`; regions (`zh-CN`) are allowed.
        default: the answer for texts without words (digits, emoji, codes, addresses).
        hint: the language to expect; it settles what the script leaves open, and one or two Latin words ("ok", "thank
            you") do not speak against a language that borrows such words.

    Returns:
        One of `languages` or `hint`; for texts without words the hint, else `default`; None where the language is none
        of those on offer.
    """
    weights = Counter(match.lastgroup for match in _WORDS.finditer(_CODES.sub(" ", text)))
    if not weights:
        return hint or default
    if weights["kana"]:
        weights["kana"] += weights.pop("han", 0)
    # On a tie Han wins: Chinese borrows Latin words far more often than the other way round.
    script = max(weights, key=lambda name: (weights[name], name == "han", name == "latin"))
    borrowed = script == "latin" and weights.total() <= _BORROWED and hint and _script_of(hint) == "han"
    if hint and (borrowed or _script_of(hint) == script):
        return hint
    candidates = [code for code in languages if _script_of(code) == script]
    english = [code for code in candidates if primary_language(code) == "en"]
    return next(iter(english or candidates), None)


def primary_language(code: str) -> str:
    """Returns the language of a code without its region: `zh` for `zh-CN` and `zh_TW`."""
    return re.split("[-_]", code.strip().lower(), maxsplit=1)[0]


def _script_of(code: str) -> str:
    return _SCRIPT_OF_LANGUAGE.get(primary_language(code), "latin")


def _clean(text: str) -> str:
    joined = JOINED_EMOJI.sub(r"\1", text.translate(QUOTES))
    return " ".join(unicodedata.normalize("NFKC", joined).split())


def _keep_ends(text: str, limit: int) -> str:
    head, tail = kept_ends(len(text), limit)
    return text[:head] + GAP + text[-tail:] if tail else text[:head]
