"""Rasa 3 projects: examples and responses, read from their YAML files with line numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nlu.example_schema import Span
from training.import_report import Report
from training.rasa_inline import parse_annotated

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ENDINGS = (".yml", ".yaml")
_OTHER_FOLDERS = frozenset({"models", "tests", "results", "node_modules", "venv"})
_MAX_DEPTH = 32
_SILENT = frozenset({"version", "nlu", "responses", "intents", "entities"})
_NOT_INTENTS = ("synonym", "regex", "lookup")


@dataclass(frozen=True, slots=True)
class RasaExample:
    """A labelled text of a Rasa project.

    Attributes:
        path: the file.
        line: its line.
        intent: its intent, with a slash for retrieval intents such as `faq/ask_shipping`.
        text: the text without annotations.
        spans: its entities.
    """

    path: Path
    line: int
    intent: str
    text: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class RasaResponse:
    """One variation of a response.

    Attributes:
        path: the file.
        line: its line.
        name: the response's name, such as `utter_greet`.
        text: what the bot says.
    """

    path: Path
    line: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class RasaProject:
    """What can be taken from a Rasa project.

    Attributes:
        examples: in the order of the files.
        responses: likewise.
    """

    examples: tuple[RasaExample, ...]
    responses: tuple[RasaResponse, ...]


def read_project(path: Path, report: Report) -> RasaProject:
    """Reads every YAML file of a project, or one file.

    Args:
        path: the project's folder, or a file such as `nlu.yml` or `domain.yml`.
        report: is told of everything that is refused or has no counterpart.

    Returns:
        The examples and responses.
    """
    examples: list[RasaExample] = []
    responses: list[RasaResponse] = []
    files = _yaml_files(path) if path.is_dir() else [path]
    if not files:
        report.refuse(path, None, "", "expected a Rasa project, the folder has no file ending in .yml or .yaml")
    for file in files:
        sections = _sections(file, report)
        for name, (line, _) in sections.items():
            if name not in _SILENT:
                report.leave_out(file, line, name, "not taken; it has no counterpart here")
        if "nlu" in sections:
            examples += _examples(file, sections["nlu"][1], report)
        if "responses" in sections:
            responses += _responses(file, sections["responses"][1], report)
    return RasaProject(tuple(examples), tuple(responses))


def _yaml_files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS and path.is_file())
    return [path for path in found if not any(_is_foreign(part) for part in path.relative_to(folder).parts)]


def _is_foreign(part: str) -> bool:
    return part.startswith(".") or part in _OTHER_FOLDERS


def _sections(path: Path, report: Report) -> dict[str, tuple[int, yaml.Node]]:
    """The top-level keys of a file with their lines; empty where it cannot be read."""
    if path.suffix.lower() not in _ENDINGS:
        message = "expected a Rasa 3 file ending in .yml or .yaml; older projects: `rasa data convert nlu -f yaml`"
        report.refuse(path, None, "", message)
        return {}
    try:
        text = path.read_bytes().decode("utf-8-sig")
        _check(text)
        root = yaml.compose(text, Loader=_LOADER)
    except OSError as error:
        report.refuse(path, None, "", f"cannot be read ({error.strerror or error}); check the path")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        report.refuse(path, line, "", "is not UTF-8; save the file as UTF-8")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"not valid YAML: {error.problem or error.context}; mind indentation and quotes"
        report.refuse(path, mark.line + 1 if mark else None, "", message)
    except (yaml.YAMLError, ValueError) as error:
        report.refuse(path, None, "", f"not valid YAML: {' '.join(str(error).split())}")
    else:
        if isinstance(root, yaml.MappingNode):
            return {name: (key.start_mark.line + 1, value) for name, key, value in _pairs(root)}
        report.refuse(path, 1, "", "expected sections such as `nlu:` or `responses:` at the top")
    return {}


def _check(text: str) -> None:
    """The C loader composes recursively and overruns its stack on deep input; its event stream does not."""
    depth = 0
    events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
    for event in events:
        line = event.start_mark.line + 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise ValueError(f"line {line} is nested too deeply")
        if isinstance(event, yaml.ScalarEvent) and any("\ud800" <= character <= "\udfff" for character in event.value):
            raise ValueError(f"line {line} holds half a surrogate pair, which is no character")


def _examples(path: Path, section: yaml.Node, report: Report) -> Iterator[RasaExample]:
    if not isinstance(section, yaml.SequenceNode):
        report.refuse(path, section.start_mark.line + 1, "nlu", "expected a list whose items start with `- intent:`")
        return
    for item in section.value:
        line = item.start_mark.line + 1
        fields = {name: value for name, _, value in _pairs(item)}
        other = next((name for name in _NOT_INTENTS if name in fields), None)
        intent = _scalar(fields.get("intent"))
        if other:
            name = f"{other} {_scalar(fields[other])}".strip()
            report.leave_out(path, line, "nlu", f"{name} not taken; it has no counterpart here")
        elif not intent:
            report.refuse(path, line, "intent", "expected `- intent: <name>` with a name, there is none")
        else:
            yield from _examples_of(path, line, intent, fields.get("examples"), report)


def _examples_of(path: Path, line: int, intent: str, node: yaml.Node | None, report: Report) -> Iterator[RasaExample]:
    found = False
    for place, text in _example_lines(path, node, report):
        found = True
        try:
            annotated = parse_annotated(text)
        except ValueError as error:
            report.refuse(path, place, "examples", str(error))
            continue
        for loss in annotated.losses:
            report.change(path, place, "examples", loss)
        yield RasaExample(path, place, intent, annotated.text, annotated.spans)
    if not found:
        report.leave_out(path, line, "examples", f"intent {intent} has no examples")


def _example_lines(path: Path, node: yaml.Node | None, report: Report) -> Iterator[tuple[int, str]]:
    if isinstance(node, yaml.ScalarNode):
        for place, line in _numbered(node):
            text = line.strip()
            if text.startswith("-") and text[1:].strip():
                yield place, text[1:].strip()
            elif text.strip("-"):
                report.refuse(path, place, "examples", f'expected "- " before each example, got "{text[:40]}"')
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            inner = next((value for name, _, value in _pairs(item) if name == "text"), item)
            text = " ".join(_scalar(inner).split())
            place = inner.start_mark.line + (2 if _is_literal(inner) else 1)
            if text:
                yield place, text.removeprefix("- ")
            else:
                report.refuse(path, place, "examples", "expected a text or `- text: ...`")


def _responses(path: Path, section: yaml.Node, report: Report) -> Iterator[RasaResponse]:
    for name, key, value in _pairs(section):
        if not isinstance(value, yaml.SequenceNode):
            report.refuse(path, key.start_mark.line + 1, name, "expected a list whose items start with `- text:`")
            continue
        for item in value.value:
            fields = {field: inner for field, _, inner in _pairs(item)}
            line = item.start_mark.line + 1
            text = _scalar(fields.get("text", item))
            if not text:
                report.leave_out(path, line, name, "not taken; it has no text")
                continue
            others = [field for field in fields if field != "text"]
            if others:
                report.change(path, line, name, f"left out: {', '.join(others)}")
            yield RasaResponse(path, line, name, text)


def _pairs(node: yaml.Node) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield str(key.value), key, value


def _scalar(node: yaml.Node | None) -> str:
    return str(node.value).strip() if isinstance(node, yaml.ScalarNode) else ""


def _is_literal(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style == "|"


def _numbered(node: yaml.ScalarNode) -> Iterator[tuple[int, str]]:
    """The lines of a text; only in a literal block (`|`) do they have places of their own."""
    first = node.start_mark.line + 1
    for number, line in enumerate(str(node.value).split("\n"), start=1):
        yield (first + number if _is_literal(node) else first), line
