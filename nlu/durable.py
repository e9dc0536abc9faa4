"""Writes that survive a power cut: content reaches the disk before a rename shows it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

PARTIAL = ".partial-"
"""What the names of unfinished files and folders begin with."""

_STALE_SECONDS = 86_400.0

_AT_CURRENT_FOLDER = -100
_EXCHANGE = 2


def partial_name(hint: str) -> str:
    """A fresh name for something unfinished.

    Args:
        hint: what it will become, for people who find it.

    Returns:
        A name that begins with `PARTIAL`.
    """
    return f"{PARTIAL}{hint}-{secrets.token_hex(4)}"


def clear_stale(folder: Path, prefix: str) -> None:
    """Removes what processes that died have left unfinished, as far as the disk lets it.

    Args:
        folder: where to look.
        prefix: what their names begin with; what was changed within a day may still be worked on.
    """
    oldest = time.time() - _STALE_SECONDS
    for path in folder.iterdir():
        if not path.name.startswith(prefix):
            continue
        with contextlib.suppress(OSError):
            if max(inner.lstat().st_mtime for inner in (path, *path.rglob("*"))) > oldest:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def write_atomically(path: Path, chunks: Iterable[bytes]) -> None:
    """Writes a file so that readers, and a power cut, find either the old content or the new.

    Where the disk refuses, the `OSError` is passed on, the old content stays and nothing unfinished is left.

    Args:
        path: the file; its folder must exist.
        chunks: the content, in order.
    """
    partial = path.with_name(partial_name(path.name))
    try:
        with partial.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
    sync_folder(path.parent)


def append_line(path: Path, line: str) -> None:
    """Appends a line to a file and waits until it is on the disk; a torn last line is closed off first.

    Args:
        path: the file; made where it is missing.
        line: the line, without its end.
    """
    with path.open("ab+") as file:
        torn = False
        if file.tell():
            file.seek(-1, os.SEEK_END)
            torn = file.read(1) != b"\n"
        file.write(("\n" if torn else "").encode() + line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Waits until a folder's own entries are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Waits until every file and folder below `folder`, and `folder` itself, is on the disk."""
    for place, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(Path(place, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(place))


def exchange(first: Path, second: Path) -> None:
    """Swaps two folders: in one step on Linux (`renameat2`), elsewhere in three renames that are undone on failure.

    Args:
        first: a folder.
        second: another folder of the same file system.

    Raises:
        OSError: they could not be swapped; both are as they were.
    """
    with contextlib.suppress(OSError, AttributeError):
        rename = ctypes.CDLL(None, use_errno=True).renameat2
        if rename(_AT_CURRENT_FOLDER, os.fsencode(first), _AT_CURRENT_FOLDER, os.fsencode(second), _EXCHANGE) == 0:
            return
    aside = second.with_name(partial_name(second.name))
    second.rename(aside)
    try:
        first.rename(second)
    except OSError:
        aside.rename(second)
        raise
    aside.rename(first)
