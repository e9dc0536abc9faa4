from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep
from typing import Any

import pytest

from bot.breaker import FAILURES
from bot.channels.telegram_pace import BURST, Pace
from bot.channels.telegram_timing import Timing
from bot.errors import StateUnavailableError


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def test_a_quiet_chat_takes_a_burst_then_one_a_second(time: Time) -> None:
    pace = Pace(Timing(), now=time)
    assert [pace.of_chat(7) for _ in range(BURST + 2)] == [0, 0, 0, 1, 2]
    time.now += 10
    assert [pace.of_chat(7) for _ in range(BURST + 1)] == [0, 0, 0, 1]


def test_a_group_takes_twenty_a_minute(time: Time) -> None:
    pace = Pace(Timing(), now=time)
    assert [pace.of_chat(-7) for _ in range(3)] == [0, 3, 6]


def test_all_chats_together_take_thirty_a_second(time: Time) -> None:
    pace = Pace(Timing(), now=time)
    delays = [pace.of_all() for _ in range(61)]
    assert delays[0] == 0
    assert delays[60] == pytest.approx(2.0)


def test_a_chat_that_waits_delays_no_other(time: Time) -> None:
    pace = Pace(Timing(), now=time)
    assert [pace.of_chat(7) for _ in range(20)][-1] > 10
    assert (pace.of_chat(8), pace.of_all()) == (0, 0)


def test_chats_that_fell_silent_are_forgotten(time: Time) -> None:
    pace = Pace(Timing(), now=time)
    for chat in range(1, 5000):
        time.now += 5
        pace.of_chat(chat)
    assert len(pace._chats) < 1100


def test_who_gives_up_waiting_takes_no_moment_from_others(time: Time) -> None:
    async def give_up(pace: Pace) -> None:
        waiting = [asyncio.create_task(pace.turn_of(chat)) for chat in range(1, 50)]
        await asyncio.sleep(0.01)
        for wait in waiting:
            wait.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    pace = Pace(Timing(between=1.0), now=time)
    asyncio.run(give_up(pace))
    assert pace.of_all() == pytest.approx(1.0)


class Book:
    """The port `Moments` in memory, for several paces."""

    def __init__(self) -> None:
        self.due: dict[str, float] = {}
        self.asked = 0
        self.fault: Exception | None = None

    def book(self, key: str, apart: float, slack: float) -> float:
        self.asked += 1
        if self.fault:
            raise self.fault
        now = monotonic()
        due = max(self.due.get(key, 0.0), now)
        self.due[key] = due + apart
        return max(0.0, due - slack - now)


async def seconds_of(turns: Iterable[Coroutine[Any, Any, None]]) -> float:
    began = monotonic()
    await asyncio.gather(*turns)
    return monotonic() - began


def test_what_is_tried_again_holds_up_no_other_chat() -> None:
    async def run() -> tuple[float, float]:
        pace, began = Pace(Timing(between=0.05, between_own=0.0)), monotonic()
        again = asyncio.gather(*(pace.turn_of(chat, again=True) for chat in range(1, 21)))
        await asyncio.sleep(0.01)
        await pace.turn_of(99)
        waited = monotonic() - began
        await again
        return waited, monotonic() - began

    waited, whole = asyncio.run(run())
    assert waited < 0.4
    assert whole >= 20 * 0.05 - 0.01


def test_processes_that_share_a_book_keep_to_one_pace() -> None:
    async def run() -> tuple[float, float]:
        timing, book = Timing(between=0.02, between_own=0.1), Book()
        one, other = Pace(timing, book), Pace(timing, book)
        different = await seconds_of(pace.turn_of(chat) for chat in range(1, 11) for pace in (one, other))
        assert max(one.between, other.between) > 0.025
        return different, await seconds_of(pace.turn_of(99) for _ in range(3) for pace in (one, other))

    different, same = asyncio.run(run())
    assert different >= 19 * 0.02 - 0.01
    assert same >= (6 - BURST) * 0.1 - 0.01


def test_busy_processes_ask_the_book_once_for_several_messages() -> None:
    async def run(book: Book) -> float:
        timing = Timing(between=0.01, between_own=0.0)
        one, other = Pace(timing, book), Pace(timing, book)
        return await seconds_of(pace.turn_of(chat) for chat in range(1, 31) for pace in (one, other))

    book = Book()
    assert asyncio.run(run(book)) >= 59 * 0.01 - 0.01
    assert book.asked <= 8


def test_moments_that_passed_unused_are_no_ones() -> None:
    async def run() -> float:
        timing, book = Timing(between=0.02, between_own=0.0), Book()
        one, other = Pace(timing, book), Pace(timing, book)
        await one.turn_of(1)
        await asyncio.sleep(0.15)
        return await seconds_of(pace.turn_of(chat) for chat in range(2, 8) for pace in (one, other))

    assert asyncio.run(run()) >= 11 * 0.02 - 0.01


@pytest.mark.parametrize("fault", [StateUnavailableError("gone"), None], ids=["away", "hangs"])
def test_without_the_book_a_process_keeps_to_its_own_pace(
    monkeypatch: pytest.MonkeyPatch, fault: Exception | None
) -> None:
    monkeypatch.setattr("bot.channels.telegram_pace._ANSWER_SECONDS", 0.01)
    book = Book()
    book.fault = fault
    if fault is None:
        monkeypatch.setattr(book, "book", lambda *_: sleep(0.05))
    pace = Pace(Timing(between=0.05, between_own=0.0, between_group=0.0), book)
    assert asyncio.run(seconds_of(pace.turn_of(chat) for chat in range(1, 11))) >= 9 * 0.05 - 0.01
    assert pace._breaker.is_open
    assert book.asked <= FAILURES


def test_the_book_is_asked_though_all_other_threads_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.channels.telegram_pace._ANSWER_SECONDS", 0.2)

    async def run(book: Book) -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        waiting = asyncio.create_task(asyncio.to_thread(sleep, 0.5))
        await asyncio.sleep(0)
        await Pace(Timing(between=0.01), book).turn_of(7)
        assert not waiting.done()
        await waiting

    book = Book()
    asyncio.run(run(book))
    assert set(book.due) == {"telegram:7", "telegram:all"}


def test_nobody_is_asked_where_there_is_no_limit() -> None:
    book = Book()
    pace = Pace(Timing(between=0.0, between_own=0.0, between_group=0.0), book)
    asyncio.run(seconds_of(pace.turn_of(chat) for chat in (1, -1)))
    assert book.asked == 0
