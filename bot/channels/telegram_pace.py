"""How fast messages leave: within what Telegram takes, so that it seldom has to refuse one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial

import structlog

from bot.breaker import Breaker
from bot.channels.telegram_timing import Timing
from bot.domain.ports import Moments
from bot.errors import UnavailableError

BURST = 3
"""How many messages a private chat takes at once, when it was quiet before."""

_FORGOTTEN = 1000
_ANSWER_SECONDS = 1.0
_BOOKED_SECONDS = 0.1
_ASKING = 2

_log = structlog.get_logger(__name__)


class Pace:
    """Gives each message its moment (the generic cell rate algorithm, ITU-T I.371).

    Moments are booked here and, where there is one, in a book that all processes share; the later one counts. Those of
    all chats together are booked for a tenth of a second at a time, so that busy processes ask the book less often.
    While that book is away, or too slow, this process keeps to its own.

    Args:
        timing: how far messages have to be apart.
        moments: the book that all processes share; None for this process alone.
        now: tells seconds that only grow.

    Attributes:
        between: how far apart messages leave, at least `timing.between`; further where other processes send as well.
    """

    def __init__(
        self, timing: Timing, moments: Moments | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.between = timing.between
        self._timing = timing
        self._moments = moments
        self._now = now
        self._breaker = Breaker(now)
        # The threads that all share may be waiting for SQL, each for seconds.
        self._asking = ThreadPoolExecutor(_ASKING, "telegram-pace")
        self._any = 0.0
        self._next = self._until = 0.0
        self._chats: dict[int, float] = {}
        self.begin()

    def begin(self) -> None:
        """Begins anew in the event loop that runs now; what is booked stays so."""
        self._turns = asyncio.Lock()
        self._later = asyncio.Lock()

    async def turn_of(self, chat: int, *, again: bool = False) -> None:
        """Waits until a message to a chat may leave: first for the chat's moment, then for that of all together.

        One message at a time books the moment of all, so that who gives up waiting takes at most one from others. The
        chat's is left: only that chat may wait for it.

        Args:
            chat: to whom.
            again: whether it was tried before. Of these at most one is in line at a time, so that many that Telegram
                refused together hold up no other chat.
        """
        apart, slack = self._limits(chat)
        await asyncio.sleep(max(self.of_chat(chat), await self._shared(str(chat), apart, slack) or 0.0))
        async with self._later if again else nullcontext(), self._turns:
            own = self.of_all()
            try:
                await asyncio.sleep(max(own, await self._shared_by_all()))
            except asyncio.CancelledError:
                self._any -= self._timing.between
                raise

    def of_chat(self, chat: int) -> float:
        """Books a chat's next moment in this process.

        Args:
            chat: to whom; the ids of groups are below zero.

        Returns:
            Seconds until then, 0 for at once.
        """
        now = self._now()
        apart, slack = self._limits(chat)
        due = max(self._chats.get(chat, 0.0), now)
        self._chats[chat] = due + apart
        if len(self._chats) > _FORGOTTEN:
            self._chats = {known: until for known, until in self._chats.items() if until > now}
        return max(0.0, due - slack - now)

    def of_all(self) -> float:
        """Books the next moment of all messages in this process; seconds until then, 0 for at once."""
        now = self._now()
        moment = max(now, self._any)
        self._any = moment + self._timing.between
        return moment - now

    def _limits(self, chat: int) -> tuple[float, float]:
        """How far messages to a chat are apart, and how much earlier one may leave after silence."""
        if chat < 0:
            return self._timing.between_group, 0.0
        return self._timing.between_own, (BURST - 1) * self._timing.between_own

    async def _shared_by_all(self) -> float:
        """The next moment that is this process's alone; seconds until then, 0 for at once or without a book."""
        between = self._timing.between
        moment = max(self._next, self._now())
        if moment > self._until - between / 2:
            several = max(1, round(_BOOKED_SECONDS / between)) if between else 1
            wait = await self._shared("all", several * between, 0.0)
            self.between = between + (wait or 0.0) / several
            if wait is None:
                return 0.0
            moment = self._now() + wait
            self._until = moment + several * between
        self._next = moment + between
        return moment - self._now()

    async def _shared(self, key: str, apart: float, slack: float) -> float | None:
        """Books a moment among all processes; None where that cannot be had."""
        if self._moments is None or not apart or self._breaker.is_open:
            return None
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                book = partial(self._moments.book, f"telegram:{key}", apart, slack)
                wait = await asyncio.get_running_loop().run_in_executor(self._asking, book)
        except (UnavailableError, TimeoutError) as error:
            self._breaker.failed()
            _log.warning("telegram_pace_not_shared", error=str(error) or "Redis took too long")
            return None
        self._breaker.succeeded()
        return wait
