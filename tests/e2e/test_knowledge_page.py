"""An admin edits the knowledge base in a browser, and customers get what was written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from bot.console.texts import TEXTS
from tests.e2e.console import AgentDesk, add_agent
from tests.e2e.server import Server

WRITTEN = {
    "en": ("Do you sell umbrellas?", "Yes, in every store.", "do you sell umbrellas"),
    "zh": ("你们卖雨伞吗？", "有，每家门店都有。", "你们卖雨伞吗"),
}


@pytest.fixture
def server(shop_release: Path) -> Iterator[Server]:
    with Server(shop_release) as server:
        server.start().wait_ready()
        yield server


@pytest.mark.parametrize("lang", WRITTEN)
def test_what_an_admin_writes_is_answered_until_it_ends(browser: Browser, server: Server, lang: str) -> None:
    words, (question, answer, asked) = TEXTS[lang], WRITTEN[lang]
    server.ask("web:eva", asked, lang=lang)
    add_agent(server, "mei", admin=True)
    page = AgentDesk(browser, server, "mei", lang).page
    page.get_by_role("link", name=words["knowledge"]).click()
    page.get_by_role("link", name=words["knowledge_new"]).click()
    page.get_by_label(words["knowledge_question"]).fill(question)
    page.get_by_label(words["knowledge_answer"], exact=True).fill(answer)
    page.get_by_label(words["knowledge_language"]).select_option(lang)
    page.get_by_role("button", name=words["knowledge_preview"]).click()
    expect(page.locator("#effect")).to_contain_text(asked)
    page.get_by_role("button", name=words["knowledge_save"]).click()
    expect(page.get_by_role("status")).to_have_text(words["knowledge_saved"])
    assert server.ask("web:tom", asked, lang=lang)["replies"][0]["text"] == answer

    page.get_by_label(words["knowledge_until"]).fill("2026-01-01T12:00")
    page.get_by_role("button", name=words["knowledge_save"]).click()
    expect(page.get_by_role("status")).to_have_text(words["knowledge_kept"])
    expect(page.get_by_label(words["knowledge_until"])).to_have_value("2026-01-01T12:00")
    assert server.ask("web:ann", asked, lang=lang)["replies"][0]["text"] != answer
