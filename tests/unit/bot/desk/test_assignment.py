from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.desk.assignment import choose_agent, is_online
from bot.domain.records import Agent, AgentLoad, Escalation
from bot.domain.rules import Assignment, DeskRules

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WISH = Escalation(1, "web:anna", "asked", "open", NOW, "", "", "", "en")


def load(name: str, held: int = 0, given: int | None = None, seen: int | None = 5, *, away: bool = False) -> AgentLoad:
    """An agent who was seen and got the last conversation so many seconds ago."""
    moments = [None if ago is None else NOW - timedelta(seconds=ago) for ago in (seen, given)]
    return AgentLoad(Agent(len(name), name, "agent", "", seen_at=moments[0], away=away), held, moments[1])


CASES = {
    "nobody": ([], None, None),
    "longest without one": ([load("mei", 0, 10), load("tom", 2, 60)], "tom", "mei"),
    "never had one": ([load("mei", 0, 10), load("tom", 0, None)], "tom", "tom"),
    "as busy, longer without": ([load("mei", 1, 10), load("tom", 1, 60)], "tom", "tom"),
    "by name at last": ([load("tom"), load("mei")], "mei", "mei"),
    "not there": ([load("mei", 0, 60, seen=91), load("tom", 1, 10)], "tom", "tom"),
    "never there": ([load("mei", seen=None)], None, None),
    "away": ([load("mei", 0, 60, away=True), load("tom", 1, 10)], "tom", "tom"),
    "has enough": ([load("mei", 3, 60), load("tom", 2, 10)], "tom", "tom"),
}


@pytest.mark.parametrize(("loads", "in_turn", "least_busy"), CASES.values(), ids=CASES)
def test_who_gets_a_conversation(loads: list[AgentLoad], in_turn: str | None, least_busy: str | None) -> None:
    for assignment, expected in (
        (Assignment.ROUND_ROBIN, in_turn),
        (Assignment.LEAST_BUSY, least_busy),
        (Assignment.MANUAL, None),
    ):
        chosen = choose_agent(WISH, loads, DeskRules(assignment, limit=3), NOW)
        assert (chosen.agent.name if chosen else None) == expected, assignment


def test_whoever_let_it_lie_does_not_get_it_again() -> None:
    lapsed = Escalation(1, "web:anna", "asked", "open", NOW, "", "", "", "en", lapsed="mei")
    rules = DeskRules(Assignment.LEAST_BUSY)
    assert choose_agent(lapsed, [load("mei")], rules, NOW) is None
    assert choose_agent(lapsed, [load("mei"), load("tom", 4)], rules, NOW) == load("tom", 4)


def test_an_agent_is_there_for_ninety_seconds() -> None:
    assert is_online(load("mei", seen=90).agent, NOW)
    assert not is_online(load("mei", seen=91).agent, NOW)
