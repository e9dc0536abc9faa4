from __future__ import annotations

import numpy as np
import pytest

from retrieval.types import FaqEntry, FaqError
from retrieval.vectors import Weights, arrange, check_unit_length, embed_entries, wordings_of


def test_a_wording_counts_once_and_the_question_comes_first():
    entries = [FaqEntry("a", "Ship?", "x", variants=("how", "SHIP?", "how")), FaqEntry("b", "how", "y")]
    texts, owner = wordings_of(entries)
    assert texts == ["Ship?", "how", "how"]
    assert owner.tolist() == [0, 0, 1]


def test_closeness_blends_the_nearest_wording_with_the_passage(embed):
    entries = [FaqEntry("a", "red apple", "fruit", variants=("green pear",)), FaqEntry("b", "blue", "a colour")]
    vectors, weights = embed_entries(entries, embed), Weights(passage=0.5, words=0.25)
    query, red, green, passage = embed(["green pears", "red apple", "green pear", "red apple\nfruit"])
    nearest = max(query @ red, query @ green)
    expected = (nearest + 0.5 * (query @ passage)) / 1.75
    assert vectors.closeness(query[None], weights)[0, 0] == pytest.approx(expected, abs=1e-6)
    shared = np.array([[0.4, 0.0]], dtype=np.float32)
    expected = (nearest + 0.5 * (query @ passage) + 0.25 * 0.4) / 1.75
    assert vectors.closeness(query[None], weights, shared)[0, 0] == pytest.approx(expected, abs=1e-6)
    without = (query @ red + 0.5 * (query @ passage)) / 1.75
    left_out = vectors.closeness(query[None], weights, left_out=np.array([1]))
    assert left_out[0, 0] == pytest.approx(without, abs=1e-6)


def test_translations_form_a_group(bilingual, embed):
    vectors = embed_entries(bilingual, embed)
    group = {entry.id: number for entry, number in zip(bilingual, vectors.group, strict=True)}
    assert group["refund.en"] == group["refund.zh"]
    assert group["saturday.en"] == group["saturday.zh"]
    assert vectors.groups == len(bilingual) - 2
    closeness = vectors.closeness(embed(["退款", "refund"]), Weights())
    best = vectors.best_of_groups(closeness)
    assert best.shape == (2, vectors.groups)
    twins = [number for number, entry in enumerate(bilingual) if entry.id.startswith("refund.")]
    assert best[:, group["refund.en"]].tolist() == closeness[:, twins].max(axis=1).tolist()


NO_TWINS = {
    "another stem": ("a.en", "en", "b.zh", "zh"),
    "an ending that is not the language": ("a.1", "en", "a.2", "zh"),
    "no ending": ("a", "en", "a.zh", "zh"),
}


@pytest.mark.parametrize(("one", "one_lang", "other", "other_lang"), NO_TWINS.values(), ids=NO_TWINS)
def test_other_entries_do_not(embed, one, one_lang, other, other_lang):
    entries = [FaqEntry(one, "q", "a", one_lang), FaqEntry(other, "q", "a", other_lang)]
    assert embed_entries(entries, embed).groups == 2


def test_some_of_the_entries_are_as_close_as_among_all(bilingual, embed):
    vectors = embed_entries(bilingual, embed)
    some = np.array([1, 4, 10, 11])
    query = embed(["when is the refund paid on saturdays"])
    part = vectors.only(some)
    assert [entry.id for entry in part.entries] == ["saturday.en", "password.en", "refund.zh", "saturday.zh"]
    assert part.group.tolist() == [1, 2, 0, 1]
    np.testing.assert_allclose(
        part.closeness(query, Weights()), vectors.closeness(query, Weights())[:, some], atol=1e-6
    )


def test_an_empty_knowledge_base_has_a_width(embed):
    vectors = embed_entries([], embed)
    assert vectors.wording_vectors.shape == (0, 64)
    assert vectors.groups == 0


UNIT = np.eye(2, 3, dtype=np.float32)
ENTRY = FaqEntry("a", "q", "a")
WRONG = {
    "too few vectors": ([ENTRY], UNIT[:1], "expected 2 vectors for 1 entries, got 1"),
    "an id twice": ([ENTRY, ENTRY], np.tile(UNIT, (2, 1)), "id: 'a' is used by two entries"),
    "a long vector": ([ENTRY], 2 * UNIT, "expected vectors of length 1, got length 2 in row 0"),
}


@pytest.mark.parametrize(("entries", "rows", "message"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_named(entries, rows, message):
    with pytest.raises(FaqError, match=message):
        arrange(entries, rows)


@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["passage", "words"])
def test_weights_are_positive_numbers(name, weight):
    with pytest.raises(FaqError, match=f"weights: {name}: expected 0 or more"):
        Weights(**{name: weight})


def test_words_count_as_much_as_the_cosines_differ():
    entries = [FaqEntry(str(number), f"q{number}", "a") for number in range(3)]
    near, wide = (
        np.array([[np.cos(angle), np.sin(angle)] for angle in (0.0, spread, 3 * spread) * 2], dtype=np.float32)
        for spread in (0.1, 0.6)
    )
    assert 0.0 < arrange(entries, near).usual_weights().words < 0.1 < arrange(entries, wide).usual_weights().words
    assert arrange(entries[:1], near[:2]).usual_weights() == Weights()


def test_embed_must_give_a_vector_a_text():
    with pytest.raises(FaqError, match=r"embed: expected vectors of shape \(1, width\), got \(3,\)"):
        embed_entries([ENTRY], lambda texts: np.ones(3, dtype=np.float32))


def test_passages_may_be_read_in_a_way_of_their_own():
    asked, told = [], []

    def questions(texts: list[str]) -> np.ndarray:
        asked.extend(texts)
        return np.tile(np.array([1.0, 0.0], np.float32), (len(texts), 1))

    def passages(texts: list[str]) -> np.ndarray:
        told.extend(texts)
        return np.tile(np.array([0.0, 1.0], np.float32), (len(texts), 1))

    vectors = embed_entries([ENTRY], questions, passages)
    assert asked == list(vectors.wordings)
    assert told == [f"{ENTRY.question}\n{ENTRY.answer}"]
    assert vectors.wording_vectors[0].tolist() == [1.0, 0.0]
    assert vectors.passage_vectors[0].tolist() == [0.0, 1.0]
    with pytest.raises(FaqError, match="as wide as those of questions"):
        embed_entries([ENTRY], questions, lambda texts: np.ones((len(texts), 1), np.float32))


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, 1.02])
def test_only_unit_length_is_taken(value):
    check_unit_length(UNIT)
    with pytest.raises(FaqError, match="in row 1"):
        check_unit_length(np.array([[1.0, 0.0], [value, 0.0]], dtype=np.float32))
