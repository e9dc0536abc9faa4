"""Rewritten texts that still mean the same, as far as the pretrained encoder can tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nlu.examples import Example
from nlu.types import Vector

Embed = Callable[[Sequence[str]], Vector]
"""Texts to unit vectors, shape `(n, width)`."""


def choose_faithful(
    rewrites: Sequence[tuple[Example, Sequence[Example]]], known: set[str], embed: Embed, least: float
) -> list[Example]:
    """Takes for each example the rewrite whose vector stays nearest, if that is near enough.

    Args:
        rewrites: examples, each with rewrites of it.
        known: texts that are there already.
        embed: the pretrained encoder's vectors.
        least: the lowest similarity of a text and its rewrite: 1 is the same vector, 0 what two of the examples have
            on average, since encoders differ in the cosines that they give to texts of one field.

    Returns:
        At most one rewrite an example, none of a text that is known.
    """
    pairs = [(row, rewrite) for row, (_, made) in enumerate(rewrites) for rewrite in made if rewrite.text not in known]
    if not pairs:
        return []
    originals = embed([example.text for example, _ in rewrites])
    usual = _mean_cosine(originals)
    vectors = embed([rewrite.text for _, rewrite in pairs])
    cosines = (vectors * originals[[row for row, _ in pairs]]).sum(1)
    known, chosen = set(known), dict[int, Example]()
    for place in np.argsort(-cosines, kind="stable"):
        row, rewrite = pairs[place]
        if cosines[place] - usual < least * (1.0 - usual):
            break
        if row not in chosen and rewrite.text not in known:
            known.add(rewrite.text)
            chosen[row] = rewrite
    return [chosen[row] for row in sorted(chosen)]


def _mean_cosine(vectors: Vector) -> float:
    """Of two different rows, on average; 0 for a single one."""
    count = len(vectors)
    if count < 2:
        return 0.0
    total = float(np.square(vectors.sum(0, dtype=np.float64)).sum())
    return min((total - count) / (count * (count - 1)), 0.99)
