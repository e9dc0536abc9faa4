"""From a decision to what the customer reads and what is remembered; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from bot.dialogue import forms
from bot.dialogue.button_values import short_value
from bot.dialogue.marks import mark_of_form, mark_of_options, marked
from bot.dialogue.templates import TemplateBook, shorten
from bot.domain.conversation import Conversation, FormState, Status
from bot.domain.decisions import Decision, DecisionKind
from bot.domain.messages import Button, Reply
from bot.domain.rules import BotRules, Priority, SlotType
from nlu.types import Understanding
from retrieval.types import FaqEntry

MOODS_KEPT = 6
"""How many turns' emotions are remembered."""

_Text = TypeVar("_Text")

MORE = {"en": "Read all", "zh": "查看全文"}
"""What the button says that shows the whole of a long answer, by language."""

_GAP = "…"

LANGUAGE_NAMES = {"en": "English", "zh": "中文"}
"""What the button says that chooses a language, in that language."""

LABEL_LIMIT = 60
"""Characters that a button shows."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What comes of a decision.

    Attributes:
        replies: what goes out, in order; none for a silent decision.
        form: the form as it stands now, None where none is being filled.
        escalate: why a human has to act, None where none has to.
    """

    replies: tuple[Reply, ...]
    form: FormState | None
    escalate: str | None


def fill(
    decision: Decision,
    conversation: Conversation,
    rules: BotRules,
    book: TemplateBook,
    entries: Mapping[str, FaqEntry],
) -> Filled:
    """Puts a decision into words.

    Args:
        decision: what was decided.
        conversation: the state before the message; its number of turns picks the phrasings.
        rules: the bot's rules.
        book: its templates.
        entries: FAQ entries by id.

    Returns:
        The replies, the form and why a human has to act.
    """
    composers = [_Composer(each, conversation.turns, rules, book, entries) for each in (decision, *decision.also)]
    replies = tuple(reply for composer in composers for reply in composer.replies())
    if replies and book.has(decision.notice):
        notice = book.render(decision.notice, decision.lang, decision.emotion, {}, conversation.turns)
        replies = (notice, *replies)
    return Filled(replies, decision.form_state, decision.escalate or None)


def next_state(
    conversation: Conversation, understanding: Understanding, decision: Decision, rules: BotRules
) -> Conversation:
    """The conversation's state after a message was answered.

    Args:
        conversation: the state before it.
        understanding: the model's reading of it.
        decision: what was decided.
        rules: the bot's rules.

    Returns:
        The new state. A closed conversation is the bot's again, one that an agent holds stays the agent's; after a
        handover moods and misses count anew.
    """
    if decision.kind is DecisionKind.SILENT:
        return replace(conversation, turns=conversation.turns + 1)
    escalated = bool(decision.escalate)
    status = conversation.status
    if status is not Status.AGENT:
        status = Status.WAITING if escalated else Status.BOT if status is Status.CLOSED else status
    answered = decision.kind in (DecisionKind.FAQ, DecisionKind.FORM, DecisionKind.SMALLTALK) or decision.intent
    misses = conversation.misses + 1 if decision.miss else 0 if answered else conversation.misses
    asked = decision.kind is DecisionKind.CLARIFY and not decision.miss
    return replace(
        conversation,
        status=status,
        lang=decision.lang or conversation.lang,
        form=decision.form_state,
        moods=() if escalated else (*conversation.moods, decision.emotion)[-MOODS_KEPT:],
        misses=0 if escalated else misses,
        asked_back=0 if escalated or answered else conversation.asked_back + asked,
        last_intent=decision.intent or conversation.last_intent,
        turns=conversation.turns + 1,
        options=decision.options,
        asked=decision.asked,
        told=tuple(dict.fromkeys(entry for entry in (decision.faq, decision.near) if entry and decision.asked)),
        noted={**conversation.noted, **_noted(understanding, rules)},
    )


def _noted(understanding: Understanding, rules: BotRules) -> dict[str, str]:
    slots = [slot for spec in rules.forms.values() for slot in spec.slots if slot.type is SlotType.ORDER_NUMBER]
    named = {slot.entity: forms.find_values(slot, understanding.text, understanding.entities) for slot in slots}
    return {entity: values[-1] for entity, values in named.items() if entity and values}


@dataclass(frozen=True, slots=True)
class _Composer:
    decision: Decision
    variant: int
    rules: BotRules
    book: TemplateBook
    entries: Mapping[str, FaqEntry]

    def replies(self) -> tuple[Reply, ...]:
        if self.decision.kind is DecisionKind.SILENT:
            return ()
        main = self._faq() if self.decision.kind is DecisionKind.FAQ else self._with_wait(self._spoken())
        main = replace(main, judged=self._answers, attachment=self.decision.personal.replace("erase", ""))
        state = self.decision.form_state
        if state is not None and self.decision.kind is DecisionKind.FORM:
            return (marked(main, mark_of_form(state)),)
        main = marked(main, mark_of_options(self.decision.options))
        return (main,) if state is None else (main, marked(self._question(state), mark_of_form(state)))

    @property
    def _answers(self) -> bool:
        """Whether the decision answers a question, so that the customer can say whether that helped."""
        kind = self.decision.kind
        return kind is DecisionKind.FAQ or (kind is DecisionKind.TEMPLATE and bool(self.decision.intent))

    def _render(self, key: str, slots: Mapping[str, str]) -> Reply:
        return self.book.render(key, self.decision.lang, self.decision.emotion, self._shown(slots), self.variant)

    def _shown(self, slots: Mapping[str, str]) -> dict[str, str]:
        """Slots as the customer reads them: a choice by its own words, not by its stored value."""
        state = self.decision.form_state
        spec = self.rules.forms.get(self.decision.form or (state.form if state else ""))
        chosen = [(slot.name, choice) for slot in (spec.slots if spec else ()) for choice in slot.choices]
        words = {name: self._in_language(c.words)[0] for name, c in chosen if slots.get(name) == c.value}
        return {**slots, **words}

    def _faq(self) -> Reply:
        entry = self.entries.get(self.decision.faq)
        if entry is None:
            return self._render("fallback", {})
        buttons = self._related()
        reply = Reply(entry.answer, entry.lang, buttons)
        if self.decision.excerpt:
            more = Button(MORE.get(entry.lang, _GAP), short_value(f"more:{entry.id}"))
            reply = Reply(self.decision.excerpt, entry.lang, (more, *buttons))
        moody = self.decision.emotion in self.rules.escalation.bad_moods and entry.lang == self.decision.lang
        return self._led("sympathy", reply) if moody and self.book.has("sympathy") else reply

    def _related(self) -> tuple[Button, ...]:
        related = (self._option(f"faq:{other}") for other in self.decision.related)
        return tuple(button for button in related if button)

    def _with_wait(self, reply: Reply) -> Reply:
        """A handover with when people are there again or, where they are, how long one usually waits."""
        decision = self.decision
        key, slots = "expected_wait", {"minutes": str(decision.wait)}
        if decision.opens:
            key, slots = "closed_now", {"opens": decision.opens}
        expected = (decision.opens or decision.wait) and decision.kind in (DecisionKind.HANDOVER, DecisionKind.FORM)
        if not expected or decision.priority is Priority.URGENT or not self.book.has(key):
            return reply
        return replace(reply, text=f"{reply.text}\n{self._render(key, slots).text}")

    def _spoken(self) -> Reply:
        decision = self.decision
        offered = tuple(button for value in decision.options if (button := self._option(value)))
        template, slots = decision.template, decision.slots
        if template == "clarify_again" and not self.book.has(template):
            template = "clarify"
        if (template in ("clarify", "clarify_one") and not offered) or not self.book.has(template):
            template = "fallback"
        if template == "clarify_one":
            slots, offered = {"option": offered[0].label}, ()
        reply = self._render(template, slots)
        state = decision.form_state if decision.kind is DecisionKind.FORM else None
        own = {button.value for button in reply.buttons}
        offered = tuple(button for button in offered if button.value not in own)
        reply = replace(reply, buttons=(*offered, *self._choices(state), *reply.buttons, *self._related()))
        return self._led(decision.lead, reply)

    def _question(self, state: FormState) -> Reply:
        reply = self._render(forms.question(self.rules.forms[state.form], state), state.slots)
        return self._led("form_resume", replace(reply, buttons=(*self._choices(state), *reply.buttons)))

    def _led(self, lead: str, reply: Reply) -> Reply:
        if not lead:
            return reply
        first = self._render(lead, self.decision.slots)
        return replace(reply, text=f"{first.text}\n{reply.text}", buttons=(*reply.buttons, *first.buttons))

    def _choices(self, state: FormState | None) -> tuple[Button, ...]:
        slot = self.rules.forms[state.form].slot(state.asking) if state else None
        words = [self._in_language(choice.words)[0] for choice in slot.choices] if slot else []
        return tuple(Button(word, f"say:{word}") for word in words)

    def _option(self, value: str) -> Button | None:
        verb, _, name = value.partition(":")
        if verb == "intent" and name in self.rules.intents:
            return Button(shorten(self._in_language(self.rules.intents[name].titles), LABEL_LIMIT), value)
        if verb == "human" and self.rules.roles.human:
            return Button(
                shorten(self._in_language(self.rules.intents[self.rules.roles.human].titles), LABEL_LIMIT), value
            )
        if verb == "lang":
            return Button(LANGUAGE_NAMES.get(name, name), value)
        if verb == "faq" and name in self.entries:
            return Button(shorten(self.entries[name].question, LABEL_LIMIT), short_value(value))
        return None

    def _in_language(self, texts: Mapping[str, _Text]) -> _Text:
        return texts[self.decision.lang] if self.decision.lang in texts else texts[self.rules.default_language]
