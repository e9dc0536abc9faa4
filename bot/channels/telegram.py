"""The Telegram channel: updates in by long polling or webhook, replies out of the outbox."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Literal

import structlog
import telegram
from telegram.error import BadRequest, Conflict, InvalidToken, RetryAfter, TelegramError

from bot.channels.telegram_client import ALLOWED_UPDATES, REFUSED_TOKEN, introduce, log_in, open_bot
from bot.channels.telegram_receiver import Receiver
from bot.channels.telegram_sender import CONCURRENT, OutboxSender, delivery_error
from bot.channels.telegram_timing import Timing, growing_delay, pause, until_stopped
from bot.channels.telegram_typing import TypingIndicator
from bot.channels.telegram_updates import CHANNEL, UNREADABLE, read_update
from bot.domain.conversation import Status
from bot.domain.log_ports import ConversationLog
from bot.domain.ports import Intake, Moments
from bot.errors import SettingsError, UnavailableError

API_URL = "https://api.telegram.org"
LARGEST_WEBHOOK_BODY = 1_000_000
"""Bytes; Telegram's own updates stay far below."""

Mode = Literal["polling", "webhook"]

_log = structlog.get_logger(__name__)


class TelegramChannel:
    """Serves one bot, with either `run`, or `start` and `stop`.

    An update is stored before it is acknowledged: by the offset of the next poll, or by the webhook's status. What
    comes twice for that (a restart in between) has the same id and is one message to intake. A token or a setting of
    the webhook that cannot work is a SettingsError at once.

    Args:
        token: as @BotFather gave it.
        api_url: where the Bot API is.
        intake: where messages are stored and answered.
        log: the outbox.
        outage_texts: what to tell customers while nothing can be stored, by language.
        commands: the commands that the bot knows, such as `/help`.
        names: the bot's name by language, for its profile.
        mode: how updates come in.
        webhook_url: the public https address of `handle_webhook`, for mode `webhook`.
        webhook_secret: what Telegram must send along with each update, for mode `webhook`.
        agents_chat: the chat where agents read notices; what is said there is nobody's wish. None for no such chat.
        timing: waiting times.
        moments: when messages of all processes may leave; None where there is only this one.
    """

    def __init__(
        self,
        *,
        token: str,
        api_url: str = API_URL,
        intake: Intake,
        log: ConversationLog,
        outage_texts: Mapping[str, str],
        commands: Collection[str] = ("/start", "/help", "/human"),
        names: Mapping[str, str] | None = None,
        mode: Mode = "polling",
        webhook_url: str = "",
        webhook_secret: str = "",
        agents_chat: int | None = None,
        timing: Timing | None = None,
        moments: Moments | None = None,
    ) -> None:
        if mode == "webhook":
            _check_webhook(webhook_url, webhook_secret)
        self._mode = mode
        self._webhook_url = webhook_url
        self._webhook_secret = webhook_secret
        self._timing = timing or Timing()
        self._bot = open_bot(token, api_url, request_seconds=self._timing.request, connections=2 * CONCURRENT)
        works = partial(_works_for, log)
        self._typing = TypingIndicator(self._bot, works, self._timing.typing, self._timing.typing_after)
        self._receiver = Receiver(self._bot, intake, outage_texts, self._typing, log, agents_chat, commands)
        self._sender = OutboxSender(self._bot, log, self._typing, self._timing, moments)
        self._commands = commands
        self._names = names or {}
        self._connected = False
        self._stop = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def notify(self, channel: str = CHANNEL) -> None:
        """Says, from any thread, that the outbox may hold something new for a channel; other channels are not its own.

        Args:
            channel: whose.
        """
        if channel == CHANNEL:
            self._sender.notify()

    async def start(self) -> None:
        """Connects and serves in the background until `stop`; while Telegram is away, it goes on trying.

        Raises:
            SettingsError: Telegram refuses the token or the webhook.
        """
        try:
            await self._connect()
        except TelegramError as error:
            _log.warning("telegram_away", error=error.message)
        except SettingsError:
            await self._bot.shutdown()
            raise
        self._stop = asyncio.Event()
        self._running = asyncio.create_task(self.run(self._stop))
        self._running.add_done_callback(_report_end)

    async def stop(self) -> None:
        """Ends what `start` began; deliveries under way are finished first."""
        if self._running is None:
            return
        self._stop.set()
        await asyncio.wait({self._running})
        self._running = None

    async def run(self, stop: asyncio.Event) -> None:
        """Serves until `stop` is set or Telegram refuses the token or the webhook, which is a SettingsError.

        Args:
            stop: set it to end; connections are closed then.
        """
        try:
            await self._keep_connecting(stop)
            await self._serve(stop)
        finally:
            await self._typing.close()
            await self._receiver.close()
            await self._bot.shutdown()
            self._connected = False

    async def handle_webhook(self, body: bytes, secret: str | None) -> int:
        """Takes one update that was posted to the webhook.

        Args:
            body: the request's body.
            secret: its `X-Telegram-Bot-Api-Secret-Token` header.

        Returns:
            The HTTP status to answer: 200 once the update is stored, 503 where Telegram must send it again, 401 for
            a wrong secret, 400 for what is no update, 413 for more than a megabyte, 404 while updates are polled.
        """
        if self._mode != "webhook":
            return HTTPStatus.NOT_FOUND
        if not hmac.compare_digest((secret or "").encode(), self._webhook_secret.encode()):
            return HTTPStatus.UNAUTHORIZED
        if len(body) > LARGEST_WEBHOOK_BODY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        try:
            update = read_update(body, self._bot)
        except UNREADABLE as error:
            _log.warning("telegram_webhook_body_refused", error=repr(error))
            return HTTPStatus.BAD_REQUEST
        if await self._receiver.take(update):
            return HTTPStatus.OK
        await self._receiver.apologise([update])
        return HTTPStatus.SERVICE_UNAVAILABLE

    async def _serve(self, stop: asyncio.Event) -> None:
        """Does all duties until `stop` is set; an error of one ends the others in good order, and is raised."""
        halt = asyncio.Event()
        duties = [
            asyncio.create_task(_relay(stop, halt)),
            asyncio.create_task(until_stopped(halt, introduce(self._bot, self._commands, self._names))),
            asyncio.create_task(self._sender.run(halt)),
        ]
        if self._mode == "polling":
            duties.append(asyncio.create_task(self._poll(halt)))
        try:
            await asyncio.wait(duties, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            halt.set()
            duties[0].cancel()
            results = await asyncio.gather(*duties, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _connect(self) -> None:
        if self._connected:
            return
        await log_in(self._bot)
        if self._mode == "webhook":
            await self._set_webhook()
        else:
            await self._bot.delete_webhook(drop_pending_updates=False)
        self._connected = True
        _log.info("telegram_connected", bot=self._bot.username, mode=self._mode)

    async def _set_webhook(self) -> None:
        try:
            await self._bot.set_webhook(
                self._webhook_url, secret_token=self._webhook_secret, allowed_updates=ALLOWED_UPDATES
            )
        except BadRequest as error:
            raise SettingsError(
                f"Telegram refused FRONTDESK_TELEGRAM_WEBHOOK_URL {self._webhook_url!r}: {error.message}"
            ) from None

    async def _keep_connecting(self, stop: asyncio.Event) -> None:
        failures = 0
        while not stop.is_set():
            try:
                await until_stopped(stop, self._connect())
            except TelegramError as error:
                await self._wait_out(error, failures, stop)
                failures += 1
            else:
                return

    async def _poll(self, stop: asyncio.Event) -> None:
        offset: int | None = None
        failures = 0
        while not stop.is_set():
            try:
                updates = await until_stopped(
                    stop,
                    self._bot.get_updates(
                        offset=offset, timeout=self._timing.long_poll, allowed_updates=ALLOWED_UPDATES
                    ),
                )
            except InvalidToken:
                raise SettingsError(REFUSED_TOKEN) from None
            except Exception as error:  # noqa: BLE001
                # Beside TelegramError: what the library raises on an answer that holds no updates.
                await self._wait_out(error, failures, stop)
                failures += 1
                continue
            stored = await self._take_all(updates or ())
            if stored:
                offset = stored[-1].update_id + 1
            if len(stored) == len(updates or ()):
                failures = 0
                continue
            await pause(stop, growing_delay(failures, self._timing.first_retry, self._timing.longest_store_outage))
            failures += 1

    async def _take_all(self, updates: Sequence[telegram.Update]) -> Sequence[telegram.Update]:
        """Stores updates in order up to the first that cannot be; gives those that were."""
        for index, update in enumerate(updates):
            if not await self._receiver.take(update):
                await self._receiver.apologise(updates[index:])
                return updates[:index]
        return updates

    async def _wait_out(self, error: Exception, failures: int, stop: asyncio.Event) -> None:
        if not failures:
            _log.error("telegram_away", error=_explain(error))
        delay = growing_delay(failures, self._timing.first_retry, self._timing.longest_outage)
        if isinstance(error, RetryAfter):
            delay = delivery_error(error, failures, self._timing).retry_after or delay
        await pause(stop, delay)


def _check_webhook(url: str, secret: str) -> None:
    if not url.startswith(("https://", "http://")):
        raise SettingsError(
            f"FRONTDESK_TELEGRAM_WEBHOOK_URL must be the public https address of /telegram/webhook, not {url!r}: "
            "set it, or set FRONTDESK_TELEGRAM_MODE=polling"
        )
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
        raise SettingsError(
            "FRONTDESK_TELEGRAM_WEBHOOK_SECRET must be 1 to 256 letters, digits, _ or -: "
            "set a random one, or set FRONTDESK_TELEGRAM_MODE=polling"
        )


def _explain(error: Exception) -> str:
    if not isinstance(error, Conflict):
        return f"{type(error).__name__}: {error}"
    if "webhook" in error.message:
        return (
            f"{error.message}: another process set a webhook for this bot; stop it, or set "
            "FRONTDESK_TELEGRAM_MODE=webhook here"
        )
    return (
        f"{error.message}: two processes poll with the same FRONTDESK_TELEGRAM_TOKEN; stop one, give it a bot of its "
        "own, or set FRONTDESK_TELEGRAM_MODE=webhook"
    )


def _report_end(running: asyncio.Task[None]) -> None:
    if not running.cancelled() and (error := running.exception()):
        _log.error("telegram_stopped", error=str(error))


def _works_for(log: ConversationLog, chat: int) -> bool:
    """Whether the bot works on an answer for a chat: a message waits for its turn, and the bot may answer it."""
    conversation = f"{CHANNEL}:{chat}"
    try:
        if log.next_pending(conversation) is None:
            return False
        stored = log.snapshot(conversation)
    except UnavailableError:
        return False
    return stored is None or not (stored[0].blocked or stored[0].status is Status.AGENT)


async def _relay(stop: asyncio.Event, halt: asyncio.Event) -> None:
    await stop.wait()
    halt.set()
