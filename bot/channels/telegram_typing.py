"""Shows "typing…" while a customer waits for an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
import telegram
from telegram.constants import ChatAction
from telegram.error import TelegramError

LONGEST = 120.0
"""Seconds it is shown for one message at most; no work of the bot takes longer, unless something is broken."""

MOST_CHATS = 16
"""How many chats see it at a time: where more wait, requests for notices would slow the answers down."""

LONGEST_WAIT = 1.0
"""Seconds an answer waits for a notice under way, which would otherwise show below it."""

_log = structlog.get_logger(__name__)


class TypingIndicator:
    """Keeps a notice alive for each chat that waits.

    Args:
        bot: the connected bot.
        works: whether the bot works on an answer for a chat; asked in a thread before each notice.
        every: seconds after which Telegram has forgotten a notice.
        after: seconds before the first notice; an answer that is faster needs none, and costs no request for it.
    """

    def __init__(self, bot: telegram.Bot, works: Callable[[int], bool], every: float, after: float = 0.0) -> None:
        self._bot = bot
        self._works = works
        self._every = every
        self._after = after
        self._waiting: dict[int, tuple[asyncio.Task[None], asyncio.Event]] = {}

    def begin(self, chat: int) -> None:
        """Shows the notice soon, unless this chat sees one already or very many wait."""
        if chat in self._waiting or len(self._waiting) >= MOST_CHATS:
            return
        answered = asyncio.Event()
        task = asyncio.create_task(self._show(chat, answered))
        self._waiting[chat] = (task, answered)
        task.add_done_callback(lambda _: self._forget(chat, task))

    async def end(self, chat: int) -> None:
        """Ends the notice; returns when none is under way any more."""
        if chat not in self._waiting:
            return
        task, answered = self._waiting[chat]
        answered.set()
        await asyncio.wait({task}, timeout=LONGEST_WAIT)

    async def close(self) -> None:
        """Ends all notices."""
        tasks = [task for task, _ in self._waiting.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _show(self, chat: int, answered: asyncio.Event) -> None:
        now = asyncio.get_running_loop().time
        end, pause = now() + LONGEST, self._after
        while now() < end:
            if await _answered_within(answered, pause) or not await asyncio.to_thread(self._works, chat):
                return
            try:
                await self._bot.send_chat_action(chat, ChatAction.TYPING)
            except TelegramError as error:
                _log.debug("telegram_typing_not_shown", chat=chat, error=error.message)
                return
            pause = self._every

    def _forget(self, chat: int, task: asyncio.Task[None]) -> None:
        if chat in self._waiting and self._waiting[chat][0] is task:
            del self._waiting[chat]


async def _answered_within(answered: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(answered.wait(), seconds)
    except TimeoutError:
        return False
    return True
