"""Turns as they are shown, corrected and learned from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import date, datetime

from sqlalchemy import case
from sqlmodel import Session, col, distinct, func, select

from bot.adapters.sql_engine import SqlAccess, insert_or_update
from bot.adapters.sql_escalations import agent_names
from bot.adapters.sql_outbox import outgoing_records
from bot.adapters.sql_tables import (
    AgentRow,
    ConversationRow,
    CorrectionRow,
    EscalationRow,
    FeedbackRow,
    MessageRow,
    OutgoingRow,
    TurnRow,
)
from bot.domain.records import CORRECTABLE, Correction, DayTrend, LoggedUtterance, Outgoing, TurnView
from bot.errors import InputError

_PAGE = 500
_CO_ASKED_WITHIN = 500

Told = tuple[TurnRow, MessageRow]


class SqlReading(SqlAccess):
    """Reads turns back, with what people said about them."""

    def turns(self, conversation: str, limit: int = 200, before: int | None = None) -> list[TurnView]:
        """The latest turns, or the latest before another turn, with all replies, agents' included, in order."""
        latest = (
            select(TurnRow, MessageRow)
            .join(MessageRow, col(MessageRow.id) == col(TurnRow.message_id))
            .where(col(TurnRow.conversation) == conversation)
            .order_by(col(TurnRow.id).desc())
            .limit(limit)
        )
        if before is not None:
            latest = latest.where(col(TurnRow.id) < before)
        with self._read() as session:
            return _views(session, list(session.exec(latest))[::-1])

    def turn(self, turn_id: int) -> TurnView | None:
        """One turn."""
        one = (
            select(TurnRow, MessageRow)
            .join(MessageRow, col(MessageRow.id) == col(TurnRow.message_id))
            .where(col(TurnRow.id) == turn_id)
        )
        with self._read() as session:
            views = _views(session, list(session.exec(one)))
            return views[0] if views else None

    def trend(self, since: datetime, emotions: Collection[str]) -> list[DayTrend]:
        """How the days went since a moment, the latest first; `emotions` are those that count as upset."""
        believed = col(TurnRow.document)[("decision", "emotion")].as_string()
        day = func.date(col(TurnRow.at))
        days = (
            select(  # type: ignore[call-overload]
                day,
                func.count(distinct(col(TurnRow.conversation))),
                func.count(distinct(col(TurnRow.id))),
                func.count(distinct(col(EscalationRow.id))),
                func.count(distinct(case((believed.in_(emotions), col(TurnRow.id))))),
                func.count(distinct(case((col(FeedbackRow.value) < 0, col(TurnRow.id))))),
            )
            .outerjoin(EscalationRow, col(EscalationRow.turn_id) == col(TurnRow.id))
            .outerjoin(FeedbackRow, col(FeedbackRow.turn_id) == col(TurnRow.id))
            .where(col(TurnRow.at) >= since)
            .group_by(day)
            .order_by(day.desc())
        )
        with self._read() as session:
            # SQLite gives the day as a text, PostgreSQL as a date.
            return [DayTrend(date.fromisoformat(str(at)), *counts) for at, *counts in session.exec(days)]

    def add_correction(self, turn_id: int, field: str, value: str, agent: int) -> int:
        """Stores what a part of a turn should have been; a later correction replaces the earlier.

        Args:
            turn_id: which turn.
            field: `intent`, `emotion` or `faq`.
            value: the right label or FAQ entry id.
            agent: who says so.

        Returns:
            The correction's id.

        Raises:
            InputError: the turn, the field or the agent is unknown.
        """
        if field not in CORRECTABLE:
            raise InputError(f"a correction is of one of {', '.join(CORRECTABLE)}, got {field!r}")
        with self._write() as session:
            _hold_turn(session, turn_id)
            if session.get(AgentRow, agent) is None:
                raise InputError(f"there is no agent {agent}; corrections are made by an agent who exists")
            said = {"turn_id": turn_id, "field": field, "value": value, "agent_id": agent, "at": self._clock.now()}
            latest = ("value", "agent_id", "at")
            kept: int = insert_or_update(session, CorrectionRow, said, key=("turn_id", "field"), update=latest)
            return kept

    def corrections(self, turn_id: int) -> list[Correction]:
        """The corrections of a turn that hold."""
        with self._read() as session:
            rows = session.exec(
                select(CorrectionRow).where(col(CorrectionRow.turn_id) == turn_id).order_by(col(CorrectionRow.field))
            ).all()
            names = agent_names(session, {row.agent_id for row in rows})
            return [Correction(row.turn_id, row.field, row.value, names[row.agent_id], row.at) for row in rows]

    def add_feedback(self, turn_id: int, value: int) -> None:
        """Stores a customer's verdict on a turn; a later one replaces the earlier.

        Args:
            turn_id: which turn.
            value: +1 or -1.

        Raises:
            InputError: the turn is unknown or the value is another one.
        """
        if value not in {1, -1}:
            raise InputError(f"feedback is +1 or -1, got {value}")
        with self._write() as session:
            _hold_turn(session, turn_id)
            verdict = {"turn_id": turn_id, "value": value, "at": self._clock.now()}
            insert_or_update(session, FeedbackRow, verdict, key=("turn_id",), update=("value", "at"))

    def co_asked(self, entry: str, limit: int = 3) -> list[str]:
        """FAQ entries that answered in the same conversations as an entry; see `ConversationLog.co_asked`."""
        told = col(TurnRow.faq)
        asked = (
            select(TurnRow.conversation).where(told == entry).order_by(col(TurnRow.id).desc()).limit(_CO_ASKED_WITHIN)
        )
        conversations = func.count(distinct(col(TurnRow.conversation)))
        together = (
            select(TurnRow.faq)
            .where(col(TurnRow.conversation).in_(asked), told != entry, told != "")
            .group_by(told)
            .having(conversations > 1)
            .order_by(conversations.desc(), told)
            .limit(limit)
        )
        with self._read() as session:
            return list(session.exec(together))

    def logged_utterances(self) -> Iterator[LoggedUtterance]:
        """Every turn with its corrections and feedback, oldest first, for retraining.

        Turns are read a page at a time, so that neither memory nor a connection is held while they are used.

        Yields:
            One utterance a turn.
        """
        last = 0
        while page := self._utterances_after(last):
            yield from page
            last = page[-1].turn

    def _utterances_after(self, turn_id: int) -> list[LoggedUtterance]:
        following = (
            select(TurnRow, MessageRow)
            .join(MessageRow, col(MessageRow.id) == col(TurnRow.message_id))
            .where(col(TurnRow.id) > turn_id)
            .order_by(col(TurnRow.id))
            .limit(_PAGE)
        )
        with self._read() as session:
            told = list(session.exec(following))
            ids = [turn.id or 0 for turn, _ in told]
            corrected, verdicts = _corrections(session, ids), _verdicts(session, ids)
            return [
                LoggedUtterance(
                    turn=turn.id or 0,
                    conversation=turn.conversation,
                    text=message.text,
                    lang=turn.lang,
                    intent=turn.intent,
                    emotion=turn.emotion,
                    decision=turn.decision,
                    faq=turn.faq,
                    corrections=corrected.get(turn.id or 0, {}),
                    feedback=verdicts.get(turn.id or 0, 0),
                    kind=message.kind,
                )
                for turn, message in told
            ]


def _hold_turn(session: Session, turn_id: int) -> None:
    """Keeps others from erasing a turn's customer meanwhile."""
    held = (
        select(ConversationRow.id)
        .join(TurnRow, col(TurnRow.conversation) == col(ConversationRow.id))
        .where(col(TurnRow.id) == turn_id)
        .with_for_update(of=ConversationRow)
    )
    if session.exec(held).first() is None:
        raise InputError(f"there is no turn {turn_id}; it may have been erased with its customer")


def _views(session: Session, told: list[Told]) -> list[TurnView]:
    ids = [turn.id or 0 for turn, _ in told]
    replies, corrected, verdicts = _replies(session, ids), _corrections(session, ids), _verdicts(session, ids)
    return [
        TurnView(
            id=turn.id or 0,
            conversation=turn.conversation,
            message_id=message.external_id,
            at=message.at,
            text=message.text,
            kind=message.kind,
            media=message.media,
            document=turn.document,
            replies=tuple(replies.get(turn.id or 0, ())),
            corrections=corrected.get(turn.id or 0, {}),
            feedback=verdicts.get(turn.id or 0, 0),
        )
        for turn, message in told
    ]


def _replies(session: Session, turns: list[int]) -> dict[int, list[Outgoing]]:
    rows = session.exec(
        select(OutgoingRow).where(col(OutgoingRow.after_turn_id).in_(turns)).order_by(col(OutgoingRow.id))
    ).all()
    grouped: dict[int, list[Outgoing]] = defaultdict(list)
    for row, record in zip(rows, outgoing_records(rows), strict=True):
        grouped[row.after_turn_id or 0].append(record)
    return grouped


def _corrections(session: Session, turns: list[int]) -> dict[int, dict[str, str]]:
    grouped: dict[int, dict[str, str]] = defaultdict(dict)
    rows = select(CorrectionRow).where(col(CorrectionRow.turn_id).in_(turns)).order_by(col(CorrectionRow.field))
    for row in session.exec(rows):
        grouped[row.turn_id][row.field] = row.value
    return grouped


def _verdicts(session: Session, turns: list[int]) -> dict[int, int]:
    rows = session.exec(select(FeedbackRow).where(col(FeedbackRow.turn_id).in_(turns)))
    return {row.turn_id: row.value for row in rows}
