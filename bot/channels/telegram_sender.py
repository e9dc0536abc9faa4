"""Delivers the outbox to Telegram.

Delivery is at least once. A message is marked as sent after Telegram took it; where the connection breaks between
Telegram taking it and saying so, nobody can tell whether it arrived, and it is sent again: a customer may then see a
reply twice, but never misses one. Parts of a long message that Telegram confirmed are not repeated by this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import structlog
import telegram
from prometheus_client import Counter
from telegram.constants import FileSizeLimit
from telegram.error import BadRequest, ChatMigrated, Forbidden, RetryAfter, TelegramError

from bot.channels.telegram_keyboard import keyboard
from bot.channels.telegram_pace import Pace
from bot.channels.telegram_text import split_text
from bot.channels.telegram_timing import Timing, growing_delay, pause
from bot.channels.telegram_typing import TypingIndicator
from bot.channels.telegram_updates import CHANNEL, chat_of, number_of
from bot.customer_data import FILE_NAME, own_data
from bot.domain.log_ports import ConversationLog
from bot.domain.ports import Moments
from bot.domain.records import Outgoing
from bot.errors import DeliveryError, UnavailableError

CONCURRENT = 16
"""How many messages are on their way at once; a chat that hangs holds up no other."""

CLAIMED = 128
"""How many messages this process holds at most, those included that wait for the moment when they may leave."""

GATHERING = 0.02
"""How many seconds after a claim the next one waits, for what is delivered and answered meanwhile."""

TOO_LARGE = "Too Large"
"""What status 413 is called in every version of Python; the library tells it from a lost connection by that only."""

MOST_TRIES = 8
"""How often at least a message is tried before a refusal that may be the message's own fault ends it: two minutes."""

# The library tells statuses other than 400, 401, 403 and 404 by their names only. These say nothing of the message:
# the token (401, 404), a proxy that waited (408), too many messages at once (429).
_OTHERS_FAULT = (401, 404, 408, 429)
_REFUSALS = tuple(status.phrase for status in HTTPStatus if 400 <= status < 500 and status not in _OTHERS_FAULT)

_DELIVERIES = Counter("frontdesk_deliveries", "Tries to deliver a message to a customer.", ["channel", "outcome"])

_log = structlog.get_logger(__name__)


def delivery_error(error: TelegramError, attempts: int, timing: Timing) -> DeliveryError:
    """What a refusal of Telegram means for a message.

    Args:
        error: the refusal.
        attempts: how often delivery was tried before.
        timing: how fast the delay grows.

    Returns:
        A permanent error where no later try can succeed, else one with the seconds to wait.
    """
    reason = f"{type(error).__name__}: {error.message}"
    if isinstance(error, RetryAfter):
        wait = error.retry_after
        return DeliveryError(reason, retry_after=wait.total_seconds() if isinstance(wait, timedelta) else float(wait))
    if isinstance(error, Forbidden | BadRequest | ChatMigrated) or TOO_LARGE in error.message:
        return DeliveryError(reason, permanent=True)
    if error.message.startswith(_REFUSALS):
        return refusal(reason, attempts, timing)
    return _later(reason, attempts, timing)


def refusal(reason: str, attempts: int, timing: Timing) -> DeliveryError:
    """A failure that may be the message's own fault, and must not hold up those behind it for ever.

    Args:
        reason: what happened.
        attempts: how often delivery was tried before.
        timing: how fast the delay grows.

    Returns:
        An error with the seconds to wait, or a permanent one after `MOST_TRIES`.
    """
    if attempts + 1 >= MOST_TRIES:
        return DeliveryError(reason, permanent=True)
    return _later(reason, attempts, timing)


def _later(reason: str, attempts: int, timing: Timing) -> DeliveryError:
    return DeliveryError(reason, retry_after=growing_delay(attempts, timing.first_retry, timing.longest_retry))


def claimable(lease: float, between: float) -> int:
    """How many messages to hold: what can leave within a third of the lease, so that even two parts of each can.

    Args:
        lease: how long a claim lasts, in seconds.
        between: how far apart messages leave, in seconds.

    Returns:
        From 1 to `CLAIMED`.
    """
    return max(1, min(CLAIMED, int(lease / 3 / between))) if between else CLAIMED


class OutboxSender:
    """Claims due messages and sends them, many chats at once, each chat in order.

    Args:
        bot: the connected bot.
        log: the outbox.
        typing: the notice that a reply replaces.
        timing: waiting times.
        moments: when messages of all processes may leave; None where there is only this one.
    """

    def __init__(
        self,
        bot: telegram.Bot,
        log: ConversationLog,
        typing: TypingIndicator,
        timing: Timing,
        moments: Moments | None = None,
    ) -> None:
        self._bot = bot
        self._outbox = log
        self._typing = typing
        self._timing = timing
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._deliveries: set[asyncio.Task[None]] = set()
        self._taken: dict[int, list[int]] = {}
        self._unnoted: set[int] = set()
        self._pace = Pace(timing, moments)
        self._on_the_way = asyncio.Semaphore(CONCURRENT)

    def notify(self) -> None:
        """Says, from any thread, that something may be due now."""
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._wake.set)

    async def run(self, stop: asyncio.Event) -> None:
        """Delivers until `stop` is set, then finishes what is under way."""
        self._wake = asyncio.Event()
        self._on_the_way = asyncio.Semaphore(CONCURRENT)
        self._pace.begin()
        self._loop = asyncio.get_running_loop()
        failures = 0
        try:
            while not stop.is_set():
                self._wake.clear()
                try:
                    claimed = await self._claim()
                except Exception as error:  # noqa: BLE001
                    if not failures:
                        expected = isinstance(error, UnavailableError)
                        _log.error("telegram_outbox_away", error=str(error), exc_info=None if expected else error)
                    delay = growing_delay(failures, self._timing.first_retry, self._timing.longest_store_outage)
                    await pause(stop, delay)
                    failures += 1
                    continue
                failures = 0
                for outgoing in claimed:
                    self._start(outgoing)
                await (asyncio.sleep(GATHERING) if claimed else self._sleep(stop))
        finally:
            self._loop = None
            await self._finish()

    async def _claim(self) -> list[Outgoing]:
        """Marks messages as sent and takes new ones; while that fails, they stay claimed and their chats wait."""
        delivered = self._delivered()
        free = max(0, claimable(self._timing.lease, self._pace.between) - len(self._deliveries))
        if not delivered and not free:
            return []
        lease = self._timing.lease
        claimed = await asyncio.to_thread(self._outbox.claim_outgoing, CHANNEL, free, lease, delivered)
        self._forget(delivered)
        return claimed

    async def _sleep(self, stop: asyncio.Event) -> None:
        waits = {asyncio.ensure_future(stop.wait()), asyncio.ensure_future(self._wake.wait())}
        await asyncio.wait(waits, timeout=self._timing.outbox, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    async def _finish(self) -> None:
        if self._deliveries:
            await asyncio.wait(self._deliveries, timeout=self._timing.grace)
        for delivery in self._deliveries:
            delivery.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)
        try:
            if delivered := self._delivered():
                await asyncio.to_thread(self._outbox.mark_sent, delivered)
                self._forget(delivered)
        except UnavailableError as error:
            _log.error("telegram_delivery_not_noted", outgoing=sorted(self._unnoted), error=str(error))

    def _start(self, outgoing: Outgoing) -> None:
        delivery = asyncio.create_task(self._deliver(outgoing))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._ended)

    def _ended(self, delivery: asyncio.Task[None]) -> None:
        self._deliveries.discard(delivery)
        self._wake.set()
        if not delivery.cancelled() and (error := delivery.exception()):
            _log.error("telegram_delivery_broke", exc_info=error)

    async def _deliver(self, outgoing: Outgoing) -> None:
        try:
            try:
                # Past its lease the message may be another process's, and would be sent twice.
                async with asyncio.timeout(self._timing.lease * 0.9):
                    await self._send(outgoing)
            except TimeoutError:
                raise _later("Telegram did not take the message in time", outgoing.attempts, self._timing) from None
            self._unnoted.add(outgoing.id)
            _DELIVERIES.labels(CHANNEL, "sent").inc()
        except DeliveryError as error:
            await self._settle(outgoing, error)
        except Exception as error:  # noqa: BLE001
            _log.exception("telegram_delivery_broke", outgoing=outgoing.id)
            await self._settle(outgoing, refusal(f"{type(error).__name__}: {error}", outgoing.attempts, self._timing))

    def _delivered(self) -> dict[int, str]:
        return {outgoing: str(self._taken[outgoing][-1]) for outgoing in self._unnoted}

    def _forget(self, delivered: Iterable[int]) -> None:
        for outgoing in delivered:
            del self._taken[outgoing]
            self._unnoted.discard(outgoing)

    async def _send(self, outgoing: Outgoing) -> None:
        chat = chat_of(outgoing.conversation)
        parts = split_text(outgoing.text.encode("utf-8", "replace").decode())
        if chat is None:
            raise DeliveryError(f"{outgoing.conversation!r} names no Telegram chat", permanent=True)
        if not parts:
            raise DeliveryError("the text has nothing to see, and Telegram takes no empty message", permanent=True)
        await self._typing.end(chat)
        quoted = await self._quoted(chat, outgoing)
        taken = self._taken.setdefault(outgoing.id, [])
        try:
            for part in parts[len(taken) :]:
                last = len(taken) == len(parts) - 1
                await self._pace.turn_of(chat, again=outgoing.attempts > 0)
                markup = keyboard(outgoing.buttons, outgoing.turn if outgoing.judged else None) if last else None
                async with self._on_the_way:
                    message = await self._bot.send_message(chat, part, reply_markup=markup, reply_parameters=quoted)
                taken.append(message.message_id)
            if outgoing.attachment and len(taken) == len(parts):
                taken.append(await self._send_own_data(chat, outgoing))
        except TelegramError as error:
            raise delivery_error(error, outgoing.attempts, self._timing) from error

    async def _quoted(self, chat: int, outgoing: Outgoing) -> telegram.ReplyParameters | None:
        """In a group, where many ask, the message that is answered; what quotes it also stays in its topic."""
        if chat > 0 or outgoing.turn is None:
            return None
        try:
            turn = await asyncio.to_thread(self._outbox.turn, outgoing.turn)
        except UnavailableError as error:
            raise _later(str(error), outgoing.attempts, self._timing) from error
        number = number_of(turn.message_id) if turn else None
        return telegram.ReplyParameters(number, allow_sending_without_reply=True) if number else None

    async def _send_own_data(self, chat: int, outgoing: Outgoing) -> int:
        try:
            content = await asyncio.to_thread(own_data, self._outbox, outgoing.conversation)
        except UnavailableError as error:
            raise _later(str(error), outgoing.attempts, self._timing) from error
        if len(content) > FileSizeLimit.FILESIZE_UPLOAD:
            limit = f"Telegram takes at most {FileSizeLimit.FILESIZE_UPLOAD:d} bytes"
            raise DeliveryError(f"the file has {len(content)} bytes, and {limit}", permanent=True)
        await self._pace.turn_of(chat, again=outgoing.attempts > 0)
        async with self._on_the_way:
            return (await self._bot.send_document(chat, content, filename=FILE_NAME)).message_id

    async def _settle(self, outgoing: Outgoing, error: DeliveryError) -> None:
        retry_at = None if error.permanent else datetime.now(UTC) + timedelta(seconds=error.retry_after or 0)
        _DELIVERIES.labels(CHANNEL, "given_up" if error.permanent else "failed").inc()
        _log.warning(
            "telegram_delivery_failed",
            outgoing=outgoing.id,
            conversation=outgoing.conversation,
            error=str(error),
            retry_at=retry_at.isoformat() if retry_at else None,
        )
        if error.permanent:
            self._taken.pop(outgoing.id, None)
        try:
            await asyncio.to_thread(self._outbox.mark_failed, outgoing.id, str(error), retry_at)
        except UnavailableError as away:
            _log.error("telegram_failure_not_noted", outgoing=outgoing.id, error=str(away))
