"""Many vectors: how well, how fast and in how much room an index finds the nearest, from a thousand to a million."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from bench.commands import say
from bench.figures import Figure, Goal, Outcome, latency
from bench.releases import Setup
from retrieval.nearest.in_process import FaissIndex, stored_bytes
from retrieval.types import Vector

SIZES = (1_000, 100_000, 1_000_000)
_WIDTH = 384
_LATENT = 48
_PER_CLUSTER = 20
_QUERIES = 200
_TOP = 10
_LINKS = 32
_CHUNK = 20_000
_COMMAND = "python -m bench nearest"


@dataclass(frozen=True, slots=True)
class Trial:
    """How an index did.

    Attributes:
        recall: share of the ten nearest rows that it found.
        p50: milliseconds of a search on one thread.
        bytes: of its files, a vector.
        minutes: its build took.
    """

    recall: float
    p50: float
    bytes: float
    minutes: float


def made(rows: int, seed: int) -> Vector:
    """Unit-length vectors like those of sentences: clusters of rewordings in a space of far fewer dimensions.

    Each cluster of twenty has a centre in 48 dimensions and spreads around it nearly as much; all is turned into 384
    dimensions, with a little noise in each.

    Args:
        rows: how many.
        seed: of the vectors; the space is always the same.

    Returns:
        Shape `(rows, 384)`.
    """
    turn = np.random.default_rng(0).normal(size=(_LATENT, _WIDTH)).astype(np.float32) / np.sqrt(_LATENT)
    random = np.random.default_rng(seed)
    vectors = np.empty((rows, _WIDTH), dtype=np.float32)
    for start in range(0, rows, _CHUNK):
        count = min(_CHUNK, rows - start)
        centres = random.normal(size=(-(-count // _PER_CLUSTER), _LATENT)).astype(np.float32)
        latent = np.repeat(centres, _PER_CLUSTER, axis=0)[:count]
        latent = latent + 0.8 * random.normal(size=latent.shape).astype(np.float32)
        piece = latent @ turn + 0.1 * random.normal(size=(count, _WIDTH)).astype(np.float32)
        vectors[start : start + count] = piece / np.linalg.norm(piece, axis=1, keepdims=True)
    return vectors


def asked(vectors: Vector, count: int = _QUERIES) -> Vector:
    """Queries that reword some of the vectors: each is moved by as much as rewordings of a cluster differ.

    Args:
        vectors: what is searched, shape `(rows, width)`.
        count: how many queries.

    Returns:
        Unit length, shape `(count, width)`; none of them is among the vectors.
    """
    random = np.random.default_rng(1)
    chosen = vectors[random.choice(len(vectors), min(count, len(vectors)), replace=False)]
    moved = chosen + 0.4 * random.normal(size=chosen.shape).astype(np.float32) / np.sqrt(_WIDTH)
    queries: Vector = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    return queries


def measure(setup: Setup) -> Outcome:
    """Builds indexes of each size and searches them.

    Args:
        setup: only the seeds are looked at: the first makes the vectors.

    Returns:
        Recall, time, room and build time, beside plain FAISS.
    """
    figures: list[Figure] = []
    p50: dict[int, float] = {}
    for rows in SIZES:
        say(f"{rows} vectors")
        vectors = made(rows, setup.seeds[0])
        for name, trial in trials(vectors, asked(vectors)).items():
            ours = name == "Frontdesk"
            largest = ours and rows == max(SIZES)
            label = f"{rows:,} vectors, {name}"
            figures += [
                Figure(f"{label}: recall@10", (trial.recall,), _COMMAND, goal=Goal("at least", 0.98) if ours else None),
                Figure(f"{label}: p50", (1000 * trial.p50,), _COMMAND, "µs", Goal("at most", 2000) if ours else None),
                Figure(
                    f"{label}: a vector", (trial.bytes,), _COMMAND, "bytes", Goal("at most", 700) if largest else None
                ),
                Figure(f"{label}: build", (trial.minutes,), _COMMAND, "min"),
            ]
            if ours:
                p50[rows] = trial.p50
    growth = p50[max(SIZES)] / p50[min(SIZES)]
    figures.append(Figure("growth of p50 over all sizes", (growth,), _COMMAND, "x", Goal("at most", 8)))
    return Outcome(tuple(figures))


def trials(vectors: Vector, queries: Vector) -> dict[str, Trial]:
    """Tries Frontdesk's index and two plain ones of FAISS on the same vectors.

    Args:
        vectors: what is searched.
        queries: what is asked.

    Returns:
        How each did.
    """
    flat = _plain(faiss.IndexFlatIP(_WIDTH), vectors)
    truth = flat.index.search(queries, _TOP)[1]
    found = {"plain FAISS, flat": _trial(truth, queries, flat.search, flat.minutes, 4 * _WIDTH)}
    # Each index goes before the next comes: a million vectors fill gigabytes.
    del flat
    flat = _plain(faiss.IndexHNSWFlat(_WIDTH, _LINKS, faiss.METRIC_INNER_PRODUCT), vectors)
    room = len(faiss.serialize_index(flat.index)) / len(vectors)
    found["plain FAISS, graph with its defaults"] = _trial(truth, queries, flat.search, flat.minutes, room)
    del flat
    began = time.perf_counter()
    index = FaissIndex.build(vectors)
    minutes = (time.perf_counter() - began) / 60
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder), "bench")
        room = stored_bytes(Path(folder)) / len(vectors)
    found["Frontdesk"] = _trial(truth, queries, lambda query: index.search(query, _TOP).rows, minutes, room)
    return found


@dataclass(frozen=True, slots=True)
class _Plain:
    index: Any
    minutes: float

    def search(self, query: Vector) -> Sequence[int]:
        rows: Sequence[int] = self.index.search(query[None], _TOP)[1][0]
        return rows


def _plain(index: Any, vectors: Vector) -> _Plain:
    began = time.perf_counter()
    index.add(vectors)
    return _Plain(index, (time.perf_counter() - began) / 60)


def _trial(
    truth: Any, queries: Vector, search: Callable[[Vector], Sequence[int]], minutes: float, room: float
) -> Trial:
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    milliseconds, hits = [], 0
    for query, right in zip(queries, truth, strict=True):
        began = time.perf_counter()
        rows = search(query)
        milliseconds.append(1000 * (time.perf_counter() - began))
        hits += len(set(right.tolist()) & set(np.asarray(rows).tolist()))
    faiss.omp_set_num_threads(threads)
    return Trial(hits / truth.size, latency(milliseconds).p50, room, minutes)
