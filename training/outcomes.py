"""What a release gets right of the frozen test set and of the corrections, text by text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nlu.examples import Example
from nlu.runtime import ReleaseUnderstander, load_understander
from nlu.text import normalise
from nlu.types import OUT_OF_SCOPE, Understanding, Vector
from retrieval.index import FaqIndex
from retrieval.types import FaqQuery
from training.evaluate import found_entities, oos_metrics, read_texts, true_entities
from training.logged import FAQ, Claim, faq_group
from training.promote import Outcomes


@dataclass(frozen=True, slots=True)
class Trial:
    """What two releases are asked, to compare them.

    Attributes:
        test: the frozen test set.
        queries: the frozen FAQ queries.
        corrections: what agents said.
    """

    test: Sequence[Example]
    queries: Sequence[FaqQuery] = ()
    corrections: Sequence[Claim] = field(default=())

    def rows(self, head: str) -> list[int]:
        """The test texts that count for a head: those with a label, out-of-scope texts left out."""
        return [i for i, example in enumerate(self.test) if example.labels.get(head, OUT_OF_SCOPE) != OUT_OF_SCOPE]

    @property
    def truth(self) -> dict[str, list[str]]:
        """For each head the right label of each text that counts."""
        heads = sorted({head for example in self.test for head in example.labels})
        labels = {head: [self.test[row].labels[head] for row in self.rows(head)] for head in heads}
        return {head: right for head, right in labels.items() if right}


@dataclass(frozen=True, slots=True)
class OpenedRelease:
    """A release, loaded to be asked.

    Attributes:
        understander: reads texts.
        index: finds FAQ entries.
    """

    understander: ReleaseUnderstander
    index: FaqIndex

    @classmethod
    def load(cls, folder: Path) -> OpenedRelease:
        """Loads a verified release folder."""
        return cls(load_understander(folder), FaqIndex.load(folder))

    def read(self, texts: Sequence[str]) -> list[Understanding]:
        """Reads texts as they would be in serving, in batches."""
        return read_texts(self.understander, texts)

    def vectors(self, texts: Sequence[str]) -> Vector:
        """Unit-length vectors, shape `(texts, width)`, read in batches."""
        width = self.index.width
        return np.array([reading.vector for reading in self.read(texts)], dtype=np.float32).reshape(len(texts), width)


def measure(release: OpenedRelease, trial: Trial) -> Outcomes:
    """Asks a release everything of a trial.

    Args:
        release: the release.
        trial: what to ask.

    Returns:
        What it got right; a head that it does not have is wrong throughout.
    """
    readings = release.read([example.text for example in trial.test])
    inside = [readings[row] for row in trial.rows("intent")]
    heads = {
        head: [
            head in readings[row].heads and readings[row].heads[head].label == label
            for row, label in zip(trial.rows(head), right, strict=True)
        ]
        for head, right in trial.truth.items()
    }
    texts = release.read([claim.text for claim in trial.corrections])
    return Outcomes(
        heads=heads,
        faq=_best_hits_right(release, trial.queries),
        entities=[
            found_entities(reading) == true_entities(example)
            for example, reading in zip(trial.test, readings, strict=True)
            if example.entities is not None
        ],
        kept=[
            right and reading.oos < reading.thresholds.oos_reject
            for right, reading in zip(heads.get("intent", []), inside, strict=True)
        ],
        accepted=[_accepts(reading) for reading in inside],
        oos_auroc=oos_metrics(trial.test, readings).get("auroc"),
        corrected=[follows(release, claim, reading) for claim, reading in zip(trial.corrections, texts, strict=True)],
    )


def follows(release: OpenedRelease, claim: Claim, reading: Understanding) -> bool:
    """Whether a release answers a text as an agent said.

    Args:
        release: the release.
        claim: what the agent said.
        reading: the text as the release reads it.

    Returns:
        True where the intent is right, accepted and in scope; the emotion is right; or the FAQ entry, or a
        translation of it, is the best hit and accepted.
    """
    thresholds = reading.thresholds
    if claim.head == FAQ:
        hits = release.index.search(reading.vector, top=1, lang=reading.lang or None, text=reading.text)
        entry = release.index.entry(claim.label)
        right = bool(hits) and entry is not None and faq_group(hits[0].entry) == faq_group(entry)
        return right and hits[0].score >= release.index.thresholds.accept
    rejected = reading.oos >= thresholds.oos_reject
    if claim.head == "intent" and claim.label == OUT_OF_SCOPE:
        return rejected
    best = reading.heads.get(claim.head)
    if best is None or best.label != claim.label:
        return False
    return claim.head != "intent" or (not rejected and best.confidence >= thresholds.intent_accept)


def _accepts(reading: Understanding) -> bool:
    """Whether the release's thresholds let its intent be acted upon."""
    best, thresholds = reading.intent, reading.thresholds
    if best is None or reading.oos >= thresholds.oos_reject:
        return False
    return best.confidence >= thresholds.intent_accept and best.margin >= thresholds.intent_margin


def _best_hits_right(release: OpenedRelease, queries: Sequence[FaqQuery]) -> list[bool]:
    if not queries:
        return []
    entries = release.index.entries
    if not entries:
        return [False] * len(queries)
    texts = [normalise(query.query) for query in queries]
    langs = [query.lang for query in queries]
    best = release.index.search_all(release.vectors(texts), langs, texts).argmax(axis=1)
    return [entries[column].id in query.relevant for column, query in zip(best, queries, strict=True)]
