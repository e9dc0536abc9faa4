"""The agents' side of a conversation: get or take it, reply, hand it back, close it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta

from prometheus_client import Histogram

from bot.alerts import named
from bot.current_state import current_state
from bot.desk.lapses import Lapse
from bot.domain.conversation import Conversation, Status
from bot.domain.log_ports import ConversationLog
from bot.domain.messages import Button, Reply
from bot.domain.ports import Clock, LiveState
from bot.domain.private_numbers import PrivateKind, hide
from bot.domain.records import Agent, ConversationSummary, Escalation
from bot.domain.rules import Priority
from bot.errors import HeldError, InputError

LONGEST_REPLY = 4000
"""The longest reply of an agent, in characters."""

DISPATCH = "dispatch"
"""Who acted where no agent did, in the audit trail."""

_BUCKETS = (30, 60, 120, 300, 600, 1800, 3600, 14_400, 86_400)
_FIRST_REPLY = Histogram("frontdesk_first_reply_seconds", "From an escalation to an agent's words.", buckets=_BUCKETS)
_RESOLUTION = Histogram("frontdesk_resolution_seconds", "From an escalation to its end.", buckets=_BUCKETS)

SystemTexts = Callable[[str, str], str]
"""Gives a system text (`agent_joined`, `agent_delayed`, `agent_left`, `closed`, `rate`) by key and language.

Empty for one that is not said."""


class Desk:
    """What agents do to conversations; every act holds the conversation's lock and is audited.

    What an act changes is stored in the log; the live state is dropped, as it can be rebuilt from that.

    An act raises `InputError` where the conversation is unknown, and its kind `HeldError` where another agent holds it.

    Args:
        log: keeps what happens.
        state: live state, with the conversations' locks.
        clock: tells the time.
        texts: gives the texts that customers read when an agent comes and goes.
        hidden_numbers: which private numbers are hidden in what agents write.
        unwanted: words that agents cannot send.
        state_ttl: seconds after which an idle conversation starts afresh.

    Attributes:
        clock: tells the time.
    """

    def __init__(
        self,
        *,
        log: ConversationLog,
        state: LiveState,
        clock: Clock,
        texts: SystemTexts,
        hidden_numbers: Collection[PrivateKind] = frozenset(PrivateKind),
        unwanted: Collection[str] = (),
        state_ttl: int = 86_400,
    ) -> None:
        self.clock = clock
        self._log = log
        self._state = state
        self._texts = texts
        self._hidden_numbers = hidden_numbers
        self._unwanted = unwanted
        self._ttl = timedelta(seconds=state_ttl)

    def take(self, conversation: str, agent: Agent) -> None:
        """Gives the conversation to an agent; nothing changes where the agent holds it already.

        Args:
            conversation: its id.
            agent: who takes it.
        """
        with self._state.lock(conversation):
            self._take(self._head(conversation), agent)

    def assign(self, conversation: str, agent: Agent, limit: int) -> bool:
        """Gives a conversation that waits for a human to an agent.

        Args:
            conversation: its id.
            agent: who gets it.
            limit: how many conversations the agent may hold then.

        Returns:
            False where nobody waits any more or the agent holds that many already.
        """
        with self._state.lock(conversation):
            head = self._head(conversation)
            escalation = self._log.escalation(conversation)
            if escalation is None or not self._log.assign_escalation(conversation, agent.id, limit):
                return False
            self._join(head, self._load(head), _stay(escalation))
            self._log.audit(DISPATCH, "assign", f"{conversation} to {agent.name}")
            return True

    def mend(self, conversation: str, lapse_of: Callable[[Escalation], Lapse | None]) -> Lapse | None:
        """Does what is due with a conversation that has lain too long.

        Args:
            conversation: its id.
            lapse_of: finds what has; asked while nobody else can change the conversation.

        Returns:
            What it was, None where nothing is due any more.
        """
        with self._state.lock(conversation):
            head = self._head(conversation)
            escalation = self._log.escalation(conversation)
            lapse = lapse_of(escalation) if escalation else None
            if escalation is None or lapse is None:
                return None
            if lapse is Lapse.IDLE:
                self._end(head, self._load(head), escalation, Status.BOT, "agent_left", None)
            else:
                if lapse is Lapse.UNANSWERED:
                    waiting = replace(self._load(head), status=Status.WAITING)
                    self._store(waiting)
                    self._say("agent_delayed", waiting, head, once=_stay(escalation))
                self._log.requeue_escalation(conversation)
            self._log.audit(DISPATCH, lapse.value, conversation)
            return lapse

    def reply(self, conversation: str, agent: Agent, text: str, *, key: str | None = None) -> None:
        """Queues an agent's message to the customer; takes the conversation first where nobody holds it.

        Args:
            conversation: its id.
            agent: who writes.
            text: what the customer reads, 1 to `LONGEST_REPLY` characters.
            key: where given, a second reply with this key is not sent (a form that was submitted twice).

        Raises:
            InputError: the text is empty or too long, or has unwanted words.
        """
        words = hide(text.replace("\x00", "").strip(), self._hidden_numbers)
        if not 1 <= len(words) <= LONGEST_REPLY:
            raise InputError(f"A reply has 1 to {LONGEST_REPLY} characters; this one has {len(words)}.")
        if phrase := named(words, self._unwanted):
            raise InputError(f'"{phrase}" is among the unwanted words of bot.yaml; say it without.')
        with self._state.lock(conversation):
            head = self._head(conversation)
            if key is not None and self._log.was_queued(conversation, key):
                return
            current = self._take(head, agent)
            message = Reply(words, _lang(current, head))
            escalation = self._log.escalation(conversation)
            queued = self._log.add_outgoing(conversation, message, author="agent", agent=agent.id, key=key)
            if queued is not None:
                if escalation is not None and escalation.first_reply_at is None:
                    self._observe(_FIRST_REPLY, escalation.opened_at)
                self._log.audit(agent.name, "reply", f"{conversation}: message {queued}")

    def hand_back(self, conversation: str, agent: Agent) -> None:
        """Gives the conversation back to the bot, with past moods and misses forgotten.

        Args:
            conversation: its id.
            agent: who gives it back: its holder, an admin, or anybody where nobody holds it.
        """
        self._release(conversation, agent, Status.BOT, "agent_left", "hand_back")

    def close(self, conversation: str, agent: Agent) -> None:
        """Closes the conversation; the customer's next message starts afresh with the bot.

        Args:
            conversation: its id.
            agent: who closes it: its holder, an admin, or anybody where nobody holds it.
        """
        self._release(conversation, agent, Status.CLOSED, "closed", "close")

    def transfer(self, conversation: str, agent: Agent, name: str) -> None:
        """Passes the conversation on to another agent; the customer notices nothing.

        Args:
            conversation: its id.
            agent: who passes it on: its holder, or an admin.
            name: the other agent's login name.

        Raises:
            InputError: there is no such active agent, or nobody holds the conversation.
        """
        with self._state.lock(conversation):
            head = self._head(conversation)
            other = self._log.agent_by_name(name)
            if other is None or not other.active:
                raise InputError(f"There is no active agent {name[:80]!r}.")
            escalation = self._log.escalation(head.id)
            if escalation is None or escalation.status != "held":
                raise InputError("Nobody holds this conversation; take it over first.")
            if escalation.agent != agent.name and agent.role != "admin":
                raise _held_by(escalation.agent)
            self._log.set_escalation(head.id, "held", other.id)
            self._log.audit(agent.name, "transfer", f"{head.id} to {other.name}")

    def block(self, conversation: str, agent: Agent) -> None:
        """Has the customer get no answers until `unblock`; what they write is stored all the same.

        Args:
            conversation: its id.
            agent: who wants it.
        """
        self._mark(conversation, agent, "block", lambda current: replace(current, blocked=True))

    def unblock(self, conversation: str, agent: Agent) -> None:
        """Has the customer get answers again.

        Args:
            conversation: its id.
            agent: who wants it.
        """
        self._mark(conversation, agent, "unblock", lambda current: replace(current, blocked=False))

    def make_important(self, conversation: str, agent: Agent) -> None:
        """Has the customer seen to before others, now and whenever they ask for a human.

        Args:
            conversation: its id.
            agent: who wants it.
        """
        self._mark(conversation, agent, "important", lambda current: replace(current, vip=True))
        if self._log.escalation(conversation) is not None:
            self._log.open_escalation(conversation, None, "important customer", Priority.HIGH)

    def make_usual(self, conversation: str, agent: Agent) -> None:
        """Has the customer wait like others from their next wish for a human on.

        Args:
            conversation: its id.
            agent: who wants it.
        """
        self._mark(conversation, agent, "usual", lambda current: replace(current, vip=False))

    def note(self, conversation: str, agent: Agent, text: str) -> None:
        """Notes something for the other agents; whoever works at the console may.

        Args:
            conversation: its id.
            agent: who notes it.
            text: what, 1 to `LONGEST_REPLY` characters.

        Raises:
            InputError: the text is empty or too long.
        """
        words = hide(text.replace("\x00", "").strip(), self._hidden_numbers)
        if not 1 <= len(words) <= LONGEST_REPLY:
            raise InputError(f"A note has 1 to {LONGEST_REPLY} characters; this one has {len(words)}.")
        with self._state.lock(conversation):
            self._log.add_note(self._head(conversation).id, agent.id, words)
            self._log.audit(agent.name, "note", conversation)

    def _head(self, conversation: str) -> ConversationSummary:
        head = self._log.conversation(conversation)
        if head is None:
            raise InputError(f"There is no conversation {conversation[:80]!r}; it may have been erased.")
        return head

    def _load(self, head: ConversationSummary) -> Conversation:
        return current_state(self._log, self._state, head.id, self.clock.now() - self._ttl)

    def _store(self, current: Conversation) -> None:
        # Dropped first, so that no older copy stands for what is stored now.
        self._state.forget(current.id)
        self._log.store_state(current)

    def _say(self, key: str, current: Conversation, head: ConversationSummary, once: str | None) -> None:
        lang = _lang(current, head)
        if text := self._texts(key, lang):
            self._log.add_outgoing(head.id, Reply(text, lang), author="system", key=once and f"{key}:{once}")

    def _mark(self, conversation: str, agent: Agent, action: str, mark: Callable[[Conversation], Conversation]) -> None:
        """Stores a mark of a customer; nothing happens where it is set already."""
        with self._state.lock(conversation):
            current = self._load(self._head(conversation))
            marked = mark(current)
            if marked != current:
                self._store(marked)
                self._log.audit(agent.name, action, conversation)

    def _ask_for_rating(self, current: Conversation, head: ConversationSummary, escalation: int) -> None:
        lang = _lang(current, head)
        question = self._texts("rate", lang)
        if question:
            stars = tuple(Button(str(number), f"rate:{escalation}:{number}") for number in range(1, 6))
            self._log.add_outgoing(head.id, Reply(question, lang, stars), author="system", key=f"rate:{escalation}")

    def _take(self, head: ConversationSummary, agent: Agent) -> Conversation:
        current = self._load(head)
        escalation = self._log.escalation(head.id)
        held = escalation is not None and escalation.status == "held"
        if escalation is not None and held and escalation.agent != agent.name:
            raise _held_by(escalation.agent)
        if held and current.status is Status.AGENT:
            return current
        stay = _stay(escalation) if escalation else str(self._log.open_escalation(head.id, None, "taken by an agent"))
        self._log.set_escalation(head.id, "held", agent.id)
        self._log.audit(agent.name, "take", head.id)
        return self._join(head, current, stay)

    def _join(self, head: ConversationSummary, current: Conversation, stay: str) -> Conversation:
        current = replace(current, status=Status.AGENT)
        self._store(current)
        self._say("agent_joined", current, head, once=stay)
        return current

    def _release(self, conversation: str, agent: Agent, status: Status, text: str, action: str) -> None:
        with self._state.lock(conversation):
            head = self._head(conversation)
            current = self._load(head)
            escalation = self._log.escalation(conversation)
            held = escalation is not None and escalation.status == "held"
            if escalation is not None and held and escalation.agent != agent.name and agent.role != "admin":
                raise _held_by(escalation.agent)
            if escalation is None and current.status in (status, Status.CLOSED):
                return
            self._end(head, current, escalation, status, text, agent)
            self._log.audit(agent.name, action, conversation)

    def _end(
        self,
        head: ConversationSummary,
        current: Conversation,
        escalation: Escalation | None,
        status: Status,
        text: str,
        agent: Agent | None,
    ) -> None:
        current = replace(current.afresh(), status=status)
        self._store(current)
        self._say(text, current, head, once=str(escalation.id) if escalation else None)
        if escalation is None:
            return
        if status is Status.CLOSED and escalation.first_reply_at:
            self._ask_for_rating(current, head, escalation.id)
        self._log.set_escalation(head.id, "closed", agent.id if agent else None)
        self._observe(_RESOLUTION, escalation.opened_at)

    def _observe(self, histogram: Histogram, since: datetime) -> None:
        histogram.observe((self.clock.now() - since).total_seconds())


def _lang(current: Conversation, head: ConversationSummary) -> str:
    return current.lang or head.lang or "en"


def _stay(escalation: Escalation) -> str:
    """Names an escalation's stay in the queue: what is said once is said again after it went back there."""
    raised = f":{escalation.raised_at.timestamp():.0f}" if escalation.raised_at else ""
    return f"{escalation.id}{raised}"


def _held_by(holder: str) -> HeldError:
    return HeldError(f"{holder} holds this conversation; ask {holder} or an admin to hand it back.", holder=holder)
