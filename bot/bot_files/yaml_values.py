"""YAML values that know their file, line and key, and collect every mistake instead of stopping at the first."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Problems:
    """Collects mistakes; one in a part that is used at several places (a YAML alias) counts once."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, int, int, str], str] = {}

    def add(self, file: str, place: yaml.Mark | None, key: str, text: str) -> None:
        """Notes a mistake.

        Args:
            file: the file's name.
            place: where in the file, None for the file as a whole.
            key: the key it is about, empty for none.
            text: what is wrong and what to do.
        """
        line, column = (place.line, place.column) if place else (-1, -1)
        named = [f"{file}:{line + 1}" if place else file, *([key] if key else []), text]
        self._texts.setdefault((file, line, column, text), ": ".join(named))

    def clear(self) -> None:
        """Forgets everything."""
        self._texts.clear()

    def texts(self) -> list[str]:
        """The mistakes in the order they were found."""
        return list(self._texts.values())


@dataclass(frozen=True, slots=True)
class Value:
    """A value in a YAML file. Readers give something harmless after a complaint, so that the next mistake is found too.

    Attributes:
        node: the YAML node, None where the value is missing.
        file: the file's name.
        key: where in the file, such as `intents.order_status.route`.
        problems: where complaints are collected; all values of a folder share it.
    """

    node: yaml.Node | None
    file: str
    key: str
    problems: Problems

    def complain(self, text: str) -> None:
        """Notes a mistake at this place."""
        self.problems.add(self.file, self.node.start_mark if self.node is not None else None, self.key, text)

    def child(self, name: str, node: yaml.Node | None) -> Value:
        """A value inside this one."""
        return Value(node, self.file, f"{self.key}.{name}" if self.key else name, self.problems)

    @property
    def is_mapping(self) -> bool:
        """True for a mapping."""
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """True for a list."""
        return isinstance(self.node, yaml.SequenceNode)

    def entries(self) -> dict[str, Value]:
        """A mapping's values by key; a missing value is an empty mapping, a key written twice a mistake."""
        if self.node is None:
            return {}
        if not isinstance(self.node, yaml.MappingNode):
            self.complain(f"expected a mapping (key: value), got {describe(self.node)}")
            return {}
        entries: dict[str, Value] = {}
        for key, value in self.node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.child("?", key).complain("a key has to be plain text; write key: value")
            elif key.value in entries:
                self.child(key.value, key).complain("the key is written twice; keep one of them")
            else:
                entries[key.value] = self.child(key.value, value)
        return entries

    def fields(self, required: Collection[str] = (), optional: Collection[str] = ()) -> dict[str, Value]:
        """A mapping's values; every name asked for is there, with node None where the file does not have it.

        Args:
            required: keys that have to be there.
            optional: keys that may be there; any other is a mistake.

        Returns:
            A value for each of the names.
        """
        entries = self.entries()
        allowed = (*required, *optional)
        for name, value in entries.items():
            if name not in allowed:
                value.complain(f"unknown key; expected {one_of(allowed)}{guess(name, allowed)}")
        for name in required:
            if name not in entries and self.is_mapping:
                self.complain(f'the key "{name}" is missing; add it')
        return {name: entries.get(name, self.child(name, None)) for name in allowed}

    def items(self) -> list[Value]:
        """A list's values; a missing value is an empty list."""
        if self.node is None:
            return []
        if not isinstance(self.node, yaml.SequenceNode):
            self.complain(f"expected a list (- first, - second), got {describe(self.node)}")
            return []
        return [self.child(str(number), node) for number, node in enumerate(self.node.value, start=1)]

    def text(self, default: str = "") -> str:
        """A text, exactly as it is written; `default` where it is missing."""
        if self.node is None:
            return default
        if not isinstance(self.node, yaml.ScalarNode):
            self.complain(f"expected a text, got {describe(self.node)}")
            return default
        value = str(self.node.value).strip()
        if not value:
            self.complain("the text is empty; write one or take the key out")
        return value

    def texts(self) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(item.text() for item in self.items())

    def texts_or_text(self) -> tuple[str, ...]:
        """A list of texts, or one text alone."""
        return self.texts() if self.is_list else (self.text(),)

    def scalar(self) -> str:
        """A text that may be empty."""
        if isinstance(self.node, yaml.ScalarNode):
            return str(self.node.value).strip()
        self.complain(f"expected a text, got {describe(self.node)}")
        return ""

    def name(self, default: str = "") -> str:
        """A text that serves as a name: lower-case letters, digits and underscores."""
        value = self.text(default)
        if value and not re.fullmatch(r"[a-z][a-z0-9_]*", value):
            self.complain(f'"{value}" is no name; use lower-case letters, digits and underscores, such as order_number')
        return value

    def member(self, options: Iterable[str], what: str, default: str = "") -> str:
        """A text out of a known set.

        Args:
            options: the texts that are known.
            what: what they are, for the message ("an intent of bot.yaml").
            default: the value where it is missing.

        Returns:
            The text; `default` after a complaint.
        """
        value, known = self.text(default), list(options)
        if self.node is None or not value or value in known:
            return value
        self.complain(f'"{value}" is not {what}; expected {one_of(known)}{guess(value, known)}')
        return default

    def members(self, options: Iterable[str], what: str) -> tuple[str, ...]:
        """A list of texts out of a known set; unknown ones are left out after a complaint."""
        known = list(options)
        return tuple(value for item in self.items() if (value := item.member(known, what)))

    def number(self, default: int, low: int, high: int) -> int:
        """A whole number between `low` and `high`; `default` where it is missing or wrong."""
        text = self.text(str(default))
        if re.fullmatch(r"[0-9]{1,9}", text) and low <= int(text) <= high:
            return int(text)
        self.complain(f'expected a whole number from {low} to {high}, got "{text}"')
        return default

    def flag(self, *, default: bool = False) -> bool:
        """`true` or `false`; `default` where it is missing or wrong."""
        text = self.text(str(default)).lower()
        if text not in ("true", "false"):
            self.complain(f'expected true or false, got "{text}"')
        return text == "true" if text in ("true", "false") else default


def read_yaml(path: Path, problems: Problems) -> Value:
    """Reads a YAML file whose top is a mapping.

    Args:
        path: the file.
        problems: takes a note where the file is missing, is not UTF-8 or is not YAML.

    Returns:
        The file's top value, with node None where it could not be read.
    """
    nothing = Value(None, path.name, "", problems)
    try:
        node = yaml.compose(path.read_bytes().decode("utf-8-sig"), Loader=_LOADER)
    except FileNotFoundError:
        nothing.complain(f"the file is missing; expected it at {path}")
        return nothing
    except OSError as error:
        nothing.complain(f"the file cannot be read: {error.strerror or error}")
        return nothing
    except UnicodeDecodeError as error:
        nothing.complain(f"byte {error.start + 1} is not UTF-8; save the file as UTF-8")
        return nothing
    except yaml.MarkedYAMLError as error:
        what = f"not valid YAML: {error.problem or error.context}; mind indentation and quotes"
        problems.add(path.name, error.problem_mark, "", what)
        return nothing
    except yaml.YAMLError as error:
        nothing.complain(f"not valid YAML: {' '.join(str(error).split())}; take the odd character out")
        return nothing
    top = Value(node, path.name, "", problems)
    if not top.is_mapping:
        top.complain(f"expected a mapping (key: value) at the top, got {describe(node)}")
        return nothing
    return top


def describe(node: yaml.Node | None) -> str:
    """What a node is, for messages."""
    match node:
        case yaml.MappingNode():
            return "a mapping"
        case yaml.SequenceNode():
            return "a list"
        case yaml.ScalarNode() if node.value:
            return f'"{str(node.value)[:40]}"'
        case _:
            return "nothing"


def one_of(options: Collection[str]) -> str:
    """The options for a message, a long list cut short."""
    shown = list(options)[:12]
    return "one of " + ", ".join(shown) + (", …" if len(options) > len(shown) else "") if shown else "none at all"


def guess(word: str, options: Collection[str]) -> str:
    """A hint at the option that was probably meant."""
    close = difflib.get_close_matches(word, list(options), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""
