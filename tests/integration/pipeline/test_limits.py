"""Customers who write too much, or are blocked."""

from __future__ import annotations

from datetime import timedelta
from typing import NoReturn

import pytest

from bot.bot_files import BotFiles
from bot.domain.conversation import Conversation, Status
from bot.domain.rules import Priority
from bot.errors import LogUnavailableError
from tests.integration.pipeline.house import MEI, House
from tests.integration.sql_examples import agent


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


def test_a_flood_drowns_no_cry_for_help(house: House, files: BotFiles) -> None:
    limit = files.rules.messages_a_minute
    for number in range(limit + 2):
        house.intake.answer(house.says("#greeting", number, "telegram:9"))
    first, second = (house.intake.answer(house.says("I want to die", limit + n, "telegram:9")) for n in (2, 3))
    assert first["decision"]["template"] == "danger_to_self"
    assert second["decision"]["kind"] == "silent", "a flood of them is still a flood"
    assert house.log.escalations()[0].priority is Priority.URGENT


@pytest.mark.parametrize(
    ("text", "replies", "priority"),
    [("my lawyer will call", 0, Priority.HIGH), ("不想活了", 1, Priority.URGENT)],
    ids=["threat", "danger"],
)
def test_the_agent_who_holds_a_conversation_hears_of_alerts(
    house: House, text: str, replies: int, priority: Priority
) -> None:
    house.intake.answer(house.says("#greeting", 0, "telegram:9"))
    agent(house.log)
    house.desk().take("telegram:9", MEI)
    assert len(house.intake.answer(house.says(text, 1, "telegram:9"))["replies"]) == replies
    (escalation,) = house.log.escalations()
    assert (escalation.status, escalation.priority) == ("held", priority)
    assert house.stored_state("telegram:9").status is Status.AGENT
