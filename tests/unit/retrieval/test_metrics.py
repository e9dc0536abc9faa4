from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.metrics import ranking_metrics
from retrieval.types import FaqError

IDS = ["a", "b", "c", "d"]


def test_a_known_ranking():
    scores = np.array([[0.9, 0.1, 0.2, 0.3], [0.9, 0.8, 0.7, 0.6], [0.1, 0.2, 0.3, 0.4]])
    metrics = ranking_metrics(scores, IDS, [["a"], ["b", "d"], ["a"]])
    assert metrics == pytest.approx(
        {
            "recall@1": (1 + 0 + 0) / 3,
            "recall@3": (1 + 0.5 + 0) / 3,
            "mrr@10": (1 + 1 / 2 + 1 / 4) / 3,
            "map": (1 + (1 / 2 + 2 / 4) / 2 + 1 / 4) / 3,
        }
    )


def test_the_first_of_equals_wins():
    equal = np.zeros((1, 4))
    assert ranking_metrics(equal, IDS, [["a"]])["recall@1"] == 1.0
    assert ranking_metrics(equal, IDS, [["d"]])["mrr@10"] == 0.25


def test_beyond_rank_ten_there_is_no_reciprocal_rank():
    ids = [str(number) for number in range(12)]
    scores = -np.arange(12.0)[None]
    assert ranking_metrics(scores, ids, [["9"]])["mrr@10"] == 0.1
    assert ranking_metrics(scores, ids, [["10"]])["mrr@10"] == 0.0


def naive(scores, relevant):
    average_precisions, recalls = [], []
    for row, ids in zip(scores, relevant, strict=True):
        ranked = [name for _, name in sorted(zip(row, IDS, strict=True), key=lambda pair: -pair[0])]
        hits, precisions = 0, []
        for rank, name in enumerate(ranked, start=1):
            if name in ids:
                hits += 1
                precisions.append(hits / rank)
        average_precisions.append(sum(precisions) / len(ids))
        recalls.append(len(set(ranked[:3]) & ids) / len(ids))
    return sum(average_precisions) / len(scores), sum(recalls) / len(scores)


@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(-3, 3), min_size=4, max_size=4),
            st.sets(st.sampled_from(IDS), min_size=1),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_map_and_recall_agree_with_a_naive_implementation(queries):
    scores = [row for row, _ in queries]
    relevant = [ids for _, ids in queries]
    metrics = ranking_metrics(np.array(scores, dtype=np.float32), IDS, relevant)
    expected_map, expected_recall = naive(scores, relevant)
    assert metrics["map"] == pytest.approx(expected_map)
    assert metrics["recall@3"] == pytest.approx(expected_recall)
    assert 0.0 <= metrics["recall@1"] <= metrics["recall@3"] <= 1.0


WRONG = {
    "unknown ids": (np.zeros((1, 4)), [["a", "z", "y"]], "relevant: 'y', 'z' not in the FAQ"),
    "no relevant id": (np.zeros((2, 4)), [["a"], []], "relevant: query 2 names no entry"),
    "no queries": (np.zeros((0, 4)), [], "at least one FAQ query"),
    "wrong shape": (np.zeros((1, 3)), [["a"]], r"expected the shape \(queries, entries\) = \(1, 4\), got \(1, 3\)"),
    "not a number": (np.full((1, 4), np.nan), [["a"]], "got NaN"),
}


@pytest.mark.parametrize(("scores", "relevant", "message"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_measured_is_named(scores, relevant, message):
    with pytest.raises(FaqError, match=message):
        ranking_metrics(scores, IDS, relevant)


def test_many_unknown_ids_are_counted():
    with pytest.raises(FaqError, match="and 5 more not in the FAQ"):
        ranking_metrics(np.zeros((1, 4)), IDS, [[f"x{number}" for number in range(25)]])
