"""The contract of `ConversationLog`, over SQLite and PostgreSQL: verdicts, agents and a person's data."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import event

from bot.adapters.sql_log import SqlLog, open_log
from bot.domain.messages import Reply
from bot.domain.rules import Priority
from bot.errors import InputError
from tests.integration.conftest import SetClock
from tests.integration.redis_servers import measured, wait_until
from tests.integration.sql_examples import AT, CHAT, agent, answered, from_threads, message, turn

# -- what people say about turns


def test_a_later_correction_replaces_the_earlier(sql_log: SqlLog, sql_clock) -> None:
    mei, tom = agent(sql_log), agent(sql_log, "tom")
    turn_id = answered(sql_log)
    sql_log.add_correction(turn_id, "intent", "refund", mei)
    sql_log.add_correction(turn_id, "emotion", "angry", mei)
    sql_clock.advance(5)
    sql_log.add_correction(turn_id, "intent", "cancel", tom)
    held = [(c.turn, c.field, c.value, c.agent) for c in sql_log.corrections(turn_id)]
    assert held == [(turn_id, "emotion", "angry", "mei"), (turn_id, "intent", "cancel", "tom")]
    assert sql_log.corrections(turn_id)[1].at == sql_clock.now()
    view = sql_log.turn(turn_id)
    assert view is not None
    assert view.corrections == {"emotion": "angry", "intent": "cancel"}


def test_later_feedback_replaces_the_earlier(sql_log: SqlLog) -> None:
    turn_id = answered(sql_log)
    sql_log.add_feedback(turn_id, 1)
    sql_log.add_feedback(turn_id, -1)
    assert [view.feedback for view in sql_log.turns(CHAT)] == [-1]


@pytest.mark.parametrize(
    ("act", "complaint"),
    [
        pytest.param(lambda log, turn: log.add_correction(turn, "mood", "x", 1), "one of", id="unknown field"),
        pytest.param(lambda log, turn: log.add_correction(99, "intent", "x", 1), "no turn 99", id="corrected turn"),
        pytest.param(lambda log, turn: log.add_correction(turn, "intent", "x", 7), "no agent 7", id="agent"),
        pytest.param(lambda log, turn: log.add_feedback(99, 1), "no turn 99", id="judged turn"),
        pytest.param(lambda log, turn: log.add_feedback(turn, 2), "got 2", id="verdict"),
    ],
)
def test_wrong_verdicts_are_refused(sql_log: SqlLog, act: Callable[[SqlLog, int], object], complaint: str) -> None:
    turn_id = answered(sql_log)
    with pytest.raises(InputError, match=complaint):
        act(sql_log, turn_id)


def test_utterances_are_told_in_order_over_pages(sql_log: SqlLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.adapters.sql_reading._PAGE", 2)
    ids = [answered(sql_log, number) for number in range(5)]
    sql_log.add_correction(ids[1], "intent", "refund", agent(sql_log))
    sql_log.add_feedback(ids[3], 1)
    told = list(sql_log.logged_utterances())
    assert [utterance.turn for utterance in told] == ids
    assert [utterance.corrections for utterance in told] == [{}, {"intent": "refund"}, {}, {}, {}]
    assert [utterance.feedback for utterance in told] == [0, 0, 0, 1, 0]
    first = told[0]
    assert (first.text, first.lang, first.intent, first.emotion) == (message().text, "en", "track_order", "calm")
    assert (first.decision, first.faq, first.kind) == ("template", "", "text")


@pytest.mark.parametrize(
    ("document", "faq", "intent"),
    [
        pytest.param({}, "", "", id="empty"),
        pytest.param({"decision": {"kind": "faq", "faq": "f1"}, "hits": [{"id": "f2"}]}, "f1", "", id="named entry"),
        pytest.param({"decision": {"kind": "faq"}, "hits": [{"id": "f2"}]}, "f2", "", id="best hit"),
        pytest.param({"decision": {"kind": "clarify"}, "hits": [{"id": "f2"}]}, "", "", id="hit that did not answer"),
        pytest.param({"understanding": {"intent": None, "emotion": None}, "hits": None}, "", "", id="heads missing"),
    ],
)
def test_columns_follow_the_document(sql_log: SqlLog, document: dict, faq: str, intent: str) -> None:
    sql_log.record_turn(turn(message(), document=document))
    (utterance,) = sql_log.logged_utterances()
    assert (utterance.faq, utterance.intent, utterance.lang) == (faq, intent, "en")


# -- agents


def test_agents_are_known_by_name(sql_log: SqlLog) -> None:
    number = sql_log.add_agent("mei", "hash", "admin")
    found = sql_log.agent_by_name("mei")
    assert found is not None
    assert (found.id, found.name, found.role, found.password_hash, found.active) == (
        number,
        "mei",
        "admin",
        "hash",
        True,
    )
    assert sql_log.agent_by_name("tom") is None


@pytest.mark.parametrize(
    ("name", "role", "complaint"),
    [("mei", "agent", "'mei' is taken"), ("tom", "boss", "got 'boss'"), (" ", "agent", "empty")],
)
def test_wrong_agents_are_refused(sql_log: SqlLog, name: str, role: str, complaint: str) -> None:
    agent(sql_log)
    with pytest.raises(InputError, match=complaint):
        sql_log.add_agent(name, "hash", role)


def test_sessions_expire(sql_log: SqlLog, sql_clock) -> None:
    mei = agent(sql_log)
    sql_log.open_session(mei, "token", sql_clock.now() + timedelta(seconds=60))
    sql_clock.advance(59)
    found = sql_log.session_agent("token")
    assert found is not None
    assert found.id == mei
    sql_clock.advance(1)
    assert sql_log.session_agent("token") is None
    assert sql_log.session_agent("other") is None


def test_sessions_end(sql_log: SqlLog, sql_clock) -> None:
    mei, tom = agent(sql_log), agent(sql_log, "tom")
    later = sql_clock.now() + timedelta(hours=1)
    for token, who in (("a", mei), ("b", mei), ("c", mei), ("d", tom)):
        sql_log.open_session(who, token, later)
    sql_log.close_session("a")
    assert [token for token in "abcd" if sql_log.session_agent(token)] == ["b", "c", "d"]
    sql_log.set_agent_password("mei", "new hash")
    assert [token for token in "abcd" if sql_log.session_agent(token)] == ["d"]
    changed = sql_log.agent_by_name("mei")
    assert changed is not None
    assert changed.password_hash == "new hash"
    with pytest.raises(InputError, match="no agent 'bob'"):
        sql_log.set_agent_password("bob", "hash")


def test_a_run_is_claimed_once(sql_log: SqlLog) -> None:
    assert sorted(from_threads(8, lambda _: sql_log.claim_run("retrain", AT))) == [False] * 7 + [True]
    assert not sql_log.claim_run("retrain", AT.astimezone(timezone(timedelta(hours=8))))
    assert sql_log.claim_run("retrain", AT + timedelta(days=1))


# -- the desk


def test_an_escalation_is_given_to_one_agent(sql_log: SqlLog, sql_clock) -> None:
    team = [agent(sql_log, name) for name in ("mei", "tom", "ada", "bo")]
    answered(sql_log)
    sql_log.open_escalation(CHAT, None, "asked")
    given = from_threads(8, lambda index: sql_log.assign_escalation(CHAT, team[index % 4], 9))
    assert sorted(given) == [False] * 7 + [True]
    escalation = sql_log.escalation(CHAT)
    assert escalation is not None
    assert (escalation.status, escalation.held_at) == ("held", sql_clock.now())
    assert not sql_log.assign_escalation("web:nobody", team[0], 9)


def test_an_agent_is_given_no_more_than_the_limit(sql_log: SqlLog) -> None:
    mei = agent(sql_log)
    for number in range(8):
        answered(sql_log, 1, f"web:{number}")
        sql_log.open_escalation(f"web:{number}", None, "asked")
    given = from_threads(8, lambda number: sql_log.assign_escalation(f"web:{number}", mei, 3))
    assert sum(map(bool, given)) == 3
    assert [(load.agent.name, load.held) for load in sql_log.agent_loads()] == [("mei", 3)]


def test_loads_tell_what_agents_have_to_do(sql_log: SqlLog, sql_clock) -> None:
    mei, tom = agent(sql_log), agent(sql_log, "tom")
    for conversation, who in (("web:1", mei), ("web:2", mei), ("web:3", tom)):
        sql_clock.advance(1)
        answered(sql_log, 1, conversation)
        sql_log.open_escalation(conversation, None, "asked")
        sql_log.set_escalation(conversation, "held", who)
    given = sql_clock.now()
    sql_log.set_escalation("web:3", "closed", tom)
    agent(sql_log, "new")
    loads = [(load.agent.name, load.held, load.last_given) for load in sql_log.agent_loads()]
    assert loads == [("mei", 2, given - timedelta(seconds=1)), ("new", 0, None), ("tom", 0, given)]


def test_presence_is_kept(sql_log: SqlLog, sql_clock) -> None:
    mei, _ = agent(sql_log), agent(sql_log, "tom")
    sql_log.see_agent(mei)
    sql_log.set_away(mei, away=True)
    assert [(who.name, who.seen_at, who.away) for who in sql_log.agents()] == [
        ("mei", sql_clock.now(), True),
        ("tom", None, False),
    ]


def test_whoever_logs_out_is_not_there_any_more(sql_log: SqlLog, sql_clock) -> None:
    for name in ("mei", "tom"):
        number = agent(sql_log, name)
        sql_log.open_session(number, name, sql_clock.now() + timedelta(hours=1))
        sql_log.see_agent(number)
    sql_log.close_session("mei")
    assert [who.seen_at for who in sql_log.agents()] == [None, sql_clock.now()]


def test_what_goes_back_to_the_queue_is_more_urgent_up_to_the_top(sql_log: SqlLog, sql_clock) -> None:
    mei = agent(sql_log)
    answered(sql_log)
    number = sql_log.open_escalation(CHAT, None, "asked")
    sql_log.set_escalation(CHAT, "held", mei)
    seen = []
    for _ in range(3):
        sql_log.requeue_escalation(CHAT)
        escalation = sql_log.escalation(CHAT)
        assert escalation is not None
        assert (escalation.id, escalation.status, escalation.agent) == (number, "open", "")
        assert (escalation.lapsed, escalation.raised_at) == ("mei", sql_clock.now())
        seen.append(escalation.priority.name)
    assert seen == ["HIGH", "URGENT", "URGENT"]
    sql_log.requeue_escalation("web:nobody")


def test_agents_are_told_of_what_opens_and_what_becomes_urgent(sql_log: SqlLog) -> None:
    answered(sql_log)
    sql_log.open_escalation(CHAT, None, "asked")
    told = []
    for _ in range(4):
        for escalation in sql_log.unannounced():
            told.append(escalation.priority.name)
            sql_log.mark_announced(escalation.id, escalation.priority)
        sql_log.requeue_escalation(CHAT)
    assert told == ["NORMAL", "URGENT"]


def test_what_is_held_is_told_of_only_once_it_is_urgent(sql_log: SqlLog) -> None:
    answered(sql_log)
    sql_log.open_escalation(CHAT, None, "asked")
    sql_log.set_escalation(CHAT, "held", agent(sql_log))
    sql_log.open_escalation(CHAT, None, "threat_to_sue", Priority.HIGH)
    assert sql_log.unannounced() == []
    sql_log.open_escalation(CHAT, None, "danger_to_self", Priority.URGENT)
    (urgent,) = sql_log.unannounced()
    assert (urgent.status, urgent.reason) == ("held", "danger_to_self; threat_to_sue; asked")
    sql_log.mark_announced(urgent.id, urgent.priority)
    assert sql_log.unannounced() == []


def test_service_times_are_those_of_what_was_opened_since(sql_log: SqlLog, sql_clock) -> None:
    mei = agent(sql_log)
    answered(sql_log)
    first = sql_clock.now()
    number = sql_log.open_escalation(CHAT, None, "asked")
    sql_clock.advance(60)
    sql_log.add_outgoing(CHAT, Reply("Hello", "en"), author="agent", agent=mei)
    sql_clock.advance(60)
    sql_log.set_escalation(CHAT, "closed", mei)
    (time,) = sql_log.service_times(first)
    minute = timedelta(seconds=60)
    assert (time.opened_at, time.first_reply_at, time.closed_at) == (first, first + minute, first + 2 * minute)
    assert sql_log.service_times(first + minute) == []
    assert (sql_log.escalated_conversation(number), sql_log.escalated_conversation(99)) == (CHAT, None)


# -- a person's data


def full_customer(log: SqlLog, conversation: str, clock) -> None:
    turn_id = answered(log, 1, conversation)
    log.accept(message(2, conversation, "anybody there? 有人吗"))
    name = f"agent of {conversation}"
    number = agent(log, name)
    log.open_escalation(conversation, turn_id, "asked")
    log.add_outgoing(conversation, Reply("Hello", "en"), author="agent", agent=number, key="k")
    log.add_correction(turn_id, "intent", "refund", number)
    log.add_feedback(turn_id, -1)
    log.add_note(conversation, number, "called back")
    rated = log.open_escalation(conversation, turn_id, "asked")
    log.record_turn(replace(turn(message(3, conversation)), rating=(rated, 4)))
    log.audit(name, "reply", f"{conversation}: message 3")


def test_a_customer_is_exported_whole(sql_log: SqlLog, sql_clock) -> None:
    full_customer(sql_log, "web:1", sql_clock)
    full_customer(sql_log, "web:12", sql_clock)
    exported = sql_log.export_customer("web:1")
    assert json.loads(json.dumps(exported)) == exported
    assert exported["conversation"]["id"] == "web:1"
    assert {name: len(rows) for name, rows in exported.items() if name != "conversation"} == {
        "messages": 3,
        "turns": 2,
        "outgoing": 2,
        "escalations": 1,
        "corrections": 1,
        "notes": 1,
        "ratings": 1,
        "feedback": 1,
    }
    assert [row["text"] for row in exported["messages"]][:2] == [message().text, "anybody there? 有人吗"]
    assert datetime.fromisoformat(exported["messages"][0]["at"]) == AT
    assert exported["turns"][0]["document"]["release"] == "r1"
    assert sql_log.export_customer("web:nobody") == {}


def test_a_customer_is_erased_whole(sql_log: SqlLog, sql_clock) -> None:
    full_customer(sql_log, "web:1", sql_clock)
    full_customer(sql_log, "web:12", sql_clock)
    other = sql_log.export_customer("web:12")
    newest = sql_log.outgoing_since("web:12", 0)[-1].id

    assert sql_log.erase_customer("web:1") == 13
    assert sql_log.erase_customer("web:1") == 0
    assert sql_log.export_customer("web:1") == {}
    assert (sql_log.turns("web:1"), sql_log.outgoing_since("web:1", 0), sql_log.snapshot("web:1")) == ([], [], None)
    assert sql_log.pending_conversations() == ["web:12"]
    assert sql_log.export_customer("web:12") == other
    assert [(entry.who, entry.detail) for entry in sql_log.audit_trail()] == [
        ("agent of web:12", "web:12: message 3"),
        ("agent of web:1", "(erased): message 3"),
    ]
    assert [entry.action for entry in sql_log.audit_trail(limit=1)] == ["reply"]

    sql_log.erase_customer("web:12")
    answered(sql_log, 1, "web:12")
    assert sql_log.outgoing_since("web:12", newest) != []


def test_what_came_after_the_wish_to_be_erased_stays(sql_log: SqlLog) -> None:
    answered(sql_log)
    for number in (2, 3, 4):
        sql_log.accept(message(number))
    sql_log.erase_and_tell(CHAT, [Reply("Gone.", "en")])
    assert [out.text for out in sql_log.outgoing_since(CHAT, 0)] == ["Gone."]
    for number in (3, 4):
        assert sql_log.next_pending(CHAT) == message(number)
        sql_log.record_turn(turn(message(number), "Hello."))
    assert sql_log.accept(message(2))
    assert [view.message_id for view in sql_log.turns(CHAT)] == ["m3", "m4"]


def at_statement(log: SqlLog, words: str, act: Callable[[], object]) -> None:
    """Acts once, right after a log's statement."""
    acted: list[str] = []

    def check(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if words in statement and not acted:
            acted.append(statement)
            act()

    event.listen(log._engine, "after_cursor_execute", check)


def test_a_customer_may_be_erased_while_escalations_are_read(
    database_url: str, sql_log: SqlLog, sql_clock: SetClock
) -> None:
    with closing(open_log(database_url, sql_clock)) as other:
        for conversation in ("web:1", "web:2"):
            answered(sql_log, 1, conversation)
            sql_log.open_escalation(conversation, None, "asked")
        at_statement(sql_log, "FROM escalation", lambda: other.erase_customer("web:1"))
        assert [each.conversation for each in sql_log.escalations()][-1] == "web:2"
        assert [each.conversation for each in sql_log.escalations()] == ["web:2"]


@pytest.mark.parametrize("moment", ["DELETE FROM feedback", "DELETE FROM message"])
@pytest.mark.parametrize(
    "tell",
    [lambda log, turn: log.add_feedback(turn, 1), lambda log, turn: log.add_correction(turn, "intent", "x", 1)],
    ids=["thumb", "correction"],
)
def test_what_is_said_of_a_turn_while_it_is_erased_is_refused(
    database_url: str, sql_log: SqlLog, sql_clock: SetClock, tell: Callable[[SqlLog, int], object], moment: str
) -> None:
    agent(sql_log)
    turn_id = answered(sql_log)
    with closing(open_log(database_url, sql_clock)) as other, ThreadPoolExecutor(1) as pool:
        told: list[Future[object]] = []

        def tell_meanwhile() -> None:
            told.append(pool.submit(tell, other, turn_id))
            wait(told, 0.3)

        at_statement(sql_log, moment, tell_meanwhile)
        sql_log.erase_customer(CHAT)
        with pytest.raises(InputError, match="erased with its customer"):
            told[0].result()


def test_erased_words_leave_the_files_too(tmp_path: Path, sql_clock) -> None:
    log = open_log(f"sqlite:///{tmp_path}/log.db", sql_clock)
    log.accept(message(1, "web:1", "my secret is xyzzy"))
    assert any(b"xyzzy" in file.read_bytes() for file in tmp_path.iterdir())
    log.erase_customer("web:1")
    assert not any(b"xyzzy" in file.read_bytes() for file in tmp_path.iterdir())
    log.close()


@pytest.mark.parametrize("ended", ["the reader", "the log"])
def test_erased_words_leave_the_files_once_nobody_reads_them(tmp_path: Path, sql_clock: SetClock, ended: str) -> None:
    log = open_log(f"sqlite:///{tmp_path}/log.db", sql_clock)
    log.accept(message(1, "web:1", "my secret is xyzzy"))
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM message").fetchone() == (1,)
        with measured(at_most=5):
            log.erase_customer("web:1")
        assert log.accept(message(2, "web:2"))
        assert any(b"xyzzy" in file.read_bytes() for file in tmp_path.iterdir())
        reader.execute("COMMIT")
    if ended == "the log":
        log.close()
    wait_until(lambda: not any(b"xyzzy" in file.read_bytes() for file in tmp_path.iterdir()))
    log.close()
