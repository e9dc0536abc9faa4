from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from retrieval.index import FaqIndex
from retrieval.nearest.edited import MOST_CHANGED, EditedIndex
from retrieval.nearest.in_process import DESCRIPTION_FILE, FaissIndex, Kind
from retrieval.types import FaqEntry
from tests.unit.retrieval.nearest_contract import ROWS, WIDTH, VectorIndexContract, made_vectors

LIMIT = "retrieval.nearest.in_process.EXACT_UP_TO"


@pytest.fixture(autouse=True)
def graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred vectors are many."""
    monkeypatch.setattr(LIMIT, 100)


class TestEdited(VectorIndexContract):
    """A hundred rows came, a hundred others went, and all stand elsewhere than in the graph."""

    @pytest.fixture(scope="class")
    @classmethod
    def index(cls) -> Iterator[EditedIndex]:
        vectors = made_vectors()
        older = np.concatenate([made_vectors(100, seed=9), vectors[100:][::-1]])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LIMIT, 100)
            index = EditedIndex(vectors, EditedIndex(older))
            assert index.whole is None
            yield index


def test_an_edited_index_keeps_the_graph() -> None:
    vectors = made_vectors()
    first = EditedIndex(vectors)
    second = EditedIndex(np.delete(vectors, 5, axis=0), first)
    third = EditedIndex(np.concatenate([vectors, made_vectors(1, seed=3)]), second)
    assert (first.kind, second.kind, third.kind) == (Kind.GRAPH,) * 3
    assert first.held is second.held is third.held
    assert second.search(vectors[5], 1).cosines[0] < 0.99
    assert third.search(vectors[5], 1).rows.tolist() == [5]
    assert third.search(made_vectors(1, seed=3)[0], 1).rows.tolist() == [ROWS]
    assert len(third) == ROWS + 1


def test_the_same_vector_may_be_there_several_times() -> None:
    one, many = made_vectors(1, seed=3), made_vectors()
    before = EditedIndex(np.concatenate([one, many]))
    index = EditedIndex(np.concatenate([one, many, one, one]), before)
    assert index.whole is None
    assert sorted(index.search(one[0], 3).rows.tolist()) == [0, ROWS + 1, ROWS + 2]


@pytest.mark.parametrize(
    "vectors",
    [made_vectors(ROWS + int(MOST_CHANGED * ROWS) + 50), made_vectors(seed=1), made_vectors(width=WIDTH + 1)],
    ids=["many more", "others", "of another encoder"],
)
def test_a_graph_is_built_anew_where_much_has_changed(vectors: np.ndarray) -> None:
    first = EditedIndex(made_vectors())
    with capture_logs() as logged:
        index = EditedIndex(vectors, first)
    assert index.whole is not None
    assert index.held is not first.held
    assert [line["event"] for line in logged] == ["index_build"]


def test_few_vectors_have_no_graph_to_take_over() -> None:
    few = EditedIndex(made_vectors(100))
    assert (few.kind, EditedIndex(made_vectors(), few).whole is None) == (Kind.EXACT, False)


def entries(count: int) -> list[FaqEntry]:
    return [FaqEntry(f"e{number}", f"part {number * 7919} of {number}", f"{number}") for number in range(count)]


def test_an_edited_knowledge_base_answers_with_the_edit(embed) -> None:
    first = FaqIndex.build(entries(1200), embed)
    new = FaqEntry("new", "do you sell umbrellas", "No.")
    edited = FaqIndex.build([*entries(1200)[1:], new], embed, calibration=first.calibration, before=first)
    assert edited.nearest.held is first.nearest.held

    def nearest(index: FaqIndex, text: str) -> str:
        return index.search(embed([text])[0], top=1, text=text)[0].entry.id

    assert [nearest(edited, text) for text in ("you sell umbrellas?", "part 7919 of 1?")] == ["new", "e1"]
    assert (nearest(first, "part 0 of 0?"), nearest(edited, "part 0 of 0?") == "e0") == ("e0", False)


def test_a_saved_graph_is_not_built_again(embed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = FaqIndex.build(entries(60), embed)
    index.save(tmp_path)
    monkeypatch.setattr(FaissIndex, "build", None)
    loaded = FaqIndex.load(tmp_path)
    assert loaded.kind is Kind.GRAPH
    query = embed(["part 7919 of 1"])[0]
    assert loaded.search(query, text="part")[0].entry == index.search(query, text="part")[0].entry


@pytest.mark.parametrize("damage", ["description", "graph", "vectors of others"])
def test_a_graph_that_does_not_fit_is_built_again(embed, tmp_path: Path, damage: str) -> None:
    FaqIndex.build(entries(60), embed).save(tmp_path)
    if damage == "description":
        (tmp_path / DESCRIPTION_FILE).write_text("{", "utf-8")
    elif damage == "graph":
        next(tmp_path.glob("nearest-*.faiss")).write_bytes(b"")
    else:
        kept = {path: path.read_bytes() for path in tmp_path.glob("nearest*")}
        FaqIndex.build(entries(61), embed).save(tmp_path)
        for path, content in kept.items():
            path.write_bytes(content)
    with capture_logs() as logged:
        loaded = FaqIndex.load(tmp_path)
    assert [line["event"] for line in logged] == ["index_graph_refused", "index_build"]
    assert loaded.search(embed(["part 7919 of 1"])[0], text="part 7919 of 1")[0].entry.id == "e1"


def test_a_knowledge_base_that_is_searched_exactly_has_no_graph(embed, tmp_path: Path) -> None:
    FaqIndex.build(entries(10), embed).save(tmp_path)
    assert not list(tmp_path.glob("nearest*"))
