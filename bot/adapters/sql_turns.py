"""Messages on their way in, and the one transaction that answers each."""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy import Row, bindparam, func
from sqlmodel import Session, col, select

from bot.adapters.sql_conversations import hold_with_message, hold_with_state
from bot.adapters.sql_engine import SqlAccess, insert_once
from bot.adapters.sql_escalations import keep_rating, open_live_escalation
from bot.adapters.sql_outbox import queue_reply
from bot.adapters.sql_tables import METADATA, MessageRow, TurnRow
from bot.domain.messages import ContentKind, IncomingMessage
from bot.domain.records import TurnRecord
from bot.errors import InputError

LONGEST_ID = 512
"""The longest id of a message or a conversation, in bytes; PostgreSQL cannot index much longer ones."""


# Building a statement costs more than running it, and plain rows cost less than objects; these run for every message.
_MESSAGES = METADATA.tables["message"]
_OLDEST = (
    sqlalchemy.select(_MESSAGES)
    .where(_MESSAGES.c.conversation == bindparam("whose"), _MESSAGES.c.answered.is_(False))
    .order_by(_MESSAGES.c.id)
    .limit(1)
)
_ANSWERED = (
    sqlalchemy.update(_MESSAGES)
    .where(_MESSAGES.c.conversation == bindparam("whose"), _MESSAGES.c.external_id == bindparam("which"))
    .values(answered=True, text=bindparam("words"))
    .returning(_MESSAGES.c.id)
)


class SqlTurns(SqlAccess):
    """Takes messages in and stores their turns."""

    def accept(self, message: IncomingMessage) -> bool:
        """Stores an incoming message.

        Args:
            message: what came.

        Returns:
            False where this id of this conversation is stored already.

        Raises:
            InputError: the id of the message or of its conversation is empty or too long.
        """
        for what, value in (("message", message.id), ("conversation", message.conversation)):
            size = len(value.encode(errors="replace"))
            if not 1 <= size <= LONGEST_ID:
                raise InputError(f"the id of a {what} has 1 to {LONGEST_ID} bytes, got {size}; send another id")
        now = self._clock.now()
        with self._write() as session:
            hold_with_message(session, message, now)
            fresh = insert_once(session, MessageRow, _message_values(message)) is not None
            if not fresh:
                session.rollback()
            return fresh

    def pending_conversations(self, limit: int = 100) -> list[str]:
        """Conversations with messages that wait for a turn, the longest waiting first."""
        waiting = (
            select(MessageRow.conversation)
            .where(col(MessageRow.answered).is_(False))
            .group_by(col(MessageRow.conversation))
            .order_by(func.min(MessageRow.id))
            .limit(limit)
        )
        with self._read() as session:
            return list(session.exec(waiting))

    def next_pending(self, conversation: str) -> IncomingMessage | None:
        """The oldest message of a conversation that waits for its turn."""
        with self._read() as session:
            row = session.execute(_OLDEST, {"whose": conversation}).first()
            return None if row is None else _incoming(row)

    def record_turn(self, turn: TurnRecord) -> int:
        """Stores a turn whole: marks the message answered, keeps trace, replies (outbox), state and any escalation.

        Args:
            turn: what happened.

        Returns:
            The turn's id. Where the message had a turn already, nothing is stored and that turn's id is returned.
        """
        now = self._clock.now()
        conversation = turn.message.conversation
        with self._write() as session:
            hold_with_state(session, turn.state, now)
            message_id = _answered_message(session, turn.message)
            turn_id: int | None = insert_once(session, TurnRow, _turn_values(turn, message_id))
            if turn_id is None:
                earlier = session.exec(select(TurnRow.id).where(col(TurnRow.message_id) == message_id)).one()
                session.rollback()
                return earlier or 0
            for reply in turn.replies:
                queue_reply(session, conversation, reply, now, author="bot", after_turn=turn_id, turn=turn_id)
            if turn.rating is not None:
                keep_rating(session, conversation, *turn.rating, now)
            if turn.escalate is not None:
                open_live_escalation(session, conversation, turn_id, turn.escalate, now, turn.priority)
            return turn_id

    def answer_document(self, conversation: str, message_id: str) -> dict[str, Any] | None:
        """The document of the turn that answered a message, with the turn's id as `turn`; None while there is none."""
        answer = (
            select(TurnRow.id, TurnRow.document)
            .join(MessageRow, col(MessageRow.id) == col(TurnRow.message_id))
            .where(col(MessageRow.conversation) == conversation, col(MessageRow.external_id) == message_id)
        )
        with self._read() as session:
            found = session.exec(answer).first()
            return None if found is None else {**found[1], "turn": found[0]}


def _message_values(message: IncomingMessage) -> dict[str, Any]:
    return {
        "conversation": message.conversation,
        "external_id": message.id,
        "text": message.text,
        "kind": message.kind.value,
        "lang": message.lang,
        "customer": message.customer,
        "media": message.media,
        "at": message.at,
    }


def _incoming(row: Row[Any]) -> IncomingMessage:
    return IncomingMessage(
        id=row.external_id,
        conversation=row.conversation,
        text=row.text,
        at=row.at,
        kind=ContentKind(row.kind),
        lang=row.lang,
        customer=row.customer,
        media=row.media,
    )


def _answered_message(session: Session, message: IncomingMessage) -> int:
    """Marks a message as answered, which is stored where it was not; its id in the table."""
    answered = {"whose": message.conversation, "which": message.id, "words": message.text}
    stored: int | None = session.execute(_ANSWERED, answered).scalar()
    if stored is None:
        stored = insert_once(session, MessageRow, _message_values(message) | {"answered": True})
    return stored or 0


def _turn_values(turn: TurnRecord, message_id: int) -> dict[str, Any]:
    decision = turn.document.get("decision") or {}
    understanding = turn.document.get("understanding") or {}
    intent = understanding.get("intent") or {}
    emotion = understanding.get("emotion") or {}
    return {
        "conversation": turn.message.conversation,
        "message_id": message_id,
        "at": turn.at,
        "document": turn.document,
        "lang": understanding.get("lang") or turn.message.lang or turn.state.lang,
        "intent": intent.get("label") or "",
        "intent_confidence": intent.get("confidence"),
        "emotion": emotion.get("label") or "",
        "oos": understanding.get("oos"),
        "decision": decision.get("kind") or "",
        "faq": _answering_entry(turn.document),
        "release": turn.document.get("release") or "",
    }


def _answering_entry(document: dict[str, Any]) -> str:
    decision = document.get("decision") or {}
    hits = document.get("hits") or []
    if decision.get("faq") or decision.get("kind") != "faq" or not hits:
        return str(decision.get("faq") or "")
    return str(hits[0].get("id") or "")
