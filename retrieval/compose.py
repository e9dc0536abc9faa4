"""What of a long answer responds to the question: whole sentences in their order, nothing reworded."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from retrieval.types import Vector
from retrieval.words import WordOverlap

_LONG = 480
_LEAD = 260
_MOST_SENTENCES = 64
_GAP = "…"
_END = re.compile(r"(?<=[。！？；])|(?<=[.!?])(?=[\"'”’)]*\s)(?<!\d\.)|\n+")
_JOIN = re.compile("\0(?P<item>(?=[-*•] ))?")
_WIDE = re.compile(r"[\u2e80-\uffef]")


def is_long(answer: str) -> bool:
    """True where an answer is more than what one reads at a glance: 480 letters or 240 Chinese characters."""
    return _width(answer) > _LONG


def sentences_of(answer: str) -> list[str]:
    """Cuts an answer into sentences; a line by itself, such as an item of a list, counts as one.

    Args:
        answer: the whole answer.

    Returns:
        The sentences in order, at most 64; the last has all the rest.
    """
    parts = [part.strip() for part in _END.split(answer)]
    sentences = [part for part in parts if any(map(str.isalnum, part))]
    if len(sentences) > _MOST_SENTENCES:
        sentences[_MOST_SENTENCES - 1 :] = [" ".join(sentences[_MOST_SENTENCES - 1 :])]
    return sentences


def extract(sentences: Sequence[str], vectors: Vector, question: str, vector: Vector) -> str:
    """Chooses the sentences that respond to a question.

    Closeness of the vectors and shared words decide, as they do for whole entries; the first sentence, which often is
    the answer in short, has a lead of one standard deviation.

    Args:
        sentences: of the answer, in order; at least one.
        vectors: theirs, unit length, shape `(sentences, width)`.
        question: what was asked.
        vector: its vector, unit length, shape `(width,)`.

    Returns:
        At most 260 letters or 130 Chinese characters of sentences that fit better than the average, but at least one
        sentence; what is left out after or between them shows as "…".
    """
    cosines = vectors @ vector
    fit = cosines + cosines.std() * WordOverlap(sentences).overlap([question])[0]
    fit[0] += fit.std()
    chosen: set[int] = set()
    room = _LEAD
    for place in np.argsort(-fit, kind="stable").tolist():
        if not chosen or (fit[place] >= fit.mean() and _width(sentences[place]) <= room):
            chosen.add(place)
            room -= _width(sentences[place])
    parts: list[str] = []
    for place in sorted(chosen):
        if parts and place - 1 not in chosen:
            parts.append(_GAP)
        parts.append(sentences[place])
    if max(chosen) < len(sentences) - 1:
        parts.append(_GAP)
    return _JOIN.sub(_joint, "\0".join(parts))


def _joint(join: re.Match[str]) -> str:
    """What stands between two sentences: a new line before an item of a list, nothing after Chinese punctuation."""
    if join["item"] is not None:
        return "\n"
    return "" if _WIDE.match(join.string, join.start() - 1) else " "


def _width(text: str) -> int:
    return len(text) + len(_WIDE.findall(text))
