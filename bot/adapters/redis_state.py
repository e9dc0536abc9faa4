"""Working memory in Redis, shared by every process of Frontdesk."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager

from redis import Redis

from bot.adapters.redis_connection import address_of, answering, connect
from bot.adapters.redis_lock import RedisLocks
from bot.adapters.redis_topics import Subscription
from bot.domain.conversation import Conversation

_log = logging.getLogger(__name__)

_COUNT = """
local uses = redis.call('INCR', KEYS[1])
if redis.call('TTL', KEYS[1]) < 0 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return uses
"""

# The generic cell rate algorithm by the server's own clock, which all processes share.
_BOOK = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local after = due + tonumber(ARGV[1])
redis.call('SET', KEYS[1], string.format('%.6f', after), 'PX', math.ceil((after - now) * 1000) + 1)
return string.format('%.6f', math.max(0, due - tonumber(ARGV[2]) - now))
"""


class RedisState:
    """The ports `LiveState` and `Moments` in Redis; safe among threads and processes.

    Whatever it asks of a Redis that does not answer, or refuses, is a `StateUnavailableError`. Call `close` at the end.
    """

    def __init__(
        self,
        redis: str | Redis,
        ttl_seconds: int,
        *,
        lock_wait: float = 10.0,
        lock_lease: float = 30.0,
        prefix: str = "frontdesk:",
    ) -> None:
        """Prepares the connection; nothing is sent yet.

        Args:
            redis: a URL, or a client made with `decode_responses=True` (it stays open at `close`).
            ttl_seconds: how long a state lives after it was saved.
            lock_wait: how long `lock` waits, in seconds.
            lock_lease: how long a lock outlives a holder that died, in seconds.
            prefix: what all keys and channels begin with.
        """
        self._owns_client = isinstance(redis, str)
        self._client = connect(redis) if isinstance(redis, str) else redis
        self._address = address_of(self._client)
        self._ttl = ttl_seconds
        self._prefix = prefix
        self._locks = RedisLocks(self._client, wait=lock_wait, lease=lock_lease, prefix=prefix)
        self._count = self._client.register_script(_COUNT)
        self._book = self._client.register_script(_BOOK)

    def load(self, conversation: str) -> Conversation | None:
        """The live state, or None where it has expired, never was, or cannot be read.

        Args:
            conversation: its id.

        Returns:
            The state; None makes the caller rebuild it from the log.
        """
        key = self._key("state", conversation)
        with answering(self._address):
            document = self._client.get(key)
        if document is None:
            return None
        try:
            return Conversation.from_json(json.loads(str(document)))
        except (ValueError, TypeError, AttributeError) as error:
            _log.warning("The state under %s in Redis is left aside, as it cannot be read: %s", key, error)
            return None

    def save(self, state: Conversation) -> None:
        """Keeps a state until its time to live runs out."""
        with answering(self._address):
            self._client.set(self._key("state", state.id), json.dumps(state.to_json()), ex=self._ttl)

    def forget(self, conversation: str) -> None:
        """Drops a state."""
        with answering(self._address):
            self._client.delete(self._key("state", conversation))

    def lock(self, conversation: str, wait: float | None = None) -> AbstractContextManager[None]:
        """Holds the conversation alone, across threads and processes; not re-entrant."""
        return self._locks.hold(conversation, wait)

    def allow(self, key: str, limit: int, seconds: int) -> bool:
        """Counts one use of `key`, in windows that begin with their first use.

        Args:
            key: what is used.
            limit: how many uses a window has.
            seconds: how long a window is.

        Returns:
            False once there were more than `limit`.
        """
        with answering(self._address):
            uses = self._count(keys=[self._key("uses", key)], args=[seconds])
        return int(uses) <= limit

    def book(self, key: str, apart: float, slack: float) -> float:
        """Books the next moment of a key among all processes; see the port `Moments`."""
        with answering(self._address):
            return float(self._book(keys=[self._key("moment", key)], args=[apart, slack]))

    def publish(self, topic: str, payload: str) -> None:
        """Tells every process that listens to `topic`."""
        with answering(self._address):
            self._client.publish(self._key("topic", topic), payload)

    def listen(self, topics: list[str], wait: float) -> Iterator[tuple[str, str]]:
        """Yields (topic, payload) of what is published from this call on.

        While Redis is away nothing comes and nothing is raised; listening goes on once it is back.

        Args:
            topics: what to listen to.
            wait: the iterator ends after so many seconds without a message.

        Returns:
            The iterator.
        """
        subscription = Subscription(self._client, {self._key("topic", topic): topic for topic in topics})
        subscription.open()
        return subscription.read(wait)

    def ping(self) -> None:
        """Checks that Redis answers."""
        with answering(self._address):
            self._client.ping()

    def close(self) -> None:
        """Ends the background thread and the connections."""
        self._locks.close()
        if self._owns_client:
            self._client.close()

    def _key(self, kind: str, name: str) -> str:
        return f"{self._prefix}{kind}:{name}"
