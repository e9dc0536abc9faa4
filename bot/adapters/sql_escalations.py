"""Escalations: conversations that ask for a human."""

from __future__ import annotations

from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import case, func
from sqlmodel import Session, col, select, update

from bot.adapters.sql_conversations import hold_conversation
from bot.adapters.sql_engine import SqlAccess
from bot.adapters.sql_tables import (
    AgentRow,
    ConversationRow,
    EscalationRow,
    MessageRow,
    NoteRow,
    OutgoingRow,
    RatingRow,
)
from bot.domain.records import Escalation, Note, ServiceTime
from bot.domain.rules import Priority
from bot.errors import InputError

_RECENT = 20
_ENOUGH = 3
_URGENCY = case((col(EscalationRow.status) == "open", 0), (col(EscalationRow.status) == "held", 1), else_=2)


def open_live_escalation(
    session: Session,
    conversation: str,
    turn: int | None,
    reason: str,
    now: datetime,
    priority: Priority = Priority.NORMAL,
) -> int:
    """Opens an escalation; one that is open or held already becomes more urgent, never less.

    Args:
        session: a writing transaction that holds the conversation.
        conversation: which.
        turn: the turn that led to it, if any.
        reason: why.
        now: the present moment.
        priority: how soon a human has to act.

    Returns:
        The id of the escalation that is open or held now.
    """
    row = _live(session, conversation)
    if row is None:
        row = EscalationRow(
            conversation=conversation, turn_id=turn, reason=reason, status="open", opened_at=now, priority=priority
        )
        session.add(row)
        session.flush()
    elif priority > row.priority:
        row.priority = priority
        row.reason = f"{reason}; {row.reason}"
    return row.id or 0


def note_first_reply(session: Session, conversation: str, now: datetime) -> None:
    """Notes when an agent first wrote in the escalation that is open or held."""
    row = _live(session, conversation)
    if row is not None and row.first_reply_at is None:
        row.first_reply_at = now


def keep_rating(session: Session, conversation: str, escalation: int, stars: int, now: datetime) -> None:
    """Keeps a customer's rating of an agent's help; a later one replaces the earlier.

    Args:
        session: a writing transaction.
        conversation: whose; an escalation of another conversation is left alone.
        escalation: the id of the escalation.
        stars: 1 to 5.
        now: the present moment.
    """
    row = session.get(EscalationRow, escalation)
    if row is not None and row.conversation == conversation:
        session.merge(RatingRow(escalation_id=escalation, value=stars, at=now))


class SqlEscalations(SqlAccess):
    """Opens, moves and lists escalations, with the agents' notes about them."""

    def escalations(
        self, status: str | None = None, limit: int | None = 200, agent: str | None = None
    ) -> list[Escalation]:
        """Escalations, open ones first, then the most urgent, then the oldest.

        Args:
            status: `open`, `held` or `closed`; None for all.
            limit: how many at most, None for all.
            agent: who holds them or closed them; None for anybody.

        Returns:
            The escalations.
        """
        with self._read() as session:
            order = (_URGENCY, col(EscalationRow.priority).desc(), col(EscalationRow.id))
            rows = select(EscalationRow).order_by(*order).limit(limit)
            if status is not None:
                rows = rows.where(col(EscalationRow.status) == status)
            if agent is not None:
                named = select(AgentRow.id).where(col(AgentRow.name) == agent)
                rows = rows.where(col(EscalationRow.agent_id).in_(named), col(EscalationRow.status) != "open")
            return _records(session, list(session.exec(rows)))

    def escalation(self, conversation: str) -> Escalation | None:
        """The open or held escalation of a conversation, or None where there is none."""
        with self._read() as session:
            row = _live(session, conversation)
            return None if row is None else next(iter(_records(session, [row])), None)

    def escalated_conversation(self, escalation: int) -> str | None:
        """The conversation of an escalation, or None where there is no such escalation."""
        with self._read() as session:
            return session.exec(select(EscalationRow.conversation).where(col(EscalationRow.id) == escalation)).first()

    def open_escalation(
        self, conversation: str, turn: int | None, reason: str, priority: Priority = Priority.NORMAL
    ) -> int:
        """Opens an escalation, or makes the one that is open or held already as urgent; gives its id."""
        now = self._clock.now()
        with self._write() as session:
            head = hold_conversation(session, conversation, now)
            head.updated_at = now
            return open_live_escalation(session, conversation, turn, reason, now, priority)

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
            if status == "held":
                row.held_at = now
            row.status = status
            row.agent_id = agent or row.agent_id
            row.closed_at = now if status == "closed" else None
            head.updated_at = now

    def assign_escalation(self, conversation: str, agent: int, limit: int) -> bool:
        """Gives an open escalation to an agent, alone among all that would give this agent something.

        Args:
            conversation: whose.
            agent: who gets it.
            limit: how many conversations the agent may hold then.

        Returns:
            False, with nothing changed, where it is not open or the agent holds that many already.
        """
        now = self._clock.now()
        held = select(func.count()).where(col(EscalationRow.agent_id) == agent, col(EscalationRow.status) == "held")
        with self._write() as session:
            hold_conversation(session, conversation, now).updated_at = now
            session.exec(select(AgentRow.id).where(col(AgentRow.id) == agent).with_for_update())
            row = _live(session, conversation)
            if row is None or row.status != "open" or session.exec(held).one() >= limit:
                return False
            row.status, row.agent_id, row.held_at = "held", agent, now
            return True

    def requeue_escalation(self, conversation: str) -> None:
        """Makes the open or held escalation of a conversation a step more urgent, and a held one open again."""
        now = self._clock.now()
        with self._write() as session:
            hold_conversation(session, conversation, now)
            row = _live(session, conversation)
            if row is not None:
                row.status, row.raised_at = "open", now
                row.priority = min(row.priority + 1, Priority.URGENT)

    def unannounced(self) -> list[Escalation]:
        """Escalations that agents were not told of, or not since they became urgent; the oldest first.

        One that an agent holds is announced only where it is urgent.
        """
        told, urgent, status = col(EscalationRow.announced), int(Priority.URGENT), col(EscalationRow.status)
        became_urgent = (status != "closed") & (col(EscalationRow.priority) == urgent) & (told < urgent)
        waiting = select(EscalationRow).where(became_urgent | ((status == "open") & (told < 0))).order_by("id")
        with self._read() as session:
            return _records(session, list(session.exec(waiting)))

    def mark_announced(self, escalation: int, priority: Priority) -> None:
        """Notes that agents were told of an escalation with this priority."""
        with self._write() as session:
            own = col(EscalationRow.id) == escalation
            session.exec(update(EscalationRow).where(own).values(announced=int(priority)))

    def service_times(self, since: datetime) -> list[ServiceTime]:
        """How long the escalations took that were opened since a moment."""
        taken = select(EscalationRow).where(col(EscalationRow.opened_at) >= since).order_by("id")
        with self._read() as session:
            return [ServiceTime(row.opened_at, row.first_reply_at, row.closed_at) for row in session.exec(taken)]

    def usual_wait(self) -> timedelta | None:
        """The median time from an escalation to an agent's first words, of the latest twenty; None for under three."""
        answered = (
            select(EscalationRow)
            .where(col(EscalationRow.first_reply_at).is_not(None))
            .order_by(col(EscalationRow.id).desc())
            .limit(_RECENT)
        )
        with self._read() as session:
            seconds = [
                (row.first_reply_at - row.opened_at).total_seconds()
                for row in session.exec(answered)
                if row.first_reply_at is not None
            ]
        return timedelta(seconds=median(seconds)) if len(seconds) >= _ENOUGH else None

    def add_note(self, conversation: str, agent: int, text: str) -> None:
        """Stores what an agent notes about a conversation."""
        with self._write() as session:
            now = self._clock.now()
            hold_conversation(session, conversation, now)
            session.add(NoteRow(conversation=conversation, agent_id=agent, text=text, at=now))

    def notes(self, conversation: str) -> list[Note]:
        """The agents' notes about a conversation, the oldest first."""
        kept = select(NoteRow).where(col(NoteRow.conversation) == conversation).order_by(col(NoteRow.id))
        with self._read() as session:
            rows = list(session.exec(kept))
            names = agent_names(session, {row.agent_id for row in rows})
            return [Note(names[row.agent_id], row.text, row.at) for row in rows]


def _live(session: Session, conversation: str) -> EscalationRow | None:
    live = select(EscalationRow).where(
        col(EscalationRow.conversation) == conversation, col(EscalationRow.status) != "closed"
    )
    return session.exec(live).first()


def _records(session: Session, rows: list[EscalationRow]) -> list[Escalation]:
    """Escalations as the domain knows them, without those whose customer was erased since they were read."""
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
    said = {
        message.conversation: message
        for message in session.exec(select(MessageRow).where(col(MessageRow.id).in_(latest)))
    }
    replies = (
        select(OutgoingRow.conversation, func.max(OutgoingRow.created_at))
        .where(col(OutgoingRow.conversation).in_(conversations), col(OutgoingRow.author) == "agent")
        .group_by(col(OutgoingRow.conversation))
    )
    replied = dict(session.exec(replies).all())
    names = agent_names(session, {row.agent_id for row in rows if row.agent_id is not None})
    ratings = select(RatingRow).where(col(RatingRow.escalation_id).in_([row.id for row in rows]))
    stars = {rating.escalation_id: rating.value for rating in session.exec(ratings)}
    return [
        Escalation(
            id=row.id or 0,
            conversation=row.conversation,
            reason=row.reason,
            status=row.status,
            opened_at=row.opened_at,
            agent=names.get(row.agent_id or 0, "") if row.status != "open" else "",
            last_text=said[row.conversation].text if row.conversation in said else "",
            customer=heads[row.conversation].customer,
            lang=heads[row.conversation].lang,
            priority=Priority(row.priority),
            first_reply_at=row.first_reply_at,
            closed_at=row.closed_at,
            stars=stars.get(row.id or 0, 0),
            held_at=row.held_at,
            raised_at=row.raised_at,
            asked_at=said[row.conversation].at if row.conversation in said else None,
            replied_at=replied.get(row.conversation),
            lapsed=names.get(row.agent_id or 0, "") if row.status == "open" else "",
        )
        for row in rows
        if row.conversation in heads
    ]


def agent_names(session: Session, agents: set[int]) -> dict[int, str]:
    """Login names by agent id."""
    rows = session.exec(select(AgentRow).where(col(AgentRow.id).in_(agents)))
    return {row.id or 0: row.name for row in rows}
