"""Drawing examples to copy, and changing a place in one without touching what it is labelled by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from nlu.examples import Example

WEIGHT = 0.5
"""What a copy counts, beside 1 for an example."""

KEPT_WORDS = frozenset({"cannot", "never", "none", "nothing", "without", "not"})
KEPT_CHARACTERS = frozenset("不没别无未非勿莫否")


def drawn(examples: Sequence[Example], share: float, rng: Random) -> list[Example]:
    """Draws some examples.

    Args:
        examples: what to draw from.
        share: how many, as a share of the examples.
        rng: the source of randomness.

    Returns:
        Each at most once, in their order.
    """
    rows = rng.sample(range(len(examples)), min(len(examples), round(share * len(examples))))
    return [examples[row] for row in sorted(rows)]


def untouched(example: Example, places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Leaves out places inside entities and those that negate.

    Args:
        example: the example.
        places: starts and ends in its text.

    Returns:
        The places that may be changed.
    """
    spans = example.entities or ()
    return [
        (start, end)
        for start, end in places
        if example.text[start:end].lower() not in KEPT_WORDS
        and not KEPT_CHARACTERS.intersection(example.text[start:end])
        and all(end <= span.start or span.end <= start for span in spans)
    ]


def replaced(example: Example, start: int, end: int, part: str) -> Example:
    """Puts other characters in a place and moves the entities along.

    Args:
        example: the example.
        start: where the place begins.
        end: where it ends.
        part: what comes there.

    Returns:
        The changed example.
    """
    text = example.text[:start] + part + example.text[end:]
    shift = len(part) - (end - start)
    entities = example.entities
    if entities is not None:
        entities = tuple(
            replace(span, start=span.start + shift, end=span.end + shift) if span.start >= end else span
            for span in entities
        )
    return replace(example, text=text, entities=entities)
