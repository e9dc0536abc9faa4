from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from nlu.calibration import softmax
from nlu.oos_detectors import ClassDetector, EnergyDetector, KnnDetector, MaxProbabilityDetector
from nlu.out_of_scope import MAX_BANK, OosFit, OosModel, auroc, choose_rejection, fit_detector
from nlu.types import InputError, ReleaseError

WIDTH = 16
LABELS = 5


def sample(n: int, outside: int, seed: int = 0, oos_column: bool = False) -> tuple[np.ndarray, ...]:
    """Logits, vectors and truth of `n` in-scope texts around five directions and `outside` ones anywhere."""
    random = np.random.default_rng(seed)
    directions = np.random.default_rng(99).normal(size=(LABELS, WIDTH))
    vectors = directions[random.integers(LABELS, size=n)] + random.normal(scale=0.6, size=(n, WIDTH))
    vectors = np.concatenate([vectors, random.normal(size=(outside, WIDTH))])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    logits = 6 * vectors @ (directions / np.linalg.norm(directions, axis=1, keepdims=True)).T
    is_oos = np.arange(n + outside) >= n
    if oos_column:
        own = np.where(is_oos, 4.0, -2.0) + random.normal(scale=2.0, size=n + outside)
        logits = np.column_stack([logits, own])
    return logits.astype(np.float32), vectors.astype(np.float32), is_oos


def fitted(outside: int = 80, **options: Any) -> OosFit:
    logits, vectors, is_oos = sample(400, outside, oos_column="oos_column" in options)
    return fit_detector(logits, vectors, is_oos, sample(600, 0, seed=5)[1], **options)


@pytest.mark.parametrize("skip", [None, 0])
def test_energy_is_minus_log_sum_exp(skip: int | None) -> None:
    logits = np.array([[50.0, np.log(1), np.log(3)], [1.0, 1000.0, 0.0]])
    found = EnergyDetector(2.0, skip).score(logits, logits)
    kept = logits[:, 1:] / 2 if skip == 0 else logits / 2
    expected = -2 * np.logaddexp.reduce(kept, axis=1)
    np.testing.assert_allclose(found, expected)


def test_max_probability_is_what_lacks_to_certainty() -> None:
    logits = np.array([[9.0, 0.0, np.log(3)]])
    assert MaxProbabilityDetector(1.0, skip=0).score(logits, logits) == pytest.approx([0.25])
    assert MaxProbabilityDetector(2.0).score(logits, logits) == pytest.approx([1 - softmax(logits, 2.0).max()])


def test_knn_is_minus_the_mean_cosine_to_the_nearest() -> None:
    random = np.random.default_rng(0)
    bank, texts = random.normal(size=(30, 8)).astype(np.float16), random.normal(size=(2500, 8))
    found = KnnDetector(bank, 3).score(texts, texts)
    exact = bank.astype(float)
    for row in (0, 1, 1023, 1024, 2499):
        cosines = exact @ texts[row] / np.linalg.norm(exact, axis=1) / np.linalg.norm(texts[row])
        assert found[row] == pytest.approx(-np.sort(cosines)[-3:].mean(), abs=1e-5)


def test_judging_tells_how_near_the_nearest_training_text_is() -> None:
    fit = fitted()
    logits, vectors, _ = sample(20, 5, seed=8)
    knn = next(detector for detector in fit.model.detectors if isinstance(detector, KnnDetector))
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores, nearest = fit.model.judge(logits, vectors)
    np.testing.assert_array_equal(scores, fit.model.score(logits, vectors))
    np.testing.assert_allclose(nearest, (units @ knn.bank.T).max(axis=1), atol=1e-5)


def test_without_distances_nobody_knows_how_near_the_nearest_training_text_is() -> None:
    model = OosModel((EnergyDetector(1.0),), np.zeros(1), np.ones(1), np.ones(1), 0.0)
    assert model.judge(np.zeros((2, 3)), np.zeros((2, 4)))[1] is None


def test_knn_takes_a_small_bank_and_a_zero_vector() -> None:
    bank = np.array([[1, 0], [0, 0]], dtype=np.float16)
    found = KnnDetector(bank, 10).score(np.zeros((2, 1)), np.array([[2.0, 0.0], [0.0, 0.0]]))
    np.testing.assert_allclose(found, [-0.5, 0.0])


def test_the_class_detector_ranks_like_the_probability() -> None:
    logits = np.random.default_rng(0).normal(size=(50, 4))
    found = ClassDetector(2, temperature=1.5).score(logits, logits)
    probability = softmax(logits, 1.5)[:, 2]
    np.testing.assert_allclose(found, np.log(probability / (1 - probability)))


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=40))
@settings(deadline=None)
def test_auroc_agrees_with_counting_pairs(rows: list[tuple[int, bool]]) -> None:
    scores, is_oos = [float(score) for score, _ in rows], [outside for _, outside in rows]
    if all(is_oos) or not any(is_oos):
        with pytest.raises(InputError, match="both"):
            auroc(scores, is_oos)
        return
    pairs = [(a > b) + 0.5 * (a == b) for a, out in rows if out for b, other in rows if not other]
    assert auroc(scores, is_oos) == pytest.approx(sum(pairs) / len(pairs))


def test_auroc_refuses_nan() -> None:
    with pytest.raises(InputError, match="NaN"):
        auroc([np.nan, 1.0], [True, False])


LEVELS = st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.7, 0.9, 1.0])


@given(st.lists(LEVELS, min_size=1, max_size=60), st.lists(LEVELS, max_size=20), st.sampled_from([0.0, 0.03, 0.1, 0.5]))
@settings(deadline=None)
def test_the_threshold_finds_most_within_the_limit(inside: list[float], outside: list[float], limit: float) -> None:
    scores = np.array(inside + outside)
    is_oos = np.arange(len(scores)) >= len(inside)
    threshold = choose_rejection(scores, is_oos, limit)

    def recall(level: float) -> int:
        return int((scores[is_oos] >= level).sum())

    def rejected(level: float) -> int:
        return int((scores[~is_oos] >= level).sum())

    lawful = [level for level in {*scores, 1.5} if rejected(level) <= limit * len(inside) + 1e-9]
    most = max(map(recall, lawful))
    assert rejected(threshold) <= limit * len(inside) + 1e-9
    assert recall(threshold) == most
    if most:
        assert rejected(threshold) == min(rejected(level) for level in lawful if recall(level) == most)
    else:
        assert rejected(threshold) == max(map(rejected, lawful))


def test_the_threshold_lies_half_way() -> None:
    assert choose_rejection([0.1, 0.2, 0.8], [False, False, True]) == pytest.approx(0.5)
    assert choose_rejection([1.0, 1.0], [False, False]) > 1.0


@pytest.mark.parametrize("options", [{}, {"oos_column": LABELS}, {"neighbours": 1}, {"temperature": 0.3}])
def test_the_combination_beats_chance_and_keeps_the_limit_on_new_texts(options: dict[str, Any]) -> None:
    fit = fitted(**options)
    logits, vectors, is_oos = sample(2000, 400, seed=8, oos_column="oos_column" in options)
    scores = fit.model.score(logits, vectors)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert auroc(scores, is_oos) > 0.95
    assert fit.auroc == pytest.approx(auroc(scores, is_oos), abs=0.04)
    assert fit.in_scope_rejected <= 0.03
    assert (scores[~is_oos] >= fit.reject).mean() <= 0.06
    assert fit.recall == pytest.approx((scores[is_oos] >= fit.reject).mean(), abs=0.15)


def test_the_combination_is_at_least_as_good_as_its_best_part() -> None:
    logits, vectors, is_oos = sample(400, 80, oos_column=True)
    fit = fitted(oos_column=LABELS)
    assert [detector.kind for detector in fit.model.detectors] == ["energy", "knn", "max_probability", "class"]
    parts = [auroc(detector.score(logits, vectors), is_oos) for detector in fit.model.detectors]
    assert fit.auroc is not None
    assert fit.auroc >= max(parts) - 0.005
    assert list(fit.parts.values()) == pytest.approx(parts)


def test_without_out_of_scope_texts_one_in_twenty_reaches_a_half() -> None:
    fit = fitted(outside=0)
    logits, vectors, _ = sample(400, 0)
    scores = fit.model.score(logits, vectors)
    assert [detector.kind for detector in fit.model.detectors] == ["energy", "knn"]
    assert (scores >= 0.5).mean() == pytest.approx(0.05, abs=0.02)
    assert np.median(scores) == pytest.approx(0.05, abs=0.02)
    assert fit.in_scope_rejected == pytest.approx(0.03, abs=0.003)
    assert (fit.recall, fit.auroc, fit.parts) == (None, None, {})
    strange, where, is_oos = sample(2000, 400, seed=8)
    assert auroc(fit.model.score(strange, where), is_oos) > 0.85


@pytest.mark.parametrize(
    ("inside", "outside"),
    [(1, 0), (1, 1), (3, 1), (2, 0)],
)
def test_a_handful_of_texts_is_enough_not_to_fail(inside: int, outside: int) -> None:
    logits, vectors, is_oos = sample(inside, outside)
    fit = fit_detector(logits, vectors, is_oos, vectors[:1])
    assert np.isfinite(fit.model.score(logits, vectors)).all()
    assert fit.in_scope_rejected == 0.0


def test_identical_texts_and_perfectly_separable_ones_fit() -> None:
    logits = np.repeat(np.array([[9.0, 0.0], [0.0, 0.0]]), 20, axis=0)
    vectors = np.repeat(np.eye(2), 20, axis=0)
    fit = fit_detector(logits, vectors, np.arange(40) >= 20, vectors[:20])
    assert (fit.auroc, fit.recall, fit.in_scope_rejected) == (1.0, 1.0, 0.0)
    alone = fit_detector(logits[:20], vectors[:20], np.zeros(20), vectors[:20])
    assert alone.in_scope_rejected == 0.0


def test_what_cannot_be_fitted_is_refused() -> None:
    logits, vectors, _ = sample(4, 0)
    with pytest.raises(InputError, match="No held-out text is in scope"):
        fit_detector(logits, vectors, np.ones(4), vectors)
    with pytest.raises(InputError, match="diverged"):
        fit_detector(np.full_like(logits, np.nan), vectors, np.zeros(4), vectors)


def test_a_large_bank_is_thinned_evenly() -> None:
    logits, vectors, is_oos = sample(20, 5)
    bank = np.zeros((MAX_BANK * 3, WIDTH))
    bank[:, 0] = np.arange(len(bank)) / len(bank)
    kept = fit_detector(logits, vectors, is_oos, bank).model.arrays()["knn_bank"]
    assert kept.shape == (MAX_BANK, WIDTH)
    assert kept.dtype == np.float16
    assert kept[[0, -1], 0] == pytest.approx([0.0, 1.0], abs=1e-3)


@pytest.mark.parametrize(("outside", "options"), [(0, {}), (80, {}), (80, {"oos_column": LABELS})])
def test_a_stored_model_scores_the_same(tmp_path: Path, outside: int, options: dict[str, Any]) -> None:
    model = fitted(outside, **options).model
    save_file(model.arrays(), tmp_path / "oos.safetensors")
    stored = json.loads(json.dumps(model.to_json()))
    again = OosModel.from_json(stored, load_file(tmp_path / "oos.safetensors"))
    logits, vectors, _ = sample(50, 50, seed=3, oos_column=bool(options))
    np.testing.assert_array_equal(again.score(logits, vectors), model.score(logits, vectors))


@pytest.mark.parametrize(
    "change",
    [
        {"detectors": []},
        {"detectors": [{"kind": "oracle", "temperature": 1.0}] * 3},
        {"detectors": [{"kind": "energy", "temperature": 0.0}] * 3},
        {"detectors": "energy"},
        {"means": [1.0]},
        {"weights": [1.0, 2.0, float("nan")]},
        {"scales": [1.0, 0.0, 1.0]},
        {"bias": None},
    ],
)
def test_a_damaged_model_is_refused(change: dict[str, Any]) -> None:
    model = fitted().model
    with pytest.raises(ReleaseError, match="Out-of-scope model"):
        OosModel.from_json(model.to_json() | change, model.arrays())


def test_a_missing_bank_is_refused() -> None:
    model = fitted().model
    for arrays in ({}, {"knn_bank": np.zeros((0, WIDTH))}, {"knn_bank": np.zeros(WIDTH)}):
        with pytest.raises(ReleaseError, match="knn_bank"):
            OosModel.from_json(model.to_json(), arrays)
