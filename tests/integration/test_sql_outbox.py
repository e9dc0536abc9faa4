"""The outbox of the log, over SQLite and PostgreSQL: order, leases, retries and races."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from bot.adapters.sql_log import SqlLog, open_log
from bot.domain.messages import Reply

CHAT = "telegram:42"


@pytest.fixture
def other_log(database_url: str, sql_clock) -> Iterator[SqlLog]:
    """The same database as another process sees it."""
    log = open_log(database_url, sql_clock)
    yield log
    log.close()


def say(log: SqlLog, text: str, conversation: str = CHAT, key: str | None = None) -> int:
    queued = log.add_outgoing(conversation, Reply(text, "en"), author="system", key=key)
    assert queued is not None
    return queued


def claim(log: SqlLog, limit: int = 10) -> list[str]:
    return [row.text for row in log.claim_outgoing("telegram", limit, lease=30)]


def test_a_key_is_used_once_a_conversation(sql_log: SqlLog) -> None:
    say(sql_log, "late", key="late:1")
    assert sql_log.add_outgoing(CHAT, Reply("late again", "en"), author="system", key="late:1") is None
    say(sql_log, "late", "telegram:43", key="late:1")
    assert sql_log.was_queued(CHAT, "late:1")
    assert not sql_log.was_queued(CHAT, "late:2")
    say(sql_log, "more")
    assert [row.text for row in sql_log.outgoing_since(CHAT, 0)] == ["late", "more"]


def test_eight_threads_use_a_key_once(sql_log: SqlLog) -> None:
    start = threading.Barrier(8)

    def queue(_: int) -> int | None:
        start.wait()
        return sql_log.add_outgoing(CHAT, Reply("late", "en"), author="system", key="k")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(queue, range(8))).count(None) == 7


def test_what_is_not_delivered_is_told(sql_log: SqlLog, sql_clock) -> None:
    began = sql_clock.now()
    old, gone, slow, young = (say(sql_log, text, f"telegram:{text}") for text in ("old", "gone", "slow", "young"))
    say(sql_log, "read", "web:1")
    sql_log.mark_failed(old, "blocked", None)
    for _ in range(3):
        sql_log.mark_failed(slow, "Bad Gateway", began)
    sql_clock.advance(31 * 86_400)
    sql_log.add_outgoing("telegram:gone", Reply("behind", "en"), author="bot")
    sql_log.mark_failed(gone, "blocked", None)
    sql_log.mark_failed(young, "Bad Gateway", sql_clock.now())
    told = [(row.text, row.status, row.attempts, row.error) for row in sql_log.undelivered(sql_clock.now(), 3)]
    assert told == [("gone", "failed", 1, "blocked"), ("slow", "pending", 3, "Bad Gateway")]
    assert [row.text for row in sql_log.undelivered(began, 3)] == ["gone", "slow", "old"]
    assert [row.text for row in sql_log.undelivered(began, 1, 2)] == ["young", "gone"]


@pytest.mark.parametrize(
    ("conversation", "status"), [("telegram:1", "pending"), ("web:1", "sent"), ("ticket 7", "sent")]
)
def test_messages_that_are_delivered_by_being_read_count_as_sent(
    sql_log: SqlLog, conversation: str, status: str
) -> None:
    say(sql_log, "hello", conversation)
    assert [row.status for row in sql_log.outgoing_since(conversation, 0)] == [status]
    assert len(claim(sql_log)) == (status == "pending")
    assert sql_log.claim_outgoing("web", 10, 30) == []


def test_a_conversation_gets_its_messages_one_by_one(sql_log: SqlLog) -> None:
    ids = [say(sql_log, text) for text in ("one", "two", "three")]
    say(sql_log, "elsewhere", "telegram:43")
    assert claim(sql_log) == ["one", "elsewhere"]
    assert claim(sql_log) == []
    sql_log.mark_sent({ids[0]: "tg-1"})
    assert claim(sql_log) == ["two"]
    sql_log.mark_failed(ids[1], "blocked", None)
    assert claim(sql_log) == ["three"]
    assert [(row.status, row.attempts, row.error) for row in sql_log.outgoing_since(CHAT, 0)] == [
        ("sent", 1, ""),
        ("failed", 1, "blocked"),
        ("pending", 0, ""),
    ]


def test_a_claim_notes_what_was_delivered_before(sql_log: SqlLog) -> None:
    ids = [say(sql_log, text) for text in ("one", "two")]
    assert claim(sql_log) == ["one"]
    assert [row.text for row in sql_log.claim_outgoing("telegram", 10, 30, {ids[0]: "tg-1"})] == ["two"]
    assert sql_log.claim_outgoing("telegram", 0, 30, {ids[1]: "tg-2"}) == []
    assert [(row.status, row.attempts) for row in sql_log.outgoing_since(CHAT, 0)] == [("sent", 1)] * 2


def test_a_claim_is_limited(sql_log: SqlLog) -> None:
    for number in range(3):
        say(sql_log, str(number), f"telegram:{number}")
    assert claim(sql_log, limit=2) == ["0", "1"]
    assert claim(sql_log, limit=2) == ["2"]


def test_an_expired_lease_gives_the_message_to_another(sql_log: SqlLog, other_log: SqlLog, sql_clock) -> None:
    say(sql_log, "one")
    assert claim(sql_log) == ["one"]
    sql_clock.advance(29)
    assert claim(other_log) == []
    sql_clock.advance(1)
    assert claim(other_log) == ["one"]
    assert claim(sql_log) == []


def test_a_failed_message_is_retried_when_due_and_holds_the_later_ones(sql_log: SqlLog, sql_clock) -> None:
    first = say(sql_log, "one")
    say(sql_log, "two")
    claim(sql_log)
    sql_log.mark_failed(first, "too many requests", sql_clock.now() + timedelta(seconds=5))
    assert claim(sql_log) == []
    sql_clock.advance(5)
    (row,) = sql_log.claim_outgoing("telegram", 10, 30)
    assert (row.text, row.attempts, row.error, row.status) == ("one", 1, "too many requests", "pending")


def test_a_late_failure_does_not_undo_a_delivery(sql_log: SqlLog, sql_clock) -> None:
    first = say(sql_log, "one")
    sql_log.mark_sent({first: None})
    sql_log.mark_failed(first, "timed out", sql_clock.now())
    sql_log.mark_sent({first: None})
    assert [(row.status, row.attempts) for row in sql_log.outgoing_since(CHAT, 0)] == [("sent", 1)]
    assert claim(sql_log) == []


def test_two_claimers_never_get_the_same_message(sql_log: SqlLog, other_log: SqlLog) -> None:
    conversations = [f"telegram:{number}" for number in range(12)]
    for number in range(3):
        for conversation in conversations:
            say(sql_log, f"{conversation} {number}", conversation)
    start = threading.Barrier(4)

    def deliver(log: SqlLog) -> list[str]:
        delivered: list[str] = []
        start.wait()
        idle = 0
        while idle < 3:
            rows = log.claim_outgoing("telegram", 2, lease=600)
            idle = 0 if rows else idle + 1
            for row in rows:
                delivered.append(row.text)
                log.mark_sent({row.id: None})
        return delivered

    with ThreadPoolExecutor(4) as pool:
        by_claimer = list(pool.map(deliver, [sql_log, other_log, sql_log, other_log]))
    left = [text for _ in conversations for text in deliver_rest(sql_log)]
    delivered = [text for texts in by_claimer for text in texts] + left
    assert sorted(delivered) == sorted(
        f"{conversation} {number}" for number in range(3) for conversation in conversations
    )


def deliver_rest(log: SqlLog) -> list[str]:
    """What the racing claimers left when both found nothing for a moment."""
    rows = log.claim_outgoing("telegram", 100, lease=600)
    for row in rows:
        log.mark_sent({row.id: None})
    return [row.text for row in rows]


def test_a_claim_passes_over_rows_that_another_claims_just_now(sql_log: SqlLog, other_log: SqlLog) -> None:
    say(sql_log, "one")
    say(sql_log, "two")
    start = threading.Barrier(2)

    def race(log: SqlLog) -> list[str]:
        start.wait()
        return claim(log)

    for _ in range(10):
        with ThreadPoolExecutor(2) as pool:
            got = [text for texts in pool.map(race, [sql_log, other_log]) for text in texts]
        assert got == ["one"]
        sql_log.mark_failed(sql_log.outgoing_since(CHAT, 0)[0].id, "again", sql_log._clock.now())
