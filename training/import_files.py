"""Writes what an import took: all of its files or none."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from nlu.durable import partial_name, sync_folder, write_atomically
from nlu.example_schema import Example, example_document
from nlu.types import InputError
from retrieval.types import FaqEntry


def check_targets(targets: Iterable[Path], *, replace: bool) -> None:
    """Makes sure that nothing is overwritten unasked.

    Args:
        targets: the files that an import would write.
        replace: existing files may be replaced.

    Raises:
        InputError: a target is there already, or is a folder.
    """
    for target in targets:
        if target.is_dir():
            raise InputError(f"{target}: expected a place for a file, there is a folder. Choose another --out.")
        if target.exists() and not replace:
            raise InputError(f"{target}: is there already. Give --replace to write it anew, or choose another --out.")


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Writes several files so that all of them appear, or none.

    Args:
        contents: content by file; missing folders are made, existing files replaced.

    Raises:
        InputError: the disk refuses; nothing was replaced.
    """
    staged: dict[Path, Path] = {}
    target = Path()
    try:
        for target, content in contents.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(partial_name(target.name))
            write_atomically(partial, [content])
            staged[partial] = target
        for partial, target in staged.items():
            partial.replace(target)
            sync_folder(target.parent)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{target}: cannot be written ({reason}). Free space or choose another place.") from error
    finally:
        for partial in staged:
            with contextlib.suppress(OSError):
                partial.unlink()


def faq_lines(entries: Iterable[FaqEntry]) -> bytes:
    """The content of a FAQ file."""
    return b"".join(_line(asdict(entry)) for entry in entries)


def example_lines(examples: Iterable[Example]) -> bytes:
    """The content of an example file."""
    return b"".join(_line(example_document(example)) for example in examples)


def _line(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"
