"""The head of a conversation: the row that every change of the conversation goes through."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy
from sqlalchemy import bindparam, func
from sqlmodel import Session, col, select

from bot.adapters.sql_engine import SqlAccess, insert_or_update
from bot.adapters.sql_tables import METADATA, ConversationRow, MessageRow, TurnRow
from bot.domain.conversation import Conversation, Status
from bot.domain.messages import IncomingMessage
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
    held = insert_or_update(session, ConversationRow, _fresh(conversation, now), key=("id",), update=("channel",))
    return session.get_one(ConversationRow, held, populate_existing=True)


def hold_with_message(session: Session, message: IncomingMessage, now: datetime) -> None:
    """As `hold_conversation`; the row notes what a message tells of its customer.

    Args:
        session: a writing transaction.
        message: what came.
        now: the present moment.
    """
    values = _fresh(message.conversation, now) | {"lang": message.lang or "", "customer": message.customer or ""}
    update = ("updated_at", "customer") if message.customer else ("updated_at",)
    insert_or_update(session, ConversationRow, values, key=("id",), update=update, fill=("lang",))


def hold_with_state(session: Session, state: Conversation, now: datetime) -> None:
    """As `hold_conversation`; the row keeps a new state.

    Args:
        session: a writing transaction.
        state: the conversation's state.
        now: the present moment.
    """
    kept = {"status": state.status.value, "lang": state.lang, "state": state.to_json(), "state_at": now}
    values = _fresh(state.id, now) | kept
    update = ("status", "state", "state_at", "updated_at") + (("lang",) if state.lang else ())
    insert_or_update(session, ConversationRow, values, key=("id",), update=update)


def _fresh(conversation: str, now: datetime) -> dict[str, Any]:
    return {"id": conversation, "channel": channel_of(conversation), "created_at": now, "updated_at": now}


def last_turn(session: Session, conversation: str) -> int | None:
    """The id of a conversation's latest turn, or None before the first."""
    return session.exec(select(func.max(TurnRow.id)).where(col(TurnRow.conversation) == conversation)).one()


_HEADS = METADATA.tables["conversation"]
_STATE = sqlalchemy.select(_HEADS.c.state, _HEADS.c.state_at).where(
    _HEADS.c.id == bindparam("conversation"), _HEADS.c.state_at.is_not(None)
)


class SqlConversations(SqlAccess):
    """States and heads of conversations."""

    def snapshot(self, conversation: str) -> tuple[Conversation, datetime] | None:
        """The state stored with the last turn and when it was stored, or None before the first."""
        with self._read() as session:
            row = session.execute(_STATE, {"conversation": conversation}).first()
            return None if row is None else (Conversation.from_json(row.state), row.state_at)

    def store_state(self, state: Conversation) -> None:
        """Stores a state outside a turn (an agent took or closed the conversation)."""
        with self._write() as session:
            hold_with_state(session, state, self._clock.now())

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
