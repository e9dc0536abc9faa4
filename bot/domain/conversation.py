"""The state of a live conversation."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Who holds the conversation."""

    BOT = "bot"
    WAITING = "waiting"
    AGENT = "agent"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class FormState:
    """A form that is being filled.

    Attributes:
        form: the form's name.
        slots: what is known, by slot.
        asking: the slot that was asked for last, or `confirm`.
        attempts: how often it was asked for without a valid answer.
        intent: the intent that started the form.
    """

    form: str
    slots: dict[str, str] = field(default_factory=dict)
    asking: str = ""
    attempts: int = 0
    intent: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What the bot remembers between two messages.

    Attributes:
        id: the conversation's id.
        status: who holds it.
        lang: the language of the last reply, empty before the first.
        form: the form being filled, if any.
        moods: the believed emotions of the last turns, oldest first, at most six.
        misses: how many turns in a row the bot did not know an answer.
        asked_back: how many clarifying questions in a row led to no answer.
        last_intent: the intent acted upon last.
        turns: how many turns there have been.
        options: button values of the clarifying question asked last, empty once it is settled.
        noted: entity type to the value named last, for types that a form confirms before use.
        asked: the customer's last question that was answered or asked back about, empty for none.
        told: ids of the FAQ entries that answered it or were nearest to it.
        blocked: True where an agent wants the customer to get no answers.
        vip: True where an agent wants the customer to be seen to before others.
        announced: keys of the announcements that the customer was told.
        answered: the number of the message answered last, empty where it cannot be edited.
        earlier: the state that it was answered from, as JSON values.
    """

    id: str
    status: Status = Status.BOT
    lang: str = ""
    form: FormState | None = None
    moods: tuple[str, ...] = ()
    misses: int = 0
    asked_back: int = 0
    last_intent: str = ""
    turns: int = 0
    options: tuple[str, ...] = ()
    noted: dict[str, str] = field(default_factory=dict)
    asked: str = ""
    told: tuple[str, ...] = ()
    blocked: bool = False
    vip: bool = False
    announced: tuple[str, ...] = ()
    answered: str = ""
    earlier: dict[str, Any] = field(default_factory=dict)

    @property
    def is_group(self) -> bool:
        """True where several people write: the chat ids of Telegram's groups are negative."""
        return self.id.startswith("telegram:-")

    def afresh(self) -> Conversation:
        """What outlasts a long pause or an agent's help: who the customer is and what was announced."""
        return Conversation(
            self.id,
            status=self.status,
            lang=self.lang,
            turns=self.turns,
            blocked=self.blocked,
            vip=self.vip,
            announced=self.announced,
        )

    def to_json(self) -> dict[str, Any]:
        """The state as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Conversation:
        """Rebuilds a state from `to_json`'s values; unknown keys of another version are left out."""
        known = {k: v for k, v in data.items() if k in cls.__dataclass_fields__}
        form = known.get("form")
        known["form"] = FormState(**form) if form else None
        known["status"] = Status(known.get("status", "bot"))
        known["moods"] = tuple(known.get("moods", ()))
        for name in ("options", "told", "announced"):
            known[name] = tuple(known.get(name, ()))
        return cls(**known)
