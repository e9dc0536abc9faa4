"""Indexes in the memory of a process, by FAISS: exact for tens of thousands of vectors, a graph beyond.

The graph (HNSW, Malkov and Yashunin 2018) holds vectors in 8 bits a number, so a vector of width 384 takes about 650
bytes, its links included. Its cosines are those of the rounded vectors, right to about 0.01.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Any

import faiss
import numpy as np

from retrieval.nearest.port import Nearest, Progress, Report, RowIds, checked_query
from retrieval.types import FaqError, Vector
from retrieval.vectors import check_unit_length

DESCRIPTION_FILE = "nearest.json"
_INDEX_FILE = "nearest.faiss"
_INDEX_FILES = "nearest*.faiss"

EXACT_UP_TO = 50_000
"""More vectors than this are searched by the graph."""

# The library's own types leave these parts out.
_FAISS: Any = faiss

_FORMAT = 1
_LINKS = 32
_BUILD_BREADTH = 100
_SEARCH_BREADTH = 128
_FEW_ALLOWED = 10_000
"""So many rows are compared one by one sooner than a graph is walked."""
_ALLOWED_MARGIN = 4
_CHUNK = 10_000
_REMEDY = "build the index again"


class Kind(StrEnum):
    """How an index finds what is near."""

    EXACT = "exact"
    GRAPH = "graph"


def kind_for(rows: int) -> Kind:
    """The kind that fits so many vectors."""
    return Kind.EXACT if rows <= EXACT_UP_TO else Kind.GRAPH


class FaissIndex:
    """A `VectorIndex` in memory.

    Args:
        index: a FAISS index with inner product as its measure.
        kind: how it finds what is near.
    """

    def __init__(self, index: faiss.Index, kind: Kind) -> None:
        self._index = index
        self.kind = kind

    @classmethod
    def build(
        cls,
        vectors: Vector,
        *,
        kind: Kind | None = None,
        report: Report = lambda _: None,
        breadth: int = _BUILD_BREADTH,
    ) -> FaissIndex:
        """Puts vectors into an index.

        Args:
            vectors: unit length, shape `(rows, width)`; may be memory-mapped, it is read in pieces.
            kind: how it shall find; by default what fits so many.
            report: is told how far it is.
            breadth: how many neighbours are weighed for each link of a graph; more is slower and finds better.

        Returns:
            The index; vectors that have no unit length are a `FaqError`.
        """
        rows, width = vectors.shape
        chosen = kind or kind_for(rows)
        index: Any = faiss.IndexFlatIP(width)
        if chosen is Kind.GRAPH:
            index = _FAISS.IndexHNSWSQ(width, faiss.ScalarQuantizer.QT_8bit, _LINKS, faiss.METRIC_INNER_PRODUCT)
            index.hnsw.efConstruction = breadth
            index.train(np.ascontiguousarray(vectors[:: max(1, rows // _CHUNK)], dtype=np.float32))
        began = time.monotonic()
        for start in range(0, rows, _CHUNK):
            piece = np.ascontiguousarray(vectors[start : start + _CHUNK], dtype=np.float32)
            check_unit_length(piece)
            index.add(piece)
            done = start + len(piece)
            report(Progress(done, rows, (time.monotonic() - began) / done * (rows - done)))
        return cls(index, chosen)

    @classmethod
    def load(cls, folder: Path, fingerprint: str) -> FaissIndex:
        """Maps an index that `save` wrote into memory; processes of one machine share its pages.

        Args:
            folder: where it is.
            fingerprint: identifies the encoder that gives the queries.

        Returns:
            The index.

        Raises:
            FaqError: a file is missing, damaged or does not fit the other, or the vectors came from another encoder.
        """
        described = _description(folder / DESCRIPTION_FILE)
        path = _index_path(folder, described)
        try:
            found = _sha256(path)
        except OSError as error:
            raise FaqError(f"{path}: cannot be read ({error.strerror or error}); {_REMEDY}") from error
        if described.get("fingerprint") != fingerprint:
            raise FaqError(f"{folder}: its vectors came from another encoder; {_REMEDY} with the present one")
        if described.get("sha256") != found:
            raise FaqError(f"{path}: is damaged or was replaced; {_REMEDY}")
        try:
            index: Any = faiss.read_index(str(path), _FAISS.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise FaqError(f"{path}: cannot be used: {error}; {_REMEDY}") from error
        kind = Kind.GRAPH if isinstance(index, _FAISS.IndexHNSW) else Kind.EXACT
        for name, has in {"kind": kind.value, "rows": int(index.ntotal), "width": int(index.d)}.items():
            if described.get(name) != has:
                raise FaqError(
                    f"{folder / DESCRIPTION_FILE}: {name}: expected {has!r}, as {path.name} has,"
                    f" got {described.get(name)!r:.80}; {_REMEDY}"
                )
        return cls(index, kind)

    def save(self, folder: Path, fingerprint: str) -> None:
        """Writes the index; until the description, which is written last, names it, an older one counts.

        Args:
            folder: an existing folder.
            fingerprint: identifies the encoder that the vectors came from.

        Raises:
            FaqError: a file cannot be written.
        """
        try:
            with tempfile.TemporaryDirectory(dir=folder, prefix=".nearest-") as work:
                draft, description = Path(work) / _INDEX_FILE, Path(work) / DESCRIPTION_FILE
                faiss.write_index(self._index, str(draft))
                digest = _sha256(draft)
                path = folder / f"nearest-{digest[:16]}.faiss"
                document = {
                    "format": _FORMAT,
                    "kind": self.kind.value,
                    "rows": len(self),
                    "width": self.width,
                    "fingerprint": fingerprint,
                    "file": path.name,
                    "sha256": digest,
                }
                description.write_text(json.dumps(document) + "\n", "utf-8")
                for written in (draft, description):
                    with written.open("rb") as file:
                        os.fsync(file.fileno())
                draft.replace(path)
                description.replace(folder / DESCRIPTION_FILE)
            for older in set(folder.glob(_INDEX_FILES)) - {path}:
                older.unlink(missing_ok=True)
        except (OSError, RuntimeError) as error:
            raise FaqError(f"{folder}: the index cannot be written ({error}); check the folder and the disk") from error

    @property
    def width(self) -> int:
        """The width of its vectors."""
        return int(self._index.d)

    def __len__(self) -> int:
        """How many vectors it has."""
        return int(self._index.ntotal)

    def search(self, vector: Vector, top: int, allowed: RowIds | None = None) -> Nearest:
        """Finds the nearest rows, on one thread; see `VectorIndex.search`."""
        query = checked_query(vector, self.width, top)
        found = min(top, len(self) if allowed is None else len(allowed))
        if not found:
            return Nearest(np.zeros(0, np.int64), np.zeros(0, np.float32))
        if self.kind is Kind.EXACT:
            selector = None if allowed is None else faiss.IDSelectorBatch(np.ascontiguousarray(allowed, np.int64))
            return self._nearest(query, found, _FAISS.SearchParameters(sel=selector))
        if allowed is None:
            return self._walk(query, found, max(_SEARCH_BREADTH, 2 * top))
        # So broad that several times as many as are wanted are allowed, unless these lie elsewhere.
        breadth = max(_SEARCH_BREADTH, 2 * top, _ALLOWED_MARGIN * found * len(self) // len(allowed))
        if len(allowed) > _FEW_ALLOWED and breadth <= _FEW_ALLOWED:
            near = self._walk(query, breadth, breadth)
            places = np.minimum(np.searchsorted(allowed, near.rows), len(allowed) - 1)
            inside = np.flatnonzero(allowed[places] == near.rows)[:found]
            if len(inside) == found:
                return Nearest(near.rows[inside], near.cosines[inside])
        return self._among(query, found, allowed)

    def _walk(self, query: Vector, found: int, breadth: int) -> Nearest:
        return self._nearest(query, min(found, len(self)), _FAISS.SearchParametersHNSW(efSearch=breadth))

    def _nearest(self, query: Vector, found: int, parameters: Any) -> Nearest:
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)
        try:
            cosines, rows = self._index.search(query, found, params=parameters)
        finally:
            faiss.omp_set_num_threads(threads)
        real = rows[0] >= 0
        return Nearest(rows[0][real], cosines[0][real])

    def _among(self, query: Vector, found: int, allowed: RowIds) -> Nearest:
        """Compares a query with the allowed rows one by one."""
        rows = np.ascontiguousarray(allowed, dtype=np.int64)
        pieces = (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))
        cosines = np.concatenate([self._index.reconstruct_batch(piece) @ query[0] for piece in pieces])
        best = np.argsort(-cosines, kind="stable")[:found]
        return Nearest(rows[best], cosines[best])


def stored_bytes(folder: Path) -> int:
    """What a saved index takes on the disk, in bytes."""
    description = folder / DESCRIPTION_FILE
    return sum(path.stat().st_size for path in (description, _index_path(folder, _description(description))))


def _index_path(folder: Path, described: Mapping[str, object]) -> Path:
    """The file that a description names, whose name holds its hash, so that a torn save leaves the older one whole."""
    name = described.get("file", _INDEX_FILE)
    if not isinstance(name, str) or not PurePath(name).match(_INDEX_FILES) or PurePath(name).name != name:
        raise FaqError(f"{folder / DESCRIPTION_FILE}: file: expected the name of an index, got {name!r:.80}; {_REMEDY}")
    return folder / name


def _description(path: Path) -> dict[str, object]:
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise FaqError(f"{path}: cannot be read ({error.strerror or error}); {_REMEDY}") from error
    except (ValueError, RecursionError) as error:
        raise FaqError(f"{path}: expected a JSON document: {error}; {_REMEDY}") from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise FaqError(f"{path}: expected the format {_FORMAT}; {_REMEDY} with this version")
    return document


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
