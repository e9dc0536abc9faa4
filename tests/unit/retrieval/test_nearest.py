from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from retrieval.nearest import in_process
from retrieval.nearest.in_process import (
    DESCRIPTION_FILE,
    EXACT_UP_TO,
    FaissIndex,
    Kind,
    kind_for,
    stored_bytes,
)
from retrieval.nearest.port import Progress
from retrieval.types import FaqError
from tests.unit.retrieval.nearest_contract import ROWS, WIDTH, VectorIndexContract, made_vectors


class TestExact(VectorIndexContract):
    exactness = 1e-5
    recall = 1.0

    @pytest.fixture(scope="class")
    @classmethod
    def index(cls) -> FaissIndex:
        return FaissIndex.build(made_vectors())


class TestGraph(VectorIndexContract):
    @pytest.fixture(scope="class")
    @classmethod
    def index(cls) -> FaissIndex:
        return FaissIndex.build(made_vectors(), kind=Kind.GRAPH)


class TestGraphFromItsFile(VectorIndexContract):
    @pytest.fixture(scope="class")
    @classmethod
    def index(cls, tmp_path_factory: pytest.TempPathFactory) -> FaissIndex:
        folder = tmp_path_factory.mktemp("graph")
        FaissIndex.build(made_vectors(), kind=Kind.GRAPH).save(folder, "encoder-1")
        return FaissIndex.load(folder, "encoder-1")


def test_the_kind_follows_the_size() -> None:
    assert (kind_for(0), kind_for(EXACT_UP_TO), kind_for(EXACT_UP_TO + 1)) == (Kind.EXACT, Kind.EXACT, Kind.GRAPH)


def test_a_graph_takes_little_room(tmp_path: Path) -> None:
    vectors = made_vectors(2000, 384)
    FaissIndex.build(vectors, kind=Kind.GRAPH).save(tmp_path, "e")
    assert stored_bytes(tmp_path) / len(vectors) <= 700


def test_a_build_tells_how_far_it_is() -> None:
    told: list[Progress] = []
    FaissIndex.build(made_vectors(25_000, 8), report=told.append)
    assert [(each.done, each.total) for each in told] == [(10_000, 25_000), (20_000, 25_000), (25_000, 25_000)]
    assert told[0].seconds_left >= 0.0 == told[-1].seconds_left


def test_an_empty_index_finds_nothing() -> None:
    index = FaissIndex.build(np.zeros((0, WIDTH), dtype=np.float32))
    assert len(index.search(made_vectors(1)[0], 3).rows) == 0


def test_vectors_without_unit_length_are_refused() -> None:
    with pytest.raises(FaqError, match="expected vectors of length 1, got length 2"):
        FaissIndex.build(2 * made_vectors(10))


def test_concurrent_searches_agree() -> None:
    index, queries = FaissIndex.build(made_vectors(), kind=Kind.GRAPH), list(made_vectors(60, seed=5))
    alone = [index.search(query, 5).rows.tolist() for query in queries]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda query: index.search(query, 5).rows.tolist(), queries)) == alone


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    FaissIndex.build(made_vectors(200)).save(tmp_path, "encoder-1")
    return tmp_path


def index_path(folder: Path) -> Path:
    [path] = folder.glob("nearest*.faiss")
    return path


def test_a_save_that_is_killed_leaves_the_older_index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if target.name == DESCRIPTION_FILE:
            raise KeyboardInterrupt
        return put(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        FaissIndex.build(made_vectors(300)).save(folder, "encoder-1")
    assert len(FaissIndex.load(folder, "encoder-1")) == 200
    monkeypatch.undo()
    FaissIndex.build(made_vectors(400)).save(folder, "encoder-1")
    assert len(FaissIndex.load(folder, "encoder-1")) == 400
    assert index_path(folder).is_file()


def test_an_index_under_the_name_that_all_once_had_is_read(folder: Path) -> None:
    index_path(folder).rename(folder / "nearest.faiss")
    described = json.loads((folder / DESCRIPTION_FILE).read_text())
    del described["file"]
    (folder / DESCRIPTION_FILE).write_text(json.dumps(described))
    assert len(FaissIndex.load(folder, "encoder-1")) == 200


@pytest.mark.parametrize("name", [7, "../nearest.faiss", "faq.faiss"])
def test_a_description_names_an_index_of_its_folder(folder: Path, name: object) -> None:
    path = folder / DESCRIPTION_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"file": name}))
    with pytest.raises(FaqError, match="file: expected the name of an index"):
        FaissIndex.load(folder, "encoder-1")


@pytest.mark.parametrize("few", [1000, 10_000])
@pytest.mark.parametrize("asked", [range(0, 1500, 150), range(1500, 3000, 150)], ids=["near", "far"])
def test_what_is_allowed_is_found_wherever_it_lies(few: int, asked: range, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_process, "_FEW_ALLOWED", few)
    monkeypatch.setattr(in_process, "_CHUNK", 700)
    vectors = made_vectors(3000, 64)
    vectors[:, 0] = np.where(np.arange(3000) < 1500, 3.0, -3.0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index, allowed = FaissIndex.build(vectors, kind=Kind.GRAPH), np.arange(1500)
    for query in vectors[asked]:
        truth = set(np.argsort(-(vectors[:1500] @ query))[:10].tolist())
        assert len(truth & set(index.search(query, 10, allowed).rows.tolist())) >= 8


def test_saving_leaves_the_two_files_alone(folder: Path) -> None:
    FaissIndex.build(made_vectors(300)).save(folder, "encoder-1")
    assert sorted(folder.iterdir()) == [index_path(folder), folder / DESCRIPTION_FILE]
    assert len(FaissIndex.load(folder, "encoder-1")) == 300


def test_another_encoder_is_refused(folder: Path) -> None:
    with pytest.raises(FaqError, match="came from another encoder; build the index again"):
        FaissIndex.load(folder, "encoder-2")


@pytest.mark.parametrize("name", ["index", DESCRIPTION_FILE])
@pytest.mark.parametrize("damage", ["missing", "truncated", "changed", "nonsense"])
def test_a_damaged_file_is_named(folder: Path, name: str, damage: str) -> None:
    path = index_path(folder) if name == "index" else folder / name
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "changed":
        place = content.index(b"sha256") + 12 if name == DESCRIPTION_FILE else len(content) // 2
        content[place] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(b"[]")
    with pytest.raises(FaqError, match="build the index again"):
        FaissIndex.load(folder, "encoder-1")


def test_files_of_two_builds_do_not_fit(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    FaissIndex.build(made_vectors(ROWS, seed=9)).save(other, "encoder-1")
    index_path(folder).write_bytes(index_path(other).read_bytes())
    with pytest.raises(FaqError, match="is damaged or was replaced"):
        FaissIndex.load(folder, "encoder-1")


def test_another_format_is_refused(folder: Path) -> None:
    path = folder / DESCRIPTION_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 9}))
    with pytest.raises(FaqError, match="expected the format 1"):
        FaissIndex.load(folder, "encoder-1")


@pytest.mark.parametrize(("name", "value"), [("kind", "graph"), ("rows", 199), ("width", None)])
def test_a_description_of_something_else_is_named(folder: Path, name: str, value: object) -> None:
    path = folder / DESCRIPTION_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    with pytest.raises(FaqError, match=f"{DESCRIPTION_FILE}: {name}: expected .*build the index again"):
        FaissIndex.load(folder, "encoder-1")


@pytest.mark.parametrize("kind", list(Kind))
def test_a_loaded_index_outlives_a_newer_one_in_its_place(tmp_path: Path, kind: Kind) -> None:
    old, query = FaissIndex.build(made_vectors(), kind=kind), made_vectors(1, seed=6)[0]
    old.save(tmp_path, "e")
    loaded = FaissIndex.load(tmp_path, "e")
    FaissIndex.build(made_vectors(100, seed=7), kind=kind).save(tmp_path, "e")
    assert loaded.search(query, 10).rows.tolist() == old.search(query, 10).rows.tolist()


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FaqError, match="cannot be written"):
        FaissIndex.build(made_vectors(10)).save(tmp_path / "gone", "e")
