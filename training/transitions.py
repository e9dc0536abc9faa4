"""How tags follow each other in the training texts, for decoding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.datasets import NO_LABEL, Features

_WEIGHT = 0.5
"""How much of it counts: tokens have seen their neighbours already."""
_SMOOTHING = 10.0
"""Transitions that every tag is granted beforehand, shared out as the tags are frequent."""


def tag_transitions(features: Sequence[Features], tags: int) -> NDArray[np.float32]:
    """Measures how much more often each tag is followed by each other than by chance.

    A token's own probabilities know how frequent a tag is, so that is taken off (Bourlard & Morgan 1994, hybrid hidden
    Markov models: scaled likelihoods).

    Args:
        features: training texts; those without tags are passed over.
        tags: how many tags there are.

    Returns:
        `weight * log(p(next | tag) / p(next))`, shape `(tags + 1, tags)`; the last row is a text's beginning.
    """
    counts = np.zeros((tags + 1, tags))
    for item in features:
        before = tags
        for tag in item.tags or ():
            if tag != NO_LABEL:
                counts[before, tag] += 1
                before = tag
    usual = (counts.sum(0) + 0.5) / (counts.sum() + 0.5 * tags)
    shares = (counts + _SMOOTHING * usual) / (counts.sum(1, keepdims=True) + _SMOOTHING)
    return np.asarray(_WEIGHT * (np.log(shares) - np.log(usual)), dtype=np.float32)
