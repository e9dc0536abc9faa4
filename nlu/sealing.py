"""Puts a finished release folder in its place, whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

from nlu.durable import exchange, sync_folder, sync_tree
from nlu.manifest import MANIFEST_FILE, Manifest, read_manifest, release_files, verify
from nlu.types import ReleaseError


def seal(partial: Path, target: Path) -> Manifest:
    """Verifies a finished folder, brings it to the disk and puts it in its place in one step.

    A power cut or a full disk leaves either what was at `target` or the new release. Where the disk refuses, `partial`
    is removed.

    Args:
        partial: the folder with its manifest written, on the file system of `target`.
        target: where it goes: nothing, an empty folder, or an older release, which is replaced.

    Returns:
        The release's manifest.

    Raises:
        ReleaseError: the folder is not a sound release, `target` holds something else, or the disk refuses.
    """
    manifest = verify(partial)
    for path in release_files(partial):
        if (partial / path).stat().st_nlink > 1:
            raise ReleaseError(
                f"{partial / path}: is shared with a file elsewhere (hard link). Copy it in place of linking."
            )
    check_replaceable(target)
    try:
        sync_tree(partial)
        if target.exists() and any(target.iterdir()):
            exchange(partial, target)
        else:
            partial.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise ReleaseError(
            f"{target}: cannot be written ({error.strerror}). Free disk space or check rights."
        ) from error
    shutil.rmtree(partial, ignore_errors=True)
    return manifest


def check_replaceable(target: Path) -> None:
    """Checks that a release may take a place.

    Args:
        target: nothing, an empty folder, or an older release and nothing beside it.

    Raises:
        ReleaseError: something else is there.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise ReleaseError(f"{target}: is no folder. Choose another place for the release.")
    if not target.exists() or not any(target.iterdir()):
        return
    try:
        own = {*read_manifest(target).files, MANIFEST_FILE}
        foreign = sorted(set(release_files(target)) - own)
    except (ReleaseError, OSError) as error:
        raise ReleaseError(
            f"{target}: holds something that is no release. Empty it or choose another place."
        ) from error
    if foreign:
        raise ReleaseError(f"{target / foreign[0]}: is no part of the older release. Move it or choose another place.")
