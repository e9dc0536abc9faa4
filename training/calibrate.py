"""Makes calibrated scores of held-out readings: temperatures, the out-of-scope model, thresholds for a wanted risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu.calibration import (
    RiskCoverage,
    choose_threshold,
    estimate_risk,
    expected_calibration_error,
    fit_temperature,
    risk_coverage,
    softmax,
)
from nlu.out_of_scope import OosFit, auroc, fit_detector
from nlu.runtime import Calibration
from nlu.types import OUT_OF_SCOPE, Thresholds, Vector
from training.datasets import NO_LABEL, Features, LabelSets, label_array
from training.mahalanobis import mahalanobis_distances
from training.reading import Readings

SHOWN_RISKS = (0.01, 0.02, 0.05)
"""Shares of wrong answers for which the card tells how much is answered."""
_EMOTIONS = (("emotion_accept", 0.25, 0.35, 0.9), ("emotion_strong", 0.08, 0.8, 0.97))
"""The thresholds of emotions: the risk that each is wanted to keep, its lowest and its highest value."""
_MOST_ACCEPT = 0.9
"""No certainty above this is asked for: a release that learnt little would fall silent."""


@dataclass(frozen=True, slots=True)
class MissedRisk:
    """A wanted risk that no sensible threshold keeps on the held-out texts.

    Attributes:
        name: of the threshold.
        wanted: the share of mistakes that is borne.
        threshold: what was taken.
        found: the share of mistakes that it lets through.
    """

    name: str
    wanted: float
    threshold: float
    found: float

    def __str__(self) -> str:
        return (
            f"{self.name}: at most {self.wanted:.0%} mistakes could not be kept on the held-out texts; at its "
            f"threshold of {self.threshold:.2f} it is {self.found:.0%}. More or clearer examples would help."
        )


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """A calibration and what it does to held-out texts.

    Attributes:
        calibration: goes into the release.
        quality: figures for the manifest: for each head `accuracy`, `ece`, `aurc` and `answered@…`, and `oos`.
        curves: risk over coverage of each head.
        missed: the risks that were wanted in vain.
    """

    calibration: Calibration
    quality: dict[str, Any]
    curves: dict[str, RiskCoverage]
    missed: tuple[MissedRisk, ...] = ()

    def with_bank(self, bank: Vector) -> Calibrated:
        """The same for a model that has learnt the held-out texts since.

        Args:
            bank: its vectors of in-scope training texts, shape `(m, width)`.

        Returns:
            The calibration with these vectors to compare with; temperatures and thresholds stay.
        """
        oos = self.calibration.oos
        return replace(self, calibration=replace(self.calibration, oos=oos.with_bank(bank) if oos else None))


def calibrate(
    readings: Readings,
    held: Sequence[Features],
    sets: LabelSets,
    bank: Vector,
    bank_labels: NDArray[np.int64],
    risk: float = 0.05,
) -> Calibrated:
    """Fits temperatures, the out-of-scope model and thresholds on held-out readings.

    Args:
        readings: held-out texts as the model reads them.
        held: the same texts with labels.
        sets: the label sets.
        bank: vectors of in-scope training texts, which the nearest-neighbour score compares with, shape `(m, width)`.
        bank_labels: their intents, shape `(m,)`.
        risk: the share of wrong answers among accepted intents that is borne.

    Returns:
        The calibration, and what it was found to do.
    """
    temperatures: dict[str, float] = {}
    quality: dict[str, Any] = {}
    curves: dict[str, RiskCoverage] = {}
    thresholds: dict[str, float] = {}
    missed: list[MissedRisk] = []
    oos_fit = None
    for head, labels in sets.heads.items():
        truth = label_array(held, head)
        known = truth != NO_LABEL
        logits = readings.logits[head][known].astype(np.float64)
        temperatures[head] = fit_temperature(logits, truth[known]) if known.any() else 1.0
        probabilities = softmax(logits, temperatures[head])
        if head == "intent":
            oos_fit = _fit_oos(readings, known, truth, labels, bank, temperatures[head])
            probabilities, truth = _in_scope(probabilities, truth[known], labels)
        else:
            truth = truth[known]
        confidence, right, margin = _top(probabilities, truth)
        if len(truth):
            curves[head] = risk_coverage(confidence, right)
            quality[head] = _quality(confidence, right, curves[head])
        if head == "intent":
            accept, lead = (choose_threshold(score, right, risk) for score in (confidence, margin))
            thresholds["intent_accept"] = float(np.clip(accept, 0.3, _MOST_ACCEPT))
            thresholds["intent_margin"] = float(np.clip(lead, 0.05, 0.3))
            accepted = (confidence >= thresholds["intent_accept"]) & (margin >= thresholds["intent_margin"])
            found = estimate_risk(accepted, right)
            if accept > _MOST_ACCEPT and found > risk:
                missed.append(MissedRisk("intent_accept", risk, thresholds["intent_accept"], found))
        if head == "emotion":
            for name, wanted, lowest, highest in _EMOTIONS:
                chosen = choose_threshold(confidence, right, wanted)
                thresholds[name] = float(np.clip(chosen, lowest, highest))
                found = estimate_risk(confidence >= thresholds[name], right)
                if chosen > highest and found > wanted:
                    missed.append(MissedRisk(name, wanted, thresholds[name], found))
    if oos_fit is not None:
        thresholds["oos_reject"] = oos_fit.reject
        quality["oos"] = {
            "rejected_in_scope": oos_fit.in_scope_rejected,
            "auroc": oos_fit.auroc,
            "recall": oos_fit.recall,
            "detectors": dict(oos_fit.parts) | _mahalanobis(readings, held, sets, bank, bank_labels),
        }
    calibration = Calibration(temperatures, Thresholds(**thresholds), oos_fit.model if oos_fit else None)
    return Calibrated(calibration, quality, curves, tuple(missed))


def _quality(confidence: NDArray[np.float64], right: NDArray[np.bool_], curve: RiskCoverage) -> dict[str, float]:
    figures = {
        "accuracy": float(right.mean()),
        "ece": expected_calibration_error(confidence, right),
        "aurc": curve.area,
    }
    return figures | {f"answered@{risk}": curve.coverage_at(risk) for risk in SHOWN_RISKS}


def _fit_oos(
    readings: Readings,
    known: NDArray[np.bool_],
    truth: NDArray[np.int64],
    labels: Sequence[str],
    bank: Vector,
    temperature: float,
) -> OosFit:
    column = labels.index(OUT_OF_SCOPE) if OUT_OF_SCOPE in labels else None
    outside = truth[known] == (NO_LABEL if column is None else column)
    return fit_detector(
        readings.logits["intent"][known],
        readings.vectors[known],
        outside,
        bank,
        temperature=temperature,
        oos_column=column,
    )


def _mahalanobis(
    readings: Readings, held: Sequence[Features], sets: LabelSets, bank: Vector, bank_labels: NDArray[np.int64]
) -> dict[str, float]:
    """The AUROC of one more detector, where there are out-of-scope texts to tell it and labels to measure it by."""
    labels, truth = sets.heads["intent"], label_array(held, "intent")
    outside = truth == (labels.index(OUT_OF_SCOPE) if OUT_OF_SCOPE in labels else NO_LABEL)
    known, labelled = truth != NO_LABEL, bank_labels != NO_LABEL
    if not outside[known].any() or not labelled.any():
        return {}
    distances = mahalanobis_distances(readings.vectors[known], bank[labelled], bank_labels[labelled])
    return {"mahalanobis": auroc(distances, outside[known])}


def _in_scope(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], labels: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Leaves out out-of-scope texts, and that class, as the reader does."""
    if OUT_OF_SCOPE not in labels:
        return probabilities, truth
    outside = labels.index(OUT_OF_SCOPE)
    kept = probabilities.copy()
    kept[:, outside] = 0.0
    inside = truth != outside
    return kept[inside], truth[inside]


def _top(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Confidence of the best label, whether it is right, and its lead over the second; each of shape `(n,)`."""
    ordered = np.sort(probabilities, axis=1)[:, ::-1]
    best = probabilities.argmax(1)
    second = ordered[:, 1] if probabilities.shape[1] > 1 else np.zeros(len(truth))
    return ordered[:, 0], best == truth, ordered[:, 0] - second
