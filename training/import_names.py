"""What fields are called elsewhere, brought to the names of Frontdesk's own files."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from nlu.records import CsvColumns
from training.import_report import Report

Names = Mapping[str, tuple[str, ...]]
"""The standard names, each with other names in lower case that mean the same."""

FAQ_NAMES: Names = {
    "id": ("faq_id", "编号", "序号"),
    "question": ("q", "title", "问题", "问", "标题", "标准问", "标准问题"),
    "answer": ("a", "content", "reply", "response", "答案", "答", "内容", "回答", "回复"),
    "variants": ("similar_questions", "alternatives", "相似问", "相似问法", "相似问题", "扩展问"),
    "lang": ("language", "locale", "语言"),
    "tags": ("tag", "标签"),
}
"""The fields of a FAQ entry, with what they are called elsewhere."""

FAQ_LISTS = frozenset(name for field in ("variants", "tags") for name in (field, *FAQ_NAMES[field]))
"""The names of those fields that hold several texts."""


def with_standard_names(
    path: Path, line: int, record: Mapping[str, object], names: Names, report: Report
) -> dict[str, object]:
    """Gives the fields of a record their standard names.

    Args:
        path: the file the record comes from.
        line: its line.
        record: field to value, as the file has it.
        names: the standard names with the others.
        report: is told once a file which names were read as others, and which mean nothing.

    Returns:
        Standard name to value; a standard name wins over another one for the same.
    """
    place = 1 if path.suffix.lower() == ".csv" else line
    standard = {other: name for name, others in names.items() for other in (name, *others)}
    fields = {name: value for name, value in record.items() if name in names}
    for name, value in record.items():
        if name in names:
            continue
        meant = standard.get(name.strip().casefold())
        if meant is None:
            report.change_once(path, place, name, f"left out; it is none of the fields {', '.join(names)}")
        elif meant in fields:
            report.change_once(path, place, name, f"left out; there is another field for {meant}")
        else:
            fields[meant] = value
            report.change_once(path, place, name, f"read as {meant}")
    return fields


def standard_name(name: str, names: Names) -> str | None:
    """The standard name of a column, or None where it means nothing here."""
    plain = name.strip().casefold()
    return next((standard for standard, others in names.items() if plain in (standard, *others)), None)


def text_columns(path: Path, names: Names, decoders: Mapping[str, Callable[[str], object]]) -> CsvColumns:
    """What a CSV file has to hold: a column for the text, whatever it is called.

    Args:
        path: the file.
        names: the standard names with the others; `text` is among them.
        decoders: how cells become values, by standard name.

    Returns:
        The columns, under the names that the file has for them.
    """
    header = csv_header(path)
    required = next((cell for cell in header if cell.casefold() in ("text", *names["text"])), "text")
    own = {cell: decoders[name] for name in decoders for cell in header if cell.casefold() in (name, *names[name])}
    return CsvColumns(required, own)


def csv_header(path: Path) -> list[str]:
    """The first row of a CSV file that is not blank; whatever is wrong with the file is left to its reader."""
    if path.suffix.lower() != ".csv":
        return []
    with suppress(OSError, UnicodeDecodeError, csv.Error), path.open(encoding="utf-8-sig", newline="") as file:
        return [cell.strip() for cell in next((row for row in csv.reader(file) if any(row)), [])]
    return []
