"""Corrections that are hard to believe, judged by what the current release and the base examples say of the same words.

One such correction may be right; many of them are a mistake or an attack, which a gate that measures only a frozen test
set would not notice where the attack leaves that set alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu.types import Score, Vector
from training.logged import Claim, Clash

NEAR = 0.95
"""Cosine from which two texts are near-identical."""

_LEAD = 0.02
_SURE = 0.9
_NEIGHBOURS = 5
_AGREEING = 4
_FEW = 3
_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class KnownTexts:
    """Base texts of one head.

    Attributes:
        texts: the texts.
        labels: the label of each.
        vectors: unit-length vectors by the current release, shape `(texts, width)`.
    """

    texts: Sequence[str]
    labels: Sequence[str]
    vectors: Vector


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A correction that is hard to believe.

    Attributes:
        claim: the correction.
        because: what speaks against it.
    """

    claim: Claim
    because: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        claim = self.claim
        place = {"turn": claim.turn, "text": claim.text, "field": claim.head, "label": claim.label}
        return {**place, "because": self.because}


def suspicions(
    claims: Sequence[Claim],
    meanings: Sequence[str],
    vectors: Vector,
    read: Sequence[Score | None],
    known: Mapping[str, KnownTexts],
    clashes: Iterable[Clash],
) -> list[Suspicion]:
    """Finds the corrections that are hard to believe.

    Args:
        claims: the corrections.
        meanings: what each says, comparable with `KnownTexts.labels`.
        vectors: unit-length vectors of their texts by the current release, shape `(claims, width)`.
        read: what the current release reads in each under the claim's head; None where it reads nothing.
        known: base texts by head.
        clashes: corrections that contradict a base example or the frozen test set word for word.

    Returns:
        At most one suspicion a correction, in their order.
    """
    contradicted = {clash.claim: clash for clash in clashes if clash.against in {"base", "test"}}
    found = []
    for claim, meaning, vector, reading in zip(claims, meanings, vectors, read, strict=True):
        if claim in contradicted:
            clash = contradicted[claim]
            place = "base examples" if clash.against == "base" else "frozen test set"
            found.append(Suspicion(claim, f"the {place} call this very text {' and '.join(clash.other)}"))
        elif claim.head in known and (because := _speaks_against(meaning, vector, reading, known[claim.head])):
            found.append(Suspicion(claim, because))
    return found


def refusal(found: Sequence[Suspicion], news: int) -> str:
    """Why a set of corrections is not believed: three or more, and over a third, are hard to believe.

    Args:
        found: the suspicions.
        news: how many corrections the current release does not follow already; those that it follows would only hide
            the others.

    Returns:
        One sentence with the worst cases, empty where the set is believed.
    """
    if len(found) < _FEW or 3 * len(found) <= news:
        return ""
    shown = "; ".join(f'"{s.claim.text}" as {s.claim.label}: {s.because}' for s in found[:_SHOWN])
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return (
        f"{len(found)} of {news} corrections that are news contradict what is known, and at most a third may "
        f"({shown}{more}). Take them back in the console, or change the base examples where these are wrong."
    )


def _speaks_against(meaning: str, vector: Vector, reading: Score | None, known: KnownTexts) -> str:
    similarity = known.vectors @ vector
    same = np.array([label == meaning for label in known.labels], dtype=bool)
    if same.all():
        return ""
    own = float(similarity[same].max(initial=-1.0))
    nearest = int(np.argmax(np.where(same, -np.inf, similarity)))
    if similarity[nearest] >= NEAR and similarity[nearest] - own >= _LEAD:
        return (
            f'the base example "{known.texts[nearest]}" is {known.labels[nearest]} (cosine {similarity[nearest]:.2f})'
        )
    if reading is None or reading.label == meaning or reading.confidence < _SURE:
        return ""
    agreeing = _agreeing(similarity, known.labels, reading.label)
    if agreeing < _AGREEING:
        return ""
    return (
        f"it is read as {reading.label} ({reading.confidence:.2f}), and {agreeing} of the {_NEIGHBOURS} nearest base "
        "examples are that"
    )


def _agreeing(similarity: NDArray[np.floating[Any]], labels: Sequence[str], label: str) -> int:
    return sum(labels[row] == label for row in np.argsort(-similarity)[:_NEIGHBOURS])
