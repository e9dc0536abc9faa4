"""How much of what a query says stands in an entry, word by word (BM25).

Vectors tell what is meant, words tell it apart: a model's name, an amount, a place. Latin words count as a whole and
by four letters at a time, which forgives endings and slips. Chinese counts by single characters and by two at a time:
on the example shop's FAQ that finds more than words that jieba cut.
"""

from __future__ import annotations

import logging
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

import bm25s
import numpy as np

from retrieval.types import Vector

# The library prints every index that is built.
logging.getLogger("bm25s").setLevel(logging.WARNING)

_RUN = re.compile(r"(?P<han>[\u3400-\u9fff\U00020000-\U0003ffff]+)|[^\W_]+")
_GRAM = 4
_MAX_CHARS = 20_000


class WordOverlap:
    """Compares queries with passages word by word.

    Args:
        passages: one text an entry.
    """

    def __init__(self, passages: Sequence[str]) -> None:
        terms = [list(terms_of(passage)) for passage in passages]
        self._passages = len(passages)
        self._known = Counter(term for each in terms for term in set(each))
        self._index: bm25s.BM25 | None = None
        if self._known:
            self._index = bm25s.BM25(method="lucene")
            self._index.index(terms, show_progress=False)

    def overlap(self, queries: Sequence[str]) -> Vector:
        """How much of each query is found in each passage.

        The BM25 score (Robertson and Zaragoza 2009) is divided by the weight of all the query's terms, those that no
        passage has included, so that queries of any length compare.

        Args:
            queries: what customers wrote; an empty one overlaps with nothing.

        Returns:
            0 to 1, shape `(queries, passages)`.
        """
        found = np.zeros((len(queries), self._passages), dtype=np.float32)
        for row, query in enumerate(queries):
            terms = sorted(set(terms_of(query)))
            known = [term for term in terms if term in self._known]
            if self._index is not None and known:
                found[row] = self._index.get_scores(known) / sum(map(self._rarity, terms))
        return found

    def _rarity(self, term: str) -> float:
        count = self._known[term]
        return math.log(1.0 + (self._passages - count + 0.5) / (count + 0.5))


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
