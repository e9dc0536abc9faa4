"""Reads what a service answers, however much it sends and however slowly it drips in."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

from bot.errors import UnavailableError


def read_within(
    response: httpx.Response, most_bytes: int, end: float, now: Callable[[], float] = time.monotonic
) -> bytes:
    """Reads the body of a streamed response.

    Args:
        response: still open.
        most_bytes: how much is read at most.
        end: until when, as `now` tells it.
        now: tells seconds that only grow.

    Returns:
        The body.

    Raises:
        UnavailableError: it is too long or took too long.
    """
    received = bytearray()
    for chunk in response.iter_bytes():
        received += chunk
        if len(received) > most_bytes:
            raise UnavailableError(f"{response.url} answered with more than {most_bytes:,} bytes")
        if now() > end:
            raise UnavailableError(f"{response.url} took too long to answer")
    return bytes(received)
