"""One lock a conversation among the threads of this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bot.errors import BusyError


@dataclass(slots=True)
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0


class ThreadLocks:
    """Locks by conversation that exist only while somebody holds them or waits; not re-entrant."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    def __len__(self) -> int:
        """How many conversations are held or waited for."""
        return len(self._entries)

    @contextmanager
    def hold(self, conversation: str, wait: float) -> Iterator[None]:
        """Holds a conversation against the other threads; raises `busy` where it was not had within `wait` seconds."""
        with self._guard:
            entry = self._entries.setdefault(conversation, _Entry())
            entry.users += 1
        try:
            if not entry.lock.acquire(timeout=wait):
                raise busy(conversation, wait)
            try:
                yield
            finally:
                entry.lock.release()
        finally:
            with self._guard:
                entry.users -= 1
                if not entry.users:
                    del self._entries[conversation]


def busy(conversation: str, wait: float) -> BusyError:
    """The error of a lock that was not had within `wait` seconds."""
    return BusyError(
        f"Conversation {conversation!r} was to be free within {wait:g} s, but another turn of it still runs. "
        "Try again shortly."
    )
