"""FAQ entries and hits, as every other room sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FaqEntry:
    """One question of the knowledge base with its answer.

    Attributes:
        id: unique in the knowledge base.
        question: the question as shown to customers.
        answer: what the bot says.
        lang: the language of question and answer.
        variants: other ways to ask the same.
        tags: free labels.
    """

    id: str
    question: str
    answer: str
    lang: str = "en"
    variants: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FaqQuery:
    """A question with the entries that answer it, for evaluation.

    Attributes:
        query: what a customer would write.
        relevant: the ids of the entries that answer it; never empty.
        lang: the language of the query.
    """

    query: str
    relevant: tuple[str, ...]
    lang: str = "en"


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that was found for a question.

    Attributes:
        entry: the entry.
        matched: the question or variant that was nearest.
        similarity: cosine between the message and `matched`, -1 to 1.
        score: calibrated probability that the entry answers the message, 0 to 1.
    """

    entry: FaqEntry
    matched: str
    similarity: float
    score: float


@dataclass(frozen=True, slots=True)
class HitThresholds:
    """Where a hit's calibrated score turns into an answer.

    Attributes:
        accept: a hit at or above answers the message.
        suggest: a hit at or above may be offered as a button.
    """

    accept: float = 0.7
    suggest: float = 0.3


Embed = Callable[[list[str]], Vector]
"""Texts to unit-length sentence vectors, shape `(texts, width)`."""


class FaqSearch(Protocol):
    """Finds FAQ entries by sentence vector and words; built from a release by `retrieval.index`."""

    @property
    def thresholds(self) -> HitThresholds:
        """The thresholds that came with the index."""

    def search(self, vector: Vector, top: int = 3, lang: str | None = None, text: str = "") -> list[Hit]:
        """Finds the nearest entries, each at most once, the best first.

        Args:
            vector: unit-length sentence vector, shape `(width,)`.
            top: how many entries at most.
            lang: prefer entries of this language; None means all alike.
            text: what was asked; empty to search by the vector alone.

        Returns:
            Up to `top` hits.
        """

    def related(self, entry_id: str, limit: int = 3) -> list[FaqEntry]:
        """Other entries that ask something close to an entry, the closest first.

        Args:
            entry_id: the entry; an unknown one has none.
            limit: how many at most.

        Returns:
            Entries in its language.
        """


class FaqError(ValueError):
    """FAQ entries, a file of them or an index is wrong: says what, where (file, line, field) and what to do."""
