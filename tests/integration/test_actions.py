"""Filled forms that call a company's API: the example shop's, over HTTP, and one that is away."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from datetime import date
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from bot.adapters.http_actions import HttpActions
from bot.bot_files import BotFiles, load_bot_files
from bot.dialogue.engine import Engine
from bot.domain.messages import Reply
from bot.intake import MessageIntake
from bot.pipeline import Pipeline
from tests.integration.pipeline.house import ENTRY, House, Reader, Search

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def shop_api() -> ModuleType:
    spec = importlib.util.spec_from_file_location("shop_api", EXAMPLES / "shop_api.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def api_url(shop_api: ModuleType) -> Iterator[str]:
    class Quiet(shop_api.Handler):  # type: ignore[misc, name-defined]
        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, load_bot_files(EXAMPLES / "shop"))
    yield made
    made.close()


def asks(house: House, url: str, intent: str, order: str) -> tuple[str, str, int]:
    """Fills an order form in; gives the last words, the conversation's status and how many humans are asked for."""
    files: BotFiles = load_bot_files(EXAMPLES / "shop")
    engine = Engine(Reader(), Search(), {ENTRY.id: ENTRY})
    actions = HttpActions(url)
    pipeline = Pipeline(
        lambda: engine, house.log, house.state, files.rules, files.templates, house.clock, actions=actions
    )
    intake = MessageIntake(pipeline, house.log, house.state, lambda _: Reply("One moment.", "en"))
    for number, text in enumerate((f"#{intent}", order, "yes")):
        document = intake.answer(house.says(text, number))
    actions.close()
    head = house.log.conversation("api-1")
    assert head is not None
    return document["replies"][0]["text"], head.status.value, len(house.log.escalations())


@pytest.mark.parametrize(
    ("intent", "order", "said"),
    [
        ("order_status", "FD20481931", "being packed"),
        ("order_status", "FD20481935", "FD20481935"),
        ("order_status", "FD20481938", "delivered"),
        ("order_status", "FD20481939", "FD20481939"),
        ("order_cancel", "FD20481930", "cancelled"),
        ("order_cancel", "FD20481937", "can't be cancelled"),
    ],
)
def test_the_shops_api_answers_at_once_and_nobody_is_called(
    house: House, api_url: str, intent: str, order: str, said: str
) -> None:
    text, status, escalations = asks(house, api_url, intent, order)
    assert said in text
    assert (status, escalations) == ("bot", 0)


def test_without_an_answer_a_human_acts_as_before(house: House) -> None:
    text, status, escalations = asks(house, "http://127.0.0.1:9", "order_status", "FD20481937")
    assert "colleague" in text
    assert (status, escalations) == ("waiting", 1)


def test_an_answer_without_words_for_it_calls_a_human(
    house: House, api_url: str, shop_api: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop_api, "answer", lambda *_: (200, {"state": "eaten by a whale", "day": "today"}))
    assert asks(house, api_url, "order_status", "FD20481937")[1:] == ("waiting", 1)


def test_an_answer_that_lacks_what_is_shown_calls_a_human(
    house: House, api_url: str, shop_api: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop_api, "answer", lambda *_: (200, {"state": "shipped"}))
    assert asks(house, api_url, "order_status", "FD20481937")[1:] == ("waiting", 1)


def test_the_shops_api_knows_only_its_own_paths(shop_api: ModuleType) -> None:
    today = date(2026, 5, 1)
    assert shop_api.answer("GET", "/orders/FD20481935", today)[1] == {"state": "shipped", "day": "2026-05-03"}
    for method, path in (("POST", "/orders/FD20481935"), ("GET", "/orders/FD20481935/cancellation"), ("GET", "/")):
        assert shop_api.answer(method, path, today)[0] == 404
