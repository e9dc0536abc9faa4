"""Takes the pictures of README and `journey.md`: `python -m docs.screenshots RELEASE`, a shop's release."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from docs.journey_pictures import take_journey
from tests.e2e.conftest import CHROMIUM, CHROMIUM_OPTIONS
from tests.e2e.console import LOCALES, AgentDesk, add_agent
from tests.e2e.server import Server

IMAGES = Path(__file__).parent / "images"
SIZE = {"width": 900, "height": 900}

CHATS = {
    "en": ["How long does delivery take?", "can I bring my dog along into your store?", "where is my order FD20481937"],
    "zh": ["多久能送到？", "我能带狗狗进店吗", "帮我查一下订单FD20481937到哪了"],
}
WAITING = {
    "web:anna": ("en", ["hi there", "where is FD20573310?", "yes", "This is outrageous! I am absolutely furious!!!"]),
    "web:li": ("zh", ["你好", "我的水壶收到就是坏的", "太过分了，气死我了！"]),
    "web:tom": ("en", ["do you sell gift cards", "I want to talk to a human"]),
}


def main(release: Path) -> None:
    """Starts a server with the release and takes every picture."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with Server(release) as server, sync_playwright() as playwright:
        server.start().wait_ready()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        for lang, texts in CHATS.items():
            take_chat(browser, server, lang, texts)
        for conversation, (lang, texts) in WAITING.items():
            for text in texts:
                server.ask(conversation, text, lang=lang)
        add_agent(server, "mei")
        desk = AgentDesk(browser, server, "mei", "en")
        desk.page.set_viewport_size(SIZE)
        desk.queued("web:tom").wait_for()
        save(desk.page, "console-queue")
        desk.open("web:anna")
        turn = desk.turn("where is FD20573310?")
        turn.locator("summary").click()
        turn.scroll_into_view_if_needed()
        save(desk.page, "console-conversation")
        take_knowledge(browser, server)
        take_journey(browser, release, IMAGES)
        browser.close()


def take_chat(browser: Browser, server: Server, lang: str, texts: list[str]) -> None:
    """A visitor's chat, after the last answer."""
    page = browser.new_context(locale=LOCALES[lang], viewport={"width": 480, "height": 860}).new_page()
    page.goto(f"{server.url}/chat")
    bubbles = page.locator(".messages .bubble")
    bubbles.first.wait_for()
    for number, text in enumerate(texts, start=1):
        page.locator("textarea, input[type=text]").first.fill(text)
        page.keyboard.press("Enter")
        bubbles.nth(2 * number).wait_for()
    save(page, f"web-chat-{lang}")


def take_knowledge(browser: Browser, server: Server) -> None:
    """A new entry, with what it would change."""
    server.ask("web:eva", "do you have umbrellas?", lang="en")
    add_agent(server, "lin", admin=True)
    page = AgentDesk(browser, server, "lin", "en").page
    page.set_viewport_size({"width": 900, "height": 1000})
    page.goto(f"{server.url}/console/knowledge/new")
    page.locator("[name=question]").fill("Do you sell umbrellas?")
    page.locator("[name=answer]").fill("Yes, in the accessories of every store. Online they are sold from September.")
    page.locator("[name=variants]").fill("where can I buy an umbrella\nany umbrellas in stock")
    page.locator("[value=preview]").click()
    page.locator("#effect").wait_for()
    save(page, "console-knowledge")


def save(page: Page, name: str) -> None:
    """Writes one picture."""
    page.wait_for_timeout(500)
    page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
