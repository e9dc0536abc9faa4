"""A voice message from Telegram: its answer, and an agent who listens; a double writes down speech."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.console import AgentDesk, add_agent
from tests.e2e.customer import Customer
from tests.e2e.server import Server, wait_until
from tests.e2e.shop import says
from tests.e2e.telegram_double.double import TelegramDouble

WORDS = "How long does delivery take?"


class Ear:
    """Writes down `WORDS`, whatever is said, unless it is `deaf`."""

    def __init__(self) -> None:
        self.deaf = False
        self.heard: list[bytes] = []
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                ear.heard.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(500 if ear.deaf else 200)
                self.end_headers()
                self.wfile.write(json.dumps({"text": WORDS}).encode())

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def ear() -> Iterator[Ear]:
    ear = Ear()
    yield ear
    ear.stop()


@pytest.fixture(scope="module")
def own_telegram() -> Iterator[TelegramDouble]:
    with TelegramDouble() as double:
        yield double


@pytest.fixture(scope="module")
def hearing(shop_release: Path, own_telegram: TelegramDouble, ear: Ear) -> Iterator[Server]:
    settings = {
        "telegram_token": own_telegram.token,
        "telegram_api_url": own_telegram.url,
        "transcribe_url": ear.url,
    }
    with Server(shop_release, **settings) as running:
        yield running.start().wait_ready()
        assert "Traceback" not in running.log
        assert own_telegram.token not in running.log


def send_voice(telegram: TelegramDouble, customer: Customer) -> str:
    """Sends one and gives the bot's answer to it."""
    before = len(customer.inbox)
    telegram.user_sends(customer.chat, "voice")
    wait_until(lambda: len(customer.inbox) > before)
    return customer.inbox[-1]


def test_a_voice_message_is_answered_by_what_was_said(hearing: Server, own_telegram: TelegramDouble, ear: Ear) -> None:
    ann = Customer(own_telegram, 9001, "en")
    assert says(send_voice(own_telegram, ann), "delivery_time", "en")
    assert b"content of voice.ogg" in ear.heard[-1]
    (turn,) = hearing.conversation(ann.conversation)["turns"]
    assert turn["text"] == WORDS


def test_one_that_cannot_be_heard_is_for_an_agent(
    hearing: Server, own_telegram: TelegramDouble, ear: Ear, browser: Browser
) -> None:
    bob = Customer(own_telegram, 9002, "en")
    ear.deaf = True
    assert says(send_voice(own_telegram, bob), "got_voice", "en")
    add_agent(hearing, "mei-voice")
    page = AgentDesk(browser, hearing, "mei-voice", "en").page
    page.goto(f"{hearing.url}/console/conversation?id={bob.conversation}")
    link = page.get_by_role("link", name="Listen")
    with page.context.expect_page() as opened:
        link.click()
    assert "/console/media/" in opened.value.url
    recording = page.context.request.get(f"{hearing.url}{link.get_attribute('href')}")
    assert (recording.headers["content-type"], recording.body()) == ("audio/ogg", b"content of voice.ogg")
