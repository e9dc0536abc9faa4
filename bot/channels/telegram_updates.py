"""From Telegram's updates to messages, as pure functions."""

from __future__ import annotations

from datetime import datetime

from telegram import CallbackQuery, Message, Update, User
from telegram.constants import ChatType
from telegram.ext.filters import StatusUpdate

from bot.domain.messages import ContentKind, IncomingMessage

CHANNEL = "telegram"
LANGUAGES = ("zh", "en")


def incoming(update: Update, received: datetime) -> IncomingMessage | None:
    """Reads an update.

    Args:
        update: what Telegram sent.
        received: when, with time zone.

    Returns:
        The message, or None where there is nothing to answer: groups, channel posts, service messages (a pinned
        message, a new chat photo) and edits that change no words (a live location that moves).
    """
    if update.callback_query:
        return _tapped(update, update.callback_query, received)
    if update.edited_message:
        text = update.edited_message.text or update.edited_message.caption
        return _written(update, update.edited_message, ContentKind.EDITED, text, received) if text else None
    if update.message and not StatusUpdate.ALL.check_update(update):
        kind, text = _content(update.message)
        return _written(update, update.message, kind, text, received)
    return None


def chat_of(conversation: str) -> int | None:
    """The chat's id in `telegram:<chat id>`, None where the conversation is none of Telegram's."""
    channel, _, chat = conversation.partition(":")
    try:
        return int(chat) if channel == CHANNEL else None
    except ValueError:
        return None


def language(code: str | None) -> str | None:
    """The language of a Telegram client's IETF tag (`zh-hans` → `zh`), None where it is not one of ours."""
    primary = (code or "").lower().replace("_", "-").partition("-")[0]
    return primary if primary in LANGUAGES else None


def _content(message: Message) -> tuple[ContentKind, str]:
    if message.text is not None:
        return ContentKind.TEXT, message.text
    caption = message.caption or ""
    if message.photo:
        return ContentKind.PHOTO, caption
    if message.sticker:
        return ContentKind.STICKER, message.sticker.emoji or ""
    if message.voice:
        return ContentKind.VOICE, caption
    if message.location:
        return ContentKind.LOCATION, caption
    if message.document or message.audio or message.video:
        return ContentKind.FILE, caption
    return ContentKind.OTHER, caption


def _written(
    update: Update, message: Message, kind: ContentKind, text: str, received: datetime
) -> IncomingMessage | None:
    if message.chat.type != ChatType.PRIVATE:
        return None
    return _message(update, message.chat.id, message.from_user, kind, text, received)


def _tapped(update: Update, query: CallbackQuery, received: datetime) -> IncomingMessage | None:
    if query.message is None or query.message.chat.type != ChatType.PRIVATE or not query.data:
        return None
    return _message(update, query.message.chat.id, query.from_user, ContentKind.BUTTON, query.data, received)


def _message(
    update: Update, chat: int, author: User | None, kind: ContentKind, text: str, received: datetime
) -> IncomingMessage:
    return IncomingMessage(
        id=f"u{update.update_id}",
        conversation=f"{CHANNEL}:{chat}",
        text=text,
        at=received,
        kind=kind,
        lang=language(author.language_code) if author else None,
        customer=author.full_name if author else None,
    )
