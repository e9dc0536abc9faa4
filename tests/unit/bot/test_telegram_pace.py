from __future__ import annotations

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
    pace = Pace(Timing(between=0.0), time)
    assert [pace.reserve(7) for _ in range(BURST + 2)] == [0, 0, 0, 1, 2]
    time.now += 10
    assert [pace.reserve(7) for _ in range(BURST + 1)] == [0, 0, 0, 1]


def test_a_group_takes_twenty_a_minute(time: Time) -> None:
    pace = Pace(Timing(), time)
    assert [round(pace.reserve(-7)) for _ in range(3)] == [0, 3, 6]


def test_all_chats_together_take_thirty_a_second(time: Time) -> None:
    pace = Pace(Timing(), time)
    delays = [pace.reserve(chat) for chat in range(1, 62)]
    assert delays[0] == 0
    assert delays[60] == pytest.approx(2.0)


def test_chats_that_fell_silent_are_forgotten(time: Time) -> None:
    pace = Pace(Timing(between=0.0), time)
    for chat in range(1, 5000):
        time.now += 5
        pace.reserve(chat)
    assert len(pace._chats) < 1100
