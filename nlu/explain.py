"""Why a text was read as it was: the tokens that carried the decision, and the training examples that it is like.

A token's weight is what the decision loses without it: the text is read once more for each token with that token
hidden from attention and pooling (Li et al. 2016, "Understanding neural networks through representation erasure").
The exported graph does this in batches, so a server explains without torch. `nlu.attribution` has the other method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu.batching import in_passes
from nlu.calibration import softmax
from nlu.neighbours import Neighbour, Neighbours
from nlu.runtime import ReleaseUnderstander
from nlu.types import OUT_OF_SCOPE

ERASURE, INTEGRATED_GRADIENTS = "erasure", "integrated gradients"

_NEVER = -1e9


@dataclass(frozen=True, slots=True)
class TokenWeight:
    """What a piece of the text did for the decision.

    Attributes:
        text: its characters.
        start: the first of them, counted in the normalised text.
        end: one past the last.
        weight: above 0 where it speaks for the label, below 0 where against it.
    """

    text: str
    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a head gave a text its label.

    Attributes:
        text: the normalised text.
        head: the head that is explained.
        label: its label.
        method: how weights were found: `erasure` or `integrated gradients`.
        tokens: the pieces of the text in order.
        neighbours: the training examples that the text is most like.
    """

    text: str
    head: str
    label: str
    method: str
    tokens: tuple[TokenWeight, ...]
    neighbours: tuple[Neighbour, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "text": self.text,
            "head": self.head,
            "label": self.label,
            "method": self.method,
            "tokens": [
                {"text": token.text, "start": token.start, "end": token.end, "weight": round(token.weight, 4)}
                for token in self.tokens
            ],
            "neighbours": [
                {"text": near.text, "labels": dict(near.labels), "similarity": round(near.similarity, 4)}
                for near in self.neighbours
            ],
        }


def explain(
    understander: ReleaseUnderstander, neighbours: Neighbours, text: str, head: str = "intent"
) -> Explanation | None:
    """Explains the label of a text by erasure.

    Args:
        understander: the release.
        neighbours: its training examples.
        text: any string.
        head: what to explain.

    Returns:
        The explanation; None where the release has no such head or the text has no letters or digits to read.
    """
    (reading,) = understander.understand([text])
    if head not in reading.heads or not reading.text:
        return None
    encoded = understander.encode(reading.text)
    label = reading.heads[head].label
    places = [place for place, (start, end) in enumerate(encoded.offsets) if end > start]
    chances = _chances(understander, encoded.ids, places, head, label)
    weights = [0.0] * len(encoded.ids)
    for place, chance in zip(places, chances[1:], strict=True):
        weights[place] = float(chances[0] - chance)
    tokens = pieces(understander, reading.text, encoded.offsets, weights)
    return Explanation(reading.text, head, label, ERASURE, tokens, tuple(neighbours.nearest(reading.vector)))


def _chances(
    understander: ReleaseUnderstander, ids: Sequence[int], places: Sequence[int], head: str, label: str
) -> NDArray[np.float64]:
    """The label's probability for the whole text, then without each of some tokens; shape `(1 + places,)`."""
    masks = np.ones((len(places) + 1, len(ids)), dtype=np.int64)
    masks[np.arange(1, len(masks)), list(places)] = 0
    rows = np.tile(np.array(ids, dtype=np.int64), (len(masks), 1))
    parts = [
        understander.engine.run(rows[some], masks[some]).logits[head] for some in in_passes([len(ids)] * len(masks))
    ]
    labels = list(understander.manifest.heads[head])
    logits = np.concatenate(parts).astype(np.float64)
    if OUT_OF_SCOPE in labels and len(labels) > 1:
        logits[:, labels.index(OUT_OF_SCOPE)] = _NEVER
    return softmax(logits, understander.calibration.temperatures.get(head, 1.0))[:, labels.index(label)]


def pieces(
    understander: ReleaseUnderstander, text: str, offsets: Sequence[tuple[int, int]], weights: Sequence[float]
) -> tuple[TokenWeight, ...]:
    """Lays token weights on the text; tokens of the prefix and special ones are left out.

    Args:
        understander: the release, whose prefix the offsets count.
        text: the normalised text.
        offsets: first and one-past-last character of each token, counted with the prefix.
        weights: of each token.

    Returns:
        The pieces of the text, in order.
    """
    shift = len(understander.manifest.prefix)
    found = []
    for (start, end), weight in zip(offsets, weights, strict=True):
        first, last = max(start - shift, 0), end - shift
        part = text[first:last] if last > first and end > start else ""
        if part.strip():
            first += len(part) - len(part.lstrip())
            found.append(TokenWeight(part.strip(), first, first + len(part.strip()), weight))
    return tuple(found)
