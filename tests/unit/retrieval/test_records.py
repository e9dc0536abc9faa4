from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.records import MAX_LINE_BYTES, Problems, kind_of, read_records
from retrieval.types import FaqError


def test_problems_are_raised_together_and_the_rest_is_counted():
    problems = Problems()
    for line in range(1, 24):
        problems.add(Path("faq.csv"), line, "answer", "expected text")
    with pytest.raises(FaqError) as error:
        problems.raise_if_any()
    lines = str(error.value).splitlines()
    assert lines[0] == "23 problems, nothing was read:"
    assert lines[1] == "faq.csv:1: answer: expected text"
    assert lines[20] == "faq.csv:20: answer: expected text"
    assert lines[21:] == ["... and 3 more"]


def test_no_problem_is_no_error():
    Problems().raise_if_any()


RECORDS = {
    "jsonl": ("a.jsonl", b'{"id": 1}\n\n{"id": "b"}\r\n', [(1, {"id": 1}), (3, {"id": "b"})]),
    "jsonl with a byte order mark": ("a.jsonl", b'\xef\xbb\xbf{"id": 1}', [(1, {"id": 1})]),
    "line separators inside a text": ("a.jsonl", '{"id": "a\u2028b"}'.encode(), [(1, {"id": "a\u2028b"})]),
    "csv": ("a.csv", b"id,tags\n1,a|b\n", [(2, {"id": "1", "tags": ["a", "b"]})]),
    "csv with a byte order mark": ("a.CSV", b"\xef\xbb\xbfid\r\nx\r\n", [(2, {"id": "x"})]),
    "csv with line breaks in a cell": (
        "a.csv",
        b'id,tags\r\n1,"a\r\nb"\r\n\r\n2,\r\n',
        [(2, {"id": "1", "tags": ["a\r", "b"]}), (5, {"id": "2", "tags": []})],
    ),
    "csv with capital names": ("a.csv", b"id,Tags\n1,a|b\n", [(2, {"id": "1", "Tags": ["a", "b"]})]),
    "csv with a long cell": ("a.csv", b"id\n" + b"x" * 900_000, [(2, {"id": "x" * 900_000})]),
    "csv with a short row": ("a.csv", b"id,question\n1\n", [(2, {"id": "1"})]),
    "yaml": (
        "a.yaml",
        b"# shop\n- id: 1\n  tags: [a, b]\n- id: b\n",
        [(2, {"id": 1, "tags": ["a", "b"]}), (4, {"id": "b"})],
    ),
    "yml": ("a.yml", b"- id: b\n", [(1, {"id": "b"})]),
}


@pytest.mark.parametrize(("name", "content", "expected"), RECORDS.values(), ids=RECORDS)
def test_records_are_read(tmp_path, name, content, expected):
    path = tmp_path / name
    path.write_bytes(content)
    problems = Problems()
    records = list(read_records(path, ("id",), frozenset({"tags"}), problems))
    assert problems.shown == []
    assert [(record.line, record.fields) for record in records] == expected


WRONG = {
    "bad JSON": ("a.jsonl", b'{"id": 1}\n{"id": \n', "a.jsonl:2: expected a JSON object on one line"),
    "nested too deep": ("a.jsonl", b"[" * 200_000, "a.jsonl:1: expected a JSON object on one line"),
    "a number with too many digits": ("a.jsonl", b'{"id": ' + b"1" * 5000 + b"}", "a.jsonl:1: expected a JSON object"),
    "a field twice": ("a.jsonl", b'{"id": 1, "id": 2}', "the field 'id' is given twice"),
    "no object": ("a.jsonl", b"[1]", "a.jsonl:1: expected a JSON object, got a list"),
    "not UTF-8": ("a.jsonl", b'\n{"id": "\xe4"}', "a.jsonl:2: byte 9 (0xe4) is not UTF-8"),
    "a long line": (
        "a.jsonl",
        b" " * (MAX_LINE_BYTES + 1),
        f"a.jsonl:1: expected at most {MAX_LINE_BYTES} bytes a line",
    ),
    "empty": ("a.jsonl", b"", "a.jsonl: expected at least one record, the file is empty"),
    "blank": ("a.jsonl", b"\xef\xbb\xbf \n\n", "a.jsonl: expected at least one record"),
    "empty csv": ("a.csv", b"", "a.csv: expected at least one record"),
    "csv without rows": ("a.csv", b"id,question\n", "a.csv: expected at least one record"),
    "csv without a column": ("a.csv", b"question\nx\n", "a.csv:1: the column 'id' is missing"),
    "csv with a column twice": ("a.csv", b"id,id\n1,2\n", "a.csv:1: the column 'id' is there twice"),
    "csv with too many cells": ("a.csv", b"id\n1,2\n", "a.csv:2: expected 1 cells, got 2"),
    "csv with an open quote": ("a.csv", b'id\n1\n"x\ny\n', "a.csv:3: expected CSV"),
    "csv not UTF-8": ("a.csv", b"id\n\xff\n", "a.csv:2: byte 1 (0xff) is not UTF-8"),
    "empty yaml": ("a.yaml", b"# nothing\n", "a.yaml: expected at least one record"),
    "yaml without a list": ("a.yaml", b"\nid: 1\n", "a.yaml:2: expected a list of records"),
    "yaml with a text for a record": ("a.yaml", b"- id: 1\n- x\n", "a.yaml:2: expected fields"),
    "bad yaml": ("a.yaml", b"- id: 1\n- id: [\n", "a.yaml:3: expected YAML"),
    "yaml with an object tag": ("a.yaml", b"- !!python/object:os.system {}\n", "a.yaml:1: expected YAML"),
    "yaml with a call": (
        "a.yaml",
        b"- id: a\n- id: !!python/object/apply:os.system [exit]\n",
        "a.yaml:2: expected YAML: could not determine a constructor for the tag",
    ),
    "yaml with a tag of its own": ("a.yaml", b"- id: a\n- id: !x y\n", "a.yaml:2: expected YAML: could not determine"),
    "yaml with an empty integer": ("a.yaml", b'- id: a\n- id: !!int ""\n', "a.yaml:2: expected YAML: a value does not"),
    "yaml with no boolean": ("a.yaml", b"- id: !!bool x\n", "a.yaml:1: expected YAML: a value does not fit"),
    "yaml with no moment": ("a.yaml", b"- id: !!timestamp x\n", "a.yaml:1: expected YAML: a value does not fit"),
    "yaml with a control character": ("a.yaml", b"- id: \x01\n", "a.yaml: expected YAML"),
    "yaml nested too deep": ("a.yaml", b"[" * 2_000, "a.yaml: expected YAML"),
    "yaml with an impossible date": ("a.yaml", b"- id: 2024-13-45\n", "a.yaml:1: expected YAML"),
    "yaml with a field twice": (
        "a.yaml",
        b"- id: 1\n- id: 2\n  a: x\n  a: y\n",
        "a.yaml:2: the field 'a' is given twice",
    ),
    "an unknown ending": (
        "a.txt",
        b"x",
        "a.txt: expected a file ending in one of .jsonl, .ndjson, .csv, .yaml, .yml, got '.txt'",
    ),
}


@pytest.mark.parametrize(("name", "content", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    problems = Problems()
    list(read_records(path, ("id",), frozenset(), problems))
    assert problems.count == 1
    assert message in problems.shown[0]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"id\n1,2\n3\n4,5\n6\n"),
        ("a.yaml", b"- id: 2024-13-45\n- id: 3\n- x\n- id: 6\n"),
        ("a.jsonl", b'{\n{"id": 3}\n[]\n{"id": 6}\n'),
    ],
)
def test_a_wrong_record_ends_no_file(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    problems = Problems()
    records = list(read_records(tmp_path / name, ("id",), frozenset(), problems))
    assert [int(record.fields["id"]) for record in records] == [3, 6]
    assert problems.count == 2


@pytest.mark.parametrize("fault", [b'4"x"\n"\n', b"\xff\n", b"x" * (MAX_LINE_BYTES + 1) + b"\n"])
def test_where_a_csv_cannot_be_read_on_it_is_said(tmp_path, fault):
    (tmp_path / "a.csv").write_bytes(b"id\n3\n" + fault + b"6\n7\n")
    problems = Problems()
    assert [record.line for record in read_records(tmp_path / "a.csv", ("id",), frozenset(), problems)][:1] == [2]
    assert problems.count == 1
    assert "on was read" in problems.shown[0]


@pytest.mark.parametrize("name", ["missing.jsonl", "folder.csv"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    problems = Problems()
    assert list(read_records(tmp_path / name, (), frozenset(), problems)) == []
    assert f"{name}: cannot be read" in problems.shown[0]


KINDS = {
    "nothing": None,
    "true or false": True,
    "a number": 1.5,
    "text": "x",
    "a list": [],
    "an object": {},
    "a bytes": b"",
}


@pytest.mark.parametrize(("name", "value"), KINDS.items(), ids=KINDS)
def test_kinds_have_plain_names(name, value):
    assert kind_of(value) == name
