"""How long the Telegram channel waits, and waiting that ends early when the channel stops."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timing:
    """Waiting times of the channel, all in seconds.

    Attributes:
        long_poll: how long Telegram holds a request for updates open.
        request: how long any other answer of Telegram may take.
        outbox: how long the sender sleeps when nothing is due and nobody wakes it.
        first_retry: the delay after a first failure; it doubles with each further one.
        longest_retry: where that growth ends for deliveries.
        longest_outage: where it ends for Telegram being away.
        longest_store_outage: where it ends for our own stores being away; customers wait for their return.
        lease: how long a claimed message belongs to this process.
        typing: how often "typing…" is shown again while an answer is awaited.
        typing_after: how long an answer may take before "typing…" is shown at all.
        between: how long after a message the next one to anybody waits (Telegram takes about 30 a second).
        between_own: how long the next one to the same chat waits (about one a second), after a burst of three.
        between_group: the same for a group (20 a minute).
        grace: how long deliveries under way may take when the channel stops.
    """

    long_poll: int = 25
    request: float = 10.0
    outbox: float = 0.3
    first_retry: float = 1.0
    longest_retry: float = 30.0
    longest_outage: float = 15.0
    longest_store_outage: float = 2.0
    lease: float = 30.0
    typing: float = 4.5
    typing_after: float = 0.3
    between: float = 1 / 30
    between_own: float = 1.0
    between_group: float = 3.0
    grace: float = 10.0


def growing_delay(failures: int, first: float, longest: float) -> float:
    """Seconds to wait after `failures` earlier failures: `first`, doubled with each, at most `longest`."""
    return float(min(longest, first * 2 ** min(failures, 32)))


async def until_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Awaits `work`, but cancels it and gives None as soon as `stop` is set."""
    running = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return running.result() if running.done() else None
    finally:
        running.cancel()
        stopped.cancel()
        await asyncio.gather(running, stopped, return_exceptions=True)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleeps, but no longer than until `stop` is set."""
    await until_stopped(stop, asyncio.sleep(seconds))
