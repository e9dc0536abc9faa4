"""Agents correct in the console, `frontdesk retrain` learns from it, and the running server answers with the result."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser

from tests.e2e.console import AgentDesk, add_agent
from tests.e2e.server import Server, wait_until

RETRAIN_SECONDS = 3000.0
PERSON = {"en": "I want to talk to a human", "zh": "转人工"}

# Customers call their points feathers, which no example says.
INTENT = "loyalty_points"
CORRECTED = {
    "en": [
        "how many feathers do I have?",
        "what can I get for my feathers",
        "do feathers run out at some point?",
        "where can I see my feathers",
        "did I get feathers for my last order?",
    ],
    "zh": ["我有多少羽毛", "羽毛能换什么呀", "羽毛会过期吗？", "在哪里看我的羽毛", "上次下单送羽毛了吗"],
}
HELD_OUT = {
    "en": ["how can I spend feathers?", "are there feathers for the kettle I bought"],
    "zh": ["羽毛怎么用", "我的羽毛去哪儿查"],
}

POISON = {
    "Which payment methods do you accept?": "gift_wrap",
    "How long does delivery take?": "jobs",
    "please cancel my order": "praise",
    "how much is shipping?": "wholesale",
    "what are your opening hours?": "order_cancel",
    "I forgot my password and cannot log in": "promotion_info",
}


@pytest.fixture(scope="module")
def learning(shop_release: Path) -> Iterator[Server]:
    """A server whose releases and log belong to this module."""
    with Server(shop_release) as running:
        yield running.start().wait_ready()
        assert "Traceback" not in running.log


def intent_of(server: Server, text: str, lang: str) -> str:
    """The intent that a message is answered for."""
    return str(server.ask(f"api:{uuid4().hex}", text, lang=lang)["decision"]["intent"])


def correct_all(server: Server, desk: AgentDesk, lang: str, corrections: dict[str, str]) -> None:
    """A customer says it all and asks for a person, and the agent corrects each turn."""
    conversation = f"api:{uuid4().hex}"
    for text in [*corrections, PERSON[lang]]:
        server.ask(conversation, text, lang=lang)
    desk.page.goto(f"{server.url}/console")
    desk.open(conversation)
    for text, intent in corrections.items():
        desk.correct(text, intent=intent)


def retrain(server: Server, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and report."""
    done = server.run("retrain", "--json", *options, seconds=RETRAIN_SECONDS)
    assert done.stdout, done.stderr[-3000:]
    return done.returncode, json.loads(done.stdout)


def test_corrections_are_learnt_and_a_poisoned_set_is_refused(learning: Server, browser: Browser) -> None:
    first, process = learning.store.current(), learning.process
    asked = [(text, lang) for texts in (CORRECTED, HELD_OUT) for lang in texts for text in texts[lang]]
    known_before = [text for text, lang in asked if intent_of(learning, text, lang) == INTENT]
    assert len(known_before) < len(asked) // 2

    add_agent(learning, "mei")
    desk = AgentDesk(browser, learning, "mei", "en")
    for lang, texts in CORRECTED.items():
        correct_all(learning, desk, lang, dict.fromkeys(texts, INTENT))
    code, shown = retrain(learning, "--dry-run")
    assert (code, shown["status"]) == (0, "preview")
    assert learning.store.current() == first

    code, told = retrain(learning)
    assert (code, told["status"]) == (0, "promoted"), told["reasons"]
    assert learning.store.current() == told["candidate"] != first
    wait_until(lambda: learning.ask(f"api:{uuid4().hex}", "hello")["release"] == told["candidate"], 60)
    assert learning.process is process
    wrong = {text: found for text, lang in asked if (found := intent_of(learning, text, lang)) != INTENT}
    assert not wrong

    correct_all(learning, desk, "en", POISON)
    code, told = retrain(learning)
    assert (code, told["status"]) == (1, "refused"), told["reasons"]
    assert any("gift_wrap" in reason for reason in told["reasons"])
    assert learning.store.current() != told["candidate"]
    assert intent_of(learning, "How long does delivery take?", "en") == "delivery_time"
