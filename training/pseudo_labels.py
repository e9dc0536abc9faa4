"""Unlabelled texts that a release reads with great certainty, as examples for its successor (Lee 2013)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from nlu.examples import Example
from nlu.text import normalise
from nlu.types import OUT_OF_SCOPE, Understanding
from training.logged import LoggedTurn, text_key, unfit
from training.privacy import mask

Read = Callable[[Sequence[str]], Sequence[Understanding]]

SOURCE = "pseudo"
LEAST = 0.9
"""The lowest certainty where nothing else is asked for."""

_WEIGHT = 0.5


def pseudo_labelled(
    read: Read, turns: Iterable[LoggedTurn], examples: Sequence[Example], least: float
) -> list[Example]:
    """Labels what nobody has labelled, where the release is sure.

    Args:
        read: reads texts with the release; its probabilities are calibrated, and its own thresholds are kept to too.
        turns: texts that were written; those of agents' corrections, of customers' dislike and of examples are
            passed over.
        examples: what is known; a label gets no more new texts than it has examples.
        least: the lowest certainty, 0 to 1.

    Returns:
        Masked texts, each once, with the labels that the release is sure of and half the weight. Nothing is labelled
        out of scope.
    """
    known = {text_key(example.text) for example in examples}
    texts: dict[str, str] = {}
    for turn in turns:
        text, key = mask(normalise(turn.text)), text_key(turn.text)
        if not turn.corrections and turn.feedback >= 0 and not unfit(turn) and key not in known:
            texts.setdefault(key, text)
    room = Counter((head, label) for example in examples for head, label in example.labels.items())
    readings = read(list(texts.values()))
    sure = sorted(
        ((certainty, row, head) for row, read in enumerate(readings) for head, certainty in _sure(read, least)),
        reverse=True,
    )
    labels: dict[int, dict[str, str]] = {}
    for _, row, head in sure:
        label = readings[row].heads[head].label
        if room[head, label]:
            room[head, label] -= 1
            labels.setdefault(row, {})[head] = label
    return [
        Example(readings[row].text, dict(sorted(found.items())), lang=readings[row].lang, weight=_WEIGHT, source=SOURCE)
        for row, found in sorted(labels.items())
    ]


def _sure(reading: Understanding, least: float) -> Iterator[tuple[str, float]]:
    """The heads whose label is certain, with how certain."""
    thresholds = reading.thresholds
    for head, found in reading.heads.items():
        needed = max(least, thresholds.intent_accept if head == "intent" else thresholds.emotion_accept)
        foreign = head == "intent" and (found.label == OUT_OF_SCOPE or reading.oos >= thresholds.oos_reject)
        if found.confidence >= needed and not foreign:
            yield head, found.confidence
