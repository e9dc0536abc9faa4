"""The desk by the clock, over a real SQL log: by several processes at once, and after one died halfway."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import time, timedelta
from time import sleep
from typing import Any

import pytest

from bot.adapters.memory import MemoryState
from bot.adapters.sql_log import SqlLog
from bot.adapters.sql_tables import ConversationRow, EscalationRow
from bot.desk.dispatch import AgentsChat, Dispatcher
from bot.desk.handover import Desk
from bot.domain.conversation import Status
from bot.domain.messages import Reply
from bot.domain.rules import Assignment, DeskRules, Hours, Priority
from bot.errors import LogUnavailableError
from tests.integration.sql_examples import agent, from_threads, message, turn

GROUP = "telegram:-100"
MINUTE = 60
RULES = DeskRules(Assignment.ROUND_ROBIN, limit=2, untaken=10, unanswered=15, idle=60)


@pytest.fixture
def state() -> MemoryState:
    return MemoryState()


@pytest.fixture
def desk(sql_log: SqlLog, sql_clock: Any, state: MemoryState) -> Desk:
    return Desk(log=sql_log, state=state, clock=sql_clock, texts=lambda key, lang: f"{key}/{lang}")


@pytest.fixture
def dispatcher(sql_log: SqlLog, sql_clock: Any, desk: Desk) -> Callable[[DeskRules], Dispatcher]:
    chat = AgentsChat(GROUP, "en", "https://desk.example/console")
    return lambda rules: Dispatcher(desk=desk, log=sql_log, clock=sql_clock, rules=rules, chat=chat)


@pytest.fixture
def team(sql_log: SqlLog) -> tuple[int, int]:
    """Two agents who are at the console."""
    numbers = agent(sql_log), agent(sql_log, "tom")
    for number in numbers:
        sql_log.see_agent(number)
    return numbers


def waits(log: SqlLog, clock: Any, *conversations: str, priority: Priority = Priority.NORMAL) -> None:
    for conversation in conversations:
        asked = replace(message(1, conversation), at=clock.now())
        log.accept(asked)
        log.record_turn(replace(turn(asked, escalate="asked for a human"), priority=priority))


def holders(log: SqlLog) -> dict[str, str]:
    return {escalation.conversation: escalation.agent for escalation in log.escalations("held")}


def said(log: SqlLog, conversation: str) -> list[str]:
    return [out.text for out in log.outgoing_since(conversation, 0) if out.author == "system"]


def test_conversations_go_round_up_to_the_limit(sql_log, sql_clock, dispatcher, team) -> None:
    waits(sql_log, sql_clock, "web:1", "web:2", "web:3", "web:4", "web:5")
    dispatcher(RULES).look()
    assert sorted(holders(sql_log).values()) == ["mei", "mei", "tom", "tom"]
    assert [escalation.conversation for escalation in sql_log.escalations("open")] == ["web:5"]
    stored = sql_log.snapshot("web:1")
    assert stored is not None
    assert stored[0].status is Status.AGENT
    assert said(sql_log, "web:1") == ["agent_joined/en"]


def test_the_most_urgent_is_given_first(sql_log, sql_clock, dispatcher, team) -> None:
    sql_log.set_away(team[1], away=True)
    waits(sql_log, sql_clock, "web:1", "web:2")
    waits(sql_log, sql_clock, "web:3", priority=Priority.HIGH)
    dispatcher(replace(RULES, limit=1)).look()
    assert holders(sql_log) == {"web:3": "mei"}


@pytest.mark.parametrize("rules", [replace(RULES, assignment=Assignment.MANUAL), RULES], ids=["manual", "nobody there"])
def test_what_is_not_assigned_waits(sql_log, sql_clock, dispatcher, team, rules: DeskRules) -> None:
    if rules is RULES:
        sql_clock.advance(91)
    waits(sql_log, sql_clock, "web:1")
    dispatcher(rules).look()
    assert holders(sql_log) == {}


def test_processes_that_look_together_assign_and_announce_once(sql_log, sql_clock, dispatcher, team) -> None:
    waits(sql_log, sql_clock, *(f"web:{number}" for number in range(6)))
    looks = [dispatcher(RULES) for _ in range(4)]
    from_threads(4, lambda index: looks[index].look())
    assert sorted(holders(sql_log).values()) == ["mei", "mei", "tom", "tom"]
    assert [entry.action for entry in sql_log.audit_trail()] == ["assign"] * 4
    assert len(sql_log.outgoing_since(GROUP, 0)) == 6
    assert all(said(sql_log, conversation) == ["agent_joined/en"] for conversation in holders(sql_log))


def test_what_nobody_takes_rises_step_by_step(sql_log, sql_clock, dispatcher) -> None:
    waits(sql_log, sql_clock, "web:1")
    priorities = []
    for _ in range(4):
        dispatcher(RULES).look()
        dispatcher(RULES).look()
        priorities.append(sql_log.escalations("open")[0].priority.name)
        sql_clock.advance(10 * MINUTE)
    assert priorities == ["NORMAL", "HIGH", "URGENT", "URGENT"]
    assert [entry.action for entry in sql_log.audit_trail()] == ["untaken"] * 2
    notices = [out.text.split(":")[0] for out in sql_log.outgoing_since(GROUP, 0)]
    assert notices == ["Somebody waits for a person.\nReason", "Urgent"]


def test_the_last_of_very_many_rises_too(sql_log, sql_clock, dispatcher) -> None:
    with sql_log._write() as session:
        for number in range(201):
            chat, now = f"web:{number}", sql_clock.now()
            since = now - timedelta(minutes=10 if number == 200 else 0)
            session.add(ConversationRow(id=chat, channel="web", created_at=now, updated_at=now))
            session.flush()
            session.add(EscalationRow(conversation=chat, reason="asked", status="open", opened_at=since))
    dispatcher(replace(RULES, assignment=Assignment.MANUAL)).look()
    escalation = sql_log.escalation("web:200")
    assert escalation is not None
    assert escalation.priority is Priority.HIGH


def test_processes_that_look_together_raise_once(sql_log, sql_clock, dispatcher, monkeypatch) -> None:
    waits(sql_log, sql_clock, "web:1")
    sql_clock.advance(10 * MINUTE)
    stale = sql_log.escalations("open")
    monkeypatch.setattr(sql_log, "escalations", lambda status, limit=200: stale if status == "open" else [])
    looks = [dispatcher(replace(RULES, assignment=Assignment.MANUAL)) for _ in range(4)]
    from_threads(4, lambda index: looks[index].look())
    escalation = sql_log.escalation("web:1")
    assert escalation is not None
    assert escalation.priority is Priority.HIGH


def test_waiting_counts_while_people_are_there(sql_log, sql_clock, desk) -> None:
    waits(sql_log, sql_clock, "web:1")
    sql_clock.advance(10 * MINUTE)
    just_open = Hours("UTC", {4: (time(12, 1), time(13))})
    priorities = []
    for hours in (Hours("UTC", {}), just_open, Hours("UTC", {4: (time(11), time(13))})):
        Dispatcher(desk=desk, log=sql_log, clock=sql_clock, rules=RULES, hours=hours).look()
        priorities.append(sql_log.escalations("open")[0].priority.name)
    assert priorities == ["NORMAL", "NORMAL", "HIGH"]


def test_what_is_not_answered_goes_to_somebody_else(sql_log, sql_clock, dispatcher, team) -> None:
    mei, tom = team
    sql_log.set_away(tom, away=True)
    waits(sql_log, sql_clock, "web:1")
    dispatcher(RULES).look()
    assert holders(sql_log) == {"web:1": "mei"}
    sql_clock.advance(15 * MINUTE)
    sql_log.see_agent(mei)
    dispatcher(RULES).look()
    (waiting,) = sql_log.escalations("open")
    assert (waiting.agent, waiting.lapsed, waiting.priority) == ("", "mei", Priority.HIGH)
    stored = sql_log.snapshot("web:1")
    assert stored is not None
    assert stored[0].status is Status.WAITING
    assert said(sql_log, "web:1") == ["agent_joined/en", "agent_delayed/en"]
    sql_log.set_away(tom, away=False)
    sql_log.see_agent(tom)
    dispatcher(RULES).look()
    assert holders(sql_log) == {"web:1": "tom"}
    assert said(sql_log, "web:1") == ["agent_joined/en", "agent_delayed/en", "agent_joined/en"]


def test_what_lies_idle_goes_back_to_the_bot(sql_log, sql_clock, dispatcher, team, desk) -> None:
    waits(sql_log, sql_clock, "web:1")
    mei = sql_log.agent_by_name("mei")
    assert mei is not None
    sql_clock.advance(MINUTE)
    desk.reply("web:1", mei, "Hello")
    sql_clock.advance(60 * MINUTE)
    dispatcher(RULES).look()
    dispatcher(RULES).look()
    assert sql_log.escalation("web:1") is None
    stored = sql_log.snapshot("web:1")
    assert stored is not None
    assert stored[0].status is Status.BOT
    assert said(sql_log, "web:1") == ["agent_joined/en", "agent_left/en"]
    assert sql_log.escalations("closed")[0].agent == "mei"


@pytest.mark.parametrize("step", ["requeue_escalation", "set_escalation", "mark_announced"])
def test_what_a_dying_process_left_half_done_is_done_once(
    sql_log, sql_clock, dispatcher, team, desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    rules = replace(RULES, assignment=Assignment.MANUAL)
    mei = sql_log.agent_by_name("mei")
    assert mei is not None
    waits(sql_log, sql_clock, "web:1", "web:2", "web:3")
    sql_clock.advance(1)
    desk.reply("web:1", mei, "Hello")
    desk.take("web:2", mei)
    sql_clock.advance(60 * MINUTE)

    def dies(*_: object) -> None:
        raise LogUnavailableError("gone")

    with monkeypatch.context() as broken:
        broken.setattr(sql_log, step, dies)
        try:
            dispatcher(rules).look()
        except LogUnavailableError:
            assert step == "mark_announced"
    dispatcher(rules).look()
    assert sql_log.escalation("web:1") is None
    assert said(sql_log, "web:1") == ["agent_joined/en", "agent_left/en"]
    states = {escalation.conversation: escalation.priority for escalation in sql_log.escalations("open")}
    assert states == {"web:2": Priority.HIGH, "web:3": Priority.HIGH}
    assert said(sql_log, "web:2") == ["agent_joined/en", "agent_delayed/en"]
    keys = [out.text.rsplit("=", 1)[1] for out in sql_log.outgoing_since(GROUP, 0)]
    assert sorted(keys) == ["2", "3"]


def test_notices_are_no_conversation_of_a_customer(sql_log, sql_clock, dispatcher) -> None:
    waits(sql_log, sql_clock, "web:1")
    dispatcher(RULES).look()
    assert [out.conversation for out in sql_log.claim_outgoing("telegram", 10, 30)] == [GROUP]
    assert [head.id for head in sql_log.conversations()] == ["web:1"]


def test_an_erased_conversation_holds_up_no_other(sql_log, sql_clock, dispatcher, monkeypatch) -> None:
    waits(sql_log, sql_clock, "web:1", "web:2")
    sql_clock.advance(10 * MINUTE)
    stale = sql_log.escalations("open")
    sql_log.erase_customer("web:1")
    monkeypatch.setattr(sql_log, "escalations", lambda status, limit=200: stale if status == "open" else [])
    dispatcher(replace(RULES, assignment=Assignment.MANUAL)).look()
    escalation = sql_log.escalation("web:2")
    assert escalation is not None
    assert escalation.priority is Priority.HIGH


def test_the_thread_looks_and_ends(sql_log, sql_clock, dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.desk.dispatch._LOOK_SECONDS", 0.01)
    runs = dispatcher(RULES)
    asked = []
    monkeypatch.setattr(runs, "look", lambda: asked.append(1) or (_ for _ in ()).throw(LogUnavailableError("gone")))
    runs.start()
    while len(asked) < 2:
        sleep(0.01)
    runs.stop()
    assert not runs._thread.is_alive()


def test_a_reply_of_an_agent_ends_the_wait(sql_log, sql_clock, team) -> None:
    waits(sql_log, sql_clock, "web:1")
    before = sql_log.escalation("web:1")
    sql_clock.advance(5)
    sql_log.add_outgoing("web:1", Reply("Hi", "en"), author="agent", agent=team[0])
    after = sql_log.escalation("web:1")
    assert before is not None
    assert after is not None
    assert (before.unanswered, after.unanswered, after.replied_at) == (True, False, sql_clock.now())
