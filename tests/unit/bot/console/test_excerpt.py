from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.console.excerpt import LONGEST_SENTENCE, telling_sentences
from bot.domain.records import TurnView

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def said(text: str, *entities: str, escalates: bool = False, kind: str = "text", document: Any = None) -> TurnView:
    read = {"entities": [{"type": "order_number", "text": entity} for entity in entities]}
    made = {"decision": {"escalate": "asked" if escalates else ""}, "understanding": read}
    return TurnView(1, "web:a", "m", NOW, text, kind, made if document is None else document, ())


CASES = {
    "what names something": (
        [
            said("Hello. I have waited for such a long time and nobody ever tells me anything useful at all!"),
            said("It is FD20481937.", "FD20481937"),
            said("Thank you very much for all of this"),
        ],
        (
            "I have waited for such a long time and nobody ever tells me anything useful at all!",
            "It is FD20481937.",
        ),
    ),
    "what asked for a person": (
        [
            said("The blue lamp arrived broken"),
            said("Do you sell red lamps"),
            said("Your bot is useless", escalates=True),
        ],
        ("Do you sell red lamps", "Your bot is useless"),
    ),
    "Chinese": (
        [said("你好。我三周前买的台灯还没有收到，请帮我查一下。谢谢！"), said("订单号FD20481937", "FD20481937")],
        ("我三周前买的台灯还没有收到，请帮我查一下。", "订单号FD20481937"),
    ),
    "nothing told": ([said("hi"), said("ok"), said("你好"), said("!!!"), said("")], ()),
    "the same again": ([said("Where is my parcel?"), said("where is my parcel?")], ("where is my parcel?",)),
    "commands, buttons and files": (
        [
            said("/start order number seven"),
            said("faq:some.long.entry", kind="button"),
            said("my own photo", kind="photo"),
        ],
        (),
    ),
    "voice and edits": (
        [said("the lamp is broken", kind="voice"), said("the red lamp is", kind="edited")],
        ("the lamp is broken", "the red lamp is"),
    ),
    "odd documents": (
        [
            said("the lamp is broken", document={"understanding": {"entities": "?"}, "decision": []}),
            said("the red lamp is", document={"understanding": {"entities": [1, {"text": None}]}}),
        ],
        ("the lamp is broken", "the red lamp is"),
    ),
}


@pytest.mark.parametrize(("turns", "told"), CASES.values(), ids=CASES)
def test_the_sentences_that_tell_most_are_chosen(turns: list[TurnView], told: tuple[str, ...]) -> None:
    assert telling_sentences(turns) == told


def test_a_long_sentence_is_cut() -> None:
    (told,) = telling_sentences([said("the red lamp " * 1000)])
    assert len(told) <= LONGEST_SENTENCE
    assert told.endswith("…")
