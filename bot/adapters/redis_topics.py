"""Listening to channels of Redis, through lost connections and restarts."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from time import monotonic, sleep

from redis import Redis
from redis.exceptions import RedisError

from bot.adapters.redis_connection import address_of

_log = logging.getLogger(__name__)

_CONFIRM_SECONDS = 2.0
_READ_SECONDS = 5.0
_RETRY_SECONDS = 0.2


class Subscription:
    """A subscription that is taken out again whenever its connection was lost; what was said meanwhile is lost."""

    def __init__(self, client: Redis, channels: dict[str, str]) -> None:
        """Prepares it; nothing is sent yet.

        Args:
            client: a client that answers with `str`.
            channels: our topic by the channel's name in Redis.
        """
        self._address = address_of(client)
        self._pubsub = client.pubsub()  # type: ignore[no-untyped-call]
        self._channels = channels
        self._confirmed: set[str] = set()
        self._early: deque[tuple[str, str]] = deque()

    def open(self) -> None:
        """Subscribes and waits until Redis has confirmed it; where Redis is away, `read` tries on."""
        deadline = monotonic() + _CONFIRM_SECONDS
        while len(self._confirmed) < len(self._channels) and (left := deadline - monotonic()) > 0:
            try:
                message = self._receive(left)
            except RedisError as error:
                self._note_loss(error)
                return
            if message is not None:
                self._early.append(message)

    def read(self, wait: float) -> Iterator[tuple[str, str]]:
        """Yields (topic, payload) as they come; ends, and unsubscribes, after `wait` seconds without one."""
        try:
            deadline = monotonic() + wait
            while self._early or (left := deadline - monotonic()) > 0:
                message = self._early.popleft() if self._early else self._receive_or_rest(min(left, _READ_SECONDS))
                if message is not None:
                    yield message
                    deadline = monotonic() + wait
        finally:
            self._pubsub.close()

    def _receive_or_rest(self, timeout: float) -> tuple[str, str] | None:
        try:
            return self._receive(timeout)
        except RedisError as error:
            self._note_loss(error)
            sleep(min(timeout, _RETRY_SECONDS))
            return None

    def _receive(self, timeout: float) -> tuple[str, str] | None:
        if not self._pubsub.subscribed:
            self._pubsub.subscribe(*self._channels)
        message = self._pubsub.get_message(timeout=timeout)
        if message is None:
            return None
        if message["type"] == "subscribe":
            self._confirmed.add(message["channel"])
        if message["type"] != "message":
            return None
        return self._channels[message["channel"]], message["data"]

    def _note_loss(self, error: RedisError) -> None:
        if self._confirmed or self._pubsub.subscribed:
            _log.warning(
                "Live news from Redis at %s stopped: %s. Listening goes on once it is back.", self._address, error
            )
        self._confirmed.clear()
        self._pubsub.close()
