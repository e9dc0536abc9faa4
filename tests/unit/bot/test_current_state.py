from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from bot.adapters.memory import MemoryState
from bot.current_state import current_state
from bot.domain.conversation import Conversation, FormState, Status
from bot.domain.log_ports import ConversationLog

CHAT = "web:anna"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
STORED = Conversation(
    CHAT, lang="en", turns=3, form=FormState("return"), moods=("anger",), vip=True, announced=("holiday",)
)
MARKED = replace(STORED, status=Status.AGENT, blocked=True)


@dataclass
class FakeLog:
    stored: tuple[Conversation, datetime] | None

    def snapshot(self, conversation: str) -> tuple[Conversation, datetime] | None:
        return self.stored


def loaded(live: Conversation | None, stored: Conversation | None, at: datetime = NOW) -> Conversation:
    state, log = MemoryState(), FakeLog(stored and (stored, at))
    if live is not None:
        state.save(live)
    return current_state(cast("ConversationLog", log), state, CHAT, NOW - DAY)


CASES = {
    "as new as the stored one": (replace(STORED, form=None), STORED, replace(STORED, form=None)),
    "lacks what an agent did": (STORED, MARKED, MARKED),
    "lacks a turn": (replace(STORED, turns=2, form=None), STORED, STORED),
    "left by an erased customer": (replace(STORED, turns=9), STORED, STORED),
    "lost": (None, STORED, STORED),
    "nothing is stored": (STORED, None, Conversation(CHAT)),
}


@pytest.mark.parametrize(("live", "stored", "expected"), CASES.values(), ids=CASES)
def test_the_stored_state_is_the_truth(
    live: Conversation | None, stored: Conversation | None, expected: Conversation
) -> None:
    assert loaded(live, stored) == expected


def test_what_an_erased_customer_left_is_dropped_before_it_can_be_taken_for_a_new_state() -> None:
    state = MemoryState()
    state.save(replace(STORED, turns=1))
    current_state(cast("ConversationLog", FakeLog(None)), state, CHAT, NOW - DAY)
    assert state.load(CHAT) is None


def test_a_long_pause_leaves_who_the_customer_is_and_what_was_announced() -> None:
    assert loaded(None, STORED, NOW - DAY) == STORED
    kept = Conversation(CHAT, lang="en", turns=3, vip=True, announced=("holiday",))
    assert loaded(None, STORED, NOW - DAY - timedelta(seconds=1)) == kept
