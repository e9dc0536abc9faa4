"""Labels of training examples that look wrong, for a person to look at.

Each text is judged by its nearest neighbours among the others, so by nothing that has seen its own label; confident
learning (Northcutt et al. 2021, through cleanlab) then tells a label that is wrong from a text that is hard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from nlu.examples import Example
from nlu.types import InputError, Vector
from training.datasets import Features

_NEIGHBOURS = 15
_SHARPNESS = 20.0
_SMOOTHING = 0.5
_ROWS = 1024
_FEWEST = 50


@dataclass(frozen=True, slots=True)
class LabelIssue:
    """An example whose label looks wrong.

    Attributes:
        row: which example.
        given: its label.
        suggested: what its neighbours say.
    """

    row: int
    given: str
    suggested: str


def find_label_issues(vectors: Vector, labels: Sequence[str | None], most: int = 20) -> list[LabelIssue]:
    """Finds examples that are labelled otherwise than what they are like.

    Args:
        vectors: unit-length sentence vectors, shape `(n, width)`.
        labels: of one head; None where an example has none.
        most: how many to give at most.

    Returns:
        The issues, the surest first; none among fewer than fifty labelled texts, or where cleanlab is not installed.
    """
    rows = [row for row, label in enumerate(labels) if label is not None]
    names = sorted({str(labels[row]) for row in rows})
    if len(rows) < _FEWEST or len(names) < 2:
        return []
    try:
        from cleanlab.filter import find_label_issues as confident_learning
    except ImportError:
        return []
    given = np.array([names.index(str(labels[row])) for row in rows])
    chances = _neighbours_say(vectors[rows], given, len(names))
    found = confident_learning(given, chances, return_indices_ranked_by="self_confidence", n_jobs=1)
    issues = [LabelIssue(rows[i], names[given[i]], names[int(chances[i].argmax())]) for i in found]
    return [issue for issue in issues if issue.given != issue.suggested][:most]


def doubt_labels(
    learnt: Sequence[Features], taught: Sequence[Example], vectors: Vector, share: float
) -> list[Features]:
    """Lets examples whose label looks wrong weigh less.

    Args:
        learnt: texts in training, those of the examples first.
        taught: the examples.
        vectors: unit-length sentence vectors of `learnt`, shape `(n, width)`.
        share: of their weight that doubted examples keep, 0 to 1.

    Returns:
        `learnt` with its weights.

    Raises:
        InputError: cleanlab, which tells them, is not installed.
    """
    if find_spec("cleanlab") is None:
        raise InputError(
            "Weighing doubtful labels (`doubted`) needs the package cleanlab. Install it with "
            "`pip install 'frontdesk[train]'`."
        )
    heads = sorted({head for example in taught for head in example.labels})
    labels = {head: [example.labels.get(head) for example in taught] for head in heads}
    found = {head: find_label_issues(vectors[: len(taught)], labels[head], len(taught)) for head in heads}
    doubtful = {issue.row for issues in found.values() for issue in issues}
    return [replace(item, weight=item.weight * share) if row in doubtful else item for row, item in enumerate(learnt)]


def _neighbours_say(vectors: Vector, given: NDArray[np.int64], labels: int) -> NDArray[np.float64]:
    """Probabilities of each text's label by its nearest other texts, shape `(n, labels)`."""
    chances = np.full((len(vectors), labels), _SMOOTHING / labels)
    count = min(_NEIGHBOURS, len(vectors) - 1)
    for start in range(0, len(vectors), _ROWS):
        likeness = vectors[start : start + _ROWS] @ vectors.T
        own = np.arange(len(likeness))
        likeness[own, start + own] = -np.inf
        nearest = np.argpartition(-likeness, count - 1, axis=1)[:, :count]
        weights = np.exp(_SHARPNESS * (np.take_along_axis(likeness, nearest, 1) - 1.0))
        for row, (columns, shares) in enumerate(zip(nearest, weights, strict=True)):
            np.add.at(chances[start + row], given[columns], shares)
    return np.asarray(chances / chances.sum(1, keepdims=True))
