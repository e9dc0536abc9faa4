"""A Telegram channel over the double, with an outbox and an intake in memory that tests can look into."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from bot.channels.telegram import TelegramChannel
from bot.channels.telegram_timing import Timing
from bot.domain.conversation import Conversation
from bot.domain.log_ports import ConversationLog
from bot.domain.messages import Button, IncomingMessage
from bot.domain.ports import Intake
from bot.domain.records import Outgoing, TurnView
from bot.errors import LogUnavailableError
from tests.e2e.telegram_double.double import TelegramDouble

ANN, BOB = 11, 22
FAST = Timing(
    long_poll=1,
    request=3.0,
    outbox=0.05,
    first_retry=0.1,
    longest_retry=1.0,
    longest_outage=0.3,
    longest_store_outage=0.3,
    lease=5.0,
    typing=1.0,
    typing_after=0.0,
    between=0.0,
    between_own=0.0,
    between_group=0.0,
    grace=2.0,
)
OUTAGE = {"en": "We are having a short problem; your message is safe.", "zh": "系统暂时有点问题，您的消息不会丢失。"}


class MemoryOutbox:
    """The outbox part of the log, in memory."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._ids = itertools.count(1)
        self.rows: dict[int, Outgoing] = {}
        self.due: dict[int, datetime] = {}
        self.away = False
        self.verdicts: dict[int, int] = {}
        self.waiting: dict[str, IncomingMessage] = {}
        self.states: dict[str, Conversation] = {}
        self.answered = "m"

    def next_pending(self, conversation: str) -> IncomingMessage | None:
        self._check()
        return self.waiting.get(conversation)

    def snapshot(self, conversation: str) -> tuple[Conversation, datetime] | None:
        self._check()
        state = self.states.get(conversation)
        return (state, datetime.now(UTC)) if state else None

    def add(self, chat: int | str, text: str, *buttons: Button, **more: Any) -> int:
        with self._lock:
            number = next(self._ids)
            now = datetime.now(UTC)
            row = Outgoing(number, f"telegram:{chat}", None, "bot", text, "en", buttons, now)
            self.rows[number] = replace(row, **more)
            self.due[number] = now
            return number

    def turn(self, turn_id: int) -> TurnView | None:
        self._check()
        owners = {row.turn: row.conversation for row in self.rows.values() if row.turn is not None}
        owner = owners.get(turn_id)
        return TurnView(turn_id, owner, self.answered, datetime.now(UTC), "hi", "text", {}, ()) if owner else None

    def add_feedback(self, turn_id: int, value: int) -> None:
        self._check()
        self.verdicts[turn_id] = value

    def export_customer(self, conversation: str) -> dict[str, Any]:
        self._check()
        return {"conversation": {"id": conversation}, "messages": [{"text": "你好"}], "notes": [{"text": "secret"}]}

    def _check(self) -> None:
        if self.away:
            raise LogUnavailableError("SQL does not answer")

    def claim_outgoing(
        self, channel: str, limit: int, lease: float, delivered: Mapping[int, str | None] | None = None
    ) -> list[Outgoing]:
        self._check()
        if delivered:
            self.mark_sent(delivered)
        now = datetime.now(UTC)
        claimed: dict[str, Outgoing | None] = {}
        with self._lock:
            for row in [row for row in self.rows.values() if row.status == "pending"]:
                if row.conversation in claimed or not row.conversation.startswith(f"{channel}:"):
                    continue
                claimed[row.conversation] = row if self.due[row.id] <= now else None
            taken = [row for row in claimed.values() if row][:limit]
            for row in taken:
                self.due[row.id] = now + timedelta(seconds=lease)
                self.rows[row.id] = replace(row, attempts=row.attempts + 1)
        return taken

    def mark_sent(self, delivered: Mapping[int, str | None]) -> None:
        self._check()
        with self._lock:
            for outgoing, given in delivered.items():
                self.rows[outgoing] = replace(self.rows[outgoing], status="sent", error=given or "")

    def mark_failed(self, outgoing: int, error: str, retry_at: datetime | None) -> None:
        self._check()
        with self._lock:
            status = "pending" if retry_at else "failed"
            self.rows[outgoing] = replace(self.rows[outgoing], status=status, error=error)
            self.due[outgoing] = retry_at or self.due[outgoing]

    def wait_for(self, outgoing: int, status: str) -> Outgoing:
        wait_until(lambda: self.rows[outgoing].status == status)
        return self.rows[outgoing]


class MemoryIntake:
    """Stores messages by id; answers each new one through the outbox."""

    def __init__(self, outbox: MemoryOutbox, answer: Callable[[IncomingMessage], str | None] = lambda _: None) -> None:
        self.outbox = outbox
        self.answer_of = answer
        self.stored: dict[str, IncomingMessage] = {}
        self.offers: list[str] = []
        self.away = False
        self.before: Callable[[IncomingMessage], None] = lambda _: None

    def accept(self, message: IncomingMessage) -> bool:
        self.offers.append(message.id)
        self.before(message)
        if self.away:
            raise LogUnavailableError("SQL does not answer")
        if message.id in self.stored:
            return False
        self.stored[message.id] = message
        if (text := self.answer_of(message)) is not None:
            self.outbox.add(message.conversation.partition(":")[2], text)
        else:
            self.outbox.waiting[message.conversation] = message
        return True

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.stored.values()]


class Running:
    """A channel that runs in a thread with a loop of its own."""

    def __init__(self, channel: TelegramChannel) -> None:
        self.channel = channel
        self.error: BaseException | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._ready.set()
        try:
            await self.channel.run(self._stop)
        except Exception as error:  # noqa: BLE001
            self.error = error

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()

    def ask_to_stop(self) -> None:
        self.loop.call_soon_threadsafe(self._stop.set)

    def stop(self) -> None:
        if self._thread.is_alive():
            self.ask_to_stop()
        self.join()

    def join(self) -> None:
        self._thread.join(15)
        assert not self._thread.is_alive(), "the channel did not stop"


def wait_until(met: Callable[[], bool], timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while not met():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def build(double: TelegramDouble, intake: MemoryIntake, **changes: Any) -> TelegramChannel:
    settings: dict[str, Any] = {
        "token": double.token,
        "api_url": double.url,
        "intake": cast("Intake", intake),
        "log": cast("ConversationLog", intake.outbox),
        "outage_texts": OUTAGE,
        "timing": FAST,
    }
    return TelegramChannel(**(settings | changes))


@contextmanager
def running(double: TelegramDouble, intake: MemoryIntake, **changes: Any) -> Iterator[Running]:
    run = Running(build(double, intake, **changes))
    run.start()
    try:
        yield run
    finally:
        run.stop()
    if run.error:
        raise run.error
