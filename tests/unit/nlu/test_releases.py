from __future__ import annotations

import errno
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from nlu import durable
from nlu.releases import Manifest, ReleaseStore, new_name, read_manifest, seal, verify, write_manifest
from nlu.types import ReleaseError

ROOT = Path(__file__).parents[3]
FULL = OSError(errno.ENOSPC, "No space left on device")


def manifest(name: str = "r20261122-101502-abc123", **changes: Any) -> Manifest:
    values: dict[str, Any] = {
        "name": name,
        "encoder": "minilm-l6-en",
        "encoder_fingerprint": "ab" * 32,
        "prefix": "query: ",
        "max_tokens": 128,
        "heads": {"intent": ("greet", "谢谢"), "emotion": ("angry",)},
        "seed": 13,
    }
    return Manifest(**(values | changes))


def fill(folder: Path, text: str = "a card") -> Path:
    (folder / "encoder").mkdir(parents=True)
    (folder / "2_Normalize").mkdir()
    (folder / "card.md").write_text(text)
    save_file({"weight": np.arange(6, dtype=np.float32)}, folder / "encoder" / "model.safetensors")
    (folder / "encoder" / "config.json").write_text("{}")
    return folder


def sealed(store: ReleaseStore, number: int) -> str:
    with store.draft() as folder:
        return store.seal(fill(folder, f"card {number}"), manifest(f"r20260101-0000{number:02}-00000{number}"))


def damage(store: ReleaseStore, name: str) -> None:
    path = store.path(name) / "encoder" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def leftovers(root: Path) -> list[str]:
    return [path.name for path in root.iterdir() if path.name.startswith(".partial-")]


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "releases")


# -- manifest and verification

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


@given(
    heads=st.dictionaries(TEXTS, st.lists(TEXTS, unique=True, max_size=4), max_size=3),
    parent=st.none() | TEXTS,
    config=st.dictionaries(TEXTS, JSON, max_size=3),
    metrics=st.dictionaries(TEXTS, JSON, max_size=3),
    seed=st.integers(),
    prefix=st.text(st.characters(codec="utf-8"), max_size=8),
)
@settings(deadline=None)
def test_a_manifest_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, **values: Any) -> None:
    folder = fill(tmp_path_factory.mktemp("release") / "r")
    written = write_manifest(folder, manifest(**values))
    assert verify(folder).to_json() == written.to_json()
    assert set(written.files) == {"card.md", "encoder/model.safetensors", "encoder/config.json"}
    assert read_manifest(folder).with_metrics({"n": 1}).metrics == {"n": 1}


def test_writing_again_leaves_the_manifest_itself_out(tmp_path: Path) -> None:
    folder = fill(tmp_path / "r")
    first = write_manifest(folder, manifest())
    (folder / "card.md").write_text("another card")
    second = write_manifest(folder, first)
    assert second.files.keys() == first.files.keys()
    assert second.files["card.md"] != first.files["card.md"]
    assert verify(folder).files == second.files


@pytest.mark.parametrize("place", ["card.md", "encoder/model.safetensors", "encoder/config.json"])
@pytest.mark.parametrize("offset", [0, -1])
def test_one_changed_byte_in_any_file_is_caught(tmp_path: Path, place: str, offset: int) -> None:
    folder = fill(tmp_path / "r")
    write_manifest(folder, manifest())
    content = bytearray((folder / place).read_bytes())
    content[offset] ^= 1
    (folder / place).write_bytes(content)
    with pytest.raises(ReleaseError, match=rf"{re.escape(str(folder / place))}: damaged: expected sha256"):
        verify(folder)


@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(deadline=None)
def test_one_changed_bit_in_the_manifest_is_caught_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, position: float, bit: int
) -> None:
    folder = fill(tmp_path_factory.mktemp("release") / "r")
    written = write_manifest(folder, manifest())
    path = folder / "manifest.json"
    content = bytearray(path.read_bytes())
    content[int(position * len(content))] ^= 1 << bit
    path.write_bytes(content)
    outcome = verify_or_refuse(folder)
    if isinstance(outcome, str):
        assert str(folder) in outcome
    else:
        assert outcome.files == written.files


def verify_or_refuse(folder: Path) -> Manifest | str:
    try:
        return verify(folder)
    except ReleaseError as error:
        return str(error)


def link(folder: Path) -> None:
    (folder / "notes.md").symlink_to(folder / "card.md")


def link_folder(folder: Path) -> None:
    (folder / "more").symlink_to(folder / "encoder", target_is_directory=True)


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe.json")


def pickled(folder: Path) -> None:
    (folder / "encoder" / "pytorch_model.bin").write_bytes(b"\x80\x04.")


def shouting(folder: Path) -> None:
    (folder / "weights.PKL").write_bytes(b"")


def hidden(folder: Path) -> None:
    (folder / ".json").write_text("{}")


@pytest.mark.parametrize(
    ("add", "name"),
    [
        (link, "notes.md"),
        (link_folder, "more"),
        (pipe, "pipe.json"),
        (pickled, "pytorch_model.bin"),
        (shouting, "weights.PKL"),
        (hidden, ".json"),
    ],
)
def test_links_and_files_that_can_carry_code_are_refused(
    tmp_path: Path, add: Callable[[Path], None], name: str
) -> None:
    before = fill(tmp_path / "before")
    add(before)
    with pytest.raises(ReleaseError, match=re.escape(name)):
        write_manifest(before, manifest())
    after = fill(tmp_path / "after")
    write_manifest(after, manifest())
    add(after)
    with pytest.raises(ReleaseError, match=re.escape(name)):
        verify(after)


def test_a_linked_manifest_is_refused(tmp_path: Path) -> None:
    folder = fill(tmp_path / "r")
    write_manifest(folder, manifest())
    (folder / "manifest.json").rename(tmp_path / "elsewhere.json")
    (folder / "manifest.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ReleaseError, match="is a link"):
        verify(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda folder: (folder / "card.md").unlink(), r"card\.md: no such file, though"),
        (lambda folder: (folder / "extra.md").touch(), r"extra\.md: is not named"),
        (lambda folder: (folder / "card.md").write_text("longer than before"), r"card\.md: expected 6 bytes, got 18"),
        (lambda folder: (folder / "manifest.json").unlink(), r"manifest\.json: no such file"),
        (lambda folder: (folder / "manifest.json").write_text("{"), r"manifest\.json: not valid JSON"),
        (lambda folder: (folder / "manifest.json").write_bytes(b"\xff"), r"manifest\.json: not valid UTF-8"),
        (lambda folder: (folder / "manifest.json").write_text("[" * 99999), r"manifest\.json: not valid JSON"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), r"manifest\.json: expected an object"),
        (shutil.rmtree, r"manifest\.json: no such file"),
    ],
)
def test_missing_extra_and_damaged_files_are_named(tmp_path: Path, change: Callable[[Path], Any], says: str) -> None:
    folder = fill(tmp_path / "r")
    write_manifest(folder, manifest())
    change(folder)
    with pytest.raises(ReleaseError, match=says):
        verify(folder)


RECORD = {"size": 1, "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", 2),
        ("name", ""),
        ("name", None),
        ("created", "yesterday"),
        ("created", "2026-01-01T00:00:00"),
        ("parent", 1),
        ("encoder", 1),
        ("prefix", None),
        ("max_tokens", 0),
        ("max_tokens", True),
        ("heads", {"intent": "abc"}),
        ("heads", {"intent": ["a", "a"]}),
        ("heads", {"": []}),
        ("entity_types", ["a", 1]),
        ("languages", "en"),
        ("seed", 1.0),
        ("config", []),
        ("fingerprints", {"a": 1}),
        ("metrics", None),
        ("libraries", {"a": ""}),
        ("files", {"../card.md": RECORD}),
        ("files", {"/etc/passwd.txt": RECORD}),
        ("files", {"a/../../b.md": RECORD}),
        ("files", {"a//b.md": RECORD}),
        ("files", {"a\\b.md": RECORD}),
        ("files", {"manifest.json": RECORD}),
        ("files", {"": RECORD}),
        ("files", {"a.md": {"size": -1, "sha256": "0" * 64}}),
        ("files", {"a.md": {"size": 1, "sha256": "0" * 63 + "g"}}),
        ("files", {"a.md": {"size": 1}}),
        ("files", {"a.md": []}),
    ],
)
def test_a_manifest_that_is_not_well_formed_names_the_field(tmp_path: Path, field: str, value: object) -> None:
    document = manifest().to_json() | {field: value}
    with pytest.raises(ReleaseError, match=rf"^{field}: expected"):
        Manifest.from_json(json.loads(json.dumps(document)))
    del document[field]
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(ReleaseError, match=rf"manifest\.json: {field}: "):
        read_manifest(tmp_path)


@pytest.mark.parametrize("changes", [{"metrics": {"ece": float("nan")}}, {"config": {"path": Path()}}, {"seed": "x"}])
def test_a_manifest_that_could_not_be_read_is_not_written(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = fill(tmp_path / "r")
    with pytest.raises(ReleaseError):
        write_manifest(folder, manifest(**changes))
    assert not (folder / "manifest.json").exists()


# -- sealing


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


# -- the store


def test_new_names_differ_and_sort_by_time() -> None:
    names = [new_name(13) for _ in range(50)]
    assert len(set(names)) == 50
    assert all(re.fullmatch(r"r\d{8}-\d{6}-[0-9a-f]{6}", name) for name in names)
    assert sorted(name[:16] for name in names) == [name[:16] for name in names]


def test_an_empty_store(store: ReleaseStore) -> None:
    assert (store.names(), store.current()) == ([], None)
    with pytest.raises(ReleaseError, match="no release was promoted yet"):
        store.open_current()
    with pytest.raises(ReleaseError, match="no earlier release"):
        store.rollback()
    with pytest.raises(ReleaseError, match="none; train one"):
        store.promote("r20260101-000001-000001")


def test_releases_are_listed_promoted_and_rolled_back(store: ReleaseStore) -> None:
    second, first, third = sealed(store, 2), sealed(store, 1), sealed(store, 3)
    (store.root / "notes").mkdir()
    (store.root / "r20260101-000009-000009").write_text("a file")
    assert store.names() == [first, second, third]
    assert store.current() is None
    for name in (first, second, second, third):
        store.promote(name)
    assert store.open_current() == (third, None)
    assert store.path(third).name == third
    assert store.rollback() == second
    assert store.rollback() == first
    store.promote(third)
    assert store.rollback() == first
    assert store.current() == first
    with pytest.raises(ReleaseError, match="no earlier release"):
        store.rollback()
    assert store.current() == first


def test_an_older_release_that_was_promoted_again_can_be_rolled_back(store: ReleaseStore) -> None:
    first, second = sealed(store, 1), sealed(store, 2)
    for name in (first, second, first):
        store.promote(name)
    assert [store.rollback(), store.rollback()] == [second, first]


@pytest.mark.parametrize("name", ["", ".", "..", "../out", "/etc", "r20260101-000001-000001/../x", "notes", "a\0b"])
def test_only_release_names_are_paths(store: ReleaseStore, name: str) -> None:
    sealed(store, 1)
    (store.root / "notes").mkdir()
    with pytest.raises(ReleaseError, match="Releases here: r20260101-000001-000001"):
        store.path(name)


def test_a_damaged_release_is_not_promoted(store: ReleaseStore) -> None:
    first, second = sealed(store, 1), sealed(store, 2)
    store.promote(first)
    damage(store, second)
    with pytest.raises(ReleaseError, match="damaged"):
        store.promote(second)
    assert store.open_current() == (first, None)


def test_a_release_under_a_wrong_name_is_not_promoted(store: ReleaseStore) -> None:
    store.path(sealed(store, 1)).rename(store.root / "r20260101-000009-000009")
    with pytest.raises(ReleaseError, match="expected the name r20260101-000009-000009"):
        store.promote("r20260101-000009-000009")


def test_a_linked_release_is_none(store: ReleaseStore, tmp_path: Path) -> None:
    name = sealed(store, 1)
    store.path(name).rename(tmp_path / name)
    (store.root / name).symlink_to(tmp_path / name)
    assert store.names() == []
    with pytest.raises(ReleaseError, match="no release"):
        store.promote(name)


def test_a_taken_or_unfit_name_is_not_sealed(store: ReleaseStore) -> None:
    name = sealed(store, 1)
    with store.draft() as folder:
        fill(folder)
        for unfit in (name, "latest", "../r20260101-000001-000001"):
            with pytest.raises(ReleaseError, match="taken or unfit"):
                store.seal(folder, manifest(unfit))
    assert leftovers(store.root) == []


def test_rollback_passes_over_a_damaged_release(store: ReleaseStore) -> None:
    first, second, third = (sealed(store, number) for number in (1, 2, 3))
    for name in (first, second, third):
        store.promote(name)
    damage(store, second)
    assert store.rollback() == first
    store.promote(third)
    damage(store, first)
    with pytest.raises(ReleaseError, match=r"no earlier release to go back to\. .*damaged"):
        store.rollback()
    assert store.current() == third


def remove(store: ReleaseStore, name: str) -> None:
    shutil.rmtree(store.path(name))


def scribble(store: ReleaseStore, _: str) -> None:
    (store.root / "current").write_bytes(b"\xff\x00../../etc\n")


def empty(store: ReleaseStore, _: str) -> None:
    (store.root / "current").write_text("")


@pytest.mark.parametrize(
    ("harm", "serves", "says"),
    [
        (damage, 0, "damaged"),
        (remove, 0, "no release"),
        (scribble, 2, "current: missing or damaged"),
        (empty, 2, "current: missing or damaged"),
        (lambda store, _: (store.root / "current").unlink(), 2, "current: missing or damaged"),
    ],
)
def test_a_bad_current_falls_back_to_the_last_good_one(
    store: ReleaseStore, harm: Callable[[ReleaseStore, str], None], serves: int, says: str
) -> None:
    names = [sealed(store, number) for number in (1, 2, 3, 4)]
    for name in names[:3]:
        store.promote(name)
    damage(store, names[1])
    harm(store, names[2])
    found, warning = store.open_current()
    assert found == names[serves]
    assert warning is not None
    assert says in warning
    assert f"Serving {found}, the last good one" in warning
    store.promote(names[3])
    assert store.open_current() == (names[3], None)


def test_a_release_that_was_rolled_back_is_the_last_resort(store: ReleaseStore) -> None:
    first, second, third = (sealed(store, number) for number in (1, 2, 3))
    for name in (first, second, third):
        store.promote(name)
    store.rollback()
    damage(store, second)
    assert store.open_current().name == first
    damage(store, first)
    assert store.open_current().name == third
    damage(store, third)
    with pytest.raises(ReleaseError, match="no promoted release is sound"):
        store.open_current()


def test_a_torn_history_is_read_as_far_as_it_goes(store: ReleaseStore) -> None:
    first, second, third = (sealed(store, number) for number in (1, 2, 3))
    store.promote(first)
    store.promote(second)
    with (store.root / "history.jsonl").open("a") as file:
        file.write('{"at": "2026-01-0')
    store.promote(third)
    assert [store.rollback(), store.rollback()] == [second, first]


# -- power cuts, full disks, other processes


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
