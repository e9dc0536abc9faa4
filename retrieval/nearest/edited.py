"""An index whose vectors change: what an older one holds is found there, only what is new is compared one by one.

A graph of many vectors takes minutes to build, and an edit of the knowledge base has to answer within a second.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from time import monotonic

import numpy as np
import structlog

from retrieval.nearest.in_process import FaissIndex, Kind, kind_for
from retrieval.nearest.port import Nearest, Progress, RowIds
from retrieval.types import Vector

MOST_CHANGED = 0.1
"""A graph is built anew where more than this share of the rows came or went since."""

_TOLD_EVERY = 15.0
"""Seconds between two lines of the log about a build."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A FAISS index and what it holds.

    Attributes:
        index: the index.
        keys: a number for each of its rows, the same for the same bits and else hardly ever; none where it is exact.
    """

    index: FaissIndex
    keys: RowIds


@dataclass(frozen=True, slots=True, eq=False)
class _Changes:
    """How the rows of an index differ from those that are held.

    Attributes:
        place: the row that each of those is now, -1 for one that is gone; shape `(held,)`.
        gone: how many are gone.
        added: the rows that are not held, ascending.
        index: of the vectors of `added`.
    """

    place: RowIds
    gone: int
    added: RowIds
    index: FaissIndex


class EditedIndex:
    """A `VectorIndex` that takes over the graph of an older one of nearly the same vectors.

    Args:
        vectors: unit length, shape `(rows, width)`; others are a `FaqError`.
        before: an older index, whose graph serves on where it has most of the vectors.
        graph: a graph of just these vectors, where there is one.

    Attributes:
        kind: how it finds what is near.
        held: the index that was built or taken over.
    """

    def __init__(self, vectors: Vector, before: EditedIndex | None = None, graph: FaissIndex | None = None) -> None:
        self.kind = kind_for(len(vectors))
        self._rows = len(vectors)
        self._changes: _Changes | None = None
        if self.kind is Kind.EXACT:
            self.held = Held(FaissIndex.build(vectors), np.zeros(0, dtype=np.int64))
            return
        keys = _keys(vectors)
        self._changes = _changes(vectors, keys, before.held) if before else None
        if before and self._changes:
            self.held = before.held
        elif graph is not None and (len(graph), graph.width) == vectors.shape:
            self.held = Held(graph, keys)
        else:
            self.held = Held(FaissIndex.build(vectors, report=_Told()), keys)

    @property
    def whole(self) -> FaissIndex | None:
        """The index that has all the vectors and no others; None where an older one was taken over."""
        return None if self._changes else self.held.index

    @property
    def width(self) -> int:
        """The width of its vectors."""
        return self.held.index.width

    def __len__(self) -> int:
        """How many vectors it has."""
        return self._rows

    def search(self, vector: Vector, top: int, allowed: RowIds | None = None) -> Nearest:
        """Finds the nearest rows; see `VectorIndex.search`."""
        changes = self._changes
        if changes is None:
            return self.held.index.search(vector, top, allowed)
        place, added = changes.place, changes.added
        if allowed is None and changes.gone <= top:
            # To look at a few more costs less than to tell a graph what it may find.
            old = self.held.index.search(vector, top + changes.gone)
            own = changes.index.search(vector, top)
        else:
            kept, new = place >= 0, np.ones(len(added), dtype=np.bool_)
            if allowed is not None:
                kept, new = np.isin(place, allowed), np.isin(added, allowed)
            old = self.held.index.search(vector, top, np.flatnonzero(kept))
            own = changes.index.search(vector, top, np.flatnonzero(new))
        rows = np.concatenate([place[old.rows], added[own.rows]])
        cosines = np.concatenate([old.cosines, own.cosines])
        best = [row for row in np.argsort(-cosines, kind="stable").tolist() if rows[row] >= 0][:top]
        return Nearest(rows[best], cosines[best])


class _Told:
    """Tells the log how far a build is and how long it will take."""

    def __init__(self) -> None:
        self._told = monotonic()

    def __call__(self, progress: Progress) -> None:
        now = monotonic()
        if now - self._told >= _TOLD_EVERY or progress.done == progress.total:
            self._told = now
            _log.info(
                "index_build", done=progress.done, total=progress.total, seconds_left=round(progress.seconds_left)
            )


def _keys(vectors: Vector) -> RowIds:
    rows = np.ascontiguousarray(vectors)
    return np.fromiter((hash(row.tobytes()) for row in rows), dtype=np.int64, count=len(rows))


def _changes(vectors: Vector, keys: RowIds, held: Held) -> _Changes | None:
    """What came and went since an index was built; None where it has no graph of such vectors, or too much did."""
    if not len(held.keys) or held.index.width != vectors.shape[1]:
        return None
    waiting = defaultdict[int, list[int]](list)
    for row, key in enumerate(held.keys.tolist()):
        waiting[key].append(row)
    place, added = np.full(len(held.keys), -1, dtype=np.int64), []
    for row, key in enumerate(keys.tolist()):
        if alike := waiting.get(key):
            place[alike.pop()] = row
        else:
            added.append(row)
    gone = int(np.count_nonzero(place < 0))
    if len(added) + gone > MOST_CHANGED * len(vectors):
        return None
    new = np.array(added, dtype=np.int64)
    return _Changes(place, gone, new, FaissIndex.build(vectors[new], kind=Kind.EXACT))
