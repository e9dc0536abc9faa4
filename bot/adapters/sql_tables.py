"""The tables of the log; `migrations/` creates them, a test holds both in step."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Index, Text, UniqueConstraint, false, text
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_LIVE = text("status <> 'closed'")


def storable(value: str) -> str:
    """A text with NUL and lone surrogates, which no database takes, replaced by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", value)


class StorableText(TypeDecorator[str]):
    """Text of any length; what no database can store is replaced, when storing and when looking up alike."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Cleans a text on its way in."""
        return None if value is None else storable(value)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: stored in UTC, given back aware, also by SQLite, which knows no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Turns an aware moment into UTC.

        Args:
            value: an aware moment or None.
            dialect: not looked at.

        Returns:
            The same moment in UTC.

        Raises:
            ValueError: the moment has no time zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"the log stores aware times only, got {value!r}; give it a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Makes a moment aware on its way out."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class ConversationRow(SQLModel, table=True):
    """A conversation with the state after its last turn."""

    __tablename__ = "conversation"

    id: str = Field(primary_key=True, sa_type=StorableText)
    channel: str = Field(sa_type=StorableText)
    status: str = Field(default="bot", sa_type=StorableText)
    lang: str = Field(default="", sa_type=StorableText)
    customer: str = Field(default="", sa_type=StorableText)
    state: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    state_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime, index=True)


class MessageRow(SQLModel, table=True):
    """A customer's message; stored before its channel hears that it was taken."""

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("conversation", "external_id", name="uq_message_conversation_external_id"),
        Index("ix_message_answered_id", "answered", "id"),
        Index("ix_message_conversation_id", "conversation", "id"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    conversation: str = Field(foreign_key="conversation.id", sa_type=StorableText)
    external_id: str = Field(sa_type=StorableText)
    text: str = Field(sa_type=StorableText)
    kind: str = Field(sa_type=StorableText)
    lang: str | None = Field(default=None, sa_type=StorableText)
    customer: str | None = Field(default=None, sa_type=StorableText)
    media: str = Field(default="", sa_type=StorableText, sa_column_kwargs={"server_default": ""})
    at: datetime = Field(sa_type=UtcDateTime)
    answered: bool = False


class TurnRow(SQLModel, table=True):
    """A message with its answer; the columns after `document` repeat parts of it to be searched by."""

    __tablename__ = "turn"
    __table_args__ = (
        UniqueConstraint("message_id", name="uq_turn_message_id"),
        Index("ix_turn_conversation_id", "conversation", "id"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    conversation: str = Field(foreign_key="conversation.id", sa_type=StorableText)
    message_id: int = Field(foreign_key="message.id")
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    document: dict[str, Any] = Field(sa_type=JSON)
    lang: str = Field(default="", sa_type=StorableText)
    intent: str = Field(default="", sa_type=StorableText, index=True)
    intent_confidence: float | None = None
    emotion: str = Field(default="", sa_type=StorableText, index=True)
    oos: float | None = None
    decision: str = Field(default="", sa_type=StorableText, index=True)
    faq: str = Field(default="", sa_type=StorableText, index=True)
    release: str = Field(default="", sa_type=StorableText, index=True)


class OutgoingRow(SQLModel, table=True):
    """A message to a customer; while `pending` it waits in the outbox.

    `turn_id` is the turn that it answers, `after_turn_id` the last turn when it was queued: the one it is shown under.
    """

    __tablename__ = "outgoing"
    __table_args__ = (
        UniqueConstraint("conversation", "key", name="uq_outgoing_conversation_key"),
        Index("ix_outgoing_conversation_id", "conversation", "id"),
        Index("ix_outgoing_channel_status_next_try_at", "channel", "status", "next_try_at"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    conversation: str = Field(foreign_key="conversation.id", sa_type=StorableText)
    channel: str = Field(sa_type=StorableText)
    turn_id: int | None = Field(default=None, foreign_key="turn.id")
    after_turn_id: int | None = Field(default=None, foreign_key="turn.id", index=True)
    author: str = Field(sa_type=StorableText)
    agent_id: int | None = Field(default=None, foreign_key="agent.id")
    key: str | None = Field(default=None, sa_type=StorableText)
    text: str = Field(sa_type=StorableText)
    lang: str = Field(sa_type=StorableText)
    buttons: list[dict[str, str]] = Field(sa_type=JSON)
    created_at: datetime = Field(sa_type=UtcDateTime)
    status: str = Field(sa_type=StorableText)
    attempts: int = 0
    error: str = Field(default="", sa_type=StorableText)
    next_try_at: datetime = Field(sa_type=UtcDateTime)
    claimed_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    external_id: str | None = Field(default=None, sa_type=StorableText)
    attachment: str = Field(default="", sa_type=StorableText, sa_column_kwargs={"server_default": ""})
    judged: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


class EscalationRow(SQLModel, table=True):
    """A wish for a human; at most one of a conversation is open or held.

    `agent_id` of an open one is the agent whom it was taken from; `announced` the priority that agents were told of.
    """

    __tablename__ = "escalation"
    __table_args__ = (
        Index("uq_escalation_live", "conversation", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    conversation: str = Field(foreign_key="conversation.id", sa_type=StorableText, index=True)
    turn_id: int | None = Field(default=None, foreign_key="turn.id")
    reason: str = Field(sa_type=StorableText)
    status: str = Field(sa_type=StorableText, index=True)
    opened_at: datetime = Field(sa_type=UtcDateTime, index=True)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    agent_id: int | None = Field(default=None, foreign_key="agent.id")
    priority: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    first_reply_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    held_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    raised_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    announced: int = Field(default=-1, sa_column_kwargs={"server_default": "-1"})


class NoteRow(SQLModel, table=True):
    """What agents tell each other about a conversation; no customer reads it."""

    __tablename__ = "note"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, primary_key=True)
    conversation: str = Field(foreign_key="conversation.id", sa_type=StorableText, index=True)
    agent_id: int = Field(foreign_key="agent.id")
    text: str = Field(sa_type=StorableText)
    at: datetime = Field(sa_type=UtcDateTime)


class RatingRow(SQLModel, table=True):
    """How content a customer was with an agent's help, 1 to 5."""

    __tablename__ = "rating"

    escalation_id: int = Field(primary_key=True, foreign_key="escalation.id", sa_column_kwargs={"autoincrement": False})
    value: int
    at: datetime = Field(sa_type=UtcDateTime)


class CorrectionRow(SQLModel, table=True):
    """What one field of a turn should have been."""

    __tablename__ = "correction"
    __table_args__ = (
        UniqueConstraint("turn_id", "field", name="uq_correction_turn_id_field"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    turn_id: int = Field(foreign_key="turn.id")
    field: str = Field(sa_type=StorableText)
    value: str = Field(sa_type=StorableText)
    agent_id: int = Field(foreign_key="agent.id")
    at: datetime = Field(sa_type=UtcDateTime)


class FeedbackRow(SQLModel, table=True):
    """A customer's verdict on a turn."""

    __tablename__ = "feedback"

    turn_id: int = Field(primary_key=True, foreign_key="turn.id", sa_column_kwargs={"autoincrement": False})
    value: int
    at: datetime = Field(sa_type=UtcDateTime)


class AgentRow(SQLModel, table=True):
    """A person who may use the console."""

    __tablename__ = "agent"
    __table_args__ = (UniqueConstraint("name", name="uq_agent_name"), {"sqlite_autoincrement": True})

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(sa_type=StorableText)
    role: str = Field(sa_type=StorableText)
    password_hash: str = Field(sa_type=StorableText)
    active: bool = True
    created_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    away: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


class ConsoleSessionRow(SQLModel, table=True):
    """A login at the console, known by the hash of its token only."""

    __tablename__ = "console_session"

    token_hash: str = Field(primary_key=True, sa_type=StorableText)
    agent_id: int = Field(foreign_key="agent.id", index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires: datetime = Field(sa_type=UtcDateTime, index=True)


class AuditRow(SQLModel, table=True):
    """Who did what; `detail` names things by id and holds no customer's words."""

    __tablename__ = "audit"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    who: str = Field(sa_type=StorableText)
    action: str = Field(sa_type=StorableText)
    detail: str = Field(sa_type=StorableText)


class ScheduledRunRow(SQLModel, table=True):
    """A scheduled run that some process has claimed."""

    __tablename__ = "scheduled_run"

    name: str = Field(primary_key=True, sa_type=StorableText)
    at: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    claimed_at: datetime = Field(sa_type=UtcDateTime)


class FaqVersionRow(SQLModel, table=True):
    """An FAQ entry as somebody left it; rows are only added."""

    __tablename__ = "faq_version"
    __table_args__ = (
        UniqueConstraint("entry", "version", name="uq_faq_version_entry_version"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    entry: str = Field(sa_type=StorableText)
    version: int
    question: str = Field(sa_type=StorableText)
    answer: str = Field(sa_type=StorableText)
    lang: str = Field(sa_type=StorableText)
    variants: list[str] = Field(sa_type=JSON)
    tags: list[str] = Field(sa_type=JSON)
    enabled: bool
    valid_from: datetime | None = Field(default=None, sa_type=UtcDateTime)
    valid_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    author: str = Field(sa_type=StorableText)
    at: datetime = Field(sa_type=UtcDateTime)


class FaqRevisionRow(SQLModel, table=True):
    """One row, once there was a change: how many there were. Writers hold it, so changes appear in its order."""

    __tablename__ = "faq_revision"

    id: int = Field(primary_key=True)
    value: int


METADATA = SQLModel.metadata
