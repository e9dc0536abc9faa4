"""The console in a browser, as an agent uses it."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from bot.console.texts import TEXTS
from tests.e2e.server import Server

LOCALES = {"en": "en-GB", "zh": "zh-CN"}
PASSWORD = "correct horse battery 电池"


def open_page(browser: Browser, lang: str) -> Page:
    """A page of a browser that nobody has used before."""
    page = browser.new_context(locale=LOCALES[lang]).new_page()
    page.set_default_timeout(20_000)
    return page


def add_agent(server: Server, name: str, *, admin: bool = False) -> None:
    """Lets an agent into the console."""
    added = server.run("agents", "add", name, *(["--admin"] if admin else []), stdin=f"{PASSWORD}\n")
    assert added.returncode == 0, added.stderr


class AgentDesk:
    """An agent who is logged in.

    Args:
        browser: what the agent works with.
        server: where the agent works.
        name: the agent's name.
        lang: the language of the agent's browser.
    """

    def __init__(self, browser: Browser, server: Server, name: str, lang: str) -> None:
        self.words = TEXTS[lang]
        self.page = open_page(browser, lang)
        self.page.goto(f"{server.url}/console")
        self.page.get_by_label(self.words["name"]).fill(name)
        self.page.get_by_label(self.words["password"]).fill(PASSWORD)
        self.press("log_in")
        expect(self.page.get_by_role("heading", name=self.words["queue"])).to_be_visible()

    def press(self, label: str, within: Locator | None = None) -> None:
        """Presses a button, by the key of its label."""
        (within or self.page).get_by_role("button", name=self.words[label], exact=True).click()

    def queued(self, conversation: str) -> Locator:
        """The row of a conversation in the queue."""
        return self.page.locator(f'[id="row-{conversation}"]')

    def open(self, conversation: str) -> None:
        """Waits for a conversation in the queue, and opens it."""
        self.queued(conversation).click()
        expect(self.page.locator("#head")).to_contain_text(conversation.partition(":")[2])

    def reply(self, text: str) -> None:
        """Writes to the customer of the open conversation."""
        self.page.get_by_label(self.words["reply_label"]).fill(text)
        self.press("reply_send")
        expect(self.page.locator(".bubble.agent", has_text=text)).to_be_visible()

    def turn(self, text: str) -> Locator:
        """The turn of the open conversation in which the customer wrote this."""
        return self.page.locator("article.turn", has=self.page.locator(".bubble.customer", has_text=text))

    def correct(self, text: str, **values: str) -> Locator:
        """Corrects the turn in which the customer wrote this; gives the turn."""
        turn = self.turn(text)
        turn.locator("summary").click()
        for field, value in values.items():
            turn.get_by_label(self.words[field], exact=False).first.select_option(value)
        self.press("correct_save", turn)
        expect(turn.locator(".chip.corrected")).to_be_visible()
        return turn


def stored_corrections(server: Server, conversation: str) -> list[tuple[Any, ...]]:
    """Text of the turn, field and value of each correction of a conversation."""
    return server.rows(
        "SELECT message.text, correction.field, correction.value FROM correction "
        "JOIN turn ON turn.id = correction.turn_id JOIN message ON message.id = turn.message_id "
        "WHERE turn.conversation = ? ORDER BY correction.field",
        conversation,
    )
