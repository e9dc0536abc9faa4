from __future__ import annotations

import hashlib
import json

import faiss
import numpy as np
import pytest

from retrieval.index import FaqIndex
from retrieval.types import FaqEntry, FaqError
from retrieval.vectors import Weights


@pytest.fixture
def folder(tmp_path, bilingual, embed):
    FaqIndex.build(bilingual, embed).save(tmp_path)
    return tmp_path


def test_a_saved_index_answers_as_before(folder, bilingual, embed):
    built, loaded = FaqIndex.build(bilingual, embed), FaqIndex.load(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["faq.faiss", "faq.json", "faq.jsonl"]
    assert loaded.entries == tuple(bilingual)
    assert loaded.calibration == built.calibration
    for vector in embed(["退款多久", "is the invoice in the gift card", "hiring"]):
        assert loaded.search(vector, lang="zh") == built.search(vector, lang="zh")


def test_saving_is_reproducible(folder, embed, bilingual, tmp_path_factory):
    again = tmp_path_factory.mktemp("again")
    FaqIndex.build(bilingual, embed).save(again)
    for name in ("faq.faiss", "faq.json", "faq.jsonl"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("name", ["faq.jsonl", "faq.faiss", "faq.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(FaqError, match=rf"{name}: cannot be read .*build the index again"):
        FaqIndex.load(folder)


@pytest.mark.parametrize("name", ["faq.jsonl", "faq.faiss", "faq.json"])
@pytest.mark.parametrize("keep", [0, 10, -5])
def test_a_truncated_file_is_named(folder, name, keep):
    path = folder / name
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FaqError, match=name):
        FaqIndex.load(folder)


@pytest.mark.parametrize("name", ["faq.jsonl", "faq.faiss"])
def test_a_changed_byte_is_noticed(folder, name):
    path = folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(FaqError, match=f"{name}: not the file that .* describes"):
        FaqIndex.load(folder)


def test_whatever_can_be_trained_on_can_be_loaded(tmp_path, embed):
    odd = FaqEntry("x", "Why? " * 300_000, "So.\x85\u2028 " * 100_000, "Klingon", ("why",) * 3, ("\x1c",))
    FaqIndex.build([odd], embed).save(tmp_path)
    assert FaqIndex.load(tmp_path).entries == (odd,)


@pytest.mark.parametrize("content", ["{", "[]", '{"id": "x"}', '{"variants": [], "tags": [], "more": 1}'])
def test_entries_that_are_none_are_named(folder, content):
    (folder / "faq.jsonl").write_text(content)
    describe(folder)
    with pytest.raises(FaqError, match=r"faq\.jsonl: expected FAQ entries: .*build the index again"):
        FaqIndex.load(folder)


def describe(folder, **changes):
    """Rewrites the description with the hashes of the files as they are now, then with the changes."""
    path = folder / "faq.json"
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("faq.jsonl", "faq.faiss")}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": hashes} | changes))


WRONG = {
    "another format": ({"format": 3}, "format: expected 2, got 3"),
    "another width": ({"width": 32}, "width: expected 32, the files have 64"),
    "another number of entries": ({"entries": 12}, "entries: expected 12, the files have 13"),
    "another number of rows": ({"rows": [0]}, "rows: expected 1, the files have 49"),
    "another mapping": ({"rows": [0] * 49}, "rows: they do not map the vectors to the entries"),
    "no calibration": ({"calibration": None}, "calibration: expected dict, got None"),
    "a damaged calibration": ({"calibration": {}}, "calibration: accept: expected a number"),
    "no hashes": ({"sha256": []}, "sha256: expected dict"),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG)
def test_a_description_that_does_not_fit_is_named(folder, changes, message):
    describe(folder, **changes)
    with pytest.raises(FaqError, match=rf"faq\.json: {message}"):
        FaqIndex.load(folder)


OTHER_INDEXES = {
    "no index": (b"nonsense", "expected a FAISS index"),
    "another kind": (faiss.serialize_index(faiss.IndexFlatL2(64)).tobytes(), "expected a FAISS IndexFlatIP"),
    "no rows": (faiss.serialize_index(faiss.IndexFlatIP(64)).tobytes(), "rows: expected 49, the files have 0"),
}


@pytest.mark.parametrize(("content", "message"), OTHER_INDEXES.values(), ids=OTHER_INDEXES)
def test_another_index_with_the_right_hash_is_refused(folder, content, message):
    (folder / "faq.faiss").write_bytes(content)
    describe(folder)
    with pytest.raises(FaqError, match=message):
        FaqIndex.load(folder)


def test_vectors_of_the_wrong_length_are_refused(folder):
    index = faiss.IndexFlatIP(64)
    index.add(np.full((49, 64), 0.5, dtype=np.float32))
    (folder / "faq.faiss").write_bytes(faiss.serialize_index(index).tobytes())
    describe(folder)
    with pytest.raises(FaqError, match=r"faq\.json: expected vectors of length 1, got length 4"):
        FaqIndex.load(folder)


@pytest.mark.parametrize("weights", [None, {"passage": 1.0}, {"passage": -1.0, "words": 0.0}])
def test_weights_that_are_wrong_are_named(folder, weights):
    calibration = json.loads((folder / "faq.json").read_text())["calibration"]
    describe(folder, calibration=calibration | {"weights": weights})
    with pytest.raises(FaqError, match=r"faq\.json: calibration: (passage|words): expected a number from 0"):
        FaqIndex.load(folder)


def test_an_index_without_words_still_serves(folder, bilingual, embed):
    calibration = json.loads((folder / "faq.json").read_text())["calibration"]
    del calibration["weights"]
    describe(folder, format=1, answer_weight=0.4, calibration=calibration)
    loaded = FaqIndex.load(folder)
    assert loaded.calibration.weights == Weights(passage=0.4, words=0.0)
    [best] = loaded.search(embed(["退款多久"])[0], top=1, lang="zh", text="退款多久")
    assert best.entry.id == "refund.zh"


def test_saving_needs_a_folder(tmp_path, shop, embed):
    with pytest.raises(FaqError, match="cannot be written"):
        FaqIndex.build(shop, embed).save(tmp_path / "missing")
