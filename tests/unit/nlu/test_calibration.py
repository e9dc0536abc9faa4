from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlu.calibration import (
    choose_threshold,
    expected_calibration_error,
    fit_temperature,
    risk_coverage,
    softmax,
)
from nlu.types import InputError

ANSWERS = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.booleans()), max_size=30)


def drawn_labels(logits: np.ndarray, temperature: float, seed: int = 0) -> np.ndarray:
    chance = np.random.default_rng(seed).random(len(logits))
    return (softmax(logits, temperature).cumsum(axis=1) < chance[:, None]).sum(axis=1)


def likelihood(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    return float(np.log(softmax(logits, temperature)[np.arange(len(logits)), labels]).mean())


def test_softmax_adds_up_and_survives_huge_logits() -> None:
    found = softmax([[1000.0, 0.0], [-1e308, -1e308], [0.0, np.log(3)]])
    np.testing.assert_allclose(found, [[1, 0], [0.5, 0.5], [0.25, 0.75]])
    np.testing.assert_allclose(softmax([0.0, 2 * np.log(3)], temperature=2), [0.25, 0.75])


@pytest.mark.parametrize("true", [0.2, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(true: float) -> None:
    logits = np.random.default_rng(1).normal(scale=2.0, size=(20_000, 6))
    assert fit_temperature(logits, drawn_labels(logits, true)) == pytest.approx(true, rel=0.05)


@given(st.integers(0, 10_000), st.integers(30, 200), st.integers(2, 5))
@settings(deadline=None)
def test_no_other_temperature_makes_the_smoothed_labels_likelier(seed: int, n: int, k: int) -> None:
    logits = np.random.default_rng(seed).normal(scale=3.0, size=(n, k))
    labels = drawn_labels(logits, 1.5, seed)
    share = n / (n + 1)

    def objective(temperature: float) -> float:
        every = float(np.log(softmax(logits, temperature)).mean())
        return share * likelihood(logits, labels, temperature) + (1 - share) * every

    best = fit_temperature(logits, labels)
    assert 0.05 <= best <= 20
    for other in (0.05, 0.5 * best, 0.98 * best, 1.02 * best, 2 * best, 20.0):
        if 0.05 <= other <= 20:
            assert objective(best) >= objective(other) - 1e-9


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (np.zeros((0, 3)), []),
        (np.full((5, 1), 7.0), [0] * 5),
        (np.zeros((4, 3)), [0, 1, 2, 0]),
    ],
    ids=["no text", "one label", "no difference"],
)
def test_where_there_is_nothing_to_fit_the_temperature_is_one(logits: np.ndarray, labels: list[int]) -> None:
    assert fit_temperature(logits, labels) == 1.0


def test_the_temperature_stays_within_its_bounds() -> None:
    sure = np.eye(4) * 0.01
    assert fit_temperature(np.tile(sure, (5000, 1)), np.tile(np.arange(4), 5000)) == 0.05
    assert fit_temperature(sure * 1e4, [1, 2, 3, 0]) == 20.0
    assert fit_temperature(np.eye(2) * 1e300, [0, 1]) == 20.0


def test_a_few_separable_texts_do_not_make_it_certain() -> None:
    logits = np.array([[4.0, 0.0], [0.0, 4.0], [4.0, 0.0]])
    temperature = fit_temperature(logits, [0, 1, 0])
    assert softmax(logits, temperature).max(axis=1) == pytest.approx(7 / 8, abs=1e-6)


def test_logits_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match="learning rate"):
        fit_temperature([[np.nan, 0.0]], [0])


@pytest.mark.parametrize(
    ("confidence", "correct", "expected"),
    [
        ([], [], 0.0),
        ([1.0, 1.0], [True, True], 0.0),
        ([1.0, 1.0], [True, False], 0.5),
        ([0.0, 0.0], [False, True], 0.5),
        ([0.9, 0.9, 0.3], [True, True, False], (0.1 * 2 + 0.3) / 3),
        ([0.61, 0.65], [True, False], (0.61 + 0.65 - 1) / 2),
        ([0.61, 0.72], [True, False], (0.39 + 0.72) / 2),
    ],
    ids=["none", "right", "half right", "at zero", "two bins", "one bin", "neighbouring bins"],
)
def test_calibration_error(confidence: list[float], correct: list[bool], expected: float) -> None:
    assert expected_calibration_error(confidence, correct) == pytest.approx(expected)


@given(ANSWERS, st.integers(1, 20))
@settings(deadline=None)
def test_calibration_error_is_the_sum_over_bins(answers: list[tuple[float, bool]], bins: int) -> None:
    confidence, correct = [a for a, _ in answers], [b for _, b in answers]
    expected = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = [(c, r) for c, r in answers if low < c <= high or (number == 0 and c == 0)]
        if inside:
            gap = np.mean([c for c, _ in inside]) - np.mean([r for _, r in inside])
            expected += abs(gap) * len(inside) / len(answers)
    assert expected_calibration_error(confidence, correct, bins) == pytest.approx(expected)


@given(ANSWERS)
@settings(deadline=None)
def test_the_curve_counts_what_each_threshold_accepts(answers: list[tuple[float, bool]]) -> None:
    confidence, correct = [a for a, _ in answers], [b for _, b in answers]
    curve = risk_coverage(confidence, correct)
    assert list(curve.threshold) == sorted(set(confidence), reverse=True)
    for threshold, coverage, risk in zip(curve.threshold, curve.coverage, curve.risk, strict=True):
        accepted = [right for sure, right in answers if sure >= threshold]
        assert coverage == pytest.approx(len(accepted) / len(answers))
        assert risk == pytest.approx(1 - np.mean(accepted))


@given(ANSWERS, st.sampled_from([0.0, 0.05, 0.2, 0.5]))
@settings(deadline=None)
def test_the_threshold_is_the_lowest_that_keeps_the_risk(answers: list[tuple[float, bool]], risk: float) -> None:
    confidence, correct = [a for a, _ in answers], [b for _, b in answers]
    threshold = choose_threshold(confidence, correct, risk)

    def estimate(level: float) -> float:
        accepted = [right for sure, right in answers if sure >= level]
        overall = correct.count(False) / len(correct)
        return (accepted.count(False) + 10 * overall) / (len(accepted) + 10)

    good = [level for level in set(confidence) if estimate(level) <= risk + 1e-9]
    if not good:
        assert threshold == 1.0
    elif min(good) == min(confidence):
        assert threshold == 0.0
    else:
        assert threshold == min(good)


def test_a_short_lucky_run_is_not_believed() -> None:
    confidence = np.linspace(1, 0, 40)
    correct = np.arange(40) < 4
    assert choose_threshold(confidence, correct, risk=0.1) == 1.0
    many = np.repeat(confidence, 100)
    assert choose_threshold(many, np.repeat(correct, 100), risk=0.1) == pytest.approx(confidence[3])
