"""What the console's pages show, read tolerantly from the log's records and answer documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.console.excerpt import telling_sentences
from bot.desk.service_level import is_overdue
from bot.domain.records import ConversationSummary, Correction, Escalation, Outgoing, TurnView
from bot.domain.rules import ServiceLevel
from bot.web import spoken_text

_MOODS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Guess:
    """A label or FAQ entry with its probability, 0 to 1."""

    label: str
    confidence: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """Why the bot answered a turn as it did.

    Attributes:
        lang: the language that was read.
        intents: the intent head's best labels, the best first; empty where nothing was read.
        emotions: the emotion head's best labels, the best first.
        oos: probability that the text is out of scope, or None.
        entities: `type: value` of each entity.
        decision: the kind of decision, empty where unknown.
        reason: why, empty where unknown.
        hits: FAQ entries that were found, `note` being the question.
        release: the release that read the text.
    """

    lang: str = ""
    intents: tuple[Guess, ...] = ()
    emotions: tuple[Guess, ...] = ()
    oos: float | None = None
    entities: tuple[str, ...] = ()
    decision: str = ""
    reason: str = ""
    hits: tuple[Guess, ...] = ()
    release: str = ""


@dataclass(frozen=True, slots=True)
class TurnCard:
    """One turn of a conversation.

    Attributes:
        id: the turn's id.
        at: when the message came.
        text: what the customer wrote, or the label of the tapped button.
        kind: the content kind.
        trace: why the bot answered so.
        replies: what went out.
        corrections: which corrections hold, by field.
        feedback: +1, -1 or 0.
        has_media: True where a file came along.
    """

    id: int
    at: datetime
    text: str
    kind: str
    trace: Trace
    replies: tuple[Outgoing, ...]
    corrections: Mapping[str, Correction]
    feedback: int
    has_media: bool


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One line of the queue.

    Attributes:
        conversation: its id.
        name: the customer's name, or the id where none is known.
        channel: where it happens.
        lang: its language.
        status: `open`, `held`, or a conversation's own status.
        since: since when it waits, or when it changed last.
        waited: how long ago that is.
        reason: why a human is asked for, empty where none is.
        emotion: the emotion of the last turn, empty where none is believed.
        last_text: the customer's last words.
        holder: the agent who holds it, empty otherwise.
        priority: `normal`, `high` or `urgent`.
        stars: the customer's rating of the help, 0 for none.
        overdue: True where it has missed a goal of the SLA.
    """

    conversation: str
    name: str
    channel: str
    lang: str
    status: str
    since: datetime
    waited: timedelta
    reason: str
    emotion: str
    last_text: str
    holder: str
    priority: str = "normal"
    stars: int = 0
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """What an agent wants to know before reading on.

    Attributes:
        said: the customer's sentences that tell most, in their own words.
        wishes: the intents acted upon, each once, the latest last.
        facts: `type: value` of what the customer named, each once.
        moods: the believed emotion of each turn, the oldest first; empty where none is believed.
    """

    said: tuple[str, ...]
    wishes: tuple[str, ...]
    facts: tuple[str, ...]
    moods: tuple[str, ...]


def summarise(turns: Sequence[TurnView]) -> Summary:
    """Sums a conversation up from what was said and what was read of it.

    Args:
        turns: the turns in order.

    Returns:
        What was said, wanted, named and felt.
    """
    wishes = (str(_mapping(turn.document.get("decision")).get("intent") or "") for turn in turns)
    facts = (fact for turn in turns for fact in read_trace(turn.document).entities)
    moods = tuple(_believed_emotion(turn) for turn in turns)
    return Summary(
        said=telling_sentences(turns),
        wishes=tuple(dict.fromkeys(wish for wish in wishes if wish)),
        facts=tuple(dict.fromkeys(facts)),
        moods=moods[-_MOODS_SHOWN:],
    )


def read_trace(document: Mapping[str, Any]) -> Trace:
    """Reads an answer document; parts that are absent or of another shape are left out."""
    understanding = _mapping(document.get("understanding"))
    decision = _mapping(document.get("decision"))
    oos = understanding.get("oos")
    return Trace(
        lang=str(understanding.get("lang") or ""),
        intents=_guesses(understanding.get("intent")),
        emotions=_guesses(understanding.get("emotion")),
        oos=float(oos) if isinstance(oos, int | float) else None,
        entities=tuple(
            f"{entity.get('type', '?')}: {entity.get('value') or entity.get('text', '')}"
            for entity in _mappings(understanding.get("entities"))
        ),
        decision=str(decision.get("kind") or ""),
        reason=str(decision.get("reason") or ""),
        hits=tuple(
            Guess(str(hit.get("id", "?")), _number(hit.get("score")), str(hit.get("question", "")))
            for hit in _mappings(document.get("hits"))
        ),
        release=str(document.get("release") or ""),
    )


def show_turn(turn: TurnView, corrections: Iterable[Correction], labels: Mapping[str, str]) -> TurnCard:
    """Prepares a turn for the conversation page.

    Args:
        turn: the turn.
        corrections: the corrections that hold.
        labels: button labels by value.

    Returns:
        What the page shows of it.
    """
    return TurnCard(
        id=turn.id,
        at=turn.at,
        text=spoken_text(turn, labels),
        kind=turn.kind,
        trace=read_trace(turn.document),
        replies=turn.replies,
        corrections={correction.field: correction for correction in corrections},
        feedback=turn.feedback,
        has_media=bool(turn.media),
    )


def calls(waiting: Sequence[Escalation], held: Sequence[Escalation], agent: str) -> int:
    """How many conversations call for an agent: those that wait, and their own where the customer has no answer."""
    return len(waiting) + sum(escalation.agent == agent and escalation.unanswered for escalation in held)


def queue_row(escalation: Escalation, last: TurnView | None, now: datetime, sla: ServiceLevel) -> QueueRow:
    """Prepares an escalation for the queue.

    Args:
        escalation: who asks for a human.
        last: the conversation's last turn, if any.
        now: the present moment.
        sla: how soon customers are to be helped.

    Returns:
        Its line.
    """
    return QueueRow(
        conversation=escalation.conversation,
        name=escalation.customer or escalation.conversation,
        channel=_channel(escalation.conversation),
        lang=escalation.lang,
        status=escalation.status,
        since=escalation.opened_at,
        waited=max(now - escalation.opened_at, timedelta()),
        reason=escalation.reason,
        emotion=_believed_emotion(last),
        last_text=_last_words(last) or escalation.last_text,
        holder=escalation.agent,
        priority=escalation.priority.name.lower(),
        stars=escalation.stars,
        overdue=is_overdue(escalation, sla, now),
    )


def conversation_row(summary: ConversationSummary, last: TurnView | None, now: datetime) -> QueueRow:
    """Prepares a conversation for the list of all.

    Args:
        summary: its head.
        last: its last turn, if any.
        now: the present moment.

    Returns:
        Its line.
    """
    return QueueRow(
        conversation=summary.id,
        name=summary.customer or summary.id,
        channel=_channel(summary.id),
        lang=summary.lang,
        status=summary.status.value,
        since=summary.updated_at,
        waited=max(now - summary.updated_at, timedelta()),
        reason="",
        emotion=_believed_emotion(last),
        last_text=_last_words(last),
        holder="",
    )


def _channel(conversation: str) -> str:
    head, colon, _ = conversation.partition(":")
    return head if colon else "api"


def _last_words(last: TurnView | None) -> str:
    return spoken_text(last, {}) if last else ""


def _believed_emotion(last: TurnView | None) -> str:
    if last is None:
        return ""
    if "emotion" in last.corrections:
        return last.corrections["emotion"]
    believed = _mapping(last.document.get("decision")).get("emotion")
    if isinstance(believed, str):
        return believed
    emotions = read_trace(last.document).emotions
    return emotions[0].label if emotions else ""


def _guesses(value: Any) -> tuple[Guess, ...]:
    head = _mapping(value)
    if not head.get("label"):
        return ()
    best = Guess(str(head["label"]), _number(head.get("confidence")))
    others = (
        Guess(str(entry.get("label", "?")), _number(entry.get("confidence"))) for entry in _mappings(head.get("top"))
    )
    return (best, *(guess for guess in others if guess.label != best.label))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    return [entry for entry in value if isinstance(entry, Mapping)]


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
