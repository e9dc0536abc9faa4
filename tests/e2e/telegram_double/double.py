"""A Telegram Bot API double: a real HTTP server, and the customers' side of it as Python methods.

with TelegramDouble() as telegram:
    bot = telegram.Bot(telegram.token, base_url=telegram.url + "/bot")
    telegram.user_says(7, "hello")
    telegram.wait_for(7, lambda message: "Hi" in message.text)
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, overload

from tests.e2e.telegram_double.server import ApiServer
from tests.e2e.telegram_double.state import BotMessage, Call, Fault, FaultKind, Json, State, Trouble

TOKEN = "4200001:AAdoubleDOUBLEdoubleDOUBLEdouble_42"
Predicate = Callable[[BotMessage], bool]


class TelegramDouble:
    """Starts on entering, stops on leaving; every method may be called from any thread.

    Attributes:
        url: what TELEGRAM_API_URL must be; the library's `base_url` is `url + "/bot"`.
        token: the only token that is taken.
    """

    def __init__(self, token: str = TOKEN) -> None:
        self.token = token
        self.state = State(token)
        self._server = ApiServer(self.state)
        self.url = self._server.url
        self._query_ids = itertools.count(1)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    # -- what customers do
    def user_says(self, chat_id: int, text: str, lang: str = "en", name: str = "Ann") -> Json:
        """A customer writes a text in a private chat; gives the update."""
        content: Json = {"text": text}
        if text.startswith("/"):
            length = len(text.split(maxsplit=1)[0])
            content["entities"] = [{"type": "bot_command", "offset": 0, "length": length}]
        return self._message(chat_id, content, lang, name)

    def user_sends(self, chat_id: int, kind: str, caption: str = "", lang: str = "en", name: str = "Ann") -> Json:
        """A customer sends a `photo`, `sticker`, `voice`, `location`, `document` or `contact`; gives the update."""
        return self._message(chat_id, self._attachment(kind, caption), lang, name)

    def user_edits(self, update: Json, text: str) -> Json:
        """A customer changes the text of an earlier message (given as its update); gives the new update."""
        original = update.get("message") or update["edited_message"]
        return self.push("edited_message", {**original, "text": text, "edit_date": int(time.time())})

    def user_taps(self, chat_id: int, button_label: str) -> Json:
        """A customer taps the latest inline button with this label; gives the update."""
        shown = [message for message in self.messages(chat_id) if message.rows and not message.deleted]
        for message in reversed(shown):
            for button in (button for row in message.rows for button in row):
                if button["text"] == button_label:
                    return self._tap(message, button)
        labels = sorted({label for message in shown for label in message.buttons})
        raise AssertionError(f"no button {button_label!r} in chat {chat_id}; there are {labels}")

    def push(self, kind: str, payload: Json) -> Json:
        """Any other update, such as `channel_post` or a message in a group; gives the update."""
        return self.state.add_update(kind, payload)

    def block(self, chat_id: int) -> None:
        """The customer blocks the bot."""
        self.state.blocked.add(chat_id)

    def unblock(self, chat_id: int) -> None:
        """The customer lets the bot write again."""
        self.state.blocked.discard(chat_id)

    # -- what the bot did
    def messages(self, chat_id: int) -> list[BotMessage]:
        """What the bot sent to a chat, in order, deleted messages included."""
        with self.state.changed:
            return [message for message in self.state.messages if message.chat_id == chat_id]

    def calls(self, method: str) -> list[Call]:
        """The requests to a method, in order, those that met a fault included."""
        with self.state.changed:
            return [call for call in self.state.calls if call.method.lower() == method.lower()]

    @property
    def answered_queries(self) -> list[str]:
        """The callback queries whose spinner the bot stopped."""
        with self.state.changed:
            return list(self.state.answered_queries)

    @property
    def pending_updates(self) -> list[Json]:
        """The updates that are not confirmed yet."""
        with self.state.changed:
            return list(self.state.updates)

    @overload
    def wait_for(self, chat_id: int, condition: int = 1, timeout: float = 10.0) -> list[BotMessage]: ...
    @overload
    def wait_for(self, chat_id: int, condition: Predicate, timeout: float = 10.0) -> BotMessage: ...
    def wait_for(
        self, chat_id: int, condition: int | Predicate = 1, timeout: float = 10.0
    ) -> list[BotMessage] | BotMessage:
        """Waits until the bot sent this many messages (gives all), or one that the predicate takes (gives it)."""
        found: list[BotMessage] | BotMessage | None = None

        def met() -> bool:
            nonlocal found
            messages = self.messages(chat_id)
            if callable(condition):
                found = next((message for message in messages if condition(message)), None)
            else:
                found = messages if len(messages) >= condition else None
            return found is not None

        self.wait_until(met, timeout, lambda: f"chat {chat_id} has {[m.text for m in self.messages(chat_id)]}")
        assert found is not None
        return found

    def wait_until(
        self,
        met: Callable[[], bool],
        timeout: float = 10.0,
        explain: Callable[[], str] = lambda: "nothing more is known",
    ) -> None:
        """Waits until something holds about the double; a TimeoutError explains what was there instead."""
        with self.state.changed:
            if not self.state.changed.wait_for(met, timeout):
                raise TimeoutError(f"not within {timeout} s: {explain()}")

    # -- what goes wrong
    def fail_next(
        self, method: str, kind: FaultKind, times: int = 1, *, retry_after: int = 1, chat_id: int | None = None
    ) -> None:
        """The next requests to a method (of one chat, where given) fail.

        Args:
            method: such as `sendMessage`.
            kind: `406`, `413`, `429`, `500`, `502`, `drop_before` (the connection ends unread), `drop_after` (it ends
                once the request was carried out), `hang` (no answer as long as the double lives) or `hang_after`
                (carried out, but no answer).
            times: how many requests.
            retry_after: seconds that a `429` names.
            chat_id: only requests for this chat.
        """
        with self.state.changed:
            self.state.faults.append(Fault(method, kind, times, retry_after, chat_id))

    def fail_as(self, trouble: Trouble | None) -> None:
        """From now on asks `trouble` about each request which fault it meets; None ends that."""
        with self.state.changed:
            self.state.trouble = trouble or (lambda _method, _chat_id: None)

    # -- parts
    def _message(self, chat_id: int, content: Json, lang: str, name: str) -> Json:
        first, _, last = name.partition(" ")
        person = {"first_name": first} | ({"last_name": last} if last else {})
        with self.state.changed:
            self.state.chats[chat_id] = {"id": chat_id, "type": "private", **person}
            message = {
                "message_id": self.state.next_message_id(),
                "from": {"id": chat_id, "is_bot": False, "language_code": lang, **person},
                "chat": self.state.chats[chat_id],
                "date": int(time.time()),
                **content,
            }
            return self.push("message", message)

    def _attachment(self, kind: str, caption: str) -> Json:
        with_caption = {"caption": caption} if caption else {}
        match kind:
            case "photo":
                sizes = [{**self._file("photo.jpg"), "width": width, "height": width} for width in (90, 640)]
                return {"photo": sizes, **with_caption}
            case "sticker":
                shape = {"width": 512, "height": 512, "is_animated": False, "is_video": False, "type": "regular"}
                return {"sticker": {**self._file("sticker.webp"), **shape, "emoji": "😀"}}
            case "voice":
                return {"voice": {**self._file("voice.ogg"), "duration": 3, "mime_type": "audio/ogg"}, **with_caption}
            case "location":
                return {"location": {"latitude": 31.23, "longitude": 121.47}}
            case "document":
                return {"document": {**self._file("order.pdf"), "file_name": "order.pdf"}, **with_caption}
            case "contact":
                return {"contact": {"phone_number": "+100000000", "first_name": "Bob"}}
        raise ValueError(f"unknown kind of attachment {kind!r}")

    def _file(self, name: str) -> dict[str, Any]:
        content = f"content of {name}".encode()
        file_id = self.state.store_file(name, content)
        return {"file_id": file_id, "file_unique_id": f"u-{file_id}", "file_size": len(content)}

    def _tap(self, message: BotMessage, button: Json) -> Json:
        chat = self.state.chats[message.chat_id]
        person = {key: value for key, value in chat.items() if key != "type"}
        with self.state.changed:
            query = f"q{next(self._query_ids)}"
            self.state.open_queries.add(query)
            payload = {
                "id": query,
                "from": {"is_bot": False, **person},
                "message": self._server.api.message_json(message),
                "chat_instance": f"i{message.chat_id}",
                "data": button["callback_data"],
            }
            return self.push("callback_query", payload)
