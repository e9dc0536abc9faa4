"""What tokens carry beyond the entities that begin or end in them, learnt from the training texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from nlu.examples import Example
from nlu.tags import Edges
from training.datasets import normalised

_LONGEST = 2
_FEWEST = 5
_SHARE = 0.8
"""How often a string must lie outside where an entity begins or ends in a token that begins or ends with it."""


def entity_edges(examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, prefix: str) -> Edges:
    """Finds what to cut off, such as the particle that a Chinese token has after a name.

    Args:
        examples: training texts; those without entities are passed over.
        tokenizer: the encoder's tokenizer (a fast one, with character offsets).
        prefix: what the encoder wants before each text.

    Returns:
        Strings that entities seldom begin or end with when the token goes on.
    """
    told = [normalised(example) for example in examples if example.entities]
    if not told:
        return Edges()
    shift = len(prefix)
    encoded = tokenizer([prefix + example.text for example in told], return_offsets_mapping=True)
    outside: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    inside: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for example, offsets in zip(told, encoded["offset_mapping"], strict=True):
        places = [(max(start - shift, 0), end - shift) for start, end in offsets if end > max(start, shift)]
        for span in example.entities or ():
            first = next((place for place in places if place[0] <= span.start < place[1]), None)
            last = next((place for place in places if place[0] < span.end <= place[1]), None)
            if first:
                _count(example.text[first[0] : span.start], example.text[span.start : first[1]], outside[0], inside[0])
            if last:
                after, within = example.text[span.end : last[1]], example.text[last[0] : span.end]
                _count(after, within, outside[1], inside[1], at_end=True)
    return Edges(*(_mostly(cut, kept) for cut, kept in zip(outside, inside, strict=True)))


def _count(beyond: str, within: str, outside: Counter[str], inside: Counter[str], *, at_end: bool = False) -> None:
    """Counts what lies beyond an entity in its token, or else how the entity itself begins or ends there."""
    if beyond.strip():
        outside[beyond] += 1
    elif not beyond:
        for size in range(1, min(_LONGEST, len(within) - 1) + 1):
            inside[within[-size:] if at_end else within[:size]] += 1


def _mostly(outside: Counter[str], inside: Counter[str]) -> frozenset[str]:
    return frozenset(
        part
        for part, count in outside.items()
        if len(part) <= _LONGEST and count >= _FEWEST and count >= _SHARE * (count + inside[part])
    )
