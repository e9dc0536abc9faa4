"""An edited message: what it says stands for what was said before, so the turn is taken anew from where it began."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.conversation import Conversation, Status
from bot.domain.messages import ContentKind, IncomingMessage


def before_turn(conversation: Conversation, message: IncomingMessage) -> Conversation:
    """The state that a message is answered from.

    Args:
        conversation: the state after the last turn.
        message: what came.

    Returns:
        For an edit of the message that the bot answered last, the state before that answer: a form's slot is filled
        again, a mood or a miss counts once. Otherwise `conversation`; what a human was called for stays with the human.
    """
    edits_last = message.kind is ContentKind.EDITED and message.number and message.number == conversation.answered
    if not edits_last or not conversation.earlier or conversation.status in (Status.AGENT, Status.WAITING):
        return conversation
    return replace(
        Conversation.from_json(conversation.earlier),
        turns=conversation.turns,
        status=conversation.status,
        blocked=conversation.blocked,
        vip=conversation.vip,
    )


def after_turn(
    after: Conversation, before: Conversation, message: IncomingMessage, *, acted: bool = False
) -> Conversation:
    """The state after a turn, with what an edit of its message would be answered from.

    Args:
        after: the state after the turn.
        before: the state that the message was answered from.
        message: what was answered.
        acted: True where the company's own API was called, which taking the turn anew would do a second time.

    Returns:
        `after`, with the message and the state before it where the message can be edited.
    """
    if acted or not message.number:
        return replace(after, answered="", earlier={})
    return replace(after, answered=message.number, earlier=replace(before, answered="", earlier={}).to_json())
