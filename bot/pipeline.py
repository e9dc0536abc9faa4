"""The journey of a message on one page: load, read, search, decide, fill in, store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import structlog

from bot.alerts import heard
from bot.current_state import current_state
from bot.dialogue.announcements import announce
from bot.dialogue.button_values import whole_value
from bot.dialogue.corrections import after_turn, before_turn
from bot.dialogue.engine import Engine
from bot.dialogue.excerpts import Excerpts
from bot.dialogue.hearing import Hearing
from bot.dialogue.moves import related_entries
from bot.dialogue.policy import decide
from bot.dialogue.replies import Filled, fill, next_state
from bot.dialogue.rewriting import Rewriting
from bot.dialogue.scene import as_said
from bot.dialogue.second_look import found, nearby_entries, second_look
from bot.dialogue.templates import TemplateBook, shorten
from bot.domain.conversation import Conversation, Status
from bot.domain.decisions import Decision, DecisionKind
from bot.domain.log_ports import ConversationLog
from bot.domain.messages import OPEN_CHANNELS, ContentKind, IncomingMessage
from bot.domain.ports import Actions, Clock, LiveState
from bot.domain.private_numbers import has_hidden
from bot.domain.records import TurnRecord
from bot.domain.rules import BotRules, Priority
from bot.errors import StateUnavailableError, UnavailableError
from bot.hours import in_words, opens_at
from nlu.types import Entity, Understanding
from retrieval.types import Hit

log_line = structlog.get_logger(__name__)

_COUNTED_SECONDS = 3600
"""How long it is known that a message was counted; tries to answer it go on for as long as an outage lasts."""


class Pipeline:
    """Answers messages; whoever calls `handle` holds the conversation's lock.

    Args:
        engine: gives the engine in force.
        log: the durable truth.
        state: live state.
        rules: the bot's rules.
        book: the bot's templates.
        clock: tells the time.
        state_ttl: seconds after which an idle conversation starts afresh.
        rewriting: rewords FAQ answers, None to say them in their own words.
        actions: the company's own API, None where there is none.
        hearing: puts voice messages into words, None where nothing does.
    """

    def __init__(
        self,
        engine: Callable[[], Engine],
        log: ConversationLog,
        state: LiveState,
        rules: BotRules,
        book: TemplateBook,
        clock: Clock,
        state_ttl: int = 86_400,
        rewriting: Rewriting | None = None,
        actions: Actions | None = None,
        hearing: Hearing | None = None,
    ) -> None:
        self._engine = engine
        self._log = log
        self._state = state
        self._rules = rules
        self._book = book
        self._clock = clock
        self._ttl = timedelta(seconds=state_ttl)
        self._excerpts = Excerpts()
        self._rewriting = rewriting
        self._actions = actions
        self._hearing = hearing

    def handle(self, message: IncomingMessage) -> dict[str, Any]:
        """Answers one stored message and stores its turn.

        Args:
            message: what the customer wrote.

        Returns:
            The answer document: `replies`, `decision`, `understanding`, `hits`, `release`.

        Raises:
            UnavailableError: Redis or SQL is away; nothing was stored.
        """
        before = self._load(message.conversation)
        engine = self._engine()
        if (flood := self._flood(message, before)) is not None:
            return self._answer_unread(message, before, flood)
        before = before_turn(before, message)
        expected = self._expected_language(message, before)
        if self._hearing is not None and not before.blocked:
            message = self._hearing.of(message, before.lang or None)
        spoken = as_said(message)
        spoken = replace(spoken, text=whole_value(spoken.text, engine.entries))
        understanding = engine.understander.understand([spoken.text], [expected])[0]
        lang = understanding.lang or before.lang or None
        hits = found(engine, understanding, lang)
        decision = decide(
            understanding, before, hits, engine.search.thresholds, self._rules, spoken.kind, said=spoken.text
        )
        if spoken.kind is ContentKind.TEXT:
            decision = second_look(engine, self._rules, decision, understanding, spoken.text, hits, before, lang)
        acted = self._actions is not None and decision.action in self._rules.actions
        decision = self._acted(decision, message)
        decision = self._with_related(engine, decision, hits if spoken.kind is ContentKind.TEXT else ())
        decision = self._with_excerpts(engine, decision, understanding)
        if spoken.kind is ContentKind.TEXT:
            decision = self._reworded(engine, decision, understanding.text, understanding.entities)
        decision = self._with_wait(decision)
        if has_hidden(message.text):
            decision = replace(decision, notice="number_hidden")
        filled = fill(decision, before, self._rules, self._book, engine.entries)
        filled, told = self._announced(filled, before, decision)
        after = after_turn(next_state(told, understanding, decision, self._rules), told, message, acted=acted)
        document = answer_document(filled, decision, understanding, hits)
        self._store(message, filled, document, after, decision)
        return document

    def _acted(self, decision: Decision, message: IncomingMessage) -> Decision:
        """Runs the action of a filled form; without an answer that has words the form ends as it would have without."""
        action = self._rules.actions.get(decision.action)
        if self._actions is None or action is None:
            return decision
        try:
            values = self._actions.call(action, decision.slots, f"{message.conversation}:{message.id}")
        except UnavailableError as error:
            log_line.warning("action_failed", action=action.name, error=str(error))
            return replace(decision, reason=f"{decision.reason}; {action.name} gave no answer")
        template = action.say.get(values.get(action.field, ""))
        missing = [name for name in action.shown if name not in values]
        if template is None or missing:
            log_line.warning("action_answered_otherwise", action=action.name, field=action.field, missing=missing)
            return replace(decision, reason=f"{decision.reason}; {action.name} gave an answer without words for it")
        shown = {name: shorten(values[name]) for name in action.shown}
        reason = f"{decision.reason}; {action.name}: {action.field}={shorten(values[action.field], 40)}"
        return replace(decision, reason=reason, template=template, slots={**decision.slots, **shown}, escalate="")

    def _with_wait(self, decision: Decision) -> Decision:
        """Adds to a handover when somebody will answer."""
        if not decision.escalate:
            return decision
        now = self._clock.now()
        opening = opens_at(self._rules.hours, now) if self._rules.hours else None
        if opening is not None:
            return replace(decision, opens=in_words(opening, now, decision.lang))
        wait = self._log.usual_wait()
        return replace(decision, wait=max(1, round(wait.total_seconds() / 60))) if wait else decision

    def _announced(self, filled: Filled, before: Conversation, decision: Decision) -> tuple[Filled, Conversation]:
        """Says first what every customer is told for a time, once."""
        rules = self._rules
        new = (
            announce(rules.announcements, before.announced, decision.lang, self._clock.now()) if filled.replies else {}
        )
        current = {each.key for each in rules.announcements}
        told = tuple(key for key in (*before.announced, *new) if key in current)
        return replace(filled, replies=(*new.values(), *filled.replies)), replace(before, announced=told)

    def _with_related(self, engine: Engine, decision: Decision, hits: Sequence[Hit]) -> Decision:
        """Adds questions to an answer: to one from the FAQ what others asked besides and what is asked in like words.

        What an intent says in general gets the entries that are near enough to the message to be offered. Who is upset
        gets the answer alone.
        """
        limit = self._rules.related
        if not limit or decision.emotion in self._rules.escalation.bad_moods:
            return decision
        if decision.kind is not DecisionKind.FAQ:
            return replace(decision, related=nearby_entries(decision, hits, engine, limit))
        asked = self._log.co_asked(decision.faq, limit)
        alike = [entry.id for entry in engine.search.related(decision.faq, limit)]
        return replace(decision, related=related_entries(decision, [*asked, *alike], engine.entries, limit))

    def _with_excerpts(self, engine: Engine, decision: Decision, reading: Understanding) -> Decision:
        """Adds what of a long FAQ answer responds to the message."""
        entry = engine.entries.get(decision.faq) if not decision.whole else None
        excerpt = self._excerpts.of(entry, reading, engine.understander) if entry else ""
        also = tuple(self._with_excerpts(engine, each, reading) for each in decision.also)
        return replace(decision, excerpt=excerpt, also=also)

    def _reworded(self, engine: Engine, decision: Decision, said: str, entities: Sequence[Entity]) -> Decision:
        """Has a single FAQ answer reworded, where the operator wants that."""
        entry = engine.entries.get(decision.faq)
        if self._rewriting is None or entry is None or decision.whole or decision.also:
            return decision
        rewording = self._rewriting.of(entry, said, entities)
        return replace(decision, excerpt=rewording.text or decision.excerpt, rewriting=rewording.outcome)

    def give_up(self, message: IncomingMessage) -> None:
        """Hands over a message that cannot be answered because of a fault inside Frontdesk.

        Args:
            message: what the customer wrote.
        """
        before = self._load(message.conversation)
        reason = "a fault inside the bot"
        lang = self._expected_language(message, before) or self._rules.default_language
        decision = Decision(DecisionKind.HANDOVER, reason, template="handover", lang=lang, escalate=reason)
        if before.blocked:
            self._answer_unread(message, before, Decision(DecisionKind.SILENT, f"the customer is blocked; {reason}"))
            return
        status = before.status if before.status is Status.AGENT else Status.WAITING
        self._answer_unread(message, replace(before, status=status, form=None), decision)

    def _flood(self, message: IncomingMessage, before: Conversation) -> Decision | None:
        """How a message too many within a minute is answered: the first with a request to slow down, the rest not.

        Counted by when messages came, so that those which waited for an outage to end are answered. One that tells of
        danger is answered all the same. Callers of the API keep their own order.
        """
        if message.channel not in OPEN_CHANNELS or before.status is Status.AGENT:
            return None
        if not self._state.allow(f"counted:{message.conversation}:{message.id}", 1, _COUNTED_SECONDS):
            # An earlier try to answer it has counted it.
            return None
        minute = f"{message.conversation}:{int(message.at.timestamp()) // 60}"
        if self._state.allow(f"messages:{minute}", self._rules.messages_a_minute, 120):
            return None
        alarm = heard(message.text, self._rules.escalation.alerts) if message.kind is not ContentKind.BUTTON else None
        if alarm is not None and alarm.is_danger and self._state.allow(f"danger:{minute}", 1, 120):
            return None
        lang = self._expected_language(message, before) or self._rules.default_language
        reason = f"more than {self._rules.messages_a_minute} messages within a minute"
        told = before.blocked or not self._state.allow(f"slow-down:{minute}", 1, 120)
        kind = DecisionKind.SILENT if told else DecisionKind.TEMPLATE
        return Decision(kind, reason, template="slow_down", lang=lang)

    def _expected_language(self, message: IncomingMessage, before: Conversation) -> str | None:
        """The language to answer in where the message does not tell: the conversation's, before it the client's.

        A caller of the API names the language of each message.
        """
        named, used = message.lang, before.lang
        order = (used, named) if message.channel in OPEN_CHANNELS else (named, used)
        return next((lang for lang in order if lang in self._rules.languages), None)

    def _answer_unread(self, message: IncomingMessage, before: Conversation, decision: Decision) -> dict[str, Any]:
        """Answers a message that is not read."""
        filled = fill(decision, before, self._rules, self._book, {})
        document = answer_document(filled, decision, None, [])
        self._store(message, filled, document, replace(before, turns=before.turns + 1), decision)
        return document

    def _load(self, conversation: str) -> Conversation:
        return current_state(self._log, self._state, conversation, self._clock.now() - self._ttl)

    def _store(
        self,
        message: IncomingMessage,
        filled: Filled,
        document: dict[str, Any],
        after: Conversation,
        decision: Decision,
    ) -> None:
        """Stores the turn first; the live state may be lost, as it can be rebuilt."""
        erased = decision.personal == "erase"
        if erased:
            self._log.erase_and_tell(after.id, filled.replies)
        else:
            turn = TurnRecord(message, self._clock.now(), filled.replies, document, after, filled.escalate)
            important = after.vip or after.id in self._rules.escalation.desk.vip
            least = Priority.HIGH if important else Priority.NORMAL
            priority = max(decision.priority, least)
            self._log.record_turn(replace(turn, priority=priority, rating=decision.rating))
        try:
            if erased:
                self._state.forget(after.id)
            else:
                self._state.save(after)
        except StateUnavailableError as error:
            log_line.warning("state_not_saved", conversation=after.id, error=str(error))


def answer_document(
    filled: Filled, decision: Decision, understanding: Understanding | None, hits: list[Hit]
) -> dict[str, Any]:
    """The document that `ask --json` prints and `POST /v1/messages` returns.

    Args:
        filled: the replies.
        decision: how they came about.
        understanding: the reading, or None where there is none.
        hits: FAQ hits.

    Returns:
        Plain JSON values.
    """
    return {
        "replies": [asdict(reply) for reply in filled.replies],
        "decision": {
            "kind": decision.kind.value,
            "reason": decision.reason,
            "intent": decision.intent,
            "template": decision.template,
            "emotion": decision.emotion,
            "faq": decision.faq,
            "options": list(decision.options),
            "miss": decision.miss,
            "escalate": decision.escalate,
            "priority": decision.priority.name.lower(),
            "related": list(decision.related),
            "rewriting": decision.rewriting,
            "also": [
                {"kind": each.kind.value, "reason": each.reason, "intent": each.intent, "faq": each.faq}
                for each in decision.also
            ],
        },
        "understanding": understanding_document(understanding) if understanding else None,
        "hits": [
            {
                "id": hit.entry.id,
                "question": hit.entry.question,
                "matched": hit.matched,
                "similarity": round(hit.similarity, 4),
                "score": round(hit.score, 4),
            }
            for hit in hits
        ],
        "release": understanding.release if understanding else "",
    }


def understanding_document(understanding: Understanding) -> dict[str, Any]:
    """An understanding as plain JSON values, without the vector.

    Args:
        understanding: the reading.

    Returns:
        `lang`, one entry a head, `entities` (spans in the text as it was given) and `oos`.
    """
    heads = {
        head: {
            "label": distribution.label,
            "confidence": round(distribution.confidence, 4),
            "top": [{"label": s.label, "confidence": round(s.confidence, 4)} for s in distribution.top],
        }
        for head, distribution in understanding.heads.items()
    }
    return {
        "lang": understanding.lang,
        **heads,
        "entities": [asdict(entity) for entity in understanding.given_entities],
        "oos": round(understanding.oos, 4),
    }
