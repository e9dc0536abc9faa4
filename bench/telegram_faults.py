"""Telegram fails at random for half of the chats: what is not delivered, and whether the other half notices.

A hundred customers write five messages a second. For five minutes every other request for one of fifty of them gets
429 (for its chat or for all fifty), 500, 502, no answer at all, or a connection that is cut, before or after Telegram
took the message. The other fifty chats get no fault; their waits are compared with those of a minute without any.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections import Counter
from collections.abc import Collection

import sqlalchemy as sa

from bench.commands import BenchmarkError, say
from bench.customers import Customers, Written, judge, read_replies, read_turns, wait_until_served
from bench.figures import Figure, Goal, Outcome, latency
from bench.releases import Setup, train_shop
from tests.e2e.server import Server
from tests.e2e.telegram_double.double import TelegramDouble
from tests.e2e.telegram_double.state import Fault, FaultKind

CALM_SECONDS = 60.0
FAULT_SECONDS = 300.0
CHATS = 100
A_SECOND = 5.0
_WARM_UP_SECONDS = 10.0
_QUIET_SECONDS = 900.0
_LONGEST_RETRY_AFTER = 8
_SENDING = "sendmessage"
_WEIGHTS: dict[FaultKind | None, int] = {
    None: 50,
    "429": 14,
    "500": 8,
    "502": 8,
    "drop_before": 7,
    "drop_after": 4,
    "hang": 5,
    "hang_after": 4,
}
_ALL_CHATS = 0.1
"""The share of 429 that holds for all chats with faults."""

_COMMAND = "python -m bench telegram-faults"


class Storm:
    """Chooses what goes wrong with each request for one of the chats; used by the double.

    Args:
        chats: whose requests fail; all others are left alone.
        seed: of the choices.

    Attributes:
        early: messages that were sent before the `retry_after` of their chat was over.
    """

    def __init__(self, chats: Collection[int], seed: int) -> None:
        self.early = 0
        self._chats = chats
        self._chance = random.Random(seed)
        self._closed: dict[int, float] = {}
        self._told: dict[int, float] = {}

    def __call__(self, method: str, chat: int | None) -> Fault | None:
        """The fault of one request, or None."""
        if chat is None or chat not in self._chats:
            return None
        now = time.monotonic()
        sending = method.lower() == _SENDING
        if sending and now < self._told.get(chat, 0.0):
            self.early += 1
        if now >= self._closed.get(chat, 0.0):
            kind = self._chance.choices([*_WEIGHTS], [*_WEIGHTS.values()])[0]
            if kind != "429":
                return Fault(method, kind, 1, 0, chat) if kind else None
            self._close(chat, now)
        left = max(1, math.ceil(self._closed[chat] - now))
        if sending:
            self._told[chat] = now + left
        return Fault(method, "429", 1, left, chat)

    def _close(self, chat: int, now: float) -> None:
        until = now + self._chance.randint(1, _LONGEST_RETRY_AFTER)
        chats = self._chats if self._chance.random() < _ALL_CHATS else [chat]
        self._closed.update(dict.fromkeys(chats, until))


def measure(setup: Setup) -> Outcome:
    """Lets Telegram fail for half of the chats.

    Args:
        setup: the seeds, or a release to take.

    Returns:
        What was not delivered, delivered again or out of order, and how long the others waited.

    Raises:
        BenchmarkError: too few messages were answered to compare anything.
    """
    # The double tells of every connection that it cuts.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    release = train_shop(setup, setup.seeds[0]).folder
    with TelegramDouble() as telegram, Server(release, **_settings(telegram)) as server:
        hook = f"{server.url}/telegram/webhook"
        server.start(telegram_webhook_url=hook).wait_ready()
        telegram.wait_until(lambda: telegram.state.webhook.url == hook, 30)
        engine = sa.create_engine(f"sqlite:///{server.data / 'frontdesk.sqlite3'}")
        chats = range(1000, 1000 + CHATS)
        storm = Storm(chats[::2], setup.seeds[0])
        customers = Customers(telegram, chats, A_SECOND)
        customers.write(_WARM_UP_SECONDS)
        say(f"{CALM_SECONDS:g} s without a fault")
        calm = _unaffected(customers.write(CALM_SECONDS))
        say(f"{FAULT_SECONDS:g} s with faults in {len(chats[::2])} of {CHATS} chats")
        telegram.fail_as(storm)
        stormy = _unaffected(customers.write(FAULT_SECONDS))
        telegram.fail_as(None)
        recovered = time.monotonic()
        wait_until_served(telegram, engine, _QUIET_SECONDS)
        served = judge(customers.written, read_turns(engine), read_replies(engine), telegram.state.messages)
        engine.dispose()
        last = max(message.at for message in telegram.state.messages)
    waits = [
        [1000 * served.waits[update] for update in updates if update in served.waits] for updates in (calm, stormy)
    ]
    if not all(waits):
        raise BenchmarkError("no message of the chats without faults was answered; nothing can be compared")
    before, during = (latency(each).p99 for each in waits)
    faults = Counter(call.fault for call in telegram.state.calls if call.fault)
    none = Goal("at most", 0)
    return Outcome(
        (
            Figure("messages of customers", (float(len(customers.written)),), _COMMAND),
            Figure("requests that met a fault", (float(faults.total()),), _COMMAND),
            Figure("messages without an answer", (float(served.lost),), _COMMAND, goal=none),
            Figure("replies not delivered", (float(served.undelivered),), _COMMAND, goal=none),
            Figure("replies delivered again", (float(served.repeated),), _COMMAND),
            Figure("replies out of order in their chat", (float(served.turned),), _COMMAND, goal=none),
            Figure("messages sent before `retry_after` was over", (float(storm.early),), _COMMAND, goal=none),
            Figure("chats without faults: p99 without any in others", (before,), _COMMAND, "ms"),
            Figure("chats without faults: p99 meanwhile", (during,), _COMMAND, "ms"),
            Figure(
                "chats without faults: p99 meanwhile / before", (during / before,), _COMMAND, "x", Goal("at most", 1.5)
            ),
            Figure("from the last fault to the last reply", (max(0.0, last - recovered),), _COMMAND, "s"),
        ),
        (
            "Faults: " + ", ".join(f"{kind} {count}" for kind, count in sorted(faults.items())) + ".",
            "A reply that Telegram took without saying so is sent again; no bot can know better.",
        ),
    )


def _settings(telegram: TelegramDouble) -> dict[str, str]:
    return {
        "telegram_token": telegram.token,
        "telegram_api_url": telegram.url,
        "telegram_mode": "webhook",
        "telegram_webhook_secret": "storm",
    }


def _unaffected(written: list[Written]) -> list[int]:
    """The updates of chats without faults."""
    return [each.update for each in written if each.chat % 2]
