"""What an edit of the last message undoes, and what it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.dialogue.corrections import after_turn, before_turn
from bot.domain.conversation import Conversation, FormState, Status
from bot.domain.messages import ContentKind, IncomingMessage

NOW = datetime(2026, 11, 27, tzinfo=UTC)
BEFORE = Conversation("telegram:7", form=FormState("order", asking="order_number"), misses=1, turns=4)
AFTER = replace(BEFORE, form=None, misses=2, turns=5, moods=("anger",))


def message(id_: str, kind: ContentKind = ContentKind.EDITED) -> IncomingMessage:
    return IncomingMessage(id_, "telegram:7", "FD20481937", NOW, kind)


def remembered() -> Conversation:
    after = after_turn(AFTER, BEFORE, message("u1/3", ContentKind.TEXT))
    return Conversation.from_json(after.to_json())


def test_an_edit_of_the_last_message_is_answered_from_where_that_was() -> None:
    assert before_turn(remembered(), message("u2/3")) == replace(BEFORE, turns=5)


def test_an_edit_can_be_edited_again() -> None:
    again = before_turn(remembered(), message("u2/3"))
    assert before_turn(after_turn(AFTER, again, message("u2/3")), message("u3/3")) == replace(BEFORE, turns=5)


@pytest.mark.parametrize(
    "other", [message("u2/4"), message("u2"), message("u2/3", ContentKind.TEXT)], ids=["older", "no-number", "new"]
)
def test_anything_else_goes_on_from_now(other: IncomingMessage) -> None:
    assert before_turn(remembered(), other) == remembered()


@pytest.mark.parametrize("status", [Status.WAITING, Status.AGENT])
def test_a_human_who_was_called_stays_called(status: Status) -> None:
    held = replace(remembered(), status=status)
    assert before_turn(held, message("u2/3")) == held


def test_a_block_outlives_an_edit() -> None:
    assert before_turn(replace(remembered(), blocked=True), message("u2/3")).blocked


def test_what_cannot_be_edited_remembers_nothing() -> None:
    after = after_turn(remembered(), AFTER, message("m1", ContentKind.TEXT))
    assert (after.answered, after.earlier) == ("", {})


def test_an_edit_does_not_undo_what_the_company_was_asked_to_do() -> None:
    acted = after_turn(AFTER, BEFORE, message("u1/3", ContentKind.TEXT), acted=True)
    assert before_turn(acted, message("u2/3")) == acted


def test_a_state_does_not_grow_with_every_turn() -> None:
    state = remembered()
    for number in range(5):
        state = after_turn(state, state, message(f"u{number}/{number}", ContentKind.TEXT))
    assert state.earlier["earlier"] == {}
