"""The desk: who is there, since when a conversation is held, what was raised and announced."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("agent", sa.Column("seen_at", MOMENT))
    op.add_column("agent", sa.Column("away", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("escalation", sa.Column("held_at", MOMENT))
    op.add_column("escalation", sa.Column("raised_at", MOMENT))
    op.add_column("escalation", sa.Column("announced", sa.Integer(), nullable=False, server_default="-1"))
    op.create_index("ix_escalation_opened_at", "escalation", ["opened_at"])


def downgrade() -> None:
    op.drop_index("ix_escalation_opened_at", "escalation")
    op.drop_column("escalation", "announced")
    op.drop_column("escalation", "raised_at")
    op.drop_column("escalation", "held_at")
    op.drop_column("agent", "away")
    op.drop_column("agent", "seen_at")
