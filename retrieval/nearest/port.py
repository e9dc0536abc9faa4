"""What an index of vectors can do, whatever holds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.types import FaqError, Vector
from retrieval.vectors import check_unit_length

RowIds = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is.

    Attributes:
        done: rows that are in.
        total: rows that there will be.
        seconds_left: at the pace so far.
    """

    done: int
    total: int
    seconds_left: float


Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The rows nearest to a query, the nearest first.

    Attributes:
        rows: their numbers, shape `(found,)`.
        cosines: how near each is, -1 to 1, shape `(found,)`.
    """

    rows: RowIds
    cosines: Vector


class VectorIndex(Protocol):
    """Finds the nearest of its unit-length vectors; safe for concurrent searches."""

    @property
    def width(self) -> int:
        """The width of its vectors."""

    def __len__(self) -> int:
        """How many vectors it has."""

    def search(self, vector: Vector, top: int, allowed: RowIds | None = None) -> Nearest:
        """Finds the nearest rows.

        Args:
            vector: unit length, shape `(width,)`.
            top: how many rows at most, 1 or more.
            allowed: the rows that may be found, ascending; all by default.

        Returns:
            Up to `top` rows; a vector of another width or length is a `FaqError`.
        """


def checked_query(vector: Vector, width: int, top: int) -> Vector:
    """A query as an index takes it.

    Args:
        vector: shape `(width,)`.
        width: of the index.
        top: how many rows are wanted.

    Returns:
        The same, shape `(1, width)`.

    Raises:
        FaqError: the vector has another width or no unit length, or nothing is wanted.
    """
    query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
    if query.shape[1] != width:
        raise FaqError(f"expected a vector of width {width}, as the index has, got {query.shape[1]}; use its encoder")
    if top < 1:
        raise FaqError(f"top: expected 1 or more, got {top}")
    check_unit_length(query)
    return query
