"""How many messages a second go from Telegram to an answer at Telegram, and how long each takes at half that rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import httpx

from bench.commands import say
from bench.delivery import Servers, plan
from bench.figures import Figure, Goal, Outcome, latency
from bench.pipeline import install
from bench.releases import Setup, train_shop
from bench.webhook import Delivery, Postman
from tests.e2e.telegram_double.double import TelegramDouble

WANTED = {1: 100, 2: 150}
"""Messages a second that are wanted, by how many processes there are."""

CHATS = 300
_MESSAGES = 3000
_SECONDS = 20
_WARM_UP = 100
_PATIENCE = 300.0
_TRIES = 3
_CONNECTIONS = 32
_COMMAND = "python -m bench load"


def measure(setup: Setup) -> Outcome:
    """Sends messages by webhook to one process and to two, over SQLite.

    Args:
        setup: the seeds, or a release to take.

    Returns:
        Messages a second, and the time from the post of a message to its reply.
    """
    release = train_shop(setup, setup.seeds[0]).folder
    figures: list[Figure] = []
    for count, wanted in WANTED.items():
        data_dir = setup.work / f"load-{count}"
        install(release, data_dir)
        with TelegramDouble() as telegram, Servers(data_dir, telegram, count=count) as servers:
            say(f"load on {count} process(es)")
            load = _Load(telegram, servers.ports)
            load.run(_WARM_UP, 50.0)
            seconds, _ = load.run(_MESSAGES)
            _, waits = load.run(wanted // 2 * _SECONDS, wanted / 2)
        label = f"{count} process" + ("es" if count > 1 else "")
        figures += [
            Figure(f"{label}: messages a second", (_MESSAGES / seconds,), _COMMAND, goal=Goal("at least", wanted)),
            Figure(f"{label}: p50 at {wanted // 2} a second", (latency(waits).p50,), _COMMAND, "ms"),
            Figure(
                f"{label}: p99 at {wanted // 2} a second", (latency(waits).p99,), _COMMAND, "ms", Goal("at most", 250)
            ),
        ]
    return Outcome(tuple(figures))


class _Load:
    """Posts messages and waits for the replies to each; counts one reply a message."""

    def __init__(self, telegram: TelegramDouble, ports: Sequence[int]) -> None:
        self._telegram = telegram
        self._ports = ports
        self._sent = 0

    def run(self, messages: int, rate: float | None = None) -> tuple[float, list[float]]:
        """Sends messages, evenly at a rate or as fast as they are taken.

        Args:
            messages: how many.
            rate: a second; None for no limit.

        Returns:
            Seconds from the first post to the last reply, and for each message milliseconds from post to reply.
        """
        planned = [each for chat in plan(messages, CHATS, 0).values() for each in dict.fromkeys(chat)]
        deliveries = [
            Delivery(each.chat, self._sent + each.number, each.text)
            for each in sorted(planned, key=lambda each: each.number)
        ]
        self._sent += messages
        before = len(self._telegram.state.messages)
        for delivery in deliveries:
            chat = {"id": delivery.chat, "type": "private", "first_name": "Ann"}
            self._telegram.state.chats.setdefault(delivery.chat, chat)
        began = asyncio.run(_post(deliveries, self._ports, rate))
        self._telegram.wait_until(
            lambda: len(self._telegram.state.messages) - before >= messages, _PATIENCE, lambda: "replies are missing"
        )
        arrived: dict[int, list[float]] = {}
        for message in self._telegram.state.messages[before:]:
            arrived.setdefault(message.chat_id, []).append(message.at)
        waits = [
            1000 * (arrived[delivery.chat].pop(0) - began[delivery.number])
            for delivery in deliveries
            if arrived.get(delivery.chat)
        ]
        last = max(message.at for message in self._telegram.state.messages[before:])
        return last - min(began.values()), waits


async def _post(deliveries: Sequence[Delivery], ports: Sequence[int], rate: float | None) -> dict[int, float]:
    began: dict[int, float] = {}
    chats: dict[int, asyncio.Lock] = {}
    start = time.monotonic()

    async def post(postman: Postman, place: int, delivery: Delivery) -> None:
        if rate:
            await asyncio.sleep(max(0.0, start + place / rate - time.monotonic()))
        async with chats.setdefault(delivery.chat, asyncio.Lock()):
            began[delivery.number] = time.monotonic()
            for left in reversed(range(_TRIES)):
                try:
                    await postman.post(delivery, ports[place % len(ports)])
                    break
                except httpx.HTTPError:
                    # As Telegram does, which knows no more of what became of it; the time counts from the first try.
                    if not left:
                        raise

    async with Postman(_CONNECTIONS, timeout=60) as postman:
        await asyncio.gather(*(post(postman, place, delivery) for place, delivery in enumerate(deliveries)))
    return began
