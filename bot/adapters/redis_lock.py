"""The lock of a conversation in Redis: one holder among all processes, kept while it works, gone when it dies."""

from __future__ import annotations

import logging
import random
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic, sleep

from redis import Redis

from bot.adapters.redis_connection import address_of, answering
from bot.adapters.thread_locks import ThreadLocks, busy
from bot.errors import StateUnavailableError

_log = logging.getLogger(__name__)

_POLL_SECONDS = (0.01, 0.03)
_LINE_SECONDS = 0.25
_MEND_SECONDS = 0.5

# KEYS: the lock, the place of whoever is next in line. ARGV: own token, lease in ms, time in line in ms.
# A try whose answer was lost on the way may be repeated, so a lock that is ours already counts as taken.
_TAKE = """
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then return 1 end
local first = redis.call('GET', KEYS[2])
if not holder and (not first or first == ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
  redis.call('DEL', KEYS[2])
  return 1
end
if not first or first == ARGV[1] then redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3]) end
return 0
"""

# A server that came back without the lock gets it again, unless somebody else was faster.
_KEEP = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

_RELEASE = """
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


@dataclass(slots=True)
class _Hold:
    """A lock that is held, or that could not be given back yet.

    `calls` is held during each call about it, so that it is never kept after it was given back.
    """

    conversation: str
    keys: list[str]
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    calls: threading.Lock = field(default_factory=threading.Lock)
    released_at: float | None = None


class RedisLocks:
    """One lock a conversation across threads and processes; not re-entrant.

    The threads of a process queue for a lock of their own first, so that only one of them asks Redis. Among
    processes the one that has waited longest is next, or nearly. One thread keeps all held locks alive, so a lease may
    be far shorter than a turn; a holder that dies is rid of its locks when the lease ends.
    """

    def __init__(self, client: Redis, *, wait: float, lease: float, prefix: str) -> None:
        """Prepares the scripts; nothing is sent yet.

        Args:
            client: a client that answers with `str`.
            wait: how long to wait for a lock, in seconds.
            lease: how long a lock outlives a holder that died, in seconds.
            prefix: what the keys begin with.
        """
        self._address = address_of(client)
        self._wait = wait
        self._lease = lease
        self._prefix = prefix
        self._threads = ThreadLocks()
        self._take = client.register_script(_TAKE)
        self._keep = client.register_script(_KEEP)
        self._release = client.register_script(_RELEASE)
        self._guard = threading.Lock()
        self._holds: dict[str, _Hold] = {}
        self._wake = threading.Event()
        self._closed = False
        self._keeper: threading.Thread | None = None

    @contextmanager
    def hold(self, conversation: str, wait: float | None = None) -> Iterator[None]:
        """Holds a conversation alone; `StateUnavailableError` where Redis is away, `busy` where it was not had in time.

        Args:
            conversation: which.
            wait: how long to wait for it, in seconds; None for as long as is usual.

        Yields:
            Nothing; the conversation is held meanwhile.
        """
        wait = self._wait if wait is None else wait
        deadline = monotonic() + wait
        with self._threads.hold(conversation, wait):
            # The braces make a Redis Cluster keep both keys on one node.
            keys = [f"{self._prefix}{kind}:{{{conversation}}}" for kind in ("lock", "line")]
            hold = _Hold(conversation, keys)
            self._acquire(hold, deadline, wait)
            try:
                yield
            finally:
                self._give_back(hold)

    def close(self) -> None:
        """Ends the thread that keeps the locks; those still held end with their lease."""
        with self._guard:
            self._closed = True
            keeper, self._keeper = self._keeper, None
        self._wake.set()
        if keeper is not None:
            keeper.join()

    def _acquire(self, hold: _Hold, deadline: float, wait: float) -> None:
        arguments: list[str | int] = [hold.token, int(self._lease * 1000), int(_LINE_SECONDS * 1000)]
        while True:
            try:
                with answering(self._address):
                    taken = self._take(keys=hold.keys, args=arguments)
            except StateUnavailableError:
                # Redis may have heard the question though its answer was lost.
                self._give_back_later(hold)
                raise
            if taken:
                self._remember(hold)
                return
            if monotonic() >= deadline:
                raise busy(hold.conversation, wait)
            sleep(random.uniform(*_POLL_SECONDS))

    def _give_back(self, hold: _Hold) -> None:
        hold.released_at = monotonic()
        try:
            self._drop(hold)
        except StateUnavailableError as error:
            # The turn itself is done, so this is no failure of it: the keeper tries on until the lease has ended.
            _log.warning("The lock of conversation %s is given back later. %s", hold.conversation, error)
            self._give_back_later(hold)

    def _give_back_later(self, hold: _Hold) -> None:
        hold.released_at = monotonic()
        self._remember(hold)
        self._wake.set()

    def _drop(self, hold: _Hold) -> None:
        with answering(self._address), hold.calls:
            self._release(keys=hold.keys, args=[hold.token])
        self._forget(hold)

    def _remember(self, hold: _Hold) -> None:
        with self._guard:
            self._holds[hold.token] = hold
            if not self._closed and (self._keeper is None or not self._keeper.is_alive()):
                self._keeper = threading.Thread(target=self._keep_alive, name="redis-locks", daemon=True)
                self._keeper.start()

    def _forget(self, hold: _Hold) -> None:
        with self._guard:
            self._holds.pop(hold.token, None)

    def _keep_alive(self) -> None:
        mending = False
        while not self._closed:
            self._wake.wait(min(self._lease / 3, _MEND_SECONDS) if mending else self._lease / 3)
            self._wake.clear()
            with self._guard:
                holds = list(self._holds.values())
            answered = [self._attend(hold) for hold in holds]
            mending = not all(answered)

    def _attend(self, hold: _Hold) -> bool:
        """Keeps or gives back one lock; False where Redis did not answer."""
        try:
            if hold.released_at is None:
                self._extend(hold)
            elif monotonic() < hold.released_at + self._lease:
                self._drop(hold)
            else:
                self._forget(hold)
        except StateUnavailableError as error:
            _log.warning("The lock of conversation %s could not be kept. %s", hold.conversation, error)
            return False
        return True

    def _extend(self, hold: _Hold) -> None:
        with answering(self._address), hold.calls:
            if hold.released_at is not None or self._keep(keys=hold.keys, args=[hold.token, int(self._lease * 1000)]):
                return
        self._forget(hold)
        _log.error(
            "The lock of conversation %s went to another process after Redis at %s was away for more than %g s.",
            hold.conversation,
            self._address,
            self._lease,
        )
