from __future__ import annotations

import numpy as np
import pytest

from retrieval.ranking import Queries, Ranking
from retrieval.types import FaqEntry
from retrieval.vectors import Weights, embed_entries

ENTRIES = [
    FaqEntry("tea", "Do you sell tea?", "Yes, green tea.", variants=("tea",)),
    FaqEntry("hat", "Do you sell hats?", "Yes, straw hats."),
    FaqEntry("茶", "有没有茶叶？", "有绿茶。", "zh"),
]


@pytest.fixture
def ranking(embed):
    return Ranking(embed_entries(ENTRIES, embed), Weights(passage=0.5, words=0.2))


def asked(embed, *texts):
    return Queries(texts, embed(list(texts)))


def test_words_add_to_what_the_vectors_say(ranking, embed):
    queries = asked(embed, "straw", "绿茶怎么卖")
    silent = Queries(["", ""], queries.vectors)
    gain = ranking.closeness(queries) - ranking.closeness(silent)
    assert gain.argmax(axis=1).tolist() == [1, 2]
    assert (gain >= 0.0).all()
    assert gain.max() <= 0.2 / 1.7


@pytest.mark.parametrize("text", ["Tea", " do you  sell TEA ", "ｔｅａ？！"])
def test_what_is_asked_as_written_is_as_close_as_can_be(ranking, embed, text):
    closeness = ranking.closeness(asked(embed, text))[0]
    assert closeness[0] == 1.0
    assert closeness[1:].max() < 1.0
    assert ranking.asked_as_written(text) == [0]


def test_a_wording_that_is_left_out_is_not_found_as_written(ranking, embed):
    variant = np.array([1])
    assert ranking.vectors.wordings[1] == "tea"
    assert ranking.closeness(asked(embed, "tea"), left_out=variant)[0, 0] < 1.0


def test_some_of_the_entries_are_as_close_as_among_all(ranking, embed):
    for text in ("straw tea", "tea", "茶叶"):
        query, some = asked(embed, text), np.array([0, 2])
        part = ranking.closeness_nearby(query, ranking.vectors.only(some), some)
        np.testing.assert_allclose(part, ranking.closeness(query)[0, some], atol=1e-6)


def test_those_that_share_words(ranking):
    assert ranking.sharing_words("straw hats", limit=1).tolist() == [1]
    assert ranking.sharing_words("tea", limit=1).tolist() == [0]
    assert ranking.sharing_words("zebra", limit=3).tolist() == []
    assert ranking.sharing_words("", limit=3).tolist() == []
