"""The vectors of a knowledge base and how close a query comes to its entries.

An entry has one vector for each wording (its question and its variants) and one for the passage, question and answer
read together. A query's closeness to an entry is its cosine with the nearest wording, blended with its cosine with
the passage and with how much of its words stand there (`retrieval.words`). Entries that say the same in several
languages (`<stem>.<lang>`) form one group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.types import Embed, FaqEntry, FaqError, Vector

_LENGTH_TOLERANCE = 0.01

_SPREAD_SAMPLE = 1000
_USUAL_SPREAD = 0.1
_LEAST_SPREAD = 0.02

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Weights:
    """What counts how much beside the nearest wording's 1.

    Attributes:
        passage: the cosine with the passage, 0 or more.
        words: the words of the query that stand in the passage, 0 or more.
    """

    passage: float = 1.0
    words: float = _USUAL_SPREAD

    def __post_init__(self) -> None:
        for name, value in (("passage", self.passage), ("words", self.words)):
            if not 0.0 <= value < np.inf:
                raise FaqError(f"weights: {name}: expected 0 or more, got {value}")


@dataclass(frozen=True, slots=True, eq=False)
class EntryVectors:
    """Entries with their vectors.

    Attributes:
        entries: the knowledge base.
        wordings: questions and variants of all entries, those of one entry together, its question first.
        owner: the entry of each wording, ascending, shape `(wordings,)`.
        wording_vectors: unit length, shape `(wordings, width)`.
        passage_vectors: question and answer together, unit length, shape `(entries, width)`.
        group: the group of each entry, counted from 0, shape `(entries,)`.
    """

    entries: tuple[FaqEntry, ...]
    wordings: tuple[str, ...]
    owner: Rows
    wording_vectors: Vector
    passage_vectors: Vector
    group: Rows

    @property
    def first_wording(self) -> Rows:
        """The row of each entry's question among the wordings, shape `(entries,)`."""
        return np.searchsorted(self.owner, np.arange(len(self.entries)))

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return int(self.group.max()) + 1 if len(self.group) else 0

    def closeness(
        self, queries: Vector, weights: Weights, overlap: Vector | None = None, left_out: Rows | None = None
    ) -> Vector:
        """How close queries come to entries.

        Args:
            queries: unit-length vectors, shape `(queries, width)`.
            weights: what counts how much.
            overlap: shared words, 0 to 1, shape `(queries, entries)`; none by default.
            left_out: for each query the row of a wording that does not count, shape `(queries,)`.

        Returns:
            Closeness, -1 to 1, shape `(queries, entries)`.
        """
        similarity = queries @ self.wording_vectors.T
        if left_out is not None:
            similarity[np.arange(len(queries)), left_out] = -1.0
        nearest = np.maximum.reduceat(similarity, self.first_wording, axis=1)
        blended: Vector = nearest + weights.passage * (queries @ self.passage_vectors.T)
        if overlap is not None:
            blended += weights.words * overlap
        return blended / np.float32(1.0 + weights.passage + weights.words)

    def best_of_groups(self, closeness: Vector) -> Vector:
        """The closest entry of each group: `(queries, entries)` to `(queries, groups)`."""
        order = np.argsort(self.group, kind="stable")
        starts = np.searchsorted(self.group[order], np.arange(self.groups))
        best: Vector = np.maximum.reduceat(closeness[:, order], starts, axis=1)
        return best

    def only(self, entries: Rows) -> EntryVectors:
        """The same for some of the entries, given by ascending number."""
        if len(entries) == len(self.entries):
            return self
        rows = np.flatnonzero(np.isin(self.owner, entries))
        return EntryVectors(
            entries=tuple(self.entries[number] for number in entries),
            wordings=tuple(self.wordings[row] for row in rows),
            owner=np.searchsorted(entries, self.owner[rows]),
            wording_vectors=self.wording_vectors[rows],
            passage_vectors=self.passage_vectors[entries],
            group=np.unique(self.group[entries], return_inverse=True)[1],
        )

    def usual_weights(self) -> Weights:
        """The weights that fit these vectors.

        A word counts as much as the cosines of different questions differ, since an encoder whose cosines lie close
        together would otherwise be outvoted by words, and one whose cosines are wide apart would not hear them.

        Returns:
            The weights; the same for the same vectors.
        """
        cosines = self.between_questions()
        return Weights(words=max(float(cosines.std()), _LEAST_SPREAD)) if len(cosines) else Weights()

    def between_questions(self) -> Vector:
        """Cosines between questions of different groups, of the first thousand entries; shape `(pairs,)`."""
        first = self.first_wording[:_SPREAD_SAMPLE]
        questions = self.wording_vectors[first]
        cosines: Vector = (questions @ questions.T)[self.group[: len(first), None] != self.group[None, : len(first)]]
        return cosines


def embed_entries(entries: Sequence[FaqEntry], embed: Embed, passages: Embed | None = None) -> EntryVectors:
    """Embeds a knowledge base.

    Args:
        entries: the entries; none at all are allowed.
        embed: gives unit-length vectors.
        passages: the same for passages, where an encoder reads these differently.

    Returns:
        The entries with their vectors.

    Raises:
        FaqError: an id is there twice, or the vectors have the wrong shape or length.
    """
    read = (_embedded(wordings_of(entries)[0], embed), _embedded(passages_of(entries), passages or embed))
    if len({vectors.shape[1] for vectors in read}) > 1:
        raise FaqError(f"passages: expected vectors as wide as those of questions, got {read[1].shape[1]}")
    return arrange(entries, np.concatenate(read))


def _embedded(texts: list[str], embed: Embed) -> Vector:
    # An encoder may not take an empty list, yet an empty knowledge base has a width too.
    asked = texts or ["-"]
    vectors = np.ascontiguousarray(embed(asked), dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(asked):
        raise FaqError(f"embed: expected vectors of shape ({len(asked)}, width), got {vectors.shape}")
    return vectors[: len(texts)]


def arrange(entries: Sequence[FaqEntry], vectors: Vector) -> EntryVectors:
    """Puts entries and their vectors together.

    Args:
        entries: the entries.
        vectors: first the wordings in the order of `wordings_of`, then a passage an entry, shape `(rows, width)`.

    Returns:
        The entries with their vectors.

    Raises:
        FaqError: an id is there twice, or the vectors have the wrong number or length.
    """
    wordings, owner = wordings_of(entries)
    expected = len(wordings) + len(entries)
    if len(vectors) != expected:
        raise FaqError(
            f"expected {expected} vectors for {len(entries)} entries, got {len(vectors)}; build the index again"
        )
    ids = [entry.id for entry in entries]
    if len(set(ids)) < len(ids):
        twice = next(entry_id for entry_id in ids if ids.count(entry_id) > 1)
        raise FaqError(f"id: {twice!r} is used by two entries; ids must be unique")
    check_unit_length(vectors)
    keys = [_group_key(entry) for entry in entries]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return EntryVectors(
        entries=tuple(entries),
        wordings=tuple(wordings),
        owner=owner,
        wording_vectors=vectors[: len(wordings)],
        passage_vectors=vectors[len(wordings) :],
        group=np.array([numbers[key] for key in keys], dtype=np.intp),
    )


def wordings_of(entries: Sequence[FaqEntry]) -> tuple[list[str], Rows]:
    """Lists what is searched for.

    Args:
        entries: the entries.

    Returns:
        Questions and variants entry by entry, no wording of an entry twice, and the entry of each.
    """
    texts: list[str] = []
    owner: list[int] = []
    for number, entry in enumerate(entries):
        own: dict[str, str] = {}
        for text in (entry.question, *entry.variants):
            own.setdefault(text.casefold(), text)
        texts += own.values()
        owner += [number] * len(own)
    return texts, np.array(owner, dtype=np.intp)


def passages_of(entries: Sequence[FaqEntry]) -> list[str]:
    """What is read as the passage of each entry: its question and its answer."""
    return [f"{entry.question}\n{entry.answer}" for entry in entries]


def check_unit_length(vectors: Vector) -> None:
    """Makes sure that cosines can be had as inner products.

    Args:
        vectors: shape `(rows, width)`.

    Raises:
        FaqError: a vector is not finite, or its length is not 1.
    """
    lengths = np.linalg.norm(vectors, axis=1)
    wrong = np.flatnonzero(~(np.abs(lengths - 1.0) <= _LENGTH_TOLERANCE))
    if len(wrong):
        row = int(wrong[0])
        raise FaqError(f"expected vectors of length 1, got length {lengths[row]:.4g} in row {row}; normalise them")


def _group_key(entry: FaqEntry) -> tuple[str, bool]:
    stem = entry.id.removesuffix(f".{entry.lang}")
    return stem, stem != entry.id
