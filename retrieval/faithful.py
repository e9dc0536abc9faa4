"""Whether a reworded answer says only what the answer says.

No list of checks proves a text true. These refuse what rewriting models are known to get wrong: invented numbers and
links, a "not" too many or too few, sentences about something else, another language, markup. Whoever calls falls back
on the answer's own sentences, so refusing a good text costs little.
"""

from __future__ import annotations

import re
import unicodedata

from retrieval.compose import sentences_of
from retrieval.plain_text import has_markup
from retrieval.words import WordOverlap

_KNOWN_WORDS = 0.6
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_PLACE = re.compile(r"(?:https?://|www\.)[^\s，。；！？、]+|[\w.+-]+@[\w-]+\.[\w.-]+\w", re.IGNORECASE)
_MARKDOWN = re.compile(r"```|\*\*|__|^\s{0,3}#{1,6}\s|\]\(|^\s*\|", re.MULTILINE)
_HAN_RUN = re.compile(r"[\u3400-\u9fff]+")
_WORD = re.compile(r"[^\W\d_\u3400-\u9fff]+(?:['’][^\W\d_]+)?")
_NOT = re.compile(r"\b(?:not|no|never|none|nor|neither|without|cannot|unable|except)\b|n['’]t\b|[不没無无未非勿别莫]")
_NO_DENIAL = re.compile(r"不(?:仅|但|论|管|同)|无论|不过|特别|分别|非常|\bnot only\b|\bno later\b|\bno more than\b")
_DIGITS = {
    **dict(zip(("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), range(2, 11), strict=True)),
    **dict(zip("二三四五六七八九十", range(2, 11), strict=True)),
    "两": 2,
    "twelve": 12,
}


def unfaithful(text: str, source: str, question: str) -> str:
    """Finds what a reworded answer says that its source does not.

    Args:
        text: the reworded answer.
        source: the answer that it has to keep to.
        question: what was asked; its words may be repeated.

    Returns:
        What is wrong, in a few English words; empty where nothing was found.
    """
    if not any(map(str.isalnum, text)):
        return "it says nothing"
    if has_markup(text) or _MARKDOWN.search(text):
        return "it has markup"
    if len(text) > 1.2 * len(source) + 40:
        return "it is longer than the answer"
    if _is_chinese(text) != _is_chinese(source):
        return "it is in another language"
    if invented := _places(text) - _places(source):
        return f"{min(invented)} is not in the answer"
    if invented := _numbers(text) - _numbers(source):
        return f"the number {min(invented)} is not in the answer"
    return _strange_sentence(text, source, question)


def _strange_sentence(text: str, source: str, question: str) -> str:
    """A sentence that denies what the source affirms, affirms what it denies, or has too many words of its own."""
    known = _stems(source) | _stems(question)
    originals = sentences_of(source) or [source]
    overlap = WordOverlap(originals)
    for sentence in sentences_of(text) or [text]:
        stems = _stems(sentence)
        if stems and len(stems & known) < _KNOWN_WORDS * len(stems):
            return f"{sentence[:40]!r} is not from the answer"
        original = originals[int(overlap.overlap([sentence])[0].argmax())]
        if _denies(sentence) != _denies(original):
            return f"{sentence[:40]!r} turns the answer round"
    return ""


def _is_chinese(text: str) -> bool:
    wide = sum(map(len, _HAN_RUN.findall(text)))
    return wide > sum(map(len, _WORD.findall(text))) / 2


def _places(text: str) -> set[str]:
    return {found[0].rstrip(".,)").casefold() for found in _PLACE.finditer(text)}


def _numbers(text: str) -> set[str]:
    plain = unicodedata.normalize("NFKC", text).casefold()
    digits = {found[0].replace(",", "") for found in _NUMBER.finditer(plain)}
    words = {*_WORD.findall(plain), *(character for run in _HAN_RUN.findall(plain) for character in run)}
    return digits | {str(_DIGITS[word]) for word in words & _DIGITS.keys()}


def _denies(sentence: str) -> bool:
    return bool(_NOT.search(_NO_DENIAL.sub(" ", sentence.casefold())))


def _stems(text: str) -> set[str]:
    """The first four letters of Latin words; pairs of Chinese characters."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    pairs = {run[at : at + 2] for run in _HAN_RUN.findall(plain) for at in range(max(1, len(run) - 1))}
    return pairs | {word[:4] for word in _WORD.findall(plain)}
