from __future__ import annotations

import math

import bm25s
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval import words
from retrieval.words import WordOverlap, terms_of

TERMS = {
    "a word and its parts": ("Refunds", ["refunds", "<ref", "refu", "efun", "fund", "unds", "nds>"]),
    "a short word": ("to", ["to", "<to>"]),
    "characters and pairs": ("退款单", ["退", "款", "单", "退款", "款单"]),
    "one character": ("退", ["退"]),
    "both": ("查FD20", ["查", "fd20", "<fd2", "fd20", "d20>"]),
    "full-width letters are letters": ("ＯＫ", ["ok", "<ok>"]),
    "nothing": ("?! …", []),
}


@pytest.mark.parametrize(("text", "terms"), TERMS.values(), ids=TERMS)
def test_terms(text, terms):
    assert list(terms_of(text)) == terms


PASSAGES = ["When is my refund paid? In five days.", "Do you deliver on Saturdays? Yes.", "退款什么时候到账？五天。"]

QUERIES = {
    "the same words": ("is my refund paid", 0),
    "another form": ("delivering on saturday", 1),
    "a slip": ("my refundd", 0),
    "chinese": ("退款几天到账", 2),
}


@pytest.mark.parametrize(("query", "expected"), QUERIES.values(), ids=QUERIES)
def test_the_passage_with_the_words_overlaps_most(query, expected):
    [overlap] = WordOverlap(PASSAGES).overlap([query])
    assert overlap.argmax() == expected
    assert overlap[expected] > 0.1


def test_words_that_stand_nowhere_lower_the_share():
    known, half = WordOverlap(PASSAGES).overlap(["refund", "refund zebra"])[:, 0]
    assert 0.0 < half < known < 1.0


def test_a_rare_word_counts_more_than_a_common_one():
    overlap = WordOverlap(["pay by card", "pay by bank transfer", "pay by invoice"])
    common, rare = overlap.overlap(["pay zebra", "card zebra"])[:, 0]
    assert rare > common > 0.0


@pytest.mark.parametrize("passages", [[], ["", "?!"], ["tea"]])
@pytest.mark.parametrize("query", ["", "?!", "zebra"])
def test_nothing_in_common_is_no_overlap(passages, query):
    overlap = WordOverlap(passages).overlap([query])
    assert overlap.shape == (1, len(passages))
    assert not overlap.any()


@given(st.lists(st.text(max_size=40), max_size=5), st.text(max_size=40))
def test_overlap_is_a_share(passages, query):
    overlap = WordOverlap(passages).overlap([query])
    assert overlap.dtype == np.float32
    assert ((overlap >= 0.0) & (overlap <= 1.0)).all()


LIBRARY = ["how long does delivery take", "到账要几天", "pay pay pay by invoice", "zebra", "is it 5 days?"]


@pytest.mark.parametrize("query", LIBRARY)
def test_scores_are_those_of_a_library(query):
    passages = [*PASSAGES, "Pay by card, or pay by invoice.", "到账了吗？到账要五天。", "", "pay"]
    library = bm25s.BM25(method="lucene")
    library.index([list(terms_of(passage)) for passage in passages], show_progress=False)
    holds = [set(terms_of(passage)) for passage in passages]
    terms = sorted(set(terms_of(query)))
    sizes = [sum(term in held for held in holds) for term in terms]
    whole = sum(math.log(1 + (len(passages) - size + 0.5) / (size + 0.5)) for size in sizes)
    known = [term for term, size in zip(terms, sizes, strict=True) if size]
    expected = library.get_scores(known) / whole if known else np.zeros(len(passages))
    assert WordOverlap(passages).overlap([query])[0] == pytest.approx(expected, abs=1e-6)


def test_what_was_counted_before_is_not_counted_again(monkeypatch):
    before = WordOverlap(PASSAGES)
    counted = []
    monkeypatch.setattr(words, "terms_of", lambda text: counted.append(text) or terms_of(text))
    fresh = "Can I pay by card? Yes."
    after = WordOverlap([fresh, *PASSAGES[1:]], before)
    assert counted == [fresh]
    monkeypatch.undo()
    queries = ["card", "deliver", "refund", "退款"]
    assert np.array_equal(after.overlap(queries), WordOverlap([fresh, *PASSAGES[1:]]).overlap(queries))
    assert set(after.counted) == {fresh, *PASSAGES[1:]}, "what is in no passage now is forgotten"
