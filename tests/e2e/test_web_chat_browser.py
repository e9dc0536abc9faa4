"""Visitors of the web chat in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from bot.channels.web_texts import TEXTS
from tests.e2e.console import AgentDesk, open_page
from tests.e2e.server import Server
from tests.e2e.shop import says

ASKED = {"en": "How long does delivery take?", "zh": "多久能送到？"}
HUMAN = {"en": "Talk to a person", "zh": "转人工客服"}
COST = {"en": "What does delivery cost?", "zh": "运费多少"}
DETAIL = {"en": "it is about the blue kettle from Tuesday", "zh": "是周二买的那个蓝色水壶"}
REPLY = {"en": "Hello, this is <b>Mei</b>.", "zh": "您好，我是<b>小美</b>。"}


class Visitor:
    """A visitor with the chat open."""

    def __init__(self, browser: Browser, server: Server, lang: str) -> None:
        self.page: Page = open_page(browser, lang)
        self.lang = lang
        self.page.goto(f"{server.url}/chat")
        expect(self.bubbles).to_have_count(1)

    @property
    def bubbles(self) -> Locator:
        return self.page.locator(".messages .bubble")

    @property
    def said(self) -> list[str]:
        return self.bubbles.all_inner_texts()

    def write(self, text: str) -> None:
        self.page.get_by_label(TEXTS[self.lang]["input"]).fill(text)
        self.page.keyboard.press("Enter")

    def tap(self, label: str) -> None:
        self.page.locator(".offers").get_by_role("button", name=label, exact=True).click()

    def waits_for(self, count: int) -> str:
        """Waits until so many messages are shown; gives the last."""
        expect(self.bubbles).to_have_count(count)
        return self.said[-1]


def visitor_in(server: Server, text: str) -> str:
    """The conversation of the visitor who wrote this last."""
    found = server.rows(
        "SELECT conversation FROM message WHERE text = ? AND conversation LIKE 'web:%' ORDER BY id", text
    )
    return str(found[-1][0])


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_visitor_chats_taps_judges_and_finds_everything_again(browser: Browser, server: Server, lang: str) -> None:
    visitor = Visitor(browser, server, lang)
    assert says(visitor.said[0], "greeting", lang)

    visitor.write(ASKED[lang])
    assert says(visitor.waits_for(3), "delivery_time", lang)
    visitor.tap(COST[lang])
    assert says(visitor.waits_for(5), "delivery_cost", lang)
    assert visitor.said[3] == COST[lang]

    good = visitor.page.locator(".message.bot").last.get_by_label(TEXTS[lang]["good"], exact=True)
    good.click()
    expect(good).to_have_attribute("aria-pressed", "true")
    conversation = visitor_in(server, ASKED[lang])
    judged = (
        "SELECT message.text, feedback.value FROM feedback JOIN turn ON turn.id = feedback.turn_id "
        "JOIN message ON message.id = turn.message_id WHERE turn.conversation = ?"
    )
    assert server.rows(judged, conversation) == [("intent:delivery_cost", 1)]

    before = visitor.said
    visitor.page.reload()
    expect(visitor.bubbles).to_have_count(5)
    assert visitor.said[1:] == before[1:]
    again = visitor.page.locator(".message.bot").last.get_by_label(TEXTS[lang]["good"], exact=True)
    expect(again).to_have_attribute("aria-pressed", "true")
    assert len(server.conversation(conversation)["turns"]) == 2


@pytest.mark.parametrize("reload", [False, True], ids=["open", "reloaded"])
def test_what_was_written_while_the_server_was_away_is_sent_by_itself(
    browser: Browser, shop_release: Path, reload: bool
) -> None:
    written = [ASKED["en"], COST["en"]]
    with Server(shop_release) as server:
        visitor = Visitor(browser, server.start().wait_ready(), "en")
        server.kill()
        unsent = visitor.page.locator(".failed")
        for count, text in enumerate(written, 1):
            visitor.write(text)
            expect(unsent).to_have_count(count)
        server.start().wait_ready()
        if reload:
            visitor.page.reload()
        expect(unsent).to_have_count(0, timeout=60_000)
        assert says(visitor.waits_for(5), "delivery_cost", "en")
        assert [text for (text,) in server.rows("SELECT text FROM message ORDER BY id")] == written


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_an_agents_reply_appears_without_a_reload(browser: Browser, server: Server, agent: str, lang: str) -> None:
    visitor = Visitor(browser, server, lang)
    visitor.tap(HUMAN[lang])
    assert says(visitor.waits_for(3), "handover", lang)
    visitor.write(DETAIL[lang])
    visitor.waits_for(5)

    desk = AgentDesk(browser, server, agent, lang)
    desk.open(visitor_in(server, DETAIL[lang]))
    desk.reply(REPLY[lang])
    assert visitor.waits_for(7) == REPLY[lang]
    assert says(visitor.said[5], "agent_joined", lang)
    expect(visitor.page.locator(".message.agent .by")).to_have_text(TEXTS[lang]["agent"])

    visitor.write("😀 <i>ok</i>")
    expect(desk.turn("😀 <i>ok</i>")).to_be_visible()
    assert len(visitor.said) == 8


def test_what_an_agent_wrote_before_the_next_answer_is_shown_after_it(
    browser: Browser, server: Server, agent: str
) -> None:
    visitor = Visitor(browser, server, "en")
    visitor.tap(HUMAN["en"])
    visitor.waits_for(3)
    visitor.write("it is about my refund from Friday")
    visitor.waits_for(5)
    desk = AgentDesk(browser, server, agent, "en")
    desk.open(visitor_in(server, "it is about my refund from Friday"))
    desk.reply("I look into it.")
    visitor.waits_for(7)

    # Between two polls the agent writes and leaves, and the customer writes too.
    visitor.page.route("**/chat/messages?after=*", lambda route: route.fulfill(json={"messages": []}))
    desk.reply("Your refund was paid today.")
    desk.press("hand_back")
    expect(desk.page.get_by_role("button", name=desk.words["take"], exact=True)).to_be_visible()
    visitor.write(ASKED["en"])
    assert says(visitor.waits_for(9), "delivery_time", "en")

    visitor.page.unroute("**/chat/messages?after=*")
    visitor.waits_for(11)
    assert visitor.said[9] == "Your refund was paid today."
    assert says(visitor.said[10], "agent_left", "en")
    expect(visitor.page.locator(".offers").get_by_role("button", name=COST["en"], exact=True)).to_be_visible()


def test_an_answer_that_comes_late_stands_before_the_next_one(browser: Browser, server: Server) -> None:
    visitor = Visitor(browser, server, "en")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    visitor.page.route("**/chat/messages", hold)
    visitor.page.route("**/chat/messages?after=*", lambda route: route.fulfill(json={"messages": []}))
    visitor.write(ASKED["en"])
    while not held:
        visitor.page.wait_for_timeout(20)
    late = held.pop()
    answer = late.fetch()
    visitor.page.unroute("**/chat/messages")
    visitor.write(COST["en"])
    assert says(visitor.waits_for(4), "delivery_cost", "en")
    late.fulfill(response=answer)
    visitor.waits_for(5)
    assert visitor.said[1:3] == [ASKED["en"], COST["en"]]
    assert says(visitor.said[3], "delivery_time", "en")
    assert says(visitor.said[4], "delivery_cost", "en")
    visitor.page.reload()
    expect(visitor.bubbles).to_have_count(5)


def test_the_language_can_be_switched_and_stays(browser: Browser, server: Server) -> None:
    visitor = Visitor(browser, server, "en")
    visitor.page.get_by_role("link", name="中文").click()
    expect(visitor.page.locator("html")).to_have_attribute("lang", "zh-Hans")
    visitor.lang = "zh"
    assert says(visitor.waits_for(1), "greeting", "zh")
    visitor.page.goto(f"{server.url}/chat")
    assert says(visitor.waits_for(1), "greeting", "zh")


def test_a_message_that_is_too_long_is_not_sent(browser: Browser, server: Server) -> None:
    visitor = Visitor(browser, server, "en")
    visitor.page.get_by_label("Your message").fill("a" * 4001)
    expect(visitor.page.get_by_role("button", name="Send", exact=True)).to_be_disabled()
    expect(visitor.page.locator(".count")).to_have_text("4001 / 4000")
    visitor.write("a" * 4000)
    assert visitor.waits_for(3)


def test_two_visitors_do_not_see_each_other(browser: Browser, server: Server) -> None:
    ann, bob = Visitor(browser, server, "en"), Visitor(browser, server, "en")
    ann.write("hello from Ann")
    ann.waits_for(3)
    bob.page.reload()
    assert bob.waits_for(1) == bob.said[0]
    assert "hello from Ann" not in bob.said
