from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dialogue.questions import LIMIT, split_questions, split_unmarked

SEVERAL = {
    "two sentences": ("Do you ship to Spain? Can I pay by card?", ("Do you ship to Spain?", "Can I pay by card?")),
    "joined": (
        "How long does delivery take and can I pay by card?",
        ("How long does delivery take", "can I pay by card?"),
    ),
    "chinese": ("多久能到？可以开发票吗？", ("多久能到？", "可以开发票吗？")),
    "chinese, joined": ("多久能到货，还有可以开发票吗？", ("多久能到货", "还有可以开发票吗？")),
    "with a greeting": ("Hi! Do you ship to Spain? Is there a fee?", ("Do you ship to Spain?", "Is there a fee?")),
}


@pytest.mark.parametrize(("text", "expected"), SEVERAL.values(), ids=SEVERAL)
def test_several(text, expected):
    assert split_questions(text) == expected


ONE = {
    "nothing": "",
    "one": "Do you ship to Spain?",
    "a story before it": "I ordered shoes on Monday. They are too small. Can I return them?",
    "things listed": "Do you ship to Spain and Portugal?",
    "no question mark": "delivery time and payment",
    "an echo": "Where is my parcel? Hm?",
    "too many": "How much? When do you open? Where are you? Who are you? Why is that?",
    "chinese list": "裤子，鞋子可以退吗？",
    "an address": "Is https://shop.example/a?b=1 yours?",
}


@pytest.mark.parametrize("text", ONE.values(), ids=ONE)
def test_one_or_none(text):
    assert split_questions(text) == ()


UNMARKED = {
    "and": (
        "how long does delivery take and can i pay with paypal",
        ("how long does delivery take", "can i pay with paypal"),
    ),
    "and also": ("Can I pay by card and also do you ship to Spain", ("Can I pay by card", "do you ship to Spain")),
    "a comma": ("where are you, when do you open", ("where are you", "when do you open")),
    "two sentences": ("how long is delivery. can i pay by card", ("how long is delivery.", "can i pay by card")),
    "what comes before a question": (
        "I live in Spain, do you ship there and can I pay by card",
        ("I live in Spain, do you ship there", "can I pay by card"),
    ),
    "a chinese comma": ("送货要多久，可以用支付宝吗？", ("送货要多久", "可以用支付宝吗？")),
    "after a greeting": ("你好，送货要多久，可以用支付宝吗", ("送货要多久", "可以用支付宝吗")),
    "also in chinese": ("送货要多久，另外能不能开发票", ("送货要多久", "能不能开发票")),
    "what is said in between": ("送货要多久，我住北京，能开发票吗", ("送货要多久", "我住北京，能开发票吗")),
    "three": ("多久到货，能开发票吗，怎么退货", ("多久到货", "能开发票吗", "怎么退货")),
    "one": ("how long does delivery take", ()),
    "things listed": ("do you ship to spain and portugal", ()),
    "a condition": ("if I return the order, is my voucher valid again", ()),
    "a story": ("I wore the shoes once, is a return still possible", ()),
    "a story in chinese": ("我五点半才能到，店铺那时还营业吗", ()),
    "things listed in chinese": ("裤子、鞋子可以退吗", ()),
    "too short": ("can I and how", ()),
    "too many": ("多久到货，能开发票吗，怎么退货，谁来送货", ()),
    "nothing": ("", ()),
}


@pytest.mark.parametrize(("text", "expected"), UNMARKED.values(), ids=UNMARKED)
def test_questions_without_marks(text, expected):
    assert split_unmarked(text) == expected


@given(st.text(alphabet="ab ?？.。,，and还有吗how \n", max_size=60))
def test_questions_without_marks_stand_in_the_message_in_their_order(text):
    questions = split_unmarked(text)
    assert not questions or 1 < len(questions) <= LIMIT
    at = 0
    for question in questions:
        at = text.index(question, at) + len(question)


@given(st.text(alphabet="ab ?？.。,，and还有\n", max_size=60))
def test_questions_stand_in_the_message_in_their_order(text):
    questions = split_questions(text)
    assert not questions or 1 < len(questions) <= LIMIT
    at = 0
    for question in questions:
        at = text.index(question, at) + len(question)
