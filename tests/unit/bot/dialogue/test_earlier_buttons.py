from __future__ import annotations

from dataclasses import replace

import pytest

from bot.dialogue.policy import decide
from bot.dialogue.replies import fill, next_state
from bot.domain.conversation import Conversation
from bot.domain.decisions import Decision, DecisionKind
from bot.domain.messages import ContentKind
from tests.unit.bot.dialogue.shop_scenes import BOT, CONFIRMED, CONFIRMING, ENTRIES, HIT_THRESHOLDS, RULES, START, read

K, C = DecisionKind, ContentKind


def tapped(label: str, asked: Decision, before: Conversation, now: Conversation) -> Decision:
    """Taps a button of an earlier answer."""
    replies = fill(asked, before, RULES, BOT.templates, ENTRIES).replies
    value = next(button.value for button in replies[-1].buttons if button.label == label)
    return decide(read(value), now, (), HIT_THRESHOLDS, RULES, C.BUTTON)


def confirming(intent: str, number: str) -> tuple[Decision, Conversation]:
    decision = decide(read(f"about {number}", (intent, 0.99)), START, (), HIT_THRESHOLDS, RULES)
    return decision, next_state(START, read(), decision, RULES)


def test_a_yes_button_confirms_what_it_was_shown_for():
    asked, at_confirmation = confirming("order_cancel", "FD11111111")
    assert tapped("Yes", asked, START, at_confirmation).action == "order_cancellation"


@pytest.mark.parametrize("label", ["Yes", "No"])
@pytest.mark.parametrize(
    ("intent", "number"),
    [("order_cancel", "FD22222222"), ("return_request", "FD11111111")],
    ids=["another value", "another wish"],
)
def test_a_button_of_an_earlier_confirmation_confirms_no_other(intent, number, label):
    old, _ = confirming("order_cancel", "FD11111111")
    _, now = confirming(intent, number)
    decision = tapped(label, old, START, now)
    assert (decision.template, decision.action, decision.form_state) == ("earlier_question", "", now.form)
    replies = fill(decision, now, RULES, BOT.templates, ENTRIES).replies
    assert number in replies[-1].text, "what is open is asked again"
    assert tapped("Yes", decision, now, next_state(now, read(), decision, RULES)).form == "order"


def test_a_button_of_a_closed_confirmation_does_nothing():
    old, _ = confirming("order_cancel", "FD11111111")
    assert tapped("Yes", old, START, START).template == "earlier_question"


def test_a_button_of_an_earlier_offer_takes_no_later_one():
    old = Decision(K.CLARIFY, "r", template="clarify_one", options=("intent:invoice",), lang="en")
    now = replace(START, options=("intent:order_cancel",))
    decision = tapped("Yes", old, START, now)
    assert (decision.template, decision.options) == ("earlier_question", ("intent:order_cancel",))


def test_no_to_another_question_leaves_the_form_alone():
    erase = decide(read("/delete"), CONFIRMED, (), HIT_THRESHOLDS, RULES)
    replies = fill(erase, CONFIRMED, RULES, BOT.templates, ENTRIES).replies
    keep = next(button.value for button in replies[0].buttons if button.label == "No, keep it")
    now = next_state(CONFIRMED, read(), erase, RULES)
    decision = decide(read(keep), now, (), HIT_THRESHOLDS, RULES, C.BUTTON)
    assert (decision.template, decision.form_state) == ("deny", CONFIRMING)


def test_a_button_without_a_mark_confirms_nothing_that_cannot_be_undone():
    _, now = confirming("order_cancel", "FD11111111")
    assert decide(read("yes:"), now, (), HIT_THRESHOLDS, RULES, C.BUTTON).template == "confirm_order"
    assert decide(read("yes:"), now, (), HIT_THRESHOLDS, RULES).action == "order_cancellation", "typed by a caller"
