from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dialogue.context import is_short, leans, meant, surely_meant
from retrieval.types import FaqEntry, Hit

LEANS = {
    "and": ("And on Sundays?", True),
    "what about": ("what about the lamp", True),
    "a pronoun": ("When exactly do they expire if nobody uses them?", True),
    "much that says what it means": ("When does a gift card expire if nobody has used it for a year or two?", False),
    "a part of a sentence": ("Without the receipt too?", True),
    "a sentence that adds": ("Can I pay by card too?", False),
    "the same word elsewhere": ("Am I too late to return my kettle?", False),
    "Chinese then": ("那周六呢？", True),
    "Chinese ending": ("礼品卡呢", True),
    "a Chinese pronoun": ("请问它在多长时间之内可以使用", True),
    "a word inside another": ("Sandy beaches are thematic", False),
    "a question of its own": ("How long does delivery take?", False),
    "nothing": ("", False),
}


@pytest.mark.parametrize(("text", "expected"), LEANS.values(), ids=LEANS)
def test_what_leans_on_the_message_before(text, expected):
    assert leans(text, understood=True) is expected


def test_what_was_not_understood_leans_if_it_is_short():
    assert leans("for how long?", understood=False)
    assert not leans("for how long?", understood=True)
    assert not leans("Can you tell me for how long I may keep the parcel?", understood=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("And dogs?", True),
        ("那狗呢？", True),
        ("And this is really the third time that nobody answers", False),
        ("Where is my order?", False),
    ],
)
def test_a_few_words_that_continue(text, expected):
    assert (is_short(text) and leans(text, understood=True)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("without the receipt too", True),
        ("没有小票还行吗？", True),
        ("Is it still covered when I have lost the receipt", False),
        ("我把小票弄丢了的话，这个东西还能免费保修吗？", False),
    ],
)
def test_few_words_in_either_language(text, expected):
    assert is_short(text) is expected


def hits(**scores):
    return [Hit(FaqEntry(entry, f"{entry}?", "!"), entry, score, score) for entry, score in scores.items()]


MEANT = {
    "both": (hits(cost=0.3), hits(told=0.6, cost=0.2), {"told"}, "cost"),
    "the rest counts as the whole": (hits(cost=0.05), hits(told=0.9, cost=0.08), {"told"}, "cost"),
    "alone": (hits(cost=0.8), [], {"told"}, "cost"),
    "together": ([], hits(cost=0.8), set(), "cost"),
    "told again where it is nearest": (hits(told=0.5), hits(told=0.6), {"told"}, "told"),
    "never what was told": (hits(cost=0.01), hits(told=0.95), {"told"}, ""),
    "too little": (hits(cost=0.1), hits(told=0.5, cost=0.05), {"told"}, ""),
    "nothing": ([], [], {"told"}, ""),
}


@pytest.mark.parametrize(("alone", "together", "told", "expected"), MEANT.values(), ids=MEANT)
def test_which_entry_is_meant(alone, together, told, expected):
    assert meant(alone, together, told) == expected


SURELY = {
    "both": (hits(lost=0.04, parcel=0.3), hits(lost=0.88), set(), "lost"),
    "not quite": (hits(lost=0.3), hits(lost=0.64), set(), ""),
    "far from the message itself": (hits(parcel=0.3), hits(lost=0.88), set(), ""),
    "told": (hits(lost=0.3), hits(lost=0.88), {"lost"}, ""),
    "nothing": ([], [], set(), ""),
}


@pytest.mark.parametrize(("alone", "together", "told", "expected"), SURELY.values(), ids=SURELY)
def test_which_entry_is_surely_meant(alone, together, told, expected):
    assert surely_meant(alone, together, told) == expected


@given(st.text(max_size=80))
def test_any_text_may_come(text):
    assert leans(text, understood=True) <= leans(text, understood=False)
