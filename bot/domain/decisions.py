"""What the policy can decide."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.conversation import FormState
from bot.domain.rules import Priority


class DecisionKind(StrEnum):
    """The ways to answer."""

    TEMPLATE = "template"
    FAQ = "faq"
    FORM = "form"
    CLARIFY = "clarify"
    HANDOVER = "handover"
    SMALLTALK = "smalltalk"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Decision:
    """How to answer one message, and why.

    Attributes:
        kind: the way to answer.
        reason: one short sentence for the trace, in English.
        intent: the intent acted upon, if any.
        emotion: the believed emotion, if any.
        template: the template to render, where one is rendered.
        options: button values (`intent:<name>`, `faq:<id>`) that a clarifying question offers, the best first.
        faq: the id of the FAQ entry that answers, if any.
        form: the form to start or go on with, if any.
        miss: True where the bot did not know an answer.
        lang: the language to answer in.
        lead: a template rendered before `template` in the same message, if any.
        slots: what the templates may insert.
        form_state: the form as it stands after this message, None where none is being filled.
        escalate: why a human has to act, empty where none has to.
        priority: how soon.
        action: the action to run before the answer is put into words, empty for none.
        wait: minutes until an agent usually answers, 0 where that is not known.
        opens: when people are there again, in words; empty where they are there or it is not known.
        rating: the escalation that the customer rates and the stars given, or None.
        personal: what happens to the customer's data: `export`, `erase`, or empty for nothing.
        also: how the message's other questions are answered, in their order.
        whole: True where the customer asked for all of a long FAQ answer.
        excerpt: what of a long FAQ answer is said first; empty where it is said whole.
        asked: the question as it will be remembered for what follows, empty for none.
        near: the FAQ entry nearest to the message, whether it answers or not; empty for none.
        related: FAQ entries whose questions are offered under an answer.
        rewriting: what came of asking for a rewording of the answer, empty where none was asked for.
        notice: a template said before everything else, where the bot has it; empty for none.
    """

    kind: DecisionKind
    reason: str
    intent: str = ""
    emotion: str = ""
    template: str = ""
    options: tuple[str, ...] = ()
    faq: str = ""
    form: str = ""
    miss: bool = False
    lang: str = ""
    lead: str = ""
    slots: dict[str, str] = field(default_factory=dict)
    form_state: FormState | None = None
    escalate: str = ""
    priority: Priority = Priority.NORMAL
    action: str = ""
    wait: int = 0
    opens: str = ""
    rating: tuple[int, int] | None = None
    personal: str = ""
    also: tuple[Decision, ...] = ()
    whole: bool = False
    excerpt: str = ""
    asked: str = ""
    near: str = ""
    related: tuple[str, ...] = ()
    rewriting: str = ""
    notice: str = ""
