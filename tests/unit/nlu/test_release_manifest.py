from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlu.releases import Manifest, read_manifest, verify, write_manifest
from nlu.types import ReleaseError
from tests.unit.nlu.release_examples import fill, manifest

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
    passage_prefix=st.none() | st.text(st.characters(codec="utf-8"), max_size=8),
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


def deep(folder: Path) -> None:
    for _ in range(9):
        folder /= "d"
        folder.mkdir()


@pytest.mark.parametrize(
    ("add", "name"),
    [
        (link, "notes.md"),
        (link_folder, "more"),
        (pipe, "pipe.json"),
        (pickled, "pytorch_model.bin"),
        (shouting, "weights.PKL"),
        (hidden, ".json"),
        (deep, "/d: lies deeper than the 8 folders"),
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


@pytest.mark.timeout(20)
def test_a_manifest_that_is_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    folder = fill(tmp_path / "r")
    os.mkfifo(folder / "manifest.json")
    with pytest.raises(ReleaseError, match="no plain file"):
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


def test_what_older_releases_lack_is_not_asked_for() -> None:
    document = manifest(passage_prefix="passage: ").to_json()
    assert Manifest.from_json(document).passage_prefix == "passage: "
    with pytest.raises(ReleaseError, match=r"^passage_prefix: expected"):
        Manifest.from_json(document | {"passage_prefix": 1})
    del document["passage_prefix"]
    assert Manifest.from_json(document).passage_prefix is None


@pytest.mark.parametrize("changes", [{"metrics": {"ece": float("nan")}}, {"config": {"path": Path()}}, {"seed": "x"}])
def test_a_manifest_that_could_not_be_read_is_not_written(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = fill(tmp_path / "r")
    with pytest.raises(ReleaseError):
        write_manifest(folder, manifest(**changes))
    assert not (folder / "manifest.json").exists()
