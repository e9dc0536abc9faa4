"""The sentences of a customer that tell most, in their own words; what an agent reads before all else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.domain.messages import ContentKind
from bot.domain.records import TurnView
from retrieval.compose import sentences_of

MOST_SENTENCES = 2
LONGEST_SENTENCE = 160

_WRITTEN = frozenset({ContentKind.TEXT, ContentKind.EDITED, ContentKind.VOICE})
_WORD = re.compile(r"[\u4e00-\u9fff]|[^\W\d_\u4e00-\u9fff]{2,}")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_LEAST = 3.0
"""Words that a sentence needs to tell anything; two Chinese characters count as one."""
_MOST = 20.0
"""Words beyond which a longer sentence tells no more."""
_FOR_AN_ENTITY = 10.0
_FOR_ESCALATING = 5.0


@dataclass(frozen=True, slots=True)
class _Sentence:
    place: int
    text: str
    weight: float


def telling_sentences(turns: Sequence[TurnView]) -> tuple[str, ...]:
    """Chooses the customer's sentences that tell most.

    Those that name something (an order number, a product) come first, then those of the message that asked for a
    person, then those with the most different words.

    Args:
        turns: the turns in order.

    Returns:
        At most `MOST_SENTENCES`, in the order in which they were written, each cut at `LONGEST_SENTENCE` characters.
    """
    latest = {sentence.text.casefold(): sentence for sentence in _weighed(turns)}
    best = sorted(latest.values(), key=lambda sentence: (sentence.weight, sentence.place), reverse=True)[
        :MOST_SENTENCES
    ]
    return tuple(_cut(sentence.text) for sentence in sorted(best, key=lambda sentence: sentence.place))


def _weighed(turns: Sequence[TurnView]) -> Iterator[_Sentence]:
    said = ((turn, text) for turn in turns if _is_written(turn) for text in sentences_of(turn.text))
    for place, (turn, text) in enumerate(said):
        words = {word.casefold() for word in _WORD.findall(text)}
        told = sum(0.5 if _HAN.fullmatch(word) else 1.0 for word in words)
        named = sum(entity in text for entity in _entities(turn))
        if told >= _LEAST or named:
            asked = _FOR_ESCALATING if _escalates(turn) else 0.0
            yield _Sentence(place, text, min(told, _MOST) + named * _FOR_AN_ENTITY + asked)


def _is_written(turn: TurnView) -> bool:
    return turn.kind in _WRITTEN and not turn.text.startswith("/")


def _escalates(turn: TurnView) -> bool:
    decision = turn.document.get("decision")
    return isinstance(decision, dict) and bool(decision.get("escalate"))


def _entities(turn: TurnView) -> set[str]:
    """What the turn's text names, each as it was written."""
    understanding = turn.document.get("understanding")
    found = understanding.get("entities") if isinstance(understanding, dict) else None
    entities = [entity for entity in found if isinstance(entity, dict)] if isinstance(found, list) else []
    return {str(entity["text"]) for entity in entities if entity.get("text")}


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SENTENCE else text[: LONGEST_SENTENCE - 1].rstrip() + "…"
