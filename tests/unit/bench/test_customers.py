"""How what came of customers' messages is judged, and what the storm of faults chooses."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from bench.commands import BenchmarkError
from bench.customers import Customers, Reply, Served, Written, judge, update_of
from bench.outages import recovery
from bench.telegram_faults import Storm
from tests.e2e.telegram_double.double import TelegramDouble
from tests.e2e.telegram_double.state import BotMessage

WRITTEN = [Written(7, 1, 10.0), Written(7, 2, 20.0), Written(8, 3, 21.0)]
REPLIES = [Reply("telegram:7", 1, 101), Reply("telegram:7", 2, 102), Reply("telegram:8", 3, 103)]


def received(*sent: tuple[int, int, str, float]) -> list[BotMessage]:
    return [BotMessage(number, chat, text, "sendMessage", at) for number, chat, text, at in sent]


ALL = received((101, 7, "a", 10.5), (102, 7, "b", 22.0), (103, 8, "c", 25.0))
WAITS = {1: 0.5, 2: 2.0, 3: 4.0}


@pytest.mark.parametrize(
    ("turns", "replies", "got", "expected"),
    [
        pytest.param([1, 2, 3], REPLIES, ALL, Served(0, 0, 0, 0, 0, WAITS), id="well"),
        pytest.param([1, 3], REPLIES, ALL, Served(1, 0, 0, 0, 0, WAITS), id="lost"),
        pytest.param([1, 2, 2, 3], REPLIES, ALL, Served(0, 1, 0, 0, 0, WAITS), id="answered twice"),
        pytest.param([1, 2, 3], REPLIES, ALL[:2], Served(0, 0, 1, 0, 0, {1: 0.5, 2: 2.0}), id="not delivered"),
        pytest.param(
            [1, 2, 3],
            REPLIES,
            [*received((90, 7, "a", 9.0), (91, 8, "a", 9.0), (92, 7, "sorry", 9.0)), *ALL],
            Served(0, 0, 0, 1, 0, WAITS),
            id="delivered again; another chat's and other words are none",
        ),
        pytest.param([1, 2, 3], [REPLIES[1], REPLIES[0], REPLIES[2]], ALL, Served(0, 0, 0, 0, 1, WAITS), id="turned"),
    ],
)
def test_what_came_of_messages(turns: list[int], replies: list[Reply], got: list[BotMessage], expected: Served) -> None:
    assert judge(WRITTEN, turns, replies, got) == expected


def test_recovery_counts_from_the_return() -> None:
    served = judge(WRITTEN, [1, 2, 3], REPLIES, ALL)
    assert recovery(WRITTEN, served, 20.5) == (1.5, 1.5)
    assert recovery(WRITTEN, served, 21.5) == (0.5, 3.5)
    with pytest.raises(BenchmarkError, match="did not recover"):
        recovery(WRITTEN, served, 30.0)


def test_customers_keep_their_pace_and_ask_something_else_each_time() -> None:
    with TelegramDouble() as telegram:
        customers = Customers(telegram, range(5, 8), 100.0)
        began = time.monotonic()
        written = customers.write(0.09)
        assert time.monotonic() - began >= 0.09
        texts = [update["message"]["text"] for update in telegram.pending_updates]
        assert [each.chat for each in written] == [5, 6, 7] * 3
        assert len({each.update for each in written}) == 9
        assert all(len(set(texts[place::3])) == 3 for place in range(3))
        assert len(customers.write(0.02)) == 2


def test_the_storm_leaves_other_chats_alone_and_brings_every_fault() -> None:
    storm = Storm([1, 2], seed=1)
    assert not any(storm("sendMessage", chat) for chat in (None, 3) for _ in range(200))
    kinds: Counter[str] = Counter()
    for chat in range(400):
        fault = Storm([chat], seed=chat)("sendMessage", chat)
        kinds[fault.kind if fault else ""] += 1
    assert set(kinds) == {"", "429", "500", "502", "drop_before", "drop_after", "hang", "hang_after"}
    assert 150 < kinds[""] < 250


def test_the_storm_notes_who_does_not_wait_as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("bench.telegram_faults.time.monotonic", lambda: now)
    storm = Storm([1], seed=1)
    fault = None
    while fault is None or fault.kind != "429":
        fault = storm("sendMessage", 1)
    assert storm.early == 0
    now += fault.retry_after - 0.5
    again = storm("sendMessage", 1)
    assert again is not None
    assert (again.kind, again.retry_after, storm.early) == ("429", 1, 1)
    now += 1.0
    storm("sendMessage", 1)
    assert storm.early == 1


def test_an_update_is_known_by_its_message() -> None:
    assert (update_of("u12/3"), update_of("u12")) == (12, 12)
