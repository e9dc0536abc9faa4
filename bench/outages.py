"""Redis or SQL away for a minute while customers write: what is lost or answered twice, and how soon it goes on.

PostgreSQL and Redis run beside one server. Ten seconds after customers began to write one of them is stopped, and
started again a minute later, Redis without anything that it knew. Updates come by webhook, where Telegram posts again
what was not acknowledged, or by long polling.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import sqlalchemy as sa

from bench.commands import BenchmarkError, say
from bench.customers import Customers, Served, Written, judge, read_replies, read_turns, wait_until_served
from bench.figures import Figure, Goal, Outcome
from bench.releases import Setup, train_shop
from tests.e2e.server import Server
from tests.e2e.telegram_double.double import TelegramDouble
from tests.integration.postgres_server import PostgresServer
from tests.integration.redis_servers import DebianRedis

AWAY_SECONDS = 60.0
CHATS = 100
A_SECOND = 4.0
RECOVERY_SECONDS = 5.0
_BEFORE_SECONDS = 10.0
_AFTER_SECONDS = 15.0
_QUIET_SECONDS = 300.0
_WEBHOOK = secrets.token_hex(16)
_COMMAND = "python -m bench outages"


class Store(Protocol):
    """A server that can be taken away."""

    def start(self) -> None:
        """Starts it and waits until it answers."""

    def stop(self) -> None:
        """Stops it at once."""


def measure(setup: Setup) -> Outcome:
    """Takes PostgreSQL and Redis away in turn, with updates by webhook and by long polling.

    Args:
        setup: the seeds, or a release to take.

    Returns:
        What was lost or answered twice, and the seconds from each return.
    """
    release = train_shop(setup, setup.seeds[0]).folder
    figures: list[Figure] = []
    for mode in ("webhook", "polling"):
        with _stores() as (postgres, redis):
            for name, store in (("PostgreSQL", postgres), ("Redis", redis)):
                database = name.lower()
                postgres.execute(f"CREATE DATABASE {database}")
                with TelegramDouble() as telegram, Server(release) as server:
                    server.start(
                        redis_url=redis.url,
                        database_url=postgres.database_url(database),
                        telegram_token=telegram.token,
                        telegram_api_url=telegram.url,
                        telegram_mode=mode,
                        telegram_webhook_url=f"{server.url}/telegram/webhook",
                        telegram_webhook_secret=_WEBHOOK,
                    ).wait_ready()
                    say(f"{name} away for {AWAY_SECONDS:g} s, updates by {mode}")
                    url = postgres.database_url(database).replace("postgresql://", "postgresql+psycopg://")
                    figures += _measure(f"{name} away, {mode}", telegram, store, url)
    return Outcome(tuple(figures))


@contextlib.contextmanager
def _stores() -> Iterator[tuple[PostgresServer, DebianRedis]]:
    postgres, redis = PostgresServer(), DebianRedis()
    try:
        redis.start()
        postgres.start()
        yield postgres, redis
    finally:
        redis.stop()
        postgres.remove()


def _measure(label: str, telegram: TelegramDouble, store: Store, database: str) -> list[Figure]:
    customers = Customers(telegram, range(1000, 1000 + CHATS), A_SECOND)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(customers.write, _BEFORE_SECONDS + AWAY_SECONDS + _AFTER_SECONDS)
        time.sleep(_BEFORE_SECONDS)
        store.stop()
        time.sleep(AWAY_SECONDS)
        store.start()
        returned = time.monotonic()
        written = writing.result()
    engine = sa.create_engine(database)
    wait_until_served(telegram, engine, _QUIET_SECONDS)
    served = judge(written, read_turns(engine), read_replies(engine), telegram.state.messages)
    engine.dispose()
    first, last = recovery(written, served, returned)
    none = Goal("at most", 0)
    return [
        Figure(f"{label}: messages of customers", (float(len(written)),), _COMMAND),
        Figure(f"{label}: lost", (float(served.lost),), _COMMAND, goal=none),
        Figure(f"{label}: answered twice", (float(served.twice),), _COMMAND, goal=none),
        Figure(f"{label}: replies not delivered", (float(served.undelivered),), _COMMAND, goal=none),
        Figure(f"{label}: replies delivered again", (float(served.repeated),), _COMMAND, goal=none),
        Figure(f"{label}: replies out of order in their chat", (float(served.turned),), _COMMAND, goal=none),
        Figure(
            f"{label}: from its return to the first reply", (first,), _COMMAND, "s", Goal("at most", RECOVERY_SECONDS)
        ),
        Figure(f"{label}: from its return until all that had waited was answered", (last,), _COMMAND, "s"),
    ]


def recovery(written: Sequence[Written], served: Served, returned: float) -> tuple[float, float]:
    """How soon it went on.

    Args:
        written: what customers wrote.
        served: what came of it.
        returned: when the store was there again.

    Returns:
        Seconds from the return to the first reply after it, and to the last reply to what was written before it.

    Raises:
        BenchmarkError: nothing was answered after the return.
    """
    arrived = {each.update: each.at + served.waits[each.update] for each in written if each.update in served.waits}
    after = {update: at - returned for update, at in arrived.items() if at > returned}
    if not after:
        raise BenchmarkError("no message was answered after the outage; the server did not recover")
    waiting = [after[each.update] for each in written if each.at < returned and each.update in after]
    return min(after.values()), max(waiting, default=0.0)
