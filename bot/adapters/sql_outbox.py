"""The outbox: what customers are told, delivered once and in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy
from sqlalchemy import Row, Select, Update, and_, bindparam, or_
from sqlmodel import Session, col, select

from bot.adapters.sql_conversations import channel_of, hold_conversation, last_turn
from bot.adapters.sql_engine import SqlAccess, insert_once
from bot.adapters.sql_escalations import note_first_reply
from bot.adapters.sql_tables import METADATA, OutgoingRow, UtcDateTime
from bot.domain.messages import Button, Reply
from bot.domain.records import Outgoing

PUSHED_CHANNELS = frozenset({"telegram"})
"""Channels that a sender delivers to; on all others a message is delivered by being read."""

_OUTBOX = METADATA.tables["outgoing"]


def queue_reply(
    session: Session,
    conversation: str,
    reply: Reply,
    now: datetime,
    *,
    author: str,
    after_turn: int | None,
    turn: int | None = None,
    agent: int | None = None,
    key: str | None = None,
) -> int | None:
    """Puts a message to a customer into the outbox: pending, or sent where it is delivered by being read.

    Args:
        session: a writing transaction that holds the conversation.
        conversation: to whom.
        reply: what.
        now: the present moment.
        author: `bot`, `agent` or `system`.
        after_turn: the latest turn, under which the message is shown.
        turn: the turn that the message answers, if any.
        agent: the agent who wrote it, if any.
        key: unique within the conversation, where given.

    Returns:
        Its id, or None where the key was used already and nothing was queued.
    """
    channel = channel_of(conversation)
    pushed = channel in PUSHED_CHANNELS
    values = {
        "conversation": conversation,
        "channel": channel,
        "turn_id": turn,
        "after_turn_id": after_turn,
        "author": author,
        "agent_id": agent,
        "key": key,
        "text": reply.text,
        "lang": reply.lang,
        "buttons": [{"label": button.label, "value": button.value} for button in reply.buttons],
        "attachment": reply.attachment,
        "judged": reply.judged,
        "created_at": now,
        "status": "pending" if pushed else "sent",
        "next_try_at": now,
        "sent_at": None if pushed else now,
    }
    queued: int | None = insert_once(session, OutgoingRow, values)
    return queued


def outgoing_records(rows: Iterable[OutgoingRow | Row[Any]]) -> list[Outgoing]:
    """Rows of the outbox as the domain knows them."""
    return [
        Outgoing(
            id=row.id or 0,
            conversation=row.conversation,
            turn=row.turn_id,
            author=row.author,
            text=row.text,
            lang=row.lang,
            buttons=tuple(Button(**button) for button in row.buttons),
            created_at=row.created_at,
            status=row.status,
            attempts=row.attempts,
            error=row.error,
            attachment=row.attachment,
            judged=row.judged,
        )
        for row in rows
    ]


def _due() -> Select[Any]:
    outbox, earlier = _OUTBOX.c, _OUTBOX.alias()
    now = bindparam("now", type_=UtcDateTime())
    waits_behind = sqlalchemy.exists().where(
        earlier.c.conversation == outbox.conversation, earlier.c.status == "pending", earlier.c.id < outbox.id
    )
    return (
        sqlalchemy.select(_OUTBOX)
        .where(
            outbox.channel == bindparam("channel"),
            outbox.status == "pending",
            outbox.next_try_at <= now,
            or_(outbox.claimed_until.is_(None), outbox.claimed_until <= now),
            ~waits_behind,
        )
        .order_by(outbox.id)
        .limit(bindparam("limit"))
        # PostgreSQL: another claimer's rows are passed over, and rows it has just claimed fail this condition when
        # they are checked again. SQLite ignores this: there the whole transaction is alone.
        .with_for_update(skip_locked=True, of=_OUTBOX)
    )


def _claimed() -> Update:
    one = _OUTBOX.c.id == bindparam("outgoing")
    return sqlalchemy.update(_OUTBOX).where(one).values(claimed_until=bindparam("until"))


def _sent() -> Update:
    return (
        sqlalchemy.update(_OUTBOX)
        .where(_OUTBOX.c.id == bindparam("outgoing"), _OUTBOX.c.status != "sent")
        .values(
            status="sent",
            attempts=_OUTBOX.c.attempts + 1,
            error="",
            sent_at=bindparam("now"),
            claimed_until=None,
            external_id=bindparam("external"),
        )
    )


def _failed() -> Update:
    return (
        sqlalchemy.update(_OUTBOX)
        .where(_OUTBOX.c.id == bindparam("outgoing"), _OUTBOX.c.status == "pending")
        .values(
            status=bindparam("now_is"),
            attempts=_OUTBOX.c.attempts + 1,
            error=bindparam("why"),
            next_try_at=bindparam("then"),
            claimed_until=None,
        )
    )


# Building a statement costs more than running it, and plain rows cost less than objects; these run all the time.
_DUE, _CLAIMED, _SENT, _FAILED = _due(), _claimed(), _sent(), _failed()


def _deliveries(delivered: Mapping[int, str | None], now: datetime) -> list[dict[str, Any]]:
    return [{"outgoing": id_, "now": now, "external": given} for id_, given in delivered.items()]


class SqlOutbox(SqlAccess):
    """Queues, claims and settles messages to customers."""

    def add_outgoing(
        self, conversation: str, reply: Reply, *, author: str, agent: int | None = None, key: str | None = None
    ) -> int | None:
        """Queues a message outside a turn.

        Args:
            conversation: to whom.
            reply: what.
            author: `bot`, `agent` or `system`.
            agent: the agent who wrote it.
            key: where given, a second message of the conversation with this key is not queued.

        Returns:
            Its id, or None where the key was used already.
        """
        now = self._clock.now()
        with self._write() as session:
            head = hold_conversation(session, conversation, now)
            after = last_turn(session, conversation)
            queued = queue_reply(
                session, conversation, reply, now, author=author, after_turn=after, agent=agent, key=key
            )
            if queued is None:
                return None
            head.updated_at = now
            if author == "agent":
                note_first_reply(session, conversation, now)
            return queued

    def was_queued(self, conversation: str, key: str) -> bool:
        """Whether a message to a customer was queued with this key."""
        same = select(OutgoingRow.id).where(col(OutgoingRow.conversation) == conversation, col(OutgoingRow.key) == key)
        with self._read() as session:
            return session.exec(same).first() is not None

    def claim_outgoing(
        self, channel: str, limit: int, lease: float, delivered: Mapping[int, str | None] | None = None
    ) -> list[Outgoing]:
        """Claims due messages for `lease` seconds, at most one a conversation and in order within each.

        Args:
            channel: whose messages.
            limit: how many at most.
            lease: how long no other process gets them, in seconds.
            delivered: what is noted before as by `mark_sent`, in the same transaction: each costs a write to the disk.

        Returns:
            The claimed messages, the oldest first.
        """
        now = self._clock.now()
        with self._write() as session:
            if delivered:
                session.execute(_SENT, _deliveries(delivered, now))
            rows = session.execute(_DUE, {"channel": channel, "now": now, "limit": limit}).all()
            if rows:
                claims = [{"outgoing": row.id, "until": now + timedelta(seconds=lease)} for row in rows]
                session.execute(_CLAIMED, claims)
            return outgoing_records(rows)

    def mark_sent(self, delivered: Mapping[int, str | None]) -> None:
        """Notes deliveries: the ids of messages, each with the id that the channel gave it."""
        if delivered:
            with self._write() as session:
                session.execute(_SENT, _deliveries(delivered, self._clock.now()))

    def mark_failed(self, outgoing: int, error: str, retry_at: datetime | None) -> None:
        """Notes a failed delivery; `retry_at` None gives it up for good."""
        noted = {
            "outgoing": outgoing,
            "why": error,
            "then": retry_at or self._clock.now(),
            "now_is": "pending" if retry_at else "failed",
        }
        with self._write() as session:
            session.execute(_FAILED, noted)

    def outgoing_since(self, conversation: str, after: int) -> list[Outgoing]:
        """Messages to a customer with an id above `after`, in order (web chat)."""
        newer = (
            select(OutgoingRow)
            .where(col(OutgoingRow.conversation) == conversation, col(OutgoingRow.id) > after)
            .order_by(col(OutgoingRow.id))
        )
        with self._read() as session:
            rows = session.exec(newer).all()
            return outgoing_records(rows)

    def undelivered(self, since: datetime, tries: int, limit: int = 100) -> list[Outgoing]:
        """Messages that were given up since a moment, or that `tries` did not deliver yet; the latest tried first."""
        given_up = and_(col(OutgoingRow.status) == "failed", col(OutgoingRow.next_try_at) >= since)
        on_the_way = and_(col(OutgoingRow.status) == "pending", col(OutgoingRow.attempts) >= tries)
        troubled = (
            select(OutgoingRow)
            .where(col(OutgoingRow.channel).in_(PUSHED_CHANNELS), or_(given_up, on_the_way))
            .order_by(col(OutgoingRow.next_try_at).desc(), col(OutgoingRow.id).desc())
            .limit(limit)
        )
        with self._read() as session:
            rows = session.exec(troubled).all()
            return outgoing_records(rows)
