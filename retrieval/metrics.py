"""How well a ranking of FAQ entries finds the relevant ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.types import FaqError

_MRR_DEPTH = 10


def ranking_metrics(
    scores: NDArray[np.floating], entry_ids: Sequence[str], relevant: Sequence[Collection[str]]
) -> dict[str, float]:
    """Measures a ranking of all entries; of two equal scores the entry that comes first in the knowledge base wins.

    Recall@k is the share of a query's relevant entries among the best k, MRR@10 the reciprocal rank of the first
    relevant one (0 beyond rank 10), MAP the mean average precision over the whole ranking; all are means over queries.

    Args:
        scores: higher is better, shape `(queries, entries)`.
        entry_ids: the ids of the columns.
        relevant: for each query the ids of the entries that answer it.

    Returns:
        `recall@1`, `recall@3`, `mrr@10` and `map`, each 0 to 1.

    Raises:
        FaqError: shapes do not fit, a score is NaN, there are no queries, or a relevant id is unknown.
    """
    expected = (len(relevant), len(entry_ids))
    if scores.shape != expected:
        raise FaqError(f"scores: expected the shape (queries, entries) = {expected}, got {scores.shape}")
    if np.isnan(scores).any():
        raise FaqError("scores: expected numbers, got NaN; check the vectors they were computed from")
    is_relevant = _relevance(entry_ids, relevant)

    order = np.argsort(-scores, axis=1, kind="stable")
    found = np.take_along_axis(is_relevant, order, axis=1)
    ranks = np.arange(1, len(entry_ids) + 1)
    totals = found.sum(axis=1)
    precision = np.cumsum(found, axis=1) / ranks
    first = found.argmax(axis=1) + 1
    return {
        "recall@1": float(np.mean(found[:, :1].sum(axis=1) / totals)),
        "recall@3": float(np.mean(found[:, :3].sum(axis=1) / totals)),
        "mrr@10": float(np.mean(np.where(first <= _MRR_DEPTH, 1 / first, 0.0))),
        "map": float(np.mean((precision * found).sum(axis=1) / totals)),
    }


def _relevance(entry_ids: Sequence[str], relevant: Sequence[Collection[str]]) -> NDArray[np.bool_]:
    if not relevant:
        raise FaqError("expected at least one FAQ query to measure with, got none")
    columns = {entry_id: column for column, entry_id in enumerate(entry_ids)}
    unknown = sorted({entry_id for ids in relevant for entry_id in ids if entry_id not in columns})
    if unknown:
        shown = ", ".join(repr(entry_id) for entry_id in unknown[:20])
        more = f" and {len(unknown) - 20} more" if len(unknown) > 20 else ""
        raise FaqError(f"relevant: {shown}{more} not in the FAQ; correct the queries or add the entries")
    matrix = np.zeros((len(relevant), len(entry_ids)), dtype=np.bool_)
    for row, ids in enumerate(relevant):
        if not ids:
            raise FaqError(f"relevant: query {row + 1} names no entry; every query needs at least one relevant id")
        matrix[row, [columns[entry_id] for entry_id in ids]] = True
    return matrix
