"""The head of a conversation: the row that every change of the conversation goes through."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from bot.adapters.sql_engine import SqlAccess, insert_or_update
from bot.adapters.sql_tables import ConversationRow, MessageRow, TurnRow
from bot.domain.conversation import Conversation, Status
from bot.domain.records import ConversationSummary


def channel_of(conversation: str) -> str:
    """The channel that a conversation's id names; `api` where it names none."""
    head, colon, _ = conversation.partition(":")
    return head if colon else "api"


def hold_conversation(session: Session, conversation: str, now: datetime) -> ConversationRow:
    """Makes a conversation's row if there is none, and keeps other transactions from changing the conversation.

    Holding the row first gives the ids of a conversation's messages, turns and replies the order of their commits.

    Args:
        session: a writing transaction.
        conversation: its id.
        now: the present moment.

    Returns:
        The row.
    """
    fresh = ConversationRow(id=conversation, channel=channel_of(conversation), created_at=now, updated_at=now)
    return insert_or_update(session, fresh, key=("id",), update=("channel",))


def keep_state(row: ConversationRow, state: Conversation, now: datetime) -> None:
    """Writes a state into its conversation's row."""
    row.status = state.status.value
    row.lang = state.lang or row.lang
    row.state = state.to_json()
    row.state_at = now
    row.updated_at = now


def last_turn(session: Session, conversation: str) -> int | None:
    """The id of a conversation's latest turn, or None before the first."""
    return session.exec(select(func.max(TurnRow.id)).where(col(TurnRow.conversation) == conversation)).one()


class SqlConversations(SqlAccess):
    """States and heads of conversations."""

    def snapshot(self, conversation: str) -> tuple[Conversation, datetime] | None:
        """The state stored with the last turn and when it was stored, or None before the first."""
        with self._read() as session:
            row = session.get(ConversationRow, conversation)
            if row is None or row.state is None or row.state_at is None:
                return None
            return Conversation.from_json(row.state), row.state_at

    def store_state(self, state: Conversation) -> None:
        """Stores a state outside a turn (an agent took or closed the conversation)."""
        now = self._clock.now()
        with self._write() as session:
            keep_state(hold_conversation(session, state.id, now), state, now)

    def conversation(self, conversation: str) -> ConversationSummary | None:
        """A conversation's head, or None where it is unknown."""
        with self._read() as session:
            row = session.get(ConversationRow, conversation)
            return None if row is None else _summary(row)

    def conversations(self, limit: int = 200) -> list[ConversationSummary]:
        """The heads of all conversations in which a customer wrote, the latest changed first."""
        said = select(MessageRow.id).where(col(MessageRow.conversation) == col(ConversationRow.id)).exists()
        order = (col(ConversationRow.updated_at).desc(), col(ConversationRow.id))
        latest = select(ConversationRow).where(said).order_by(*order)
        with self._read() as session:
            return [_summary(row) for row in session.exec(latest.limit(limit))]


def _summary(row: ConversationRow) -> ConversationSummary:
    return ConversationSummary(
        id=row.id, status=Status(row.status), lang=row.lang, customer=row.customer, updated_at=row.updated_at
    )
