from __future__ import annotations

from bot.breaker import FAILURES, PAUSE_SECONDS, Breaker


class Time:
    now = 10.0

    def __call__(self) -> float:
        return self.now


def test_failures_in_a_row_open_it_for_a_while():
    time = Time()
    breaker = Breaker(time)
    for _ in range(FAILURES - 1):
        breaker.failed()
    assert not breaker.is_open
    breaker.failed()
    assert breaker.is_open
    time.now += PAUSE_SECONDS
    assert not breaker.is_open


def test_an_answer_in_between_counts_anew():
    breaker = Breaker(Time())
    for _ in range(FAILURES * 2):
        breaker.failed()
        breaker.succeeded()
    assert not breaker.is_open
