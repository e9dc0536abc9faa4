"""Redis or PostgreSQL away: at the start, and in the middle of a conversation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.e2e.customer import Customer
from tests.e2e.server import Server, free_port, wait_until
from tests.e2e.shop import says
from tests.e2e.telegram_double.double import TelegramDouble
from tests.integration.postgres_server import PostgresServer
from tests.integration.redis_servers import DebianRedis


@pytest.fixture(scope="module")
def redis() -> Iterator[DebianRedis]:
    server = DebianRedis()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="module")
def own_telegram() -> Iterator[TelegramDouble]:
    with TelegramDouble() as double:
        yield double


@pytest.fixture(scope="module")
def leaning(
    shop_release: Path, redis: DebianRedis, postgres: PostgresServer, own_telegram: TelegramDouble
) -> Iterator[Server]:
    """A server that leans on Redis and PostgreSQL of its own."""
    settings = {
        "redis_url": redis.url,
        "database_url": postgres.url,
        "telegram_token": own_telegram.token,
        "telegram_api_url": own_telegram.url,
    }
    with Server(shop_release, **settings) as running:
        yield running.start().wait_ready()


def logged(postgres: PostgresServer, conversation: str) -> dict[str, int]:
    """How many rows of each kind a conversation has."""
    counts = {}
    with closing(psycopg.connect(postgres.url)) as connection:
        for table in ("message", "turn", "outgoing"):
            statement = f"SELECT count(*) FROM {table} WHERE conversation = %s"
            counts[table] = int(connection.execute(statement, [conversation]).fetchall()[0][0])
    return counts


def is_apology(text: str, lang: str) -> bool:
    return says(text, "unavailable", lang)


def readiness(server: Server) -> tuple[int, list[str]]:
    response = server.request("GET", "/readyz")
    return response.status_code, response.json()["missing"]


@pytest.mark.parametrize(
    ("lang", "question", "later"),
    [
        ("en", "How long does delivery take?", "Do you sell gift cards?"),
        ("zh", "多久能送到？", "你们有礼品卡吗？"),
    ],
)
def test_redis_is_away_during_a_conversation(
    leaning: Server,
    redis: DebianRedis,
    postgres: PostgresServer,
    own_telegram: TelegramDouble,
    lang: str,
    question: str,
    later: str,
) -> None:
    ann = Customer(own_telegram, 11 if lang == "en" else 12, lang)
    api = f"api:{lang}"
    ann.ask(question)
    leaning.ask(api, question, id="m1")
    redis.stop()

    apology = ann.ask(later).text
    assert is_apology(apology, lang)
    refused = leaning.post(api, later, id="m2")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert is_apology(refused.json()["replies"][0]["text"], lang)
    assert readiness(leaning) == (503, ["redis"])
    assert leaning.request("GET", "/healthz").status_code == 200

    redis.start()
    answered = ann.read(3)[-1].text
    assert not is_apology(answered, lang)
    wait_until(lambda: readiness(leaning) == (200, []))
    document = leaning.ask(api, later, id="m2")
    assert answered == document["replies"][0]["text"]
    assert ann.inbox[1:] == [apology, answered]
    assert logged(postgres, ann.conversation) == {"message": 2, "turn": 2, "outgoing": 3}
    assert [turn["id"] for turn in leaning.conversation(api)["turns"]] == ["m1", "m2"]


def test_postgresql_is_away_during_a_conversation(
    leaning: Server, postgres: PostgresServer, own_telegram: TelegramDouble
) -> None:
    ann, bao = Customer(own_telegram, 21), Customer(own_telegram, 22, "zh")
    for customer, text in ((ann, "How long does delivery take?"), (bao, "多久能送到？")):
        customer.ask(text)
    postgres.stop()

    apologies = [ann.ask("Do you sell gift cards?").text, bao.ask("你们有礼品卡吗？").text]
    for apology, langs in zip(apologies, (("en", "zh"), ("zh", "en")), strict=True):
        parts = apology.split("\n\n")
        assert all(is_apology(part, lang) for part, lang in zip(parts, langs, strict=True))
    refused = leaning.post("api:postgres", "Do you sell gift cards?", id="m1")
    assert refused.status_code == 503
    assert is_apology(refused.json()["replies"][0]["text"], "en")
    assert readiness(leaning) == (503, ["sql"])

    postgres.start()
    for customer, apology in zip((ann, bao), apologies, strict=True):
        answered = customer.read(3)[-1].text
        assert customer.inbox[1:] == [apology, answered]
        assert logged(postgres, customer.conversation) == {"message": 2, "turn": 2, "outgoing": 2}
    wait_until(lambda: readiness(leaning) == (200, []))
    leaning.ask("api:postgres", "Do you sell gift cards?", id="m1")
    assert logged(postgres, "api:postgres")["turn"] == 1
    assert leaning.process is not None
    assert leaning.process.poll() is None


@pytest.mark.parametrize(
    ("setting", "url", "remedy"),
    [
        pytest.param("redis_url", "redis://127.0.0.1:{port}/0", "Start it, correct FRONTDESK_REDIS_URL", id="redis"),
        pytest.param(
            "database_url",
            "postgresql://frontdesk:s3cret@127.0.0.1:{port}/shop",
            "check that PostgreSQL runs at 127.0.0.1:{port} and that FRONTDESK_DATABASE_URL is right",
            id="postgresql",
        ),
    ],
)
def test_a_service_that_is_away_at_the_start_is_named(setting: str, url: str, remedy: str) -> None:
    port = str(free_port())
    with Server(None, **{setting: url.format(port=port)}) as server:
        (server.data / "releases").mkdir(parents=True)
        (server.data / "releases" / "current").write_text("r20260101-000000-abcdef\n")
        refused = server.run("run")
    assert refused.returncode == 2
    assert refused.stderr.startswith("frontdesk: ")
    assert refused.stderr.count("\n") == 1
    assert f"127.0.0.1:{port}" in refused.stderr
    assert remedy.format(port=port) in refused.stderr
    assert "s3cret" not in refused.stderr
