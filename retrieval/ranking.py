"""Vectors and words together: how close a query comes to each entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrieval.types import Vector
from retrieval.vectors import EntryVectors, Rows, Weights, passages_of
from retrieval.wordings import plain_wording
from retrieval.words import WordOverlap


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """What is asked, as words and as vectors.

    Attributes:
        texts: the words; an empty text is ranked by its vector alone.
        vectors: unit length, shape `(texts, width)`.
    """

    texts: Sequence[str]
    vectors: Vector


class Ranking:
    """Ranks the entries of a knowledge base.

    A query that is, word for word, a question or variant of an entry comes closest to that entry whatever else weighs.

    Args:
        vectors: the knowledge base.
        weights: what counts how much; by default what fits the vectors.
        before: a ranking of many of the same entries, whose words need not be counted again.
    """

    def __init__(self, vectors: EntryVectors, weights: Weights | None = None, before: Ranking | None = None) -> None:
        self.vectors = vectors
        self.weights = weights or vectors.usual_weights()
        self.words: WordOverlap = WordOverlap(passages_of(vectors.entries), before.words if before else None)
        self._owners: dict[str, list[int]] = {}
        for wording, owner in zip(vectors.wordings, vectors.owner.tolist(), strict=True):
            self._owners.setdefault(plain_wording(wording), []).append(owner)

    def closeness(self, queries: Queries, left_out: Rows | None = None) -> Vector:
        """How close queries come to all entries.

        Args:
            queries: what is asked.
            left_out: for each query the row of a wording that does not count, shape `(queries,)`.

        Returns:
            Closeness, -1 to 1, shape `(queries, entries)`.
        """
        overlap = self.words.overlap(queries.texts)
        closeness = self.vectors.closeness(queries.vectors, self.weights, overlap, left_out)
        if left_out is None:
            for row, text in enumerate(queries.texts):
                closeness[row, self.asked_as_written(text)] = 1.0
        return closeness

    def closeness_nearby(self, query: Queries, nearby: EntryVectors, entries: Rows) -> Vector:
        """How close one query comes to some of the entries.

        Args:
            query: a single query.
            nearby: the vectors of these entries.
            entries: their numbers, ascending.

        Returns:
            Closeness, -1 to 1, shape `(entries,)`.
        """
        overlap = self.words.overlap(query.texts)[:, entries]
        closeness: Vector = nearby.closeness(query.vectors, self.weights, overlap)[0]
        closeness[np.isin(entries, self.asked_as_written(query.texts[0]))] = 1.0
        return closeness

    def sharing_words(self, text: str, limit: int) -> Rows:
        """The entries that share the most words with a text, those that have it word for word included.

        Args:
            text: what was asked.
            limit: how many at most.

        Returns:
            Their numbers.
        """
        overlap = self.words.overlap([text])[0]
        best = np.argsort(-overlap, kind="stable")[:limit]
        return np.union1d(best[overlap[best] > 0.0], self.asked_as_written(text)).astype(np.intp)

    def asked_as_written(self, text: str) -> list[int]:
        """The entries that have this text as question or variant; case, width and marks at the end do not matter."""
        return self._owners.get(plain_wording(text), [])
