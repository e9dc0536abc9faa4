from __future__ import annotations

import asyncio

import pytest

from bot.channels.telegram_pace import BURST, Pace
from bot.channels.telegram_timing import Timing


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def test_a_quiet_chat_takes_a_burst_then_one_a_second(time: Time) -> None:
    pace = Pace(Timing(), time)
    assert [pace.of_chat(7) for _ in range(BURST + 2)] == [0, 0, 0, 1, 2]
    time.now += 10
    assert [pace.of_chat(7) for _ in range(BURST + 1)] == [0, 0, 0, 1]


def test_a_group_takes_twenty_a_minute(time: Time) -> None:
    pace = Pace(Timing(), time)
    assert [pace.of_chat(-7) for _ in range(3)] == [0, 3, 6]


def test_all_chats_together_take_thirty_a_second(time: Time) -> None:
    pace = Pace(Timing(), time)
    delays = [pace.of_all() for _ in range(61)]
    assert delays[0] == 0
    assert delays[60] == pytest.approx(2.0)


def test_a_chat_that_waits_delays_no_other(time: Time) -> None:
    pace = Pace(Timing(), time)
    assert [pace.of_chat(7) for _ in range(20)][-1] > 10
    assert (pace.of_chat(8), pace.of_all()) == (0, 0)


def test_chats_that_fell_silent_are_forgotten(time: Time) -> None:
    pace = Pace(Timing(), time)
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

    pace = Pace(Timing(between=1.0), time)
    asyncio.run(give_up(pace))
    assert pace.of_all() == pytest.approx(1.0)
