"""How a bot behaves: what its operator wrote in `bot.yaml` and `forms.yaml`, checked and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import IntEnum, StrEnum

from bot.domain.private_numbers import PrivateKind

CONFIRM = "confirm"
"""What a form asks for once every slot is known; no slot may have this name."""


class Route(StrEnum):
    """What an accepted intent leads to."""

    TEMPLATE = "template"
    FORM = "form"
    HANDOVER = "handover"
    SMALLTALK = "smalltalk"
    FAQ = "faq"


class Priority(IntEnum):
    """How soon a human has to act."""

    NORMAL = 0
    HIGH = 1
    URGENT = 2


class SlotType(StrEnum):
    """What a form's slot takes."""

    ORDER_NUMBER = "order_number"
    TEXT = "text"
    CHOICE = "choice"
    PHONE = "phone"
    EMAIL = "email"
    DATE = "date"
    AMOUNT = "amount"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers that a choice slot takes.

    Attributes:
        value: what is stored.
        words: language to the ways to say it; the first is what a button shows.
    """

    value: str
    words: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Slot:
    """One thing a form asks for.

    Attributes:
        name: its name, also the placeholder in templates.
        type: what it takes.
        prompt: template that asks for it.
        invalid: template that asks again after a wrong answer.
        entity: entity type that fills it, empty for none.
        prefix: letters before an order number's digits.
        digits: how many digits an order number has.
        pattern: regular expression that a whole text must match, empty for any text.
        max_length: characters that a text may have.
        choices: what a choice takes.
    """

    name: str
    type: SlotType
    prompt: str
    invalid: str
    entity: str = ""
    prefix: str = ""
    digits: int = 8
    pattern: str = ""
    max_length: int = 300
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class FormSpec:
    """A form.

    Attributes:
        name: its name.
        slots: what it asks for, in order; never empty.
        confirm: template that asks whether everything is right, empty where nothing is confirmed.
        done: template at the end; empty for the template of the intent that started the form.
        attempts: wrong answers to one question before a human takes over.
    """

    name: str
    slots: tuple[Slot, ...]
    confirm: str = ""
    done: str = ""
    attempts: int = 3

    def slot(self, name: str) -> Slot | None:
        """The slot of that name, or None."""
        return next((slot for slot in self.slots if slot.name == name), None)


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """A call of the company's own API once a form is filled.

    Attributes:
        name: its name.
        method: `GET`, `POST`, `PUT` or `DELETE`.
        path: below the API's address, with slots in braces.
        field: the field of the answer that tells what to say.
        say: value of that field to the template.
        shown: fields of the answer that these templates may use.
        seconds: how long a customer waits for it.
    """

    name: str
    method: str
    path: str
    field: str
    say: Mapping[str, str]
    shown: tuple[str, ...] = ()
    seconds: int = 4


@dataclass(frozen=True, slots=True)
class IntentRule:
    """What one intent leads to.

    Attributes:
        name: the intent.
        route: what it leads to.
        titles: language to what a button for it says.
        template: its template; at the end of a form, the form's last words.
        form: the form it starts, where the route is a form.
        start: template said before a form's first question, empty for none.
        escalate: True where a human has to act once the form is filled.
        action: the action that is run then, empty for none; a human acts where it gives no answer.
    """

    name: str
    route: Route
    titles: Mapping[str, str]
    template: str
    form: str = ""
    start: str = ""
    escalate: bool = False
    action: str = ""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """Words that call for a human whatever else the message says.

    Attributes:
        name: what it is about.
        phrases: the words, of all languages together.
        template: what the bot says, as it stands.
        priority: how soon a human has to act.
    """

    name: str
    phrases: tuple[str, ...]
    template: str
    priority: Priority = Priority.HIGH


class Assignment(StrEnum):
    """Who gets a conversation that asks for a human."""

    MANUAL = "manual"
    ROUND_ROBIN = "round-robin"
    LEAST_BUSY = "least-busy"


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """How soon customers are to be helped, counted from the wish for a human.

    Attributes:
        first_reply_minutes: until an agent's first words.
        resolution_minutes: until the conversation is closed or handed back.
    """

    first_reply_minutes: int = 5
    resolution_minutes: int = 60


@dataclass(frozen=True, slots=True)
class DeskRules:
    """Who gets a conversation that asks for a human, and how long it may lie.

    Attributes:
        assignment: who gets it; with `manual`, whoever takes it.
        limit: how many conversations an agent is given at once.
        untaken: minutes until one that nobody took becomes more urgent; 0 for never.
        unanswered: minutes until one whose agent does not answer goes back to the queue; 0 for never.
        idle: minutes without a word until one that an agent holds goes back to the bot; 0 for never.
        vip: conversations of customers who are always important.
        sla: how soon customers are to be helped.
    """

    assignment: Assignment = Assignment.MANUAL
    limit: int = 5
    untaken: int = 10
    unanswered: int = 15
    idle: int = 240
    vip: frozenset[str] = frozenset()
    sla: ServiceLevel = field(default_factory=ServiceLevel)


@dataclass(frozen=True, slots=True)
class EscalationRules:
    """When a human takes over without being asked for.

    Attributes:
        strong_emotions: emotions of which one strong showing is enough.
        repeated_emotions: emotions that count when they come again.
        times: how many showings of them are enough,
        within: among this many turns.
        misses: turns in a row without an answer that are enough; of clarifying questions one more, the last of which
            offers a person.
        alerts: words that call for a human, the gravest first.
        desk: who gets a conversation, and how long it may lie.
    """

    strong_emotions: frozenset[str] = frozenset()
    repeated_emotions: frozenset[str] = frozenset()
    times: int = 2
    within: int = 3
    misses: int = 2
    alerts: tuple[AlertRule, ...] = ()
    desk: DeskRules = field(default_factory=DeskRules)

    @property
    def bad_moods(self) -> frozenset[str]:
        """The emotions that call for care."""
        return self.strong_emotions | self.repeated_emotions


@dataclass(frozen=True, slots=True)
class Hours:
    """When people are there.

    Attributes:
        timezone: an IANA name such as `Europe/Berlin`.
        week: day of the week, 0 for Monday, to opening and closing; a day that is missing is closed.
        holidays: days on which nobody is there.
    """

    timezone: str
    week: Mapping[int, tuple[time, time]]
    holidays: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Announcement:
    """What every customer is told once while it holds.

    Attributes:
        begins: from when on.
        ends: until when.
        texts: language to what is said.
    """

    begins: datetime
    ends: datetime
    texts: Mapping[str, str]

    @property
    def key(self) -> str:
        """What tells it from others; one whose words change is news again."""
        return f"{self.begins.isoformat()} {next(iter(self.texts.values()))}"


@dataclass(frozen=True, slots=True)
class Roles:
    """Intents that the policy itself has to know; empty where the bot has none such.

    Attributes:
        human: asks for a person.
        affirm: says yes.
        deny: says no.
        order: what a link to an order leads to.
    """

    human: str = ""
    affirm: str = ""
    deny: str = ""
    order: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """Whole messages that are understood without a model, case-folded, of all languages together.

    Attributes:
        yes: they agree.
        no: they disagree.
        cancel: they end a form.
        human: they ask for a person.
    """

    yes: frozenset[str] = frozenset()
    no: frozenset[str] = frozenset()
    cancel: frozenset[str] = frozenset()
    human: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BotRules:
    """Everything the policy needs to know about one bot.

    Attributes:
        names: language to the bot's name.
        languages: the languages it speaks.
        default_language: the one it speaks until it knows better.
        intents: intent to its rule.
        forms: form to its definition.
        actions: action to its definition.
        emotions: the emotions that templates and escalation rules may name.
        protected: head to labels that no new release may read worse.
        escalation: when a human takes over.
        commands: command such as `/help` to `human`, `cancel` or a template.
        roles: intents with a meaning of their own.
        words: whole messages with a meaning of their own.
        max_characters: longer messages are not read.
        related: how many related questions are offered under an answer.
        hours: when people are there; None for always.
        announcements: what every customer is told once while it holds.
        messages_a_minute: how many messages of a customer are answered within a minute; the rest get no answer.
        unwanted: words that the bot and its agents never say, and that customers are asked not to say.
        hidden_numbers: which numbers are hidden in what customers and agents write.
    """

    names: Mapping[str, str]
    languages: tuple[str, ...]
    default_language: str
    intents: Mapping[str, IntentRule]
    forms: Mapping[str, FormSpec] = field(default_factory=dict)
    actions: Mapping[str, ActionSpec] = field(default_factory=dict)
    emotions: tuple[str, ...] = ()
    protected: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    escalation: EscalationRules = field(default_factory=EscalationRules)
    commands: Mapping[str, str] = field(default_factory=dict)
    roles: Roles = field(default_factory=Roles)
    words: Words = field(default_factory=Words)
    max_characters: int = 4000
    related: int = 2
    hours: Hours | None = None
    announcements: tuple[Announcement, ...] = ()
    messages_a_minute: int = 30
    unwanted: tuple[str, ...] = ()
    hidden_numbers: frozenset[PrivateKind] = frozenset(PrivateKind)
