"""FAQ records from an Excel workbook: the first sheet that has a header row for questions and answers."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import Any

import openpyxl

from retrieval.records import Record
from training.import_file_kinds import MAX_ENTRIES, MEGABYTE
from training.import_report import Report
from training.import_tables import Row, is_header, read_rows

_MOST_UNPACKED = 200 * MEGABYTE
_MOST_COLUMNS = 64
_ROWS_BEFORE_HEADER = 10
# What zipfile, the XML parser and openpyxl raise over damaged or hostile workbooks.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, SyntaxError, RuntimeError),
    *(KeyError, IndexError, ValueError, TypeError, AttributeError, ArithmeticError),
)


def read_workbook(path: Path, report: Report) -> Iterator[Record]:
    """Reads the first sheet of a workbook that names a column of questions and one of answers.

    Args:
        path: an `.xlsx` file.
        report: is told which sheets were left out, and what is wrong.

    Yields:
        The records; their line is the row of the sheet.
    """
    try:
        unpacked = _unpacked_size(path)
        if unpacked > _MOST_UNPACKED:
            most = f"{_MOST_UNPACKED // MEGABYTE} MB"
            message = f"expected at most {most} when unpacked, it declares {unpacked / MEGABYTE:,.0f} MB; split it"
            report.refuse(path, None, "", message)
            return
        # openpyxl warns of every feature it does not know; none of them bears on the cells' values.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sheets = _read_sheets(path)
    except _DAMAGE as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        report.refuse(path, None, "", f"the workbook is damaged or cut off ({reason}); save it again as .xlsx")
        return
    chosen = next((title for title, rows in sheets.items() if _header_place(rows) is not None), None)
    if chosen is None:
        first = next((row for rows in sheets.values() for row in rows), (1, ("nothing",)))
        seen = ", ".join(cell for cell in first[1] if cell)[:80]
        message = (
            f"expected a row that names columns such as question and answer or 问题 and 答案, got {seen!r}; add it"
        )
        report.refuse(path, first[0], "", message)
        return
    for title, rows in sheets.items():
        if title != chosen and rows:
            message = f"entries are taken from the sheet {chosen!r} alone, save this one as a file of its own"
            report.leave_out(path, None, f"sheet {title!r}", message)
    rows = sheets[chosen]
    place = _header_place(rows) or 0
    yield from read_rows(path, rows[place], rows[place + 1 :], report)


def _unpacked_size(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        # What a member unpacks to beyond its declared size is never read.
        return sum(member.file_size for member in archive.infolist() if not member.filename.startswith("xl/media/"))


def _read_sheets(path: Path) -> dict[str, list[Row]]:
    """The rows that are not blank; of sheets after one with a header only the first rows."""
    book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
    sheets: dict[str, list[Row]] = {}
    try:
        found = False
        for sheet in book.worksheets:
            # A workbook may declare a million rows and have ten.
            sheet.reset_dimensions()
            rows = _rows(sheet)
            sheets[sheet.title] = list(islice(rows, _ROWS_BEFORE_HEADER))
            if not found and _header_place(sheets[sheet.title]) is not None:
                found = True
                sheets[sheet.title] += islice(rows, MAX_ENTRIES + 1)
    finally:
        book.close()
    return sheets


def _rows(sheet: Any) -> Iterator[Row]:
    for line, row in enumerate(sheet.iter_rows(max_col=_MOST_COLUMNS), start=1):
        if any(cell.value is not None for cell in row):
            cells = [_text(cell.value, cell.number_format or "") for cell in row]
            if any(cells):
                yield line, cells


def _header_place(rows: list[Row]) -> int | None:
    return next((place for place, (_, cells) in enumerate(rows[:_ROWS_BEFORE_HEADER]) if is_header(cells)), None)


def _text(value: object, shown_as: str) -> str:
    """A cell as it would be typed; what `_x000D_` stands for is a line break.

    Args:
        value: what the cell holds.
        shown_as: its format, such as `0%` or `hh:mm`.

    Returns:
        Its text.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float) and "%" in shown_as:
        return f"{round(100 * value, 6):.12g}%"
    if isinstance(value, time) and not value.second and not value.microsecond:
        return f"{value:%H:%M}" if shown_as.startswith("hh") else f"{value.hour}:{value:%M}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value).replace("_x000D_\n", "\n").replace("_x000D_", "\n").replace("\r\n", "\n").strip()
