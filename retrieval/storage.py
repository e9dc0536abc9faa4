"""The files of an index: `faq.jsonl` (entries), `faq.faiss` (vectors) and `faq.json` (how they fit together).

An index of many vectors has its graph beside them, mapped into memory by all processes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import faiss
import numpy as np
import structlog

from retrieval.calibration import HitCalibration
from retrieval.faq import write_atomically, write_faq
from retrieval.nearest import in_process as nearest
from retrieval.nearest.in_process import FaissIndex
from retrieval.types import FaqEntry, FaqError, Vector
from retrieval.vectors import EntryVectors, Rows, arrange

FORMAT = 2
_WITHOUT_WORDS = 1
FAQ_FILE = "faq.jsonl"
INDEX_FILE = "faq.faiss"
DESCRIPTION_FILE = "faq.json"
_REMEDY = "build the index again"
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


def save(folder: Path, vectors: EntryVectors, calibration: HitCalibration, row_entry: Rows, index: bytes) -> None:
    """Writes an index; its description last, so that a torn write is seen. What cannot be written is a `FaqError`.

    Args:
        folder: an existing folder.
        vectors: the knowledge base.
        calibration: its calibration.
        row_entry: the entry of each row of the FAISS index.
        index: the serialised FAISS index.
    """
    write_faq(folder / FAQ_FILE, vectors.entries)
    write_atomically(folder / INDEX_FILE, index)
    description = {
        "format": FORMAT,
        "width": vectors.wording_vectors.shape[1],
        "entries": len(vectors.entries),
        "rows": row_entry.tolist(),
        "calibration": calibration.to_json(),
        "sha256": {name: _sha256((folder / name).read_bytes()) for name in (FAQ_FILE, INDEX_FILE)},
    }
    write_atomically(folder / DESCRIPTION_FILE, (json.dumps(description) + "\n").encode())


def load(folder: Path) -> tuple[EntryVectors, HitCalibration]:
    """Reads an index and makes sure that its files belong together.

    Args:
        folder: the folder that `save` wrote to.

    Returns:
        The knowledge base with its vectors, and its calibration.

    Raises:
        FaqError: a file is missing, damaged or does not fit the others.
    """
    path = folder / DESCRIPTION_FILE
    description = _description(path)
    contents = {name: _read(folder / name) for name in (FAQ_FILE, INDEX_FILE)}
    for name, content in contents.items():
        if _at(description, path, "sha256", dict).get(name) != _sha256(content):
            raise FaqError(f"{folder / name}: not the file that {path} describes, it is damaged or replaced; {_REMEDY}")

    count = _at(description, path, "entries", int)
    entries = _entries(folder / FAQ_FILE, contents[FAQ_FILE])
    stored = _stored_vectors(folder / INDEX_FILE, contents[INDEX_FILE])
    width, rows = _at(description, path, "width", int), _at(description, path, "rows", list)
    found = {"entries": len(entries), "width": stored.shape[1], "rows": len(stored)}
    for name, expected in {"entries": count, "width": width, "rows": len(rows)}.items():
        if found[name] != expected:
            raise FaqError(f"{path}: {name}: expected {expected}, the files have {found[name]}; {_REMEDY}")
    try:
        vectors = arrange(entries, stored)
        calibration = HitCalibration.from_json(_calibration(description, path))
    except FaqError as error:
        raise FaqError(f"{path}: {error}") from error
    if rows != [*vectors.owner.tolist(), *range(len(entries))]:
        raise FaqError(f"{path}: rows: they do not map the vectors to the entries of {FAQ_FILE}; {_REMEDY}")
    return vectors, calibration


def save_graph(folder: Path, graph: FaissIndex) -> None:
    """Writes the graph of the vectors that `save` wrote; a file that cannot be written is a `FaqError`.

    Args:
        folder: the same folder.
        graph: of these vectors.
    """
    graph.save(folder, _sha256(_read(folder / INDEX_FILE)))


def load_graph(folder: Path) -> FaissIndex | None:
    """The graph that lies beside the vectors.

    Args:
        folder: the folder that `save` and `save_graph` wrote to.

    Returns:
        The graph; None where there is none that fits the vectors, so that it has to be built.
    """
    if not (folder / nearest.DESCRIPTION_FILE).exists():
        return None
    try:
        return FaissIndex.load(folder, _sha256(_read(folder / INDEX_FILE)))
    except FaqError as error:
        _log.warning("index_graph_refused", reason=str(error))
        return None


def _entries(path: Path, content: bytes) -> list[FaqEntry]:
    """What `write_faq` wrote, whatever is asked of files that people write."""
    try:
        fields = [json.loads(line) for line in content.decode().split("\n") if line]
        return [FaqEntry(**each | {name: tuple(each[name]) for name in ("variants", "tags")}) for each in fields]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FaqError(f"{path}: expected FAQ entries: {error}; {_REMEDY}") from error


def _description(path: Path) -> Mapping[str, object]:
    try:
        description = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise FaqError(f"{path}: expected a JSON document: {error}; {_REMEDY}") from error
    version = description.get("format") if isinstance(description, dict) else None
    if version not in {_WITHOUT_WORDS, FORMAT}:
        raise FaqError(f"{path}: format: expected {FORMAT}, got {version!r}; {_REMEDY} with this version")
    document: dict[str, object] = description
    return document


def _calibration(description: Mapping[str, object], path: Path) -> dict[str, object]:
    document = _at(description, path, "calibration", dict)
    if description["format"] == _WITHOUT_WORDS:
        return document | {"weights": {"passage": _at(description, path, "answer_weight", float), "words": 0.0}}
    return document


def _stored_vectors(path: Path, content: bytes) -> Vector:
    try:
        index = faiss.deserialize_index(np.frombuffer(content, dtype=np.uint8))
    except RuntimeError as error:
        raise FaqError(f"{path}: expected a FAISS index: {error}; {_REMEDY}") from error
    if not isinstance(index, faiss.IndexFlatIP):
        raise FaqError(f"{path}: expected a FAISS IndexFlatIP, got {type(index).__name__}; {_REMEDY}")
    vectors: Vector = index.reconstruct_n(0, index.ntotal) if index.ntotal else np.zeros((0, index.d), np.float32)
    return vectors


def _at(description: Mapping[str, object], path: Path, name: str, kind: type[_T]) -> _T:
    value = description.get(name)
    if not isinstance(value, kind):
        raise FaqError(f"{path}: {name}: expected {kind.__name__}, got {value!r:.80}; {_REMEDY}")
    return value


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FaqError(f"{path}: cannot be read ({error.strerror or error}); {_REMEDY}") from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
