"""A customer's journey through Telegram and an agent's console, as pictures of `docs/journey.md`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize

from bot.channels.telegram_keyboard import THUMBS
from tests.e2e.console import AgentDesk, add_agent
from tests.e2e.customer import ANSWER_SECONDS
from tests.e2e.server import Server, wait_until
from tests.e2e.telegram_double.double import TelegramDouble
from tests.e2e.telegram_double.state import BotMessage

SIZE: ViewportSize = {"width": 1040, "height": 760}
_STYLE = """
body { margin: 0; background: #d5e3c8; font: 15px/1.35 sans-serif; width: 420px; }
header { background: #517da2; color: #fff; padding: 10px 16px; font-weight: bold; }
main { display: flex; flex-direction: column; gap: 6px; padding: 12px; }
.said { max-width: 320px; padding: 8px 11px; border-radius: 12px; white-space: pre-wrap; overflow-wrap: anywhere; }
.bot { background: #fff; align-self: flex-start; }
.customer { background: #e3fecb; align-self: flex-end; }
.row { display: flex; gap: 4px; width: 342px; }
.row span { flex: 1; background: #7f9e74; color: #fff; text-align: center; padding: 6px 4px; border-radius: 8px; }
"""
_THUMB = (
    '<svg width="18" height="18" viewBox="0 0 24 24" fill="currentColor" style="rotate: {turned}deg">'
    '<path d="M2 10h4v11H2z M8 10l4-8c2 0 3 1 2.5 3L14 9h7v4l-3 8H8z"/></svg>'
)


@dataclass(frozen=True, slots=True)
class Script:
    """What is said in one language; `form` is told one after the other."""

    customer: str
    questions: tuple[str, ...]
    form: tuple[str, ...]
    anger: str
    reply: str


SCRIPTS = {
    "en": Script(
        customer="Anna",
        questions=("When are you open?", "And on Sundays?"),
        form=("Where is my order?", "FD20481937", "yes"),
        anger="This is outrageous! I have been waiting for weeks and I am absolutely furious!!!",
        reply="I am sorry, Anna. Your parcel was held at the depot; it will be with you tomorrow.",
    ),
    "zh": Script(
        customer="小李",
        questions=("你们几点开门？", "那周日呢？"),
        form=("我的订单到哪了？", "FD20481937", "是的"),
        anger="太过分了！你们就是骗子，我真的气死了！！！",
        reply="非常抱歉，您的包裹在仓库耽搁了，明天就能送到。",
    ),
}


class Chat:
    """A customer's chat, and how it looks.

    Args:
        telegram: where it is.
        number: its id.
        lang: of the customer.
        name: of the customer.
    """

    def __init__(self, telegram: TelegramDouble, number: int, lang: str, name: str) -> None:
        self.conversation = f"telegram:{number}"
        self._telegram = telegram
        self._number = number
        self._lang = lang
        self._name = name
        self._said: dict[int, str] = {}
        self._shown = 0

    def ask(self, text: str) -> None:
        """Writes, and waits for an answer."""
        self.after(lambda: self._write(text))

    def tap(self, label: str) -> None:
        """Taps a button, and waits for an answer."""
        self.after(lambda: self._telegram.user_taps(self._number, label))

    def after(self, act: Callable[[], object], replies: int = 1) -> None:
        """Does something, and waits for what the customer is told after it."""
        known = len(self._telegram.messages(self._number))
        act()
        self._telegram.wait_for(self._number, known + replies, ANSWER_SECONDS)

    def photograph(self, page: Page, path: Path) -> None:
        """Draws what was said since the last picture."""
        told = {message.message_id: message for message in self._telegram.messages(self._number)}
        news = sorted(number for number in [*self._said, *told] if number > self._shown)
        self._shown = max(news, default=self._shown)
        bubbles = "".join(
            _bubble("customer", self._said[number]) if number in self._said else _told(told[number]) for number in news
        )
        title = "Lark &amp; Lane" if self._lang == "en" else "云雀小铺"
        page.set_content(f"<style>{_STYLE}</style><header>{title}</header><main>{bubbles}</main>")
        page.locator("body").screenshot(path=path)

    def _write(self, text: str) -> None:
        update = self._telegram.user_says(self._number, text, self._lang, self._name)
        self._said[int(update["message"]["message_id"])] = text


def take_journey(browser: Browser, release: Path, images: Path) -> None:
    """Walks through the journey in each language and takes its pictures.

    Args:
        browser: opens the console and the drawn chats.
        release: of the example shop.
        images: where the pictures go.
    """
    with (
        TelegramDouble() as telegram,
        Server(release, telegram_token=telegram.token, telegram_api_url=telegram.url) as server,
    ):
        server.start().wait_ready()
        add_agent(server, "mei")
        for number, (lang, script) in enumerate(SCRIPTS.items(), start=501):
            _walk(browser, server, Chat(telegram, number, lang, script.customer), lang, images)


def _walk(browser: Browser, server: Server, chat: Chat, lang: str, images: Path) -> None:
    script = SCRIPTS[lang]
    page = browser.new_context(viewport={"width": 420, "height": 300}).new_page()
    for name, texts in (("question", script.questions), ("form", script.form), ("anger", (script.anger,))):
        for text in texts:
            chat.ask(text)
        chat.photograph(page, images / f"journey-{lang}-{name}.png")
    desk = AgentDesk(browser, server, "mei", lang)
    desk.page.set_viewport_size(SIZE)
    desk.open(chat.conversation)
    chat.after(lambda: desk.reply(script.reply), replies=2)
    desk.page.wait_for_timeout(500)
    desk.page.reload()
    desk.page.wait_for_timeout(500)
    desk.page.screenshot(path=images / f"journey-{lang}-console.png")
    desk.page.once("dialog", lambda dialog: dialog.accept())
    chat.after(lambda: desk.press("close"), replies=2)
    wait_until(lambda: server.conversation(chat.conversation)["status"] == "closed")
    chat.tap("5")
    chat.photograph(page, images / f"journey-{lang}-reply.png")
    page.context.close()
    desk.page.context.close()


def _told(message: BotMessage) -> str:
    rows = ("".join(f"<span>{_label(button['text'])}</span>" for button in row) for row in message.rows)
    return _bubble("bot", message.text) + "".join(f'<div class="row">{row}</div>' for row in rows)


def _label(text: str) -> str:
    """A button's label, with thumbs drawn: a browser may have no font for them."""
    turned = {THUMBS["+"]: 0, THUMBS["-"]: 180}.get(text)
    return escape(text) if turned is None else _THUMB.format(turned=turned)


def _bubble(who: str, text: str) -> str:
    return f'<div class="said {who}">{escape(text)}</div>'
