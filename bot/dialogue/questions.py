"""The questions in a message that asks more than one."""

from __future__ import annotations

import re

LIMIT = 3
"""A message with more questions than this is read as a whole."""

_ENDS = re.compile(r"(?<=[?])(?![!-~])\s*|(?<=[？!！。；;\n])\s*|(?<=[.])\s+")
_JOINED = re.compile(
    r",?\s+(?:and|also|plus)\s+(?=(?:also\s+)?(?:how|what|when|where|which|who|why|can|could|do|does|is|are|will)\b)"
    r"|[，,、]\s*(?=(?:还有|另外|以及|顺便|再问))",
    re.IGNORECASE,
)
_ASKS = re.compile(r"[?？]\s*$")
_LETTERS = 4
_ASKING = r"(?:how|what|when|where|which|who|why|can|could|may|do|does|did|is|are|will|would|should)"
_PAUSES = re.compile(
    rf"(?<=[?!.;])\s+|(?<=[？！。；;\n])\s*|,?\s+(?:and|also|plus)\s+(?:also\s+)?(?={_ASKING}\b)|,\s+(?={_ASKING}\b)"
    r"|[，,、]\s*(?:(?:还有|另外|以及|顺便|再问)[，,、]?)?(?=[^\x00-\x7f])",
    re.IGNORECASE,
)
_BEGINS = re.compile(rf"(?:\W*(?:hi|hello|hey|please|so|and|also)\b)*\W*{_ASKING}\b", re.IGNORECASE)
_ASKS_IN_CHINESE = re.compile(
    "吗|么|呢|多久|多少|多长|多大|几|哪|谁|怎|如何|为什么|能不能|可不可以|是不是|有没有|要不要|会不会|是否|能否|可否"
)


def split_unmarked(text: str) -> tuple[str, ...]:
    """Cuts a message into what may be questions of their own though no mark ends each.

    Args:
        text: what the customer wrote.

    Returns:
        Two or three parts that each begin or sound like a question, with what is said before it but for a greeting;
        none where there is one, where there are more, or where a part is too short to be a question of its own.
    """
    parts: list[str] = []
    begun = asking = 0
    for pause in _PAUSES.finditer(text):
        if _may_ask(text[asking : pause.start()]) and _may_ask(text[pause.end() :]):
            parts.append(text[begun : pause.start()].strip())
            begun = pause.end()
        elif not parts and _is_short(text[: pause.start()]):
            # A greeting.
            begun = pause.end()
        asking = pause.end()
    parts.append(text[begun:].strip())
    if any(map(_is_short, parts)):
        return ()
    return tuple(parts) if 1 < len(parts) <= LIMIT else ()


def split_questions(text: str) -> tuple[str, ...]:
    """Cuts a message into its questions.

    Args:
        text: what the customer wrote.

    Returns:
        Two or three questions in their order; none where the message asks one thing or nothing, asks more, or where
        a part is too short to be a question of its own.
    """
    sentences = [part.strip() for part in _ENDS.split(text)]
    asked = [sentence for sentence in sentences if _ASKS.search(sentence)]
    questions = [part.strip() for sentence in asked for part in _JOINED.split(sentence)]
    if any(map(_is_short, questions)):
        return ()
    return tuple(questions) if 1 < len(questions) <= LIMIT else ()


def _is_short(part: str) -> bool:
    return sum(map(str.isalnum, part)) < _LETTERS


def _may_ask(part: str) -> bool:
    return bool(_BEGINS.match(part) or _ASKS_IN_CHINESE.search(part))
