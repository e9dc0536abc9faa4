from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.desk.lapses import Lapse, find_lapse
from bot.domain.records import Escalation
from bot.domain.rules import DeskRules, Priority

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = DeskRules(untaken=10, unanswered=15, idle=60)
OFF = DeskRules(untaken=0, unanswered=0, idle=0)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


OPEN = Escalation(1, "web:anna", "asked", "open", ago(10), "", "", "", "en", asked_at=ago(10))
HELD = replace(OPEN, status="held", agent="mei", opened_at=ago(300), held_at=ago(200))
OPEN_CASES = {
    "nobody took it": (OPEN, Lapse.UNTAKEN),
    "not yet": (replace(OPEN, opened_at=ago(9.9)), None),
    "raised a while ago": (replace(OPEN, opened_at=ago(90), raised_at=ago(10)), Lapse.UNTAKEN),
    "raised just now": (replace(OPEN, opened_at=ago(90), raised_at=ago(9)), None),
    "at the top": (replace(OPEN, priority=Priority.URGENT), None),
    "closed": (replace(OPEN, status="closed"), None),
}
HELD_CASES = {
    "not answered": (replace(HELD, asked_at=ago(15)), Lapse.UNANSWERED),
    "not answered since the last reply": (replace(HELD, asked_at=ago(15), replied_at=ago(16)), Lapse.UNANSWERED),
    "not yet": (replace(HELD, asked_at=ago(14.9)), None),
    "a new holder gets the whole time": (replace(HELD, asked_at=ago(100), held_at=ago(14)), None),
    "answered": (replace(HELD, asked_at=ago(40), replied_at=ago(30)), None),
    "nobody wrote": (replace(HELD, asked_at=ago(90), replied_at=ago(60)), Lapse.IDLE),
    "nobody ever wrote": (replace(HELD, asked_at=None), Lapse.IDLE),
    "passed on just now": (replace(HELD, asked_at=ago(90), replied_at=ago(80), held_at=ago(5)), None),
}
CASES = OPEN_CASES | {f"held: {name}": case for name, case in HELD_CASES.items()}


@pytest.mark.parametrize(("escalation", "expected"), CASES.values(), ids=CASES)
def test_what_has_lain_too_long(escalation: Escalation, expected: Lapse | None) -> None:
    assert find_lapse(escalation, RULES, NOW, ago(10_000)) is expected
    assert find_lapse(escalation, OFF, NOW, ago(10_000)) is None


@pytest.mark.parametrize("escalation", [OPEN, replace(HELD, asked_at=ago(15))], ids=["open", "held"])
def test_waiting_counts_while_people_are_there(escalation: Escalation) -> None:
    assert find_lapse(escalation, RULES, NOW, None) is None
    assert find_lapse(escalation, RULES, NOW, ago(9)) is None
    assert find_lapse(escalation, RULES, NOW, ago(15)) is not None


def test_who_waits_goes_back_to_the_bot_at_last_where_no_answer_is_due() -> None:
    rules = replace(RULES, unanswered=0)
    assert find_lapse(replace(HELD, asked_at=ago(59)), rules, NOW, ago(10_000)) is None
    assert find_lapse(replace(HELD, asked_at=ago(60)), rules, NOW, ago(10_000)) is Lapse.IDLE


def test_silence_counts_at_any_hour() -> None:
    assert find_lapse(replace(HELD, asked_at=ago(90), replied_at=ago(60)), RULES, NOW, None) is Lapse.IDLE
