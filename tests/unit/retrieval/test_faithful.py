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


FEE = "Returns are possible within 30 days. The fee is 5 euros."
FEE_ZH = "30天内可以退货。费用是5欧元。"
SUPPOSED = {
    "an adjective": ("Returns are free within 30 days.", FEE, "are returns free?", "'free' is from the question"),
    "a noun": ("You can send trousers back within 30 days.", SOURCE, "what about trousers?", "'trou' is from the"),
    "a number": ("You can send goods back within 90 days.", SOURCE, "is it 90 days?", "number 90 is not"),
    "yes": ("Yes, returns are possible within 30 days.", FEE, "are returns free?", "says yes or no"),
    "chinese": ("30天内可以免费退货。", FEE_ZH, "退货免费吗？", "'免费' is from the question"),
    "chinese yes": ("是的，30天内可以退货。", FEE_ZH, "退货免费吗？", "says yes or no"),
}


@pytest.mark.parametrize(("text", "source", "question", "reason"), SUPPOSED.values(), ids=SUPPOSED)
def test_what_the_question_supposes_is_not_said(text, source, question, reason):
    assert reason in unfaithful(text, source, question)


ASKED_IN_OTHER_WORDS = {
    "words that say nothing": ("You can return it within 30 days.", "Returns within 30 days.", "can you return it?"),
    "words of both": ("Returns are possible within 30 days.", FEE, "are returns possible?"),
    "yes as the answer has it": ("Yes, within 30 days.", "Yes. You have 30 days.", "can I return it?"),
    "chinese": ("30天内您可以退货。", FEE_ZH, "我可以退货吗？"),
}


@pytest.mark.parametrize(("text", "source", "question"), ASKED_IN_OTHER_WORDS.values(), ids=ASKED_IN_OTHER_WORDS)
def test_other_words_of_the_question_may_be_repeated(text, source, question):
    assert unfaithful(text, source, question) == ""


MOVED = {
    "swapped": ("Returns cost 30 euros within 5 days.", FEE, "number 30 counts something else"),
    "another unit": ("Returns are possible within 30 weeks.", FEE, "number 30 counts something else"),
    "in words": ("The fee is five days.", FEE, "number 5 counts something else"),
    "chinese": ("费用是30欧元，5天内可以退货。", FEE_ZH, "number 30 counts something else"),
}


@pytest.mark.parametrize(("text", "source", "reason"), MOVED.values(), ids=MOVED)
def test_numbers_keep_what_they_count(text, source, reason):
    assert reason in unfaithful(text, source, "what about returns?")


KEPT = {
    "the word behind": ("You have 30 days, and pay 5 euros.", FEE),
    "the word before": ("For help call 0800 1234.", "Please call 0800 1234."),
    "in the singular": ("A 30-day return is possible.", FEE),
    "as a range": ("It takes 5 to 7 days.", "It takes five to seven days."),
    "without anything beside it": ("It is 5.", "5"),
    "chinese": ("5欧元的费用，30天内可以退货。", FEE_ZH),
}


@pytest.mark.parametrize(("text", "source"), KEPT.values(), ids=KEPT)
def test_numbers_may_stand_elsewhere_with_what_they_count(text, source):
    assert "number" not in unfaithful(text, source, "what about returns?")


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=50))
def test_any_text_is_judged(text, source, question):
    assert isinstance(unfaithful(text, source, question), str)
