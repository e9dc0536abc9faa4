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
    if any(sum(map(str.isalnum, question)) < _LETTERS for question in questions):
        return ()
    return tuple(questions) if 1 < len(questions) <= LIMIT else ()
