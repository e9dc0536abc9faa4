"""Questions with answers out of Excel workbooks, sound, damaged and hostile ones."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path

import openpyxl
import pytest

from training.import_report import Report
from training.import_sources import read_source

SPACE = b" " * (1 << 20)


def workbook(path: Path, **sheets: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def read(path: Path) -> tuple[list[tuple[int, dict[str, object]]], Report]:
    report = Report()
    return [(record.line, dict(record.fields)) for record in read_source(path, report)], report


def with_sheet(path: Path, content: bytes) -> Path:
    sound = workbook(path.with_name("sound.xlsx"), a=[["question", "answer"], ["Why?", "So."]])
    with zipfile.ZipFile(sound) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name == "xl/worksheets/sheet1.xml" else old.read(name))
    return path


def sheet_xml(rows: str) -> bytes:
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    dimension = '<dimension ref="A1:XFD1048576"/>'
    return f'<worksheet xmlns="{namespace}">{dimension}<sheetData>{rows}</sheetData></worksheet>'.encode()


def cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def test_rows_become_records_with_their_numbers(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["常见问题"],
        [],
        ["编号", "问题", "答案", "相似问", "备注"],
        [7, " 怎么退货？", "七天内。\n无理由。", "退货流程|能退吗", "x"],
        [None, None, "  "],
        [8.0, "Price?", 199.5],
    ]
    found, report = read(workbook(tmp_path / "a.xlsx", FAQ=rows))
    assert found == [
        (4, {"id": "7", "question": "怎么退货？", "answer": "七天内。\n无理由。", "variants": ["退货流程", "能退吗"]}),
        (6, {"id": "8", "question": "Price?", "answer": "199.5", "variants": []}),
    ]
    assert {note.line for note in report.changed} == {3}
    assert "备注" in {note.field for note in report.changed}
    assert not report.refused


def test_the_first_sheet_with_a_header_counts_and_the_others_are_named(tmp_path: Path) -> None:
    table: list[list[object]] = [["question", "answer"], ["Why?", "So."]]
    path = workbook(tmp_path / "a.xlsx", Notes=[["by Li"]], FAQ=table, Empty=[], Old=table)
    found, report = read(path)
    assert [fields["question"] for _, fields in found] == ["Why?"]
    assert [(note.field, note.broken) for note in report.refused] == [("sheet 'Notes'", False), ("sheet 'Old'", False)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(3, "3", id="whole number"),
        pytest.param(2.5, "2.5", id="number"),
        pytest.param(True, "TRUE", id="truth value"),
        pytest.param(date(2024, 5, 1), "2024-05-01", id="day"),
        pytest.param(datetime(2024, 5, 1, 9, 30), "2024-05-01T09:30:00", id="moment"),  # noqa: DTZ001
        pytest.param("a_x000D_\nb", "a\nb", id="escaped line break"),
    ],
)
def test_cells_are_read_as_text(tmp_path: Path, value: object, expected: str) -> None:
    found, _ = read(workbook(tmp_path / "a.xlsx", a=[["Q", "A"], ["x?", value]]))
    assert found[0][1]["answer"] == expected


@pytest.mark.parametrize(
    ("value", "shown_as", "expected"),
    [
        pytest.param(0.19, "0%", "19%", id="per cent"),
        pytest.param(0.075, "0.0%", "7.5%", id="a part of a per cent"),
        pytest.param(1, "0%", "100%", id="all"),
        pytest.param(time(9), "h:mm", "9:00", id="time of day"),
        pytest.param(time(9, 30), "hh:mm", "09:30", id="time of day with two digits"),
        pytest.param(time(9, 30, 5), "h:mm:ss", "09:30:05", id="time with seconds"),
    ],
)
def test_cells_are_read_as_they_are_shown(tmp_path: Path, value: object, shown_as: str, expected: str) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["Q", "A"])
    sheet.append(["x?", value])
    sheet["B2"].number_format = shown_as
    book.save(tmp_path / "a.xlsx")
    assert read(tmp_path / "a.xlsx")[0][0][1]["answer"] == expected


def test_a_formula_that_was_never_computed_is_no_answer(tmp_path: Path) -> None:
    found, _ = read(workbook(tmp_path / "a.xlsx", a=[["Q", "A"], ["x?", "=1+1"]]))
    assert "answer" not in found[0][1]


def cut_in_half(path: Path) -> None:
    content = workbook(path, a=[["Q", "A"], ["x?", "y"]]).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def bomb(path: Path) -> None:
    with_sheet(path, sheet_xml(""))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/big.xml", "w") as member:
        for _ in range(250):
            member.write(SPACE)


def entities(path: Path) -> None:
    steps = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    kinds = f'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{steps}]>'.encode()
    with_sheet(path, kinds + sheet_xml(f'<row r="1">{cell("A1", "&j;")}</row>'))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (Path.touch, "the file is empty"),
    "cut off": (cut_in_half, "damaged or cut off"),
    "another archive": (lambda path: zipfile.ZipFile(path, "w").writestr("a.txt", "x"), "damaged or cut off"),
    "bad XML": (lambda path: with_sheet(path, sheet_xml("<row>")[:-40]), "damaged or cut off"),
    "entities": (entities, "damaged or cut off"),
    "a bomb": (bomb, "expected at most 200 MB when unpacked, it declares 262 MB"),
    "HTML": (lambda path: path.write_text("<html></html>"), "give it the ending .html"),
    "CSV": (lambda path: path.write_text("question,answer\n"), "give it the ending .csv"),
    "old Excel": (lambda path: path.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600)), "old Excel workbook"),
    "no sheet with a header": (lambda path: workbook(path, a=[["foo", "bar"], [1, 2]]), "got 'foo, bar'"),
    "no cells": (lambda path: workbook(path, a=[]), "expected a row that names columns"),
    "a header alone": (lambda path: workbook(path, a=[["Q", "A"]]), "expected at least one question"),
}


@pytest.mark.parametrize(("make", "message"), BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_with_a_workbook_is_said_once(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    make(tmp_path / "a.xlsx")
    found, report = read(tmp_path / "a.xlsx")
    assert found == []
    (note,) = report.broken
    assert message in note.message


def test_a_cell_far_away_costs_little(tmp_path: Path) -> None:
    rows = f'<row r="1">{cell("A1", "Q")}{cell("B1", "A")}</row>'
    rows += f'<row r="300000">{cell("A300000", "Last?")}{cell("B300000", "Yes.")}{cell("XFD300000", "x")}</row>'
    found, report = read(with_sheet(tmp_path / "a.xlsx", sheet_xml(rows)))
    assert found == [(300_000, {"question": "Last?", "answer": "Yes."})]
    assert not report.broken
