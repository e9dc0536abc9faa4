from __future__ import annotations

import pytest

from bot.dialogue.moves import related_entries, speaks_in_general
from bot.domain.conversation import FormState
from bot.domain.decisions import Decision, DecisionKind
from tests.unit.bot.dialogue.shop_scenes import ENTRIES

K = DecisionKind
RELATED = {
    "best first": (["b", "a"], 2, ("b",)),
    "of the answer's language": (["c", "b"], 2, ("b",)),
    "each once": (["b", "b"], 2, ("b",)),
    "none of what is gone": (["gone"], 2, ()),
    "no more than wanted": (["b"], 0, ()),
}


@pytest.mark.parametrize(("others", "limit", "expected"), RELATED.values(), ids=RELATED)
def test_related_entries(others, limit, expected):
    assert related_entries(Decision(K.FAQ, "", faq="a"), others, ENTRIES, limit) == expected


GENERAL = {
    "a template": (Decision(K.TEMPLATE, "", intent="warranty"), True),
    "a text of the bot's own": (Decision(K.TEMPLATE, ""), False),
    "one of several answers": (
        Decision(K.TEMPLATE, "", intent="warranty", also=(Decision(K.FAQ, "", faq="a"),)),
        False,
    ),
    "a form's first question": (Decision(K.FORM, "", intent="order_status", form_state=FormState("order")), True),
    "a form with a value": (
        Decision(K.FORM, "", intent="order_status", form_state=FormState("order", slots={"order_number": "1"})),
        False,
    ),
    "a filled form": (Decision(K.FORM, "", intent="order_status"), False),
    "a wish for a person": (Decision(K.HANDOVER, "", intent="human_agent"), False),
    "small talk": (Decision(K.SMALLTALK, "", intent="greeting"), False),
}


@pytest.mark.parametrize(("decision", "general"), GENERAL.values(), ids=GENERAL)
def test_what_an_intent_says_to_every_message_is_general(decision, general):
    assert speaks_in_general(decision) is general


def test_questions_under_a_general_answer_are_in_its_language():
    decision = Decision(K.TEMPLATE, "", intent="warranty", lang="en")
    assert related_entries(decision, ["c", "b", "a"], ENTRIES, 1) == ("b",)


def test_what_is_told_already_is_not_related():
    decision = Decision(K.FAQ, "", faq="a", also=(Decision(K.FAQ, "", faq="b"),))
    assert related_entries(decision, ["b"], ENTRIES, 2) == ()
    assert related_entries(Decision(K.FAQ, "", faq="gone"), ["b"], ENTRIES, 2) == ()
