"""Customers who write at a steady pace in Telegram, and what came of their messages."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import sqlalchemy as sa

from bench.commands import say
from tests.e2e.telegram_double.double import TelegramDouble
from tests.e2e.telegram_double.state import BotMessage

TEXTS = (
    "How long does delivery take?",
    "多久能送到？",
    "Do you sell gift cards?",
    "你们几点开门？",
    "Can I pay in instalments?",
    "可以开发票吗？",
    "How do I descale my kettle?",
)
"""What they ask, each chat in turn, so that two replies after one another differ."""

_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Written:
    """A message of a customer.

    Attributes:
        chat: whose.
        update: its `update_id`.
        at: when Telegram got it, in seconds of the clock that all share.
    """

    chat: int
    update: int
    at: float


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply as the outbox has it.

    Attributes:
        conversation: to whom.
        update: the update that it answers.
        message: Telegram's id of it; 0 where it is not noted as sent.
    """

    conversation: str
    update: int
    message: int


@dataclass(frozen=True, slots=True)
class Served:
    """What came of messages.

    Attributes:
        lost: updates without a turn.
        twice: turns beyond one for each update.
        undelivered: replies that Telegram has not got.
        repeated: replies that Telegram got more than once.
        turned: replies that came before one that was written earlier in their chat.
        waits: for each update that was answered, seconds from the customer's message to the reply.
    """

    lost: int
    twice: int
    undelivered: int
    repeated: int
    turned: int
    waits: Mapping[int, float]


class Customers:
    """Writes to the bot, one chat after the other.

    Args:
        telegram: where.
        chats: of whom.
        a_second: how many messages.
    """

    def __init__(self, telegram: TelegramDouble, chats: Sequence[int], a_second: float) -> None:
        self._telegram = telegram
        self._chats = chats
        self._pause = 1 / a_second
        self.written: list[Written] = []

    def write(self, seconds: float) -> list[Written]:
        """Writes for so long; gives what was written meanwhile."""
        began, before = time.monotonic(), len(self.written)
        for number in range(round(seconds / self._pause)):
            time.sleep(max(0.0, began + number * self._pause - time.monotonic()))
            turn, place = divmod(len(self.written), len(self._chats))
            chat = self._chats[place]
            at = time.monotonic()
            update = self._telegram.user_says(chat, TEXTS[(chat + turn) % len(TEXTS)], name=f"Customer {chat}")
            self.written.append(Written(chat, int(update["update_id"]), at))
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        return self.written[before:]


def wait_until_served(telegram: TelegramDouble, engine: sa.Engine, seconds: float) -> None:
    """Waits until no update, message or reply waits any more; says so where some still do.

    Args:
        telegram: has the updates.
        engine: of the database with messages and replies.
        seconds: how long at most.
    """
    waiting = sa.text(
        "SELECT (SELECT count(*) FROM message WHERE NOT answered)"
        " + (SELECT count(*) FROM outgoing WHERE status = 'pending')"
    )
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not telegram.pending_updates:
            with engine.connect() as connection:
                if not connection.execute(waiting).scalar_one():
                    return
        time.sleep(_POLL_SECONDS)
    say(f"not everything was answered within {seconds:g} s")


def update_of(message: str) -> int:
    """The update that a message of Telegram came by, from the message's id such as `u12/3`."""
    return int(message.removeprefix("u").partition("/")[0])


def read_turns(engine: sa.Engine) -> list[int]:
    """The update that each turn answers."""
    statement = sa.text("SELECT m.external_id FROM turn t JOIN message m ON m.id = t.message_id")
    with engine.connect() as connection:
        return [update_of(update) for (update,) in connection.execute(statement)]


def read_replies(engine: sa.Engine) -> list[Reply]:
    """The bot's replies to messages, in the order in which they were written."""
    statement = sa.text(
        "SELECT o.conversation, m.external_id, o.external_id FROM outgoing o"
        " JOIN turn t ON t.id = o.turn_id JOIN message m ON m.id = t.message_id ORDER BY o.id"
    )
    with engine.connect() as connection:
        return [
            Reply(conversation, update_of(update), int(message or 0))
            for conversation, update, message in connection.execute(statement)
        ]


def judge(
    written: Sequence[Written], turns: Sequence[int], replies: Sequence[Reply], received: Sequence[BotMessage]
) -> Served:
    """Compares what customers wrote with what was answered and with what Telegram got.

    Args:
        written: the customers' messages.
        turns: the update of each turn.
        replies: the outbox, in order.
        received: what Telegram got of the bot, in order.

    Returns:
        What came of it. What was said beside replies (that an answer is late) counts as neither.
    """
    answered = Counter(turns)
    arrived = {message.message_id: message for message in received}
    delivered = [reply for reply in replies if reply.message in arrived]
    at = {each.update: each.at for each in written}
    waits: dict[int, float] = {}
    by_chat: dict[str, list[int]] = {}
    for reply in delivered:
        by_chat.setdefault(reply.conversation, []).append(reply.message)
        if reply.update in at:
            waits.setdefault(reply.update, arrived[reply.message].at - at[reply.update])
    return Served(
        lost=sum(each.update not in answered for each in written),
        twice=sum(count - 1 for count in answered.values()),
        undelivered=len(replies) - len(delivered),
        repeated=_repeated(delivered, received),
        turned=sum(later < earlier for messages in by_chat.values() for earlier, later in pairwise(messages)),
        waits=waits,
    )


def _repeated(delivered: Sequence[Reply], received: Sequence[BotMessage]) -> int:
    """How many messages with a reply's text and chat are none of those that the outbox knows."""
    known = {reply.message for reply in delivered}
    texts = {(message.chat_id, message.text) for message in received if message.message_id in known}
    return sum(message.message_id not in known and (message.chat_id, message.text) in texts for message in received)
