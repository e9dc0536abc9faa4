from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nlu import durable
from nlu.releases import seal, verify, write_manifest
from nlu.types import ReleaseError
from tests.unit.nlu.release_examples import FULL, fill, manifest


def partial(parent: Path, text: str = "new") -> Path:
    folder = fill(parent / f".partial-{text}", text)
    write_manifest(folder, manifest())
    return folder


def test_sealing_moves_the_folder_to_any_place(tmp_path: Path) -> None:
    folder = partial(tmp_path)
    assert seal(folder, tmp_path / "out") == verify(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_sealing_takes_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    seal(partial(tmp_path), tmp_path / "out")
    assert (tmp_path / "out" / "card.md").read_text() == "new"


def no_exchange(*_: object, **__: object) -> None:
    raise OSError


@pytest.mark.parametrize("old_is_damaged", [False, True])
@pytest.mark.parametrize("portable", [False, True])
def test_sealing_replaces_an_older_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portable: bool, old_is_damaged: bool
) -> None:
    if portable:
        monkeypatch.setattr("nlu.durable.ctypes.CDLL", no_exchange)
    seal(partial(tmp_path, "old"), tmp_path / "out")
    if old_is_damaged:
        (tmp_path / "out" / "encoder" / "config.json").unlink()
    seal(partial(tmp_path), tmp_path / "out")
    verify(tmp_path / "out")
    assert (tmp_path / "out" / "card.md").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def foreign_folder(target: Path) -> None:
    target.mkdir()
    (target / "thesis.md").write_text("years of work")


def foreign_file_in_a_release(target: Path) -> None:
    seal(partial(target.parent, "old"), target)
    (target / "thesis.md").write_text("years of work")


def foreign_kind_in_a_release(target: Path) -> None:
    seal(partial(target.parent, "old"), target)
    (target / "thesis.docx").write_text("years of work")


def plain_file(target: Path) -> None:
    target.write_text("years of work")


def link_to_a_folder(target: Path) -> None:
    (target.parent / "real").mkdir()
    target.symlink_to(target.parent / "real")


@pytest.mark.parametrize(
    "make",
    [foreign_folder, foreign_file_in_a_release, foreign_kind_in_a_release, plain_file, link_to_a_folder],
)
def test_sealing_never_replaces_what_is_not_ours(tmp_path: Path, make: Callable[[Path], None]) -> None:
    target = tmp_path / "out"
    make(target)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    folder = partial(tmp_path)
    with pytest.raises(ReleaseError, match="another place"):
        seal(folder, target)
    shutil.rmtree(folder)
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_sealing_refuses_a_folder_that_is_not_sound(tmp_path: Path) -> None:
    folder = partial(tmp_path)
    (folder / "card.md").write_text("changed since")
    with pytest.raises(ReleaseError, match=r"card\.md"):
        seal(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_sealing_refuses_a_file_shared_with_elsewhere(tmp_path: Path) -> None:
    folder = partial(tmp_path)
    os.link(folder / "card.md", tmp_path / "card.md")
    with pytest.raises(ReleaseError, match="hard link"):
        seal(folder, tmp_path / "out")


@pytest.mark.parametrize("call", ["fsync", "rename"])
@pytest.mark.parametrize("older", [False, True])
def test_a_full_disk_while_sealing_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, older: bool
) -> None:
    if older:
        seal(partial(tmp_path, "old"), tmp_path / "out")
    folder = partial(tmp_path)

    def full(*_: object) -> None:
        raise FULL

    monkeypatch.setattr("nlu.durable.ctypes.CDLL", no_exchange)
    monkeypatch.setattr(*(("nlu.durable.os.fsync", full) if call == "fsync" else (Path, "rename", full)))
    with pytest.raises(ReleaseError, match="No space left on device"):
        seal(folder, tmp_path / "out")
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == (["out"] if older else [])
    if older:
        assert (verify(tmp_path / "out"), (tmp_path / "out" / "card.md").read_text())[1] == "old"


def test_the_portable_exchange_undoes_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "here").touch()
    rename = Path.rename

    def refuse_a(path: Path, target: Path) -> Path:
        if path.name == "a":
            raise FULL
        return rename(path, target)

    monkeypatch.setattr("nlu.durable.ctypes.CDLL", no_exchange)
    monkeypatch.setattr(Path, "rename", refuse_a)
    with pytest.raises(OSError, match="No space"):
        durable.exchange(tmp_path / "a", tmp_path / "b")
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["a", "b", "b/here"]
