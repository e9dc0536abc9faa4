from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from retrieval.calibration import HitCalibration
from retrieval.index import FaqIndex
from retrieval.nearest.in_process import Kind
from retrieval.types import FaqEntry, FaqError, FaqSearch, HitThresholds
from retrieval.vectors import Weights

FLAT = HitCalibration(-4.0, 8.0, 5.0, HitThresholds(0.8, 0.3))


def ids(hits):
    return [hit.entry.id for hit in hits]


@pytest.fixture(autouse=True, params=[0, 1000], ids=["candidates", "all"])
def compared(request, monkeypatch):
    """Whatever is compared, candidates or all entries, the answers are the same."""
    monkeypatch.setattr("retrieval.index._FEW_ENTRIES", request.param)


def test_a_variant_finds_its_entry(shop, embed):
    index: FaqSearch = FaqIndex.build(shop, embed)
    [vector] = embed(["redeem gift card"])
    best, *rest = index.search(vector)
    assert best.entry.id == "gift-card.en"
    assert best.matched == "redeem gift card"
    assert best.similarity == pytest.approx(1.0, abs=1e-5)
    assert len(rest) == 2
    scores = [best.score, *(hit.score for hit in rest)]
    assert scores == sorted(scores, reverse=True)
    assert best.score >= index.thresholds.accept


def test_every_wording_finds_its_entry(shop, embed):
    index = FaqIndex.build(shop, embed)
    for entry in shop:
        for vector in embed([entry.question, *entry.variants]):
            assert ids(index.search(vector, top=1)) == [entry.id]


def test_a_score_comes_from_closeness_and_lead(embed):
    entries = [FaqEntry("a", "apple", "x"), FaqEntry("b", "pear", "y")]
    index = FaqIndex.build(entries, embed, calibration=FLAT)
    [vector] = embed(["apples"])
    [[a, b]] = index.search_all(vector[None])
    first, second = index.search(vector)
    assert index.calibration is FLAT
    assert first.score == pytest.approx(FLAT.probability(a, a - b), abs=1e-5)
    assert second.score == pytest.approx(FLAT.probability(b, b - a), abs=1e-5)


def test_the_answer_counts_as_weighted(embed):
    entries = [FaqEntry("a", "question one", "something"), FaqEntry("b", "question two", "umbrella stand")]
    [vector] = embed(["question one umbrella stand"])
    without = FaqIndex.build(entries, embed, weights=Weights(0.0, 0.0))
    heavy = FaqIndex.build(entries, embed, weights=Weights(5.0, 0.0))
    assert ids(without.search(vector, top=1)) == ["a"]
    assert ids(heavy.search(vector, top=1)) == ["b"]


LANGUAGES = {
    "the customer's translation": ("refund when is it paid", "zh", ["refund.zh"]),
    "the same in the other direction": ("退款什么时候到账？", "en", ["refund.en"]),
    "no preference takes the nearest": ("退款多久能到", None, ["refund.zh"]),
    "an unknown language takes the nearest": ("退款多久能到", "fr", ["refund.zh"]),
    "an entry without translation stays possible": ("卖茶叶吗", "en", ["tea.zh"]),
}


@pytest.mark.parametrize(("text", "lang", "expected"), LANGUAGES.values(), ids=LANGUAGES)
def test_language_preference(bilingual, embed, text, lang, expected):
    index = FaqIndex.build(bilingual, embed)
    [vector] = embed([text])
    assert ids(index.search(vector, top=1, lang=lang)) == expected


def test_translations_are_one_hit_and_keep_their_own_wording(bilingual, embed):
    index = FaqIndex.build(bilingual, embed)
    [vector] = embed(["When is my refund paid?"])
    hits = index.search(vector, top=20, lang="zh")
    stems = [entry_id.rpartition(".")[0] for entry_id in ids(hits)]
    assert len(stems) == len(set(stems)) == len(bilingual) - 2
    assert hits[0].matched in (bilingual[10].question, *bilingual[10].variants)
    assert hits[0].similarity < 0.5
    assert hits[0].score == index.search(vector, top=1, lang="en")[0].score


def test_of_equals_the_customers_language_comes_first(embed):
    entries = [FaqEntry("one", "same words", "same", "en"), FaqEntry("two", "same words", "same", "zh")]
    index = FaqIndex.build(entries, embed)
    [vector] = embed(["same words"])
    assert ids(index.search(vector, lang="zh")) == ["two", "one"]
    assert ids(index.search(vector, lang="en")) == ["one", "two"]
    assert ids(index.search(vector)) == ["one", "two"]


def test_search_ranks_as_search_all_does(bilingual, embed):
    index = FaqIndex.build(bilingual, embed)
    texts = ["refund to my card?", "deliver the invoice", "茶叶什么时候到", "jobs", "size of the gift", "buy wholesale"]
    queries = embed(texts)
    for lang in (None, "en", "zh"):
        ranked = index.search_all(queries, [lang] * len(queries), texts)
        for text, vector, row in zip(texts, queries, ranked, strict=True):
            hits = index.search(vector, top=4, lang=lang, text=text)
            if lang is None:
                assert hits[0].entry.id == index.entries[int(row.argmax())].id
            else:
                assert ids(hits) == [index.entries[number].id for number in np.argsort(-row, kind="stable")[:4]]


def test_search_all_puts_the_other_translation_last(bilingual, embed):
    index = FaqIndex.build(bilingual, embed)
    plain, preferred = index.search_all(np.repeat(embed(["退款什么时候到账？"]), 2, axis=0), [None, "en"])
    columns = {entry.id: column for column, entry in enumerate(index.entries)}
    assert plain.argmax() == columns["refund.zh"]
    assert preferred.argmax() == columns["refund.en"]
    assert preferred[columns["refund.en"]] == plain[columns["refund.zh"]]
    assert set(np.argsort(preferred)[:2]) == {columns["refund.zh"], columns["saturday.zh"]}
    assert preferred[columns["tea.zh"]] == plain[columns["tea.zh"]]


def test_an_entry_that_owns_all_near_rows_does_not_hide_its_rivals(embed):
    crowd = FaqEntry("crowd", "where is it", "x", variants=tuple(f"where is it {number}" for number in range(300)))
    entries = [crowd, FaqEntry("other", "tea", "y"), FaqEntry("third", "hats", "z")]
    index = FaqIndex.build(entries, embed, calibration=FLAT)
    [vector] = embed(["where is it 17"])
    hits = index.search(vector, top=2)
    assert ids(hits)[0] == "crowd"
    assert len(hits) == 2
    closeness = sorted(index.search_all(vector[None])[0], reverse=True)
    assert hits[0].score == pytest.approx(FLAT.probability(closeness[0], closeness[0] - closeness[1]), abs=1e-5)


def test_an_empty_knowledge_base_finds_nothing(embed, tmp_path):
    index = FaqIndex.build([], embed, out_of_scope=["x"])
    index.save(tmp_path)
    for each in (index, FaqIndex.load(tmp_path)):
        assert each.search(embed(["refund"])[0]) == []
        assert each.search_all(embed(["refund"])).shape == (1, 0)
        assert each.width == 64


def test_a_single_entry_has_no_rival(embed):
    index = FaqIndex.build([FaqEntry("a", "refund", "x")], embed, calibration=FLAT)
    [vector] = embed(["refund"])
    [hit] = index.search(vector)
    assert hit.score == pytest.approx(FLAT.probability(index.search_all(vector[None])[0, 0], 0.0), abs=1e-5)


def test_entries_are_found_by_id(shop, embed):
    index = FaqIndex.build(shop, embed)
    assert index.entry("jobs.en") is shop[7]
    assert index.entry("nobody") is None
    assert index.entries == tuple(shop)


@pytest.mark.parametrize(("top", "count"), [(0, 0), (-1, 0), (1, 1), (100, 10)])
def test_top_is_a_limit(shop, embed, top, count):
    assert len(FaqIndex.build(shop, embed).search(embed(["refund"])[0], top=top)) == count


def test_concurrent_searches_agree(bilingual, embed):
    index = FaqIndex.build(bilingual, embed)
    vectors = list(embed([entry.question for entry in bilingual])) * 20
    alone = [index.search(vector, lang="zh") for vector in vectors]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda vector: index.search(vector, lang="zh"), vectors)) == alone


WRONG = {
    "another width": (np.ones(3, dtype=np.float32), r"expected vectors of width 64, .* got shape \(1, 3\)"),
    "a matrix": (np.eye(64, dtype=np.float32), "expected vectors of width 64"),
    "no unit length": (np.ones(64, dtype=np.float32), "expected vectors of length 1, got length 8"),
    "not a number": (np.full(64, np.nan, dtype=np.float32), "expected vectors of length 1"),
}


@pytest.mark.parametrize(("vector", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_vector_is_named(shop, embed, vector, message):
    with pytest.raises(FaqError, match=message):
        FaqIndex.build(shop, embed).search(vector)


@pytest.mark.parametrize("name", ["langs", "texts"])
def test_search_all_needs_a_language_and_a_text_a_query(shop, embed, name):
    with pytest.raises(FaqError, match=f"{name}: expected one for each of 2 queries, got 1"):
        FaqIndex.build(shop, embed).search_all(embed(["a b", "c d"]), **{name: ["en"]})


def test_words_decide_between_entries_that_mean_the_same(embed):
    entries = [FaqEntry(name, f"How do I set up the {name}?", f"See the {name}.") for name in ("X200", "X300", "K20")]
    index = FaqIndex.build(entries, lambda texts: np.ones((len(texts), 1), dtype=np.float32))
    for entry in entries:
        [best, *_] = index.search(np.ones(1, dtype=np.float32), text=f"my {entry.id.lower()} does not start")
        assert best.entry is entry


def test_a_question_asked_as_written_comes_first_whatever_the_vectors_say(shop, embed):
    index = FaqIndex.build(shop, embed)
    far = embed(["zzz xylophone"])[0]
    for entry in shop:
        for wording in (entry.question, *entry.variants):
            [hit] = index.search(far, top=1, text=f" {wording.upper()} ")
            assert (hit.entry.id, hit.score) == (entry.id, 1.0)
            ranked = index.search_all(far[None], texts=[wording])[0]
            assert index.entries[int(ranked.argmax())] is entry


ASKED = "Can I send it back?"
RETURNS = FaqEntry("returns.en", "How do returns work?", "Print the label.", "en", (ASKED,))
REFUND = FaqEntry("money.en", "What about my money?", "Refunds take five days.", "en", (ASKED.lower(),))
ZUSAGE = FaqEntry("strange.zh", ASKED, "请联系我们。", "zh")
NEARER = FaqEntry("nearer.en", ASKED, "Yes, you can send it back, whatever it is.", "en")
SAME = {
    "one entry has it": ([RETURNS], {"returns.en": 1.0}),
    "two entries have it": ([RETURNS, REFUND], {"money.en": 0.3, "returns.en": 0.3}),
    "a question and a variant": ([RETURNS, NEARER], {"nearer.en": 0.3, "returns.en": 0.3}),
    "alike by their answers": ([RETURNS, replace(RETURNS, id="other.en")], {"returns.en": 1.0, "other.en": 0.0}),
    "alike by their questions": (
        [replace(RETURNS, question=ASKED), NEARER],
        {"nearer.en": 1.0, "returns.en": 0.0},
    ),
    "in another language": ([ZUSAGE, RETURNS], {"returns.en": 1.0, "strange.zh": 0.0}),
    "a translation": ([RETURNS, replace(ZUSAGE, id="returns.zh")], {"returns.en": 1.0}),
}


@pytest.mark.parametrize(("entries", "expected"), SAME.values(), ids=SAME)
def test_what_several_entries_have_word_for_word_makes_none_certain(shop, embed, entries, expected):
    index = FaqIndex.build([*shop, *entries], embed, calibration=FLAT)
    [vector] = embed([ASKED])
    hits = index.search(vector, top=3, lang="en", text="can I send it BACK")
    found = {hit.entry.id: hit.score for hit in hits if hit.entry in entries}
    assert found == expected
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert hits[0].entry.id == next(iter(expected))


def test_words_find_what_no_near_vector_leads_to(embed):
    crowd = [FaqEntry(f"crowd-{n}", f"where is it {n}", "x") for n in range(200)]
    index = FaqIndex.build([*crowd, FaqEntry("hat", "quantum fjord", "y")], embed, weights=Weights(0.0, 50.0))
    [vector] = embed(["where is it 17"])
    assert ids(index.search(vector, top=1, text="fjord")) == ["hat"]


def test_related_entries_ask_something_close(embed):
    wash = [FaqEntry(f"{what}.en", f"How do I wash {what} at home?", "x") for what in ("wool", "silk", "down")]
    topics = [
        "Tea?",
        "Jobs",
        "Where are you",
        "Gift cards",
        "Paying",
        "Currency",
        "Invoice",
        "Opening hours",
        "Size chart",
    ]
    others = [FaqEntry(f"{n}.en", topic, "y") for n, topic in enumerate(topics)]
    german = FaqEntry("wolle.de", "How do I wash wool at home?", "z", "de")
    index = FaqIndex.build([*wash, *others, german], embed)
    assert sorted(entry.id for entry in index.related("wool.en")) == ["down.en", "silk.en"]
    assert len(index.related("wool.en", limit=1)) == 1
    assert index.related("wool.en", limit=0) == []
    assert index.related("gone.en") == []
    assert FaqIndex.build(wash[:1], embed).related("wool.en") == []


def test_a_translation_is_not_related(bilingual, embed):
    index = FaqIndex.build(bilingual, embed)
    assert "refund.en" not in [entry.id for entry in index.related("refund.zh", limit=5)]


def test_a_large_knowledge_base_is_searched_by_a_graph_and_answers_alike(embed, monkeypatch):
    entries = [FaqEntry(f"e{number}", f"part {number * 7919} of {number}", f"{number}") for number in range(300)]
    asked = [f"what is part {number * 7919}" for number in range(0, 300, 7)]
    exact = FaqIndex.build(entries, embed, calibration=FLAT)
    monkeypatch.setattr("retrieval.nearest.in_process.EXACT_UP_TO", 100)
    graph = FaqIndex.build(entries, embed, calibration=FLAT)
    assert (exact.kind, graph.kind) == (Kind.EXACT, Kind.GRAPH)
    for vector, text in zip(embed(asked), asked, strict=True):
        assert ids(graph.search(vector, top=1, text=text)) == ids(exact.search(vector, top=1, text=text))
