"""From Telegram's updates to messages, as pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from telegram import Bot, CallbackQuery, Message, Update, User
from telegram.constants import ChatType
from telegram.ext.filters import StatusUpdate

from bot.domain.messages import DESCRIBED, ContentKind, IncomingMessage

CHANNEL = "telegram"
_VERDICT = re.compile(r"verdict:([0-9]{1,9}):([+-])")
LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an answer helped.

    Attributes:
        conversation: where the thumb was tapped.
        turn: the turn that it stood under.
        value: +1 or -1.
    """

    conversation: str
    turn: int
    value: int


UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError, RecursionError)
"""What reading an update fails with where it is none."""


def read_update(body: bytes, bot: Bot | None) -> Update:
    """Reads an update as it was posted; one that is none fails with one of `UNREADABLE`."""
    return Update.de_json(json.loads(body), bot)


def incoming(
    update: Update, received: datetime, username: str = "", commands: Collection[str] = ()
) -> IncomingMessage | None:
    """Reads an update.

    Args:
        update: what Telegram sent.
        received: when, with time zone.
        username: the bot's own; in groups it answers only what names it, replies to it or is a command for it.
        commands: those that it knows, such as `/help`; in groups they are for it without its name, too.

    Returns:
        The message, or None where there is nothing to answer: talk of others in a group, channel posts, service
        messages (a pinned message, a new chat photo), edits that change no words (a live location that moves),
        verdicts on answers, which are no messages, and what Telegram never sends: the library checks no types.
    """
    try:
        message = _read(update, received, username, commands)
    except UNREADABLE:
        return None
    if message is None or chat_of(message.conversation) is None:
        return None
    texts = (message.text, message.lang or "", message.customer or "", message.media)
    return message if all(isinstance(text, str) for text in texts) else None


def _read(update: Update, received: datetime, username: str, commands: Collection[str]) -> IncomingMessage | None:
    if update.callback_query:
        query = update.callback_query
        return None if verdict_of(query) else _tapped(update, query, received)
    message = update.edited_message or update.message
    if message is None or StatusUpdate.ALL.check_update(update):
        return None
    kind, text = _content(message)
    if update.edited_message:
        if not text or kind in DESCRIBED:
            return None
        kind = ContentKind.EDITED
    if message.chat.type != ChatType.PRIVATE:
        groups = (ChatType.GROUP, ChatType.SUPERGROUP)
        said = _said_to(username, commands, message, text) if message.chat.type in groups else None
        if said is None:
            return None
        text = said
    number = f"/{message.message_id}" if isinstance(message.message_id, int) else ""
    found = _message(update, message.chat.id, message.from_user, kind, text, received, number)
    return replace(found, media=_media(message))


def verdict_of(query: CallbackQuery) -> Verdict | None:
    """The verdict that a tapped thumb gives, or None for any other button."""
    data = query.data if isinstance(query.data, str) else ""
    found = _VERDICT.fullmatch(data)
    if found is None or query.message is None or query.message.chat is None:
        return None
    return Verdict(f"{CHANNEL}:{query.message.chat.id}", int(found[1]), 1 if found[2] == "+" else -1)


def chat_of(conversation: str) -> int | None:
    """The chat's id in `telegram:<chat id>`, None where the conversation is none of Telegram's."""
    channel, _, chat = conversation.partition(":")
    try:
        return int(chat) if channel == CHANNEL else None
    except ValueError:
        return None


def number_of(message_id: str) -> int | None:
    """The number that Telegram gave a message within its chat, in the id that `incoming` made; None for a button."""
    number = message_id.partition("/")[2]
    return int(number) if number.isdecimal() else None


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
        return ContentKind.LOCATION, _place(message)
    if message.contact:
        contact = message.contact
        named = (contact.first_name, contact.last_name, contact.phone_number)
        return ContentKind.OTHER, " ".join(part for part in named if part)
    if message.document or message.audio or message.video or message.video_note or caption:
        return ContentKind.FILE, caption
    return ContentKind.OTHER, ""


def _place(message: Message) -> str:
    """Where a location or a venue is, in degrees north and east (five decimals are a metre)."""
    where, venue = message.location, message.venue
    at = f"{where.latitude:.5f}, {where.longitude:.5f}" if where else ""
    return f"{venue.title}, {venue.address} ({at})" if venue else at


def _media(message: Message) -> str:
    """The id of the file that came along, by which Telegram gives it; of a photo the largest size."""
    photo = message.photo[-1] if message.photo else None
    file = photo or message.voice or message.document or message.audio or message.video or message.video_note
    return file.file_id if file else ""


def _said_to(username: str, commands: Collection[str], message: Message, text: str) -> str | None:
    """What somebody in a group says to the bot, without its name; None where they talk to others."""
    command = re.match(r"/\w+(?!\S)", text)
    if command and command[0].lower() in commands:
        return text
    mention = re.compile(rf"(?:^(/\w+)|(?<![\w.]))@{re.escape(username)}(?!\w)", re.IGNORECASE)
    answered = message.reply_to_message.from_user if message.reply_to_message else None
    if username and mention.search(text):
        return " ".join(mention.sub(r"\1 ", text).split())
    replied = answered is not None and answered.is_bot and answered.username == username
    return text if username and replied else None


def _tapped(update: Update, query: CallbackQuery, received: datetime) -> IncomingMessage | None:
    if query.message is None or query.message.chat.type == ChatType.CHANNEL or not query.data:
        return None
    return _message(update, query.message.chat.id, query.from_user, ContentKind.BUTTON, query.data, received)


def _message(
    update: Update,
    chat: int,
    author: User | None,
    kind: ContentKind,
    text: str,
    received: datetime,
    number: str = "",
) -> IncomingMessage:
    return IncomingMessage(
        id=f"u{update.update_id}{number}",
        conversation=f"{CHANNEL}:{chat}",
        text=text,
        at=received,
        kind=kind,
        lang=language(author.language_code) if author else None,
        customer=author.full_name if author else None,
    )
