"""The FAISS index of a knowledge base: sentence vector and words to FAQ hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import faiss
import numpy as np

from retrieval import storage
from retrieval.calibration import HitCalibration, calibrate
from retrieval.nearest.edited import EditedIndex
from retrieval.nearest.in_process import FaissIndex, Kind
from retrieval.ranking import Queries, Ranking
from retrieval.types import Embed, FaqEntry, FaqError, Hit, HitThresholds, Vector
from retrieval.vectors import EntryVectors, Rows, Weights, check_unit_length, embed_entries, passages_of
from retrieval.wordings import plain_wording

_FEW_ENTRIES = 1000
"""So many are all compared: that takes less time than finding candidates among them."""
_CANDIDATE_ROWS = 128
_ROWS_A_HIT = 32
_CANDIDATE_ENTRIES = 16
_ALIKE_DEVIATIONS = 2.0
_TIE_DECIMALS = 6
_STANDS_IN = 4.0


class FaqIndex:
    """Finds FAQ entries by sentence vector; a `FaqSearch`, safe for concurrent searches.

    FAISS, exactly or beyond some size by a graph, proposes the entries that own the nearest wordings and passages;
    these, and those that share the most words with the query, are ranked by closeness (see `retrieval.ranking`).
    Translations of one entry (`<stem>.<lang>`) count as one hit.

    Args:
        ranking: how close queries come to the entries.
        calibration: how closeness turns into a score.
        before: an index of many of the same entries, whose graph need not be built again.
        graph: a graph of just these vectors, where there is one.

    Attributes:
        ranking: how close queries come to the entries; an index of nearly the same entries takes its words over.
        nearest: finds the nearest vectors; an index of nearly the same entries takes its graph over.
    """

    def __init__(
        self,
        ranking: Ranking,
        calibration: HitCalibration,
        before: FaqIndex | None = None,
        graph: FaissIndex | None = None,
    ) -> None:
        vectors = ranking.vectors
        self.ranking = ranking
        self._vectors = vectors
        self._calibration = calibration
        self._by_id = {entry.id: entry for entry in vectors.entries}
        self._row_entry = np.concatenate([vectors.owner, np.arange(len(vectors.entries))])
        cosines = vectors.between_questions()
        self._alike = float(cosines.mean() + _ALIKE_DEVIATIONS * cosines.std()) if len(cosines) else 1.0
        self.nearest: EditedIndex = EditedIndex(self._rows, before.nearest if before else None, graph)

    @classmethod
    def build(
        cls,
        entries: Sequence[FaqEntry],
        embed: Embed,
        *,
        passages: Embed | None = None,
        out_of_scope: Sequence[str] = (),
        risk: float = 0.05,
        calibration: HitCalibration | None = None,
        weights: Weights | None = None,
        before: FaqIndex | None = None,
    ) -> FaqIndex:
        """Embeds a knowledge base and calibrates its scores.

        Args:
            entries: the entries; none at all are allowed.
            embed: gives unit-length vectors.
            passages: the same for passages, where the encoder reads these differently.
            out_of_scope: texts that no entry answers, for the calibration.
            risk: the share of wrong answers that is borne.
            calibration: a known calibration instead of a new one.
            weights: what counts how much, where there is no calibration; by default what fits the vectors.
            before: an index of many of the same entries, which saves work.

        Returns:
            The index; an id that is there twice, or vectors of the wrong shape or length, are a `FaqError`.
        """
        vectors = embed_entries(entries, embed, passages)
        known = before.ranking if before else None
        ranking = Ranking(vectors, calibration.weights if calibration else weights, known)
        if calibration is not None:
            return cls(ranking, calibration, before)
        strange = Queries(out_of_scope, embed(list(out_of_scope))) if out_of_scope else None
        return cls(ranking, calibrate(ranking, strange, risk))

    @classmethod
    def load(cls, folder: str | Path) -> FaqIndex:
        """Reads an index that `save` wrote.

        Args:
            folder: the folder with `faq.jsonl`, `faq.faiss` and `faq.json`.

        Returns:
            The index; a file that is missing, damaged or does not fit the others is a `FaqError`.
        """
        vectors, calibration = storage.load(Path(folder))
        return cls(Ranking(vectors, calibration.weights), calibration, graph=storage.load_graph(Path(folder)))

    def save(self, folder: str | Path) -> None:
        """Writes `faq.jsonl`, `faq.faiss` and `faq.json`, and the graph where it is searched by one.

        Args:
            folder: an existing folder; a file that cannot be written is a `FaqError`.
        """
        rows = faiss.IndexFlatIP(self.width)
        rows.add(self._rows)
        content = faiss.serialize_index(rows).tobytes()
        storage.save(Path(folder), self._vectors, self._calibration, self._row_entry, content)
        if self.kind is Kind.GRAPH:
            storage.save_graph(Path(folder), self.nearest.whole or FaissIndex.build(self._rows))

    @property
    def _rows(self) -> Vector:
        """What is searched: the vectors of wordings, then those of passages."""
        return np.concatenate([self._vectors.wording_vectors, self._vectors.passage_vectors])

    @property
    def entries(self) -> tuple[FaqEntry, ...]:
        """The knowledge base, in the order of the columns of `search_all`."""
        return self._vectors.entries

    @property
    def calibration(self) -> HitCalibration:
        """How closeness turns into a score."""
        return self._calibration

    @property
    def thresholds(self) -> HitThresholds:
        """The thresholds that came with the index."""
        return self._calibration.thresholds

    def known_wordings(self) -> dict[str, Vector]:
        """The vector of every question and variant, by its text."""
        return dict(zip(self._vectors.wordings, self._vectors.wording_vectors, strict=True))

    def known_passages(self) -> dict[str, Vector]:
        """The vector of every passage, by its text."""
        return dict(zip(passages_of(self.entries), self._vectors.passage_vectors, strict=True))

    @property
    def kind(self) -> Kind:
        """How the nearest vectors are found."""
        return self.nearest.kind

    @property
    def width(self) -> int:
        """The width of its vectors."""
        return self.nearest.width

    def entry(self, entry_id: str) -> FaqEntry | None:
        """The entry with this id, or None."""
        return self._by_id.get(entry_id)

    def search(self, vector: Vector, top: int = 3, lang: str | None = None, text: str = "") -> list[Hit]:
        """Finds the nearest entries, translations of one entry at most once, the best first.

        Args:
            vector: unit-length sentence vector, shape `(width,)`.
            top: how many entries at most.
            lang: of several translations take this one, and of equally close entries those of this language first.
            text: what was asked; empty to search by the vector alone.

        Returns:
            Up to `top` hits; what is asked as one entry has it written has the score 1. Several that have it written
            may be offered, and none is certain. A vector of the wrong width or length is a `FaqError`.
        """
        query = np.ascontiguousarray(vector, dtype=np.float32)[None]
        _check_width(query, self.width)
        if not self.entries or top < 1:
            return []
        asked = Queries([text], query)
        candidates = self._candidates(asked, top)
        nearby = self._vectors.only(candidates)
        closeness = self.ranking.closeness_nearby(asked, nearby, candidates)
        of_group = nearby.best_of_groups(closeness[None])[0].astype(np.float64)
        speaks = [entry.lang == lang for entry in nearby.entries]
        spoken = np.zeros(len(of_group), dtype=np.bool_)
        np.logical_or.at(spoken, nearby.group, speaks)

        def shown(group: int) -> int:
            members = np.flatnonzero(nearby.group == group)
            return int(max(members, key=lambda member: (speaks[member], closeness[member])))

        written = np.unique(nearby.group[np.isin(candidates, self.ranking.asked_as_written(text))]).tolist()
        rivals = [group for group in written if spoken[group]] or written
        certainty = self._certainty(query[0], nearby, {group: shown(group) for group in rivals})
        later = np.ones(len(of_group))
        later[list(certainty)] = np.arange(len(certainty)) / (len(certainty) + 1)
        order = np.lexsort((later, ~spoken, -np.round(of_group, _TIE_DECIMALS)))
        similarity = nearby.wording_vectors @ query[0]
        hits = []
        for group in order[:top].tolist():
            number = shown(group)
            own = np.flatnonzero(nearby.owner == number)
            row = own[np.argmax(similarity[own])]
            others = np.delete(of_group, group)
            lead = of_group[group] - others.max() if len(others) else 0.0
            calibrated = self._calibration.probability(of_group[group], lead)
            score = certainty.get(group, 0.0) if group in written else calibrated
            hits.append(Hit(nearby.entries[number], nearby.wordings[row], float(similarity[row]), score))
        return hits

    def _certainty(self, query: Vector, nearby: EntryVectors, rivals: Mapping[int, int]) -> dict[int, float]:
        """The scores of groups that all have a query's very words.

        A single one is certain. Of several none is, but each may be offered; those that would look alike, since they
        have the same question or the same answer, count as the one whose passage is nearest.

        Args:
            query: the query's vector, shape `(width,)`.
            nearby: the entries.
            rivals: the number of the entry that each group would show.

        Returns:
            The scores of those that remain, the nearest first.
        """
        nearness = nearby.passage_vectors @ query
        looks: set[str] = set()
        different = []
        for group in sorted(rivals, key=lambda group: -nearness[rivals[group]]):
            entry = nearby.entries[rivals[group]]
            if looks.isdisjoint(look := {plain_wording(entry.question), entry.answer}):
                different.append(group)
            looks |= look
        return dict.fromkeys(different, 1.0 if len(different) == 1 else self.thresholds.suggest)

    def related(self, entry_id: str, limit: int = 3) -> list[FaqEntry]:
        """Other entries that ask something close to an entry, the closest first.

        Close is what lies two standard deviations above the mean of the cosines between different questions.

        Args:
            entry_id: the entry; an unknown one has none.
            limit: how many at most.

        Returns:
            Entries in its language.
        """
        entry = self._by_id.get(entry_id)
        if entry is None or limit < 1:
            return []
        number = self.entries.index(entry)
        question = self._vectors.wording_vectors[self._vectors.first_wording[number]]
        own = self._vectors.group[number]
        near = [
            other
            for other in self._candidates(Queries([""], question[None]), limit + 1)
            if self._vectors.group[other] != own and self.entries[other].lang == entry.lang
        ]
        cosines = self._vectors.wording_vectors[self._vectors.first_wording[near]] @ question
        order = np.argsort(-cosines, kind="stable")[:limit]
        return [self.entries[near[place]] for place in order if cosines[place] >= self._alike]

    def search_all(
        self, vectors: Vector, langs: Sequence[str | None] | None = None, texts: Sequence[str] | None = None
    ) -> Vector:
        """Ranks all entries for each query, for evaluation.

        Args:
            vectors: unit-length vectors, shape `(queries, width)`.
            langs: the language of each query; its translation stands for all of an entry, and the others come last,
                as `search` would not show them. None ranks every entry by itself.
            texts: what was asked; None to rank by the vectors alone.

        Returns:
            Higher is better, comparable within a query, shape `(queries, entries)`.

        Raises:
            FaqError: a vector has the wrong width or length, or there is not one language or text a query.
        """
        queries = np.ascontiguousarray(vectors, dtype=np.float32)
        _check_width(queries, self.width)
        for name, given in (("langs", langs), ("texts", texts)):
            if given is not None and len(given) != len(queries):
                raise FaqError(f"{name}: expected one for each of {len(queries)} queries, got {len(given)}")
        if not self.entries or not len(queries):
            return np.zeros((len(queries), len(self.entries)), dtype=np.float32)
        scores = self.ranking.closeness(Queries(texts or [""] * len(queries), queries))
        if langs is None:
            return scores
        group = self._vectors.group
        of_group = self._vectors.best_of_groups(scores)
        entry_langs = np.array([entry.lang for entry in self.entries])
        for lang in {lang for lang in langs if lang is not None}:
            rows = np.array([each == lang for each in langs])
            speaks = entry_langs == lang
            stands_in = np.isin(group, group[speaks])
            scores[np.ix_(rows, speaks)] = of_group[np.ix_(rows, group[speaks])]
            scores[np.ix_(rows, stands_in & ~speaks)] -= _STANDS_IN
        return scores

    def _candidates(self, query: Queries, top: int) -> Rows:
        """Entries that own the nearest rows or share the most words, with all their translations, ascending."""
        if len(self.entries) <= _FEW_ENTRIES:
            return np.arange(len(self.entries))
        nearest = self.nearest.search(query.vectors[0], max(_CANDIDATE_ROWS, _ROWS_A_HIT * top)).rows
        alike = self.ranking.sharing_words(query.texts[0], _CANDIDATE_ENTRIES)
        groups = np.unique(self._vectors.group[np.concatenate([self._row_entry[nearest], alike])])
        # One entry with very many variants can own all the nearest rows; then its rivals must still be seen.
        if len(groups) <= min(top, self._vectors.groups - 1):
            return np.arange(len(self.entries))
        return np.flatnonzero(np.isin(self._vectors.group, groups))


def _check_width(vectors: Vector, width: int) -> None:
    if vectors.ndim != 2 or vectors.shape[1] != width:
        raise FaqError(
            f"expected vectors of width {width}, as the index has, got shape {vectors.shape}; use its encoder"
        )
    check_unit_length(vectors)
