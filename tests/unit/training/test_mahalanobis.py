from __future__ import annotations

import numpy as np

from training.mahalanobis import mahalanobis_distances


def test_it_counts_what_varies_little_more_than_what_varies_much() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(3), 200)
    centres = np.eye(4, dtype=np.float32)[:3]
    known = (centres[labels] + rng.normal(size=(600, 4)) * [0.3, 0.02, 0.02, 0.02]).astype(np.float32)
    near, wide, narrow = centres[0], centres[0] + [0.3, 0, 0, 0], centres[0] + [0, 0, 0, 0.3]
    found = mahalanobis_distances(np.stack([near, wide, narrow]).astype(np.float32), known, labels)
    assert found[0] < found[1] < found[2]


def test_it_agrees_with_the_formula() -> None:
    rng = np.random.default_rng(2)
    known, texts = (rng.normal(size=(count, 5)).astype(np.float32) for count in (40, 7))
    labels = np.arange(40) % 4
    means = np.stack([known[labels == label].mean(0) for label in range(4)])
    spread = known - means[labels]
    covariance = 0.9 * spread.T @ spread / 40
    covariance += 0.1 * np.trace(spread.T @ spread / 40) / 5 * np.eye(5)
    expected = [min((text - mean) @ np.linalg.inv(covariance) @ (text - mean) for mean in means) for text in texts]
    np.testing.assert_allclose(mahalanobis_distances(texts, known, labels), expected, rtol=1e-4)


def test_identical_vectors_do_no_harm() -> None:
    found = mahalanobis_distances(np.ones((2, 3), np.float32), np.ones((4, 3), np.float32), np.array([0, 0, 1, 1]))
    assert np.isfinite(found).all()
