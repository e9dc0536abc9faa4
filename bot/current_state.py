"""What a conversation's next turn, or an agent's next act, begins from."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot.domain.conversation import Conversation
from bot.domain.log_ports import ConversationLog
from bot.domain.ports import LiveState


def current_state(log: ConversationLog, state: LiveState, conversation: str, fresh_before: datetime) -> Conversation:
    """The live state where it is as new as the stored one, else the stored one unless it is too old.

    Call it while the conversation's lock is held.

    Args:
        log: the durable truth.
        state: live state; what it holds of a conversation that has none stored, as after an erasure, is dropped.
        conversation: whose.
        fresh_before: a state that was stored earlier starts afresh.

    Returns:
        The state; a new one where none is stored.

    Raises:
        UnavailableError: Redis or SQL is away.
    """
    stored = log.snapshot(conversation)
    if stored is None:
        state.forget(conversation)
        return Conversation(conversation)
    snapshot, at = stored
    live = state.load(conversation)
    if live is not None and live.turns == snapshot.turns:
        return replace(live, status=snapshot.status, blocked=snapshot.blocked, vip=snapshot.vip)
    return snapshot.afresh() if at < fresh_before else snapshot
