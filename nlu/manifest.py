"""What a release says of itself, and the check that its files are the ones it names.

Only formats that cannot carry code are allowed in a release, so that loading one is safe: no pickle, no scripts.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from nlu.durable import write_atomically
from nlu.types import ReleaseError

MANIFEST_FILE = "manifest.json"
FORMAT = 1
ALLOWED_ENDINGS = (".json", ".jsonl", ".md", ".safetensors", ".faiss", ".txt", ".onnx", ".svg", ".png")

_REMEDY = "Restore the release from a copy, roll back to another one, or train again."
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_MANIFEST_BYTES = 32_000_000
_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file of a release.

    Attributes:
        size: bytes.
        sha256: 64 hexadecimal digits.
    """

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a release is.

    Attributes:
        name: such as `r20261122-101502-abc123`.
        encoder: the pretrained encoder's name.
        encoder_fingerprint: identifies that encoder's weights.
        prefix: what every text is given before it is encoded.
        passage_prefix: what FAQ passages are given instead; None, as in older releases, for the same.
        max_tokens: longer texts are cut here.
        heads: head to its labels, in the order of the logits.
        seed: of every random choice.
        pooling: how token states become the sentence vector.
        entity_types: types of entities, in order.
        languages: languages the release is for.
        parent: the release it was trained from or is to replace, if any.
        created: ISO 8601 with time zone.
        config: the training settings.
        fingerprints: of the examples, the FAQ and the test set, by name.
        metrics: on the frozen test set, and what else was measured.
        libraries: library to version.
        files: path inside the folder to size and hash; `write_manifest` fills it.
        format: version of this document.
    """

    name: str
    encoder: str
    encoder_fingerprint: str
    prefix: str
    max_tokens: int
    heads: Mapping[str, Sequence[str]]
    seed: int
    passage_prefix: str | None = None
    pooling: str = "mean"
    entity_types: Sequence[str] = ()
    languages: Sequence[str] = ()
    parent: str | None = None
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    config: Mapping[str, Any] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, FileRecord] = field(default_factory=dict)
    format: int = FORMAT

    def with_metrics(self, metrics: Mapping[str, Any]) -> Manifest:
        """The same manifest with other metrics."""
        return dataclasses.replace(self, metrics=metrics)

    def to_json(self) -> dict[str, Any]:
        """The manifest as plain JSON values."""
        return {name: _plain(getattr(self, name)) for name in _CHECKS}

    @classmethod
    def from_json(cls, document: object) -> Manifest:
        """Rebuilds a manifest from `to_json`'s values; fields of later versions are left out.

        Args:
            document: what was stored.

        Returns:
            The manifest.

        Raises:
            ReleaseError: a field is missing or not what it should be; says which.
        """
        if not isinstance(document, dict):
            raise ReleaseError(f"expected an object with fields, got {type(document).__name__}")
        if document.get("format") != FORMAT:
            raise ReleaseError(
                f"format: expected {FORMAT}, got {document.get('format')!r}; was it made by another version?"
            )
        for name, (expected, holds) in _CHECKS.items():
            if name not in document and name not in _ADDED:
                raise ReleaseError(f"{name}: missing")
            if name in document and not holds(document[name]):
                raise ReleaseError(f"{name}: expected {expected}, got {str(document[name])[:60]!r}")
        known = {name: document[name] for name in _CHECKS if name in document}
        known["files"] = {path: FileRecord(size=r["size"], sha256=r["sha256"]) for path, r in known["files"].items()}
        return cls(**known)


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Writes a manifest that names every file of a release folder with its size and hash.

    Args:
        folder: the release under construction.
        manifest: what the release is; its `files` are made anew.

    Returns:
        The manifest as written.

    Raises:
        ReleaseError: a file may not be in a release, a value is not plain JSON, or the disk refuses.
    """
    try:
        files = {path: _file_record(folder / path) for path in release_files(folder) if path != MANIFEST_FILE}
        complete = dataclasses.replace(manifest, files=files)
        text = json.dumps(complete.to_json(), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
        _parse(folder / MANIFEST_FILE, text)
        write_atomically(folder / MANIFEST_FILE, [text.encode()])
    except (TypeError, ValueError) as error:
        raise ReleaseError(f"{folder / MANIFEST_FILE}: holds a value that JSON cannot keep: {error}") from error
    except OSError as error:
        raise ReleaseError(
            f"{folder}: cannot be written ({error.strerror}). Free disk space or check rights."
        ) from error
    return complete


def read_manifest(folder: Path) -> Manifest:
    """Reads a release's manifest; its files are not looked at.

    Args:
        folder: the release.

    Returns:
        The manifest.

    Raises:
        ReleaseError: it is missing or not well formed.
    """
    path = folder / MANIFEST_FILE
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise ReleaseError(f"{path}: is a link or no plain file, and a release holds only plain files. {_REMEDY}")
        if found.st_size > _MAX_MANIFEST_BYTES:
            raise ReleaseError(f"{path}: is larger than {_MAX_MANIFEST_BYTES:,} bytes. {_REMEDY}")
        text = path.read_bytes().decode()
    except FileNotFoundError:
        raise ReleaseError(f"{path}: no such file, so {folder} is no release. {_REMEDY}") from None
    except OSError as error:
        raise ReleaseError(f"{path}: cannot be read ({error.strerror}). {_REMEDY}") from error
    except UnicodeDecodeError as error:
        raise ReleaseError(f"{path}: not valid UTF-8. {_REMEDY}") from error
    return _parse(path, text)


def verify(folder: Path) -> Manifest:
    """Checks a release whole: manifest well formed, every file there with its size and hash, and none besides.

    Args:
        folder: the release; each file is read once, as a stream.

    Returns:
        Its manifest.

    Raises:
        ReleaseError: something is wrong; names the file.
    """
    manifest = read_manifest(folder)
    try:
        present = set(release_files(folder)) - {MANIFEST_FILE}
        for path in sorted(present - manifest.files.keys()):
            raise ReleaseError(f"{folder / path}: is not named in the manifest. {_REMEDY}")
        for path, expected in manifest.files.items():
            if path not in present:
                raise ReleaseError(f"{folder / path}: no such file, though the manifest names it. {_REMEDY}")
            size = (folder / path).stat().st_size
            if size != expected.size:
                raise ReleaseError(f"{folder / path}: expected {expected.size:,} bytes, got {size:,}. {_REMEDY}")
            found = _file_record(folder / path)
            if found != expected:
                message = f"expected sha256 {expected.sha256[:12]}…, got {found.sha256[:12]}…"
                raise ReleaseError(f"{folder / path}: damaged: {message}. {_REMEDY}")
    except OSError as error:
        place = error.filename or folder
        raise ReleaseError(f"{place}: cannot be read ({error.strerror}). {_REMEDY}") from error
    return manifest


def release_files(folder: Path) -> Iterator[str]:
    """Walks a release folder and refuses what may not be in one.

    Args:
        folder: the release.

    Yields:
        The path of every file inside the folder, with forward slashes.

    Raises:
        ReleaseError: something is a link or no plain file, lies too deep, or its format could carry code.
    """
    yield from _files(folder, _MAX_DEPTH)


def _files(folder: Path, depth: int) -> Iterator[str]:
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            if not depth:
                raise ReleaseError(f"{path}: lies deeper than the {_MAX_DEPTH} folders of a release. Remove it.")
            yield from (f"{entry.name}/{inner}" for inner in _files(path, depth - 1))
        elif not stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
            raise ReleaseError(f"{path}: is a link or no plain file, and a release holds only plain files. Remove it.")
        elif path.suffix not in ALLOWED_ENDINGS:
            allowed = ", ".join(ALLOWED_ENDINGS)
            raise ReleaseError(f"{path}: this kind of file is not allowed in a release (only {allowed}). Remove it.")
        else:
            yield entry.name


def _parse(path: Path, text: str) -> Manifest:
    try:
        return Manifest.from_json(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise ReleaseError(f"{path}: not valid JSON ({error}). {_REMEDY}") from error
    except ReleaseError as error:
        raise ReleaseError(f"{path}: {error}. {_REMEDY}") from None


def _file_record(path: Path) -> FileRecord:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileRecord(file.tell(), digest)


def _plain(value: Any) -> Any:
    if isinstance(value, FileRecord):
        return {"size": value.size, "sha256": value.sha256}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value)


def _maps(holds: Callable[[Any], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(_is_text(key) and holds(item) for key, item in value.items())


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    plain = PurePosixPath(path).as_posix() == path and "\\" not in path and "\0" not in path
    return plain and not path.startswith("/") and ".." not in parts and path not in {".", MANIFEST_FILE}


def _are_files(value: object) -> bool:
    return isinstance(value, dict) and all(
        _is_inside(path)
        and isinstance(record, dict)
        and _is_count(record.get("size"))
        and isinstance(record.get("sha256"), str)
        and _SHA256.fullmatch(record["sha256"]) is not None
        for path, record in value.items()
    )


_CHECKS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "format": (f"the number {FORMAT}", lambda value: value == FORMAT),
    "name": ("a name", _is_text),
    "created": ("a time in ISO 8601 with time zone", _is_time),
    "parent": ("a name or null", lambda value: value is None or _is_text(value)),
    "encoder": ("a name", _is_text),
    "encoder_fingerprint": ("a text", lambda value: isinstance(value, str)),
    "prefix": ("a text", lambda value: isinstance(value, str)),
    "passage_prefix": ("a text or null", lambda value: value is None or isinstance(value, str)),
    "pooling": ("a name", _is_text),
    "max_tokens": ("a whole number above 0", lambda value: _is_count(value) and value > 0),
    "heads": ("lists of different labels by head", _maps(_are_texts)),
    "entity_types": ("a list of different names", _are_texts),
    "languages": ("a list of different names", _are_texts),
    "seed": ("a whole number", lambda value: type(value) is int),
    "config": ("an object", lambda value: isinstance(value, dict)),
    "fingerprints": ("texts by name", _maps(lambda value: isinstance(value, str))),
    "metrics": ("an object", lambda value: isinstance(value, dict)),
    "libraries": ("versions by library", _maps(_is_text)),
    "files": ("sizes and hashes by path inside the folder", _are_files),
}

_ADDED = frozenset({"passage_prefix"})
"""What manifests of older releases lack."""
