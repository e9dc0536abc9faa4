"""Escalations: conversations that ask for a human."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import case, func
from sqlmodel import Session, col, select

from bot.adapters.sql_conversations import hold_conversation
from bot.adapters.sql_engine import SqlAccess
from bot.adapters.sql_tables import AgentRow, ConversationRow, EscalationRow, MessageRow
from bot.domain.records import Escalation
from bot.errors import InputError

_URGENCY = case((col(EscalationRow.status) == "open", 0), (col(EscalationRow.status) == "held", 1), else_=2)


def open_live_escalation(session: Session, conversation: str, turn: int | None, reason: str, now: datetime) -> int:
    """Opens an escalation unless one is open or held.

    Args:
        session: a writing transaction that holds the conversation.
        conversation: which.
        turn: the turn that led to it, if any.
        reason: why.
        now: the present moment.

    Returns:
        The id of the escalation that is open or held now.
    """
    row = _live(session, conversation)
    if row is None:
        row = EscalationRow(conversation=conversation, turn_id=turn, reason=reason, status="open", opened_at=now)
        session.add(row)
        session.flush()
    return row.id or 0


class SqlEscalations(SqlAccess):
    """Opens, moves and lists escalations."""

    def escalations(self, status: str | None = None, limit: int = 200) -> list[Escalation]:
        """Escalations, open ones first, the oldest first within each status."""
        with self._read() as session:
            rows = select(EscalationRow).order_by(_URGENCY, col(EscalationRow.id)).limit(limit)
            if status is not None:
                rows = rows.where(col(EscalationRow.status) == status)
            return _records(session, list(session.exec(rows)))

    def escalation(self, conversation: str) -> Escalation | None:
        """The open or held escalation of a conversation, or None where there is none."""
        with self._read() as session:
            row = _live(session, conversation)
            return None if row is None else _records(session, [row])[0]

    def open_escalation(self, conversation: str, turn: int | None, reason: str) -> int:
        """Opens an escalation, or returns the one that is open or held already."""
        now = self._clock.now()
        with self._write() as session:
            head = hold_conversation(session, conversation, now)
            head.updated_at = now
            return open_live_escalation(session, conversation, turn, reason, now)

    def set_escalation(self, conversation: str, status: str, agent: int | None) -> None:
        """Sets the open or held escalation of a conversation; where there is none nothing changes.

        Args:
            conversation: which.
            status: `held` or `closed`.
            agent: who holds or closed it; None keeps the one who held it.

        Raises:
            InputError: the status is another one.
        """
        if status not in {"held", "closed"}:
            raise InputError(
                f"an escalation is set to 'held' or 'closed', got {status!r}; use open_escalation to open one"
            )
        now = self._clock.now()
        with self._write() as session:
            head = hold_conversation(session, conversation, now)
            row = _live(session, conversation)
            if row is None:
                return
            row.status = status
            row.agent_id = agent or row.agent_id
            row.closed_at = now if status == "closed" else None
            head.updated_at = now


def _live(session: Session, conversation: str) -> EscalationRow | None:
    live = select(EscalationRow).where(
        col(EscalationRow.conversation) == conversation, col(EscalationRow.status) != "closed"
    )
    return session.exec(live).first()


def _records(session: Session, rows: list[EscalationRow]) -> list[Escalation]:
    conversations = {row.conversation for row in rows}
    heads = {
        head.id: head
        for head in session.exec(select(ConversationRow).where(col(ConversationRow.id).in_(conversations)))
    }
    latest = (
        select(func.max(MessageRow.id))
        .where(col(MessageRow.conversation).in_(conversations))
        .group_by(col(MessageRow.conversation))
    )
    words = {
        message.conversation: message.text
        for message in session.exec(select(MessageRow).where(col(MessageRow.id).in_(latest)))
    }
    names = agent_names(session, {row.agent_id for row in rows if row.agent_id is not None})
    return [
        Escalation(
            id=row.id or 0,
            conversation=row.conversation,
            reason=row.reason,
            status=row.status,
            opened_at=row.opened_at,
            agent=names[row.agent_id] if row.agent_id is not None else "",
            last_text=words.get(row.conversation, ""),
            customer=heads[row.conversation].customer,
            lang=heads[row.conversation].lang,
        )
        for row in rows
    ]


def agent_names(session: Session, agents: set[int]) -> dict[int, str]:
    """Login names by agent id."""
    rows = session.exec(select(AgentRow).where(col(AgentRow.id).in_(agents)))
    return {row.id or 0: row.name for row in rows}
