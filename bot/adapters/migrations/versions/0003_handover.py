"""Handover: how urgent an escalation is and when it was answered first, agents' notes, customers' ratings.

Replies: a file that comes along, and whether the customer may say that it helped.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("escalation", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("escalation", sa.Column("first_reply_at", MOMENT))
    op.add_column("outgoing", sa.Column("attachment", sa.Text(), nullable=False, server_default=""))
    op.add_column("outgoing", sa.Column("judged", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "note",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("conversation", sa.Text(), sa.ForeignKey("conversation.id"), nullable=False),
        sa.Column("agent_id", sa.Integer(), sa.ForeignKey("agent.id"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_note_conversation", "note", ["conversation"])
    op.create_table(
        "rating",
        sa.Column(
            "escalation_id",
            sa.Integer(),
            sa.ForeignKey("escalation.id"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("rating")
    op.drop_index("ix_note_conversation", "note")
    op.drop_table("note")
    op.drop_column("outgoing", "judged")
    op.drop_column("outgoing", "attachment")
    op.drop_column("escalation", "first_reply_at")
    op.drop_column("escalation", "priority")
