"""What the web chat's page and the conversation say to each other, as JSON documents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar

from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.domain.log_ports import ConversationLog
from bot.domain.messages import Button, ContentKind, IncomingMessage, Reply
from bot.domain.ports import Clock, Intake, LiveState
from bot.domain.records import Outgoing, TurnView
from bot.errors import StateUnavailableError
from bot.web import RowNumber, button_labels, spoken_text

LONGEST_MESSAGE = 4000
MESSAGES_A_MINUTE = 20
BUTTON_BYTES = 64

Shape = TypeVar("Shape", bound=BaseModel)


class ChatMessage(BaseModel):
    """What the page posts for one message.

    Attributes:
        id: made by the page; the same id sent again is the same message.
        text: what was written, or the label of the tapped button.
        button: the value of the tapped button, if one was.
    """

    model_config = ConfigDict(extra="ignore", strict=True)

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")
    text: str = Field(min_length=1)
    button: str | None = Field(default=None, min_length=1)


class Feedback(BaseModel):
    """A visitor's verdict on the answer of a turn."""

    model_config = ConfigDict(extra="ignore", strict=True)

    turn: RowNumber
    value: Literal[1, -1]


class WebConversations:
    """Visitors' conversations: posting, polling, earlier messages and verdicts."""

    def __init__(
        self,
        *,
        intake: Intake,
        log: ConversationLog,
        state: LiveState,
        clock: Clock,
        greetings: Mapping[str, Reply],
        address_rate: int,
    ) -> None:
        self._intake = intake
        self._log = log
        self._state = state
        self._clock = clock
        self._greetings = greetings
        self._address_rate = address_rate

    def post(self, visitor: str, sent: ChatMessage, lang: str, address: str) -> list[dict[str, Any]]:
        """Has a message answered.

        Args:
            visitor: who wrote it.
            sent: the message.
            lang: the language of the page, which a tapped button is answered in where nothing else is known.
            address: where it came from; anybody can be a new visitor, but not come from everywhere.

        Returns:
            What answers it; empty while an agent holds the conversation.

        Raises:
            HTTPException: the message is empty or too long (422), or there were too many (429).
        """
        text = (sent.button or sent.text).replace("\x00", "").strip()
        if not text or len((sent.button or "").encode()) > BUTTON_BYTES:
            raise HTTPException(422, "invalid")
        if len(text) > LONGEST_MESSAGE:
            raise HTTPException(422, "too_long")
        self._count(f"web-chat:{visitor}", MESSAGES_A_MINUTE)
        self._count(f"web-chat-from:{hashlib.sha256(address.encode()).hexdigest()}", self._address_rate)
        message = IncomingMessage(
            id=sent.id,
            conversation=f"web:{visitor}",
            text=text,
            at=self._clock.now(),
            kind=ContentKind.BUTTON if sent.button else ContentKind.TEXT,
            lang=lang if sent.button else None,
        )
        answered = self._intake.answer(message).get("turn")
        if answered is None:  # everything was erased, and what says so is all there is
            return self.since(visitor, 0)
        turn = self._log.turn(int(answered))
        return self._deliver(turn.replies if turn else ())

    def since(self, visitor: str, after: int) -> list[dict[str, Any]]:
        """Messages to a visitor with an id above `after`."""
        return self._deliver(self._log.outgoing_since(f"web:{visitor}", after))

    def history(self, visitor: str, lang: str) -> list[dict[str, Any]]:
        """The greeting and what was said before, in order."""
        turns = self._log.turns(f"web:{visitor}")
        greeting = self._greetings.get(lang, self._greetings["en"])
        labels = button_labels(turns, greeting.buttons)
        messages = [_greeting_document(greeting)]
        for turn in turns:
            messages.append(_own_document(turn, labels))
            messages.extend(self._deliver(turn.replies))
        return messages

    def judge(self, visitor: str, given: Feedback) -> None:
        """Stores a visitor's verdict on an answer.

        Args:
            visitor: who judges.
            given: the verdict.

        Raises:
            HTTPException: the turn is not one of theirs (404), or there were too many verdicts (429).
        """
        self._count(f"web-chat-feedback:{visitor}", MESSAGES_A_MINUTE)
        turn = self._log.turn(given.turn)
        if turn is None or turn.conversation != f"web:{visitor}":
            raise HTTPException(404, "not_found")
        self._log.add_feedback(given.turn, given.value)

    def _count(self, key: str, limit: int) -> None:
        try:
            allowed = self._state.allow(key, limit, 60)
        except StateUnavailableError:
            return  # the message is still worth storing: intake keeps it and answers later
        if not allowed:
            raise HTTPException(429, "too_many")

    def _deliver(self, messages: Iterable[Outgoing]) -> list[dict[str, Any]]:
        read = list(messages)
        pending = {message.id: None for message in read if message.status == "pending"}
        if pending:
            self._log.mark_sent(pending)
        return [_document(message) for message in read]


def parse(shape: type[Shape], body: bytes) -> Shape:
    """Reads what the page posted.

    Args:
        shape: what it should be.
        body: JSON.

    Returns:
        The document.

    Raises:
        HTTPException: it is something else (422).
    """
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        raise HTTPException(422, "invalid") from error


def _document(message: Outgoing) -> dict[str, Any]:
    return {
        "id": message.id,
        "turn": message.turn,
        "author": message.author,
        "text": message.text,
        "lang": message.lang,
        "buttons": _buttons(message.buttons),
        "at": message.created_at.isoformat(),
        "attachment": message.attachment,
    }


def _own_document(turn: TurnView, labels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "author": "customer",
        "message": turn.message_id,
        "turn": turn.id,
        "text": spoken_text(turn, labels),
        "at": turn.at.isoformat(),
        "feedback": turn.feedback,
    }


def _greeting_document(greeting: Reply) -> dict[str, Any]:
    return {
        "id": 0,
        "turn": None,
        "author": "bot",
        "text": greeting.text,
        "lang": greeting.lang,
        "buttons": _buttons(greeting.buttons),
        "at": None,
    }


def _buttons(buttons: Iterable[Button]) -> list[dict[str, str]]:
    return [{"label": button.label, "value": button.value} for button in buttons]
