"""Reads `actions.yaml`."""

from __future__ import annotations

import re
from collections.abc import Collection

from bot.bot_files.yaml_values import Value
from bot.dialogue.templates import NAME
from bot.domain.rules import ActionSpec

_METHODS = ("get", "post", "put", "delete")


def read_actions(top: Value, templates: Collection[str]) -> dict[str, ActionSpec]:
    """Reads every action.

    Args:
        top: the file's top, with node None where a bot has no actions.
        templates: the keys of `templates.yaml`.

    Returns:
        Actions by name; those without a path are left out after a complaint.
    """
    actions = {name: _action(name, value, templates) for name, value in top.entries().items()}
    return {name: action for name, action in actions.items() if action.path}


def _action(name: str, value: Value, templates: Collection[str]) -> ActionSpec:
    fields = value.fields(("field", "say"), (*_METHODS, "seconds", "shown"))
    methods = [method for method in _METHODS if fields[method].node is not None]
    if len(methods) != 1:
        value.complain(
            f"an action has exactly one of {', '.join(_METHODS)} with a path such as /orders/{{order_number}}"
        )
    said = {
        answer: template.member(templates, "a key of templates.yaml")
        for answer, template in fields["say"].entries().items()
    }
    if not said and fields["say"].node is not None:
        fields["say"].complain("name at least one answer of the API with the template that is said then")
    return ActionSpec(
        name=name,
        method=methods[0].upper() if methods else "GET",
        path=_path(fields[methods[0]]) if methods else "",
        field=fields["field"].name(),
        say={answer: template for answer, template in said.items() if template},
        shown=tuple(_shown(item) for item in fields["shown"].items()),
        seconds=fields["seconds"].number(4, 1, 10),
    )


def _path(value: Value) -> str:
    path = value.text()
    bare = re.sub(r"\{[a-z][a-z0-9_]*\}", "", path)
    if not path.startswith("/") or "{" in bare or "}" in bare:
        value.complain(
            f'"{path}" is no path; begin with a slash and put slots in braces, such as /orders/{{order_number}}'
        )
        return ""
    return path


def _shown(value: Value) -> str:
    name = value.name()
    if name == NAME:
        value.complain(f'"{NAME}" is the bot\'s own name in templates; have the API call it otherwise')
    return name
