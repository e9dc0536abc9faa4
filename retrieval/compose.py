"""What is said with the hits: the answer's text, or other questions to choose from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from retrieval.types import Hit

_SPACE_AT_LINE_END = re.compile(r"[ \t]+(?=\n)")
_BLANK_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A question to offer as a button.

    Attributes:
        id: the id of the entry.
        question: what the button says.
        score: the hit's calibrated score.
    """

    id: str
    question: str
    score: float


def answer_text(hit: Hit) -> str:
    """The answer as plain text: paragraphs at most one blank line apart; escaping is left to the channel."""
    text = hit.entry.answer.replace("\r\n", "\n").replace("\r", "\n")
    return _BLANK_LINES.sub("\n\n", _SPACE_AT_LINE_END.sub("", text)).strip()


def suggestions(hits: Iterable[Hit], limit: int = 3, *, at_least: float = 0.0) -> list[Suggestion]:
    """Chooses the questions to offer.

    Args:
        hits: what was found, the best first.
        limit: how many to offer at most.
        at_least: the score that a hit needs, usually `thresholds.suggest`.

    Returns:
        At most `limit` suggestions in the order of the hits, no question twice.
    """
    chosen: dict[str, Suggestion] = {}
    for hit in hits:
        if hit.score >= at_least:
            question = hit.entry.question
            chosen.setdefault(question.casefold(), Suggestion(hit.entry.id, question, hit.score))
    return list(chosen.values())[:limit]
