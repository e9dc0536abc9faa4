"""Leaves a service alone for a while once it failed several times in a row, so that customers do not wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

FAILURES = 3
"""Failures in a row after which a service is left alone."""

PAUSE_SECONDS = 30.0
"""For how long."""


class Breaker:
    """Counts failures in a row; safe to use from several threads.

    Args:
        now: tells seconds that only grow.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._guard = Lock()
        self._failures = 0
        self._resume = 0.0

    @property
    def is_open(self) -> bool:
        """True while the service is left alone."""
        return self._now() < self._resume

    def succeeded(self) -> None:
        """Notes that the service answered."""
        with self._guard:
            self._failures = 0

    def failed(self) -> None:
        """Notes that it did not."""
        with self._guard:
            self._failures += 1
            if self._failures >= FAILURES:
                self._failures = 0
                self._resume = self._now() + PAUSE_SECONDS
