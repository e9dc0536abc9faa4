"""What is doubtful about training examples, though they can be learnt from: told in the card and by the command."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from nlu.examples import Example, Span, contradictions
from nlu.text import HAN
from training.datasets import NO_LABEL, Features, LabelSets, label_array

_SHOWN = 5
_NAMED = 12
_LONGEST = 60
_WITHIN_WORD = re.compile(rf"(?<=[^\W\d_{HAN}])(?=[^\W\d_{HAN}])|(?<=\d)(?=\d)")


def example_faults(examples: Sequence[Example], held: Sequence[Features], sets: LabelSets) -> list[str]:
    """Finds texts with contradictory labels, doubtful entities, and labels of which too little is known.

    Args:
        examples: what is learnt from, and held out of it.
        held: the held-out ones.
        sets: the label sets.

    Returns:
        A sentence each, with file and line where they are known; the worst of each kind, then how many more there are.
    """
    return [
        *_first(list(_contradictory(examples)), "texts with contradictory labels"),
        *_first([fault for example in examples for fault in _span_faults(example)], "doubtful entities"),
        *_single(examples, sets),
        *_not_held_out(held, sets),
    ]


def _contradictory(examples: Sequence[Example]) -> Iterator[str]:
    for found in sorted(contradictions(examples), key=lambda found: -len(found.labels)):
        labels = (
            f"{label} ({place})" if place else label for label, place in zip(found.labels, found.places, strict=True)
        )
        yield f"{_quoted(found.text)} has more than one {found.head}: {', '.join(labels)}."


def _span_faults(example: Example) -> Iterator[str]:
    where = example.place or _quoted(example.text)
    spans = sorted(example.entities or (), key=lambda span: (span.start, span.end))
    for left, right in pairwise(spans):
        if right.start < left.end:
            named = " and ".join(_quoted(_part(example, span)) for span in (left, right))
            yield f"{where}: the entities {named} overlap; the longer one counts."
    for span in spans:
        if any(_WITHIN_WORD.match(example.text, place) for place in (span.start, span.end)):
            yield f"{where}: the entity {_quoted(_part(example, span))} cuts a word."


def _single(examples: Sequence[Example], sets: LabelSets) -> Iterator[str]:
    for head in sets.heads:
        counts = Counter(example.labels[head] for example in examples if head in example.labels)
        if single := sorted(label for label, count in counts.items() if count == 1):
            yield f"{head}: a single example of {_names(single)}."


def _not_held_out(held: Sequence[Features], sets: LabelSets) -> Iterator[str]:
    for head, labels in sets.heads.items():
        seen = set(label_array(held, head).tolist()) - {NO_LABEL}
        if missing := [label for place, label in enumerate(labels) if place not in seen]:
            yield f"{head}: no text is held out of {_names(missing)}; no threshold heeds them."


def _first(faults: Sequence[str], kind: str) -> list[str]:
    more = len(faults) - _SHOWN
    return [*faults[:_SHOWN], *([f"{more} more {kind}."] if more > 0 else [])]


def _names(labels: Sequence[str]) -> str:
    more = len(labels) - _NAMED
    return ", ".join(labels[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _part(example: Example, span: Span) -> str:
    return example.text[span.start : span.end]


def _quoted(text: str) -> str:
    """A text on one line, cut where it is long."""
    plain = " ".join(text.split())
    return f'"{plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}…"}"'
