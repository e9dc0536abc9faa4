"""Release folders: sealed whole or not at all, kept side by side, and one of them `current`.

A store is a folder of releases with three files of its own: `current` holds the name in force and is replaced
atomically, `history.jsonl` only grows, and `.lock` keeps two processes from promoting at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import filelock

from nlu.durable import PARTIAL, append_line, clear_stale, partial_name, write_atomically
from nlu.manifest import MANIFEST_FILE, FileRecord, Manifest, read_manifest, verify, write_manifest
from nlu.sealing import seal
from nlu.types import ReleaseError

_NAME = re.compile(r"r\d{8}-\d{6}-[0-9a-f]{6}")
_LOCK_SECONDS = 30.0


class OpenRelease(NamedTuple):
    """The release to serve.

    Attributes:
        name: its name.
        warning: why it is not the one that `current` names; None where it is.
    """

    name: str
    warning: str | None


@dataclass(frozen=True, slots=True)
class _Change:
    at: str
    action: str
    was: str | None
    name: str


def new_name(seed: int = 0) -> str:
    """A fresh release name; names sort by time.

    Args:
        seed: the training seed; a part of what the name's last six digits are made of.

    Returns:
        Such as `r20261122-101502-abc123`, in UTC.
    """
    mark = hashlib.sha256(f"{seed} {time.time_ns()} {os.getpid()}".encode()).hexdigest()[:6]
    return f"r{datetime.now(UTC):%Y%m%d-%H%M%S}-{mark}"


class ReleaseStore:
    """Releases side by side under one folder; safe with several processes.

    Args:
        root: the folder; made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """The releases in the store, the oldest first."""
        if not self.root.is_dir():
            return []
        return sorted(path.name for path in self.root.iterdir() if _is_release(path))

    def current(self) -> str | None:
        """The name in force; None where none was promoted yet or the file `current` is damaged."""
        try:
            name = (self.root / "current").read_bytes().decode("ascii", "replace").strip()
        except OSError:
            return None
        return name if _NAME.fullmatch(name) else None

    def path(self, name: str) -> Path:
        """The folder of a release.

        Args:
            name: its name.

        Returns:
            The folder, which exists.

        Raises:
            ReleaseError: there is no such release; names those there are.
        """
        folder = self.root / name
        if not _NAME.fullmatch(name) or not _is_release(folder):
            known = ", ".join(self.names()[-5:]) or "none; train one with `frontdesk train`"
            raise ReleaseError(f"{self.root}: no release {name!r}. Releases here: {known}.")
        return folder

    def new_folder(self, prefix: str = "train") -> Path:
        """Makes an empty folder to build a release in, and clears away unfinished ones older than a day.

        Where the disk refuses, a `ReleaseError` says so.

        Args:
            prefix: what is being made, for people who find the folder.

        Returns:
            The folder `.partial-<prefix>-…` under the root.
        """
        folder = self.root / partial_name(prefix)
        with _writing(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            clear_stale(self.root, PARTIAL)
            folder.mkdir()
        return folder

    @contextlib.contextmanager
    def draft(self, prefix: str = "train") -> Iterator[Path]:
        """Gives a folder like `new_folder` and removes it at the end unless it was sealed."""
        folder = self.new_folder(prefix)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def seal(self, folder: Path, manifest: Manifest) -> str:
        """Writes the manifest into a finished folder and makes it a release of the store.

        Args:
            folder: from `new_folder` or `draft`.
            manifest: what the release is; its name becomes the folder's.

        Returns:
            The release's name.

        Raises:
            ReleaseError: the name is taken or unfit, the folder holds something that is not allowed, or the disk
                refuses; in the last case the folder is removed.
        """
        target = self.root / manifest.name
        if not _NAME.fullmatch(manifest.name) or target.exists():
            raise ReleaseError(f"{target}: the name is taken or unfit; take one from `new_name()`.")
        try:
            write_manifest(folder, manifest)
        except ReleaseError as error:
            if isinstance(error.__cause__, OSError):
                shutil.rmtree(folder, ignore_errors=True)
            raise
        return seal(folder, target).name

    def promote(self, name: str, *, instead_of: str | None = None) -> None:
        """Verifies a release and makes it current.

        Args:
            name: the release.
            instead_of: the release that must still be in force; None for whichever is.

        Raises:
            ReleaseError: it fails verification, or another release is in force than was expected; `current` stays.
        """
        self._verify(name)
        with self._locked():
            was = self.current()
            if instead_of not in (None, was):
                raise ReleaseError(
                    f"{self.root}: expected {instead_of} to be in force, found {was}: another release was promoted "
                    f"meanwhile. Compare {name} with it, then promote again."
                )
            if was != name:
                self._change(_Change(_now(), "promote", was, name))

    def adopt(self, folder: Path) -> str:
        """Copies a release folder from elsewhere into the store and makes it current.

        Args:
            folder: a sealed release; where the store has it damaged, it takes that one's place.

        Returns:
            Its name.

        Raises:
            ReleaseError: the folder is no sound release, or the disk refuses.
        """
        name = verify(folder).name
        if not self._is_sound(name):
            with self.draft("adopt") as draft, _writing(self.root):
                shutil.copytree(folder, draft, dirs_exist_ok=True)
                seal(draft, self.root / name)
        self.promote(name)
        return name

    def rollback(self) -> str:
        """Makes the release current that was so before; a damaged one is passed over.

        Returns:
            Its name.

        Raises:
            ReleaseError: there is no earlier release that is sound.
        """
        with self._locked():
            was = self.current()
            refused = []
            for name in reversed(_stack(self._history(), was)):
                if name == was:
                    continue
                try:
                    self._verify(name)
                except ReleaseError as error:
                    refused.append(str(error))
                    continue
                self._change(_Change(_now(), "rollback", was, name))
                return name
        reasons = "".join(f" {reason}" for reason in refused)
        raise ReleaseError(f"{self.root}: there is no earlier release to go back to.{reasons}")

    def open_current(self, unusable: Mapping[str, str] | None = None) -> OpenRelease:
        """The current release, verified; where it is missing or damaged, the last good one from the history.

        Args:
            unusable: releases to pass over although they are sound, each with the reason.

        Returns:
            Its name, and a warning where it is not the one that `current` names. Nothing is changed on the disk.

        Raises:
            ReleaseError: no promoted release is sound.
        """
        current = self.current()
        history = self._history()
        past = [*reversed(_stack(history, current)), *(change.name for change in reversed(history))]
        names = dict.fromkeys([current, *past] if current else past)
        refused = []
        for name in names:
            if unusable and name in unusable:
                refused.append(unusable[name])
                continue
            try:
                self._verify(name)
            except ReleaseError as error:
                refused.append(str(error))
                continue
            if name == current:
                return OpenRelease(name, None)
            reason = refused[0] if current else f"{self.root / 'current'}: missing or damaged."
            return OpenRelease(name, f"{reason} Serving {name}, the last good one, until another is promoted.")
        if refused:
            raise ReleaseError(f"{self.root}: no promoted release is sound. {' '.join(refused)}")
        remedy = "Train one with `frontdesk train`, then `frontdesk releases promote NAME`."
        raise ReleaseError(f"{self.root}: no release was promoted yet. {remedy}")

    def _is_sound(self, name: str) -> bool:
        try:
            self._verify(name)
        except ReleaseError:
            return False
        return True

    def _verify(self, name: str) -> None:
        folder = self.path(name)
        found = verify(folder).name
        if found != name:
            raise ReleaseError(
                f"{folder / MANIFEST_FILE}: expected the name {name}, got {found}. Rename the folder back."
            )

    def _change(self, change: _Change) -> None:
        """The history first: an entry whose `current` was never written is told by the one that follows it."""
        with _writing(self.root):
            append_line(self.root / "history.jsonl", json.dumps(asdict(change)))
            write_atomically(self.root / "current", [f"{change.name}\n".encode()])

    def _history(self) -> list[_Change]:
        try:
            lines = (self.root / "history.jsonl").read_text("utf-8", errors="replace").splitlines()
        except OSError:
            return []
        changes = []
        for line in lines:
            with contextlib.suppress(ValueError, TypeError):
                change = _Change(**json.loads(line))
                if isinstance(change.name, str) and _NAME.fullmatch(change.name):
                    changes.append(change)
        return changes

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        lock = filelock.FileLock(self.root / ".lock", timeout=_LOCK_SECONDS)
        with _writing(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire()
            except filelock.Timeout:
                message = "another process is changing `current`; try again when it is done."
                raise ReleaseError(f"{self.root}: {message}") from None
        try:
            yield
        finally:
            lock.release()


def _stack(history: list[_Change], current: str | None) -> list[str]:
    """The releases that led to the current one, the current one last."""
    stack: list[str] = []
    for number, change in enumerate(history):
        after = history[number + 1].was if number + 1 < len(history) else current
        if after is not None and after != change.name:
            continue
        if change.action == "rollback" and change.name in stack:
            while stack[-1] != change.name:
                stack.pop()
        elif not stack or stack[-1] != change.name:
            stack.append(change.name)
    return stack


def _is_release(folder: Path) -> bool:
    return _NAME.fullmatch(folder.name) is not None and folder.is_dir() and not folder.is_symlink()


@contextlib.contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"cannot be written ({error.strerror}); `current` is unchanged. Free disk space or check rights."
        raise ReleaseError(f"{place}: {message}") from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


__all__ = [
    "FileRecord",
    "Manifest",
    "OpenRelease",
    "ReleaseStore",
    "new_name",
    "read_manifest",
    "seal",
    "verify",
    "write_manifest",
]
