"""The server is killed between receiving a message and answering it; what was received is answered once, in order."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from redis import Redis

from tests.e2e.customer import Customer
from tests.e2e.server import Server, wait_until
from tests.e2e.telegram_double.double import TelegramDouble


@pytest.fixture(scope="module")
def own_telegram() -> Iterator[TelegramDouble]:
    with TelegramDouble() as double:
        yield double


@pytest.fixture(scope="module")
def doomed(shop_release: Path, own_telegram: TelegramDouble) -> Iterator[Server]:
    """A server that the tests kill and start again."""
    with Server(shop_release, telegram_token=own_telegram.token, telegram_api_url=own_telegram.url) as running:
        yield running.start().wait_ready()


@contextmanager
def redis_of(server: Server) -> Iterator[Redis]:
    with closing(Redis(unix_socket_path=str(server.data / "redis" / "valkey.sock"))) as client:
        yield client


@contextmanager
def held(server: Server, *conversations: str) -> Iterator[None]:
    """Holds conversations as another process would, so that their messages are received but not answered."""
    with redis_of(server) as redis:
        keys = [f"frontdesk:lock:{{{conversation}}}" for conversation in conversations]
        for key in keys:
            assert redis.set(key, "another process", nx=True)
        yield
        redis.delete(*keys)


def count(server: Server, table: str, conversation: str) -> int:
    return int(server.rows(f"SELECT count(*) FROM {table} WHERE conversation = ?", conversation)[0][0])


def logged(server: Server, conversation: str) -> dict[str, int]:
    """How many rows of each kind a conversation has."""
    return {table: count(server, table, conversation) for table in ("message", "turn", "outgoing")}


def texts(server: Server, conversation: str) -> list[str]:
    return [turn["text"] for turn in server.conversation(conversation)["turns"]]


def test_what_was_received_is_answered_after_a_crash(doomed: Server, own_telegram: TelegramDouble) -> None:
    ann, api = Customer(own_telegram, 31), "api:crash"
    own_telegram.wait_until(lambda: bool(own_telegram.calls("getUpdates")), 30)
    with held(doomed, ann.conversation, api), ThreadPoolExecutor(2) as pool:
        said = ["How long does delivery take?", "Do you sell gift cards?"]
        calls: list[Future[httpx.Response]] = []
        for number, text in enumerate(said, start=1):
            own_telegram.wait_until(lambda: not own_telegram.pending_updates, 30)
            # The poll under way still gets the message, and no later one can confirm it.
            own_telegram.fail_next("getUpdates", "502", times=1000)
            ann.write(text)
            calls.append(pool.submit(doomed.post, api, text, f"m{number}"))
            for conversation in (ann.conversation, api):
                wait_until(lambda of=conversation, expected=number: count(doomed, "message", of) == expected)
            if number == 1:
                own_telegram.state.faults.clear()
        assert len(own_telegram.pending_updates) == 1
        doomed.kill()
        for call in calls:
            assert isinstance(call.exception(10), httpx.HTTPError)
    assert ann.inbox == []
    assert logged(doomed, ann.conversation) == {"message": 2, "turn": 0, "outgoing": 0}

    own_telegram.state.faults.clear()
    doomed.restart()
    answers = [message.text for message in ann.read(2)]
    again = [doomed.ask(api, text, id=f"m{number}") for number, text in enumerate(said, start=1)]
    assert answers == [document["replies"][0]["text"] for document in again]
    for conversation in (ann.conversation, api):
        assert texts(doomed, conversation) == said
        assert logged(doomed, conversation) == {"message": 2, "turn": 2, "outgoing": 2}

    own_telegram.wait_until(lambda: not own_telegram.pending_updates)
    ann.ask("thanks")
    assert ann.inbox[:2] == answers
    assert len(ann.inbox) == 3


def test_a_turn_that_was_cut_off_is_taken_up_again(doomed: Server, own_telegram: TelegramDouble) -> None:
    bob = Customer(own_telegram, 32)
    with held(doomed, bob.conversation):
        bob.write("How long does delivery take?")
        wait_until(lambda: count(doomed, "message", bob.conversation) == 1)
        other = sqlite3.connect(doomed.data / "frontdesk.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
    with closing(other), redis_of(doomed) as redis:
        # The server has the conversation now, and cannot store its turn.
        lock = f"frontdesk:lock:{{{bob.conversation}}}"
        wait_until(lambda: redis.exists(lock))
        doomed.kill()
        other.execute("ROLLBACK")
        # Nobody can give the lock back any more, so it has to end by itself: here sooner than in half a minute.
        assert 0 < redis.pttl(lock) <= 30_000
        redis.pexpire(lock, 500)
    assert logged(doomed, bob.conversation) == {"message": 1, "turn": 0, "outgoing": 0}

    doomed.restart()
    bob.read(1)
    bob.ask("thanks")
    assert len(bob.inbox) == 2
    assert logged(doomed, bob.conversation) == {"message": 2, "turn": 2, "outgoing": 2}


def test_an_answer_that_was_not_delivered_is_delivered_after_a_crash(
    doomed: Server, own_telegram: TelegramDouble
) -> None:
    cem = Customer(own_telegram, 33)
    own_telegram.fail_next("sendMessage", "502", times=1000, chat_id=cem.chat)
    cem.write("How long does delivery take?")
    state = "SELECT attempts, claimed_until IS NULL, status FROM outgoing WHERE conversation = ?"
    wait_until(lambda: doomed.rows(state, cem.conversation) == [(2, 1, "pending")])
    doomed.kill()
    assert cem.inbox == []

    own_telegram.state.faults.clear()
    doomed.restart()
    cem.read(1)
    cem.ask("thanks")
    assert len(cem.inbox) == 2
    assert logged(doomed, cem.conversation) == {"message": 2, "turn": 2, "outgoing": 2}
