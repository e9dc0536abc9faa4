"""How fast messages leave: within what Telegram takes, so that it seldom has to refuse one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from bot.channels.telegram_timing import Timing

BURST = 3
"""How many messages a private chat takes at once, when it was quiet before."""

_FORGOTTEN = 1000


class Pace:
    """Gives each message its moment (the generic cell rate algorithm, ITU-T I.371).

    Args:
        timing: how far messages have to be apart.
        now: tells seconds that only grow.
    """

    def __init__(self, timing: Timing, now: Callable[[], float] = time.monotonic) -> None:
        self._timing = timing
        self._now = now
        self._any = 0.0
        self._chats: dict[int, float] = {}

    async def turn_of(self, chat: int) -> None:
        """Waits until a message to a chat may leave: first for the chat's moment, then for that of all together.

        Who gives up waiting gives the moment of all together back. The chat's is left: only that chat may wait for it.

        Args:
            chat: to whom.
        """
        await asyncio.sleep(self.of_chat(chat))
        try:
            await asyncio.sleep(self.of_all())
        except asyncio.CancelledError:
            self._any -= self._timing.between
            raise

    def of_chat(self, chat: int) -> float:
        """Books a chat's next moment.

        Args:
            chat: to whom; the ids of groups are below zero.

        Returns:
            Seconds until then, 0 for at once.
        """
        now = self._now()
        apart = self._timing.between_group if chat < 0 else self._timing.between_own
        slack = 0.0 if chat < 0 else (BURST - 1) * apart
        due = max(self._chats.get(chat, 0.0), now)
        self._chats[chat] = due + apart
        if len(self._chats) > _FORGOTTEN:
            self._chats = {known: until for known, until in self._chats.items() if until > now}
        return max(0.0, due - slack - now)

    def of_all(self) -> float:
        """Books the next moment of all messages; seconds until then, 0 for at once."""
        now = self._now()
        moment = max(now, self._any)
        self._any = moment + self._timing.between
        return moment - now
