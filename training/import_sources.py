"""FAQ records from a file of any format that the import takes, told by its ending."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from retrieval.plain_text import plain_text
from retrieval.records import Record, read_records
from training.import_file_kinds import fault_of
from training.import_names import FAQ_LISTS, FAQ_NAMES, csv_header, standard_name
from training.import_pages import read_html, read_markdown
from training.import_report import FaqProblems, Report
from training.import_workbook import read_workbook

_Reader = Callable[[Path, Report], Iterator[Record]]


def read_source(path: Path, report: Report) -> Iterator[Record]:
    """Reads the FAQ records of one file.

    Args:
        path: the file.
        report: is told of everything that is wrong or left out.

    Yields:
        The records in order; in a workbook their line is the row.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        expected, got = ", ".join(FAQ_ENDINGS), path.suffix or "no ending"
        report.refuse(path, None, "", f"expected a file ending in one of {expected}, got {got!r}; save it as one")
        return
    if fault := fault_of(path):
        report.refuse(path, fault[0], "", fault[1])
        return
    before, found = len(report.broken), False
    for record in reader(path, report):
        found = True
        yield record
    if not found and len(report.broken) == before:
        report.refuse(path, None, "", "expected at least one question with its answer, found none; check the file")


def plain_reading(path: Path) -> Callable[[str], str]:
    """What makes plain text of the texts of a file's records: those of pages are plain already."""
    return str if path.suffix.lower() in _PAGES else plain_text


def _read_lines(path: Path, report: Report) -> Iterator[Record]:
    header = csv_header(path)
    meant = {standard_name(name, FAQ_NAMES) for name in header}
    missing = [name for name in ("question", "answer") if header and name not in meant]
    if missing:
        other = next((sign for sign in (";", "\t") if len(header) == 1 and sign in header[0]), None)
        remedy = (
            f"separate the columns with commas, not {other!r}"
            if other
            else f"name it {' or '.join((missing[0], *FAQ_NAMES[missing[0]][-3:]))}"
        )
        message = f"expected a column for the {missing[0]} in the first line, got {', '.join(header)[:80]!r}; {remedy}"
        report.refuse(path, 1, missing[0], message)
        return
    yield from read_records(path, (), FAQ_LISTS, FaqProblems(report))


_PAGES: dict[str, _Reader] = {
    **dict.fromkeys((".md", ".markdown"), read_markdown),
    **dict.fromkeys((".html", ".htm"), read_html),
}
_READERS: dict[str, _Reader] = {
    **dict.fromkeys((".jsonl", ".ndjson", ".csv", ".yaml", ".yml"), _read_lines),
    ".xlsx": read_workbook,
    **_PAGES,
}

FAQ_ENDINGS = tuple(_READERS)
"""The endings of files that `frontdesk import faq` reads."""
