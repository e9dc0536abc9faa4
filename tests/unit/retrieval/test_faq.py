from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import asdict

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.faq import read_faq, read_queries, write_faq
from retrieval.types import FaqEntry, FaqError, FaqQuery

FULL = FaqEntry("a.en", "Do you ship?", "Yes.\nWe do.", "en", ("ship?", "shipping, please"), ("delivery",))
LEAST = FaqEntry("7", "送货吗？", "送。", "zh")

JSON_LINES = (
    json.dumps(asdict(FULL))
    + """
{"id": 7, "question": " 送货吗？ ", "answer": "送。", "variants": null, "more": 1}
"""
)

CSV_WITH_BARS = """\
id,question,answer,lang,variants,tags
a.en,Do you ship?,"Yes.
We do.",en,"ship?| shipping, please |",delivery
7,送货吗？,送。,,,
"""

CSV_WITH_LINE_BREAKS = """\
tags,id,variants,answer,question
delivery,a.en,"ship?
shipping, please","Yes.
We do.",Do you ship?
,7,,送。,送货吗？
"""

YAML = """\
- id: a.en
  question: Do you ship?
  answer: |
    Yes.
    We do.
  variants: ["ship?", "shipping, please"]
  tags:
    - delivery
- {id: 7, question: 送货吗？, answer: 送。}
"""

GOOD = {
    "jsonl": ("f.jsonl", JSON_LINES),
    "csv with bars": ("f.csv", CSV_WITH_BARS),
    "csv with line breaks": ("f.csv", CSV_WITH_LINE_BREAKS),
    "csv with a byte order mark": ("f.csv", "\ufeff" + CSV_WITH_BARS),
    "yaml": ("f.yaml", YAML),
    "yml": ("f.YML", YAML),
}


@pytest.mark.parametrize(("name", "content"), GOOD.values(), ids=GOOD)
def test_every_format_gives_the_same_entries(tmp_path, name, content):
    (tmp_path / name).write_bytes(content.encode())
    assert read_faq(tmp_path / name) == [FULL, LEAST]


WRONG = {
    "missing id": ({"id": None}, "f.jsonl:2: id: expected text, the field is missing"),
    "missing question": ({"question": None}, "f.jsonl:2: question: expected text, the field is missing"),
    "missing answer": ({"answer": None}, "f.jsonl:2: answer: expected text, the field is missing"),
    "empty question": ({"question": " \n"}, "f.jsonl:2: question: expected text, it is empty"),
    "answer of the wrong type": ({"answer": 5}, "f.jsonl:2: answer: expected text, got a number"),
    "id of the wrong type": ({"id": True}, "f.jsonl:2: id: expected text or a number, got true or false"),
    "endless id": ({"id": float("inf")}, "f.jsonl:2: id: expected text or a number, got a number"),
    "lang of the wrong type": ({"lang": ["en"]}, "f.jsonl:2: lang: expected text, got a list"),
    "lang that is none": (
        {"lang": "Klingon!"},
        "f.jsonl:2: lang: expected a language such as en or zh, got 'Klingon!'",
    ),
    "variants as one text": ({"variants": "a|b"}, "f.jsonl:2: variants: expected a list of texts, got text"),
    "a variant of the wrong type": ({"variants": ["a", {}]}, "f.jsonl:2: variants[1]: expected text, got an object"),
    "an empty variant": ({"variants": [""]}, "f.jsonl:2: variants[0]: expected text, it is empty"),
    "half a character": ({"answer": "a\ud83d"}, "f.jsonl:2: answer: expected valid Unicode"),
    "an id that is taken": ({"id": "first"}, "f.jsonl:2: id: 'first' is already used at"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_field_is_named(tmp_path, change, message):
    good = {"id": "first", "question": "q", "answer": "a"}
    bad = {name: value for name, value in ({**good, "id": "second"} | change).items() if value is not None}
    (tmp_path / "f.jsonl").write_text(f"{json.dumps(good)}\n{json.dumps(bad)}\n")
    with pytest.raises(FaqError) as error:
        read_faq(tmp_path / "f.jsonl")
    assert str(error.value).startswith("1 problem, nothing was read:\n")
    assert message in str(error.value)


def test_all_problems_of_all_files_come_at_once(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": "x", "question": "q", "answer": "a"}\n{"id": "y"}\nnonsense\n')
    (tmp_path / "b.csv").write_text("id,question,answer\nx,q,\n")
    with pytest.raises(FaqError) as error:
        read_faq(tmp_path / "a.jsonl", tmp_path / "b.csv", tmp_path / "c.yaml")
    message = str(error.value)
    assert message.startswith("6 problems")
    places = [
        "a.jsonl:2: question",
        "a.jsonl:2: answer",
        "a.jsonl:3",
        "b.csv:2: answer",
        "b.csv:2: id",
        "c.yaml: cannot",
    ]
    for place in places:
        assert place in message


def test_many_problems_are_counted(tmp_path):
    (tmp_path / "f.jsonl").write_text("[]\n" * 500)
    with pytest.raises(FaqError) as error:
        read_faq(tmp_path / "f.jsonl")
    assert len(str(error.value).splitlines()) == 22
    assert str(error.value).endswith("... and 480 more")


def test_the_language_follows_from_the_text_or_is_the_primary_one(tmp_path):
    record = {"id": "x", "question": "送货吗？", "answer": "送。"}
    named = [record | {"id": code, "lang": code} for code in ("zh_CN", "zh-Hans", "EN-us", "English")]
    (tmp_path / "f.jsonl").write_text("".join(json.dumps(each) + "\n" for each in (record, *named)))
    assert [entry.lang for entry in read_faq(tmp_path / "f.jsonl")] == ["zh", "zh", "zh", "en", "en"]


def test_only_languages_on_offer_are_taken(tmp_path):
    (tmp_path / "f.jsonl").write_text('{"id": "x", "question": "q", "answer": "a", "lang": "fr-CA"}\n')
    assert read_faq(tmp_path / "f.jsonl", languages=("fr",))[0].lang == "fr"
    with pytest.raises(FaqError, match=r"f.jsonl:1: lang: expected one of zh, en, got 'fr-CA'"):
        read_faq(tmp_path / "f.jsonl", languages=("zh", "en"))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).map(str.strip).filter(bool)
ENTRIES = st.lists(
    st.builds(
        FaqEntry,
        id=TEXT,
        question=TEXT,
        answer=TEXT,
        lang=st.sampled_from(["en", "zh"]),
        variants=st.lists(TEXT, max_size=3).map(tuple),
        tags=st.lists(TEXT, max_size=2).map(tuple),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda entry: entry.id,
)
SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


@SAME_FOLDER
@given(entries=ENTRIES)
def test_what_is_written_is_read_again(tmp_path, entries):
    write_faq(tmp_path / "f.jsonl", entries)
    assert read_faq(tmp_path / "f.jsonl") == entries


PLAIN = st.text("abc ,\"'｜送货\n:-#é", min_size=1, max_size=12).map(str.strip).filter(bool)


@SAME_FOLDER
@given(
    rows=st.lists(
        st.tuples(PLAIN, PLAIN, st.lists(PLAIN.filter(lambda t: "\n" not in t), max_size=3)), min_size=1, max_size=4
    )
)
def test_csv_and_yaml_round_trip(tmp_path, rows):
    entries = [FaqEntry(f"e{i}", question, answer, "en", tuple(own)) for i, (question, answer, own) in enumerate(rows)]
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["id", "question", "answer", "lang", "variants"])
    writer.writerows([entry.id, entry.question, entry.answer, "en", "|".join(entry.variants)] for entry in entries)
    (tmp_path / "f.csv").write_bytes(table.getvalue().encode())
    records = [{**asdict(entry), "variants": list(entry.variants), "tags": []} for entry in entries]
    (tmp_path / "f.yaml").write_text(yaml.safe_dump(records, allow_unicode=True), encoding="utf-8")
    assert read_faq(tmp_path / "f.csv") == entries
    assert read_faq(tmp_path / "f.yaml") == entries


@SAME_FOLDER
@given(content=st.binary(max_size=200), ending=st.sampled_from(["jsonl", "csv", "yaml"]))
def test_any_bytes_give_entries_or_a_faq_error(tmp_path, content, ending):
    path = tmp_path / f"f.{ending}"
    path.write_bytes(content)
    with pytest.raises(FaqError, match="nothing was read"):
        read_faq(path)


def test_queries_are_read(tmp_path):
    (tmp_path / "q.jsonl").write_text('{"query": "ship?", "relevant": ["a", 7, "a"]}\n')
    (tmp_path / "q.csv").write_text("query,relevant,lang\nship?,a|7,zh_CN\n怎么送货,a,\n", "utf-8")
    assert read_queries(tmp_path / "q.jsonl") == [FaqQuery("ship?", ("a", "7"), "en")]
    assert read_queries(tmp_path / "q.csv") == [
        FaqQuery("ship?", ("a", "7"), "zh"),
        FaqQuery("怎么送货", ("a",), "zh"),
    ]


WRONG_QUERIES = {
    "no query": ('{"relevant": ["a"]}', "q.jsonl:1: query: expected text, the field is missing"),
    "no relevant": ('{"query": "x"}', "q.jsonl:1: relevant: expected a list of at least one FAQ id"),
    "relevant is empty": (
        '{"query": "x", "relevant": []}',
        "q.jsonl:1: relevant: expected a list of at least one FAQ id",
    ),
    "relevant is text": ('{"query": "x", "relevant": "a"}', "q.jsonl:1: relevant: expected a list of texts, got text"),
    "an empty id": ('{"query": "x", "relevant": [""]}', "q.jsonl:1: relevant[0]: expected text, it is empty"),
}


@pytest.mark.parametrize(("line", "message"), WRONG_QUERIES.values(), ids=WRONG_QUERIES)
def test_a_wrong_query_is_named_once(tmp_path, line, message):
    (tmp_path / "q.jsonl").write_text(line)
    with pytest.raises(FaqError, match=r"^1 problem,") as error:
        read_queries(tmp_path / "q.jsonl")
    assert message in str(error.value)


def test_an_entry_that_is_not_there_is_named_with_its_line(tmp_path):
    (tmp_path / "q.jsonl").write_text('{"query": "x", "relevant": ["a"]}\n{"query": "y", "relevant": ["a", "gone"]}\n')
    assert len(read_queries(tmp_path / "q.jsonl", {"a", "gone"})) == 2
    with pytest.raises(FaqError, match=r"q.jsonl:2: relevant\[1\]: 'gone' is not in the FAQ; correct the query"):
        read_queries(tmp_path / "q.jsonl", {"a"})


def test_writing_replaces_the_whole_file(tmp_path):
    path = tmp_path / "f.jsonl"
    write_faq(path, [FULL, LEAST])
    write_faq(path, [LEAST])
    assert read_faq(path) == [LEAST]
    assert "送货吗？" in path.read_text(encoding="utf-8")
    assert [file.name for file in tmp_path.iterdir()] == ["f.jsonl"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "f.jsonl"
    write_faq(path, [LEAST])

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(FaqError, match=r"f\.jsonl: cannot be written \(No space left on device\)"):
        write_faq(path, [FULL])
    assert read_faq(path) == [LEAST]
    assert [file.name for file in tmp_path.iterdir()] == ["f.jsonl"]


@pytest.mark.parametrize(
    ("name", "entry", "message"),
    [
        ("no/folder.jsonl", LEAST, "cannot be written"),
        ("f.jsonl", FaqEntry("a", "\ud800", "x"), "expected valid Unicode"),
    ],
    ids=["missing folder", "half a character"],
)
def test_what_cannot_be_written_is_a_faq_error(tmp_path, name, entry, message):
    with pytest.raises(FaqError, match=message):
        write_faq(tmp_path / name, [entry])
    assert list(tmp_path.iterdir()) == []
