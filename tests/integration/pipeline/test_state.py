"""What a conversation is after outages, pauses, agents and erasure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.dialogue.marks import mark_of_options
from bot.domain.conversation import Conversation
from bot.domain.messages import ContentKind, IncomingMessage
from bot.errors import StateUnavailableError
from tests.integration.pipeline.house import MEI, House


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


def test_a_customer_has_everything_removed_and_is_told_so(house: House) -> None:
    house.intake.answer(house.says("#greeting", 1))
    asked = house.intake.answer(house.says("/delete", 2))
    assert [button["value"] for button in asked["replies"][0]["buttons"]] == ["erase:", f"no:{mark_of_options(())}"]
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


def test_a_block_outlasts_the_pause_after_which_all_else_is_forgotten(house: House) -> None:
    house.intake.answer(house.says("#greeting", 1))
    house.log.store_state(Conversation("api-1", turns=1, blocked=True))
    house.clock.time += timedelta(hours=2)
    assert house.intake.answer(house.says("#greeting", 2))["decision"]["kind"] == "silent"
    assert house.intake.answer(house.says("#greeting", 3))["decision"]["kind"] == "silent"
