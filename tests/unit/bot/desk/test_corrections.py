from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import pytest

from bot.desk.corrections import Corrections
from bot.domain.log_ports import ConversationLog
from bot.domain.ports import LiveState
from bot.domain.records import Agent, TurnView
from bot.errors import InputError

MEI = Agent(1, "mei", "agent", "")
TURN = TurnView(7, "web:anna", "m", datetime(2026, 3, 1, 12, tzinfo=UTC), "hi", "text", {}, ())


@dataclass
class FakeLog:
    """The log and the locks."""

    locked: list[str] = field(default_factory=list)
    fixed: list[tuple[int, str, str, int]] = field(default_factory=list)
    trail: list[tuple[str, str, str]] = field(default_factory=list)

    @contextmanager
    def lock(self, conversation: str) -> Iterator[None]:
        self.locked.append(conversation)
        yield
        self.locked.remove(conversation)

    def add_correction(self, turn_id: int, field: str, value: str, agent: int) -> int:
        assert self.locked == [TURN.conversation]
        self.fixed.append((turn_id, field, value, agent))
        return 1

    def audit(self, who: str, action: str, detail: str) -> None:
        self.trail.append((who, action, detail))


class FakeKnowledge:
    def labels(self, head: str) -> list[str]:
        return {"intent": ["refund", "track_order"], "emotion": ["anger", "joy"]}[head]

    def faq_entries(self) -> list[tuple[str, str]]:
        return [("ret-1", "How do I return an item?")]


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
def corrections(log: FakeLog) -> Corrections:
    return Corrections(cast("ConversationLog", log), cast("LiveState", log), FakeKnowledge())


def test_what_is_known_is_stored_and_audited(corrections: Corrections, log: FakeLog) -> None:
    corrections.correct(TURN, {"intent": "refund", "emotion": "joy", "faq": "ret-1"}, MEI)
    assert log.fixed == [(7, "intent", "refund", 1), (7, "emotion", "joy", 1), (7, "faq", "ret-1", 1)]
    assert log.trail[0] == ("mei", "correct", "web:anna: turn 7, intent = refund")
    assert len(log.trail) == 3


@pytest.mark.parametrize(
    ("field_", "value", "message"),
    [
        ("intent", "brand_new", "'brand_new' is not known"),
        ("emotion", "refund", "'refund' is not known"),
        ("faq", "", "'' is not known"),
        ("lang", "en", "not 'lang'"),
    ],
    ids=["new intent", "label of another head", "empty", "other field"],
)
def test_one_unknown_value_stores_none(
    corrections: Corrections, log: FakeLog, field_: str, value: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        corrections.correct(TURN, {"emotion": "joy", field_: value}, MEI)
    assert (log.fixed, log.trail) == ([], [])
