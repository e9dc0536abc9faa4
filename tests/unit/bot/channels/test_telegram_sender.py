from __future__ import annotations

from datetime import timedelta

import pytest
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bot.channels.telegram_sender import CLAIMED, MOST_TRIES, claimable, delivery_error
from bot.channels.telegram_timing import Timing, growing_delay


@pytest.mark.parametrize(
    ("error", "attempts", "retry_after"),
    [
        (RetryAfter(7), 3, 7),
        (RetryAfter(timedelta(minutes=2)), 0, 120),
        (TimedOut(), 0, 1),
        (TimedOut(), 3, 8),
        (NetworkError("Bad Gateway"), 1, 2),
        (NetworkError("Bad Gateway"), 4, 16),
        (NetworkError("Bad Gateway"), 5, 30),
        (NetworkError("Bad Gateway"), 5000, 30),
        (TelegramError("Invalid server response"), 0, 1),
        (InvalidToken("Unauthorized"), 2, 4),
        (NetworkError("Not Acceptable"), 0, 1),
        (NetworkError("Not Acceptable"), MOST_TRIES - 2, 30),
        (NetworkError("Not Acceptable"), MOST_TRIES - 1, None),
        (NetworkError("Unprocessable Entity (422). Parsing the server response b'' failed"), MOST_TRIES - 1, None),
        (Conflict("Conflict: another copy runs"), MOST_TRIES - 1, None),
        (NetworkError("Too Many Requests (429)"), 5000, 30),
        (NetworkError("Request Timeout (408)"), 5000, 30),
        (InvalidToken("Unauthorized"), 5000, 30),
        (Forbidden("Forbidden: bot was blocked by the user"), 0, None),
        (BadRequest("Chat not found"), 0, None),
        (ChatMigrated(5), 0, None),
        (NetworkError("Request Entity Too Large"), 0, None),
        (NetworkError("Content Too Large (413). Parsing the server response b'<html>' failed"), 0, None),
    ],
)
def test_what_a_refusal_means(error: TelegramError, attempts: int, retry_after: float | None) -> None:
    meaning = delivery_error(error, attempts, Timing())
    assert (meaning.retry_after, meaning.permanent) == (retry_after, retry_after is None)
    assert error.message in str(meaning)


@pytest.mark.parametrize(("failures", "delay"), [(0, 0.5), (1, 1.0), (3, 4.0), (4, 5.0), (10**6, 5.0)])
def test_delays_grow_to_an_end(failures: int, delay: float) -> None:
    assert growing_delay(failures, 0.5, 5.0) == delay


@pytest.mark.parametrize(("rate", "messages"), [(1, 10), (4, 40), (30, CLAIMED), (1000, CLAIMED)])
def test_no_more_is_claimed_than_can_leave_in_time(rate: int, messages: int) -> None:
    assert claimable(30.0, 1 / rate) == messages


def test_something_is_claimed_at_any_pace() -> None:
    assert claimable(30.0, 3600.0) == 1
    assert claimable(30.0, 0.0) == CLAIMED
