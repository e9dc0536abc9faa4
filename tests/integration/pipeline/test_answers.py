"""What the pipeline makes of a message: several questions, voice, follow-ups, rewording, announcements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.bot_files import BotFiles
from bot.dialogue.engine import Engine
from bot.dialogue.hearing import Hearing
from bot.dialogue.rewriting import Rewriting
from bot.domain.conversation import Conversation
from bot.domain.messages import Attachment, ContentKind
from bot.domain.records import TurnRecord
from bot.domain.rules import ActionSpec, Announcement, DeskRules, Priority
from bot.errors import UnavailableError
from bot.pipeline import Pipeline
from nlu.patterns import find_patterns
from nlu.text import normalise
from nlu.types import Distribution, Score, Understanding
from retrieval.types import Hit
from tests.integration.pipeline.house import ENTRY, LONG, LONG_ID, SILK, House, Reader, Search


class Ear:
    """Hears what it is told to hear; an error is raised."""

    def __init__(self, words: str | Exception) -> None:
        self.words = words

    def fetch(self, media: str) -> Attachment:
        return Attachment("voice.ogg", media.encode())

    def transcribe(self, recording: Attachment, lang: str | None) -> str:
        if isinstance(self.words, Exception):
            raise self.words
        return self.words


@pytest.mark.parametrize(
    ("words", "kept", "template"),
    [("#greeting", "#greeting", "greeting"), (UnavailableError("no answer"), "", "got_voice"), ("", "", "got_voice")],
    ids=["heard", "unheard", "silence"],
)
def test_a_voice_message_is_answered_by_its_words(
    house: House, files: BotFiles, words: str | Exception, kept: str, template: str
) -> None:
    engine = Engine(Reader(), Search(), {ENTRY.id: ENTRY})
    ear = Ear(words)
    pipeline = Pipeline(
        lambda: engine,
        house.log,
        house.state,
        files.rules,
        files.templates,
        house.clock,
        hearing=Hearing(ear, ear),
    )
    house.log.accept(replace(house.says(""), kind=ContentKind.VOICE, media="f1"))
    message = house.log.next_pending("api-1")
    assert message is not None
    document = pipeline.handle(message)
    assert document["decision"]["template"] == template
    (turn,) = house.log.turns("api-1")
    assert (turn.kind, turn.text, turn.media) == ("voice", kept, "f1")


def test_a_message_with_two_questions_gets_both_answers(house: House) -> None:
    document = house.intake.answer(house.says("#delivery_time please? #payment_methods too?"))
    assert len(document["replies"]) == 2
    assert document["replies"][0]["text"] != document["replies"][1]["text"]
    assert document["decision"]["intent"] == "delivery_time"
    assert [each["intent"] for each in document["decision"]["also"]] == ["payment_methods"]
    assert [len(turn.replies) for turn in house.log.turns("api-1")] == [2]


@pytest.mark.parametrize(
    ("confidence", "text", "also"),
    [
        (0.995, "how long #delivery_time please and can i #payment_methods too", ["payment_methods"]),
        (0.995, "要多久 #delivery_time 到货，可以用 #payment_methods 吗", ["payment_methods"]),
        (0.9, "how long #delivery_time please and can i #payment_methods too", []),
        (0.995, "how long #delivery_time please and can i #payment_methods it", []),
        (0.995, "how long #delivery_time please and how long #delivery_time then", []),
    ],
    ids=["sure", "chinese", "unsure", "leaning", "the same"],
)
def test_questions_without_marks_get_both_answers_where_each_is_sure(
    house: House, monkeypatch: pytest.MonkeyPatch, confidence: float, text: str, also: list[str]
) -> None:
    monkeypatch.setattr(Reader, "confidence", confidence)
    document = house.intake.answer(house.says(text))
    assert document["decision"]["intent"] == "delivery_time"
    assert [each["intent"] for each in document["decision"]["also"]] == also


def test_a_message_with_one_unknown_question_is_answered_as_a_whole(house: House) -> None:
    document = house.intake.answer(house.says("#delivery_time please? #oos too?"))
    assert len(document["replies"]) == 1
    assert document["decision"]["also"] == []


def test_an_faq_answer_offers_what_others_asked_and_what_is_alike(house: House) -> None:
    first = house.intake.answer(house.says("faq:wool.en", 1))
    assert first["decision"]["related"] == ["silk.en"]
    assert [button["value"] for button in first["replies"][0]["buttons"]] == ["faq:silk.en"]
    for conversation in ("api-2", "api-3"):
        house.intake.answer(house.says("faq:wool.en", 1, conversation))
        house.intake.answer(house.says("faq:iron.en", 2, conversation))
    again = house.intake.answer(house.says("faq:wool.en", 2))
    assert again["decision"]["related"] == ["iron.en", "silk.en"]


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every text is near enough to the entry about wool to offer it, and not to be answered by it."""
    monkeypatch.setattr(Search, "search", lambda *_, **__: [Hit(ENTRY, ENTRY.question, 0.4, 0.4)])


class UpsetReader(Reader):
    def _read(self, text: str, lang: str | None) -> Understanding:
        calm = super()._read(text, lang)
        return replace(calm, heads={**calm.heads, "emotion": Distribution((Score("disappointment", 0.7),))})


@pytest.mark.usefixtures("near")
@pytest.mark.parametrize("certain", [True, False], ids=["entry", "template"])
@pytest.mark.parametrize("upset", [True, False], ids=["upset", "calm"])
def test_who_is_upset_gets_an_answer_without_anything_beside_it(
    house: House, files: BotFiles, certain: bool, upset: bool
) -> None:
    reader, search = (UpsetReader() if upset else Reader()), (Shelf() if certain else Search())
    engine = Engine(reader, search, {entry.id: entry for entry in (ENTRY, SILK)})
    pipeline = Pipeline(lambda: engine, house.log, house.state, files.rules, files.templates, house.clock)
    message = house.says("How do I wash wool? #product_details")
    house.log.accept(message)
    decision = pipeline.handle(message)["decision"]
    assert decision["faq"] == (ENTRY.id if certain else "")
    assert decision["related"] == ([] if upset else [SILK.id if certain else ENTRY.id])


@pytest.mark.usefixtures("near")
def test_what_is_said_in_general_offers_the_entry_that_may_have_been_meant(house: House) -> None:
    general = house.intake.answer(house.says("#product_details"))
    assert general["decision"]["kind"] == "template"
    assert [button["value"] for button in general["replies"][0]["buttons"]] == [f"faq:{ENTRY.id}"]
    special = house.intake.answer(house.says(f"faq:{ENTRY.id}", 2))
    assert special["replies"][0]["text"] == ENTRY.answer


@pytest.mark.usefixtures("near")
def test_a_form_offers_the_entry_with_its_first_question_alone(house: House) -> None:
    asked = house.intake.answer(house.says("#order_status"))
    assert (asked["decision"]["kind"], asked["decision"]["related"]) == ("form", [ENTRY.id])
    answered = house.intake.answer(house.says(f"faq:{ENTRY.id}", 2))
    told, asked_again = (reply["text"] for reply in answered["replies"])
    assert told == ENTRY.answer
    assert "order number" in asked_again
    filled = house.intake.answer(house.says("FD20481937", 3))
    assert filled["decision"]["related"] == []


@pytest.mark.usefixtures("near")
def test_what_is_no_answer_offers_nothing_beside_it(house: House) -> None:
    for number, text in enumerate(("#greeting", "#human_agent", "#oos")):
        document = house.intake.answer(house.says(text, 1, f"api-{number}"))
        assert document["decision"]["related"] == []


def test_of_a_long_answer_some_is_said_first_and_all_on_demand(house: House) -> None:
    first = house.intake.answer(house.says("faq:long.en", 1))
    (reply,) = first["replies"]
    assert reply["text"].startswith("Sentence 0 about ships.")
    assert len(reply["text"]) < 300
    assert reply["buttons"][0] == {"label": "Read all", "value": "more:long.en"}
    whole = house.intake.answer(house.says("more:long.en", 2))
    assert whole["replies"][0]["text"] == LONG.answer
    assert [button["value"] for button in whole["replies"][0]["buttons"]] == ["faq:silk.en", "faq:wool.en"]


def test_an_entry_with_an_id_too_long_for_a_button_is_shown_whole_on_a_tap(house: House) -> None:
    first = house.intake.answer(house.says(f"faq:{LONG_ID.id}", 1))
    button = first["replies"][0]["buttons"][0]
    assert len(button["value"].encode()) <= 64
    tapped = replace(house.says(button["value"], 2), kind=ContentKind.BUTTON)
    whole = house.intake.answer(tapped)
    assert whole["replies"][0]["text"] == LONG_ID.answer
    assert whole["decision"]["faq"] == LONG_ID.id


class Parrot:
    """A language model that says what it is told to."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[str] = []

    def rewrite(self, question: str, answer: str, lang: str) -> str:
        self.asked.append(question)
        return self.text


class Sure(Search):
    """Finds the wool entry, certainly."""

    def search(self, vector: object, top: int = 3, lang: str | None = None, text: str = "") -> list[Hit]:
        return [Hit(ENTRY, ENTRY.question, 0.99, 0.99)]


@pytest.mark.parametrize(
    ("model", "said", "outcome"),
    [
        ("You do it by hand.", "You do it by hand.", "used"),
        ("Wash by hand.", "By hand.", "refused: 'wash' is from the question, not from the answer"),
        ("Wash at 90 degrees.", "By hand.", "refused: the number 90 is not in the answer"),
    ],
)
def test_an_answer_is_reworded_only_as_far_as_it_is_true(
    house: House, files: BotFiles, model: str, said: str, outcome: str
) -> None:
    engine = Engine(Reader(), Sure(), {ENTRY.id: ENTRY})
    pipeline = Pipeline(
        lambda: engine,
        house.log,
        house.state,
        files.rules,
        files.templates,
        house.clock,
        rewriting=Rewriting(Parrot(model)),
    )
    document = pipeline.handle(house.says("How do I wash it? #oos"))
    assert document["decision"]["rewriting"] == outcome
    assert document["replies"][0]["text"] == said
    offered = [button["value"] for button in document["replies"][0]["buttons"]]
    assert ("more:wool.en" in offered) == (outcome == "used")


class Normalising(Reader):
    """Reads the normalised text with its patterns, as a release does."""

    def _read(self, text: str, lang: str | None) -> Understanding:
        clean = normalise(text)
        found = find_patterns(clean, "en", date(2026, 3, 1))
        return replace(super()._read(clean, lang), entities=tuple(found), given=text)


def test_the_document_says_where_entities_stand_in_the_message(house: House, files: BotFiles) -> None:
    engine, text = Engine(Normalising(), Search(), {ENTRY.id: ENTRY}), "Hi\n\n\n\nwhere is FD20481937? #oos"
    pipeline = Pipeline(lambda: engine, house.log, house.state, files.rules, files.templates, house.clock)
    (entity,) = pipeline.handle(house.says(text))["understanding"]["entities"]
    assert text[entity["start"] : entity["end"]] == entity["text"] == "FD20481937"


def test_the_endpoint_that_rewords_sees_no_personal_data(house: House, files: BotFiles) -> None:
    engine, parrot = Engine(Normalising(), Sure(), {ENTRY.id: ENTRY}), Parrot("Wash by hand.")
    pipeline = Pipeline(
        lambda: engine, house.log, house.state, files.rules, files.templates, house.clock, rewriting=Rewriting(parrot)
    )
    pipeline.handle(house.says("Hello,\n\n\n\n\nmy number is +1 415 555 2671, how do I wash it? #oos"))
    assert parrot.asked == ["Hello, my number is [phone], how do I wash it? #oos"]


def test_an_announcement_is_made_once(house: House, files: BotFiles) -> None:
    now = house.clock.now()
    late = Announcement(now, now + timedelta(days=2), {"en": "Parcels are late today.", "zh": "今天包裹会晚到。"})
    engine = Engine(Reader(), Search(), {ENTRY.id: ENTRY})
    rules = replace(files.rules, announcements=(late,))
    pipeline = Pipeline(lambda: engine, house.log, house.state, rules, files.templates, house.clock)
    first, second = (pipeline.handle(house.says("#greeting", number)) for number in (1, 2))
    assert first["replies"][0]["text"] == "Parcels are late today."
    assert len(first["replies"]) == len(second["replies"]) + 1
    house.clock.time += timedelta(hours=30)
    house.state.forget("api-1")
    third = pipeline.handle(house.says("#greeting", 3))
    assert len(third["replies"]) == len(second["replies"])


@pytest.mark.parametrize(("conversation", "lang"), [("telegram:9", "zh"), ("web:9", "zh"), ("api-9", "en")])
def test_a_chosen_language_lasts_but_for_callers_who_name_another(house: House, conversation: str, lang: str) -> None:
    chosen = replace(house.says("lang:zh", 1, conversation), kind=ContentKind.BUTTON)
    house.intake.answer(chosen)
    helped = house.intake.answer(replace(house.says("/help", 2, conversation), lang="en"))
    assert helped["replies"][0]["lang"] == lang


class CancellingShop:
    """The company's API: counts what it is asked to do."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def call(self, action: ActionSpec, slots: Mapping[str, str], once: str) -> dict[str, str]:
        self.calls.append(once)
        return {"state": "cancelled", "day": "Monday"}


def test_an_edited_confirmation_does_not_cancel_twice(house: House, files: BotFiles) -> None:
    shop = CancellingShop()
    pipeline = Pipeline(
        house.pipeline._engine, house.log, house.state, files.rules, files.templates, house.clock, actions=shop
    )
    for number, (text, kind) in enumerate(
        [("#order_cancel FD20481937", ContentKind.TEXT), ("yes", ContentKind.TEXT), ("Yes", ContentKind.EDITED)], 1
    ):
        message = replace(house.says(text, conversation="telegram:1"), id=f"u{number}/{min(number, 2)}", kind=kind)
        house.log.accept(message)
        pipeline.handle(message)
    assert len(shop.calls) == 1


class Shelf(Search):
    """Finds wool by itself, and silk only where wool was asked for before."""

    def search(self, vector: object, top: int = 3, lang: str | None = None, text: str = "") -> list[Hit]:
        if "silk" not in text:
            return [Hit(ENTRY, ENTRY.question, 0.9, 0.9)]
        score = 0.5 if "wool" in text else 0.2
        return [Hit(SILK, SILK.question, score, score), Hit(ENTRY, ENTRY.question, 0.3, 0.3)]


def test_a_message_that_leans_on_the_last_question_is_read_with_it(house: House, files: BotFiles) -> None:
    engine = Engine(Reader(), Shelf(), {entry.id: entry for entry in (ENTRY, SILK)})
    pipeline = Pipeline(lambda: engine, house.log, house.state, files.rules, files.templates, house.clock)

    def decides(text: str, number: int, conversation: str) -> dict[str, Any]:
        message = house.says(text, number, conversation)
        house.log.accept(message)
        decision: dict[str, Any] = pipeline.handle(message)["decision"]
        return decision

    assert decides("How do I wash wool? #product_details", 1, "api-7")["faq"] == ENTRY.id
    followed = decides("And silk? #product_details", 2, "api-7")
    assert (followed["kind"], followed["faq"]) == ("faq", SILK.id)
    assert decides("And silk? #product_details", 1, "api-8")["kind"] == "template"


def test_an_edit_and_a_caption_lean_on_the_last_question_too(house: House, files: BotFiles) -> None:
    engine = Engine(Reader(), Shelf(), {entry.id: entry for entry in (ENTRY, SILK)})
    pipeline = Pipeline(lambda: engine, house.log, house.state, files.rules, files.templates, house.clock)
    answered = []
    for number, text, kind in [
        (1, "How do I wash wool? #product_details", ContentKind.TEXT),
        (2, "And sikl? #product_details", ContentKind.TEXT),
        (2, "And silk? #product_details", ContentKind.EDITED),
        (3, "How do I wash wool? #product_details", ContentKind.TEXT),
        (4, "And silk? #product_details", ContentKind.PHOTO),
    ]:
        message = replace(house.says(text, conversation="telegram:7"), id=f"u{len(answered)}/{number}", kind=kind)
        house.log.accept(message)
        answered.append(pipeline.handle(message)["decision"]["faq"])
    assert answered[2] == answered[4] == SILK.id


def test_what_the_question_before_explains_is_not_given_up(house: House, files: BotFiles) -> None:
    engine = Engine(Reader(), Shelf(), {entry.id: entry for entry in (ENTRY, SILK)})
    pipeline = Pipeline(lambda: engine, house.log, house.state, files.rules, files.templates, house.clock)
    for conversation, asked in (("api-7", "How do I wash wool?"), ("api-8", "")):
        house.log.accept(house.says("hi", 0, conversation))
        house.log.record_turn(
            TurnRecord(
                house.says("hi", 0, conversation),
                house.clock.now(),
                (),
                {},
                Conversation(conversation, asked_back=2, asked=asked, told=(ENTRY.id,), turns=1),
            )
        )
    decisions = []
    for conversation in ("api-7", "api-8"):
        message = house.says("And silk?", 1, conversation)
        house.log.accept(message)
        decisions.append(pipeline.handle(message)["decision"])
    assert (decisions[0]["faq"], decisions[0]["escalate"]) == (SILK.id, "")
    assert decisions[1]["kind"] == "handover"


class CertainReader(Reader):
    confidence = 0.995


@pytest.mark.parametrize(("reader", "kind"), [(Reader(), "faq"), (CertainReader(), "form")], ids=["likely", "certain"])
def test_a_wish_that_is_next_to_certain_is_no_follow_up(
    house: House, files: BotFiles, reader: Reader, kind: str
) -> None:
    engine = Engine(reader, Shelf(), {entry.id: entry for entry in (ENTRY, SILK)})
    pipeline = Pipeline(lambda: engine, house.log, house.state, files.rules, files.templates, house.clock)
    for number, text in enumerate(["How do I wash wool? #product_details", "And where is the silk? #order_status"]):
        message = house.says(text, number, "api-7")
        house.log.accept(message)
        decision = pipeline.handle(message)["decision"]
    assert decision["kind"] == kind


class CountingReader(Reader):
    """Notes what it reads."""

    def __init__(self, confidence: float) -> None:
        self.confidence = confidence
        self.seen: list[str] = []

    def understand(self, texts: Sequence[str], langs: Sequence[str | None] | None = None) -> list[Understanding]:
        self.seen.extend(texts)
        return super().understand(texts, langs)


@pytest.mark.parametrize(("confidence", "readings"), [(0.95, 2), (0.995, 1)], ids=["likely", "certain"])
@pytest.mark.parametrize("question", ["Any silk cards?", "And silk cards?"], ids=["by itself", "leaning"])
def test_a_short_question_that_is_next_to_certain_is_read_once_unless_it_leans(
    house: House, files: BotFiles, confidence: float, readings: int, question: str
) -> None:
    reader = CountingReader(confidence)
    engine = Engine(reader, Shelf(), {entry.id: entry for entry in (ENTRY, SILK)})
    pipeline = Pipeline(lambda: engine, house.log, house.state, files.rules, files.templates, house.clock)
    for number, text in enumerate(["How do I wash wool? #product_details", f"{question} #gift_card"]):
        message = house.says(text, number, "api-7")
        house.log.accept(message)
        reader.seen.clear()
        decision = pipeline.handle(message)["decision"]
    assert len(reader.seen) == (2 if question.startswith("And ") else readings)
    if len(reader.seen) == 1:
        assert (decision["kind"], decision["intent"]) == ("template", "gift_card")


@pytest.mark.parametrize(("hour", "told"), [(9, False), (2, True)], ids=["in the hours", "at night"])
def test_at_night_a_handover_says_when_people_are_back(house: House, hour: int, told: bool) -> None:
    house.clock.time = house.clock.time.replace(hour=hour)
    (reply,) = house.intake.answer(house.says("/human"))["replies"]
    assert ("today at 08:00" in reply["text"]) is told


@pytest.mark.parametrize(
    ("conversation", "priority"), [("api-1", Priority.NORMAL), ("api-vip", Priority.HIGH)], ids=["anybody", "tagged"]
)
def test_a_customer_with_a_tag_is_important(
    tmp_path: Path, files: BotFiles, conversation: str, priority: Priority
) -> None:
    desk = DeskRules(vip=frozenset({"api-vip"}))
    rules = replace(files.rules, escalation=replace(files.rules.escalation, desk=desk))
    house = House(tmp_path, replace(files, rules=rules))
    house.intake.answer(house.says("/human", conversation=conversation))
    (escalation,) = house.log.escalations("open")
    assert escalation.priority is priority
    house.close()
