"""The durable truth (SQL) as protocols, one for each thing that is kept; every method is one transaction.

Everything here is synchronous and safe to call from several threads. Times are aware datetimes in UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from bot.domain.conversation import Conversation
from bot.domain.messages import IncomingMessage, Reply
from bot.domain.records import (
    Agent,
    AgentLoad,
    AuditEntry,
    ConversationSummary,
    Correction,
    DayTrend,
    Escalation,
    FaqDraft,
    FaqVersion,
    LoggedUtterance,
    Note,
    Outgoing,
    ServiceTime,
    TurnRecord,
    TurnView,
    Unanswered,
)
from bot.domain.rules import Priority
from retrieval.types import FaqEntry


class MessageLog(Protocol):
    """Messages and their turns: stored before they are acknowledged, answered once."""

    def accept(self, message: IncomingMessage) -> bool:
        """Stores an incoming message; False where this id of this conversation is stored already."""

    def pending_conversations(self, limit: int = 100) -> list[str]:
        """Conversations with messages that wait for a turn, the longest waiting first."""

    def next_pending(self, conversation: str) -> IncomingMessage | None:
        """The oldest message of a conversation that waits for its turn."""

    def snapshot(self, conversation: str) -> tuple[Conversation, datetime] | None:
        """The state stored with the last turn and when it was stored, or None before the first."""

    def record_turn(self, turn: TurnRecord) -> int:
        """Stores a turn whole: marks the message answered, keeps trace, replies (outbox), state and any escalation.

        The message's words are stored anew, as a voice message has them only now.

        Args:
            turn: what happened.

        Returns:
            The turn's id. Where the message had a turn already, nothing is stored and that turn's id is returned.
        """

    def answer_document(self, conversation: str, message_id: str) -> dict[str, Any] | None:
        """The document of the turn that answered a message, with the turn's id as `turn`; None while there is none."""

    def store_state(self, state: Conversation) -> None:
        """Stores a state outside a turn (an agent took or closed the conversation)."""

    def conversation(self, conversation: str) -> ConversationSummary | None:
        """A conversation's head, or None where it is unknown."""

    def conversations(self, limit: int = 200) -> list[ConversationSummary]:
        """The heads of all conversations in which a customer wrote, the latest changed first."""

    def turns(self, conversation: str, limit: int = 200, before: int | None = None) -> list[TurnView]:
        """The latest turns, or the latest before another turn, with all replies, agents' included, in order."""

    def turn(self, turn_id: int) -> TurnView | None:
        """One turn."""

    def trend(self, since: datetime, emotions: Collection[str]) -> list[DayTrend]:
        """How the days went since a moment, the latest first; `emotions` are those that count as upset."""

    def co_asked(self, entry: str, limit: int = 3) -> list[str]:
        """FAQ entries that answered in the same conversations as an entry, the most frequent first.

        Args:
            entry: the id of an FAQ entry.
            limit: how many at most.

        Returns:
            Ids of entries that two conversations or more, of the latest 500 with the entry, asked for as well.
        """


class Outbox(Protocol):
    """What goes out, and whether it has arrived."""

    def add_outgoing(
        self, conversation: str, reply: Reply, *, author: str, agent: int | None = None, key: str | None = None
    ) -> int | None:
        """Queues a message outside a turn.

        Args:
            conversation: to whom.
            reply: what.
            author: `bot`, `agent` or `system`.
            agent: the agent who wrote it.
            key: where given, a second message with this key is not queued.

        Returns:
            Its id, or None where the key was used already.
        """

    def was_queued(self, conversation: str, key: str) -> bool:
        """Whether a message to a customer was queued with this key."""

    def claim_outgoing(
        self, channel: str, limit: int, lease: float, delivered: Mapping[int, str | None] | None = None
    ) -> list[Outgoing]:
        """Claims due messages for `lease` seconds, at most one a conversation and in order within each.

        What was `delivered` is noted before, as by `mark_sent`: both or neither.
        """

    def mark_sent(self, delivered: Mapping[int, str | None]) -> None:
        """Notes deliveries: the ids of messages, each with the id that the channel gave it."""

    def mark_failed(self, outgoing: int, error: str, retry_at: datetime | None) -> None:
        """Notes a failed delivery; `retry_at` None gives it up for good."""

    def outgoing_since(self, conversation: str, after: int) -> list[Outgoing]:
        """Messages to a customer with an id above `after`, in order (web chat)."""

    def undelivered(self, since: datetime, tries: int, limit: int = 100) -> list[Outgoing]:
        """Messages that were given up since a moment, or that `tries` did not deliver yet; the latest tried first."""


class EscalationLog(Protocol):
    """Wishes for a human, and what agents noted."""

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

    def escalation(self, conversation: str) -> Escalation | None:
        """The open or held escalation of a conversation, or None where there is none."""

    def escalated_conversation(self, escalation: int) -> str | None:
        """The conversation of an escalation, or None where there is no such escalation."""

    def open_escalation(
        self, conversation: str, turn: int | None, reason: str, priority: Priority = Priority.NORMAL
    ) -> int:
        """Opens an escalation, or makes the one that is open or held already as urgent; gives its id."""

    def set_escalation(self, conversation: str, status: str, agent: int | None) -> None:
        """Sets the open or held escalation of a conversation to `held` or `closed`."""

    def assign_escalation(self, conversation: str, agent: int, limit: int) -> bool:
        """Gives an open escalation to an agent.

        Args:
            conversation: whose.
            agent: who gets it.
            limit: how many conversations the agent may hold then.

        Returns:
            False, with nothing changed, where it is not open or the agent holds that many already.
        """

    def requeue_escalation(self, conversation: str) -> None:
        """Makes the open or held escalation of a conversation a step more urgent, and a held one open again."""

    def unannounced(self) -> list[Escalation]:
        """Open escalations that agents were not told of, and open or held ones that became urgent since they were."""

    def mark_announced(self, escalation: int, priority: Priority) -> None:
        """Notes that agents were told of an escalation with this priority."""

    def service_times(self, since: datetime) -> list[ServiceTime]:
        """How long the escalations took that were opened since a moment."""

    def usual_wait(self) -> timedelta | None:
        """The median time from an escalation to an agent's first words; None where too few are known."""

    def add_note(self, conversation: str, agent: int, text: str) -> None:
        """Stores what an agent notes about a conversation; no customer reads it."""

    def notes(self, conversation: str) -> list[Note]:
        """The agents' notes about a conversation, the oldest first."""


class LessonLog(Protocol):
    """What retraining learns from: corrections, verdicts, and every turn."""

    def add_correction(self, turn_id: int, field: str, value: str, agent: int) -> int:
        """Stores what a turn's `intent`, `emotion` or `faq` should have been; a later one replaces the earlier."""

    def corrections(self, turn_id: int) -> list[Correction]:
        """The corrections of a turn that hold."""

    def add_feedback(self, turn_id: int, value: int) -> None:
        """Stores a customer's verdict on a turn, +1 or -1; a later one replaces the earlier."""

    def logged_utterances(self) -> Iterator[LoggedUtterance]:
        """Every turn with its corrections and feedback, oldest first, for retraining."""


class AgentLog(Protocol):
    """Agents, their sessions, and what they did."""

    def agent_by_name(self, name: str) -> Agent | None:
        """An agent by login name."""

    def agents(self) -> list[Agent]:
        """All active agents, by name."""

    def agent_loads(self) -> list[AgentLoad]:
        """All active agents with what they have to do, by name."""

    def see_agent(self, agent: int) -> None:
        """Notes that an agent is at the console now."""

    def set_away(self, agent: int, *, away: bool) -> None:
        """Notes whether an agent wants conversations assigned."""

    def add_agent(self, name: str, password_hash: str, role: str) -> int:
        """Creates an agent.

        Args:
            name: login name.
            password_hash: as pwdlib made it.
            role: `admin` or `agent`.

        Returns:
            The agent's id.

        Raises:
            InputError: the name is taken.
        """

    def set_agent_password(self, name: str, password_hash: str) -> None:
        """Changes a password and ends the agent's sessions."""

    def open_session(self, agent: int, token_hash: str, expires: datetime) -> None:
        """Stores a console session by the hash of its token."""

    def session_agent(self, token_hash: str) -> Agent | None:
        """Whose session it is; None where it is unknown, expired or its agent inactive."""

    def close_session(self, token_hash: str) -> None:
        """Ends a session."""

    def audit(self, who: str, action: str, detail: str) -> None:
        """Notes who did what."""

    def audit_trail(self, limit: int = 200) -> list[AuditEntry]:
        """Who did what, the latest first."""


class KnowledgeLog(Protocol):
    """The edited knowledge base, as versions of entries."""

    def faq_revision(self) -> int:
        """Grows with every change of the knowledge base; whoever has seen a revision has seen all before it."""

    def faq_latest(self) -> list[FaqVersion]:
        """The latest version of every entry that was ever edited."""

    def faq_variants(self) -> dict[str, frozenset[str]]:
        """Every variant that any version of an edited entry has had, by the entry's id."""

    def faq_versions(self, entry: str) -> list[FaqVersion]:
        """All versions of an entry, the oldest first; none where it was never edited."""

    def put_faq(
        self, draft: FaqDraft, author: str, *, before: FaqEntry | None = None, expected: int | None = None
    ) -> FaqVersion:
        """Stores a new version of an entry, and notes it in the audit trail.

        Args:
            draft: what the entry is to be.
            author: who wants it.
            before: the entry as the release has it; stored as the first version where there is none yet.
            expected: the latest version that the author saw, 0 for none; None to overwrite whatever there is.

        Returns:
            The new version.

        Raises:
            EditedError: there is a later version than the expected one.
        """

    def put_faqs(self, drafts: Sequence[FaqDraft], author: str, *, before: Mapping[str, FaqEntry]) -> list[FaqVersion]:
        """Stores new versions of several entries, all or none, as one change; see `put_faq`.

        Args:
            drafts: what the entries are to be, each once.
            author: who wants it.
            before: the entries as the release has them, by id.

        Returns:
            The new versions in the order of the drafts.
        """

    def latest_texts(self, limit: int) -> list[tuple[str, str]]:
        """The latest different texts that customers wrote, with their languages, the latest first."""

    def unanswered(self, limit: int) -> list[Unanswered]:
        """The latest different texts that the bot asked back about, did not know or answered unhelpfully."""


class PersonLog(Protocol):
    """A person's data."""

    def export_customer(self, conversation: str) -> dict[str, Any]:
        """Everything stored about a customer, as plain JSON values."""

    def erase_customer(self, conversation: str) -> int:
        """Removes everything stored about a customer; returns how many rows went."""

    def erase_and_tell(self, conversation: str, replies: Sequence[Reply]) -> None:
        """Removes everything stored about a customer who asked for it, and queues the replies that say so.

        The oldest message without an answer is the one that asks for it; what came after it stays.
        """


class ConversationLog(MessageLog, Outbox, EscalationLog, LessonLog, AgentLog, KnowledgeLog, PersonLog, Protocol):
    """All of it, as one database keeps it."""

    def claim_run(self, name: str, at: datetime) -> bool:
        """Claims a scheduled run for this process; False where another has it."""

    def ping(self) -> None:
        """Checks that the database answers and its tables are there.

        Raises:
            LogUnavailableError: it does not.
        """
