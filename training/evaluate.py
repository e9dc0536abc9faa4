"""Metrics of a release on labelled data, as `frontdesk evaluate --json` prints them."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu.calibration import expected_calibration_error
from nlu.examples import Example
from nlu.out_of_scope import auroc
from nlu.runtime import ReleaseUnderstander
from nlu.types import OUT_OF_SCOPE, Understanding
from retrieval.index import FaqIndex
from retrieval.metrics import ranking_metrics
from retrieval.types import FaqQuery

_BATCH = 64
_TIMED = 200
_KEPT_ACCURACY = 0.955
_WORD = re.compile(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured; parts whose labels are absent are empty.

    Attributes:
        n: texts.
        heads: for each head `accuracy`, `macro_f1`, `ece`.
        labels: for each head its labels' recall.
        confusions: for each head (truth, guess, how often), the most frequent first.
        oos: `auroc`, `recall`, `in_scope_accuracy`, `coverage`, `recall@0.955`.
        entities: `f1`, `precision`, `recall`, `token_f1`.
        faq: `recall@1`, `recall@3`, `mrr@10`, `map`.
        speed: `p50_ms`, `p99_ms`, `messages_per_s`.
    """

    n: int
    heads: dict[str, dict[str, float]] = field(default_factory=dict)
    labels: dict[str, dict[str, float]] = field(default_factory=dict)
    confusions: dict[str, list[tuple[str, str, int]]] = field(default_factory=dict)
    oos: dict[str, float] = field(default_factory=dict)
    entities: dict[str, float] = field(default_factory=dict)
    faq: dict[str, float] = field(default_factory=dict)
    speed: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; absent parts are left out."""
        parts = {
            "heads": self.heads,
            "oos": self.oos,
            "entities": self.entities,
            "faq": self.faq,
            "speed": self.speed,
            "labels": self.labels,
        }
        return {"n": self.n, **{name: part for name, part in parts.items() if part}}


def evaluate(
    understander: ReleaseUnderstander,
    examples: Sequence[Example],
    index: FaqIndex | None = None,
    queries: Sequence[FaqQuery] = (),
    *,
    timed: bool = True,
) -> Evaluation:
    """Measures a release.

    Args:
        understander: the release.
        examples: labelled texts that it has not seen.
        index: its FAQ index, or another made with its vectors.
        queries: queries with the entries that answer them.
        timed: whether to measure speed as well.

    Returns:
        The metrics.

    Raises:
        FaqError: a query names an entry that is not in the index.
    """
    readings = read_texts(understander, [example.text for example in examples])
    heads: dict[str, dict[str, float]] = {}
    labels: dict[str, dict[str, float]] = {}
    confusions: dict[str, list[tuple[str, str, int]]] = {}
    for head in understander.manifest.heads:
        rows = [i for i, e in enumerate(examples) if e.labels.get(head, OUT_OF_SCOPE) != OUT_OF_SCOPE]
        if rows:
            truth = [examples[i].labels[head] for i in rows]
            guess = [readings[i].heads[head].label for i in rows]
            confidence = np.array([readings[i].heads[head].confidence for i in rows])
            heads[head] = head_metrics(truth, guess, confidence)
            labels[head] = recalls(truth, guess)
            wrong = Counter((t, g) for t, g in zip(truth, guess, strict=True) if t != g)
            confusions[head] = [(t, g, count) for (t, g), count in wrong.most_common(20)]
    return Evaluation(
        n=len(examples),
        heads=heads,
        labels=labels,
        confusions=confusions,
        oos=oos_metrics(examples, readings),
        entities=entity_metrics(examples, readings),
        faq=faq_metrics(understander.embed, index, queries) if index is not None and queries else {},
        speed=speed(understander, [e.text for e in examples]) if timed and examples else {},
    )


def read_texts(understander: ReleaseUnderstander, texts: Sequence[str]) -> list[Understanding]:
    """Reads texts in batches of similar length.

    Args:
        understander: the release.
        texts: any strings; they are read as in serving, and `given_entities` counts in them as they are.

    Returns:
        One understanding a text, in order.
    """
    found: list[Understanding | None] = [None] * len(texts)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        for row, reading in zip(rows, understander.understand([texts[i] for i in rows]), strict=True):
            found[row] = reading
    return [reading for reading in found if reading is not None]


def head_metrics(truth: Sequence[str], guess: Sequence[str], confidence: NDArray[np.float64]) -> dict[str, float]:
    """Accuracy, macro F1 over the labels that occur in `truth`, and calibration error (15 bins).

    Args:
        truth: right labels.
        guess: predicted labels.
        confidence: probability of each guess, shape `(n,)`.

    Returns:
        `accuracy`, `macro_f1`, `ece`.
    """
    right = np.array([t == g for t, g in zip(truth, guess, strict=True)])
    scores = []
    for label in sorted(set(truth)):
        hit = sum(t == g == label for t, g in zip(truth, guess, strict=True))
        scores.append(2 * hit / max(1, truth.count(label) + guess.count(label)))
    return {
        "accuracy": float(right.mean()),
        "macro_f1": float(np.mean(scores)),
        "ece": float(expected_calibration_error(confidence, right)),
    }


def recalls(truth: Sequence[str], guess: Sequence[str]) -> dict[str, float]:
    """The share of each label's texts that are read rightly."""
    right = Counter(t for t, g in zip(truth, guess, strict=True) if t == g)
    return {label: right[label] / count for label, count in sorted(Counter(truth).items())}


def oos_metrics(examples: Sequence[Example], readings: Sequence[Understanding]) -> dict[str, float]:
    """Out-of-scope detection; see the contract for each figure's meaning.

    Args:
        examples: with the intent `oos` where a text is out of scope.
        readings: of the same texts.

    Returns:
        `auroc`, `recall`, `in_scope_accuracy`, `coverage`, `recall@0.955`; `recall` alone without in-scope texts, empty
        without out-of-scope texts.
    """
    rows = [i for i, e in enumerate(examples) if "intent" in e.labels and readings[i].intent is not None]
    outside = np.array([examples[i].labels["intent"] == OUT_OF_SCOPE for i in rows], dtype=bool)
    if not outside.any():
        return {}
    if outside.all():
        return {"recall": float(np.mean([readings[i].oos >= readings[i].thresholds.oos_reject for i in rows]))}
    scores = np.array([readings[i].oos for i in rows])
    right = np.array([readings[i].heads["intent"].label == examples[i].labels["intent"] for i in rows])
    rejected = scores >= readings[0].thresholds.oos_reject
    inside = ~outside
    best = 0.0
    for threshold in np.unique(np.append(scores, np.inf)):
        if (right & inside & (scores < threshold)).sum() / inside.sum() >= _KEPT_ACCURACY:
            best = max(best, float((scores[outside] >= threshold).mean()))
    return {
        "auroc": float(auroc(scores, outside)),
        "recall": float(rejected[outside].mean()),
        "in_scope_accuracy": float((right & inside & ~rejected).sum() / inside.sum()),
        "coverage": float((~rejected[inside]).mean()),
        "recall@0.955": best,
    }


def entity_metrics(examples: Sequence[Example], readings: Sequence[Understanding]) -> dict[str, float]:
    """Exact span and type, micro-averaged, over texts whose entities are annotated.

    Args:
        examples: labelled texts.
        readings: of the same texts.

    Returns:
        `f1`, `precision`, `recall`, and `token_f1`, see `token_f1`; empty without annotated entities.
    """
    right = expected = given = 0
    for example, reading in zip(examples, readings, strict=True):
        if example.entities is None:
            continue
        truth, guess = true_entities(example), found_entities(reading)
        right += len(truth & guess)
        expected += len(truth)
        given += len(guess)
    if not expected:
        return {}
    precision, recall = right / max(1, given), right / expected
    f1 = 2 * right / max(1, expected + given)
    return {"f1": f1, "precision": precision, "recall": recall, "token_f1": token_f1(examples, readings)}


def true_entities(example: Example) -> set[tuple[str, int, int]]:
    """The annotated entities of a text: type, first character, one past the last."""
    return {(span.type, span.start, span.end) for span in example.entities or ()}


def found_entities(reading: Understanding) -> set[tuple[str, int, int]]:
    """The entities that the token head finds in a text: type, first character, one past the last."""
    return {(e.type, e.start, e.end) for e in reading.given_entities if e.source == "model"}


def token_f1(examples: Sequence[Example], readings: Sequence[Understanding]) -> float:
    """F1 of each kind of word, those outside of entities included, weighted by how many there are.

    A word is what stands between spaces, in Chinese a character; its kind is the type of the entity that its first
    character is in.

    Args:
        examples: labelled texts; those without annotated entities are left out.
        readings: of the same texts.

    Returns:
        0 to 1.
    """
    pairs: Counter[tuple[str, str]] = Counter()
    for example, reading in zip(examples, readings, strict=True):
        if example.entities is None:
            continue
        truth = [(span.start, span.end, span.type) for span in example.entities]
        guess = [(e.start, e.end, e.type) for e in reading.given_entities if e.source == "model"]
        for word in _WORD.finditer(example.text):
            pairs[_kind_at(word.start(), truth), _kind_at(word.start(), guess)] += 1
    total = 0.0
    for kind in {truth for truth, _ in pairs}:
        right = pairs[kind, kind]
        expected = sum(count for (truth, _), count in pairs.items() if truth == kind)
        given = sum(count for (_, guess), count in pairs.items() if guess == kind)
        total += expected * 2 * right / (expected + given)
    return total / max(1, pairs.total())


def _kind_at(place: int, spans: Sequence[tuple[int, int, str]]) -> str:
    """The type of the span that a character is in, empty where it is in none."""
    return next((kind for start, end, kind in spans if start <= place < end), "")


def faq_metrics(
    embed: Callable[[list[str]], NDArray[np.float32]], index: FaqIndex, queries: Sequence[FaqQuery]
) -> dict[str, float]:
    """FAQ retrieval over all entries.

    Args:
        embed: gives the queries' unit-length vectors, shape `(n, width)`.
        index: the knowledge base.
        queries: queries with the entries that answer them.

    Returns:
        `recall@1`, `recall@3`, `mrr@10`, `map`.

    Raises:
        FaqError: a query names an entry that is not in the index.
    """
    vectors = embed([query.query for query in queries])
    scores = index.search_all(vectors, [query.lang for query in queries], [query.query for query in queries])
    return ranking_metrics(scores, [entry.id for entry in index.entries], [query.relevant for query in queries])


def speed(understander: ReleaseUnderstander, texts: Sequence[str]) -> dict[str, float]:
    """Milliseconds a message, one at a time, and messages a second in batches of 32.

    Args:
        understander: the release.
        texts: what to read.

    Returns:
        `p50_ms`, `p99_ms`, `messages_per_s`.
    """
    sample = list(texts[:: max(1, len(texts) // _TIMED)])[:_TIMED]
    understander.understand(sample[:8])
    times = []
    for text in sample:
        start = time.perf_counter()
        understander.understand([text])
        times.append((time.perf_counter() - start) * 1000)
    start = time.perf_counter()
    for first in range(0, len(sample), 32):
        understander.understand(sample[first : first + 32])
    taken = time.perf_counter() - start
    return {
        "p50_ms": round(float(np.percentile(times, 50)), 2),
        "p99_ms": round(float(np.percentile(times, 99)), 2),
        "messages_per_s": round(len(sample) / taken, 1),
    }
