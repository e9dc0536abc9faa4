"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
LIVE = sa.text("status <> 'closed'")


def upgrade() -> None:
    create_people()
    create_conversations()
    create_outbox()
    create_desk()


def create_people() -> None:
    op.create_table(
        "agent",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.UniqueConstraint("name", name="uq_agent_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "console_session",
        sa.Column("token_hash", sa.Text(), primary_key=True),
        sa.Column("agent_id", sa.Integer(), sa.ForeignKey("agent.id"), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires", MOMENT, nullable=False),
    )
    op.create_index("ix_console_session_agent_id", "console_session", ["agent_id"])
    op.create_index("ix_console_session_expires", "console_session", ["expires"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "scheduled_run",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("at", MOMENT, primary_key=True),
        sa.Column("claimed_at", MOMENT, nullable=False),
    )


def create_conversations() -> None:
    op.create_table(
        "conversation",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("state", sa.JSON()),
        sa.Column("state_at", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
    )
    op.create_index("ix_conversation_updated_at", "conversation", ["updated_at"])
    op.create_table(
        "message",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("conversation", sa.Text(), sa.ForeignKey("conversation.id"), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("lang", sa.Text()),
        sa.Column("customer", sa.Text()),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("conversation", "external_id", name="uq_message_conversation_external_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_message_answered_id", "message", ["answered", "id"])
    op.create_index("ix_message_conversation_id", "message", ["conversation", "id"])
    op.create_table(
        "turn",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("conversation", sa.Text(), sa.ForeignKey("conversation.id"), nullable=False),
        sa.Column("message_id", sa.Integer(), sa.ForeignKey("message.id"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=False),
        sa.Column("intent", sa.Text(), nullable=False),
        sa.Column("intent_confidence", sa.Float()),
        sa.Column("emotion", sa.Text(), nullable=False),
        sa.Column("oos", sa.Float()),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("faq", sa.Text(), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.UniqueConstraint("message_id", name="uq_turn_message_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_turn_conversation_id", "turn", ["conversation", "id"])
    for column in ("at", "intent", "emotion", "decision", "faq", "release"):
        op.create_index(f"ix_turn_{column}", "turn", [column])


def create_outbox() -> None:
    op.create_table(
        "outgoing",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("conversation", sa.Text(), sa.ForeignKey("conversation.id"), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("turn_id", sa.Integer(), sa.ForeignKey("turn.id")),
        sa.Column("after_turn_id", sa.Integer(), sa.ForeignKey("turn.id")),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Integer(), sa.ForeignKey("agent.id")),
        sa.Column("key", sa.Text()),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=False),
        sa.Column("buttons", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("next_try_at", MOMENT, nullable=False),
        sa.Column("claimed_until", MOMENT),
        sa.Column("sent_at", MOMENT),
        sa.Column("external_id", sa.Text()),
        sa.UniqueConstraint("conversation", "key", name="uq_outgoing_conversation_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outgoing_conversation_id", "outgoing", ["conversation", "id"])
    op.create_index("ix_outgoing_channel_status_next_try_at", "outgoing", ["channel", "status", "next_try_at"])
    op.create_index("ix_outgoing_after_turn_id", "outgoing", ["after_turn_id"])


def create_desk() -> None:
    op.create_table(
        "escalation",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("conversation", sa.Text(), sa.ForeignKey("conversation.id"), nullable=False),
        sa.Column("turn_id", sa.Integer(), sa.ForeignKey("turn.id")),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT),
        sa.Column("agent_id", sa.Integer(), sa.ForeignKey("agent.id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_escalation_conversation", "escalation", ["conversation"])
    op.create_index("ix_escalation_status", "escalation", ["status"])
    op.create_index(
        "uq_escalation_live", "escalation", ["conversation"], unique=True, sqlite_where=LIVE, postgresql_where=LIVE
    )
    op.create_table(
        "correction",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("turn_id", sa.Integer(), sa.ForeignKey("turn.id"), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Integer(), sa.ForeignKey("agent.id"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.UniqueConstraint("turn_id", "field", name="uq_correction_turn_id_field"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "feedback",
        sa.Column("turn_id", sa.Integer(), sa.ForeignKey("turn.id"), primary_key=True, autoincrement=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )


def downgrade() -> None:
    for table in (
        "feedback",
        "correction",
        "escalation",
        "outgoing",
        "turn",
        "message",
        "conversation",
        "scheduled_run",
        "audit",
        "console_session",
        "agent",
    ):
        op.drop_table(table)
