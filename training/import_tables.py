"""Tables with a header row, wherever they stand, into FAQ records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from retrieval.records import Record
from training.import_names import FAQ_LISTS, FAQ_NAMES, standard_name, with_standard_names
from training.import_report import Report

Row = tuple[int, Sequence[str]]
"""The line of a row, counted from 1, and its cells."""


def is_header(cells: Iterable[str]) -> bool:
    """Whether the cells name a column of questions and one of answers."""
    return {"question", "answer"} <= {standard_name(cell, FAQ_NAMES) for cell in cells}


def read_rows(path: Path, header: Row, rows: Iterable[Row], report: Report) -> Iterator[Record]:
    """Makes a record of every row that is not blank.

    Args:
        path: the file, for messages.
        header: the row that names the columns.
        rows: the rows below.
        report: is told which names were read as others, and which columns mean nothing.

    Yields:
        Records with standard names.
    """
    line_of_header, names = header
    named = [name.strip() for name in names]
    if twice := _named_twice(named):
        message = f"the column {twice!r} is there twice; rename or remove one"
        report.refuse(path, line_of_header, "", message)
        return
    for line, cells in rows:
        fields: dict[str, object] = {}
        lists: dict[str, list[str]] = {}
        for name, cell in zip(named, cells, strict=False):
            if name and name.casefold() in FAQ_LISTS:
                parts = [part.strip() for part in cell.replace("\n", "|").split("|")]
                lists.setdefault(name, []).extend(part for part in parts if part)
            elif name and cell.strip():
                fields[name] = cell
        if any(cell.strip() for cell in cells):
            yield Record(path, line, with_standard_names(path, line_of_header, fields | lists, FAQ_NAMES, report))


def _named_twice(names: Sequence[str]) -> str | None:
    """A column that is there twice and of which one counts."""
    single = [name for name in names if standard_name(name, FAQ_NAMES) and name.casefold() not in FAQ_LISTS]
    return next((name for name in single if single.count(name) > 1), None)
