"""Reads `templates.yaml`."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bot.bot_files.yaml_values import Value, guess, one_of
from bot.dialogue.button_values import VALUE_BYTES
from bot.dialogue.templates import (
    ACTIONS,
    DEFAULT,
    NAME,
    OPTIONAL_TEMPLATES,
    SYSTEM_TEMPLATES,
    Phrasing,
    Template,
    parse_phrasing,
)
from bot.domain.messages import Button
from bot.domain.rules import BotRules
from bot.errors import InputError

BUTTONS = "buttons"
"""The key of quick replies that all phrasings of a language share."""

TEXT_LIMIT = 2000
"""Characters that a phrasing may have."""


def allowed_slots(rules: BotRules) -> dict[str, frozenset[str]]:
    """Every template that the bot uses, with the placeholders that have a value wherever it is used."""
    uses: list[tuple[str, frozenset[str]]] = [*SYSTEM_TEMPLATES.items(), *OPTIONAL_TEMPLATES.items()]
    nothing: frozenset[str] = frozenset()
    uses += [(alert.template, nothing) for alert in rules.escalation.alerts]
    uses += [(action, nothing) for action in rules.commands.values() if action not in ACTIONS]
    for rule in rules.intents.values():
        form = rules.forms.get(rule.form)
        uses.append((rule.template, frozenset(s.name for s in form.slots) if form and not form.done else nothing))
        uses.append((rule.start, nothing))
        action = rules.actions.get(rule.action)
        shown = frozenset(s.name for s in form.slots) | frozenset(action.shown) if form and action else nothing
        uses += [(template, shown) for template in action.say.values()] if action else []
    for form in rules.forms.values():
        names = [slot.name for slot in form.slots]
        uses += [(form.confirm, frozenset(names)), (form.done, frozenset(names))]
        for number, slot in enumerate(form.slots):
            uses += [(key, frozenset(names[:number])) for key in (slot.prompt, slot.invalid)]
    allowed: dict[str, frozenset[str]] = {}
    for key, slots in uses:
        allowed[key] = allowed.get(key, slots) & slots
    return {key: slots for key, slots in allowed.items() if key}


def read_templates(top: Value, rules: BotRules) -> dict[str, Template]:
    """Reads every template.

    Args:
        top: the file's top.
        rules: the bot's rules, which say what templates are used and with what placeholders.

    Returns:
        Templates by key.
    """
    allowed = allowed_slots(rules)
    entries = top.entries()
    for key in SYSTEM_TEMPLATES:
        if key not in entries:
            top.complain(f'the key "{key}" is missing; the bot says it by itself, so write at least one phrasing')
    if "rate" in entries and "rated" not in entries:
        entries["rate"].complain('asks for a rating, and "rated", which thanks for it, is missing; add it')
    for key, value in entries.items():
        if key not in allowed:
            value.complain(
                f"no intent, form, command or system message uses this key{guess(key, allowed)}; take it out"
            )
    return {key: _template(key, value, rules, allowed.get(key)) for key, value in entries.items()}


def _template(key: str, value: Value, rules: BotRules, slots: frozenset[str] | None) -> Template:
    languages = value.fields(required=rules.languages)
    reader = _Reader(rules, slots)
    return Template(key, {language: reader.language(field) for language, field in languages.items()})


class _Reader:
    def __init__(self, rules: BotRules, slots: frozenset[str] | None) -> None:
        self._rules = rules
        self._slots = slots

    def language(self, value: Value) -> dict[str, tuple[Phrasing, ...]]:
        if not value.is_mapping:
            return {DEFAULT: self.phrasings(value, ())}
        fields = value.fields((DEFAULT,), (*self._rules.emotions, BUTTONS))
        shared = self.buttons(fields[BUTTONS])
        moods = {mood: field for mood, field in fields.items() if mood != BUTTONS and field.node is not None}
        return {mood: self.phrasings(field, shared) for mood, field in moods.items()}

    def phrasings(self, value: Value, shared: Collection[Button]) -> tuple[Phrasing, ...]:
        items = value.items()
        if not items and value.is_list:
            value.complain("write at least one phrasing")
        return tuple(self.phrasing(item, tuple(shared)) for item in items)

    def phrasing(self, value: Value, shared: tuple[Button, ...]) -> Phrasing:
        if not value.is_mapping:
            return self.parsed(value, shared)
        fields = value.fields(("text",), (BUTTONS,))
        own = self.buttons(fields[BUTTONS])
        return self.parsed(fields["text"], own if fields[BUTTONS].node is not None else shared)

    def parsed(self, value: Value, buttons: tuple[Button, ...]) -> Phrasing:
        text = value.text()
        if len(text) > TEXT_LIMIT:
            value.complain(f"the text has {len(text)} characters; at most {TEXT_LIMIT} are allowed")
        try:
            phrasing = parse_phrasing(text, buttons)
        except InputError as error:
            value.complain(str(error))
            return Phrasing((text,), buttons)
        allowed = sorted({NAME} | (self._slots or frozenset()))
        unknown = sorted(phrasing.slots - set(allowed)) if self._slots is not None else []
        for slot in unknown:
            value.complain(f"{{{slot}}} has no value here; expected {one_of(allowed)}{guess(slot, allowed)}")
        return phrasing

    def buttons(self, value: Value) -> tuple[Button, ...]:
        return tuple(self.button(item) for item in value.items())

    def button(self, value: Value) -> Button:
        fields = value.fields(("label", "value"))
        label, target = fields["label"].text(), fields["value"].text()
        if fields["value"].node is not None and (complaint := _button_problem(target, self._rules.intents)):
            fields["value"].complain(complaint)
        if len(label) > VALUE_BYTES:
            fields["label"].complain(f"the label has {len(label)} characters; at most {VALUE_BYTES} fit on a button")
        return Button(label, target)


def _button_problem(target: str, intents: Mapping[str, object]) -> str:
    verb, colon, rest = target.partition(":")
    size = len(target.encode())
    if size > VALUE_BYTES:
        return f"the value has {size} bytes; at most {VALUE_BYTES} are allowed"
    if not colon or verb not in ("intent", "faq", "say", "human", "erase", "yes", "no"):
        return (
            f'"{target}" is no button value; expected intent:<name>, faq:<id>, say:<text>, human:, erase:, yes: or no:'
        )
    if verb in ("human", "erase", "yes", "no"):
        return f'nothing may follow "{verb}:"' if rest else ""
    if not rest:
        return f'something has to follow "{verb}:"'
    if verb == "intent" and rest not in intents:
        return f'"{rest}" is not an intent of bot.yaml{guess(rest, list(intents))}'
    return ""
