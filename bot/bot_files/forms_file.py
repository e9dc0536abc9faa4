"""Reads `forms.yaml`."""

from __future__ import annotations

import re
from collections.abc import Collection

from bot.bot_files.yaml_values import Value
from bot.dialogue.button_values import VALUE_BYTES
from bot.dialogue.templates import NAME
from bot.domain.rules import CONFIRM, Choice, FormSpec, Slot, SlotType

_SLOT_KEYS = {
    SlotType.ORDER_NUMBER: ("prefix", "digits"),
    SlotType.TEXT: ("pattern", "max_length"),
    SlotType.CHOICE: ("choices",),
    SlotType.PHONE: (),
    SlotType.EMAIL: (),
    SlotType.DATE: (),
    SlotType.AMOUNT: (),
}
_ALL_SLOT_KEYS = ("prefix", "digits", "pattern", "max_length", "choices")


def read_forms(top: Value, languages: Collection[str], templates: Collection[str]) -> dict[str, FormSpec]:
    """Reads every form.

    Args:
        top: the file's top.
        languages: the bot's languages.
        templates: the keys of `templates.yaml`.

    Returns:
        Forms by name; those without a usable slot are left out after a complaint.
    """
    forms = {name: _form(name, value, languages, templates) for name, value in top.entries().items()}
    return {name: form for name, form in forms.items() if form.slots}


def _form(name: str, value: Value, languages: Collection[str], templates: Collection[str]) -> FormSpec:
    fields = value.fields(("slots",), ("confirm", "done", "attempts"))
    slots = tuple(_slot(key, slot, languages, templates) for key, slot in fields["slots"].entries().items())
    if not slots and fields["slots"].node is not None:
        fields["slots"].complain("a form asks for at least one slot; add one")
    return FormSpec(
        name=name,
        slots=slots,
        confirm=fields["confirm"].member(templates, "a key of templates.yaml"),
        done=fields["done"].member(templates, "a key of templates.yaml"),
        attempts=fields["attempts"].number(3, 1, 10),
    )


def _slot(name: str, value: Value, languages: Collection[str], templates: Collection[str]) -> Slot:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in (CONFIRM, NAME, "option"):
        value.complain(
            f'"{name}" cannot be a slot; use lower-case letters and underscores, and not {CONFIRM} or {NAME}'
        )
    fields = value.fields(("type", "prompt", "invalid"), ("entity", *_ALL_SLOT_KEYS))
    kind = SlotType(fields["type"].member([t.value for t in SlotType], "a slot type", SlotType.TEXT.value))
    for key in _ALL_SLOT_KEYS:
        if fields[key].node is not None and key not in _SLOT_KEYS[kind]:
            fields[key].complain(f"a slot of type {kind.value} has no such key; take it out")
    if kind is SlotType.CHOICE and fields["choices"].node is None:
        value.complain("a slot of type choice needs choices; add them")
    own_entity = "" if kind in (SlotType.TEXT, SlotType.CHOICE) else kind.value
    return Slot(
        name=name,
        type=kind,
        prompt=fields["prompt"].member(templates, "a key of templates.yaml"),
        invalid=fields["invalid"].member(templates, "a key of templates.yaml"),
        entity=fields["entity"].text(own_entity),
        prefix=_prefix(fields["prefix"]),
        digits=fields["digits"].number(8, 4, 20),
        pattern=_pattern(fields["pattern"]),
        max_length=fields["max_length"].number(300, 1, 2000),
        choices=tuple(_choice(key, choice, languages) for key, choice in fields["choices"].entries().items()),
    )


def _prefix(value: Value) -> str:
    prefix = value.text()
    if prefix and not re.fullmatch(r"[A-Z]{1,6}", prefix):
        value.complain(f'"{prefix}" cannot begin an order number; use one to six capital letters, such as FD')
    return prefix


def _pattern(value: Value) -> str:
    pattern = value.text()
    try:
        re.compile(pattern)
    except re.error as error:
        value.complain(f"not a regular expression: {error}")
        return ""
    return pattern


def _choice(name: str, value: Value, languages: Collection[str]) -> Choice:
    words = {}
    for language, said in value.fields(required=languages).items():
        words[language] = said.texts()
        if said.node is not None and said.is_list and not words[language]:
            said.complain("name at least one way to say it; the first is what the button shows")
        for word in words[language][:1]:
            if len(f"say:{word}".encode()) > VALUE_BYTES:
                said.complain(f'"{word}" is too long for a button; at most {VALUE_BYTES - 4} bytes')
    return Choice(name, words)
