from __future__ import annotations

import numpy as np
import pytest

from nlu.calibration import estimate_risk
from training.calibrate import Calibrated, calibrate
from training.datasets import Features, LabelSets
from training.reading import Readings

LABELS = ("cancel", "refund")


def calibrated(wrong_every: int, risk: float, head: str = "intent") -> Calibrated:
    """Two hundred held-out texts that are read with like certainty, one in some of them wrongly."""
    truth = np.arange(200) % 2
    guess = np.where(np.arange(200) % wrong_every == 0, 1 - truth, truth)
    logits = np.where(np.eye(2)[guess] > 0, 2.0, -2.0) + np.random.default_rng(0).normal(0, 0.1, (200, 2))
    vectors = np.random.default_rng(1).normal(size=(200, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    readings = Readings(vectors, {head: logits.astype(np.float32)}, [])
    held = [Features((1, 2), {head: int(label)}, None) for label in truth]
    return calibrate(readings, held, LabelSets({head: LABELS}, ()), vectors, truth, risk)


def test_a_risk_that_cannot_be_kept_is_told_and_the_bot_still_speaks() -> None:
    found = calibrated(wrong_every=4, risk=0.05)
    assert found.calibration.thresholds.intent_accept == 0.9
    (missed,) = found.missed
    assert (missed.name, missed.wanted, missed.threshold) == ("intent_accept", 0.05, 0.9)
    assert missed.found == pytest.approx(0.25, abs=0.05)
    assert "at most 5% mistakes could not be kept" in str(missed)


def test_an_emotion_that_cannot_be_believed_is_told() -> None:
    (strong,) = calibrated(wrong_every=5, risk=0.05, head="emotion").missed
    assert (strong.name, strong.wanted, strong.threshold) == ("emotion_strong", 0.08, 0.97)
    accept, strong = calibrated(wrong_every=2, risk=0.05, head="emotion").missed
    assert (accept.name, accept.wanted, accept.threshold) == ("emotion_accept", 0.25, 0.9)
    assert strong.name == "emotion_strong"
    assert calibrated(wrong_every=100, risk=0.05, head="emotion").missed == ()


@pytest.mark.parametrize(("wrong_every", "risk"), [(100, 0.05), (4, 0.4)])
def test_a_risk_that_is_kept_needs_no_notice(wrong_every: int, risk: float) -> None:
    assert calibrated(wrong_every, risk).missed == ()


def test_the_risk_of_what_is_accepted_is_drawn_towards_the_risk_of_all() -> None:
    right = np.array([True] * 90 + [False] * 10)
    assert estimate_risk(np.ones(100), right) == pytest.approx(0.1)
    assert estimate_risk(np.zeros(100), right) == pytest.approx(0.1)
    assert estimate_risk(right, right) == pytest.approx(1 / 100)
    assert estimate_risk([], []) == 0.0
