"""Working memory inside this process, for `frontdesk ask` and tests."""

from __future__ import annotations

import json
import queue
import threading
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import monotonic

from bot.adapters.thread_locks import ThreadLocks
from bot.domain.conversation import Conversation

_PURGE_SECONDS = 1.0


@dataclass(slots=True)
class _Count:
    uses: int
    ends: float


class _Listener:
    """One reader's messages; gone from the state as soon as its reader is."""

    def __init__(self, topics: list[str]) -> None:
        self.topics = frozenset(topics)
        self.messages: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()

    def read(self, wait: float) -> Iterator[tuple[str, str]]:
        while True:
            try:
                yield self.messages.get(timeout=wait)
            except queue.Empty:
                return


class MemoryState:
    """The port `LiveState` in memory: safe among threads, unknown to other processes, gone at exit."""

    def __init__(self, ttl_seconds: float = 3600.0, *, lock_wait: float = 10.0) -> None:
        """Starts empty.

        Args:
            ttl_seconds: how long a state lives after it was saved.
            lock_wait: how long `lock` waits.
        """
        self._ttl = ttl_seconds
        self._lock_wait = lock_wait
        self._locks = ThreadLocks()
        self._guard = threading.Lock()
        self._states: dict[str, tuple[str, float]] = {}
        self._counts: dict[str, _Count] = {}
        self._listeners: weakref.WeakSet[_Listener] = weakref.WeakSet()
        self._next_purge = 0.0

    def load(self, conversation: str) -> Conversation | None:
        """The live state, or None where it has expired or never was."""
        with self._guard:
            document, ends = self._states.get(conversation, ("", 0.0))
        return Conversation.from_json(json.loads(document)) if ends > monotonic() else None

    def save(self, state: Conversation) -> None:
        """Keeps a state until its time to live runs out."""
        document = json.dumps(state.to_json())
        with self._guard:
            self._purge()
            self._states[state.id] = (document, monotonic() + self._ttl)

    def forget(self, conversation: str) -> None:
        """Drops a state."""
        with self._guard:
            self._states.pop(conversation, None)

    def lock(self, conversation: str, wait: float | None = None) -> AbstractContextManager[None]:
        """Holds the conversation against the other threads of this process; not re-entrant."""
        return self._locks.hold(conversation, self._lock_wait if wait is None else wait)

    def allow(self, key: str, limit: int, seconds: int) -> bool:
        """Counts one use of `key`; False once there were more than `limit` within `seconds`."""
        now = monotonic()
        with self._guard:
            self._purge()
            count = self._counts.get(key)
            if count is None or count.ends <= now:
                count = self._counts[key] = _Count(uses=0, ends=now + seconds)
            count.uses += 1
            return count.uses <= limit

    def publish(self, topic: str, payload: str) -> None:
        """Tells every listener of `topic` in this process."""
        with self._guard:
            for listener in self._listeners:
                if topic in listener.topics:
                    listener.messages.put((topic, payload))

    def listen(self, topics: list[str], wait: float) -> Iterator[tuple[str, str]]:
        """Yields (topic, payload) of what is published from this call on; ends after `wait` seconds without one."""
        listener = _Listener(topics)
        with self._guard:
            self._listeners.add(listener)
        return listener.read(wait)

    def ping(self) -> None:
        """Memory always answers."""

    def close(self) -> None:
        """There is nothing to close."""

    def _purge(self) -> None:
        now = monotonic()
        if now < self._next_purge:
            return
        self._next_purge = now + _PURGE_SECONDS
        self._states = {key: kept for key, kept in self._states.items() if kept[1] > now}
        self._counts = {key: count for key, count in self._counts.items() if count.ends > now}
