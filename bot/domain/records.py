"""What the log stores and gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from bot.domain.conversation import Conversation, Status
from bot.domain.messages import Button, IncomingMessage, Reply
from bot.domain.rules import Priority
from retrieval.types import FaqEntry

CORRECTABLE = ("intent", "emotion", "faq")
"""What of a turn an agent can correct."""


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """A turn as the pipeline hands it to the log.

    Attributes:
        message: what the customer wrote.
        at: when it was answered.
        replies: what goes out, in order.
        document: the whole answer document (replies, decision, understanding, hits, release), plain JSON values.
        state: the conversation's state after the turn.
        escalate: why a human is asked for, or None.
        priority: how soon.
        rating: the escalation that the customer rates and the stars given, or None.
    """

    message: IncomingMessage
    at: datetime
    replies: tuple[Reply, ...]
    document: dict[str, Any]
    state: Conversation
    escalate: str | None = None
    priority: Priority = Priority.NORMAL
    rating: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to a customer.

    Attributes:
        id: grows with time.
        conversation: to whom.
        turn: the turn it belongs to, None for messages outside a turn.
        author: `bot`, `agent` or `system`.
        text: what it says.
        lang: its language.
        buttons: quick replies.
        created_at: when it was queued.
        status: `pending`, `sent` or `failed`.
        attempts: how often delivery was tried.
        error: why the last try failed, empty otherwise.
        attachment: what comes along as a file, empty for nothing.
        judged: True for an answer of which the customer may say whether it helped.
    """

    id: int
    conversation: str
    turn: int | None
    author: str
    text: str
    lang: str
    buttons: tuple[Button, ...]
    created_at: datetime
    status: str = "pending"
    attempts: int = 0
    error: str = ""
    attachment: str = ""
    judged: bool = False


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """A conversation's head.

    Attributes:
        id: the conversation's id.
        status: who holds it.
        lang: its language.
        customer: a display name, empty where unknown.
        updated_at: when something last happened.
    """

    id: str
    status: Status
    lang: str
    customer: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class TurnView:
    """A turn as it is shown.

    Attributes:
        id: the turn's id.
        conversation: where it happened.
        message_id: the message's own id.
        at: when the message was received.
        text: what the customer wrote.
        kind: the content kind of the message.
        document: the answer document.
        replies: bot's replies and, after them, what agents and the system wrote before the next turn.
        corrections: field to value.
        feedback: +1, -1 or 0.
        media: the channel's name for what came beside the words; empty for nothing.
    """

    id: int
    conversation: str
    message_id: str
    at: datetime
    text: str
    kind: str
    document: dict[str, Any]
    replies: tuple[Outgoing, ...]
    corrections: dict[str, str] = field(default_factory=dict)
    feedback: int = 0
    media: str = ""


@dataclass(frozen=True, slots=True)
class Escalation:
    """A conversation that asks for a human.

    Attributes:
        id: the escalation's id.
        conversation: which.
        reason: why.
        status: `open`, `held` or `closed`.
        opened_at: when.
        agent: name of the agent who holds or closed it, empty otherwise.
        last_text: the customer's last words.
        customer: display name, empty where unknown.
        lang: the conversation's language.
        priority: how soon a human has to act.
        first_reply_at: when an agent wrote first, None before that.
        closed_at: when it was closed, None before that.
        stars: the customer's rating of the help, 1 to 5; 0 for none.
        held_at: when its present or last holder got it, None before that.
        raised_at: when it became more urgent for waiting, None before that.
        asked_at: when the customer wrote last, None where they never did.
        replied_at: when an agent wrote last in the conversation, None before that.
        lapsed: name of the agent whom an open one was taken from, empty otherwise.
    """

    id: int
    conversation: str
    reason: str
    status: str
    opened_at: datetime
    agent: str
    last_text: str
    customer: str
    lang: str
    priority: Priority = Priority.NORMAL
    first_reply_at: datetime | None = None
    closed_at: datetime | None = None
    stars: int = 0
    held_at: datetime | None = None
    raised_at: datetime | None = None
    asked_at: datetime | None = None
    replied_at: datetime | None = None
    lapsed: str = ""

    @property
    def unanswered(self) -> bool:
        """Whether the customer wrote and no agent has since."""
        return self.asked_at is not None and (self.replied_at is None or self.replied_at < self.asked_at)


@dataclass(frozen=True, slots=True)
class ServiceTime:
    """How long an escalation took.

    Attributes:
        opened_at: when it was opened.
        first_reply_at: when an agent wrote first, None before that.
        closed_at: when it was closed, None before that.
    """

    opened_at: datetime
    first_reply_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class DayTrend:
    """How the conversations of a day went.

    Attributes:
        day: the day, in UTC.
        conversations: in how many a customer wrote.
        turns: how many messages were answered.
        handovers: how many of them opened an escalation.
        upset: how many were believed to be in one of the emotions that were asked for.
        unhelpful: how many answers the customer found unhelpful.
    """

    day: date
    conversations: int
    turns: int
    handovers: int
    upset: int
    unhelpful: int


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A text that the bot asked back about, did not know, or answered unhelpfully.

    Attributes:
        text: what the customer wrote.
        lang: its language, empty where it is not known.
        conversation: whose it is.
        turn: the turn that answered it.
        at: when.
        unhelpful: True where the customer found the answer unhelpful.
    """

    text: str
    lang: str
    conversation: str
    turn: int
    at: datetime
    unhelpful: bool


@dataclass(frozen=True, slots=True)
class Note:
    """What an agent noted about a conversation; no customer reads it.

    Attributes:
        agent: who.
        text: what.
        at: when.
    """

    agent: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Correction:
    """What an agent says a turn should have been.

    Attributes:
        turn: the turn.
        field: `intent`, `emotion` or `faq`.
        value: the right label or FAQ entry id.
        agent: who said so.
        at: when.
    """

    turn: int
    field: str
    value: str
    agent: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LoggedUtterance:
    """A logged turn as retraining sees it.

    Attributes:
        turn: the turn's id.
        conversation: the conversation it belongs to.
        text: what the customer wrote.
        lang: its language.
        intent: what the bot read, empty where nothing.
        emotion: what the bot read, empty where nothing.
        decision: the kind of decision.
        faq: the FAQ entry that answered, empty otherwise.
        corrections: field to value.
        feedback: +1, -1 or 0.
        kind: the content kind of the message; a `button`'s text is its value, not an utterance.
    """

    turn: int
    conversation: str
    text: str
    lang: str
    intent: str
    emotion: str
    decision: str
    faq: str
    corrections: dict[str, str]
    feedback: int
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class FaqVersion:
    """An FAQ entry as somebody left it.

    Attributes:
        entry: the entry.
        version: counts the versions of this entry from 1.
        enabled: False where it answers nobody.
        valid_from: it answers from then on; None for always.
        valid_until: it answers before then; None for ever.
        author: who left it so: `api`, `file` or `release`.
        at: when.
    """

    entry: FaqEntry
    version: int
    enabled: bool
    valid_from: datetime | None
    valid_until: datetime | None
    author: str
    at: datetime

    def answers_at(self, now: datetime) -> bool:
        """Whether it answers customers at a moment."""
        begun = self.valid_from is None or self.valid_from <= now
        return self.enabled and begun and (self.valid_until is None or now < self.valid_until)


@dataclass(frozen=True, slots=True)
class FaqDraft:
    """What somebody wants an FAQ entry to be.

    Attributes:
        entry: the entry.
        enabled: False to have it answer nobody.
        valid_from: when it begins to answer; None for at once.
        valid_until: when it ceases to; None for never.
    """

    entry: FaqEntry
    enabled: bool = True
    valid_from: datetime | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Agent:
    """A person who may use the console.

    Attributes:
        id: the agent's id.
        name: login name.
        role: `admin` or `agent`.
        password_hash: as pwdlib made it.
        active: False once switched off.
        seen_at: when a console page of theirs last asked for something, None for never.
        away: True while they want no conversations assigned.
    """

    id: int
    name: str
    role: str
    password_hash: str
    active: bool = True
    seen_at: datetime | None = None
    away: bool = False


@dataclass(frozen=True, slots=True)
class AgentLoad:
    """An agent with what they have to do.

    Attributes:
        agent: who.
        held: how many conversations they hold.
        last_given: when they got the last one, None for never.
    """

    agent: Agent
    held: int
    last_given: datetime | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what.

    Attributes:
        at: when.
        who: an agent's name, or the part of Frontdesk that acted.
        action: one word, such as `take`.
        detail: what it was done to.
    """

    at: datetime
    who: str
    action: str
    detail: str
