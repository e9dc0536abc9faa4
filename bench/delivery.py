"""Ten thousand Telegram updates while processes and Redis are killed: what is lost, doubled or out of order.

Two servers share a data folder and a database. Updates come by webhook as Telegram would send them: each until it is
acknowledged, those of a chat one after the other, of 200 chats side by side, and each up to two times more, later and
shuffled. Meanwhile a server is killed fifty times, and Redis twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import secrets
import signal
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any, Self

import httpx
import sqlalchemy as sa

from bench.commands import SHOP, BenchmarkError, environment, frontdesk, say
from bench.customers import TEXTS, update_of
from bench.figures import Figure, Goal, Outcome
from bench.pipeline import install
from bench.releases import Setup, train_shop
from bench.webhook import SECRET, Delivery, Postman
from bot.bot_files import load_bot_files
from tests.e2e.server import free_port
from tests.e2e.telegram_double.double import TelegramDouble
from tests.integration.postgres_server import PostgresServer

CHATS = 200
UPDATES = 10_000
SERVER_KILLS = 50
REDIS_KILLS = 2
_KILL_SECONDS = 4.5
_READY_SECONDS = 120.0
_QUIET_SECONDS = 900.0
_CONNECTIONS = 64

_COMMAND = "python -m bench delivery"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the updates.

    Attributes:
        lost: updates without a turn.
        twice: updates with several turns.
        turned: turns that come before the turn of an earlier update of their chat.
        unsent: replies that Telegram did not get.
        repeated: replies that Telegram got again, because a process died between sending and noting it.
        mixed: chats in which replies came in another order than they were written.
    """

    lost: int
    twice: int
    turned: int
    unsent: int
    repeated: int
    mixed: int


def plan(updates: int, chats: int, seed: int) -> dict[int, list[Delivery]]:
    """Who sends what, and when it comes again.

    Args:
        updates: how many.
        chats: of how many customers.
        seed: of the repetitions.

    Returns:
        For each chat its deliveries: every update first in its order, and up to two times more at any later place.
    """
    chance = random.Random(seed)
    planned: dict[int, list[Delivery]] = defaultdict(list)
    for number in range(1, updates + 1):
        chat = 1000 + number % chats
        planned[chat].append(Delivery(chat, number, TEXTS[number % len(TEXTS)]))
    for deliveries in planned.values():
        for first in list(deliveries):
            for _ in range(chance.randint(0, 2)):
                deliveries.insert(chance.randint(deliveries.index(first) + 1, len(deliveries)), first)
    return dict(planned)


def judge(
    planned: Mapping[int, Sequence[Delivery]],
    turns: Mapping[str, Sequence[int]],
    written: Mapping[str, Sequence[str]],
    received: Mapping[int, Sequence[str]],
) -> Verdict:
    """Compares what was sent with what was answered and delivered.

    Args:
        planned: the deliveries of each chat.
        turns: for each conversation the update ids of its turns, in their order.
        written: for each conversation the texts of its replies, in their order.
        received: for each chat the texts that Telegram got, in their order.

    Returns:
        What is wrong.
    """
    lost = twice = turned = unsent = repeated = mixed = 0
    for chat, deliveries in planned.items():
        conversation = f"telegram:{chat}"
        answered = turns.get(conversation, ())
        wanted = {delivery.number for delivery in deliveries}
        lost += len(wanted - set(answered))
        twice += len(answered) - len(set(answered))
        turned += sum(later < earlier for earlier, later in pairwise(answered))
        missing, again, strange = _compare(written.get(conversation, ()), received.get(chat, ()))
        unsent, repeated, mixed = unsent + missing, repeated + again, mixed + strange
    return Verdict(lost, twice, turned, unsent, repeated, mixed)


def apologies(bot: Path) -> frozenset[str]:
    """What Telegram's channel itself tells customers while nothing can be stored: it stands in no outbox.

    Args:
        bot: the bot's folder.

    Returns:
        The text in all its languages, in every order.
    """
    files = load_bot_files(bot)
    texts = [files.templates.render("unavailable", lang, "", {}, 0).text for lang in files.rules.languages]
    return frozenset("\n\n".join(order) for order in permutations(texts))


def _compare(written: Sequence[str], received: Sequence[str]) -> tuple[int, int, int]:
    place = repeated = 0
    for text in received:
        if place < len(written) and text == written[place]:
            place += 1
        elif place and text == written[place - 1]:
            repeated += 1
        else:
            return len(written) - place, repeated, 1
    return len(written) - place, repeated, 0


class Servers:
    """Server processes that are killed and started again.

    Args:
        data_dir: their common data folder.
        telegram: where they send.
        database: a PostgreSQL URL; empty for SQLite in the data folder.
        count: how many processes.
    """

    def __init__(self, data_dir: Path, telegram: TelegramDouble, database: str = "", count: int = 2) -> None:
        self.ports = [free_port() for _ in range(count)]
        self.kills = 0
        self.redis_kills = 0
        self._data_dir = data_dir
        settings: dict[str, str | Path] = {
            "data_dir": data_dir,
            "bot_dir": SHOP,
            "api_key": secrets.token_urlsafe(24),
            "telegram_token": telegram.token,
            "telegram_api_url": telegram.url,
            "telegram_mode": "webhook",
            "telegram_webhook_secret": SECRET,
            "telegram_rate": "1000",
        }
        self._settings = settings | ({"database_url": database} if database else {})
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._processes = [self._start(port) for port in self.ports]
        end = time.monotonic() + _READY_SECONDS
        while not all(map(self._is_ready, self.ports)):
            if time.monotonic() > end:
                raise BenchmarkError(f"the servers were not ready in time; see {self._data_dir}/delivery-*.log")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(40)
            process.kill()
            process.wait()
        with contextlib.suppress(OSError, ValueError):
            os.kill(self._redis(), signal.SIGKILL)

    def storm(self, stop: threading.Event, chance: random.Random) -> None:
        """Kills a server, and sometimes Redis, again and again, and starts the server anew."""
        redis_at = {SERVER_KILLS * (number + 1) // (REDIS_KILLS + 1) for number in range(REDIS_KILLS)}
        while self.kills < SERVER_KILLS and not stop.wait(_KILL_SECONDS):
            victim = chance.randrange(len(self._processes))
            self._processes[victim].kill()
            self._processes[victim].wait()
            self._processes[victim] = self._start(self.ports[victim])
            self.kills += 1
            if self.kills in redis_at:
                with contextlib.suppress(OSError, ValueError):
                    os.kill(self._redis(), signal.SIGKILL)
                    self.redis_kills += 1

    def _redis(self) -> int:
        return int((self._data_dir / "redis" / "valkey.pid").read_text("ascii"))

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        settings = self._settings | {"port": str(port), "telegram_webhook_url": f"http://127.0.0.1:{port}/hook"}
        with (self._data_dir / f"delivery-{port}.log").open("ab") as log:
            return subprocess.Popen(
                frontdesk(["run"]), cwd=self._data_dir, env=environment(**settings), stdout=log, stderr=log
            )

    @staticmethod
    def _is_ready(port: int) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False


def measure(setup: Setup) -> Outcome:
    """Lets the storm loose over SQLite and over PostgreSQL.

    Args:
        setup: the seeds, or a release to take.

    Returns:
        What was lost, doubled or out of order, and how long it took.
    """
    # The double tells of every connection that a killed server leaves open.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    release = train_shop(setup, setup.seeds[0]).folder
    figures: list[Figure] = []
    for name, database in (("SQLite", _no_database), ("PostgreSQL", _postgres)):
        data_dir = setup.work / f"delivery-{name.lower()}"
        install(release, data_dir)
        with database() as url, TelegramDouble() as telegram, Servers(data_dir, telegram, url) as servers:
            say(f"{UPDATES} updates of {CHATS} chats over {name}")
            engine = sa.create_engine(
                url.replace("postgresql://", "postgresql+psycopg://") or f"sqlite:///{data_dir / 'frontdesk.sqlite3'}"
            )
            figures += _measure(name, servers, telegram, engine, setup.seeds[0])
            engine.dispose()
    return Outcome(tuple(figures))


@contextlib.contextmanager
def _no_database() -> Iterator[str]:
    yield ""


@contextlib.contextmanager
def _postgres() -> Iterator[str]:
    server = PostgresServer()
    server.start()
    try:
        yield server.url
    finally:
        server.remove()


def _measure(name: str, servers: Servers, telegram: TelegramDouble, engine: sa.Engine, seed: int) -> list[Figure]:
    planned = plan(UPDATES, CHATS, seed)
    for chat in planned:
        telegram.state.chats[chat] = {"id": chat, "type": "private", "first_name": f"Customer {chat}"}
    stop, chance = threading.Event(), random.Random(seed)
    storm = threading.Thread(target=servers.storm, args=(stop, chance))
    began = time.monotonic()
    storm.start()
    posts = asyncio.run(_post_all(planned, servers.ports, seed))
    storm.join()
    _wait_until_quiet(engine)
    seconds = time.monotonic() - began
    received: dict[int, list[str]] = defaultdict(list)
    told, apology = 0, apologies(SHOP)
    for message in telegram.state.messages:
        if message.text in apology:
            told += 1
        else:
            received[message.chat_id].append(message.text)
    verdict = judge(planned, _turns(engine), _written(engine), received)
    none = Goal("at most", 0)
    label = f"{name}, {UPDATES:,} updates"
    counts = {
        "lost": verdict.lost,
        "answered twice": verdict.twice,
        "answered out of order": verdict.turned,
        "replies not delivered": verdict.unsent,
        "chats with replies out of order": verdict.mixed,
    }
    return [
        Figure(f"{label}: posts until all were acknowledged", (float(posts),), _COMMAND),
        Figure(f"{label}: servers killed", (float(servers.kills),), _COMMAND, goal=Goal("at least", SERVER_KILLS)),
        Figure(f"{label}: Redis killed", (float(servers.redis_kills),), _COMMAND, goal=Goal("at least", REDIS_KILLS)),
        *(Figure(f"{label}: {what}", (float(count),), _COMMAND, goal=none) for what, count in counts.items()),
        Figure(f"{label}: replies that Telegram got again", (float(verdict.repeated),), _COMMAND),
        Figure(f"{label}: customers told at once that nothing could be stored", (float(told),), _COMMAND),
        Figure(f"{label}: from the first to the last", (seconds,), _COMMAND, "s"),
    ]


async def _post_all(planned: Mapping[int, Sequence[Delivery]], ports: Sequence[int], seed: int) -> int:
    """Posts every delivery until it is acknowledged, over as long a time as the kills take; gives the tries."""
    pace = SERVER_KILLS * _KILL_SECONDS / max(map(len, planned.values()))
    tries = 0

    async def post(postman: Postman, chance: random.Random, delivery: Delivery) -> None:
        nonlocal tries
        while True:
            tries += 1
            with contextlib.suppress(httpx.HTTPError):
                await postman.post(delivery, chance.choice(ports))
                return
            await asyncio.sleep(0.2)

    async def chat(postman: Postman, number: int, deliveries: Sequence[Delivery]) -> None:
        chance = random.Random(seed * 100_003 + number)
        await asyncio.sleep(chance.random() * pace)
        for delivery in deliveries:
            began = time.monotonic()
            await post(postman, chance, delivery)
            await asyncio.sleep(max(0.0, pace * 2 * chance.random() - (time.monotonic() - began)))

    async with Postman(_CONNECTIONS, timeout=30) as postman:
        await asyncio.gather(*(chat(postman, number, deliveries) for number, deliveries in planned.items()))
    return tries


def _wait_until_quiet(engine: sa.Engine) -> None:
    end = time.monotonic() + _QUIET_SECONDS
    waiting = sa.text(
        "SELECT (SELECT count(*) FROM message WHERE NOT answered)"
        " + (SELECT count(*) FROM outgoing WHERE status = 'pending')"
    )
    while time.monotonic() < end:
        with engine.connect() as connection:
            if not connection.execute(waiting).scalar_one():
                return
        time.sleep(1)
    say("not everything was answered in time")


def _turns(engine: sa.Engine) -> dict[str, list[int]]:
    statement = "SELECT m.conversation, m.external_id FROM turn t JOIN message m ON m.id = t.message_id ORDER BY t.id"
    return _grouped(engine, statement, update_of)


def _written(engine: sa.Engine) -> dict[str, list[str]]:
    return _grouped(engine, "SELECT conversation, text FROM outgoing ORDER BY id", str)


def _grouped(engine: sa.Engine, statement: str, read: Callable[[str], Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    with engine.connect() as connection:
        for conversation, value in connection.execute(sa.text(statement)):
            found[conversation].append(read(value))
    return found
