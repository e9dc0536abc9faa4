"""The out-of-scope score: several detectors weighed into one number, 0 to 1, and the threshold that rejects.

With out-of-scope texts at hand the weights are a logistic regression on held-out texts; without any, the energy and the
distance to the nearest training texts weigh the same, on a scale on which about one in-scope text in twenty reaches 0.5
with each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nlu.calibration import Floats
from nlu.oos_detectors import (
    ClassDetector,
    Detector,
    EnergyDetector,
    KnnDetector,
    MaxProbabilityDetector,
    Numbers,
)
from nlu.types import InputError, ReleaseError

MAX_BANK = 5_000
"""The most training vectors that are kept; more are thinned evenly, so that reading one message stays fast."""

_BANK = "knn_bank"
_RARE = 0.05
_STEPS = 100


@dataclass(frozen=True, slots=True, eq=False)
class OosModel:
    """Detectors, and how their scores are weighed.

    Attributes:
        detectors: in order.
        means: what is taken from each detector's score, shape `(detectors,)`.
        scales: what the rest is divided by, shape `(detectors,)`.
        weights: of the standardised scores, shape `(detectors,)`.
        bias: added to their sum.
    """

    detectors: tuple[Detector, ...]
    means: Floats
    scales: Floats
    weights: Floats
    bias: float

    def score(self, logits: Numbers, vectors: Numbers) -> Floats:
        """Scores texts, as `judge` does.

        Args:
            logits: of the intent head, shape `(n, labels)`.
            vectors: sentence vectors, shape `(n, width)`.

        Returns:
            0 to 1, higher is more out of scope, shape `(n,)`.
        """
        return self.judge(logits, vectors)[0]

    def judge(self, logits: Numbers, vectors: Numbers) -> tuple[Floats, Floats | None]:
        """Scores texts and tells how near each is to what training has seen.

        Args:
            logits: of the intent head, shape `(n, labels)`.
            vectors: sentence vectors, shape `(n, width)`.

        Returns:
            The scores, 0 to 1, higher is more out of scope, shape `(n,)`; and the cosines with the nearest in-scope
            training text, shape `(n,)`, or None where no detector measures distances.
        """
        scores, nearest = [], None
        for detector in self.detectors:
            if isinstance(detector, KnnDetector):
                cosines = detector.nearest(vectors)
                nearest = cosines.max(axis=1)
                scores.append(-cosines.mean(axis=1))
            else:
                scores.append(detector.score(logits, vectors))
        standard = (np.stack(scores, axis=1) - self.means) / self.scales
        return _sigmoid(standard @ self.weights + self.bias), nearest

    def with_bank(self, bank: Numbers) -> OosModel:
        """The same with other vectors of in-scope training texts.

        Args:
            bank: shape `(m, width)`.

        Returns:
            The model; itself where it measures no distances.
        """
        detectors = tuple(
            KnnDetector(_thinned(bank), detector.neighbours) if isinstance(detector, KnnDetector) else detector
            for detector in self.detectors
        )
        return replace(self, detectors=detectors)

    def to_json(self) -> dict[str, Any]:
        """Everything but the vector bank, as plain JSON values."""
        return {
            "detectors": [_to_json(detector) for detector in self.detectors],
            "means": self.means.tolist(),
            "scales": self.scales.tolist(),
            "weights": self.weights.tolist(),
            "bias": self.bias,
        }

    def arrays(self) -> dict[str, NDArray[np.float16]]:
        """The vector bank, float16 of shape `(m, width)`, by name; empty where no detector has one."""
        banks = [detector.bank for detector in self.detectors if isinstance(detector, KnnDetector)]
        return {_BANK: np.asarray(banks[0], dtype=np.float16)} if banks else {}

    @classmethod
    def from_json(cls, document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> OosModel:
        """Rebuilds a model.

        Args:
            document: from `to_json`.
            arrays: from `arrays`.

        Returns:
            The model.

        Raises:
            ReleaseError: something is missing or does not fit.
        """
        try:
            detectors = tuple(_from_json(item, arrays) for item in document["detectors"])
            means, scales, weights = (
                _numbers(document[name], len(detectors)) for name in ("means", "scales", "weights")
            )
            bias = float(_numbers([document["bias"]], 1)[0])
            _check_scales(scales)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ReleaseError(
                f"Out-of-scope model: missing or unfit: {error}. Restore the release or train again."
            ) from error
        return cls(detectors, means, scales, weights, bias)


@dataclass(frozen=True, slots=True, eq=False)
class OosFit:
    """A fitted model and what it does to the held-out texts.

    Attributes:
        model: the model.
        reject: the threshold: a score at or above is out of scope.
        in_scope_rejected: share of in-scope texts that are rejected.
        recall: share of out-of-scope texts that are rejected; None without any.
        auroc: of the scores; None without out-of-scope texts.
        parts: AUROC of each detector by its kind; empty without out-of-scope texts.
    """

    model: OosModel
    reject: float
    in_scope_rejected: float
    recall: float | None
    auroc: float | None
    parts: Mapping[str, float] = field(default_factory=dict)


def fit_detector(
    logits: Numbers,
    vectors: Numbers,
    is_oos: ArrayLike,
    bank: Numbers,
    *,
    temperature: float = 1.0,
    oos_column: int | None = None,
    neighbours: int = 5,
    max_rejection: float = 0.03,
    ridge: float = 1.0,
) -> OosFit:
    """Fits the out-of-scope score on held-out texts.

    Args:
        logits: of the intent head for held-out texts, shape `(n, labels)`.
        vectors: of the same texts, shape `(n, width)`.
        is_oos: which of them are out of scope, shape `(n,)`; there may be none.
        bank: vectors of in-scope training texts, shape `(m, width)`.
        temperature: of the intent head.
        oos_column: the out-of-scope label's column, where the head has one.
        neighbours: how many nearest training texts are averaged.
        max_rejection: the share of in-scope texts that may be rejected.
        ridge: strength of the penalty on the weights.

    Returns:
        The model and its threshold.

    Raises:
        InputError: no held-out text is in scope, or a number is not finite.
    """
    outside = np.asarray(is_oos, dtype=bool)
    if outside.all():
        raise InputError(
            "No held-out text is in scope, so the out-of-scope score cannot be fitted. Add labelled examples."
        )
    detectors: list[Detector] = [EnergyDetector(temperature, oos_column)]
    if len(bank):
        detectors.append(KnnDetector(_thinned(bank), neighbours))
    if outside.any():
        detectors.append(MaxProbabilityDetector(temperature, oos_column))
        if oos_column is not None:
            detectors.append(ClassDetector(oos_column, temperature))
    features = _features(tuple(detectors), logits, vectors)
    if not np.isfinite(features).all():
        raise InputError("Logits or vectors hold NaN or infinity, so training has diverged. Lower the learning rate.")

    if outside.any():
        means, scales = features.mean(axis=0), _positive(features.std(axis=0))
        weights, bias = _logistic_regression((features - means) / scales, outside, ridge)
    else:
        middle, rare = np.quantile(features, [0.5, 1 - _RARE], axis=0)
        means, scales = rare, _positive(rare - middle)
        share = np.log((1 - _RARE) / _RARE) / len(detectors)
        weights, bias = np.full(len(detectors), share), 0.0
    model = OosModel(tuple(detectors), means, scales, weights, bias)
    scores = model.score(logits, vectors)
    reject = choose_rejection(scores, outside, max_rejection)
    return OosFit(
        model=model,
        reject=reject,
        in_scope_rejected=float((scores[~outside] >= reject).mean()),
        recall=float((scores[outside] >= reject).mean()) if outside.any() else None,
        auroc=auroc(scores, outside) if outside.any() else None,
        parts={d.kind: auroc(features[:, i], outside) for i, d in enumerate(detectors)} if outside.any() else {},
    )


def _thinned(bank: Numbers) -> NDArray[np.float16]:
    """At most `MAX_BANK` of the vectors, evenly."""
    kept = np.linspace(0, len(bank) - 1, min(len(bank), MAX_BANK)).round().astype(np.int64)
    return np.asarray(bank, dtype=np.float16)[kept]


def choose_rejection(scores: ArrayLike, is_oos: ArrayLike, max_rejection: float = 0.03) -> float:
    """The threshold that finds most out-of-scope texts while few in-scope ones are rejected.

    Among thresholds that find equally many, the one that rejects fewest in-scope texts is taken, half way to the next
    lower score. Without out-of-scope texts the lowest threshold that keeps the limit is taken.

    Args:
        scores: 0 to 1, higher is more out of scope, shape `(n,)`.
        is_oos: shape `(n,)`, with at least one False.
        max_rejection: the share of in-scope texts that may be rejected.

    Returns:
        A threshold for `score >= threshold`; above 1 where the in-scope texts reach 1 themselves.
    """
    values = np.asarray(scores, dtype=np.float64)
    outside = np.asarray(is_oos, dtype=bool)
    inside = np.sort(values[~outside])
    allowed = int(np.floor(max_rejection * len(inside) + 1e-9))
    levels = np.unique(values)
    rejected = len(inside) - np.searchsorted(inside, levels, side="left")
    lawful = levels[rejected <= allowed]
    found = values[outside & np.isin(values, lawful)]
    if len(found):
        level = float(found.min())
    elif len(lawful):
        level = float(lawful.min())
    else:
        level = max(1.0, float(np.nextafter(levels[-1], 2.0)))
    below = levels[levels < level]
    if not len(below):
        return level
    middle = (level + float(below[-1])) / 2
    return middle if middle > below[-1] else level


def auroc(scores: ArrayLike, is_oos: ArrayLike) -> float:
    """The chance that an out-of-scope text scores above an in-scope one, ties counting half.

    Args:
        scores: shape `(n,)`.
        is_oos: shape `(n,)`.

    Returns:
        0 to 1, from the rank sum (Mann & Whitney 1947).

    Raises:
        InputError: one of the two kinds is missing, or a score is NaN.
    """
    values = np.asarray(scores, dtype=np.float64)
    outside = np.asarray(is_oos, dtype=bool)
    positives = int(outside.sum())
    negatives = len(outside) - positives
    if not positives or not negatives or np.isnan(values).any():
        raise InputError("AUROC needs scores of both in-scope and out-of-scope texts, and none of them NaN.")
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    rank_sum = float(ranks[which][outside].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def _features(detectors: tuple[Detector, ...], logits: Numbers, vectors: Numbers) -> Floats:
    """Detector scores side by side, shape `(n, detectors)`."""
    return np.stack([detector.score(logits, vectors) for detector in detectors], axis=1)


def _logistic_regression(features: Floats, target: NDArray[np.bool_], ridge: float) -> tuple[Floats, float]:
    """Weights and bias by iteratively reweighted least squares, halving a step that would not improve."""
    design = np.column_stack([features, np.ones(len(features))])
    penalty = np.append(np.full(features.shape[1], ridge), 1e-6)

    def loss(point: Floats) -> float:
        margins = design @ point
        return float(np.sum(np.logaddexp(0.0, margins) - target * margins) + 0.5 * np.sum(penalty * point**2))

    point = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        chance = _sigmoid(design @ point)
        gradient = design.T @ (chance - target) + penalty * point
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        while loss(point - step) > loss(point) and np.abs(step).max() > 1e-9:
            step = step / 2
        point = point - step
        if np.abs(step).max() < 1e-8:
            break
    return point[:-1], float(point[-1])


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0.0, -values)), dtype=np.float64)


def _positive(scales: Floats) -> Floats:
    return np.where(scales > 1e-9, scales, 1.0)


def _numbers(values: list[float], length: int) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (length,) or not np.isfinite(array).all():
        raise ValueError(f"expected {length} finite numbers, got {str(values)[:60]}")
    return array


def _check_scales(scales: Floats) -> None:
    if not len(scales) or not (scales > 0).all():
        raise ValueError("expected at least one detector and scales above 0")


def _to_json(detector: Detector) -> dict[str, Any]:
    if isinstance(detector, KnnDetector):
        return {"kind": detector.kind, "neighbours": detector.neighbours}
    if isinstance(detector, ClassDetector):
        return {"kind": detector.kind, "column": detector.column, "temperature": detector.temperature}
    if isinstance(detector, EnergyDetector | MaxProbabilityDetector):
        return {"kind": detector.kind, "temperature": detector.temperature, "skip": detector.skip}
    raise TypeError(f"no way to store a {type(detector).__name__}")


def _from_json(document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Detector:
    kind, settings = document["kind"], {key: value for key, value in document.items() if key != "kind"}
    if kind == KnnDetector.kind:
        bank = np.asarray(arrays[_BANK], dtype=np.float16)
        if bank.ndim != 2 or not len(bank) or settings["neighbours"] < 1:
            raise ValueError(f"{_BANK}: expected vectors and at least one neighbour, got shape {bank.shape}")
        return KnnDetector(bank, **settings)
    simple = {kind.kind: kind for kind in (EnergyDetector, MaxProbabilityDetector, ClassDetector)}
    if settings["temperature"] <= 0:
        raise ValueError(f"{kind}: expected a temperature above 0")
    return simple[kind](**settings)
