"""Reads `bot.yaml`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bot.bot_files.announcements_value import read_announcements
from bot.bot_files.desk_value import DESK_KEYS, read_desk
from bot.bot_files.hours_value import read_hours
from bot.bot_files.yaml_values import Value, guess, one_of
from bot.dialogue.button_values import VALUE_BYTES
from bot.dialogue.forms import plain
from bot.dialogue.templates import ACTIONS
from bot.domain.private_numbers import PrivateKind
from bot.domain.rules import (
    ActionSpec,
    AlertRule,
    BotRules,
    EscalationRules,
    FormSpec,
    IntentRule,
    Priority,
    Roles,
    Route,
    Words,
)

_REQUIRED = ("name", "languages", "default_language", "intents")
_OPTIONAL = (
    "emotions",
    "protected",
    "escalation",
    "commands",
    "roles",
    "words",
    "max_characters",
    "related",
    "messages_a_minute",
    "hours",
    "hidden_numbers",
    "unwanted",
    "announcements",
)


@dataclass(frozen=True, slots=True)
class Basics:
    """What the other files are checked against.

    Attributes:
        languages: the languages of the bot.
        emotions: the emotions it knows.
        fields: the top of `bot.yaml`.
    """

    languages: tuple[str, ...]
    emotions: tuple[str, ...]
    fields: Mapping[str, Value]


def read_basics(top: Value) -> Basics:
    """Reads the languages and emotions, which everything else depends on."""
    fields = top.fields(_REQUIRED, _OPTIONAL) if top.node is not None else {}
    languages: list[str] = []
    if fields:
        for item in fields["languages"].items():
            code = item.text()
            if not re.fullmatch(r"[a-z]{2,3}", code):
                item.complain(f'"{code}" is no language code; use two or three lower-case letters such as en or zh')
            languages.append(code)
        if not languages and fields["languages"].node is not None:
            fields["languages"].complain("name at least one language, such as [en, zh]")
    emotions = tuple(item.name() for item in fields["emotions"].items()) if fields else ()
    return Basics(tuple(dict.fromkeys(languages)), emotions, fields)


def read_rules(
    basics: Basics, forms: Mapping[str, FormSpec], templates: Collection[str], actions: Mapping[str, ActionSpec]
) -> BotRules:
    """Reads the rest of `bot.yaml`.

    Args:
        basics: languages, emotions and the file's top.
        forms: the forms of `forms.yaml`.
        templates: the keys of `templates.yaml`.
        actions: the actions of `actions.yaml`.

    Returns:
        The rules; harmless ones where the file has mistakes.
    """
    fields = basics.fields
    intents = {
        name: _intent(name, value, basics, forms, templates, actions)
        for name, value in fields["intents"].entries().items()
    }
    if not intents and fields["intents"].node is not None:
        fields["intents"].complain("name at least one intent with its route")
    hours = read_hours(fields["hours"])
    return BotRules(
        names=read_texts(fields["name"], basics.languages),
        languages=basics.languages,
        default_language=fields["default_language"].member(basics.languages, "one of the languages", "en"),
        intents=intents,
        forms=forms,
        actions=actions,
        emotions=basics.emotions,
        protected=_protected(fields["protected"], intents, basics.emotions),
        escalation=_escalation(fields["escalation"], basics, templates),
        commands=_commands(fields["commands"], templates),
        roles=_roles(fields["roles"], intents),
        words=_words(fields["words"], basics.languages),
        max_characters=fields["max_characters"].number(4000, 50, 100_000),
        related=fields["related"].number(2, 0, 5),
        hours=hours,
        announcements=read_announcements(fields["announcements"], basics.languages, hours),
        messages_a_minute=fields["messages_a_minute"].number(30, 1, 10_000),
        unwanted=_unwanted(fields["unwanted"], basics.languages, templates),
        hidden_numbers=_hidden_numbers(fields["hidden_numbers"]),
    )


def read_texts(value: Value, languages: Collection[str]) -> dict[str, str]:
    """One text for each language."""
    fields = value.fields(required=languages)
    return {language: field.text() for language, field in fields.items()}


def _intent(
    name: str,
    value: Value,
    basics: Basics,
    forms: Mapping[str, FormSpec],
    templates: Collection[str],
    actions: Mapping[str, ActionSpec],
) -> IntentRule:
    if not re.fullmatch(r"[^\s:]+", name) or len(f"intent:{name}".encode()) > VALUE_BYTES:
        value.complain(f"the name has blanks or colons or is too long for a button ({VALUE_BYTES} bytes); shorten it")
    fields = value.fields(("route", "title"), ("form", "then", "start", "template", "action"))
    route = Route(fields["route"].member([r.value for r in Route], "a route", Route.TEMPLATE.value))
    form = fields["form"].member(forms, "a form of forms.yaml")
    if route is Route.FORM and fields["form"].node is None:
        value.complain(f'the route "form" needs the key "form"; expected {one_of(forms)}')
    for key in ("form", "then", "start", "action"):
        if route is not Route.FORM and fields[key].node is not None:
            fields[key].complain('only the route "form" uses this key; take it out or change the route')
    fields["then"].member(["handover"], "something that can follow a form")
    if fields["template"].node is None and name not in templates:
        value.complain(f'templates.yaml has no "{name}"; add it there{guess(name, templates)}')
    return IntentRule(
        name=name,
        route=route,
        titles=read_texts(fields["title"], basics.languages),
        template=fields["template"].member(templates, "a key of templates.yaml", name),
        form=form,
        start=fields["start"].member(templates, "a key of templates.yaml"),
        escalate=fields["then"].node is not None,
        action=_action(fields["action"], forms.get(form), actions),
    )


def _action(value: Value, form: FormSpec | None, actions: Mapping[str, ActionSpec]) -> str:
    name = value.member(actions, "an action of actions.yaml")
    known = {slot.name for slot in form.slots} if form else set()
    unknown = sorted(set(re.findall(r"\{(\w+)\}", actions[name].path)) - known) if name else []
    if unknown:
        value.complain(f"the action's path needs {', '.join(unknown)}, which its form does not ask for")
    return name


def _unwanted(value: Value, languages: Collection[str], templates: Collection[str]) -> tuple[str, ...]:
    if value.node is not None and "unwanted" not in templates:
        value.complain(
            'it needs the template "unwanted", which asks a customer to stay polite; add it to templates.yaml'
        )
    said = value.fields(optional=languages).values()
    return tuple(phrase for words in said for phrase in words.texts() if phrase)


def _hidden_numbers(value: Value) -> frozenset[PrivateKind]:
    if value.node is None:
        return frozenset(PrivateKind)
    return frozenset(PrivateKind(name) for name in value.members(list(PrivateKind), "a kind of number"))


def _protected(value: Value, intents: Collection[str], emotions: Collection[str]) -> dict[str, tuple[str, ...]]:
    fields = value.fields(optional=("intent", "emotion"))
    labels = {
        "intent": fields["intent"].members(intents, "an intent of bot.yaml"),
        "emotion": fields["emotion"].members(emotions, "one of the emotions"),
    }
    return {head: names for head, names in labels.items() if names}


def _escalation(value: Value, basics: Basics, templates: Collection[str]) -> EscalationRules:
    emotions = basics.emotions
    fields = value.fields(optional=("strong_emotions", "repeated", "misses", "alerts", *DESK_KEYS))
    repeated = fields["repeated"].fields(optional=("emotions", "times", "within"))
    times, within = repeated["times"].number(2, 1, 6), repeated["within"].number(3, 1, 6)
    if times > within:
        fields["repeated"].complain(f"{times} times cannot happen within {within} turns; make within at least {times}")
    return EscalationRules(
        strong_emotions=frozenset(fields["strong_emotions"].members(emotions, "one of the emotions")),
        repeated_emotions=frozenset(repeated["emotions"].members(emotions, "one of the emotions")),
        times=times,
        within=within,
        misses=fields["misses"].number(2, 1, 20),
        alerts=tuple(
            _alert(name, alert, basics.languages, templates) for name, alert in fields["alerts"].entries().items()
        ),
        desk=read_desk(fields),
    )


def _alert(name: str, value: Value, languages: Collection[str], templates: Collection[str]) -> AlertRule:
    fields = value.fields(("words",), ("template", "priority"))
    said = fields["words"].fields(required=languages)
    phrases = tuple(phrase for words in said.values() for phrase in words.texts())
    priority = fields["priority"].member([p.name.lower() for p in Priority], "a priority", "high")
    return AlertRule(
        name=name,
        phrases=tuple(phrase for phrase in phrases if phrase),
        template=fields["template"].member(templates, "a key of templates.yaml", "handover"),
        priority=Priority[priority.upper()],
    )


def _commands(value: Value, templates: Collection[str]) -> dict[str, str]:
    commands = {}
    for name, action in value.entries().items():
        if not re.fullmatch(r"/[a-z][a-z0-9_]{0,31}", name):
            action.complain(f'"{name}" is no command; write a slash and lower-case letters, such as /help')
        what = f"{', '.join(ACTIONS)} or a key of templates.yaml"
        commands[name] = action.member([*ACTIONS, *templates], what, "help")
        for needed in ACTIONS.get(commands[name], ()):
            if needed not in templates:
                action.complain(f'the action {commands[name]} needs the template "{needed}"; add it to templates.yaml')
    return commands


def _roles(value: Value, intents: Collection[str]) -> Roles:
    fields = value.fields(optional=("human", "affirm", "deny", "order"))
    named = {role: field.member(intents, "an intent of bot.yaml") for role, field in fields.items()}
    return Roles(**named)


def _words(value: Value, languages: Collection[str]) -> Words:
    meanings = {}
    seen: dict[str, str] = {}
    for meaning, field in value.fields(optional=("yes", "no", "cancel", "human")).items():
        words = [word for lang in field.fields(optional=languages).values() for word in lang.items()]
        for word in words:
            said = plain(word.text())
            if not said:
                word.complain("nothing is left of it without punctuation; write a word")
            elif seen.setdefault(said, meaning) != meaning:
                word.complain(f'"{said}" means "{seen[said]}" already; keep it in one list')
        meanings[meaning] = frozenset(said for said, kind in seen.items() if kind == meaning)
    return Words(**meanings)
