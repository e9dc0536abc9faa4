from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from bot.dialogue.policy import decide
from bot.dialogue.replies import next_state
from bot.dialogue.scene import as_said
from bot.domain.conversation import Conversation, FormState, Status
from bot.domain.decisions import Decision, DecisionKind
from bot.domain.messages import ContentKind, IncomingMessage
from bot.domain.rules import Priority
from nlu.types import Understanding
from retrieval.types import Hit
from tests.unit.bot.dialogue.shop_scenes import (
    ASKED,
    ASKING,
    CONFIRMED,
    HIT_THRESHOLDS,
    NUMBER,
    RULES,
    START,
    found,
    read,
)


@dataclass(frozen=True)
class Case:
    name: str
    reading: Understanding
    kind: DecisionKind
    template: str = ""
    before: Conversation = START
    hits: tuple[Hit, ...] = ()
    content: ContentKind = ContentKind.TEXT
    more: dict[str, object] = field(default_factory=dict)


K, C = DecisionKind, ContentKind
WAITING = replace(START, status=Status.WAITING)
OFFERED = replace(START, options=("intent:invoice", "faq:a"))
CASES = [
    Case("agent holds", read("hi", ("greeting", 0.9)), K.SILENT, before=replace(START, status=Status.AGENT)),
    Case(
        "danger",
        read("I want to die", ("greeting", 0.9)),
        K.HANDOVER,
        "danger_to_self",
        more={"priority": Priority.URGENT, "escalate": 'danger_to_self: the customer said "want to die"'},
    ),
    Case(
        "danger while waiting",
        read("it caught fire"),
        K.HANDOVER,
        "danger_to_others",
        WAITING,
        more={"priority": Priority.URGENT, "escalate": 'danger_to_others: the customer said "caught fire"'},
    ),
    Case("danger in a form", read("不想活了", lang="zh"), K.HANDOVER, "danger_to_self", ASKED),
    Case(
        "threat while an agent holds",
        read("my lawyer"),
        K.SILENT,
        before=replace(START, status=Status.AGENT),
        more={"escalate": 'threat_to_sue: the customer said "my lawyer"', "priority": Priority.HIGH},
    ),
    Case(
        "danger while an agent holds",
        read("I want to die"),
        K.HANDOVER,
        "danger_to_self",
        replace(START, status=Status.AGENT),
        more={"escalate": 'danger_to_self: the customer said "want to die"', "priority": Priority.URGENT},
    ),
    Case("threat", read("my lawyer will call"), K.HANDOVER, "handover_serious", more={"priority": Priority.HIGH}),
    Case("a button that names danger", read("faq:suicide"), K.FAQ, content=C.BUTTON),
    Case("rating", read("rate:12:5"), K.TEMPLATE, "rated", content=C.BUTTON, more={"rating": (12, 5)}),
    Case("rating of nonsense", read("rate:12:9"), K.CLARIFY, "fallback", content=C.BUTTON, more={"rating": None}),
    Case("rating of a forged id", read("rate:999999999999:5"), K.CLARIFY, "fallback", content=C.BUTTON),
    Case("typed rating", read("rate:12:5"), K.CLARIFY, "fallback", more={"rating": None}),
    Case(
        "language command", read("/language"), K.TEMPLATE, "choose_language", more={"options": ("lang:en", "lang:zh")}
    ),
    Case("language button", read("lang:zh"), K.TEMPLATE, "language_set", content=C.BUTTON, more={"lang": "zh"}),
    Case("unknown language button", read("lang:fr"), K.CLARIFY, "fallback", content=C.BUTTON, more={"lang": "en"}),
    Case("data wanted", read("/export"), K.TEMPLATE, "export_ready", more={"personal": "export"}),
    Case("data to be removed", read("/delete"), K.TEMPLATE, "erase_ask", ASKED, more={"personal": ""}),
    Case(
        "data removed",
        read("erase:"),
        K.TEMPLATE,
        "erased",
        ASKED,
        content=C.BUTTON,
        more={"personal": "erase", "form_state": None},
    ),
    Case("removal typed", read("erase:"), K.CLARIFY, "fallback", more={"personal": ""}),
    Case("link to an intent", read("/start intent_order_status"), K.FORM, "ask_order_number"),
    Case("link to an intent, in a group", read("/start@shop_bot intent_invoice"), K.TEMPLATE, "invoice"),
    Case("link to nothing", read("/start intent_gone"), K.TEMPLATE, "greeting"),
    Case(
        "link to an order",
        read("/start order_FD20481937"),
        K.FORM,
        "confirm_order",
        more={"intent": "order_status", "slots": {"order_number": "FD20481937"}},
    ),
    Case("link to no order", read("/start order_123"), K.FORM, "ask_order_number", more={"intent": "order_status"}),
    Case("another command with an order", read("/help order_FD20481937"), K.TEMPLATE, "help"),
    Case("blocked", read("hello"), K.SILENT, before=replace(START, blocked=True)),
    Case("threat from one who is blocked", read("my lawyer"), K.SILENT, before=replace(START, blocked=True)),
    Case(
        "danger to one who is blocked",
        read("不想活了", lang="zh"),
        K.HANDOVER,
        "danger_to_self",
        replace(START, blocked=True),
    ),
    Case(
        "anger of one who is blocked",
        read("answer me!", emotion=("anger", 0.99)),
        K.SILENT,
        before=replace(WAITING, blocked=True),
        more={"escalate": ""},
    ),
    Case("unwanted words", read("you idiot"), K.TEMPLATE, "unwanted", more={"miss": False}),
    Case("unwanted small talk", read("fuck you, hello", ("greeting", 0.95)), K.TEMPLATE, "unwanted"),
    Case("unwanted words about something", read("open, you idiot?", ("store_hours", 0.9)), K.TEMPLATE, "store_hours"),
    Case("command", read("/help"), K.TEMPLATE, "help"),
    Case("command with bot name", read("/start@shop_bot payload"), K.TEMPLATE, "greeting"),
    Case("command for a human", read("/human"), K.HANDOVER, "handover", more={"escalate": "command /human"}),
    Case("unknown command", read("/dance"), K.TEMPLATE, "help"),
    Case("cancel without form", read("/cancel"), K.TEMPLATE, "nothing_to_cancel"),
    Case("cancel with form", read("/cancel"), K.TEMPLATE, "form_cancelled", ASKED, more={"form_state": None}),
    Case("photo", read(""), K.TEMPLATE, "got_photo", content=C.PHOTO),
    Case("voice", read(""), K.TEMPLATE, "got_voice", content=C.VOICE),
    Case("other", read(""), K.TEMPLATE, "got_other", content=C.OTHER),
    Case("photo while a human is on the way", read(""), K.TEMPLATE, "handover_waiting", WAITING, content=C.PHOTO),
    Case("photo with caption", read("open?", ("store_hours", 0.9)), K.TEMPLATE, "store_hours", content=C.PHOTO),
    Case("edited text", read("open?", ("store_hours", 0.9)), K.TEMPLATE, "store_hours", content=C.EDITED),
    Case("photo keeps form", read(""), K.TEMPLATE, "got_photo", ASKED, content=C.PHOTO, more={"form_state": ASKING}),
    Case("empty", read(" \n"), K.TEMPLATE, "empty"),
    Case("too long", read("a" * 4001), K.TEMPLATE, "too_long"),
    Case("intent button", read("intent:invoice"), K.TEMPLATE, "invoice", content=C.BUTTON),
    Case("intent button as text", read("intent:invoice"), K.TEMPLATE, "invoice"),
    Case("form button", read("intent:order_status"), K.FORM, "ask_order_number", content=C.BUTTON),
    Case("stale button", read("intent:gone"), K.CLARIFY, "fallback", content=C.BUTTON, more={"miss": True}),
    Case("faq button", read("faq:a"), K.FAQ, content=C.BUTTON, more={"faq": "a"}),
    Case("human button", read("human:"), K.HANDOVER, "handover", content=C.BUTTON),
    Case("yes button out of the blue", read("yes:"), K.SMALLTALK, "affirm", content=C.BUTTON),
    Case("no button out of the blue", read("no:"), K.SMALLTALK, "deny", content=C.BUTTON),
    Case("say button", read("say:open?", ("store_hours", 0.9)), K.TEMPLATE, "store_hours", content=C.BUTTON),
    Case("wish for a human", read("get me someone", ("human_agent", 0.8)), K.HANDOVER, "human_agent"),
    Case("human in a word", read("转人工！", ("greeting", 0.8), lang="zh"), K.HANDOVER, "handover"),
    Case("human twice", read("human"), K.HANDOVER, "handover_waiting", WAITING, more={"escalate": ""}),
    Case(
        "strong anger",
        read("my invoice!!!", ("invoice", 0.9), emotion=("anger", 0.9)),
        K.HANDOVER,
        "handover",
        more={"escalate": "strong anger", "priority": Priority.HIGH},
    ),
    Case("a number has no intent", read("99", ("goodbye", 0.99)), K.FORM, "bad_order_number", ASKED),
    Case("a number shows no anger", read("FD123", emotion=("anger", 0.99)), K.FORM, "bad_order_number", ASKED),
    Case("angry signs", read("!!! 😡", emotion=("anger", 0.99)), K.HANDOVER, "handover"),
    Case("anger, not strong", read("ugh", ("invoice", 0.9), emotion=("anger", 0.6)), K.TEMPLATE, "invoice"),
    Case("strong worry", read("oh", ("invoice", 0.9), emotion=("worry", 0.99)), K.TEMPLATE, "invoice"),
    Case(
        "repeated",
        read("ugh", ("invoice", 0.9), emotion=("anger", 0.6)),
        K.HANDOVER,
        "handover",
        replace(START, moods=("disappointment", "")),
    ),
    Case(
        "repeated too long ago",
        read("u", ("invoice", 0.9), emotion=("anger", 0.6)),
        K.TEMPLATE,
        "invoice",
        replace(START, moods=("anger", "", "")),
    ),
    Case(
        "was angry, is not",
        read("ok then", ("invoice", 0.9)),
        K.TEMPLATE,
        "invoice",
        replace(START, moods=("anger", "anger")),
    ),
    Case(
        "angry while waiting",
        read("my invoice!!!", ("invoice", 0.9), emotion=("anger", 0.9)),
        K.TEMPLATE,
        "invoice",
        WAITING,
        more={"escalate": "strong anger while waiting", "priority": Priority.HIGH},
    ),
    Case(
        "form starts",
        read("where is it", ("order_status", 0.9)),
        K.FORM,
        "ask_order_number",
        more={"lead": "order_status_start"},
    ),
    Case(
        "form starts filled",
        read("where is fd 2048-1937", ("order_status", 0.9)),
        K.FORM,
        "confirm_order",
        more={"slots": {"order_number": "FD20481937"}},
    ),
    Case(
        "form remembers",
        read("where is it", ("refund_status", 0.9)),
        K.FORM,
        "confirm_order",
        replace(START, noted={"order_number": "FD20481937"}),
    ),
    Case("form answered", read("20481937", ("jobs", 0.9)), K.FORM, "confirm_order", ASKED),
    Case("form answered wrongly", read("dunno"), K.FORM, "bad_order_number", ASKED),
    Case(
        "form given up",
        read("dunno"),
        K.HANDOVER,
        "form_failed",
        replace(START, form=replace(ASKING, attempts=2)),
        more={"form_state": None},
    ),
    Case("form cancelled", read("算了", lang="zh"), K.TEMPLATE, "form_cancelled", ASKED),
    Case("form denied", read("nope"), K.TEMPLATE, "form_cancelled", ASKED),
    Case(
        "form confirmed",
        read("是的", lang="zh"),
        K.FORM,
        "order_status",
        CONFIRMED,
        more={"form_state": None, "escalate": "order_status: order_number=FD20481937"},
    ),
    Case("form confirmed by button", read("yes:"), K.FORM, "order_status", CONFIRMED, content=C.BUTTON),
    Case(
        "form corrected",
        read("no, FD11112222", ("deny", 0.9)),
        K.FORM,
        "confirm_order",
        CONFIRMED,
        more={"slots": {"order_number": "FD11112222"}},
    ),
    Case(
        "confirmation denied",
        read("no:"),
        K.FORM,
        "ask_order_number",
        CONFIRMED,
        content=C.BUTTON,
        more={"lead": "form_again"},
    ),
    Case(
        "form interrupted",
        read("when do you open", ("store_hours", 0.9)),
        K.TEMPLATE,
        "store_hours",
        ASKED,
        more={"form_state": ASKING},
    ),
    Case("form interrupted by faq", read("what"), K.FAQ, "", ASKED, (found("a", 0.9),), more={"form_state": ASKING}),
    Case(
        "form switched",
        read("please cancel the order FD20481937 for me", ("order_cancel", 0.9)),
        K.FORM,
        "confirm_order",
        ASKED,
        more={"intent": "order_cancel"},
    ),
    Case("human within form", read("human"), K.HANDOVER, "handover", ASKED, more={"form_state": None}),
    Case(
        "form that is gone",
        read("open?", ("store_hours", 0.9)),
        K.TEMPLATE,
        "store_hours",
        replace(START, form=FormState("gone")),
        more={"form_state": None},
    ),
    Case("offer by number", read("2."), K.FAQ, "", OFFERED, more={"faq": "a"}),
    Case("offer by title", read("invoices and receipts"), K.TEMPLATE, "invoice", OFFERED),
    Case("one offer accepted", read("yes"), K.TEMPLATE, "invoice", replace(START, options=("intent:invoice",))),
    Case("several offers accepted", read("yes"), K.CLARIFY, "clarify", OFFERED),
    Case("offers refused", read("no:"), K.CLARIFY, "fallback", OFFERED, content=C.BUTTON, more={"miss": True}),
    Case("human offer accepted", read("yes please"), K.HANDOVER, "handover", replace(START, options=("human:",))),
    Case("human offer refused", read("no"), K.SMALLTALK, "deny", replace(START, options=("human:",))),
    Case(
        "unknown language", read("où est mon colis", ("order_status", 0.9), lang="fr"), K.TEMPLATE, "unknown_language"
    ),
    Case("out of scope, faq", read("w", ("jobs", 0.9), oos=0.9), K.FAQ, hits=(found("a", 0.8),)),
    Case(
        "out of scope, suggestion",
        read("w", ("jobs", 0.9), oos=0.9),
        K.CLARIFY,
        "clarify_one",
        hits=(found("a", 0.5),),
        more={"options": ("faq:a",)},
    ),
    Case("out of scope", read("w", ("jobs", 0.9), oos=0.9), K.CLARIFY, "fallback", more={"miss": True, "options": ()}),
    Case(
        "out of scope again", read("w", oos=0.9), K.HANDOVER, "handover", replace(START, misses=1), more={"miss": True}
    ),
    Case("out of scope, waiting", read("w", oos=0.9), K.HANDOVER, "handover_waiting", WAITING, more={"escalate": ""}),
    Case(
        "miss in a bad mood",
        read("w", oos=0.9, emotion=("disappointment", 0.7)),
        K.CLARIFY,
        "human_ask",
        more={"options": ("human:",)},
    ),
    Case("template", read("open?", ("store_hours", 0.9)), K.TEMPLATE, "store_hours"),
    Case("smalltalk", read("hi", ("greeting", 0.9)), K.SMALLTALK, "greeting"),
    Case("close smalltalk", read("thx bye", ("thanks", 0.52), ("goodbye", 0.45)), K.SMALLTALK, "thanks"),
    Case("complaint", read("bad", ("complaint", 0.9)), K.HANDOVER, "complaint"),
    Case("faq beats template", read("sunday?", ("store_hours", 0.8)), K.FAQ, hits=(found("a", 0.85),)),
    Case("probable faq beats a surer template", read("open?", ("store_hours", 0.9)), K.FAQ, hits=(found("a", 0.5),)),
    Case(
        "a template of which all is certain beats a probable faq",
        read("open?", ("store_hours", 0.995)),
        K.TEMPLATE,
        "store_hours",
        hits=(found("a", 0.61),),
    ),
    Case("and yields to a surer one", read("open?", ("store_hours", 0.995)), K.FAQ, hits=(found("a", 0.63),)),
    Case(
        "template beats doubtful faq",
        read("open?", ("store_hours", 0.9)),
        K.TEMPLATE,
        "store_hours",
        hits=(found("a", 0.49),),
    ),
    Case("certain faq beats form", read("where", ("order_status", 0.6)), K.FAQ, hits=(found("a", 0.7),)),
    Case(
        "form beats probable faq",
        read("where", ("order_status", 0.6)),
        K.FORM,
        "ask_order_number",
        hits=(found("a", 0.69),),
    ),
    Case(
        "form beats faq where its slot is named",
        read("where is FD20481937", ("order_status", 0.9), entities=(NUMBER,)),
        K.FORM,
        "confirm_order",
        hits=(found("a", 0.99),),
    ),
    Case(
        "faq never beats handover", read("bad", ("complaint", 0.6)), K.HANDOVER, "complaint", hits=(found("a", 0.99),)
    ),
    Case(
        "close forms beat probable faq",
        read("w", ("order_status", 0.5), ("delivery_late", 0.4)),
        K.CLARIFY,
        "clarify",
        hits=(found("a", 0.69),),
    ),
    Case("probable faq without intent", read("w", ("jobs", 0.2)), K.FAQ, hits=(found("a", 0.5),)),
    Case(
        "out of scope needs a certain faq",
        read("w", ("jobs", 0.9), oos=0.99),
        K.CLARIFY,
        "clarify_one",
        hits=(found("a", 0.6),),
    ),
    Case("faq without intent", read("w", ("jobs", 0.2)), K.FAQ, hits=(found("a", 0.75),)),
    Case(
        "faq of another language",
        read("什么", ("jobs", 0.2), lang="zh"),
        K.FAQ,
        hits=(found("a", 0.9), found("c", 0.8)),
        more={"faq": "c"},
    ),
    Case(
        "close intents",
        read("w", ("invoice", 0.5), ("gift_card", 0.4)),
        K.CLARIFY,
        "clarify",
        more={"options": ("intent:invoice", "intent:gift_card")},
    ),
    Case(
        "unlikely options left out",
        read("w", ("invoice", 0.4), ("jobs", 0.05)),
        K.CLARIFY,
        "clarify_one",
        more={"options": ("intent:invoice",)},
    ),
    Case(
        "mixed options",
        read("w", ("invoice", 0.3)),
        K.CLARIFY,
        "clarify",
        hits=(found("a", 0.45),),
        more={"options": ("faq:a", "intent:invoice")},
    ),
    Case("nothing likely", read("w", ("jobs", 0.05)), K.CLARIFY, "fallback"),
    Case("intent of another bot", read("w", ("card_arrival", 0.95)), K.CLARIFY, "fallback"),
    Case("oos as a label", read("w", ("oos", 0.95)), K.CLARIFY, "fallback"),
    Case("no intent head", read("w"), K.CLARIFY, "fallback"),
]


def run(case: Case) -> Decision:
    return decide(case.reading, case.before, case.hits, HIT_THRESHOLDS, RULES, case.content)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_decides(case: Case) -> None:
    decision = run(case)
    assert (decision.kind, decision.template) == (case.kind, case.template), decision.reason
    assert {name: getattr(decision, name) for name in case.more} == case.more
    assert decision.reason


@pytest.mark.parametrize(
    ("reading", "before", "expected"),
    [
        (read("你好", lang="zh"), "en", "zh"),
        (read("FD20481937", lang="en"), "zh", "zh"),
        (read("intent:jobs", lang="en"), "zh", "zh"),
        (read("bonjour", lang="fr"), "zh", "zh"),
        (read("bonjour", lang="fr"), "", "en"),
        (read("12", lang="zh"), "", "zh"),
    ],
    ids=["customer's", "number keeps", "button keeps", "unknown keeps", "unknown at first", "number at first"],
)
def test_answers_in_the_right_language(reading: Understanding, before: str, expected: str) -> None:
    assert decide(reading, Conversation("c", lang=before), (), HIT_THRESHOLDS, RULES).lang == expected


def test_the_button_value_counts_where_the_reading_normalised_it() -> None:
    decision = decide(read("FAQ A"), START, (), HIT_THRESHOLDS, RULES, ContentKind.BUTTON, "faq:a")
    assert decision.faq == "a"


def test_a_say_button_becomes_text() -> None:
    message = IncomingMessage("1", "web:1", "say:open?", datetime(2025, 1, 1, tzinfo=UTC), ContentKind.BUTTON)
    assert (as_said(message).text, as_said(message).kind) == ("open?", ContentKind.TEXT)
    assert as_said(replace(message, text="yes:")) == replace(message, text="yes:")


@pytest.mark.parametrize(
    ("kind", "text", "spoken"),
    [
        (C.VOICE, "open?", C.TEXT),
        (C.EDITED, "open?", C.TEXT),
        (C.PHOTO, "open?", C.TEXT),
        (C.PHOTO, " ", C.PHOTO),
        (C.STICKER, "🙂", C.STICKER),
        (C.LOCATION, "", C.LOCATION),
    ],
)
def test_words_are_words_however_they_came(kind: ContentKind, text: str, spoken: ContentKind) -> None:
    message = IncomingMessage("1", "web:1", text, datetime(2025, 1, 1, tzinfo=UTC), kind)
    assert as_said(message) == replace(message, kind=spoken)


@pytest.mark.parametrize(("kind", "text"), [(C.LOCATION, "52.5, 13.4"), (C.OTHER, "Bo +49 30 1234")])
def test_what_is_written_for_agents_is_no_words(kind: ContentKind, text: str) -> None:
    message = IncomingMessage("1", "web:1", text, datetime(2025, 1, 1, tzinfo=UTC), kind)
    assert as_said(message).text == ""


CANCELLING = replace(CONFIRMED, form=FormState("order", {"order_number": "FD20481937"}, "confirm", 0, "order_cancel"))
AT_CONFIRMATION = {
    "the number alone": ("FD20481937", "", True),
    "yes in words": ("yes, cancel it", "", True),
    "a thumb": ("👍", "", True),
    "the number in a refusal": ("don't cancel FD20481937!", "", False),
    "the number in a question": ("Is FD20481937 already shipped?", "", False),
    "the number in a Chinese refusal": ("不要取消FD20481937", "", False),
    "one moment, read as yes": ("等一下", "affirm", False),
    "keep it, read as yes": ("keep it", "affirm", False),
    "marks, read as yes": ("...", "affirm", False),
    "yes by the model alone": ("that is the one", "affirm", False),
}


@pytest.mark.parametrize(("text", "intent", "done"), AT_CONFIRMATION.values(), ids=AT_CONFIRMATION)
def test_what_confirms_a_change_that_cannot_be_undone(text, intent, done):
    intents = ((intent, 0.997), ("invoice", 0.001)) if intent else ()
    decision = decide(read(text, *intents), CANCELLING, (), HIT_THRESHOLDS, RULES)
    assert (decision.action == "order_cancellation") is done


def test_a_mere_look_up_may_be_confirmed_by_what_the_model_reads():
    decision = decide(
        read("that is the one", ("affirm", 0.997), ("invoice", 0.001)), CONFIRMED, (), HIT_THRESHOLDS, RULES
    )
    assert decision.action == "order_lookup"


PERSONAL = {
    "/export": "export_ready",
    "/export@lark_bot now": "export_ready",
    "/delete": "erase_ask",
    "/language": "choose_language",
}


@pytest.mark.parametrize(("text", "template"), PERSONAL.items(), ids=PERSONAL)
def test_customers_get_at_their_data_while_an_agent_holds_the_conversation(text, template):
    held = replace(START, status=Status.AGENT)
    assert decide(read(text), held, (), HIT_THRESHOLDS, RULES).template == template
    assert decide(read("hello"), held, (), HIT_THRESHOLDS, RULES).kind is K.SILENT


def test_a_tap_to_erase_counts_while_an_agent_holds_the_conversation():
    held = replace(START, status=Status.AGENT)
    decision = decide(read("erase:"), held, (), HIT_THRESHOLDS, RULES, C.BUTTON)
    assert decision.personal == "erase"


def test_a_command_shows_no_emotion():
    decision = decide(read("/human", emotion=("anger", 0.99)), START, (), HIT_THRESHOLDS, RULES)
    assert (decision.kind, decision.emotion) == (K.HANDOVER, "")


def test_an_entry_in_another_language_answers_where_none_in_the_own_is_near():
    hits = (found("c", 0.9), found("a", 0.01))
    assert decide(read("wifi?", oos=0.01), START, hits, HIT_THRESHOLDS, RULES).faq == "c"
    near = (found("c", 0.9), found("a", 0.4))
    assert decide(read("wifi?", oos=0.01), START, near, HIT_THRESHOLDS, RULES).faq != "c"


def test_invisible_characters_say_nothing():
    decision = decide(read("", ("affirm", 0.99)), CONFIRMED, (), HIT_THRESHOLDS, RULES, said="\u200b")
    assert decision.template == "empty"


DOUBTFUL = ("something about it", ("invoice", 0.3), ("gift_card", 0.25), ("jobs", 0.2))


def turns(*readings: Understanding, before: Conversation = START) -> list[Decision]:
    decisions = []
    for reading in readings:
        decisions.append(decide(reading, before, (), HIT_THRESHOLDS, RULES))
        before = next_state(before, reading, decisions[-1], RULES)
    return decisions


def test_asking_back_offers_a_person_and_then_brings_one():
    first, second, third = turns(*[read(*DOUBTFUL)] * 3)
    assert (first.template, first.options) == ("clarify", ("intent:invoice", "intent:gift_card", "intent:jobs"))
    assert (second.template, second.options) == ("clarify_again", ("intent:invoice", "intent:gift_card", "human:"))
    assert (third.kind, third.template) == (K.HANDOVER, "handover")
    assert third.escalate.startswith("asked back 2 times")


def test_an_answer_in_between_makes_asking_back_new():
    answered = read("invoice please", ("invoice", 0.95), ("jobs", 0.01))
    decisions = turns(read(*DOUBTFUL), read(*DOUBTFUL), answered, read(*DOUBTFUL))
    assert decisions[-1].template == "clarify"


def test_none_of_the_offered_options_is_no_to_a_person():
    now = replace(START, options=("intent:invoice", "human:"))
    assert decide(read("no"), now, (), HIT_THRESHOLDS, RULES).miss


def test_who_waits_already_is_offered_no_person():
    decisions = turns(*[read(*DOUBTFUL)] * 3, before=WAITING)
    assert [decision.template for decision in decisions] == ["clarify", "clarify", "handover_waiting"]
    assert decisions[-1].escalate == ""


def test_a_bad_mood_makes_a_handover_for_want_of_an_answer_more_urgent():
    before = replace(START, misses=1)
    decision = decide(read("eh", oos=0.99, emotion=("disappointment", 0.7)), before, (), HIT_THRESHOLDS, RULES)
    assert (decision.kind, decision.miss, decision.priority) == (K.HANDOVER, True, Priority.HIGH)


ADDRESS = FormState("address", {"order_number": "FD20481937"}, "new_address", 0, "change_address")
WISH = FormState("problem", {"order_number": "FD20481937"}, "wish", 0, "damaged_item")
HAS_ADDRESS = FormState(
    "address", {"order_number": "FD20481937", "new_address": "Lark Road 1"}, "confirm", 0, "change_address"
)
NEW = {"order_number": "FD22222222"}
CORRECTIONS = {
    "a number after no, a text asked": (ADDRESS, "no, the order number is FD22222222", "new_address", NEW),
    "in Chinese": (ADDRESS, "不对，订单号是FD22222222", "new_address", NEW),
    "a number alone": (ADDRESS, "FD22222222", "new_address", NEW),
    "a number by its name": (ADDRESS, "Sorry, my order number is FD22222222.", "new_address", NEW),
    "in Chinese, by its name": (ADDRESS, "订单号应该是 FD22222222", "new_address", NEW),
    "a choice asked": (WISH, "no, the order number is FD22222222", "wish", NEW),
    "the other order": (ADDRESS, "no, the other order", "order_number", {}),
    "the other order, in Chinese": (WISH, "不对，是另一个订单", "order_number", {}),
    "the other order, at the confirmation": (
        HAS_ADDRESS,
        "no, the other order",
        "order_number",
        {"new_address": "Lark Road 1"},
    ),
    "an address with a number in it": (
        ADDRESS,
        "Lark Road 7, next to the depot of FD22222222",
        "confirm",
        {"order_number": "FD20481937", "new_address": "Lark Road 7, next to the depot of FD22222222"},
    ),
}


@pytest.mark.parametrize(("state", "text", "asks", "slots"), CORRECTIONS.values(), ids=CORRECTIONS)
def test_what_was_given_before_is_corrected_within_a_form(state, text, asks, slots):
    lang = "zh" if any(letter > "\u3400" for letter in text) else "en"
    for intents in ((), (("order_status", 0.9), ("invoice", 0.01))):
        decision = decide(read(text, *intents, lang=lang), replace(START, form=state), (), HIT_THRESHOLDS, RULES)
        assert decision.form_state is not None, decision.reason
        assert (decision.form_state.asking, decision.form_state.slots) == (asks, slots)


AGAIN = {
    "and": ("And FD20481938?", "order_status", "order_status"),
    "a correction once it is done": ("no, the order number is FD20481938", "order_status", "order_status"),
    "a chinese correction once it is done": ("不对，订单号是FD20481938", "order_status", "order_status"),
    "what about": ("what about my other order, FD20481938", "order_status", "order_status"),
    "a number alone": ("FD20481938", "order_cancel", "order_cancel"),
    "in Chinese": ("那FD20481938呢？", "order_status", "order_status"),
    "also in Chinese": ("还有订单 FD20481938", "order_status", "order_status"),
    "words of its own": ("please ship FD20481938 tomorrow", "order_status", ""),
    "another wish": ("cancel FD20481938", "order_status", ""),
    "no value": ("and?", "order_status", ""),
    "after an answer without a form": ("And FD20481938?", "invoice", ""),
    "after a form that asks no confirmation": ("ann@lark.example", "wholesale", ""),
    "after nothing": ("And FD20481938?", "", ""),
}


@pytest.mark.parametrize(("text", "last", "intent"), AGAIN.values(), ids=AGAIN)
def test_a_mere_value_asks_the_last_question_again(text, last, intent):
    lang = "zh" if any(letter > "\u3400" for letter in text) else "en"
    read_as = (("deny", 0.9), ("invoice", 0.01)) if text.startswith(("no,", "不对")) else ()
    decision = decide(read(text, *read_as, lang=lang), replace(START, last_intent=last), (), HIT_THRESHOLDS, RULES)
    assert decision.intent == intent, decision.reason
    if intent:
        assert (decision.template, decision.slots) == ("confirm_order", {"order_number": "FD20481938"})


GROUP_CHAT = replace(START, id="telegram:-5")


@pytest.mark.parametrize("status", [Status.BOT, Status.AGENT])
@pytest.mark.parametrize(("text", "kind"), [("/export", C.TEXT), ("/delete@shop_bot", C.TEXT), ("erase:", C.BUTTON)])
def test_in_a_group_nobody_gets_or_removes_everybodys_data(text, kind, status):
    decision = decide(read(text), replace(GROUP_CHAT, status=status), (), HIT_THRESHOLDS, RULES, kind)
    assert (decision.template, decision.personal) == ("ask_privately", "")
    alone = replace(START, id="telegram:5", status=status)
    assert decide(read(text), alone, (), HIT_THRESHOLDS, RULES, kind).template != "ask_privately"


def test_in_a_group_the_notice_on_privacy_is_given():
    assert decide(read("/privacy"), GROUP_CHAT, (), HIT_THRESHOLDS, RULES).template == "privacy"
