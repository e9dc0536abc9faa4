"""What runs a release's model, whichever library does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nlu.types import Vector


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """What one forward pass gives, not yet calibrated.

    Attributes:
        vectors: unit-length sentence vectors, shape `(batch, width)`.
        logits: for each head, shape `(batch, labels)`.
        tags: logits of the token head, shape `(batch, tokens, tags)`, or None without one.
    """

    vectors: Vector
    logits: dict[str, NDArray[np.float32]]
    tags: NDArray[np.float32] | None


class Engine(Protocol):
    """Runs a model; safe to call from several threads."""

    @property
    def width(self) -> int:
        """The width of its sentence vectors."""

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Outputs:
        """One forward pass.

        Args:
            ids: token ids, shape `(batch, tokens)`.
            mask: 1 for real tokens, 0 for padding, of the same shape.

        Returns:
            What the model makes of the texts.
        """
