"""Labelled examples: the files that bot, console and training exchange.

A file is taken whole or not at all: every problem is collected and raised as one `InputError` that names file, line and
field.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from nlu.durable import write_atomically
from nlu.example_schema import HEADS, MAX_TEXT, Example, Report, Span, example_document, parse_example, unknown_fields
from nlu.records import JSON_LINES, MAX_LINE_BYTES, CsvColumns, Problems, decode_json, describe, read_records
from nlu.text import normalise
from nlu.types import InputError


@dataclass(frozen=True, slots=True)
class ExampleFile:
    """What was read from one file.

    Attributes:
        path: the file.
        examples: its examples in order.
        duplicates: how many were the same, in every field, as an earlier one (of this file or one read before it) and
            were dropped, or would have been.
        unknown_fields: fields that mean nothing here, and how many records had them.
    """

    path: Path
    examples: tuple[Example, ...]
    duplicates: int
    unknown_fields: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """One text that has different labels of one head.

    Attributes:
        text: the text as it was first seen.
        head: the head.
        labels: the labels it has, sorted.
        places: the file and line where each label stands first, empty where that is not known.
    """

    text: str
    head: str
    labels: tuple[str, ...]
    places: tuple[str, ...] = field(default=(), compare=False)


def read_examples(*paths: Path, keep_duplicates: bool = False) -> list[Example]:
    """Reads examples from JSON lines, CSV and YAML files, told by their endings.

    Args:
        *paths: the files.
        keep_duplicates: keep examples that are the same in every field; a test set's size and figures need them.

    Returns:
        The examples in order, identical ones once. Where anything is wrong in any of the files, an `InputError`
        names file, line and field of up to 20 problems instead.
    """
    files = read_example_files(*paths, keep_duplicates=keep_duplicates)
    return [example for file in files for example in file.examples]


def read_example_files(*paths: Path, keep_duplicates: bool = False) -> list[ExampleFile]:
    """Reads like `read_examples`, and tells for each file what was dropped or ignored.

    Args:
        *paths: the files.
        keep_duplicates: keep examples that are the same in every field.

    Returns:
        One report a file, in order.
    """
    problems = Problems()
    seen: set[Example] = set()
    files = [_read_file(Path(path), problems, seen, keep_duplicates=keep_duplicates) for path in paths]
    problems.raise_if_any("nothing was read, correct this and run again")
    return files


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """Writes examples as JSON lines, all or nothing; `read_examples` gives the same ones back.

    Args:
        path: a `.jsonl` file; replaced where it exists.
        examples: what to write; at least one.

    Raises:
        InputError: an example is not valid, there is none, the ending is wrong, or the disk refuses.
    """
    if path.suffix.lower() not in JSON_LINES:
        raise InputError(f"{path}: examples are written as JSON lines; expected a name that ends with .jsonl")
    lines = [_checked_line(path, number, example) for number, example in enumerate(examples, start=1)]
    if not lines:
        raise InputError(f"{path}: there are no examples to write; at least one is needed")
    try:
        write_atomically(path, lines)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); free space or choose another place") from error


def fingerprint(examples: Iterable[Example]) -> str:
    """The sha256 of a set of examples, the same in whatever order they come.

    Args:
        examples: the examples; a repeated one counts again.

    Returns:
        64 hexadecimal digits.
    """
    digests = sorted(hashlib.sha256(_canonical(example)).digest() for example in examples)
    return hashlib.sha256(b"".join(digests)).hexdigest()


def contradictions(examples: Iterable[Example]) -> list[Contradiction]:
    """Finds texts that have different labels of one head.

    Args:
        examples: the examples; texts are compared as `nlu.text.normalise` leaves them, without regard to case.

    Returns:
        One entry a text and head, in order of first appearance.
    """
    first: dict[str, str] = {}
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for example in examples:
        key = normalise(example.text).casefold()
        first.setdefault(key, example.text)
        for head, label in example.labels.items():
            found[key, head].setdefault(label, example.place)
    return [
        Contradiction(first[key], head, tuple(sorted(labels)), tuple(labels[label] for label in sorted(labels)))
        for (key, head), labels in found.items()
        if len(labels) > 1
    ]


def _read_file(path: Path, problems: Problems, seen: set[Example], *, keep_duplicates: bool) -> ExampleFile:
    examples: list[Example] = []
    unknown: Counter[str] = Counter()
    duplicates, records, before = 0, 0, problems.count
    for line, record in read_records(path, problems, _COLUMNS):
        records += 1
        example = parse_example(record, _reporter(problems, path, line))
        unknown.update(unknown_fields(record))
        if example is None:
            continue
        repeated = example in seen
        duplicates += repeated
        seen.add(example)
        if keep_duplicates or not repeated:
            examples.append(replace(example, place=f"{path}:{line}"))
    if not records and problems.count == before:
        problems.add(path, None, None, "the file is empty; expected at least one example")
    return ExampleFile(path, tuple(examples), duplicates, dict(unknown))


def _reporter(problems: Problems, path: Path, line: int) -> Report:
    return lambda name, message: problems.add(path, line, name, message)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"expected a finite number above 0, got {describe(cell)}") from None


_COLUMNS = CsvColumns(required="text", decoders={"entities": decode_json, "weight": _number})


def _checked_line(path: Path, number: int, example: Example) -> bytes:
    problems = Problems()
    document = example_document(example)
    parsed = parse_example(document, _reporter(problems, path, number))
    for head in sorted(example.labels.keys() - set(HEADS)):
        problems.add(path, number, head, f"is no label field; expected one of {', '.join(HEADS)}")
    problems.raise_if_any("nothing was written, correct the example")
    line = json.dumps(example_document(parsed or example), ensure_ascii=False).encode() + b"\n"
    if len(line) > MAX_LINE_BYTES:
        raise InputError(f"{path}:{number}: example takes more than {MAX_LINE_BYTES:,} bytes; shorten its text")
    return line


def _canonical(example: Example) -> bytes:
    weight = float(example.weight)
    return json.dumps(example_document(example) | {"weight": weight}, sort_keys=True, ensure_ascii=True).encode()


__all__ = [
    "HEADS",
    "MAX_TEXT",
    "Contradiction",
    "Example",
    "ExampleFile",
    "Span",
    "contradictions",
    "fingerprint",
    "read_example_files",
    "read_examples",
    "write_examples",
]
