"""Loads a bot folder whole, or says everything that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bot.bot_files.actions_file import read_actions
from bot.bot_files.forms_file import read_forms
from bot.bot_files.rules_file import read_basics, read_rules
from bot.bot_files.templates_file import read_templates
from bot.bot_files.yaml_values import Problems, Value, read_yaml
from bot.dialogue.templates import TemplateBook
from bot.domain.rules import BotRules
from bot.errors import InputError

RULES_FILE, TEMPLATES_FILE, FORMS_FILE = "bot.yaml", "templates.yaml", "forms.yaml"
ACTIONS_FILE = "actions.yaml"


@dataclass(frozen=True, slots=True)
class BotFiles:
    """A bot as its operator wrote it.

    Attributes:
        rules: what it does.
        templates: what it says.
    """

    rules: BotRules
    templates: TemplateBook


def load_bot_files(folder: Path) -> BotFiles:
    """Reads `bot.yaml`, `templates.yaml`, `forms.yaml` and, if there, `actions.yaml`; checks them against each other.

    Args:
        folder: where they are.

    Returns:
        The bot's rules and templates.

    Raises:
        InputError: something is wrong; the message names every mistake with file, line, key and remedy.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; expected one with {RULES_FILE}, {TEMPLATES_FILE} and {FORMS_FILE}")
    problems = Problems()
    bot, templates, forms = (read_yaml(folder / name, problems) for name in (RULES_FILE, TEMPLATES_FILE, FORMS_FILE))
    calls = Value(None, ACTIONS_FILE, "", problems)
    if (folder / ACTIONS_FILE).exists():
        calls = read_yaml(folder / ACTIONS_FILE, problems)
    _refuse(folder, problems)
    basics = read_basics(bot)
    _refuse(folder, problems)
    keys = list(templates.entries())
    problems.clear()
    rules = read_rules(basics, read_forms(forms, basics.languages, keys), keys, read_actions(calls, keys))
    book = TemplateBook(read_templates(templates, rules), rules.names, rules.default_language)
    _refuse(folder, problems)
    return BotFiles(rules, book)


def _refuse(folder: Path, problems: Problems) -> None:
    unique = problems.texts()
    if len(unique) == 1:
        raise InputError(f"{folder}: {unique[0]}")
    if unique:
        listed = "".join(f"\n  {problem}" for problem in unique)
        raise InputError(f"{folder}: {len(unique)} mistakes:{listed}")
