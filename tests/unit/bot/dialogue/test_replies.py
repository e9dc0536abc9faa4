from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.bot_files import load_bot_files
from bot.dialogue.marks import mark_of_options
from bot.dialogue.policy import decide
from bot.dialogue.replies import fill, next_state
from bot.domain.conversation import Conversation, FormState, Status
from bot.domain.decisions import Decision, DecisionKind
from bot.domain.rules import Priority
from nlu.types import Distribution, Score, Understanding
from retrieval.types import FaqEntry, Hit, HitThresholds

BOT = load_bot_files(Path(__file__).parents[4] / "examples" / "shop")
RULES = BOT.rules
HIT_THRESHOLDS = HitThresholds()
VECTOR = np.zeros(3, dtype=np.float32)
ENTRIES = {"a": FaqEntry("a", "Question a?", "Answer a.", "en")}
ASKING = FormState("order", {}, "order_number", 0, "order_status")
START = Conversation("web:1", lang="en")
ASKED = Conversation("web:1", lang="en", form=ASKING)
K = DecisionKind


def read(text: str = "some words", *intents: tuple[str, float]) -> Understanding:
    heads = {"intent": Distribution(tuple(Score(*intent) for intent in intents))} if intents else {}
    return Understanding(text, "en", heads, (), 0.05, VECTOR, "r1")


def test_an_answer_in_the_middle_of_a_form_is_followed_by_the_forms_question() -> None:
    before = ASKED
    decision = decide(read("open?", ("store_hours", 0.9)), before, (), HIT_THRESHOLDS, RULES)
    filled = fill(decision, before, RULES, BOT.templates, {})
    assert len(filled.replies) == 2
    assert "10:00 to 19:00" in filled.replies[0].text
    assert "order number" in filled.replies[1].text
    assert filled.form == ASKING


def test_a_whole_form_with_a_choice_ends_with_an_escalation() -> None:
    state, texts = START, []
    for text in ("my kettle broke", "fd-20481937", "refund", "yes"):
        reading = read(text, *([("damaged_item", 0.9)] if "kettle" in text else []))
        decision = decide(reading, state, (), HIT_THRESHOLDS, RULES)
        texts.append(fill(decision, state, RULES, BOT.templates, {}))
        state = next_state(state, reading, decision, RULES)
    assert [button.value for button in texts[1].replies[0].buttons] == ["say:A replacement", "say:My money back"]
    assert "My money back" in texts[2].replies[0].text
    assert texts[3].escalate == "damaged_item: order_number=FD20481937, wish=refund"
    assert (state.status, state.form, state.noted) == (Status.WAITING, None, {"order_number": "FD20481937"})


def test_a_clarifying_question_shows_titles_and_questions() -> None:
    decision = Decision(K.CLARIFY, "r", template="clarify", options=("intent:invoice", "faq:a"), lang="en")
    (reply,) = fill(decision, START, RULES, BOT.templates, ENTRIES).replies
    assert [button.label for button in reply.buttons] == ["Invoices and receipts", "Question a?", "Something else"]


def test_a_person_is_offered_by_title_but_once() -> None:
    decision = Decision(K.CLARIFY, "r", template="clarify_again", options=("intent:invoice", "human:"), lang="en")
    (reply,) = fill(decision, START, RULES, BOT.templates, ENTRIES).replies
    assert [button.label for button in reply.buttons] == ["Invoices and receipts", "Talk to a person", "Something else"]
    asked = Decision(K.CLARIFY, "r", template="human_ask", options=("human:",), lang="en")
    (reply,) = fill(asked, START, RULES, BOT.templates, ENTRIES).replies
    assert [button.label for button in reply.buttons] == ["Yes please", "No thanks"]


def test_entries_with_long_ids_are_offered() -> None:
    name = f"{'礼品卡' * 10}.zh"
    entries = {**ENTRIES, name: replace(ENTRIES["a"], id=name, question="Question long?")}
    hits = [Hit(entries[each], "", 0.4, 0.4) for each in (name, "a")]
    decision = decide(read(), START, hits, HIT_THRESHOLDS, RULES)
    assert decision.options == (f"faq:{name}", "faq:a")
    (reply,) = fill(decision, START, RULES, BOT.templates, entries).replies
    assert [button.label for button in reply.buttons[:2]] == ["Question long?", "Question a?"]
    assert all(len(button.value.encode()) <= 64 for button in reply.buttons)


def test_a_single_option_is_asked_by_name() -> None:
    decision = Decision(K.CLARIFY, "r", template="clarify_one", options=("intent:invoice",), lang="zh")
    (reply,) = fill(decision, START, RULES, BOT.templates, ENTRIES).replies
    assert "发票" in reply.text
    mark = mark_of_options(("intent:invoice",))
    assert [button.value for button in reply.buttons] == [f"yes:{mark}", f"no:{mark}"]


@pytest.mark.parametrize(
    ("emotion", "lang", "begins"), [("anger", "en", "I'm sorry"), ("joy", "en", "Answer"), ("anger", "zh", "Answer")]
)
def test_an_faq_answer_to_a_bad_mood_begins_with_sympathy(emotion: str, lang: str, begins: str) -> None:
    decision = Decision(K.FAQ, "r", faq="a", lang=lang, emotion=emotion)
    (reply,) = fill(decision, START, RULES, BOT.templates, ENTRIES).replies
    assert reply.text.startswith(begins)
    assert reply.text.endswith("Answer a.")


@pytest.mark.parametrize(("priority", "told"), [(Priority.HIGH, True), (Priority.URGENT, False)])
def test_a_handover_says_how_long_it_usually_takes(priority: Priority, told: bool) -> None:
    decision = Decision(K.HANDOVER, "r", template="handover", lang="en", escalate="r", wait=7, priority=priority)
    (reply,) = fill(decision, START, RULES, BOT.templates, {}).replies
    assert ("about 7 minutes" in reply.text) is told


def test_a_link_with_an_order_number_is_remembered() -> None:
    reading = read("/start order_FD20481937")
    decision = decide(reading, START, (), HIT_THRESHOLDS, RULES)
    state = next_state(START, reading, decision, RULES)
    decision = decide(read("where is it", ("order_status", 0.9)), state, (), HIT_THRESHOLDS, RULES)
    assert "FD20481937" in fill(decision, state, RULES, BOT.templates, {}).replies[0].text


def test_languages_are_offered_in_their_own_words() -> None:
    decision = decide(read("/language"), START, (), HIT_THRESHOLDS, RULES)
    (reply,) = fill(decision, START, RULES, BOT.templates, {}).replies
    assert [(button.label, button.value) for button in reply.buttons] == [("English", "lang:en"), ("中文", "lang:zh")]


@pytest.mark.parametrize(
    ("decision", "judged", "attachment"),
    [
        (Decision(K.FAQ, "r", faq="a", lang="en"), True, ""),
        (Decision(K.TEMPLATE, "r", intent="invoice", template="invoice", lang="en"), True, ""),
        (Decision(K.TEMPLATE, "r", template="help", lang="en"), False, ""),
        (Decision(K.SMALLTALK, "r", intent="greeting", template="greeting", lang="en"), False, ""),
        (Decision(K.TEMPLATE, "r", template="export_ready", lang="en", personal="export"), False, "export"),
        (Decision(K.TEMPLATE, "r", template="erased", lang="en", personal="erase"), False, ""),
    ],
)
def test_what_may_be_judged_and_what_comes_along(decision: Decision, judged: bool, attachment: str) -> None:
    (reply,) = fill(decision, START, RULES, BOT.templates, ENTRIES).replies
    assert (reply.judged, reply.attachment) == (judged, attachment)


def test_a_template_that_is_gone_gets_the_fallback() -> None:
    decision = Decision(K.TEMPLATE, "r", template="gone", lang="en")
    (reply,) = fill(decision, START, RULES, BOT.templates, {}).replies
    assert reply.text == BOT.templates.render("fallback", "en", "", {}, 0).text


def test_an_faq_entry_that_is_gone_gets_the_fallback() -> None:
    faq = Decision(K.FAQ, "r", faq="gone", lang="en")
    clarify = Decision(K.CLARIFY, "r", template="clarify", options=("faq:gone",), lang="en")
    replies = [fill(decision, START, RULES, BOT.templates, ENTRIES).replies[0].text for decision in (faq, clarify)]
    assert replies[0] == replies[1] == BOT.templates.render("fallback", "en", "", {}, 0).text


@pytest.mark.parametrize(
    ("decision", "before", "expected"),
    [
        (Decision(K.CLARIFY, "r", miss=True), START, {"misses": 1, "turns": 1}),
        (Decision(K.CLARIFY, "r", options=("faq:a",)), replace(START, misses=1), {"misses": 1, "options": ("faq:a",)}),
        (Decision(K.FAQ, "r"), replace(START, misses=1, options=("faq:a",)), {"misses": 0, "options": ()}),
        (
            Decision(K.HANDOVER, "r", escalate="x"),
            replace(START, moods=("anger",)),
            {"status": Status.WAITING, "moods": ()},
        ),
        (Decision(K.SMALLTALK, "r"), replace(START, status=Status.CLOSED), {"status": Status.BOT}),
        (Decision(K.TEMPLATE, "r", emotion="joy"), replace(START, moods=("a",) * 6), {"moods": (*("a",) * 5, "joy")}),
        (Decision(K.TEMPLATE, "r", intent="jobs", lang="zh"), START, {"last_intent": "jobs", "lang": "zh"}),
        (Decision(K.SILENT, "r"), replace(START, status=Status.AGENT, form=ASKING), {"form": ASKING, "turns": 1}),
    ],
    ids=["miss", "question", "answer", "handover", "reopened", "moods", "memory", "silent"],
)
def test_next_state(decision: Decision, before: Conversation, expected: dict[str, object]) -> None:
    after = next_state(before, read(), decision, RULES)
    assert {name: getattr(after, name) for name in expected} == expected
    assert Conversation.from_json(after.to_json()) == after


def test_a_handover_outside_the_hours_says_when_people_are_back() -> None:
    decision = Decision(K.HANDOVER, "r", template="handover", lang="en", escalate="r", wait=7, opens="Monday at 08:00")
    (reply,) = fill(decision, START, RULES, BOT.templates, {}).replies
    assert "we're back Monday at 08:00" in reply.text
    assert "minutes" not in reply.text
