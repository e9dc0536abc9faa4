from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.faithful import unfaithful

SOURCE = (
    "You can send goods back within 30 days. They must not be worn. Print the label at https://shop.example/returns. "
    "The refund takes five to seven days."
)
SOURCE_ZH = "收到商品后30天内可以退货。商品不能穿过。请在 https://shop.example/returns 打印退货标签。退款需要五到七天。"

KEEPS = {
    "a sentence of it": ("You can send goods back within 30 days.", SOURCE),
    "other order": ("Within 30 days you can send the goods back. The refund takes 5 to 7 days.", SOURCE),
    "its link": ("Print the label at https://shop.example/returns.", SOURCE),
    "its denial": ("The goods must not be worn.", SOURCE),
    "all of it": (SOURCE, SOURCE),
    "Chinese": ("30天内可以退货，退款需要5到7天。", SOURCE_ZH),
    "Chinese denial": ("商品不能穿过。", SOURCE_ZH),
}

STRAYS = {
    "another number": ("You can send goods back within 60 days.", SOURCE, "number 60"),
    "a number in words": ("The refund takes five to nine days.", SOURCE, "number 9"),
    "another link": ("Print the label at https://evil.example/returns.", SOURCE, "evil.example"),
    "an address": ("Print the label and mail boss@shop.example.", SOURCE, "boss@shop.example"),
    "a not too few": ("They must be worn.", SOURCE, "turns the answer round"),
    "a not too many": ("You can not send goods back within 30 days.", SOURCE, "turns the answer round"),
    "something else": ("Our lawyers love gardening on Sundays.", SOURCE, "is not from the answer"),
    "markup": ("<b>You can send goods back</b> within 30 days.", SOURCE, "markup"),
    "a script": ("<script>alert(1)</script>", SOURCE, "markup"),
    "markdown": ("**You can send goods back** within 30 days.", SOURCE, "markup"),
    "another language": ("收到商品后30天内可以退货。", SOURCE, "another language"),
    "English for Chinese": ("You can send goods back within 30 days.", SOURCE_ZH, "another language"),
    "much more": (SOURCE * 3, SOURCE, "longer"),
    "nothing": (" … ", SOURCE, "nothing"),
    "Chinese number": ("60天内可以退货。", SOURCE_ZH, "number 60"),
    "Chinese number in words": ("退款需要五到九天。", SOURCE_ZH, "number 9"),
    "Chinese turned round": ("30天内不可以退货。", SOURCE_ZH, "turns the answer round"),
    "Chinese about something else": ("今天天气晴朗适合出门散步。", SOURCE_ZH, "is not from the answer"),
}


@pytest.mark.parametrize(("text", "source"), KEEPS.values(), ids=KEEPS)
def test_what_keeps_to_the_answer_passes(text, source):
    assert unfaithful(text, source, "How do I send it back?") == ""


@pytest.mark.parametrize(("text", "source", "reason"), STRAYS.values(), ids=STRAYS)
def test_what_strays_is_refused(text, source, reason):
    assert reason in unfaithful(text, source, "How do I send it back?")


def test_words_of_the_question_may_be_repeated_but_not_its_numbers():
    question = "Can I return my purple trousers within 90 days?"
    assert unfaithful("You can send purple trousers back within 30 days.", SOURCE, question) == ""
    assert "number 90" in unfaithful("You can return purple trousers within 90 days.", SOURCE, question)


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=50))
def test_any_text_is_judged(text, source, question):
    assert isinstance(unfaithful(text, source, question), str)
