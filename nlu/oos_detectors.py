"""Out-of-scope detectors: each gives one number a text, higher for stranger texts.

All read what one forward pass gives: intent logits of shape `(n, labels)` and sentence vectors of shape `(n, width)`.
Where the release has an out-of-scope label of its own, `skip` is its column and the others judge without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from nlu.calibration import softmax

Floats = NDArray[np.float64]
Numbers = NDArray[np.floating]

_ROWS = 1024


class Detector(Protocol):
    """Scores texts by how strange they are."""

    kind: ClassVar[str]

    def score(self, logits: Numbers, vectors: Numbers) -> Floats:
        """Scores texts.

        Args:
            logits: shape `(n, labels)`.
            vectors: shape `(n, width)`.

        Returns:
            Shape `(n,)`, higher is more out of scope.
        """


@dataclass(frozen=True, slots=True)
class EnergyDetector:
    """The free energy of the logits (Liu et al. 2020, section 3.1).

    Attributes:
        temperature: of the energy, above 0.
        skip: a column to leave out.
    """

    kind: ClassVar[str] = "energy"
    temperature: float = 1.0
    skip: int | None = None

    def score(self, logits: Numbers, vectors: Numbers) -> Floats:  # noqa: ARG002
        """`-T * logsumexp(logits / T)` of each text, shape `(n,)`."""
        scaled = _without(logits, self.skip) / self.temperature
        top = scaled.max(axis=1)
        return np.asarray(-self.temperature * (top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))))


@dataclass(frozen=True, slots=True)
class MaxProbabilityDetector:
    """What the best intent lacks to certainty (Hendrycks & Gimpel 2017).

    Attributes:
        temperature: calibrates the probabilities.
        skip: a column to leave out.
    """

    kind: ClassVar[str] = "max_probability"
    temperature: float = 1.0
    skip: int | None = None

    def score(self, logits: Numbers, vectors: Numbers) -> Floats:  # noqa: ARG002
        """One minus the highest probability of each text, shape `(n,)`."""
        return np.asarray(1.0 - softmax(_without(logits, self.skip), self.temperature).max(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class KnnDetector:
    """Distance to the nearest training texts (Sun et al. 2022, section 3).

    Attributes:
        bank: vectors of in-scope training texts, shape `(m, width)`; kept with unit length.
        neighbours: how many of the nearest are averaged.
    """

    kind: ClassVar[str] = "knn"
    bank: Numbers
    neighbours: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "bank", _unit(self.bank))

    def score(self, logits: Numbers, vectors: Numbers) -> Floats:  # noqa: ARG002
        """Minus the mean cosine to the nearest vectors of the bank, shape `(n,)`."""
        return np.asarray(-self.nearest(vectors).mean(axis=1))

    def nearest(self, vectors: Numbers) -> Floats:
        """The cosines to the nearest vectors of the bank, in no order, shape `(n, min(neighbours, m))`."""
        count = min(self.neighbours, len(self.bank))
        found = np.empty((len(vectors), count), dtype=np.float64)
        for start in range(0, len(vectors), _ROWS):
            cosines = _unit(vectors[start : start + _ROWS]) @ self.bank.T
            found[start : start + _ROWS] = np.partition(cosines, -count, axis=1)[:, -count:]
        return found


@dataclass(frozen=True, slots=True)
class ClassDetector:
    """The probability of the out-of-scope label itself, where training had such texts.

    Attributes:
        column: of the out-of-scope label.
        temperature: calibrates the probabilities.
    """

    kind: ClassVar[str] = "class"
    column: int
    temperature: float = 1.0

    def score(self, logits: Numbers, vectors: Numbers) -> Floats:  # noqa: ARG002
        """The label's log-odds, shape `(n,)`; they keep apart what probabilities near 0 and 1 press together."""
        rest = EnergyDetector(1.0, skip=self.column)
        scaled = np.asarray(logits, dtype=np.float64) / self.temperature
        return np.asarray(scaled[:, self.column] + rest.score(scaled, scaled))


def _without(logits: Numbers, column: int | None) -> Floats:
    values = np.asarray(logits, dtype=np.float64)
    return values if column is None or values.shape[1] == 1 else np.delete(values, column, axis=1)


def _unit(vectors: Numbers) -> NDArray[np.float32]:
    values = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.maximum(lengths, 1e-12), dtype=np.float32)
