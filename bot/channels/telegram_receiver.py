"""Takes updates in: stored first, acknowledged after; customers are told when nothing can be stored."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Coroutine, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
import telegram
from telegram.error import TelegramError

from bot.channels.telegram_keyboard import judged
from bot.channels.telegram_typing import TypingIndicator
from bot.channels.telegram_updates import Verdict, chat_of, incoming, verdict_of
from bot.domain.log_ports import ConversationLog
from bot.domain.messages import IncomingMessage
from bot.domain.ports import Intake
from bot.errors import InputError, UnavailableError

TRIES = 3
"""How often an update is offered that fails for a reason of its own, before it is passed over."""

_log = structlog.get_logger(__name__)


class Receiver:
    """Brings updates to intake, one at a time or several at once.

    Args:
        bot: the connected bot.
        intake: where messages are stored.
        outage_texts: what to tell a customer whose message cannot be stored now, by language.
        typing: the notice that an answer is on its way.
        log: where verdicts on answers are stored.
        agents_chat: the chat in which agents talk among themselves, None for none.
        commands: the commands that the bot knows, such as `/help`.
    """

    def __init__(
        self,
        bot: telegram.Bot,
        intake: Intake,
        outage_texts: Mapping[str, str],
        typing: TypingIndicator,
        log: ConversationLog,
        agents_chat: int | None = None,
        commands: Collection[str] = (),
    ) -> None:
        self._bot = bot
        self._commands = commands
        self._agents_chat = agents_chat
        self._verdicts = log
        self._intake = intake
        self._outage_texts = outage_texts
        self._typing = typing
        self._told: set[int] = set()
        self._down = False
        self._failures: Counter[int] = Counter()
        self._background: set[asyncio.Task[None]] = set()

    async def take(self, update: telegram.Update) -> bool:
        """Stores what an update brings.

        Args:
            update: any update; what is none of a customer's words is passed over.

        Returns:
            False where it could not be stored and must be offered again.
        """
        if update.callback_query:
            self._run_aside(self._stop_spinner(update.callback_query))
            verdict = verdict_of(update.callback_query)
            if verdict is not None:
                return await self._take_verdict(update, update.callback_query, verdict)
        message = incoming(update, datetime.now(UTC), self._username, self._commands)
        chat = chat_of(message.conversation) if message else None
        if message is None or chat is None or chat == self._agents_chat:
            return True
        try:
            new = await asyncio.to_thread(self._intake.accept, message)
        except UnavailableError as error:
            self._note_outage(error)
            return False
        except Exception as error:  # noqa: BLE001
            return self._passes_over(update, error)
        self._note_recovery()
        if new:
            self._typing.begin(chat)
        return True

    async def apologise(self, updates: Iterable[telegram.Update]) -> None:
        """Tells the customers behind updates, once an outage, that their messages wait in safety."""
        for update in updates:
            message = incoming(update, datetime.now(UTC), self._username, self._commands)
            chat = chat_of(message.conversation) if message else None
            if message is None or chat is None or chat in (self._agents_chat, *self._told):
                continue
            self._told.add(chat)
            try:
                await self._bot.send_message(chat, self._apology(message))
            except TelegramError as error:
                _log.warning("telegram_apology_not_sent", chat=chat, error=error.message)

    async def close(self) -> None:
        """Ends what still runs aside."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    @property
    def _username(self) -> str:
        """The bot's own name, as soon as it is connected."""
        try:
            return self._bot.username
        except RuntimeError:
            return ""

    async def _take_verdict(self, update: telegram.Update, query: telegram.CallbackQuery, verdict: Verdict) -> bool:
        """Stores a verdict on one of the chat's own turns and marks it; False where it must be offered again."""
        try:
            turn = await asyncio.to_thread(self._verdicts.turn, verdict.turn)
            if turn is None or turn.conversation != verdict.conversation:
                return True
            await asyncio.to_thread(self._verdicts.add_feedback, verdict.turn, verdict.value)
        except UnavailableError as error:
            self._note_outage(error)
            return False
        except InputError as error:
            # The turn was erased since it was looked up.
            _log.info("telegram_verdict_passed_over", error=str(error))
            return True
        except Exception as error:  # noqa: BLE001
            return self._passes_over(update, error)
        self._note_recovery()
        self._run_aside(self._mark_verdict(query))
        return True

    async def _mark_verdict(self, query: telegram.CallbackQuery) -> None:
        message = query.message
        if not isinstance(message, telegram.Message):
            return
        markup = judged(message.reply_markup, query.data or "")
        if markup is None:
            return
        try:
            await self._bot.edit_message_reply_markup(message.chat.id, message.message_id, reply_markup=markup)
        except TelegramError as error:
            _log.debug("telegram_verdict_not_marked", error=error.message)

    def _apology(self, message: IncomingMessage) -> str:
        """All languages, the customer's first: which one they write in is stored where nothing can be read now."""
        by_preference = sorted(self._outage_texts, key=lambda lang: lang != message.lang)
        return "\n\n".join(self._outage_texts[lang] for lang in by_preference)

    def _note_outage(self, error: UnavailableError) -> None:
        if not self._down:
            _log.error("telegram_intake_away", error=str(error))
        self._down = True

    def _note_recovery(self) -> None:
        if self._down:
            _log.info("telegram_intake_back", customers_told=len(self._told))
        self._down = False
        self._told.clear()

    def _passes_over(self, update: telegram.Update, error: Exception) -> bool:
        """Whether an update that cannot be digested has held up the others long enough."""
        self._failures[update.update_id] += 1
        given_up = self._failures[update.update_id] >= TRIES
        _log.error("telegram_update_failed", update=update.update_id, given_up=given_up, exc_info=error)
        if given_up:
            del self._failures[update.update_id]
        return given_up

    async def _stop_spinner(self, query: telegram.CallbackQuery) -> None:
        try:
            await query.answer()
        except TelegramError as error:
            _log.debug("telegram_spinner_not_stopped", error=error.message)

    def _run_aside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
