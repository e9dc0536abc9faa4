"""Records from JSON lines, CSV and YAML files, with every problem collected instead of the first one raised."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from retrieval.types import FaqError

MAX_LINE_BYTES = 1_000_000
MAX_SHOWN = 20
# A cell may be as long as a line; Python takes 131,072 characters at most unless told otherwise.
csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_LINE_BYTES))
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file.

    Attributes:
        path: the file.
        line: the line where the record starts, counted from 1.
        fields: the values by field name, of whatever type the file gave them.
    """

    path: Path
    line: int
    fields: Mapping[str, object]


@dataclass(slots=True)
class Problems:
    """What is wrong with the files read so far; the first problems in full, the rest counted.

    Attributes:
        shown: the problems that will be named.
        count: how many there are altogether.
    """

    shown: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, path: Path, line: int | None, name: str, message: str) -> None:
        """Notes a problem.

        Args:
            path: the file.
            line: the line, counted from 1, or None where the whole file is meant.
            name: the field, or empty where the whole record is meant.
            message: what was expected, what came and what to do.
        """
        self.count += 1
        if len(self.shown) < MAX_SHOWN:
            place = str(path) if line is None else f"{path}:{line}"
            self.shown.append(f"{place}: {name}: {message}" if name else f"{place}: {message}")

    def end(self, path: Path, line: int, message: str) -> None:
        """Notes a problem that ends the reading of a file; all records after it are missing.

        Args:
            path: the file.
            line: the line, counted from 1.
            message: what was expected, what came and what to do.
        """
        self.add(path, line, "", f"{message}; nothing from line {line} on was read")

    def raise_if_any(self) -> None:
        """Ends the reading where anything was wrong.

        Raises:
            FaqError: there are problems; all of them in one message.
        """
        if not self.count:
            return
        rest = self.count - len(self.shown)
        noun = "problem" if self.count == 1 else "problems"
        more = [f"... and {rest} more"] if rest else []
        raise FaqError("\n".join([f"{self.count} {noun}, nothing was read:", *self.shown, *more]))


def read_records(path: Path, required: tuple[str, ...], lists: frozenset[str], problems: Problems) -> Iterator[Record]:
    """Reads the records of one file; JSON lines and CSV are read as they are asked for, never held whole.

    Args:
        path: a file that ends in `.jsonl`, `.ndjson`, `.csv`, `.yaml` or `.yml`.
        required: the fields that every record must have; a CSV header without one is a single problem.
        lists: the fields that hold several texts; in CSV they are separated by `|` or a line break.
        problems: takes what is wrong.

    Yields:
        The records that could be parsed, in order; their values are not checked.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        expected = ", ".join(_READERS)
        problems.add(path, None, "", f"expected a file ending in one of {expected}, got {path.suffix or 'no ending'!r}")
        return
    before, found = problems.count, False
    try:
        with path.open("rb") as file:
            file.seek(len(_BOM) if file.read(len(_BOM)) == _BOM else 0)
            for record in reader(path, file, required, lists, problems):
                found = True
                yield record
    except OSError as error:
        problems.add(path, None, "", f"cannot be read ({error.strerror or error}); check the path and its permissions")
        return
    if not found and problems.count == before:
        problems.add(path, None, "", "expected at least one record, the file is empty")


_Note = Callable[[int, str], None]


def _lines(path: Path, file: BinaryIO, problems: Problems) -> Iterator[tuple[int, str]]:
    """The sound lines with their line breaks; what is wrong with others is noted."""
    return _decoded(file, lambda number, message: problems.add(path, number, "", message))


def _decoded(file: BinaryIO, refuse: _Note) -> Iterator[tuple[int, str]]:
    number = 0
    while raw := file.readline(MAX_LINE_BYTES + 2):
        number += 1
        size = len(raw.removesuffix(b"\n"))
        while not raw.endswith(b"\n") and (rest := file.readline(MAX_LINE_BYTES)):
            size += len(rest.removesuffix(b"\n"))
            raw = rest
        if size > MAX_LINE_BYTES:
            refuse(number, f"expected at most {MAX_LINE_BYTES} bytes a line, got {size}; split it")
            continue
        try:
            yield number, raw.decode()
        except UnicodeDecodeError as error:
            byte = raw[error.start]
            refuse(number, f"byte {error.start + 1} (0x{byte:02x}) is not UTF-8; save the file as UTF-8")


def _sound_lines(path: Path, file: BinaryIO, problems: Problems) -> Iterator[str]:
    """The lines up to the first that is not sound, as quotes may reach over lines."""
    ended = False

    def end(number: int, message: str) -> None:
        nonlocal ended
        if not ended:
            ended = True
            problems.end(path, number, message)

    for _, line in _decoded(file, end):
        if ended:
            return
        yield line


def _read_jsonl(
    path: Path, file: BinaryIO, _required: tuple[str, ...], _lists: frozenset[str], problems: Problems
) -> Iterator[Record]:
    for number, line in _lines(path, file, problems):
        if not line.strip():
            continue
        try:
            value = json.loads(line, object_pairs_hook=_unique_fields)
        except (ValueError, RecursionError) as error:
            problems.add(path, number, "", f"expected a JSON object on one line: {error}")
            continue
        if isinstance(value, dict):
            yield Record(path, number, value)
        else:
            problems.add(path, number, "", f"expected a JSON object, got {kind_of(value)}")


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {twice!r} is given twice")
    return fields


def _read_csv(
    path: Path, file: BinaryIO, required: tuple[str, ...], lists: frozenset[str], problems: Problems
) -> Iterator[Record]:
    rows = csv.reader(_sound_lines(path, file, problems), strict=True)
    start = 1
    try:
        header = [name.strip() for name in next((row for row in rows if any(cell.strip() for cell in row)), [])]
        if not header:
            return
        line = rows.line_num
        wrong = [f"the column {name!r} is missing" for name in required if name not in header]
        wrong += [f"the column {name!r} is there twice" for name in sorted(set(header)) if header.count(name) > 1]
        for message in wrong:
            problems.add(path, line, "", f"{message}; the first line must name every column once")
        if wrong:
            return
        start = rows.line_num + 1
        for row in rows:
            if len(row) > len(header):
                message = f"expected {len(header)} cells, got {len(row)}; quote texts that contain commas"
                problems.add(path, start, "", message)
            elif any(cell.strip() for cell in row):
                yield Record(path, start, _csv_fields(header, row, lists))
            start = rows.line_num + 1
    except csv.Error as error:
        problems.end(path, start, f"expected CSV with quoted line breaks and commas: {error}")


def _csv_fields(header: list[str], row: list[str], lists: frozenset[str]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for name, cell in zip(header, row, strict=False):
        if name.casefold() in lists:
            fields[name] = [part for part in cell.replace("\n", "|").split("|") if part.strip()]
        elif cell.strip():
            fields[name] = cell
    return fields


def _read_yaml(
    path: Path, file: BinaryIO, _required: tuple[str, ...], _lists: frozenset[str], problems: Problems
) -> Iterator[Record]:
    before = problems.count
    text = "".join(line for _, line in _lines(path, file, problems))
    if problems.count > before:
        return
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return
        if not isinstance(node, yaml.SequenceNode):
            line = node.start_mark.line + 1
            problems.add(path, line, "", "expected a list of records, each starting with `- `")
            return
        for item in node.value:
            yield from _yaml_record(path, loader, item, problems)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        _refuse_yaml(path, None, error, problems)


def _yaml_record(path: Path, loader: yaml.SafeLoader, item: yaml.Node, problems: Problems) -> Iterator[Record]:
    line = item.start_mark.line + 1
    try:
        value = loader.construct_object(item, deep=True)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        _refuse_yaml(path, line, error, problems)
        return
    except (ArithmeticError, LookupError, AttributeError, TypeError):
        # Tags such as `!!int` and `!!bool` trust what follows them.
        problems.add(path, line, "", "expected YAML: a value does not fit the type that its `!!` tag names")
        return
    if twice := _field_given_twice(item):
        problems.add(path, line, "", f"the field {twice!r} is given twice")
    elif isinstance(value, dict):
        yield Record(path, line, {str(name): value for name, value in value.items()})
    else:
        problems.add(path, line, "", f"expected fields such as `question: ...`, got {kind_of(value)}")


def _refuse_yaml(path: Path, line: int | None, error: Exception, problems: Problems) -> None:
    mark = getattr(error, "problem_mark", None)
    problems.add(path, mark.line + 1 if mark else line, "", f"expected YAML: {_first_line(error)}")


def _field_given_twice(item: yaml.Node) -> str | None:
    names = [str(key.value) for key, _ in item.value] if isinstance(item, yaml.MappingNode) else []
    return next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None


def _first_line(error: Exception) -> str:
    return str(getattr(error, "problem", None) or error).splitlines()[0]


def kind_of(value: object) -> str:
    """Names a parsed value's kind for an error message, such as `a number`."""
    kinds: list[tuple[type | tuple[type, ...], str]] = [
        (type(None), "nothing"),
        (bool, "true or false"),
        ((int, float), "a number"),
        (str, "text"),
        (list, "a list"),
        (dict, "an object"),
    ]
    return next((name for kind, name in kinds if isinstance(value, kind)), f"a {type(value).__name__}")


_Reader = Callable[[Path, BinaryIO, tuple[str, ...], frozenset[str], Problems], Iterator[Record]]
_READERS: dict[str, _Reader] = {
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".csv": _read_csv,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
}
