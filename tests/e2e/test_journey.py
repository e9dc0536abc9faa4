"""The whole journey of a customer in Telegram and an agent in a browser, with nothing between them that is not real."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.console import AgentDesk, stored_corrections
from tests.e2e.customer import Customer
from tests.e2e.server import Server, wait_until
from tests.e2e.shop import answer, says


@dataclass(frozen=True)
class Script:
    """What is said in one language."""

    question: str
    paraphrase: str
    entry: str
    nonsense: str
    anger: str
    reply: str
    thanks: str
    again: str


SCRIPTS = {
    "en": Script(
        question="How long does delivery take?",
        paraphrase="can I bring my dog along into your store?",
        entry="dogs-in-store.en",
        nonsense="purple lampposts whisper seven sideways potatoes",
        anger="This is outrageous! You are liars and I am absolutely furious with you!!!",
        reply="I'm sorry. I have looked into it & your parcel <comes> tomorrow.",
        thanks="ok, at last someone who helps",
        again="Which payment methods do you accept?",
    ),
    "zh": Script(
        question="多久能送到？",
        paraphrase="我能带狗狗进店吗",
        entry="dogs-in-store.zh",
        nonsense="紫色的路灯横着念七个土豆",
        anger="太过分了！你们就是骗子，我真的气死了！！！",
        reply="非常抱歉，我查过了，您的包裹<明天>就到。",
        thanks="好吧，总算有人管了",
        again="你们支持哪些付款方式？",
    ),
}


@pytest.mark.parametrize("lang", SCRIPTS)
def test_a_customer_is_answered_handed_over_and_given_back(
    server: Server, new_customer: Callable[[str], Customer], browser: Browser, agent: str, lang: str
) -> None:
    script, ann = SCRIPTS[lang], new_customer(lang)

    assert says(ann.ask(script.question).text, "delivery_time", lang)
    assert ann.ask(script.paraphrase).text == answer(script.entry)
    ann.ask(script.nonsense)
    ann.ask(script.anger)
    stored = server.conversation(ann.conversation)
    kinds = [turn["decision"]["kind"] for turn in stored["turns"]]
    assert kinds[:2] == ["template", "faq"]
    assert kinds[2] in ("clarify", "handover")
    assert kinds[3] == "handover"
    assert stored["status"] == "waiting"

    desk = AgentDesk(browser, server, agent, lang)
    expect(desk.queued(ann.conversation)).to_contain_text(script.anger)
    desk.open(ann.conversation)
    for said in (script.question, script.paraphrase, script.nonsense, script.anger):
        expect(desk.turn(said)).to_be_visible()
    desk.reply(script.reply)
    joined, reply = ann.read(6)[-2:]
    assert says(joined.text, "agent_joined", lang)
    assert reply.text == script.reply
    assert server.conversation(ann.conversation)["status"] == "agent"

    ann.write(script.thanks)
    expect(desk.turn(script.thanks)).to_be_visible()
    assert len(ann.inbox) == 6

    desk.correct(script.nonsense, intent="gift_card", emotion="confusion")
    assert stored_corrections(server, ann.conversation) == [
        (script.nonsense, "emotion", "confusion"),
        (script.nonsense, "intent", "gift_card"),
    ]

    desk.press("hand_back")
    assert says(ann.read(7)[-1].text, "agent_left", lang)
    assert says(ann.ask(script.again).text, "payment_methods", lang)
    expect(desk.turn(script.again)).to_be_visible()
    assert server.conversation(ann.conversation)["status"] == "bot"
    desk.page.goto(f"{server.url}/console")
    expect(desk.page.locator("#tabs")).to_be_visible()
    expect(desk.queued(ann.conversation)).to_have_count(0)


@pytest.mark.parametrize("lang", SCRIPTS)
def test_the_queue_shows_who_waits_without_a_reload(
    server: Server, new_customer: Callable[[str], Customer], browser: Browser, agent: str, lang: str
) -> None:
    desk = AgentDesk(browser, server, agent, lang)
    bob = new_customer(lang)
    bob.ask("/human")
    expect(desk.queued(bob.conversation)).to_be_visible()
    desk.open(bob.conversation)
    desk.page.once("dialog", lambda dialog: dialog.accept())
    desk.press("close")
    assert says(bob.read(2)[-1].text, "closed", lang)
    wait_until(lambda: server.conversation(bob.conversation)["status"] == "closed")
    assert says(bob.ask(SCRIPTS[lang].question).text, "delivery_time", lang)


def test_a_stranger_does_not_get_in(server: Server, browser: Browser) -> None:
    page = browser.new_context(locale="en-GB").new_page()
    page.goto(f"{server.url}/console/conversation?id=telegram%3A1")
    expect(page).to_have_url(f"{server.url}/console/login")
    page.locator("#name").fill("nobody")
    page.locator("#password").fill("guess")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
