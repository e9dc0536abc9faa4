"""The pipeline and the intake over the real log, with a reader that is told what to read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from prometheus_client import REGISTRY
from sqlalchemy.exc import ProgrammingError

from bot.adapters.memory import MemoryState
from bot.adapters.sql_log import SqlLog, open_log
from bot.bot_files import BotFiles, load_bot_files
from bot.desk.handover import Desk
from bot.dialogue.engine import Engine
from bot.dialogue.hearing import Hearing
from bot.dialogue.rewriting import Rewriting
from bot.domain.conversation import Conversation
from bot.domain.messages import Attachment, ContentKind, IncomingMessage, Reply
from bot.domain.records import Agent
from bot.domain.rules import ActionSpec, Announcement, DeskRules, Priority
from bot.errors import LogUnavailableError, StateUnavailableError, UnavailableError
from bot.intake import MessageIntake
from bot.pipeline import Pipeline
from nlu.patterns import find_patterns
from nlu.text import normalise
from nlu.types import Distribution, Score, Understanding
from retrieval.types import FaqEntry, Hit, HitThresholds

MEI = Agent(1, "mei", "agent", "")
SHOP = Path(__file__).parents[2] / "examples" / "shop"
ENTRY = FaqEntry("wool.en", "How do I wash wool?", "By hand.", "en")
SILK = FaqEntry("silk.en", "How do I wash silk?", "Do not.", "en")
LONG = FaqEntry("long.en", "Tell me all", " ".join(f"Sentence {n} about ships." for n in range(40)), "en")
IRON = FaqEntry("iron.en", "How hot may the iron be?", "Warm.", "en")


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 9, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


class Reader:
    """Reads the intent that the text names, such as `#greeting`; `#boom` makes it fail."""

    release = "r1"
    confidence = 0.95

    def understand(self, texts: Sequence[str], langs: Sequence[str | None] | None = None) -> list[Understanding]:
        return [self._read(text, lang) for text, lang in zip(texts, langs or [None] * len(texts), strict=True)]

    def _read(self, text: str, lang: str | None) -> Understanding:
        if "#boom" in text:
            raise RuntimeError("the reader fell over")
        intent = text.partition("#")[2].split(" ")[0] or "oos"
        heads = {
            "intent": Distribution((Score(intent, self.confidence), Score("order_cancel", 0.01))),
            "emotion": Distribution((Score("neutral", 0.9),)),
        }
        oos = 1.0 if intent == "oos" else 0.0
        return Understanding(text, lang or "en", heads, (), oos, np.ones(2, dtype=np.float32), "r1")


class Search:
    thresholds = HitThresholds(0.7, 0.3)

    def search(self, vector: object, top: int = 3, lang: str | None = None, text: str = "") -> list[Hit]:
        return [Hit(ENTRY, ENTRY.question, 0.4, 0.1)]

    def related(self, entry_id: str, limit: int = 3) -> list[FaqEntry]:
        return [SILK, ENTRY]


class AwayState(MemoryState):
    """Working memory that can be switched off."""

    away = False
    deaf = False

    def lock(self, conversation: str, wait: float | None = None) -> AbstractContextManager[None]:
        if self.away:
            raise StateUnavailableError("Redis does not answer")
        return super().lock(conversation, wait)

    def save(self, state: Conversation) -> None:
        self._hear()
        super().save(state)

    def forget(self, conversation: str) -> None:
        self._hear()
        super().forget(conversation)

    def _hear(self) -> None:
        if self.deaf:
            raise StateUnavailableError("Redis does not answer")


@pytest.fixture(scope="module")
def files() -> BotFiles:
    return load_bot_files(SHOP)


class House:
    def __init__(self, folder: Path, files: BotFiles) -> None:
        self.clock = Clock()
        self.log: SqlLog = open_log(f"sqlite:///{folder / 'log.sqlite3'}", self.clock)
        self.state = AwayState()
        engine = Engine(Reader(), Search(), {entry.id: entry for entry in (ENTRY, SILK, IRON, LONG)})
        self.pipeline = Pipeline(
            lambda: engine, self.log, self.state, files.rules, files.templates, self.clock, state_ttl=3600
        )
        self.intake = MessageIntake(
            self.pipeline, self.log, self.state, lambda _: Reply("One moment.", "en"), workers=2
        )

    def says(self, text: str, number: int = 1, conversation: str = "api-1") -> IncomingMessage:
        return IncomingMessage(f"m{number}", conversation, text, self.clock.now())

    def desk(self) -> Desk:
        return Desk(log=self.log, state=self.state, clock=self.clock, texts=lambda key, lang: f"{key}/{lang}")

    def stored_state(self, conversation: str = "api-1") -> Conversation:
        snapshot = self.log.snapshot(conversation)
        assert snapshot is not None
        return snapshot[0]

    def close(self) -> None:
        self.intake.stop()
        self.state.close()
        self.log.close()


@pytest.fixture
def house(tmp_path: Path, files: BotFiles) -> Iterator[House]:
    made = House(tmp_path, files)
    yield made
    made.close()


def wait_until(happens: Any, seconds: float = 10.0) -> None:
    done = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if happens():
            return
        done.wait(0.05)
    pytest.fail("it did not happen in time")


def test_an_answer_is_stored_with_its_whole_trace(house: House) -> None:
    document = house.intake.answer(house.says("#greeting"))
    (turn,) = house.log.turns("api-1")
    assert document["decision"]["kind"] == "smalltalk"
    assert turn.document["understanding"]["intent"]["label"] == "greeting"
    assert turn.document["hits"][0]["id"] == ENTRY.id
    assert turn.document["release"] == "r1"
    assert [reply.text for reply in turn.replies] == [reply["text"] for reply in document["replies"]]


def test_the_same_id_gets_the_first_answer_again(house: House) -> None:
    first = house.intake.answer(house.says("#greeting"))
    second = house.intake.answer(house.says("#goodbye"))
    assert second["replies"] == first["replies"]
    assert len(house.log.turns("api-1")) == 1


def test_a_card_number_is_stored_by_nobody_and_the_customer_is_told(house: House) -> None:
    document = house.intake.answer(house.says("my card 4111 1111 1111 1111 was charged"))
    assert "hidden" in document["replies"][0]["text"]
    assert [turn.text for turn in house.log.turns("api-1")] == ["my card ••••1111 was charged"]


def test_an_edit_of_the_last_message_stands_for_it(house: House) -> None:
    first = house.says("no idea what", conversation="telegram:1")
    missed = house.intake.answer(replace(first, id="u1/1"))
    again = house.intake.answer(replace(first, id="u2/1", text="no idea what that is", kind=ContentKind.EDITED))
    other = house.intake.answer(replace(first, id="u3/2"))
    assert [document["decision"]["kind"] for document in (missed, again, other)] == ["clarify", "clarify", "handover"]


def test_messages_of_a_conversation_are_answered_in_order(house: House) -> None:
    for number in range(12):
        house.intake.accept(house.says(f"#greeting {number}", number))
    house.intake.start()
    wait_until(lambda: len(house.log.turns("api-1")) == 12)
    assert [turn.text for turn in house.log.turns("api-1")] == [f"#greeting {number}" for number in range(12)]


def test_what_a_dead_process_left_is_answered_by_the_next(house: House) -> None:
    house.log.accept(house.says("#greeting"))
    house.intake.start()
    wait_until(lambda: len(house.log.turns("api-1")) == 1)
    assert house.log.pending_conversations() == []


def test_while_redis_is_away_the_customer_hears_so_once_and_is_answered_later(house: House) -> None:
    house.state.away = True
    house.intake.start()
    house.intake.accept(house.says("#greeting", conversation="telegram:5"))
    wait_until(lambda: house.log.outgoing_since("telegram:5", 0))
    threading.Event().wait(1.5)
    assert [out.text for out in house.log.outgoing_since("telegram:5", 0)] == ["One moment."]
    house.state.away = False
    wait_until(lambda: len(house.log.turns("telegram:5")) == 1)
    assert len(house.log.outgoing_since("telegram:5", 0)) == 2


def test_a_caller_who_waits_is_told_that_redis_is_away(house: House) -> None:
    house.state.away = True
    with pytest.raises(StateUnavailableError):
        house.intake.answer(house.says("#greeting"))
    house.state.away = False
    assert house.intake.answer(house.says("#greeting"))["decision"]["kind"] == "smalltalk"


def test_a_message_that_fails_again_and_again_goes_to_a_human_and_blocks_nothing(house: House) -> None:
    house.intake.accept(house.says("#boom", 1))
    house.intake.accept(house.says("#greeting", 2))
    house.intake.start()
    wait_until(lambda: len(house.log.turns("api-1")) == 2)
    first, second = house.log.turns("api-1")
    assert first.document["decision"]["kind"] == "handover"
    assert second.document["decision"]["kind"] == "smalltalk"
    assert [escalation.reason for escalation in house.log.escalations()] == ["a fault inside the bot"]


@contextmanager
def slow_turn(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One worker is busy with a message of `telegram:slow`."""
    begun, go_on, handle = threading.Event(), threading.Event(), house.pipeline.handle

    def slowly(message: IncomingMessage) -> dict[str, Any]:
        if message.conversation == "telegram:slow":
            begun.set()
            go_on.wait(20)
        return handle(message)

    monkeypatch.setattr(house.pipeline, "handle", slowly)
    house.intake.start()
    house.intake.accept(house.says("#greeting", conversation="telegram:slow"))
    assert begun.wait(5)
    try:
        yield
    finally:
        go_on.set()


@contextmanager
def locked_elsewhere(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another process holds `telegram:slow`, which has a message."""
    with house.state.lock("telegram:slow"):
        house.intake.start()
        house.intake.accept(house.says("#greeting", conversation="telegram:slow"))
        yield


busy_somewhere = pytest.mark.parametrize("busy", [slow_turn, locked_elsewhere])
Busy = Callable[[House, pytest.MonkeyPatch], AbstractContextManager[None]]


@busy_somewhere
def test_a_conversation_that_is_busy_holds_up_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch, busy: Busy
) -> None:
    with busy(house, monkeypatch):
        threading.Event().wait(2.5)
        house.intake.accept(house.says("#greeting", conversation="telegram:quick"))
        wait_until(lambda: house.log.turns("telegram:quick"), seconds=3)
        house.intake.accept(house.says("#goodbye", 2, "telegram:slow"))
    wait_until(lambda: len(house.log.turns("telegram:slow")) == 2)
    assert house.log.outgoing_since("telegram:slow", 0)[0].author == "bot"


@busy_somewhere
def test_who_waits_for_long_hears_so_once(house: House, monkeypatch: pytest.MonkeyPatch, busy: Busy) -> None:
    monkeypatch.setattr("bot.intake._LATE_SECONDS", 1.5)
    with busy(house, monkeypatch):
        wait_until(lambda: house.log.outgoing_since("telegram:slow", 0))
        threading.Event().wait(2.5)
    wait_until(lambda: house.log.turns("telegram:slow"))
    assert [out.author for out in house.log.outgoing_since("telegram:slow", 0)] == ["system", "bot"]


def test_a_caller_waits_for_an_answer_that_is_under_way(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadPoolExecutor(1) as pool:
        with slow_turn(house, monkeypatch):
            again = pool.submit(house.intake.answer, house.says("#greeting", conversation="telegram:slow"))
            threading.Event().wait(1.5)
        assert again.result(10)["decision"]["kind"] == "smalltalk"


@pytest.mark.parametrize("method", ["next_pending", "pending_conversations", "record_turn"])
def test_an_error_that_nobody_expects_ends_no_thread(
    house: House, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    work, failed = getattr(house.log, method), []

    def fail_at_first(*arguments: Any) -> Any:
        if len(failed) < 2:
            failed.append(method)
            raise ProgrammingError("SELECT", {}, Exception('relation "message" does not exist'))
        return work(*arguments)

    monkeypatch.setattr(house.log, method, fail_at_first)
    house.intake.start()
    house.intake.accept(house.says("#greeting"))
    wait_until(lambda: len(house.log.turns("api-1")) == 1)
    house.log.accept(house.says("#goodbye", 2))
    wait_until(lambda: len(house.log.turns("api-1")) == 2)
    assert all(thread.is_alive() for thread in house.intake._threads)


def test_whatever_callers_call_their_conversations_metrics_know_three_channels(house: House) -> None:
    for conversation in ("telegram:1", "web:1", "api-1", "anna:7", "customer-1:order"):
        house.intake.answer(house.says("#greeting", conversation=conversation))
    samples = [sample for metric in REGISTRY.collect() for sample in metric.samples]
    assert {sample.labels["channel"] for sample in samples if "channel" in sample.labels} <= {"telegram", "web", "api"}


def test_without_a_release_the_message_waits(house: House, files: BotFiles) -> None:
    def nothing() -> Engine:
        raise UnavailableError("No release is ready.")

    pipeline = Pipeline(nothing, house.log, house.state, files.rules, files.templates, house.clock)
    house.log.accept(house.says("#greeting"))
    with pytest.raises(UnavailableError, match="No release"):
        pipeline.handle(house.says("#greeting"))
    assert house.log.pending_conversations() == ["api-1"]


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


def test_a_lost_live_state_is_rebuilt_from_the_log(house: House) -> None:
    house.intake.answer(house.says("#order_status", 1))
    kept = house.state.load("api-1")
    assert kept is not None
    assert kept.form is not None
    house.state.forget("api-1")
    document = house.intake.answer(house.says("FD20481937", 2))
    assert document["decision"]["kind"] == "form"
    assert "FD20481937" in document["replies"][0]["text"]


def test_a_live_state_older_than_the_log_is_not_believed(house: House) -> None:
    house.intake.answer(house.says("#order_status", 1))
    house.state.save(Conversation("api-1"))
    assert "FD20481937" in house.intake.answer(house.says("FD20481937", 2))["replies"][0]["text"]


def test_after_a_long_pause_the_conversation_starts_afresh(house: House) -> None:
    house.intake.answer(house.says("#order_status", 1))
    house.state.forget("api-1")
    house.clock.time += timedelta(hours=2)
    house.intake.answer(house.says("#greeting", 2))
    snapshot = house.log.snapshot("api-1")
    assert snapshot is not None
    assert snapshot[0].form is None
    assert snapshot[0].turns == 2


def test_what_an_agent_does_keeps_a_turn_that_redis_missed(house: House) -> None:
    desk = house.desk()
    house.intake.answer(house.says("#order_status", 1))
    house.state.deaf = True
    house.intake.answer(house.says("FD20481937", 2))
    house.state.deaf = False
    desk.make_important("api-1", MEI)
    state = house.stored_state()
    assert (state.turns, state.form and state.form.asking, state.vip) == (2, "confirm", True)


def test_an_act_that_redis_misses_is_not_half_done(house: House) -> None:
    desk = house.desk()
    house.intake.answer(house.says("#greeting", 1))
    house.state.deaf = True
    with pytest.raises(StateUnavailableError):
        desk.block("api-1", MEI)
    assert not house.stored_state().blocked
    house.state.deaf = False
    desk.block("api-1", MEI)
    desk.make_important("api-1", MEI)
    assert house.stored_state().blocked


def test_erased_data_stays_away_though_redis_missed_it(house: House) -> None:
    house.intake.answer(house.says("#order_status", 1))
    house.state.deaf = True
    house.intake.answer(replace(house.says("erase:", 2), kind=ContentKind.BUTTON))
    house.state.deaf = False
    house.desk().block("api-1", MEI)
    assert house.stored_state() == Conversation("api-1", blocked=True)


def test_a_message_with_two_questions_gets_both_answers(house: House) -> None:
    document = house.intake.answer(house.says("#delivery_time please? #payment_methods too?"))
    assert len(document["replies"]) == 2
    assert document["replies"][0]["text"] != document["replies"][1]["text"]
    assert document["decision"]["intent"] == "delivery_time"
    assert [each["intent"] for each in document["decision"]["also"]] == ["payment_methods"]
    assert [len(turn.replies) for turn in house.log.turns("api-1")] == [2]


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


def test_of_a_long_answer_some_is_said_first_and_all_on_demand(house: House) -> None:
    first = house.intake.answer(house.says("faq:long.en", 1))
    (reply,) = first["replies"]
    assert reply["text"].startswith("Sentence 0 about ships.")
    assert len(reply["text"]) < 300
    assert reply["buttons"][0] == {"label": "Read all", "value": "more:long.en"}
    whole = house.intake.answer(house.says("more:long.en", 2))
    assert whole["replies"][0]["text"] == LONG.answer
    assert [button["value"] for button in whole["replies"][0]["buttons"]] == ["faq:silk.en", "faq:wool.en"]


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
        ("Wash by hand.", "Wash by hand.", "used"),
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


def test_a_customer_has_everything_removed_and_is_told_so(house: House) -> None:
    house.intake.answer(house.says("#greeting", 1))
    asked = house.intake.answer(house.says("/delete", 2))
    assert [button["value"] for button in asked["replies"][0]["buttons"]] == ["erase:", "no:"]
    tap = IncomingMessage("m3", "api-1", "erase:", house.clock.now(), ContentKind.BUTTON)
    told = house.intake.answer(tap)
    assert "removed" in told["replies"][0]["text"]
    assert house.log.turns("api-1") == []
    assert [out.text for out in house.log.outgoing_since("api-1", 0)] == [told["replies"][0]["text"]]
    assert house.state.load("api-1") is None
    assert house.intake.answer(house.says("#greeting", 4))["decision"]["kind"] == "smalltalk"


def test_what_comes_after_the_wish_to_have_all_removed_is_answered(house: House) -> None:
    house.intake.answer(house.says("#greeting", 1))
    house.intake.accept(replace(house.says("erase:", 2), kind=ContentKind.BUTTON))
    for number, text in ((3, "#order_status"), (4, "FD20481937")):
        house.intake.accept(replace(house.says(text, number), customer="Anna"))
    house.intake.drain("api-1")
    assert [turn.text for turn in house.log.turns("api-1")] == ["#order_status", "FD20481937"]
    assert house.log.next_pending("api-1") is None
    removed, *_ = house.log.outgoing_since("api-1", 0)
    assert "removed" in removed.text
    head = house.log.conversation("api-1")
    assert head is not None
    assert head.customer == "Anna"
    assert house.intake.answer(house.says("#greeting", 3))["decision"]["intent"] == "order_status"


def test_who_writes_too_much_is_asked_once_to_slow_down(house: House, files: BotFiles) -> None:
    limit = files.rules.messages_a_minute
    kinds = [
        house.intake.answer(house.says("#greeting", n, "telegram:9"))["decision"]["kind"] for n in range(limit + 3)
    ]
    assert kinds == ["smalltalk"] * limit + ["template", "silent", "silent"]
    house.clock.time += timedelta(minutes=1)
    assert house.intake.answer(house.says("#greeting", 99, "telegram:9"))["decision"]["kind"] == "smalltalk"


def test_what_waited_for_an_outage_to_end_is_no_flood(house: House, files: BotFiles) -> None:
    limit = files.rules.messages_a_minute
    for number in range(2 * limit):
        house.intake.accept(house.says("#greeting", number, "telegram:9"))
        house.clock.time += timedelta(seconds=60 / limit)
    house.intake.drain("telegram:9")
    assert {turn.document["decision"]["kind"] for turn in house.log.turns("telegram:9")} == {"smalltalk"}


def test_tries_to_answer_one_message_are_no_flood(
    house: House, files: BotFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = house.says("#greeting", 1, "telegram:9")
    house.intake.accept(message)
    with monkeypatch.context() as broken:
        broken.setattr(house.log, "record_turn", _full)
        for _ in range(files.rules.messages_a_minute + 5):
            with pytest.raises(LogUnavailableError):
                house.pipeline.handle(message)
    assert house.pipeline.handle(message)["decision"]["kind"] == "smalltalk"


def _full(_: object) -> NoReturn:
    raise LogUnavailableError("the disk is full")


def test_a_blocked_customer_hears_nothing_of_floods_or_faults(house: House, files: BotFiles) -> None:
    house.intake.answer(house.says("#greeting", 0, "telegram:9"))
    house.log.store_state(Conversation("telegram:9", turns=1, blocked=True))
    for number in range(1, files.rules.messages_a_minute + 3):
        assert house.intake.answer(house.says("#greeting", number, "telegram:9"))["replies"] == []
    house.pipeline.give_up(house.says("#boom", 99, "telegram:9"))
    assert house.log.turns("telegram:9")[-1].document["replies"] == []
    assert house.log.escalations() == []


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


@pytest.mark.parametrize("conversation", ["api-1", "crm:42"])
def test_callers_of_the_api_keep_their_own_order(house: House, files: BotFiles, conversation: str) -> None:
    for number in range(files.rules.messages_a_minute + 2):
        message = house.says("#greeting", number, conversation)
        assert house.intake.answer(message)["decision"]["kind"] == "smalltalk"


def test_a_form_outlasts_a_flood(house: House, files: BotFiles) -> None:
    house.intake.answer(house.says("#order_status", 0, "telegram:9"))
    for number in range(1, files.rules.messages_a_minute + 5):
        house.intake.answer(house.says("/help", number, "telegram:9"))
    house.clock.time += timedelta(minutes=1)
    assert "FD20481937" in house.intake.answer(house.says("FD20481937", 99, "telegram:9"))["replies"][0]["text"]


def test_a_block_outlasts_the_pause_after_which_all_else_is_forgotten(house: House) -> None:
    house.intake.answer(house.says("#greeting", 1))
    house.log.store_state(Conversation("api-1", turns=1, blocked=True))
    house.clock.time += timedelta(hours=2)
    assert house.intake.answer(house.says("#greeting", 2))["decision"]["kind"] == "silent"
    assert house.intake.answer(house.says("#greeting", 3))["decision"]["kind"] == "silent"


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
