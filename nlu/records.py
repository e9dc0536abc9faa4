"""Records with their line numbers from JSON lines, CSV and YAML; what is wrong is collected, not raised one by one."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nlu.types import InputError

MAX_LINE_BYTES = 1_000_000
JSON_LINES = (".jsonl", ".ndjson")
_SHOWN = 20
_MAX_YAML_DEPTH = 32
_YAML_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Record = tuple[int, dict[str, object]]


@dataclass(frozen=True, slots=True)
class CsvColumns:
    """What CSV files hold.

    Attributes:
        required: a column that must be there.
        decoders: how a cell of a column becomes a value; other cells stay text. An empty cell is no field.
    """

    required: str
    decoders: Mapping[str, Callable[[str], object]]


class Problems:
    """What is wrong in some files; the first 20 are kept, the rest counted."""

    def __init__(self) -> None:
        self.count = 0
        self._shown: list[str] = []

    def add(self, path: Path, line: int | None, field: str | None, message: str) -> None:
        """Notes one problem.

        Args:
            path: the file.
            line: its line, from 1, where there is one.
            field: the field, where there is one.
            message: what was expected and what came.
        """
        self.count += 1
        if len(self._shown) < _SHOWN:
            place = str(path) if line is None else f"{path}:{line}"
            self._shown.append(f"{place}: {message}" if field is None else f"{place}: {field}: {message}")

    def end(self, path: Path, line: int, message: str) -> None:
        """Notes a problem that ends the reading of a file; all records after it are missing.

        Args:
            path: the file.
            line: its line, from 1.
            message: what was expected and what came.
        """
        self.add(path, line, None, f"{message}; nothing from line {line} on was read")

    def raise_if_any(self, remedy: str) -> None:
        """Raises everything noted as one error.

        Args:
            remedy: what to do about it.

        Raises:
            InputError: something was noted.
        """
        if not self.count:
            return
        if self.count == 1:
            raise InputError(f"{self._shown[0]}; {remedy}")
        more = [f"and {self.count - _SHOWN} more"] if self.count > _SHOWN else []
        raise InputError("\n  ".join([f"{self.count} problems; {remedy}:", *self._shown, *more]))


def describe(value: object) -> str:
    """A short word for a value that came in place of the expected one."""
    if value is None:
        return "nothing"
    try:
        text = json.dumps(value, ensure_ascii=True, default=str)
    except (TypeError, ValueError, RecursionError):  # YAML knows lists that hold themselves, and dates as keys
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def read_records(path: Path, problems: Problems, columns: CsvColumns) -> Iterator[Record]:
    """Reads a file record by record, told by its ending.

    Args:
        path: a `.jsonl`, `.ndjson`, `.csv`, `.yaml` or `.yml` file in UTF-8, with or without a byte order mark.
        problems: where problems go.
        columns: what CSV files hold.

    Yields:
        The line a record starts on, and the record.
    """
    readers = {".csv": _csv_records, ".yaml": _yaml_records, ".yml": _yaml_records}
    ending = path.suffix.lower()
    try:
        if ending in JSON_LINES:
            yield from _json_records(path, problems)
        elif ending in readers:
            text = _checked_text(path, problems)
            if text is not None:
                yield from readers[ending](path, text, problems, columns)
        else:
            problems.add(path, None, None, "unsupported ending; expected .jsonl, .csv or .yaml")
    except FileNotFoundError:
        problems.add(path, None, None, "no such file")
    except OSError as error:
        problems.add(path, None, None, f"cannot be read ({error.strerror})")


def decode_json(text: str) -> object:
    """Reads JSON strictly.

    Args:
        text: a JSON document.

    Returns:
        The value.

    Raises:
        ValueError: it is not JSON, nested too deeply, holds NaN or a number out of range, or names a field twice.
    """
    try:
        value: object = json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def _refuse(word: str) -> object:
    raise ValueError(f"{word} is not a JSON value")


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"number out of range: {word[:20]}")
    return number


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError(f"field named twice: {describe(_repeated([key for key, _ in pairs]))}")
    return fields


def _json_records(path: Path, problems: Problems) -> Iterator[Record]:
    with path.open("rb") as file:
        number = 0
        while raw := file.readline(MAX_LINE_BYTES + 2):
            number += 1
            if len(raw.rstrip(b"\r\n")) > MAX_LINE_BYTES:
                problems.add(path, number, None, f"line is longer than {MAX_LINE_BYTES:,} bytes")
                while not raw.endswith(b"\n") and raw:
                    raw = file.readline(MAX_LINE_BYTES)
                continue
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                problems.add(path, number, None, f"invalid UTF-8 at byte {error.start + 1} of the line")
                continue
            if not text.strip():
                continue
            try:
                record = decode_json(text)
            except ValueError as error:
                problems.add(path, number, None, str(error))
                continue
            if isinstance(record, dict):
                yield number, record
            else:
                problems.add(path, number, None, f"expected an object with fields, got {describe(record)}")


def _checked_text(path: Path, problems: Problems) -> str | None:
    raw = path.read_bytes()
    long = [number for number, line in enumerate(raw.split(b"\n"), start=1) if len(line) > MAX_LINE_BYTES]
    for number in long:
        problems.add(path, number, None, f"line is longer than {MAX_LINE_BYTES:,} bytes")
    if long:
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problems.add(path, line, None, "invalid UTF-8")
        return None


def _csv_records(path: Path, text: str, problems: Problems, columns: CsvColumns) -> Iterator[Record]:
    lines = list(io.StringIO(text, newline=""))
    rows = csv.reader(lines, strict=True)
    header: list[str] | None = None
    while True:
        line = rows.line_num + 1
        try:
            cells = next(rows, None)
        except csv.Error as error:
            # With a quote too many or too few nobody knows where the record ends.
            if header is None or "".join(lines[line - 1 : rows.line_num]).count('"') % 2:
                problems.end(path, line, f"not valid CSV: {error}")
                return
            problems.add(path, line, None, f"not valid CSV: {error}")
            continue
        if cells is None:
            return
        if not any(cells):
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
            if len(set(header)) < len(header):
                problems.add(path, line, None, f"column named twice: {describe(_repeated(header))}")
                return
            if columns.required not in header:
                message = f"expected a column `{columns.required}` in the first row, got {describe(header)}"
                problems.add(path, line, None, message)
                return
        elif len(cells) != len(header):
            problems.add(path, line, None, f"expected {len(header)} cells as in the first row, got {len(cells)}")
        else:
            yield line, _decoded_cells(path, line, dict(zip(header, cells, strict=True)), problems, columns)


def _decoded_cells(
    path: Path, line: int, cells: dict[str, str], problems: Problems, columns: CsvColumns
) -> dict[str, object]:
    record: dict[str, object] = {}
    for column, cell in cells.items():
        if not cell:
            continue
        try:
            record[column] = columns.decoders.get(column, str)(cell)
        except ValueError as error:
            problems.add(path, line, column, str(error))
    return record


def _yaml_records(path: Path, text: str, problems: Problems, _: CsvColumns) -> Iterator[Record]:
    loader = None
    try:
        _check_yaml_depth(text)
        loader = _YAML_LOADER(text)
        root = loader.get_single_node()
        if root is not None and not isinstance(root, yaml.SequenceNode):
            problems.add(path, root.start_mark.line + 1, None, 'expected a list whose items start with "- text:"')
            return
        for node in root.value if root is not None else []:
            line = node.start_mark.line + 1
            keys = [key for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
            repeated = _repeated([key.value for key in keys if isinstance(key, yaml.ScalarNode)])
            try:
                record = _yaml_value(loader, node)
            except yaml.constructor.ConstructorError as error:
                _refuse_yaml(path, line, error, problems)
                continue
            if repeated is not None:
                problems.add(path, line, None, f"field named twice: {describe(repeated)}")
            elif isinstance(record, dict):
                yield line, record
            else:
                problems.add(path, line, None, f"expected an item with fields, got {describe(record)}")
    except yaml.MarkedYAMLError as error:
        _refuse_yaml(path, None, error, problems)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problems.add(path, None, None, f"not valid YAML: {' '.join(str(error).split())}")
    finally:
        if loader is not None:
            loader.dispose()


def _refuse_yaml(path: Path, line: int | None, error: yaml.MarkedYAMLError, problems: Problems) -> None:
    mark = error.problem_mark or error.context_mark
    problems.add(path, mark.line + 1 if mark else line, None, f"not valid YAML: {error.problem or error.context}")


def _yaml_value(loader: Any, node: yaml.Node) -> object:
    """The value of a node, a mapping with texts as keys; tags such as `!!int` and `!!bool` trust what follows them."""
    try:
        value = loader.construct_document(node)
        return {str(key): item for key, item in value.items()} if isinstance(value, dict) else value
    except (ValueError, ArithmeticError, LookupError, AttributeError, TypeError) as error:
        message = f"a value does not fit its type ({error})"
        raise yaml.constructor.ConstructorError(None, None, message, node.start_mark) from error


def _check_yaml_depth(text: str) -> None:
    """The C loader composes recursively and overruns its stack on deep input; its event stream does not."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_YAML_LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_YAML_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise ValueError(f"line {line} is nested too deeply")
    except yaml.MarkedYAMLError as error:
        # Some builds of the C loader have a limit of their own.
        if "nesting" not in str(error.problem):
            raise
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValueError(f"line {line} is nested too deeply") from None


def _repeated(names: list[str]) -> str | None:
    """The first name that comes more than once."""
    return next((name for name, count in Counter(names).items() if count > 1), None)
