from __future__ import annotations

import pytest

from bot.dialogue.revision import decide_each, follow_up, may_be_misread, may_hold_several
from bot.domain.conversation import Conversation
from bot.domain.decisions import Decision, DecisionKind
from nlu.types import Understanding
from retrieval.types import Hit
from tests.unit.bot.dialogue.shop_scenes import ASKED, ASKING, HIT_THRESHOLDS, RULES, START, found, read

K = DecisionKind


def each(*parts: tuple[Understanding, tuple[Hit, ...]], before: Conversation = START) -> Decision:
    whole = Decision(K.CLARIFY, "two intents are close", lang="en", emotion="joy")
    return decide_each(whole, parts, before, HIT_THRESHOLDS, RULES)


SHIPPING = (read("do you ship?", ("delivery_time", 0.95), ("invoice", 0.01)), ())
PAYING = (read("can I pay by card?", ("payment_methods", 0.95), ("invoice", 0.01)), ())
KNOWN = (read("is there a guarantee?"), (found("a", 0.9),))
UNKNOWN = (read("what is the weather?", oos=0.99), ())


def test_each_question_gets_its_answer():
    decision = each(SHIPPING, PAYING, KNOWN)
    answers = [decision, *decision.also]
    assert [(answer.intent, answer.faq) for answer in answers] == [
        ("delivery_time", ""),
        ("payment_methods", ""),
        ("", "a"),
    ]
    assert {(answer.lang, answer.emotion) for answer in answers} == {("en", "joy")}
    assert decision.reason.startswith("3 questions: ")


ONE_BY_ONE_IS_NO_BETTER = {
    "one has no answer": (SHIPPING, UNKNOWN),
    "both have the same": (KNOWN, KNOWN),
    "one starts a form": (SHIPPING, (read("cancel my order?", ("order_cancel", 0.95)), ())),
    "one is small talk": (SHIPPING, (read("how are you?", ("greeting", 0.95)), ())),
}


@pytest.mark.parametrize("parts", ONE_BY_ONE_IS_NO_BETTER.values(), ids=ONE_BY_ONE_IS_NO_BETTER)
def test_the_message_is_answered_as_a_whole(parts):
    assert each(*parts).kind is K.CLARIFY


MAY_HOLD_SEVERAL = {
    "an FAQ answer": (Decision(K.FAQ, "", faq="a"), True),
    "an intent's template": (Decision(K.TEMPLATE, "", intent="delivery_time", template="x"), True),
    "a question back": (Decision(K.CLARIFY, ""), True),
    "a command": (Decision(K.TEMPLATE, "", template="help"), False),
    "a form": (Decision(K.FORM, "", intent="order_status"), False),
    "an answer beside a form": (Decision(K.FAQ, "", faq="a", form_state=ASKING), False),
    "a handover": (Decision(K.HANDOVER, "", intent="human"), False),
    "small talk": (Decision(K.SMALLTALK, "", intent="greeting"), False),
}


@pytest.mark.parametrize(("decision", "expected"), MAY_HOLD_SEVERAL.values(), ids=MAY_HOLD_SEVERAL)
def test_what_may_hold_several_questions(decision, expected):
    assert may_hold_several(decision) is expected


EXPIRY = Conversation("web:1", lang="en", asked="Do you sell gift cards?", told=("a",))


def test_a_message_is_answered_by_what_was_asked_before_it():
    whole = Decision(K.CLARIFY, "no intent", template="clarify", options=("faq:b",), lang="en", miss=True)
    answer = follow_up(whole, "b", EXPIRY)
    assert (answer.kind, answer.faq, answer.lang, answer.options, answer.miss) == (K.FAQ, "b", "en", (), False)
    assert answer.reason == "FAQ entry b after 'Do you sell gift cards?'; by itself: no intent"


@pytest.mark.parametrize(("kind", "emotion"), [(K.CLARIFY, "worry"), (K.HANDOVER, "")])
def test_a_mood_stays_unless_it_was_the_misreading(kind, emotion):
    whole = Decision(kind, "r", lang="en", emotion="worry")
    assert follow_up(whole, "b", EXPIRY).emotion == emotion


@pytest.mark.parametrize("entry", ["", "a"], ids=["nothing", "what answers by itself"])
def test_what_the_last_question_does_not_change_stays_as_it_is(entry):
    whole = Decision(K.FAQ, "FAQ entry a", faq="a", lang="en")
    assert follow_up(whole, entry, EXPIRY) is whole


@pytest.mark.parametrize(
    ("decision", "before", "expected"),
    [
        (Decision(K.SMALLTALK, "r", intent="bot_identity"), START, True),
        (Decision(K.SMALLTALK, "r"), START, False),
        (Decision(K.FORM, "r", intent="missing_item"), START, True),
        (Decision(K.FORM, "r", intent="order_status", slots={"order_number": "FD20481937"}), START, False),
        (Decision(K.FORM, "r", intent="order_status"), ASKED, False),
        (Decision(K.HANDOVER, "strong anger", emotion="anger"), START, True),
        (Decision(K.HANDOVER, "asked", emotion="neutral"), START, False),
        (Decision(K.HANDOVER, "r", intent="complaint", emotion="anger"), START, False),
        (Decision(K.FAQ, "r", faq="a"), START, False),
    ],
)
def test_what_a_few_words_may_be_misread_as(decision, before, expected):
    assert may_be_misread(decision, before, RULES) is expected
