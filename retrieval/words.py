"""How much of what a query says stands in an entry, word by word (BM25).

Vectors tell what is meant, words tell it apart: a model's name, an amount, a place. Latin words count as a whole and
by four letters at a time, which forgives endings and slips. Chinese counts by single characters and by two at a time:
on the example shop's FAQ that finds more than words that jieba cut.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retrieval.types import Vector

_RUN = re.compile(r"(?P<han>[\u3400-\u9fff\U00020000-\U0003ffff]+)|[^\W_]+")
_GRAM = 4
_MAX_CHARS = 20_000
_SATURATION = 1.5
_LENGTH_SHARE = 0.75


_Counts = NDArray[np.int64]


class _Counted(NamedTuple):
    """The different terms of a passage, as hashes, and how often each stands there."""

    terms: _Counts
    times: _Counts


_EMPTY = _Counted(np.zeros(0, np.int64), np.zeros(0, np.int64))


class WordOverlap:
    """Compares queries with passages word by word.

    What a passage weighs in each of its terms is worked out once, so that a query adds up a few columns. A knowledge
    base is indexed anew at every edit: counting the terms of unchanged passages again would be most of that work.

    Args:
        passages: one text an entry.
        before: another comparison with many of the same passages, whose counts are taken over.

    Attributes:
        counted: the terms of each passage, by its text.
    """

    def __init__(self, passages: Sequence[str], before: WordOverlap | None = None) -> None:
        done = before.counted if before else {}
        self.counted: dict[str, _Counted] = {passage: done.get(passage) or _count(passage) for passage in passages}
        each = [self.counted[passage] for passage in passages]
        self._passages = len(each)
        terms, times = (np.concatenate(parts) for parts in zip(_EMPTY, *each, strict=True))
        order = np.argsort(terms, kind="stable")
        self._terms, starts = np.unique(terms[order], return_index=True)
        self._bounds = np.append(starts, len(order))
        self._rows = np.repeat(np.arange(len(each)), [len(counted.terms) for counted in each])[order]
        self._weights = self._weighed(times[order], np.array([counted.times.sum() for counted in each]))

    def _weighed(self, times: _Counts, lengths: _Counts) -> Vector:
        """The BM25 weight of each term in each passage that has it."""
        relative = lengths / max(1.0, lengths.mean()) if len(lengths) else lengths
        penalty = _SATURATION * (1.0 - _LENGTH_SHARE + _LENGTH_SHARE * relative)
        sizes = np.diff(self._bounds)
        rarity = np.repeat(self._rarity(sizes), sizes)
        weights: Vector = (rarity * times / (times + penalty[self._rows])).astype(np.float32)
        return weights

    def overlap(self, queries: Sequence[str]) -> Vector:
        """How much of each query is found in each passage.

        The BM25 score (Robertson and Zaragoza 2009, with the inverse document frequency of Lucene) is divided by the
        weight of all the query's terms, those that no passage has included, so that queries of any length compare.

        Args:
            queries: what customers wrote; an empty one overlaps with nothing.

        Returns:
            0 to 1, shape `(queries, passages)`.
        """
        found = np.zeros((len(queries), self._passages), dtype=np.float32)
        for row, query in enumerate(queries):
            columns = self._columns(sorted(set(terms_of(query))))
            for start, end in columns.tolist():
                found[row, self._rows[start:end]] += self._weights[start:end]
            found[row] /= self._rarity(columns[:, 1] - columns[:, 0]).sum() or 1.0
        return found

    def _columns(self, terms: Sequence[str]) -> _Counts:
        """Where the passages that have each term stand among all rows and weights, shape `(terms, 2)`."""
        wanted = np.array([hash(term) for term in terms], np.int64)
        first = np.searchsorted(self._terms, wanted)
        beyond = np.searchsorted(self._terms, wanted, side="right")
        return np.stack([self._bounds[first], self._bounds[beyond]], axis=1)

    def _rarity(self, sizes: _Counts) -> NDArray[np.float64]:
        """The weight of terms that so many passages have."""
        return np.log1p((self._passages - sizes + 0.5) / (sizes + 0.5))


def _count(passage: str) -> _Counted:
    return _Counted(*np.unique(np.array([hash(term) for term in terms_of(passage)], np.int64), return_counts=True))


def terms_of(text: str) -> Iterator[str]:
    """What of a text is compared: words and parts of words.

    Args:
        text: a text in any language; what is beyond 20,000 characters is left out.

    Yields:
        The terms in order, as often as they occur.
    """
    for run in _RUN.finditer(unicodedata.normalize("NFKC", text[:_MAX_CHARS]).casefold()):
        word = run[0]
        yield from word if run["han"] else (word,)
        size, padded = (2, word) if run["han"] else (_GRAM, f"<{word}>")
        yield from (padded[start : start + size] for start in range(len(padded) - size + 1))
