"""What every `VectorIndex` has to do, whatever holds its vectors."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.nearest.port import VectorIndex
from retrieval.types import FaqError, Vector

WIDTH = 32
ROWS = 3000


def made_vectors(rows: int = ROWS, width: int = WIDTH, seed: int = 0) -> Vector:
    """Unit-length vectors in clusters, as sentence vectors of a knowledge base are."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(max(1, rows // 20), width))
    vectors = centres[np.arange(rows) % len(centres)] + 0.5 * random.normal(size=(rows, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


class VectorIndexContract:
    """Tests for a fixture `index` over `made_vectors()`."""

    exactness = 0.03
    recall = 0.95

    def test_it_has_all_vectors(self, index: VectorIndex) -> None:
        assert (len(index), index.width) == (ROWS, WIDTH)

    def test_a_vector_finds_itself(self, index: VectorIndex) -> None:
        for row in (0, 17, ROWS - 1):
            found = index.search(made_vectors()[row], 3)
            assert found.rows[0] == row
            assert found.cosines[0] == pytest.approx(1.0, abs=self.exactness)
            assert list(found.cosines) == sorted(found.cosines, reverse=True)

    def test_it_finds_what_comparing_all_finds(self, index: VectorIndex) -> None:
        vectors, queries = made_vectors(), made_vectors(40, seed=1)
        hits = 0
        for query in queries:
            truth = set(np.argsort(-(vectors @ query))[:10].tolist())
            found = index.search(query, 10)
            hits += len(truth & set(found.rows.tolist()))
            np.testing.assert_allclose(found.cosines, vectors[found.rows] @ query, atol=self.exactness)
        assert hits >= self.recall * 10 * len(queries)

    @pytest.mark.parametrize("allowed", [[], [5], [3, 900, 2500], range(0, ROWS, 2), range(100, 130)])
    def test_only_what_is_allowed_is_found(self, index: VectorIndex, allowed: range | list[int]) -> None:
        rows = np.array(list(allowed), dtype=np.int64)
        found = index.search(made_vectors(1, seed=2)[0], 10, rows)
        assert set(found.rows.tolist()) <= set(rows.tolist())
        assert len(found.rows) == len(found.cosines) == min(10, len(rows))

    def test_of_few_allowed_the_nearest_is_found(self, index: VectorIndex) -> None:
        vectors, allowed = made_vectors(), np.arange(7, ROWS, 250)
        for query in made_vectors(10, seed=3):
            truth = allowed[np.argmax(vectors[allowed] @ query)]
            assert index.search(query, 1, allowed).rows.tolist() == [truth]

    def test_no_more_than_there_are_are_found(self, index: VectorIndex) -> None:
        found = index.search(made_vectors(1, seed=4)[0], ROWS + 5)
        assert len(set(found.rows.tolist())) == len(found.rows) <= ROWS

    @pytest.mark.parametrize(
        ("vector", "top", "message"),
        [
            (np.ones(3, dtype=np.float32), 1, "width 32, as the index has, got 3"),
            (np.ones(WIDTH, dtype=np.float32), 1, "expected vectors of length 1"),
            (np.eye(1, WIDTH, dtype=np.float32)[0], 0, "top: expected 1 or more, got 0"),
        ],
    )
    def test_a_wrong_query_is_named(self, index: VectorIndex, vector: Vector, top: int, message: str) -> None:
        with pytest.raises(FaqError, match=message):
            index.search(vector, top)
