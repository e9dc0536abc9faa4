"""Calibrated probabilities and the thresholds that follow from them, fitted on held-out texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nlu.types import InputError

Floats = NDArray[np.float64]

MIN_TEMPERATURE = 0.05
MAX_TEMPERATURE = 20.0

_STEPS = 60
_FLOOR = -1e9
_PRIOR_ANSWERS = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class RiskCoverage:
    """What accepting only confident answers costs and gains, from the strictest threshold to the laxest.

    Attributes:
        threshold: each distinct confidence, falling, shape `(t,)`.
        coverage: share of all answers at or above it, shape `(t,)`.
        risk: share of wrong ones among those, shape `(t,)`.
    """

    threshold: Floats
    coverage: Floats
    risk: Floats

    def coverage_at(self, risk: float) -> float:
        """The largest share that can be answered while no more than `risk` of the answers are wrong."""
        lawful = self.coverage[self.risk <= risk + 1e-12]
        return float(lawful.max()) if len(lawful) else 0.0

    @property
    def area(self) -> float:
        """The mean risk over all coverages, lower is better; 0 without answers."""
        steps = np.diff(self.coverage, prepend=0.0)
        return float((self.risk * steps).sum())


def softmax(logits: ArrayLike, temperature: float = 1.0) -> Floats:
    """Probabilities of logits that are divided by a temperature.

    Args:
        logits: shape `(…, labels)`.
        temperature: above 0; higher is less sure.

    Returns:
        Shape `(…, labels)`, each row adding up to 1.
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float64)


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Finds the temperature under which the labels are most likely (Guo et al. 2017, section 4.2).

    The log-likelihood is concave in 1/temperature, so a Newton search inside a shrinking bracket finds the one optimum.
    Each label counts `n / (n + 1)` and all labels share the rest, as in Platt (1999), section 2.2: with few texts, or
    with no error among them, the answer stays finite and modest; with many it makes no difference.

    Args:
        logits: shape `(n, labels)`.
        labels: the right label's column, shape `(n,)`.

    Returns:
        0.05 to 20; 1 where there is nothing to fit (no text, a single label, or logits without any difference).

    Raises:
        InputError: a logit is not finite.
    """
    values = np.asarray(logits, dtype=np.float64)
    if values.size and not np.isfinite(values).all():
        raise InputError(
            "Logits hold NaN or infinity, so training has diverged. Lower the learning rate and train again."
        )
    if not values.size or not np.ptp(values, axis=1).any():
        return 1.0
    values = np.maximum(values - values.max(axis=1, keepdims=True), _FLOOR)
    n = len(values)
    picked = values[np.arange(n), np.asarray(labels, dtype=np.int64)]
    target = float(((n * picked + values.mean(axis=1)) / (n + 1)).mean())

    low, high = 1 / MAX_TEMPERATURE, 1 / MIN_TEMPERATURE
    if _slope(values, low)[0] >= target:
        return MAX_TEMPERATURE
    if _slope(values, high)[0] <= target:
        return MIN_TEMPERATURE
    inverse = 1.0
    for _ in range(_STEPS):
        expected, variance = _slope(values, inverse)
        low, high = (low, inverse) if expected > target else (inverse, high)
        step = inverse - (expected - target) / variance if variance > 0 else low
        if not low < step < high:
            step = (low + high) / 2
        if abs(step - inverse) <= 1e-12 * inverse:
            break
        inverse = step
    return float(np.clip(1 / inverse, MIN_TEMPERATURE, MAX_TEMPERATURE))


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike, bins: int = 15) -> float:
    """How far confidence and accuracy lie apart, over equal-width bins (Guo et al. 2017, section 2).

    Args:
        confidence: probability of each answer, 0 to 1, shape `(n,)`.
        correct: whether it is right, shape `(n,)`.
        bins: how many; a bin takes its upper edge.

    Returns:
        0 to 1; 0 without answers.
    """
    sure = np.asarray(confidence, dtype=np.float64)
    right = np.asarray(correct, dtype=np.float64)
    if not len(sure):
        return 0.0
    which = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(which, weights=sure - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(sure))


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> RiskCoverage:
    """The curve of risk over coverage (Geifman & El-Yaniv 2017, section 2).

    Args:
        confidence: of each answer, shape `(n,)`.
        correct: whether it is right, shape `(n,)`.

    Returns:
        One point for each distinct confidence; none without answers.
    """
    threshold, accepted, wrong = _accepted(confidence, correct)
    total = accepted[-1] if len(accepted) else 1.0
    return RiskCoverage(threshold, accepted / total, wrong / np.maximum(accepted, 1.0))


def choose_threshold(confidence: ArrayLike, correct: ArrayLike, risk: float) -> float:
    """The lowest threshold whose accepted answers are wrong no more often than `risk`.

    The wrong share among few accepted answers is uncertain, so it is drawn towards the wrong share among all by ten
    answers' weight: `(wrong + 10 * overall) / (accepted + 10)`. A short lucky run at the top is not believed, and with
    hundreds of answers the correction vanishes.

    Args:
        confidence: of each answer, 0 to 1, shape `(n,)`.
        correct: whether it is right, shape `(n,)`.
        risk: the wrong share that may be accepted, 0 to 1.

    Returns:
        A threshold for `confidence >= threshold`: 0 where everything may be accepted, 1 where no threshold is good
        enough or there are no answers.
    """
    threshold, accepted, wrong = _accepted(confidence, correct)
    if not len(threshold):
        return 1.0
    estimate = _estimate(wrong, accepted, wrong[-1] / accepted[-1])
    good = np.flatnonzero(estimate <= risk + 1e-12)
    if not len(good):
        return 1.0
    return 0.0 if good[-1] == len(threshold) - 1 else float(threshold[good[-1]])


def estimate_risk(accepted: ArrayLike, correct: ArrayLike) -> float:
    """The wrong share among the accepted answers, estimated as `choose_threshold` does.

    Args:
        accepted: whether each answer is accepted, shape `(n,)`.
        correct: whether it is right, shape `(n,)`.

    Returns:
        0 to 1; 0 without answers.
    """
    taken, wrong = np.asarray(accepted, dtype=bool), ~np.asarray(correct, dtype=bool)
    if not len(wrong):
        return 0.0
    return float(_estimate(np.atleast_1d(np.sum(wrong & taken)), np.atleast_1d(np.sum(taken)), wrong.mean())[0])


def _estimate(wrong: Floats, accepted: Floats, overall: float | np.floating[Any]) -> Floats:
    return (wrong + _PRIOR_ANSWERS * overall) / (accepted + _PRIOR_ANSWERS)


def _slope(values: Floats, inverse: float) -> tuple[float, float]:
    """Mean and variance of the logits under the probabilities at an inverse temperature, averaged over texts."""
    weights = softmax(values * inverse)
    mean = (weights * values).sum(axis=1)
    variance = (weights * (values - mean[:, None]) ** 2).sum(axis=1)
    return float(mean.mean()), float(variance.mean())


def _accepted(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Distinct confidences, falling; how many answers lie at or above each, and how many of them are wrong."""
    sure = np.asarray(confidence, dtype=np.float64)
    wrong = ~np.asarray(correct, dtype=bool)
    threshold, which = np.unique(-sure, return_inverse=True)
    accepted = np.cumsum(np.bincount(which, minlength=len(threshold)))
    mistakes = np.cumsum(np.bincount(which, weights=wrong, minlength=len(threshold)))
    return -threshold, accepted.astype(np.float64), mistakes.astype(np.float64)
