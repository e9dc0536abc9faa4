"""Whether a reworded answer says only what the answer says.

No list of checks proves a text true. These refuse what rewriting models are known to get wrong: invented numbers and
links, numbers that count something else, what the question supposes said as if the answer did, a "not" too many or too
few, sentences about something else, another language, markup. Whoever calls falls back on the answer's own sentences,
so refusing a good text costs little.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from retrieval.compose import sentences_of
from retrieval.plain_text import has_markup
from retrieval.words import WordOverlap

_KNOWN_WORDS = 0.6
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_PLACE = re.compile(r"(?:https?://|www\.)[^\s，。；！？、]+|[\w.+-]+@[\w-]+\.[\w.-]+\w", re.IGNORECASE)
_MARKDOWN = re.compile(r"```|\*\*|__|^\s{0,3}#{1,6}\s|\]\(|^\s*\|", re.MULTILINE)
_HAN_RUN = re.compile(r"[\u3400-\u9fff]+")
_WORD = re.compile(r"[^\W\d_\u3400-\u9fff]+(?:['’][^\W\d_]+)?")
_TOKEN = re.compile(rf"{_NUMBER.pattern}|{_WORD.pattern}|[\u3400-\u9fff]|[€$£¥%]")
_VERDICT = re.compile(
    r"(?:yes|yeah|yep|no|nope|sure|of course|certainly|absolutely)\b|是的|对的|对，|没错|当然|不是|好的"
)
_EMPTY = frozenset(
    _WORD.findall(
        "a about after also am an and are as at be been before but by can could did do does for from had has have he "
        "how i if in into is it its me may might my of on or our please she so some than that the their them then "
        "there these they this those to up us was we were what when where which who why will with within would you "
        "your i'm i've i'd it's"
    )
)
"""English words that say nothing by themselves."""
_EMPTY_HAN = frozenset(
    "我你您他她它们的了吗呢吧啊么是在有可以能会要就都也还和与或及把给从到至于请问想这那个些什怎哪内后前约"
)
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
        question: what was asked; what it supposes is not yet so.

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
    if _VERDICT.match(text.strip().casefold()) and not _VERDICT.match(source.strip().casefold()):
        return "it says yes or no, the answer does not"
    if moved := _moved_numbers(text, source):
        return f"the number {moved[0]} counts something else in the answer"
    return _strange_sentence(text, source, question)


def _strange_sentence(text: str, source: str, question: str) -> str:
    """A sentence that denies what the source affirms, affirms what it denies, or has too many words of its own."""
    own, supposed = _stems(source), _content(question)
    known = own | _stems(question)
    originals = sentences_of(source) or [source]
    overlap = WordOverlap(originals)
    for sentence in sentences_of(text) or [text]:
        stems = _stems(sentence)
        if stems and len(stems & known) < _KNOWN_WORDS * len(stems):
            return f"{sentence[:40]!r} is not from the answer"
        if words := (supposed & _content(sentence)) - own:
            return f"{min(words)!r} is from the question, not from the answer"
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


def _moved_numbers(text: str, source: str) -> list[str]:
    """Numbers that count something else than in the source: the telling word behind them tells, else the one before."""
    original: dict[str, list[tuple[str, str]]] = {}
    for number, before, behind in _counted(source):
        original.setdefault(number, []).append((before, behind))
    return [
        number
        for number, before, behind in _counted(text)
        if not any(behind == unit if unit else lead in ("", before) for lead, unit in original.get(number, [("", "")]))
    ]


def _counted(text: str) -> Iterator[tuple[str, str, str]]:
    """Each number with the stems of the nearest telling words before and behind it in its sentence."""
    for sentence in sentences_of(text) or [text]:
        tokens = _TOKEN.findall(unicodedata.normalize("NFKC", sentence).casefold())
        for place, token in enumerate(tokens):
            if number := _number(token):
                before = next(filter(_tells, reversed(tokens[:place])), "")
                behind = next(filter(_tells, tokens[place + 1 :]), "")
                yield number, before[:4].rstrip("s"), behind[:4].rstrip("s")


def _number(token: str) -> str:
    """The digits of a number, empty for any other word."""
    return token.replace(",", "") if token[0].isdigit() else str(_DIGITS.get(token, ""))


def _tells(token: str) -> bool:
    return not _number(token) and token not in _EMPTY and token not in _EMPTY_HAN


def _content(text: str) -> set[str]:
    """The stems of a text without words that say nothing by themselves."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    telling = _WORD.sub(lambda word: "" if word[0] in _EMPTY else word[0], plain)
    return {stem for stem in _stems(telling) if _EMPTY_HAN.isdisjoint(stem)}


def _denies(sentence: str) -> bool:
    return bool(_NOT.search(_NO_DENIAL.sub(" ", sentence.casefold())))


def _stems(text: str) -> set[str]:
    """The first four letters of Latin words; pairs of Chinese characters."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    pairs = {run[at : at + 2] for run in _HAN_RUN.findall(plain) for at in range(max(1, len(run) - 1))}
    return pairs | {word[:4] for word in _WORD.findall(plain)}
