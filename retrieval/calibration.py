"""From closeness to the probability that a hit answers the message, learnt from the knowledge base itself.

Each variant is asked against the knowledge base without that very variant: a query with a known answer. Asked again
without its whole entry it is a query without an answer, as out-of-scope texts are. A logistic regression over the
closeness of a hit and its lead over the best rival then says how probable the hit is right, where half of all queries
have an answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from retrieval.ranking import Queries, Ranking
from retrieval.types import FaqError, HitThresholds, Vector
from retrieval.vectors import Rows, Weights

Floats = NDArray[np.float64]

MIN_GROUPS = 8
MIN_QUERIES = 16
_MIN_ACCEPTED = 10
_DEPTH = 3
_RIDGE = 1.0
_BLOCK = 512
_GRID = np.arange(2, 199) / 200
_UNKNOWN_BACKGROUND = 0.5


@dataclass(frozen=True, slots=True)
class HitCalibration:
    """How closeness turns into a score, and scores into answers.

    Attributes:
        bias: log-odds at closeness 0 and lead 0.
        closeness: log-odds for each unit of closeness, 0 or more.
        lead: log-odds for each unit of lead over the best rival, 0 or more.
        thresholds: where a score turns into an answer or a suggestion.
        weights: what counts how much for closeness.
        queries: how many queries with a known answer it was learnt from; 0 for the default.
        answered: the share of them whose top hit is accepted.
        wrong: the share of wrong answers among all accepted top hits, queries without an answer included.
    """

    bias: float
    closeness: float
    lead: float
    thresholds: HitThresholds
    weights: Weights = field(default_factory=Weights)
    queries: int = 0
    answered: float = 0.0
    wrong: float = 0.0

    def probability(self, closeness: float, lead: float) -> float:
        """How probable a hit answers the message.

        Args:
            closeness: of the hit.
            lead: its closeness less that of the best rival; below 0 for all but the top hit.

        Returns:
            The score, 0 to 1; never falls as closeness grows.
        """
        return float(_sigmoid(np.float64(self.bias + self.closeness * closeness + self.lead * lead)))

    def to_json(self) -> dict[str, object]:
        """The calibration as a JSON document."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> HitCalibration:
        """Reads what `to_json` gave.

        Args:
            document: the JSON document.

        Returns:
            The calibration; a field that is missing or no fitting number is a `FaqError`.
        """
        thresholds, weights = document.get("thresholds"), document.get("weights")
        accept, suggest = (_number(thresholds, name, low=0.0, high=1.0) for name in ("accept", "suggest"))
        return cls(
            bias=_number(document, "bias"),
            closeness=_number(document, "closeness", low=0.0),
            lead=_number(document, "lead", low=0.0),
            thresholds=HitThresholds(accept=accept, suggest=suggest),
            weights=Weights(*(_number(weights, name, low=0.0) for name in ("passage", "words"))),
            queries=int(_number(document, "queries", low=0.0)),
            answered=_number(document, "answered", low=0.0, high=1.0),
            wrong=_number(document, "wrong", low=0.0, high=1.0),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """Queries with their best groups, the best first; all arrays but `weight` have the shape `(queries, _DEPTH)`."""

    closeness: Floats
    lead: Floats
    right: NDArray[np.bool_]
    weight: Floats


def calibrate(ranking: Ranking, out_of_scope: Queries | None = None, risk: float = 0.05) -> HitCalibration:
    """Learns the calibration of a knowledge base.

    `accept` is the lowest threshold at which at most `risk` of the accepted top hits are wrong; `suggest` the lowest
    at which the right entry is among the suggested ones of the top 3 at least as often as not.

    Args:
        ranking: ranks the knowledge base; with fewer than 8 questions or 16 variants it gets the default calibration.
        out_of_scope: texts that no entry answers.
        risk: the share of wrong answers that is borne, between 0 and 1.

    Returns:
        The calibration; the same for the same input.

    Raises:
        FaqError: `risk` is not between 0 and 1.
    """
    if not 0.0 < risk < 1.0:
        raise FaqError(f"risk: expected a share between 0 and 1, got {risk}")
    vectors = ranking.vectors
    variants = np.setdiff1d(np.arange(len(vectors.wordings)), vectors.first_wording)
    if vectors.groups < MIN_GROUPS or len(variants) < MIN_QUERIES:
        return _default(ranking, out_of_scope)
    asked = _ask(ranking, variants, out_of_scope)
    slopes = _fit_monotone(asked)
    if slopes is None:
        return _default(ranking, out_of_scope)

    bias, closeness, lead = slopes
    score = _sigmoid(bias + closeness * asked.closeness + lead * asked.lead)
    accept = _lowest(score[:, :1], asked, share=1.0 - risk)
    suggest = min(_lowest(score, asked, share=0.5), accept)
    accepted = score[:, 0] >= accept
    taken = float(asked.weight[accepted].sum())
    wrong = float(asked.weight[accepted & ~asked.right[:, 0]].sum())
    return HitCalibration(
        bias=bias,
        closeness=closeness,
        lead=lead,
        thresholds=HitThresholds(accept=accept, suggest=suggest),
        weights=ranking.weights,
        queries=len(variants),
        answered=float(accepted[: len(variants)].mean()),
        wrong=wrong / taken if taken else 0.0,
    )


def _ask(ranking: Ranking, variants: Rows, out_of_scope: Queries | None) -> _Asked:
    """Asks each variant without itself, then without its entry, then what is out of scope."""
    vectors = ranking.vectors
    own = vectors.group[vectors.owner[variants]]
    answerable = np.concatenate(list(_leave_one_out(ranking, variants)))
    unanswerable = answerable.copy()
    unanswerable[np.arange(len(own)), own] = -1.0
    groups = [answerable, unanswerable]
    if out_of_scope is not None and len(out_of_scope.texts):
        groups.append(vectors.best_of_groups(ranking.closeness(out_of_scope)))
    closeness = np.concatenate(groups).astype(np.float64)

    best = np.argsort(-closeness, axis=1, kind="stable")[:, :_DEPTH]
    top = np.take_along_axis(closeness, best, axis=1)
    rival = np.where(np.arange(_DEPTH) == 0, top[:, 1:2], top[:, :1])
    right = np.zeros(best.shape, dtype=np.bool_)
    right[: len(own)] = best[: len(own)] == own[:, None]
    weight = np.ones(len(best))
    weight[len(own) :] = len(own) / (len(best) - len(own))
    return _Asked(top, top - rival, right, weight)


def _leave_one_out(ranking: Ranking, rows: Rows) -> Iterator[Vector]:
    vectors = ranking.vectors
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        queries = Queries([vectors.wordings[row] for row in block], vectors.wording_vectors[block])
        yield vectors.best_of_groups(ranking.closeness(queries, left_out=block))


def _fit_monotone(asked: _Asked) -> tuple[float, float, float] | None:
    """Bias and the weights of closeness and lead; a feature that would count against a hit is dropped."""
    features = np.stack([asked.closeness.ravel(), asked.lead.ravel()], axis=1)
    right = asked.right.ravel()
    weight = np.repeat(asked.weight, _DEPTH)
    if not right.any():
        return None
    for columns in ([0, 1], [0], [1]):
        bias, *slopes = _fit_logistic(features[:, columns], right, weight)
        if min(slopes) > 0.0:
            by_column = dict(zip(columns, slopes, strict=True))
            return bias, by_column.get(0, 0.0), by_column.get(1, 0.0)
    return None


def _fit_logistic(features: Floats, right: NDArray[np.bool_], weight: Floats) -> list[float]:
    """Ridge logistic regression by Newton's method with halved steps; gives the bias, then a slope a feature."""
    mean, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 0.0, spread, 1.0)
    design = np.column_stack([np.ones(len(features)), (features - mean) / spread])
    ridge = np.array([1e-6] + [_RIDGE] * features.shape[1])
    sign = np.where(right, 1.0, -1.0)

    def loss(beta: Floats) -> float:
        return float(weight @ np.logaddexp(0.0, -sign * (design @ beta)) + 0.5 * ridge @ beta**2)

    beta = np.zeros(design.shape[1])
    for _ in range(100):
        probability = _sigmoid(design @ beta)
        gradient = design.T @ (weight * (probability - right)) + ridge * beta
        curvature = (design.T * (weight * probability * (1.0 - probability))) @ design + np.diag(ridge)
        step = np.linalg.solve(curvature, gradient)
        while loss(beta - step) > loss(beta) and np.abs(step).max() > 1e-9:
            step = step / 2.0
        beta = beta - step
        if np.abs(step).max() < 1e-8:
            break
    slopes = beta[1:] / spread
    return [float(beta[0] - slopes @ mean), *map(float, slopes)]


def _lowest(score: Floats, asked: _Asked, share: float) -> float:
    """The lowest threshold where, of the queries with a hit at or above, at least `share` have the right one there.

    Where none bears that out on enough queries, it lies above every wrong hit that was seen; not below 0.5, where a
    hit is more likely wrong than right, and not above `share`, as a score of `share` is right that often by itself.
    """
    right = asked.right[:, : score.shape[1]]
    for threshold in _GRID:
        above = score >= threshold
        queries = above.any(axis=1)
        if np.count_nonzero(queries) < _MIN_ACCEPTED:
            break
        found = (above & right).any(axis=1)
        if asked.weight[found].sum() >= share * asked.weight[queries].sum():
            return float(threshold)
    above_wrong = _GRID[score[~right].max(initial=0.5) < _GRID]
    return float(min([share, *above_wrong[:1]]))


def _default(ranking: Ranking, out_of_scope: Queries | None) -> HitCalibration:
    """Where there is too little to learn from: scores grow from the closeness that unrelated texts have."""
    background = _background(ranking, out_of_scope)
    reach = 1.0 - background
    slope = 3.0 / (0.4 * reach)
    bias = -slope * (background + 0.4 * reach)
    return HitCalibration(bias, closeness=slope, lead=0.0, thresholds=HitThresholds(), weights=ranking.weights)


def _background(ranking: Ranking, out_of_scope: Queries | None) -> float:
    """The mean closeness of the top hit for queries without an answer."""
    vectors = ranking.vectors
    tops: list[Floats] = []
    if vectors.groups > 1:
        rows = vectors.first_wording
        questions = Queries([vectors.wordings[row] for row in rows], vectors.wording_vectors[rows])
        closeness = vectors.best_of_groups(ranking.closeness(questions)).astype(np.float64)
        closeness[np.arange(len(rows)), vectors.group] = -1.0
        tops.append(closeness.max(axis=1))
    if out_of_scope is not None and len(out_of_scope.texts) and vectors.groups:
        tops.append(ranking.closeness(out_of_scope).max(axis=1).astype(np.float64))
    if not tops:
        return _UNKNOWN_BACKGROUND
    return float(np.clip(np.concatenate(tops).mean(), 0.0, 0.95))


def _sigmoid(logits: Floats | np.float64) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))


def _number(document: object, name: str, low: float = -math.inf, high: float = math.inf) -> float:
    value = document.get(name) if isinstance(document, Mapping) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not low <= float(value) <= high:  # type: ignore[arg-type]
        raise FaqError(
            f"calibration: {name}: expected a number from {low:g} to {high:g}, got {value!r}; build the index again"
        )
    return float(value)  # type: ignore[arg-type]
