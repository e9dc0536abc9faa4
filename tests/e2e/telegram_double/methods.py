"""The Bot API methods that answer at once; `getUpdates` waits, so it lives with the server."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from tests.e2e.telegram_double.entities import visible_text
from tests.e2e.telegram_double.parameters import Parameters
from tests.e2e.telegram_double.state import ApiError, BotMessage, Json, State, Webhook

CHAT_ACTIONS = frozenset(
    [
        *("typing", "choose_sticker", "find_location", "upload_photo", "upload_document"),
        *("record_video", "upload_video", "record_voice", "upload_voice", "record_video_note", "upload_video_note"),
    ]
)


def utf16(text: str) -> int:
    """Length in UTF-16 code units, which is how Telegram counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


class BotApi:
    """Answers calls from a `State`."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.methods: dict[str, Callable[[Parameters], Any]] = {
            "getMe": self.get_me,
            "setWebhook": self.set_webhook,
            "deleteWebhook": self.delete_webhook,
            "getWebhookInfo": self.webhook_info,
            "sendMessage": self.send_message,
            "sendPhoto": lambda p: self.send_file(p, "sendPhoto", "photo"),
            "sendDocument": lambda p: self.send_file(p, "sendDocument", "document"),
            "editMessageText": self.edit_text,
            "editMessageReplyMarkup": self.edit_markup,
            "deleteMessage": self.delete_message,
            "sendChatAction": self.chat_action,
            "answerCallbackQuery": self.answer_query,
            "setMyCommands": self.set_commands,
            "getMyCommands": lambda p: self.state.commands.get(p.text("language_code"), []),
            "setMyDescription": lambda p: self.set_profile(p, "description", 512),
            "setMyShortDescription": lambda p: self.set_profile(p, "short_description", 120),
            "setChatMenuButton": lambda p: self.set_profile(p, "menu_button", 4096),
            "getFile": self.get_file,
            "getChat": lambda p: {**self._chat(p), "accent_color_id": 0, "max_reaction_count": 11},
        }

    # -- about the bot
    def get_me(self, _: Parameters) -> Json:
        return {
            **self.state.bot,
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }

    def set_commands(self, p: Parameters) -> bool:
        commands = p.json("commands") or []
        for command in commands:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", command.get("command", "")):
                raise ApiError(400, "Bad Request: BOT_COMMAND_INVALID")
            if not 1 <= len(command.get("description", "")) <= 256:
                raise ApiError(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
        self.state.commands[p.text("language_code")] = commands
        return True

    def set_profile(self, p: Parameters, name: str, limit: int) -> bool:
        if utf16(p.text(name)) > limit:
            raise ApiError(400, f"Bad Request: {name} is too long")
        self.state.profile[f"{name}:{p.text('language_code')}"] = (
            p.json(name) if name == "menu_button" else p.text(name)
        )
        return True

    # -- updates
    def set_webhook(self, p: Parameters) -> bool:
        url, secret = p.text("url"), p.text("secret_token")
        if not url:
            return self.delete_webhook(p)
        if not re.match(r"https://|http://(127\.0\.0\.1|localhost)[:/]", url):
            raise ApiError(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
            raise ApiError(400, "Bad Request: secret token contains unallowed characters")
        with self.state.changed:
            self.state.webhook = Webhook(url, secret, p.integer("max_connections", 40))
            self._common_update_options(p)
        self.state.on_update()
        return True

    def delete_webhook(self, p: Parameters) -> bool:
        with self.state.changed:
            self.state.webhook = Webhook()
            self._common_update_options(p)
        return True

    def _common_update_options(self, p: Parameters) -> None:
        if p.flag("drop_pending_updates"):
            self.state.updates.clear()
        allowed = p.json("allowed_updates")
        if allowed is not None:
            self.state.allowed_updates = allowed

    def webhook_info(self, _: Parameters) -> Json:
        hook = self.state.webhook
        info: Json = {
            "url": hook.url,
            "has_custom_certificate": False,
            "pending_update_count": len(self.state.updates),
        }
        if hook.url:
            info |= {"max_connections": hook.max_connections, "ip_address": "127.0.0.1"}
        if hook.error:
            info |= {"last_error_date": hook.error_at, "last_error_message": hook.error}
        if self.state.allowed_updates:
            info["allowed_updates"] = self.state.allowed_updates
        return info

    # -- messages
    def _chat(self, p: Parameters) -> Json:
        if not p.text("chat_id"):
            raise ApiError(400, "Bad Request: chat_id is empty")
        if p.chat_id not in self.state.chats:
            raise ApiError(400, "Bad Request: chat not found")
        return self.state.chats[p.chat_id]

    def _open_chat(self, p: Parameters) -> Json:
        chat = self._chat(p)
        if chat["id"] in self.state.blocked:
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        return chat

    def _text(self, p: Parameters) -> str:
        if not p.text("text").strip():
            raise ApiError(400, "Bad Request: message text is empty")
        text = visible_text(p.text("text"), p.text("parse_mode")).strip()
        if not text:
            raise ApiError(400, "Bad Request: message text is empty")
        if utf16(text) > 4096:
            raise ApiError(400, "Bad Request: message is too long")
        return text

    def _rows(self, p: Parameters) -> list[list[Json]]:
        markup = p.json("reply_markup") or {}
        rows: list[list[Json]] = markup.get("inline_keyboard", [])
        for button in (button for row in rows for button in row):
            if not button.get("text"):
                raise ApiError(400, "Bad Request: can't parse inline keyboard button: Text must be non-empty")
            if "url" not in button and not 1 <= len(button.get("callback_data", "").encode()) <= 64:
                raise ApiError(400, "Bad Request: BUTTON_DATA_INVALID")
        return rows

    def send_message(self, p: Parameters) -> Json:
        chat = self._open_chat(p)
        quoted = (p.json("reply_parameters") or {}).get("message_id")
        return self._sent(p, BotMessage(0, chat["id"], self._text(p), "sendMessage", time.monotonic(), quotes=quoted))

    def send_file(self, p: Parameters, method: str, kind: str) -> Json:
        chat = self._open_chat(p)
        caption = visible_text(p.text("caption"), p.text("parse_mode"))
        if utf16(caption) > 1024:
            raise ApiError(400, "Bad Request: message caption is too long")
        given = p.text(kind)
        upload = p.files.get(given.removeprefix("attach://") or kind)
        if upload:
            file_id = self.state.store_file(*upload)
        elif given in self.state.files or given.startswith("https://"):
            file_id = given
        elif given:
            raise ApiError(400, "Bad Request: wrong file identifier/HTTP URL specified")
        else:
            raise ApiError(400, f"Bad Request: there is no {kind} in the request")
        message = BotMessage(0, chat["id"], caption, method, time.monotonic(), file_id=file_id)
        return self._sent(p, message)

    def _sent(self, p: Parameters, message: BotMessage) -> Json:
        message.rows = self._rows(p)
        message.parse_mode = p.text("parse_mode")
        message.message_id = self.state.next_message_id()
        self.state.add_message(message)
        return self.message_json(message)

    def message_json(self, message: BotMessage) -> Json:
        """A message of the bot as the API shows it."""
        document: Json = {
            "message_id": message.message_id,
            "from": self.state.bot,
            "chat": self.state.chats[message.chat_id],
            "date": int(time.time()),
        }
        size = len(self.state.files[message.file_id].content) if message.file_id in self.state.files else 0
        file: Json = {"file_id": message.file_id, "file_unique_id": f"u-{message.file_id}", "file_size": size}
        if message.method == "sendMessage":
            document["text"] = message.text
        elif message.method == "sendPhoto":
            document |= {"photo": [file | {"width": 640, "height": 480}], "caption": message.text}
        else:
            document |= {"document": file, "caption": message.text}
        if message.edited:
            document["edit_date"] = int(time.time())
        if message.rows:
            document["reply_markup"] = {"inline_keyboard": message.rows}
        return document

    def _to_edit(self, p: Parameters) -> BotMessage:
        chat = self._open_chat(p)
        message = self.state.find_message(chat["id"], p.integer("message_id"))
        if message is None:
            raise ApiError(400, "Bad Request: message to edit not found")
        return message

    def _edit(self, message: BotMessage, text: str, rows: list[list[Json]]) -> Json:
        if (message.text, message.rows) == (text, rows):
            raise ApiError(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly "
                "the same as a current content and reply markup of the message",
            )
        with self.state.changed:
            message.text, message.rows, message.edited = text, rows, True
            self.state.changed.notify_all()
        return self.message_json(message)

    def edit_text(self, p: Parameters) -> Json:
        return self._edit(self._to_edit(p), self._text(p), self._rows(p))

    def edit_markup(self, p: Parameters) -> Json:
        message = self._to_edit(p)
        return self._edit(message, message.text, self._rows(p))

    def delete_message(self, p: Parameters) -> bool:
        chat = self._open_chat(p)
        message = self.state.find_message(chat["id"], p.integer("message_id"))
        if message is None:
            raise ApiError(400, "Bad Request: message to delete not found")
        with self.state.changed:
            message.deleted = True
            self.state.changed.notify_all()
        return True

    def chat_action(self, p: Parameters) -> bool:
        self._open_chat(p)
        if p.text("action") not in CHAT_ACTIONS:
            raise ApiError(400, "Bad Request: wrong parameter action in request")
        return True

    def answer_query(self, p: Parameters) -> bool:
        query = p.text("callback_query_id")
        with self.state.changed:
            if query not in self.state.open_queries:
                raise ApiError(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
            self.state.answered_queries.append(query)
            self.state.changed.notify_all()
        return True

    def get_file(self, p: Parameters) -> Json:
        file_id = p.text("file_id")
        stored = self.state.files.get(file_id)
        if stored is None:
            raise ApiError(400, "Bad Request: invalid file_id")
        return {
            "file_id": file_id,
            "file_unique_id": f"u-{file_id}",
            "file_size": len(stored.content),
            "file_path": stored.path,
        }
