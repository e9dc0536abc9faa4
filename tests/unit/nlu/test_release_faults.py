from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import filelock
import pytest

from nlu.releases import ReleaseStore, verify, write_manifest
from nlu.types import ReleaseError
from tests.unit.nlu.release_examples import FULL, damage, fill, leftovers, manifest, sealed

ROOT = Path(__file__).parents[3]


def test_a_kill_between_seal_and_promote_does_no_harm(store: ReleaseStore) -> None:
    first = sealed(store, 1)
    store.promote(first)

    second = "r20260101-000002-000002"
    folder = fill(store.new_folder() / "release")
    write_manifest(folder, manifest(second))
    code = f"""
import os, signal
from pathlib import Path
from nlu.releases import seal
seal(Path({str(folder)!r}), Path({str(store.root / second)!r}))
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert store.open_current() == (first, None)
    assert store.names() == [first, second]
    store.promote(second)
    assert store.rollback() == first


def test_a_kill_between_history_and_current_does_no_harm(store: ReleaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = (sealed(store, number) for number in (1, 2, 3))
    store.promote(first)
    store.promote(second)

    def full(*_: object) -> None:
        raise FULL

    for change in (lambda: store.promote(third), store.rollback):
        with monkeypatch.context() as patch:
            patch.setattr("nlu.releases.write_atomically", full)
            with pytest.raises(ReleaseError, match="`current` is unchanged"):
                change()
        assert store.open_current() == (second, None)
    assert store.rollback() == first


class FullDisk(io.FileIO):
    """A file on a disk without space."""

    def write(self, _: object) -> int:
        raise FULL


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    ordinary = Path.open

    def opened(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        return ordinary(path, mode, *args, **kwargs) if mode.startswith("r") else FullDisk(path, mode.replace("b", ""))

    monkeypatch.setattr(Path, "open", opened)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_refuses_a_seal_and_leaves_no_folder(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path)
    folder = store.new_folder("train")
    (folder / "encoder").mkdir()
    with pytest.raises(ReleaseError, match=r"No space left on device.*Free disk space"):
        store.seal(folder, manifest())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_refuses_a_promotion_and_leaves_current(
    store: ReleaseStore, request: pytest.FixtureRequest
) -> None:
    first, second = sealed(store, 1), sealed(store, 2)
    store.promote(first)
    request.getfixturevalue("full_disk")
    with pytest.raises(ReleaseError, match=r"No space left on device.*`current` is unchanged"):
        store.promote(second)
    assert store.open_current() == (first, None)
    assert leftovers(store.root) == []


def test_a_draft_that_fails_leaves_nothing(store: ReleaseStore) -> None:
    def build() -> None:
        with store.draft("retrain") as folder:
            assert re.fullmatch(r"\.partial-retrain-[0-9a-f]{8}", folder.name)
            fill(folder)
            raise FULL

    with pytest.raises(OSError, match="No space"):
        build()
    assert list(store.root.iterdir()) == []


def test_a_root_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ReleaseError, match="cannot be written"):
        ReleaseStore(tmp_path / "file").new_folder()
    with pytest.raises(ReleaseError, match="cannot be written"):
        ReleaseStore(tmp_path / "file" / "inner").rollback()


def age(path: Path, hours: float) -> None:
    when = time.time() - hours * 3600
    for inner in (*path.rglob("*"), path):
        os.utime(inner, (when, when))


def test_unfinished_folders_go_after_a_day(store: ReleaseStore) -> None:
    name = sealed(store, 1)
    age(store.path(name), 100)
    stale, young, busy = (store.new_folder(prefix) for prefix in ("stale", "young", "busy"))
    torn = store.root / ".partial-current-00000000"
    torn.touch()
    fill(stale), fill(busy)
    for path, hours in ((stale, 25), (young, 23), (busy, 25), (torn, 25)):
        age(path, hours)
    (busy / "encoder" / "config.json").write_text("{ }")
    assert set(leftovers(store.root)) == {stale.name, young.name, busy.name, torn.name}
    newest = store.new_folder()
    assert set(leftovers(store.root)) == {young.name, busy.name, newest.name}
    assert store.names() == [name]


def test_two_processes_promote_in_turn(store: ReleaseStore) -> None:
    names = [sealed(store, number) for number in (1, 2, 3)]
    store.promote(names[0])
    code = """
import sys
from pathlib import Path
from nlu.releases import ReleaseStore
for name in sys.argv[2:] * 5:
    ReleaseStore(Path(sys.argv[1])).promote(name)
"""
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(store.root), *order], cwd=ROOT)
        for order in (names, names[::-1])
    ]
    while any(child.poll() is None for child in children):
        assert store.current() in names
    assert [child.returncode for child in children] == [0, 0]
    entries = [json.loads(line) for line in (store.root / "history.jsonl").read_text().splitlines()]
    assert [entry["was"] for entry in entries[1:]] == [entry["name"] for entry in entries[:-1]]
    assert entries[-1]["name"] == store.current()


def test_a_lock_that_is_held_too_long_is_explained(store: ReleaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    name = sealed(store, 1)
    monkeypatch.setattr("nlu.releases._LOCK_SECONDS", 0.05)
    with filelock.FileLock(store.root / ".lock"), pytest.raises(ReleaseError, match="another process is changing"):
        store.promote(name)
    assert store.current() is None


def test_a_release_from_elsewhere_is_taken_in_and_promoted(store: ReleaseStore, tmp_path: Path) -> None:
    store.promote(sealed(store, 1))
    other = ReleaseStore(tmp_path / "other")
    name = sealed(other, 2)
    assert store.adopt(other.path(name)) == name
    assert store.current() == name
    assert verify(other.path(name)) == verify(store.path(name))
    assert store.adopt(other.path(name)) == name


def test_a_damaged_release_from_elsewhere_is_refused(store: ReleaseStore, tmp_path: Path) -> None:
    other = ReleaseStore(tmp_path / "other")
    name = sealed(other, 2)
    damage(other, name)
    with pytest.raises(ReleaseError):
        store.adopt(other.path(name))
    assert store.names() == []


def test_a_sound_copy_from_elsewhere_mends_a_damaged_release(store: ReleaseStore, tmp_path: Path) -> None:
    first, name = sealed(store, 1), sealed(store, 2)
    store.promote(name)
    copy = tmp_path / "copy"
    shutil.copytree(store.path(name), copy)
    damage(store, name)
    store.promote(first)
    assert store.adopt(copy) == name
    assert store.open_current() == (name, None)
    assert verify(copy) == verify(store.path(name))
    assert leftovers(store.root) == []
