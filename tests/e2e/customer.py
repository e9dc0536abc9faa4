"""A customer who writes to the bot in Telegram."""

from __future__ import annotations

from tests.e2e.telegram_double.double import TelegramDouble
from tests.e2e.telegram_double.state import BotMessage

ANSWER_SECONDS = 30.0


class Customer:
    """One private chat.

    Args:
        telegram: where the chat is.
        chat: its id.
        lang: the language of the customer's Telegram app.
    """

    def __init__(self, telegram: TelegramDouble, chat: int, lang: str = "en") -> None:
        self._telegram = telegram
        self.chat = chat
        self.lang = lang
        self.conversation = f"telegram:{chat}"

    @property
    def inbox(self) -> list[str]:
        """All that the customer was told, in order."""
        return [message.text for message in self._telegram.messages(self.chat)]

    def write(self, text: str) -> None:
        """Writes without waiting for anything."""
        self._telegram.user_says(self.chat, text, self.lang)

    def ask(self, text: str) -> BotMessage:
        """Writes, and waits for the next message."""
        known = len(self.inbox)
        self.write(text)
        return self.read(known + 1)[-1]

    def read(self, count: int) -> list[BotMessage]:
        """Waits until the customer was told this many things; gives all."""
        return self._telegram.wait_for(self.chat, count, ANSWER_SECONDS)
