"""A person's data: out, or gone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select
from sqlmodel import Session, col, delete, select

from bot.adapters.sql_conversations import hold_conversation
from bot.adapters.sql_engine import SqlAccess
from bot.adapters.sql_outbox import queue_reply
from bot.adapters.sql_tables import (
    AuditRow,
    ConversationRow,
    CorrectionRow,
    EscalationRow,
    FeedbackRow,
    MessageRow,
    NoteRow,
    OutgoingRow,
    RatingRow,
    TurnRow,
    storable,
)
from bot.domain.messages import Reply

ERASED = "(erased)"
"""What stands in audit entries instead of the id of a conversation that was erased."""


class SqlPrivacy(SqlAccess):
    """Exports and erases everything about a customer."""

    def export_customer(self, conversation: str) -> dict[str, Any]:
        """Everything stored about a customer, as plain JSON values.

        Args:
            conversation: the customer's conversation.

        Returns:
            `conversation` and lists of `messages`, `turns`, `outgoing`, `escalations`, `corrections`, `notes`,
            `ratings` and `feedback`, each in order; empty where the conversation is unknown.
        """
        with self._read() as session:
            head = session.get(ConversationRow, conversation)
            if head is None:
                return {}
            exported: dict[str, Any] = {"conversation": head.model_dump(mode="json")}
            for name, rows in _belongings(conversation).items():
                exported[name] = [row.model_dump(mode="json") for row in session.exec(rows)]
            return exported

    def erase_customer(self, conversation: str) -> int:
        """Removes everything stored about a customer.

        Audit entries stay, without the id of the conversation.

        Args:
            conversation: the customer's conversation.

        Returns:
            How many rows went; 0 where the conversation is unknown.
        """
        with self._write() as session:
            gone = _erase(session, conversation)
        self._empty_write_ahead_log()
        return gone

    def erase_and_tell(self, conversation: str, replies: Sequence[Reply]) -> None:
        """Removes everything stored about a customer who asked for it, and queues the replies that say so.

        The oldest message without an answer is the one that asks for it. What came after it was acknowledged, so it
        stays and is answered.

        Args:
            conversation: the customer's conversation.
            replies: what they read.
        """
        with self._write() as session:
            now = self._clock.now()
            hold_conversation(session, conversation, now)
            later = _waiting(session, conversation)[1:]
            _erase(session, conversation)
            head = hold_conversation(session, conversation, now)
            for message in later:
                session.add(message)
                head.lang = head.lang or message.lang or ""
                head.customer = message.customer or head.customer
            for reply in replies:
                queue_reply(session, conversation, reply, now, author="bot", after_turn=None)
        self._empty_write_ahead_log()


def _waiting(session: Session, conversation: str) -> list[MessageRow]:
    """Copies of a conversation's messages without an answer, in order."""
    waiting = select(MessageRow).where(
        col(MessageRow.conversation) == conversation, col(MessageRow.answered).is_(False)
    )
    rows = list(session.exec(waiting.order_by(col(MessageRow.id))))
    session.expunge_all()
    return [MessageRow(**row.model_dump()) for row in rows]


def _erase(session: Session, conversation: str) -> int:
    head = select(ConversationRow.id).where(col(ConversationRow.id) == conversation).with_for_update()
    if session.exec(head).first() is None:
        return 0
    gone = 0
    for statement in (
        delete(FeedbackRow).where(col(FeedbackRow.turn_id).in_(_turns(conversation))),
        delete(CorrectionRow).where(col(CorrectionRow.turn_id).in_(_turns(conversation))),
        delete(OutgoingRow).where(col(OutgoingRow.conversation) == conversation),
        delete(RatingRow).where(col(RatingRow.escalation_id).in_(_escalations(conversation))),
        delete(NoteRow).where(col(NoteRow.conversation) == conversation),
        delete(EscalationRow).where(col(EscalationRow.conversation) == conversation),
        delete(TurnRow).where(col(TurnRow.conversation) == conversation),
        delete(MessageRow).where(col(MessageRow.conversation) == conversation),
        delete(ConversationRow).where(col(ConversationRow.id) == conversation),
    ):
        gone += session.exec(statement).rowcount
    _hide_in_audit(session, storable(conversation))
    return gone


def _turns(conversation: str) -> Select[Any]:
    return select(TurnRow.id).where(col(TurnRow.conversation) == conversation)


def _escalations(conversation: str) -> Select[Any]:
    return select(EscalationRow.id).where(col(EscalationRow.conversation) == conversation)


def _belongings(conversation: str) -> dict[str, Any]:
    turns = _turns(conversation)
    return {
        "messages": select(MessageRow).where(col(MessageRow.conversation) == conversation).order_by("id"),
        "turns": select(TurnRow).where(col(TurnRow.conversation) == conversation).order_by("id"),
        "outgoing": select(OutgoingRow).where(col(OutgoingRow.conversation) == conversation).order_by("id"),
        "escalations": select(EscalationRow).where(col(EscalationRow.conversation) == conversation).order_by("id"),
        "corrections": select(CorrectionRow).where(col(CorrectionRow.turn_id).in_(turns)).order_by("id"),
        "notes": select(NoteRow).where(col(NoteRow.conversation) == conversation).order_by("id"),
        "ratings": select(RatingRow).where(col(RatingRow.escalation_id).in_(_escalations(conversation))),
        "feedback": select(FeedbackRow).where(col(FeedbackRow.turn_id).in_(turns)).order_by("turn_id"),
    }


def _hide_in_audit(session: Session, conversation: str) -> None:
    # As a whole word only: `web:1` is not a part of `web:12`.
    word = re.compile(rf"(?<!\S){re.escape(conversation)}(?=[:,;.]?(?:\s|$))")
    for row in session.exec(select(AuditRow).where(col(AuditRow.detail).contains(conversation, autoescape=True))):
        row.detail = word.sub(ERASED, row.detail)
