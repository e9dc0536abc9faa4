"""The gate: whether a candidate release may replace the current one.

Both are asked the same frozen test set, and the corrected texts. A candidate must be better at one of them and worse at
nothing that counts. "Not worse" cannot mean "not one text fewer right": two equally good models disagree on a handful
of texts near their boundaries, and each of these falls either way, so that an exact comparison would refuse every other
honest candidate for each head. A loss is borne up to one standard error of the paired difference: where `lost` texts
turned wrong and `gained` turned right, that is `sqrt(lost + gained)` texts (McNemar 1947), and never more than half a
point (two texts, in a small test set). What the thresholds let through counts as well: a release that rejects more is
no better one. For protected labels the comparison is exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_HEAD_CAP = 0.005
_FAQ_CAP = 0.01
_SMALL_CAP = 2.0
_AUROC_CAP = 0.01
_ACCEPTED_CAP = 0.02
"""One threshold, chosen anew, moves many texts the same way, so that their number tells nothing of chance."""
_EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What a release got right.

    Attributes:
        heads: for each head, whether each labelled text of the frozen test set is read rightly.
        faq: whether each frozen query's best hit answers it.
        entities: whether the token head finds just the right entities in each annotated text of the frozen test set.
        kept: whether each in-scope text of the frozen test set is read rightly and not held for out of scope.
        accepted: whether each of these texts has an intent that the release's thresholds accept, rightly or not.
        oos_auroc: out-of-scope AUROC on the frozen test set, None where it has no such texts.
        corrected: whether each correction is followed.
    """

    heads: Mapping[str, Sequence[bool]] = field(default_factory=dict)
    faq: Sequence[bool] = ()
    entities: Sequence[bool] = ()
    kept: Sequence[bool] = ()
    accepted: Sequence[bool] = ()
    oos_auroc: float | None = None
    corrected: Sequence[bool] = ()

    @property
    def mean_score(self) -> float:
        """The mean of head accuracies, entities, FAQ recall@1 and out-of-scope AUROC; 0 where nothing was measured."""
        scores = [_share(right) for right in (*self.heads.values(), self.entities, self.faq) if right]
        if self.oos_auroc is not None:
            scores.append(self.oos_auroc)
        return sum(scores) / len(scores) if scores else 0.0

    def to_json(self) -> dict[str, Any]:
        """Shares and counts as plain JSON values."""
        return {
            "heads": {head: {"accuracy": _share(right), "n": len(right)} for head, right in self.heads.items()},
            "faq": {"recall@1": _share(self.faq), "n": len(self.faq)},
            "entities": {"accuracy": _share(self.entities), "n": len(self.entities)},
            "in_scope": {
                "accuracy": _share(self.kept),
                "accepted": _share(self.accepted),
                "n": len(self.kept),
            },
            "oos_auroc": self.oos_auroc,
            "corrected": {"right": sum(self.corrected), "n": len(self.corrected)},
            "mean_score": self.mean_score,
        }


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the gate says.

    Attributes:
        promote: whether the candidate may replace the current release.
        reasons: why not, a sentence each; for a promotion what it is better at.
    """

    promote: bool
    reasons: tuple[str, ...]


def judge(
    current: Outcomes,
    candidate: Outcomes,
    truth: Mapping[str, Sequence[str]],
    protected: Mapping[str, Sequence[str]],
) -> Judgement:
    """Compares two releases that were asked the same.

    Args:
        current: what the release in force got right.
        candidate: what the new one got right.
        truth: for each head the right label of each text, in the order of `Outcomes.heads`.
        protected: for each head the labels of which not one text more may be read wrongly.

    Returns:
        Whether to promote, and why.
    """
    refusals = [*_losses(current, candidate), *_protected_losses(current, candidate, truth, protected)]
    gains = list(_gains(current, candidate))
    if not gains:
        refusals.append(
            f"It is not better: mean score {_percent(current.mean_score)} and now {_percent(candidate.mean_score)}, "
            f"corrections followed {_of(current.corrected)} and now {_of(candidate.corrected)}."
        )
    return Judgement(False, tuple(refusals)) if refusals else Judgement(True, tuple(gains))


def _losses(current: Outcomes, candidate: Outcomes) -> Iterator[str]:
    for head, before in current.heads.items():
        yield from _loss(f"{head} accuracy", before, candidate.heads[head], _HEAD_CAP)
    yield from _loss("Entity accuracy", current.entities, candidate.entities, _HEAD_CAP)
    yield from _loss("In-scope accuracy with rejection", current.kept, candidate.kept, _HEAD_CAP)
    accepted, now = _share(current.accepted), _share(candidate.accepted)
    if accepted - now > _ACCEPTED_CAP + _EXACT:
        yield (
            f"The share of accepted texts of the frozen test set falls from {_percent(accepted)} to {_percent(now)}; "
            f"at most {100 * _ACCEPTED_CAP:.0f} points are borne."
        )
    yield from _loss("FAQ recall@1", current.faq, candidate.faq, _FAQ_CAP)
    if current.oos_auroc is not None and candidate.oos_auroc is not None:
        fall = current.oos_auroc - candidate.oos_auroc
        if fall > _AUROC_CAP + _EXACT:
            yield (
                f"Out-of-scope AUROC on the frozen test set falls from {current.oos_auroc:.3f} to "
                f"{candidate.oos_auroc:.3f}; at most {_AUROC_CAP} is borne."
            )


def _loss(name: str, before: Sequence[bool], after: Sequence[bool], cap: float) -> Iterator[str]:
    lost = sum(b and not a for b, a in zip(before, after, strict=True))
    gained = sum(a and not b for b, a in zip(before, after, strict=True))
    borne = min(math.sqrt(lost + gained), max(cap * len(before), _SMALL_CAP))
    if lost - gained > borne + _EXACT:
        yield (
            f"{name} on the frozen test set falls from {_percent(_share(before))} to {_percent(_share(after))} "
            f"({lost} texts of {len(before)} lost, {gained} gained); a net loss of {math.floor(borne + _EXACT)} is "
            "borne."
        )


def _protected_losses(
    current: Outcomes,
    candidate: Outcomes,
    truth: Mapping[str, Sequence[str]],
    protected: Mapping[str, Sequence[str]],
) -> Iterator[str]:
    for head, labels in protected.items():
        for label in labels:
            rows = [row for row, right in enumerate(truth.get(head, ())) if right == label]
            before = sum(current.heads[head][row] for row in rows)
            after = sum(candidate.heads[head][row] for row in rows)
            if after < before:
                yield (
                    f"The protected {head} {label} is worse: {before} of {len(rows)} texts of the frozen test set were "
                    f"read rightly and now {after}."
                )


def _gains(current: Outcomes, candidate: Outcomes) -> Iterator[str]:
    if candidate.mean_score > current.mean_score + _EXACT:
        before, after = _percent(current.mean_score), _percent(candidate.mean_score)
        yield f"The mean score on the frozen test set rises from {before} to {after}."
    if sum(candidate.corrected) > sum(current.corrected):
        yield f"Corrections followed: {_of(current.corrected)} before, {_of(candidate.corrected)} now."


def _share(right: Sequence[bool]) -> float:
    return sum(right) / len(right) if right else 0.0


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _of(right: Sequence[bool]) -> str:
    return f"{sum(right)} of {len(right)}"
