"""FAQ entries that ask nearly the same: near-duplicates where the answers agree, contradictions where they do not.

Questions are compared by the words that are left without what every question has ("how can I", "请问"), and, where
sentence vectors are at hand, by their cosine. Pairs are found over shared rare words (Chaudhuri, Ganti and Kaushik,
"A primitive operator for similarity joins in data cleaning", 2006, prefix filter), so that the time does not grow
with the square of the number of entries.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from nlu.text import normalise, primary_language
from retrieval.types import FaqEntry, Vector
from training.import_facts import difference_of, figures, negates

MOST_PAIRS = 1_000
"""How many pairs are pointed out at most."""

_LEAST_SHARED = 0.8
_LEAST_SPELLING = 92.0
_LEAST_SPELLED = 8
# With the example shop's release, 99.9 % of its questions' pairs are below; rewordings are at 0.83 to 0.93.
_LEAST_COSINE = 0.92
_SAME_SPOT = 0.9995
_ROWS_AT_ONCE = 512
# A word that more entries share says little of any of them, and would cost time.
_MOST_SHARING = 20
_MOST_RARE = 8
_LEAST_FOR_SPELLING = 0.3

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?|[\u4e00-\u9fff\u3400-\u4dbf]")
_EMPTY_ENGLISH = frozenset(
    _WORD.findall(
        "a am an and any are at be been being by can could did do does for from get have has how i if in is it its i'm "
        "may me might must my of on one or our ours please possible shall should so some take takes that the their "
        "there these this to us was we what what's which will with would you your i'd i've"
    )
)
_EMPTY_CHINESE = re.compile(
    "请问一下|请问|想问|麻烦|你好|您好|怎么样|怎么办理|怎么办|怎么|怎样|如何|什么样|什么|是不是|可不可以|能不能|可以|能否|可否|是否"
    "|有没有|应该|需要|我们|你们|您们|我|你|您|的|了|吗|呢|啊|呀|吧|么|要|能|会|该|请|一下|才|就|啦"
)


@dataclass(frozen=True, slots=True)
class AlikePair:
    """Two entries that ask nearly the same.

    Attributes:
        first: the number of the entry that stands first.
        second: the number of the other one.
        likeness: how alike the questions are, 0 to 1.
        difference: in what the answers differ, such as `30 / 14`; empty where they agree.
    """

    first: int
    second: int
    likeness: float
    difference: str


@dataclass(frozen=True, slots=True)
class _Wording:
    """The telling words of a question, as a set and run together."""

    words: frozenset[str]
    spelled: str


def alike_pairs(entries: Sequence[FaqEntry], vectors: Vector | None = None, *, since: int = 0) -> list[AlikePair]:
    """Finds entries of the same language that ask nearly the same.

    Args:
        entries: the entries, those that are known already first.
        vectors: unit-length sentence vectors of their questions, shape `(entries, width)`.
        since: the number of the first new entry; pairs of known entries are of no interest.

    Returns:
        Up to `MOST_PAIRS` pairs with at least one new entry, contradictions first, then in the order of the entries.
    """
    asked = [_content(entry.question) for entry in entries]
    likeness: dict[tuple[int, int], float] = {}
    pairs: Iterator[tuple[int, int, float]] = _by_words(entries, asked, since)
    if vectors is not None:
        pairs = chain(pairs, _by_vectors(entries, asked, vectors, since))
    for first, second, value in islice(pairs, 20 * MOST_PAIRS):
        likeness[first, second] = max(value, likeness.get((first, second), 0.0))
    found = [
        AlikePair(first, second, round(value, 3), difference_of(entries[first].answer, entries[second].answer))
        for (first, second), value in sorted(likeness.items())
        if _may_ask_the_same(entries[first].question, entries[second].question)
    ]
    return sorted(found, key=lambda pair: not pair.difference)[:MOST_PAIRS]


def _content(question: str) -> tuple[str, ...]:
    """The telling words of a question: words without what every question has, Chinese by characters."""
    plain = normalise(question).casefold()
    kept = _EMPTY_CHINESE.sub(" ", plain)
    words = [_singular(word) for word in _WORD.findall(kept) if word not in _EMPTY_ENGLISH]
    return tuple(words or _WORD.findall(plain))


def _singular(word: str) -> str:
    word = word.removesuffix("'s")
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _may_ask_the_same(first: str, second: str) -> bool:
    """Another figure or a negation makes another question."""
    return figures(first) == figures(second) and negates(first) == negates(second)


def _by_words(
    entries: Sequence[FaqEntry], asked: Sequence[tuple[str, ...]], since: int
) -> Iterator[tuple[int, int, float]]:
    frequency = Counter(word for words in asked for word in set(words))
    wordings = [_Wording(frozenset(words), "".join(words)) for words in asked]
    sharing: dict[tuple[str, str], list[int]] = defaultdict(list)
    for second, wording in enumerate(wordings):
        rarest = sorted(wording.words, key=lambda word: (frequency[word], word))
        lang = primary_language(entries[second].lang)
        candidates: set[int] = set()
        # Two sets that share 80 % share one of the rarest words of each; one word more lets a typo pass.
        enough = len(rarest) - math.ceil(_LEAST_SHARED * len(rarest)) + 2
        for word in rarest[: min(enough, _MOST_RARE)]:
            others = sharing[lang, word]
            candidates.update(others[-_MOST_SHARING:])
            others.append(second)
        if second < since:
            continue
        for first in sorted(candidates):
            value = _likeness(wordings[first], wording)
            if value:
                yield first, second, value


def _likeness(first: _Wording, second: _Wording) -> float:
    """How alike two questions are by their telling words; 0 where they are not alike enough."""
    shared = len(first.words & second.words)
    likeness = shared / (len(first.words) + len(second.words) - shared)
    if likeness >= _LEAST_SHARED:
        return likeness
    shorter = min(len(first.spelled), len(second.spelled))
    if likeness < _LEAST_FOR_SPELLING or shorter < _LEAST_SPELLED:
        return 0.0
    return fuzz.ratio(first.spelled, second.spelled, score_cutoff=_LEAST_SPELLING) / 100


def _by_vectors(
    entries: Sequence[FaqEntry], asked: Sequence[tuple[str, ...]], vectors: Vector, since: int
) -> Iterator[tuple[int, int, float]]:
    """Pairs of which each is the other's nearest, by cosine."""
    nearest, cosine = _nearest(vectors, [primary_language(entry.lang) for entry in entries])
    for first, second in enumerate(nearest):
        if not since <= second > first or nearest[second] != first:
            continue
        # Different questions on one spot mean that the encoder knows none of their words.
        if _LEAST_COSINE <= cosine[first] < _SAME_SPOT and not _differ_in_one_word(asked[first], asked[second]):
            yield first, int(second), float(cosine[first])


def _nearest(vectors: Vector, langs: Sequence[str]) -> tuple[NDArray[np.intp], Vector]:
    """Each text's nearest of its language with the cosine, both of shape `(texts,)`."""
    nearest = np.zeros(len(vectors), dtype=np.intp)
    cosine = np.zeros(len(vectors), dtype=np.float32)
    lang = np.array(langs)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        rows = np.arange(start, min(start + _ROWS_AT_ONCE, len(vectors)))
        cosines = vectors[rows] @ vectors.T
        cosines[lang[rows, None] != lang[None, :]] = -1.0
        cosines[np.arange(len(rows)), rows] = -1.0
        nearest[rows] = cosines.argmax(axis=1)
        cosine[rows] = cosines.max(axis=1)
    return nearest, cosine


def _differ_in_one_word(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    """Whether all but one word of each is the same; then this word is what is asked for, such as a country."""
    words, others = set(first), set(second)
    return len(words - others) == len(others - words) == 1 and bool(words & others)
