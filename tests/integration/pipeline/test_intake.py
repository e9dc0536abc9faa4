"""What becomes of a message until it is answered, whatever is away or breaks meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.exc import ProgrammingError

from bot.bot_files import BotFiles
from bot.dialogue.engine import Engine
from bot.domain.messages import ContentKind, IncomingMessage
from bot.errors import StateUnavailableError, UnavailableError
from bot.pipeline import Pipeline
from tests.integration.pipeline.house import ENTRY, House, wait_until


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


def test_the_channel_of_each_answered_message_is_told(house: House) -> None:
    told: list[str] = []
    house.intake.when_answered(told.append)
    house.intake.start()
    house.intake.accept(house.says("#greeting", conversation="telegram:5"))
    wait_until(lambda: len(told) == 1)
    house.intake.answer(house.says("#greeting"))
    assert told == ["telegram", "api"]


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
