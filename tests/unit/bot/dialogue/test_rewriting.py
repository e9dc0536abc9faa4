from __future__ import annotations

import pytest

from bot.dialogue.rewriting import Rewriting, masked
from bot.errors import UnavailableError
from nlu.types import Entity
from retrieval.types import FaqEntry
from tests.cost import processor_seconds

ENTRY = FaqEntry("returns.en", "How do I return something?", "Send it back within 30 days. It is free.", "en")


class Model:
    """Says what it is told to; an error is raised."""

    def __init__(self, *sayings: str | Exception) -> None:
        self.sayings = list(sayings)
        self.asked: list[str] = []

    def rewrite(self, question: str, answer: str, lang: str) -> str:
        self.asked.append(question)
        saying = self.sayings.pop(0)
        if isinstance(saying, Exception):
            raise saying
        return saying


def test_a_faithful_text_is_used():
    rewording = Rewriting(Model(" Send it back within 30 days. ")).of(ENTRY, "Can I send it back?", ())
    assert (rewording.text, rewording.outcome) == ("Send it back within 30 days.", "used")


def test_a_lie_is_refused_and_said_why():
    rewording = Rewriting(Model("Send it back within 90 days.")).of(ENTRY, "Can I send it back?", ())
    assert rewording.text == ""
    assert rewording.outcome == "refused: the number 90 is not in the answer"


def test_unwanted_words_are_refused():
    rewriting = Rewriting(Model("Send it back within 30 days."), unwanted=("send it",))
    assert rewriting.of(ENTRY, "Can I send it back?", ()).outcome == "refused: unwanted words"


def test_what_names_a_person_or_an_order_does_not_leave():
    text = "Is FD20481937 late? Call 0151 2345678"
    entities = (
        Entity("order_number", 3, 13, "FD20481937", "FD20481937"),
        Entity("phone", 25, 37, "0151 2345678", "+491512345678", "pattern"),
    )
    assert masked(text, entities) == "Is [order_number] late? Call [phone]"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("my phone is +1 415 555 2671", "my phone is [number]"),
        ("电话１３８-００１３-８０００，谢谢", "电话[number]，谢谢"),
        ("call (0170) 12 34 567 now", "call [number] now"),
        ("card ٤١١١ ١١١١ ١١١١ ١١١١", "card [number]"),
        ("FD20481937", "FD[number]"),
        ("write to anna.müller@example.com, please", "write to [email], please"),
        ("邮箱anna@example.com谢谢", "邮箱[email]谢谢"),
        ("30 days, 12:30, size 42", "30 days, 12:30, size 42"),
    ],
)
def test_what_no_entity_covers_does_not_leave_either(text, left):
    assert masked(text, ()) == left


def test_what_a_number_has_beyond_its_entity_does_not_leave_either():
    entities = (Entity("phone", 5, 12, "1380013", "1380013"), Entity("phone", 8, 16, "00138000", "00138000"))
    assert masked("call 13800138000, or 12", entities) == "call [phone], or 12"


def test_long_texts_are_masked_in_no_time():
    texts = [piece * (2000 // len(piece)) for piece in ("a", "a@", "1 ", "1    ", "a.", "(", "+1(")]
    assert processor_seconds(lambda: [masked(text, ()) for text in texts]) < 1


def test_an_endpoint_that_keeps_failing_is_left_alone_for_a_while():
    now = [100.0]
    model = Model(*[UnavailableError("no answer")] * 3, "It is free.")
    rewriting = Rewriting(model, now=lambda: now[0])
    for _ in range(3):
        assert rewriting.of(ENTRY, "Is it free?", ()).outcome == "no answer"
    assert "left alone" in rewriting.of(ENTRY, "Is it free?", ()).outcome
    assert len(model.asked) == 3
    now[0] += 31
    assert rewriting.of(ENTRY, "Is it free?", ()).text == "It is free."


def test_failures_that_are_not_in_a_row_do_not_count():
    away = UnavailableError("no answer")
    model = Model(away, away, "It is free.", away, away, "It is free.")
    rewriting = Rewriting(model)
    outcomes = [rewriting.of(ENTRY, "Is it free?", ()).outcome for _ in range(6)]
    assert outcomes == ["no answer", "no answer", "used", "no answer", "no answer", "used"]


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_text_is_refused(text):
    assert Rewriting(Model(text)).of(ENTRY, "Is it free?", ()).text == ""
