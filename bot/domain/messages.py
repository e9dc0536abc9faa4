"""What comes in and what goes out, free of any channel's own objects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

OPEN_CHANNELS = ("telegram", "web")
"""Channels where anybody may write; callers of the API choose what theirs are called."""


class ContentKind(StrEnum):
    """What a message is made of."""

    TEXT = "text"
    BUTTON = "button"
    EDITED = "edited"
    PHOTO = "photo"
    STICKER = "sticker"
    VOICE = "voice"
    LOCATION = "location"
    FILE = "file"
    OTHER = "other"


DESCRIBED = (ContentKind.LOCATION, ContentKind.OTHER)
"""Kinds whose text is no customer's words: it tells agents what came, such as a place or a contact."""


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A customer's message.

    Attributes:
        id: unique within the conversation; the same id seen twice is one message.
        conversation: `telegram:<chat id>`, `web:<visitor>`, or what a caller of the HTTP API chose.
        text: what was written, the caption of a photo, the value of a tapped button, or for agents to read what else
            came.
        at: when it was received, with time zone.
        kind: what it is made of.
        lang: the language that the channel or the caller names, if any.
        customer: a display name, if the channel gives one.
        media: the channel's name for what came beside the words, by which the file is fetched; empty for nothing.
    """

    id: str
    conversation: str
    text: str
    at: datetime
    kind: ContentKind = ContentKind.TEXT
    lang: str | None = None
    customer: str | None = None
    media: str = ""

    @property
    def channel(self) -> str:
        """The part of the conversation's id before the colon (`api` where there is none)."""
        head, colon, _ = self.conversation.partition(":")
        return head if colon else "api"

    @property
    def number(self) -> str:
        """The part of the id after a slash, which an edit of the message shares with it; empty where there is none."""
        return self.id.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a customer sent.

    Attributes:
        name: its name, of which the ending tells the format.
        content: its bytes.
    """

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Button:
    """A quick reply under a message.

    Attributes:
        label: what the customer sees.
        value: what comes back when it is tapped, at most 64 bytes (Telegram's limit); `intent:<name>`, `faq:<id>`,
            `more:<id>` (where the id is too long, a stand-in such as `faq:#1f0c9ab2e7d04c51`), `say:<text>`,
            `lang:<code>`, `rate:<escalation>:<stars>`, `erase:`, `human:`, `yes:<mark>`, `no:<mark>`.
    """

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One message to the customer, as plain text.

    Attributes:
        text: what it says; channels escape and split it.
        lang: its language.
        buttons: quick replies, in order.
        attachment: what comes along as a file: `export` for everything stored about the customer, empty for nothing.
        judged: True for an answer of which the customer may say whether it helped.
    """

    text: str
    lang: str
    buttons: tuple[Button, ...] = ()
    attachment: str = ""
    judged: bool = False
