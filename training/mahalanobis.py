"""The Mahalanobis distance to the nearest intent (Lee et al. 2018, equation 2), to compare out-of-scope detectors with.

It is not among the detectors that serve: it keeps a matrix for little, as it has not been the best one yet.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nlu.types import Vector

_SHRINKAGE = 0.1
"""Share of the covariance that is taken as round, since a few hundred texts do not tell its shape."""


def mahalanobis_distances(vectors: Vector, known: Vector, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far texts are from the nearest intent, in the directions that texts of one intent differ in least.

    Args:
        vectors: of the texts to judge, shape `(n, width)`.
        known: of training texts, shape `(m, width)`, at least one.
        labels: their intents, shape `(m,)`.

    Returns:
        Squared distances, shape `(n,)`, higher is more out of scope.
    """
    names, places = np.unique(labels, return_inverse=True)
    means = np.stack([known[places == place].mean(0, dtype=np.float64) for place in range(len(names))])
    spread = known - means[places]
    covariance = spread.T @ spread / len(known)
    width = covariance.shape[0]
    round_part = np.eye(width) * max(float(np.trace(covariance)) / width, 1e-12)
    precision = np.linalg.inv((1.0 - _SHRINKAGE) * covariance + _SHRINKAGE * round_part)
    # (x - m) P (x - m) = x P x - 2 x P m + m P m, for all means at once.
    own = np.einsum("nw,nw->n", vectors @ precision, vectors)
    theirs = np.einsum("cw,cw->c", means @ precision, means)
    distances = own[:, None] - 2.0 * (vectors @ precision) @ means.T + theirs
    return np.asarray(distances.min(axis=1))
