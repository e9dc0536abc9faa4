"""The server, the Telegram double and the browser that the end-to-end tests share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.console import add_agent
from tests.e2e.customer import Customer
from tests.e2e.server import Server
from tests.e2e.telegram_channel import MemoryIntake, MemoryOutbox
from tests.e2e.telegram_double.double import TelegramDouble

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_CHATS = itertools.count(4001)


@pytest.fixture(scope="session")
def telegram() -> Iterator[TelegramDouble]:
    with TelegramDouble() as double:
        yield double


@pytest.fixture(scope="session")
def server(shop_release: Path, telegram: TelegramDouble) -> Iterator[Server]:
    """A server that runs all the time; each test has conversations of its own."""
    with Server(shop_release, telegram_token=telegram.token, telegram_api_url=telegram.url) as running:
        yield running.start().wait_ready()
        assert "Traceback" not in running.log


@pytest.fixture
def conversation() -> str:
    return f"api:{uuid4().hex}"


@pytest.fixture
def new_customer(telegram: TelegramDouble) -> Callable[[str], Customer]:
    """Gives a customer with a chat of their own, by language."""
    return lambda lang: Customer(telegram, next(_CHATS), lang)


@pytest.fixture(scope="module")
def agent(server: Server, request: pytest.FixtureRequest) -> str:
    """The name of an agent who can log in; one for each module, as few log-ins a minute are let through."""
    name = f"mei-{request.path.stem}"
    add_agent(server, name)
    return name


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Not for longer than a module: while it runs, nothing else in this thread can run an event loop.
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def double() -> Iterator[TelegramDouble]:
    """A Telegram of the test's own."""
    with TelegramDouble() as server:
        yield server


@pytest.fixture
def outbox() -> MemoryOutbox:
    """An outbox that the test can look into."""
    return MemoryOutbox()


@pytest.fixture
def intake(outbox: MemoryOutbox) -> MemoryIntake:
    """An intake that answers through that outbox."""
    return MemoryIntake(outbox)
