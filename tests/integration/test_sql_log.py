"""The contract of `ConversationLog`, over SQLite and PostgreSQL: messages, turns and escalations."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from sqlalchemy import event

from bot.adapters.sql_log import SqlLog, open_log
from bot.domain.conversation import Conversation, FormState, Status
from bot.domain.messages import Button, ContentKind, IncomingMessage, Reply
from bot.domain.records import DayTrend
from bot.domain.rules import Priority
from bot.errors import InputError
from tests.integration.sql_examples import AT, CHAT, agent, answered, from_threads, message, turn


def raise_when(log: SqlLog, words: str) -> None:
    """Makes the log's transactions break at a statement, as a crash there would."""

    def check(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if words in statement:
            raise RuntimeError("crashed")

    event.listen(log._engine, "before_cursor_execute", check)


# -- intake


def test_a_message_is_accepted_once(sql_log: SqlLog) -> None:
    assert sql_log.accept(message())
    assert not sql_log.accept(replace(message(), text="changed"))
    assert sql_log.next_pending(CHAT) == message()


def test_message_ids_are_counted_by_conversation(sql_log: SqlLog) -> None:
    assert sql_log.accept(message(1, "web:a"))
    assert sql_log.accept(message(1, "web:b"))


def test_one_of_eight_threads_has_its_message_accepted(sql_log: SqlLog) -> None:
    assert sorted(from_threads(8, lambda _: sql_log.accept(message()))) == [False] * 7 + [True]


def test_eight_threads_accept_their_own_messages(sql_log: SqlLog) -> None:
    assert from_threads(8, lambda index: sql_log.accept(message(index))) == [True] * 8


def test_a_message_comes_back_as_it_was(sql_log: SqlLog) -> None:
    sent = IncomingMessage(
        id="7",
        conversation="web:v",
        text="我的包裹在哪里？😀 \u202e <b>",
        at=datetime(2024, 5, 17, 20, 0, tzinfo=timezone(timedelta(hours=8))),
        kind=ContentKind.PHOTO,
        lang="zh",
        customer="小明",
    )
    sql_log.accept(sent)
    back = sql_log.next_pending("web:v")
    assert back == sent
    assert back is not None
    assert back.at.utcoffset() == timedelta(0)
    head = sql_log.conversation("web:v")
    assert head is not None
    assert (head.customer, head.lang, head.status) == ("小明", "zh", Status.BOT)


def test_texts_that_no_database_takes_are_stored_mended(sql_log: SqlLog) -> None:
    sent = IncomingMessage(id="a\x00b", conversation="web:\ud800", text="nul \x00 half \udc00", at=AT)
    assert sql_log.accept(sent)
    assert not sql_log.accept(sent)
    turn_id = sql_log.record_turn(turn(sent, "got \x00", document={"text": "nul \x00 half \udc00", "n": [1]}))
    stored = {"text": "nul \x00 half \ufffd", "n": [1], "turn": turn_id}
    assert sql_log.answer_document(sent.conversation, sent.id) == stored
    assert sql_log.turns(sent.conversation)[0].text == "nul \ufffd half \ufffd"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(replace(message(), id=""), id="empty message id"),
        pytest.param(replace(message(), id="x" * 513), id="long message id"),
        pytest.param(replace(message(), conversation="web:" + "长" * 200), id="long conversation id"),
    ],
)
def test_ids_out_of_bounds_are_refused(sql_log: SqlLog, wrong: IncomingMessage) -> None:
    with pytest.raises(InputError, match="1 to 512 bytes"):
        sql_log.accept(wrong)


def test_waiting_messages_come_oldest_first(sql_log: SqlLog) -> None:
    for number, conversation in ((1, "web:b"), (2, "web:a"), (3, "web:b")):
        sql_log.accept(message(number, conversation))
    assert sql_log.pending_conversations() == ["web:b", "web:a"]
    assert sql_log.pending_conversations(limit=1) == ["web:b"]
    sql_log.record_turn(turn(message(1, "web:b")))
    assert sql_log.pending_conversations() == ["web:a", "web:b"]
    assert sql_log.next_pending("web:b") == message(3, "web:b")
    sql_log.record_turn(turn(message(3, "web:b")))
    assert sql_log.next_pending("web:b") is None


# -- turns


def test_a_turn_is_stored_whole(sql_log: SqlLog) -> None:
    sql_log.accept(message())
    record = turn(message(), "Soon.", "Anything else?", escalate="asked for a human")
    turn_id = sql_log.record_turn(record)

    assert sql_log.next_pending(CHAT) is None
    assert sql_log.answer_document(CHAT, "m1") == {**record.document, "turn": turn_id}
    assert sql_log.snapshot(CHAT) == (record.state, sql_log._clock.now())
    view = sql_log.turn(turn_id)
    assert view is not None
    assert (view.conversation, view.message_id, view.at, view.text, view.kind) == (
        CHAT,
        "m1",
        AT,
        message().text,
        "text",
    )
    assert view.document == record.document
    assert [(reply.text, reply.author, reply.turn, reply.status) for reply in view.replies] == [
        ("Soon.", "bot", turn_id, "pending"),
        ("Anything else?", "bot", turn_id, "pending"),
    ]
    assert view.replies[0].buttons == (Button("Yes", "yes:"),)
    (escalation,) = sql_log.escalations()
    assert (escalation.reason, escalation.status, escalation.last_text) == ("asked for a human", "open", message().text)


def test_a_message_has_one_turn(sql_log: SqlLog) -> None:
    first = answered(sql_log)
    again = turn(message(), "Another answer.", escalate="angry", document={"release": "r2"})
    assert sql_log.record_turn(again) == first
    (view,) = sql_log.turns(CHAT)
    assert [reply.text for reply in view.replies] == ["It is near."]
    assert view.document["release"] == "r1"
    assert sql_log.escalations() == []


def test_eight_threads_record_one_turn(sql_log: SqlLog) -> None:
    sql_log.accept(message())
    ids = from_threads(8, lambda index: sql_log.record_turn(turn(message(), f"answer {index}")))
    assert len(set(ids)) == 1
    assert len(sql_log.outgoing_since(CHAT, 0)) == 1


@pytest.mark.parametrize("words", ["INSERT INTO turn", "INSERT INTO outgoing", "INSERT INTO escalation"])
def test_a_crash_within_a_turn_stores_nothing_of_it(database_url: str, sql_log: SqlLog, words: str) -> None:
    sql_log.accept(message())
    breaking = open_log(database_url, sql_log._clock)
    raise_when(breaking, words)
    with pytest.raises(RuntimeError, match="crashed"):
        breaking.record_turn(turn(message(), "Soon.", escalate="angry"))
    breaking.close()

    assert sql_log.next_pending(CHAT) == message()
    assert sql_log.answer_document(CHAT, "m1") is None
    assert (sql_log.turns(CHAT), sql_log.outgoing_since(CHAT, 0), sql_log.escalations()) == ([], [], [])
    assert sql_log.snapshot(CHAT) is None
    assert sql_log.record_turn(turn(message(), "Soon.")) > 0


def test_a_state_is_stored_outside_a_turn_too(sql_log: SqlLog, sql_clock) -> None:
    assert sql_log.snapshot(CHAT) is None
    answered(sql_log)
    sql_clock.advance(60)
    form = FormState("return", {"order": "FD1"}, "confirm", 1)
    state = Conversation(CHAT, Status.AGENT, "zh", form, ("angry", "calm"), 2, "return_item", 5)
    sql_log.store_state(state)
    assert sql_log.snapshot(CHAT) == (state, sql_clock.now())
    head = sql_log.conversation(CHAT)
    assert head is not None
    assert (head.status, head.lang, head.updated_at) == (Status.AGENT, "zh", sql_clock.now())


def test_unknown_things_are_none(sql_log: SqlLog) -> None:
    assert sql_log.conversation("web:nobody") is None
    assert sql_log.turn(99) is None
    assert sql_log.turns("web:nobody") == []
    assert sql_log.next_pending("web:nobody") is None
    assert sql_log.answer_document("web:nobody", "m1") is None
    assert sql_log.escalation("web:nobody") is None


def test_conversations_are_listed_latest_first(sql_log: SqlLog, sql_clock) -> None:
    for conversation in ("web:a", "web:b"):
        sql_clock.advance(1)
        sql_log.accept(message(1, conversation))
    sql_clock.advance(1)
    sql_log.accept(message(2, "web:a"))
    assert [head.id for head in sql_log.conversations()] == ["web:a", "web:b"]
    assert [head.id for head in sql_log.conversations(limit=1)] == ["web:a"]


def test_days_are_summed_up(sql_log: SqlLog) -> None:
    def say(number: int, conversation: str, at: datetime, emotion: str, escalate: str | None = None) -> int:
        incoming = message(number, conversation)
        sql_log.accept(incoming)
        record = turn(incoming, "Hm.", escalate=escalate, document={"decision": {"emotion": emotion}})
        return sql_log.record_turn(replace(record, at=at))

    late, next_day = datetime(2026, 3, 1, 23, 59, tzinfo=UTC), datetime(2026, 3, 2, 0, 1, tzinfo=UTC)
    say(1, "web:a", late, "anger")
    bad = say(2, "web:a", late, "", "asked")
    say(3, "web:b", late, "joy")
    say(4, "web:b", next_day, "disappointment")
    for value in (1, -1):
        sql_log.add_feedback(bad, value)
    expected = [
        DayTrend(date(2026, 3, 2), conversations=1, turns=1, handovers=0, upset=1, unhelpful=0),
        DayTrend(date(2026, 3, 1), conversations=2, turns=3, handovers=1, upset=1, unhelpful=1),
    ]
    assert sql_log.trend(late, {"anger", "disappointment"}) == expected
    assert [day.upset for day in sql_log.trend(next_day, ())] == [0]


def test_words_between_two_turns_belong_to_the_earlier(sql_log: SqlLog) -> None:
    mei = agent(sql_log)
    say = sql_log.add_outgoing
    early = say(CHAT, Reply("Welcome.", "en"), author="system")
    first = answered(sql_log, 1)
    say(CHAT, Reply("Mei joined.", "en"), author="system")
    say(CHAT, Reply("I look into it.", "en"), author="agent", agent=mei)
    second = answered(sql_log, 2, replies=())
    say(CHAT, Reply("Found it.", "en"), author="agent", agent=mei)

    views = sql_log.turns(CHAT)
    assert [(view.id, [(r.author, r.text) for r in view.replies]) for view in views] == [
        (first, [("bot", "It is near."), ("system", "Mei joined."), ("agent", "I look into it.")]),
        (second, [("agent", "Found it.")]),
    ]
    assert [view.id for view in sql_log.turns(CHAT, limit=1)] == [second]
    assert [view.id for view in sql_log.turns(CHAT, before=second)] == [first]
    told = sql_log.outgoing_since(CHAT, 0)
    assert [row.text for row in told] == ["Welcome.", "It is near.", "Mei joined.", "I look into it.", "Found it."]
    assert told[0].id == early
    assert [row.turn for row in told] == [None, first, None, None, None]
    assert [row.text for row in sql_log.outgoing_since(CHAT, told[3].id)] == ["Found it."]


# -- escalations


def test_a_conversation_has_one_live_escalation(sql_log: SqlLog) -> None:
    mei = agent(sql_log)
    opened = sql_log.open_escalation(CHAT, None, "angry")
    assert sql_log.open_escalation(CHAT, None, "angry again") == opened
    sql_log.set_escalation(CHAT, "held", mei)
    assert sql_log.open_escalation(CHAT, None, "and again") == opened
    live = sql_log.escalation(CHAT)
    assert live is not None
    assert (live.status, live.agent, live.reason) == ("held", "mei", "angry")
    sql_log.set_escalation(CHAT, "closed", None)
    assert sql_log.escalation(CHAT) is None
    assert [(e.status, e.agent) for e in sql_log.escalations()] == [("closed", "mei")]
    sql_log.set_escalation(CHAT, "held", mei)
    assert [e.status for e in sql_log.escalations()] == ["closed"]
    assert sql_log.open_escalation(CHAT, None, "new") != opened


def test_eight_threads_open_one_escalation(sql_log: SqlLog) -> None:
    assert len(set(from_threads(8, lambda index: sql_log.open_escalation(CHAT, None, str(index))))) == 1


def test_escalations_are_listed_open_first_then_oldest(sql_log: SqlLog) -> None:
    mei = agent(sql_log)
    for name in "abcd":
        sql_log.accept(IncomingMessage("1", f"web:{name}", f"help {name}", AT, lang="en", customer=name.upper()))
        sql_log.open_escalation(f"web:{name}", None, "asked")
    sql_log.set_escalation("web:a", "closed", mei)
    sql_log.set_escalation("web:b", "held", mei)
    listed = sql_log.escalations()
    assert [(e.conversation, e.status, e.agent) for e in listed] == [
        ("web:c", "open", ""),
        ("web:d", "open", ""),
        ("web:b", "held", "mei"),
        ("web:a", "closed", "mei"),
    ]
    assert (listed[0].last_text, listed[0].customer, listed[0].lang) == ("help c", "C", "en")
    assert [e.conversation for e in sql_log.escalations("held")] == ["web:b"]
    assert [e.conversation for e in sql_log.escalations(limit=1)] == ["web:c"]


def test_an_agents_escalations_are_found_among_any_number(sql_log: SqlLog) -> None:
    mei, tom = agent(sql_log), agent(sql_log, "tom")
    for number, holder in enumerate((mei, mei, mei, tom, tom)):
        answered(sql_log, 1, f"web:{number}")
        sql_log.open_escalation(f"web:{number}", None, "asked for a human")
        sql_log.set_escalation(f"web:{number}", "held", holder)
    sql_log.requeue_escalation("web:4")
    assert [e.conversation for e in sql_log.escalations("held", 2, "tom")] == ["web:3"]
    assert [e.conversation for e in sql_log.escalations(agent="tom")] == ["web:3"]
    assert sql_log.escalations(agent="nobody") == []
    assert len(sql_log.escalations(limit=None)) == 5


def test_an_escalation_cannot_be_set_to_anything_else(sql_log: SqlLog) -> None:
    with pytest.raises(InputError, match="'held' or 'closed', got 'open'"):
        sql_log.set_escalation(CHAT, "open", None)


def test_entries_asked_for_in_the_same_conversations_come_by_how_often(sql_log: SqlLog) -> None:
    asked = {
        "a": ["wool", "silk", "iron", "silk"],
        "b": ["silk", "wool", "", "iron"],
        "c": ["wool", "wool", "silk", "tea"],
        "d": ["tea"],
    }
    for conversation, entries in asked.items():
        for number, entry in enumerate(entries):
            incoming = message(number, conversation)
            sql_log.accept(incoming)
            sql_log.record_turn(turn(incoming, "So.", document={"decision": {"kind": "faq", "faq": entry}}))
    assert sql_log.co_asked("wool") == ["silk", "iron"]
    assert sql_log.co_asked("wool", limit=1) == ["silk"]
    assert sql_log.co_asked("tea") == []
    assert sql_log.co_asked("gone") == []


def test_the_most_urgent_comes_first_and_nothing_becomes_less_urgent(sql_log: SqlLog) -> None:
    for number, (name, priority) in enumerate([("a", Priority.NORMAL), ("b", Priority.HIGH), ("c", Priority.URGENT)]):
        incoming = message(number, f"web:{name}")
        sql_log.accept(incoming)
        sql_log.record_turn(replace(turn(incoming, escalate=f"because {name}"), priority=priority))
    assert [e.conversation for e in sql_log.escalations()] == ["web:c", "web:b", "web:a"]
    for number, (priority, reason) in enumerate([(Priority.URGENT, "fire"), (Priority.NORMAL, "asked")], start=5):
        incoming = message(number, "web:a")
        sql_log.record_turn(replace(turn(incoming, escalate=reason), priority=priority))
    (raised,) = [e for e in sql_log.escalations() if e.conversation == "web:a"]
    assert (raised.priority, raised.reason) == (Priority.URGENT, "fire; because a")


def test_how_long_customers_usually_wait(sql_log: SqlLog, sql_clock) -> None:
    mei = agent(sql_log)
    for number, minutes in enumerate([4, 100, 6]):
        assert sql_log.usual_wait() is None
        sql_log.open_escalation(f"web:{number}", None, "asked")
        sql_clock.advance(minutes * 60)
        for _ in range(2):
            sql_log.add_outgoing(f"web:{number}", Reply("Hello", "en"), author="agent", agent=mei)
            sql_clock.advance(60)
    assert sql_log.usual_wait() == timedelta(minutes=6)


def test_notes_are_told_in_order(sql_log: SqlLog, sql_clock) -> None:
    mei, tom = agent(sql_log), agent(sql_log, "tom")
    sql_log.add_note(CHAT, mei, "called back")
    sql_clock.advance(60)
    sql_log.add_note(CHAT, tom, "sent a new one")
    assert [(note.agent, note.text) for note in sql_log.notes(CHAT)] == [
        ("mei", "called back"),
        ("tom", "sent a new one"),
    ]
    assert sql_log.notes("web:other") == []


def test_a_rating_counts_for_the_customers_own_escalation_alone(sql_log: SqlLog) -> None:
    own, other = sql_log.open_escalation(CHAT, None, "asked"), sql_log.open_escalation("web:other", None, "asked")
    for number, (escalation, stars) in enumerate([(own, 2), (other, 1), (own, 5), (10**6, 3)]):
        sql_log.record_turn(replace(turn(message(number)), rating=(escalation, stars)))
    assert {e.conversation: e.stars for e in sql_log.escalations()} == {CHAT: 5, "web:other": 0}
