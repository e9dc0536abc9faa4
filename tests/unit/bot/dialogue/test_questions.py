from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dialogue.questions import LIMIT, split_questions

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


@given(st.text(alphabet="ab ?？.。,，and还有\n", max_size=60))
def test_questions_stand_in_the_message_in_their_order(text):
    questions = split_questions(text)
    assert not questions or 1 < len(questions) <= LIMIT
    at = 0
    for question in questions:
        at = text.index(question, at) + len(question)
