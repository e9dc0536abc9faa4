"""The conversions behind `frontdesk import faq` and `frontdesk import examples`, and how files are written."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlu.example_schema import Example, Span
from nlu.examples import read_examples
from nlu.types import InputError
from retrieval.faq import read_faq
from retrieval.types import FaqEntry, FaqError
from training import import_faq, import_files
from training.import_examples import KnownExamples, convert_examples
from training.import_faq import convert_faq
from training.import_files import check_targets, example_lines, faq_lines, write_together
from training.import_known import KnownFaq, faq_id
from training.import_report import Note, Report
from training.import_sources import FAQ_ENDINGS

LANGUAGES = ("zh", "en")


def faq(path: Path, content: str, known: KnownFaq | None = None) -> tuple[list[FaqEntry], Report]:
    path.write_text(content, "utf-8")
    report = Report()
    return convert_faq([path], known or KnownFaq(), LANGUAGES, report), report


def examples(path: Path, content: str, known: KnownExamples | None = None) -> tuple[list[Example], Report]:
    path.write_text(content, "utf-8")
    report = Report()
    return convert_examples([path], known or KnownExamples(), LANGUAGES, report), report


def places(notes: list[Note]) -> list[tuple[int | None, str]]:
    return [(note.line, note.field) for note in notes]


def lines(*records: dict[str, object]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.csv", "问题,答案\n怎么退货？,30天内。\n", id="Chinese columns"),
        pytest.param("a.csv", "Q,A\n怎么退货？,30天内。\n", id="letters"),
        pytest.param("a.csv", "Title,Content\n怎么退货？,30天内。\n", id="title and content"),
        pytest.param("a.jsonl", lines({"问题": "怎么退货？", "答案": "30天内。"}), id="JSON lines"),
        pytest.param("a.yaml", "- question: 怎么退货？\n  answer: 30天内。\n", id="YAML"),
    ],
)
def test_usual_names_are_understood_and_gaps_filled(tmp_path: Path, name: str, content: str) -> None:
    entries, report = faq(tmp_path / name, content)
    assert entries == [FaqEntry(faq_id("怎么退货？", "zh"), "怎么退货？", "30天内。", "zh")]
    assert not report.refused
    assert [note.field for note in report.changed[-2:]] == ["lang", "id"]


def test_other_names_are_told_once_a_file_at_the_header(tmp_path: Path) -> None:
    _, report = faq(tmp_path / "a.csv", "id,Q,A,lang,price\n1,a?,x,en,3\n2,b?,y,en,4\n")
    assert [str(note) for note in report.changed] == [
        f"{tmp_path}/a.csv:1: Q: read as question",
        f"{tmp_path}/a.csv:1: A: read as answer",
        f"{tmp_path}/a.csv:1: price: left out; it is none of the fields id, question, answer, variants, lang, tags",
    ]


def test_lists_of_a_csv_under_another_name(tmp_path: Path) -> None:
    entries, _ = faq(tmp_path / "a.csv", "问题,答案,相似问,标签\n怎么退货？,30天内。,退货流程|能退吗,售后\n")
    assert (entries[0].variants, entries[0].tags) == (("退货流程", "能退吗"), ("售后",))


@pytest.mark.parametrize(
    ("record", "field"),
    [
        pytest.param({"question": "a?"}, "answer", id="answer missing"),
        pytest.param({"question": "  ", "answer": "x"}, "question", id="question empty"),
        pytest.param({"question": 3, "answer": "x"}, "question", id="question a number"),
        pytest.param({"question": "a?", "answer": "x\ud800"}, "answer", id="half a surrogate pair"),
        pytest.param({"question": "a?", "answer": "x", "id": True}, "id", id="id a truth value"),
        pytest.param({"question": "a?", "answer": "x", "variants": "b?"}, "variants", id="variants a text"),
        pytest.param({"question": "a?", "answer": "x", "variants": ["b?", ""]}, "variants[1]", id="empty variant"),
        pytest.param({"question": "a?", "answer": "x", "tags": [1]}, "tags[0]", id="tag a number"),
        pytest.param({"question": "a?", "answer": "x", "lang": ""}, "lang", id="language empty"),
    ],
)
def test_broken_entries_are_refused_as_the_strict_reader_does(
    tmp_path: Path, record: dict[str, object], field: str
) -> None:
    path = tmp_path / "a.jsonl"
    content = lines({"question": "sound?", "answer": "yes", "id": "s"}) + json.dumps({"id": "b"} | record) + "\n"
    entries, report = faq(path, content)
    assert [entry.id for entry in entries] == ["s"]
    assert places(report.broken) == [(2, field)]
    with pytest.raises(FaqError, match=":2: "):
        read_faq(path)


@pytest.mark.parametrize(
    ("record", "field"),
    [
        pytest.param({"id": "old", "question": "new?", "answer": "x"}, "id", id="id of another file"),
        pytest.param({"question": "ＷＨＥＲＥ is it?", "answer": "x"}, "question", id="question, width and case aside"),
        pytest.param({"question": "track it", "answer": "x"}, "question", id="variant of another entry"),
    ],
)
def test_what_another_file_has_is_refused(tmp_path: Path, record: dict[str, object], field: str) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(lines({"id": "old", "question": "Where is it?", "answer": "y", "variants": ["Track it"]}))
    entries, report = faq(tmp_path / "new.jsonl", lines(record), KnownFaq.of([other]))
    assert entries == []
    assert places(report.broken) == [(1, field)]
    assert "other.jsonl (old)" in report.broken[0].message


def test_repetitions_within_the_file(tmp_path: Path) -> None:
    content = lines(
        {"id": "a", "question": "one?", "answer": "x", "variants": ["One?", "first"]},
        {"id": "b", "question": "two?", "answer": "x", "variants": ["first", "second", "second"]},
        {"id": "b", "question": "three?", "answer": "x"},
        {"id": "c", "question": "first", "answer": "x"},
        {"id": "d", "question": "one?", "answer": "x", "lang": "zh"},
    )
    entries, report = faq(tmp_path / "a.jsonl", content)
    assert [(entry.id, entry.variants) for entry in entries] == [("a", ("first",)), ("b", ("second",)), ("d", ())]
    assert places(report.broken) == [(3, "id"), (4, "question")]
    dropped = [place for place in places(report.changed) if place[1].startswith("variants")]
    assert dropped == [(1, "variants[0]"), (2, "variants[0]"), (2, "variants[2]")]


@pytest.mark.parametrize(
    ("question", "lang", "expected"),
    [
        pytest.param("Can't I return it?", "en", "cant-i-return-it.en", id="words"),
        pytest.param("a" * 60, "en", "a" * 40 + ".en", id="one long word"),
        pytest.param(
            "how long does it take until my parcel arrives", "en", "how-long-does-it-take-until-my-parcel.en", id="cut"
        ),
    ],
)
def test_ids_are_made_from_plain_words(question: str, lang: str, expected: str) -> None:
    assert faq_id(question, lang) == expected


def test_ids_of_other_scripts_are_hashes_and_stable() -> None:
    assert faq_id("怎么退货？", "zh") == faq_id("怎么退货?", "zh")
    assert faq_id("怎么退货？", "zh").startswith("faq-")
    assert faq_id("怎么退货？", "zh") != faq_id("怎么换货？", "zh")


def test_ids_become_admissible(tmp_path: Path) -> None:
    long = "how-long-does-it-take-" * 4
    names = ["returns/30 days.en", "a:b", long + "one.en", long + "one.zh", long + "two.en", "退货.zh", "a:b"]
    records = ({"id": name, "question": f"question {place}?", "answer": "x"} for place, name in enumerate(names))
    entries, report = faq(tmp_path / "a.jsonl", lines(*records))
    taken = [entry.id for entry in entries]
    assert (taken[0], taken[1], taken[5]) == ("returns-30-days.en", "a-b", "退货.zh")
    assert all(len(name) <= 60 for name in taken)
    assert taken[2].removesuffix(".en") == taken[3].removesuffix(".zh") != taken[4].removesuffix(".en")
    assert places(report.broken) == [(7, "id")]
    assert "became returns-30-days.en" in report.changed[0].message


def test_made_ids_never_meet(tmp_path: Path) -> None:
    long = "how long does it take until my parcel arrives"
    content = lines({"question": f"{long} here", "answer": "x"}, {"question": f"{long} there", "answer": "y"})
    entries, report = faq(tmp_path / "a.jsonl", content)
    assert len({entry.id for entry in entries}) == 2
    assert not report.refused


def test_a_language_that_cannot_be_told_is_refused(tmp_path: Path) -> None:
    entries, report = faq(tmp_path / "a.jsonl", lines({"question": "Где?", "answer": "Здесь."}))
    assert entries == []
    assert places(report.broken) == [(1, "lang")]


def test_a_language_is_read_as_the_bot_names_it_or_refused(tmp_path: Path) -> None:
    named = ["EN", "English", "zh_CN", "zh-Hans", "Deutsch", "fr"]
    content = lines(*({"question": f"question {lang}?", "answer": "x", "lang": lang} for lang in named))
    entries, report = faq(tmp_path / "a.jsonl", content)
    assert [entry.lang for entry in entries] == ["en", "en", "zh", "zh"]
    assert [str(note) for note in report.broken] == [
        f"{tmp_path}/a.jsonl:5: lang: expected one of zh, en, got 'Deutsch'; correct it",
        f"{tmp_path}/a.jsonl:6: lang: expected one of zh, en, got 'fr'; correct it",
    ]


def test_html_in_texts_becomes_text_and_is_told(tmp_path: Path) -> None:
    answer = "<p>30 days.</p><script>steal()</script><ul><li onclick='x()'>box</li></ul>"
    record = {"question": "<b>Can I</b><br>return it?", "answer": answer, "variants": ["<i>Send</i> back", "a < b"]}
    entries, report = faq(tmp_path / "a.jsonl", lines(record))
    assert (entries[0].question, entries[0].answer) == ("Can I return it?", "30 days.\n- box")
    assert entries[0].variants == ("Send back", "a < b")
    assert [note.field for note in report.changed if "HTML" in note.message] == ["question", "answer", "variants[0]"]


CODE = "<iframe src='x'></iframe>"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.html", f"<h2>How?</h2><code>{html.escape(CODE)}</code>", id="HTML"),
        pytest.param("a.html", f"<dl><dt>How?<dd><pre>{html.escape(CODE)}</pre></dl>", id="terms"),
        pytest.param("a.md", f"## How?\n\n```\n{CODE}\n```\n", id="Markdown"),
        pytest.param("a.md", f"|question|answer|\n|---|---|\n|How?|`{CODE}`|\n", id="a table"),
        pytest.param("a.jsonl", lines({"question": "How?", "answer": html.escape(CODE)}), id="JSON lines"),
    ],
)
def test_html_is_taken_away_once(tmp_path: Path, name: str, content: str) -> None:
    entries, _ = faq(tmp_path / name, content)
    assert [entry.answer for entry in entries] == [CODE]


@pytest.mark.parametrize(
    ("record", "field", "words"),
    [
        pytest.param({"question": "a?", "answer": "x" * 20_001}, "answer", "at most 20,000 characters", id="answer"),
        pytest.param({"question": "a?", "answer": "<p>" * 330_000}, "answer", "nothing is left", id="tags alone"),
        pytest.param({"question": "a?", "answer": "x" * 999_000}, "answer", "got 999,000", id="a megabyte"),
        pytest.param({"question": "a" * 1001, "answer": "x"}, "question", "at most 1,000 characters", id="question"),
        pytest.param(
            {"question": "a?", "answer": "<script>x</script>"}, "answer", "nothing is left", id="script alone"
        ),
        pytest.param({"question": "a?", "answer": "#REF!"}, "answer", "mend its formula", id="error of a spreadsheet"),
        pytest.param({"answer": "x"}, "question", "add it", id="no question"),
        pytest.param({"question": "\u200b?", "answer": "x"}, "question", "expected words", id="question of marks"),
        pytest.param(
            {"question": "a?", "answer": "x", "variants": ["…"]}, "variants[0]", "expected words", id="variant"
        ),
        pytest.param({"question": "a?", "answer": " "}, "answer", "it is empty", id="no answer"),
    ],
)
def test_what_cannot_be_an_answer_is_refused_with_a_reason(
    tmp_path: Path, record: dict[str, object], field: str, words: str
) -> None:
    entries, report = faq(tmp_path / "a.jsonl", lines({"question": "sound?", "answer": "x" * 20_000}, record))
    assert len(entries) == 1
    assert places(report.broken) == [(2, field)]
    assert words in report.broken[0].message


def test_html_is_taken_away_before_an_answer_is_measured(tmp_path: Path) -> None:
    entries, _ = faq(tmp_path / "a.jsonl", lines({"question": "a?", "answer": "<b></b>" * 10_000 + "x"}))
    assert entries[0].answer == "x"


def test_too_many_entries_are_refused_before_any_is_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_faq, "MAX_ENTRIES", 3)
    sound = [{"question": f"{number}?", "answer": "x", "lang": "en"} for number in range(4)]
    assert len(faq(tmp_path / "a.jsonl", lines(*sound[:3]))[0]) == 3
    with pytest.raises(InputError, match=r"a\.jsonl:4: expected at most 3 entries"):
        faq(tmp_path / "a.jsonl", lines(*sound))


ENCODED = {
    "GBK": ("问题,答案\n怎么退货？,七天\n".encode("gbk"), 1, "reads as GBK"),
    "GB 18030": ("question,answer\n朱镕是谁的名字？,一位老师的名字\n".encode("gb18030"), 2, "reads as GBK"),
    "Big5": ("問題,答案\n怎麼退貨？,收到後七天內可以申請退款\n".encode("big5"), 1, "reads as Big5"),
    "UTF-16": ("question,answer\n".encode("utf-16"), None, "is UTF-16"),
    "Latin 1": ("question,answer\nCaf\xe9?,Yes\n".encode("latin-1"), 2, "byte 0xe9 is not UTF-8"),
    "a workbook": (b"PK\x03\x04" + bytes(50), None, "give it the ending .xlsx"),
    "a PDF": (b"%PDF-1.7", None, "is a PDF"),
    "gzip": (b"\x1f\x8b" + bytes(9), None, "unpack it"),
    "binary": (b"question,answer\n\0\0\0", None, "binary"),
    "semicolons": (b"question;answer\nWhy?;So.\n", 1, "separate the columns with commas, not ';'"),
    "no column for answers": (b"question,foo\nWhy?,So.\n", 1, "expected a column for the answer"),
    "a bad byte far down": (b"question,answer\n" + b"Why?,So.\n" * 200_000 + b"\xff,x\n", 200_002, "is not UTF-8"),
}


@pytest.mark.parametrize(("content", "line", "words"), ENCODED.values(), ids=ENCODED)
def test_a_file_that_is_not_what_it_seems_is_one_mistake(
    tmp_path: Path, content: bytes, line: int | None, words: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    report = Report()
    assert convert_faq([path], KnownFaq(), LANGUAGES, report) == []
    (note,) = report.broken
    assert (note.path, note.line) == (path, line)
    assert words in note.message


def test_too_large_a_document_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "a.md").open("wb") as file:
        file.truncate(5_000_001)
    report = Report()
    assert convert_faq([tmp_path / "a.md"], KnownFaq(), LANGUAGES, report) == []
    assert "expected at most 5 MB" in report.broken[0].message


def test_notes_come_in_the_order_of_files_and_lines(tmp_path: Path) -> None:
    first, second = tmp_path / "b.jsonl", tmp_path / "a.csv"
    first.write_text(lines({"answer": "x"}) + "nonsense\n" + lines({"question": "a?"}))
    second.write_text("question,answer\n,x\n")
    report = Report()
    convert_faq([first, second], KnownFaq(), LANGUAGES, report)
    assert [(note.path, note.line) for note in report.broken] == [(first, 1), (first, 2), (first, 3), (second, 2)]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.yaml", "a.txt"])
def test_empty_and_foreign_files_are_refused(tmp_path: Path, name: str) -> None:
    for found, report in (faq(tmp_path / name, ""), examples(tmp_path / name, "")):
        assert found == []
        assert len(report.broken) == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.csv", "text,intent\nhello,greet\n", id="contract"),
        pytest.param("a.csv", "utterance,label\nhello,greet\n", id="utterance and label"),
        pytest.param("a.csv", "\nQuery,Label\nhello, greet \n", id="query, spaces, capital letters"),
        pytest.param("a.csv", "文本,意图\nhello,greet\n", id="Chinese columns"),
        pytest.param("a.jsonl", lines({"query": "hello", "label": "greet"}), id="JSON lines"),
        pytest.param("a.yaml", "- text: hello\n  intent: greet\n", id="YAML"),
    ],
)
def test_examples_under_the_usual_names(tmp_path: Path, name: str, content: str) -> None:
    found, report = examples(tmp_path / name, content)
    assert found == [Example("hello", {"intent": "greet"}, lang="en")]
    assert not report.refused
    assert "detected en 1 times" in report.changed[-1].message


def test_entities_and_weights_of_a_csv(tmp_path: Path) -> None:
    content = 'text,intent,实体,权重\nto Rome,book,"[{""start"": 3, ""end"": 7, ""type"": ""city""}]",2\n'
    found, _ = examples(tmp_path / "a.csv", content)
    assert (found[0].entities, found[0].weight) == ((Span(3, 7, "city"),), 2.0)


@pytest.mark.parametrize(
    ("content", "line", "field"),
    [
        pytest.param("text,intent\nhello,greet\n,greet\n", 3, "text", id="no text"),
        pytest.param("text,intent\nhello,greet\nbye,\n", 3, "", id="no label"),
        pytest.param("text,intent\nhello,greet\nbye,a,b\n", 3, "", id="too many cells"),
        pytest.param("text,intent\nhello,greet\nHello,bye\n", 3, "intent", id="contradiction"),
        pytest.param("text,intent,weight\nhello,greet,1\nbye,b,x\n", 3, "weight", id="weight no number"),
        pytest.param("text,intent,entities\nhello,greet,[]\nbye,b,[{\n", 3, "entities", id="entities no JSON"),
    ],
)
def test_broken_examples_are_refused(tmp_path: Path, content: str, line: int, field: str) -> None:
    found, report = examples(tmp_path / "a.csv", content)
    assert [example.text for example in found] == ["hello"]
    assert places(report.broken) == [(line, field)]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        pytest.param("a.csv", 'text,intent\nhello,greet\n"bye"x,bye\nhi there,greet\n', 3, id="CSV"),
        pytest.param("a.csv", 'text,intent\nhello,greet\n"so\n"bye"" x,bye\nhi there,greet\n', 3, id="two lines"),
        pytest.param(
            "a.yaml",
            "- {text: hello, intent: greet}\n- {text: !!int bye, intent: bye}\n- {text: hi there, intent: greet}\n",
            2,
            id="YAML",
        ),
    ],
)
def test_after_a_broken_record_the_others_are_read(tmp_path: Path, name: str, content: str, line: int) -> None:
    found, report = examples(tmp_path / name, content)
    assert [example.text for example in found] == ["hello", "hi there"]
    assert places(report.broken) == [(line, "")]
    assert not report.unread


def test_after_a_quote_that_nothing_closes_nothing_is_read(tmp_path: Path) -> None:
    found, report = examples(
        tmp_path / "a.csv", 'text,intent\nhello,greet\n"he said "hi" and\nleft",bye\nhi there,greet\n'
    )
    assert [example.text for example in found] == ["hello"]
    assert places(report.unread) == places(report.broken) == [(3, "")]
    assert "nothing from line 3 on was read" in report.unread[0].message


def test_a_csv_without_a_text_column_is_one_mistake(tmp_path: Path) -> None:
    found, report = examples(tmp_path / "a.csv", "intent\nx\ny\n")
    assert found == []
    assert len(report.broken) == 1


def test_examples_that_the_bot_has_are_left_out_or_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(lines({"text": "Hello", "intent": "greet"}, {"text": "to Rome", "intent": "book"}))
    span = {"start": 3, "end": 7, "type": "city"}
    content = lines(
        {"text": "hello", "intent": "greet"},
        {"text": "hello", "intent": "bye"},
        {"text": "hello", "emotion": "joy"},
        {"text": "to Rome", "intent": "book", "entities": [span]},
    )
    found, report = examples(tmp_path / "a.jsonl", content, KnownExamples.of([other]))
    assert [dict(example.labels) for example in found] == [{"emotion": "joy"}, {"intent": "book"}]
    assert [(note.line, note.broken) for note in report.refused] == [(1, False), (2, True)]
    assert "has greet in" in report.broken[0].message


def test_what_is_written_is_what_the_strict_readers_read(tmp_path: Path) -> None:
    entry = FaqEntry("a", "怎么退货？", "30天内。\n", "zh", ("退货",), ("售后",))
    example = Example("to Rome", {"intent": "book"}, (Span(3, 7, "city", "ROM"),), lang="en")
    write_together({tmp_path / "x" / "f.jsonl": faq_lines([entry]), tmp_path / "e.jsonl": example_lines([example])})
    assert read_faq(tmp_path / "x" / "f.jsonl") == [FaqEntry("a", "怎么退货？", "30天内。", "zh", ("退货",), ("售后",))]
    assert read_examples(tmp_path / "e.jsonl") == [example]


def test_all_files_are_written_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    first.write_bytes(b"old")
    write = import_files.write_atomically

    def full(path: Path, chunks: list[bytes]) -> None:
        if "second" in path.name:
            raise OSError(28, "No space left on device")
        write(path, chunks)

    monkeypatch.setattr(import_files, "write_atomically", full)
    with pytest.raises(InputError, match=r"second\.jsonl: cannot be written \(No space left"):
        write_together({first: b"new", second: b"new"})
    assert first.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [first]


@pytest.mark.parametrize("replace", [False, True])
def test_existing_targets_need_replace(tmp_path: Path, replace: bool) -> None:
    target = tmp_path / "a.jsonl"
    check_targets([target], replace=replace)
    target.touch()
    if replace:
        check_targets([target], replace=True)
        return
    with pytest.raises(InputError, match="Give --replace"):
        check_targets([target], replace=False)


def test_a_folder_is_never_a_target(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is a folder"):
        check_targets([tmp_path], replace=True)


MARKED_BYTES = st.lists(
    st.sampled_from(
        [
            *(b"<!--", b"-->", b"<?x ?>", b"<!doctype x [", b"]>", b"<", b">", b"\xff", b"\0", b"\r", b"PK\x03\x04"),
            *(b"question,answer\n", b"- question: x\n", b"  answer: y\n", b'{"question": "x", "answer": "', b'"}\n'),
            *("问：".encode(), b"&#xd800;", b"&#0;", b"<p>", b"<h1>why?</h1>", b"<svg>", b"<table>", b"<frameset>"),
            *(b"# a?\n", b"x", b"\n", b'"', b","),
        ]
    ),
    max_size=10,
).map(b"".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(content=st.binary(max_size=60) | MARKED_BYTES, ending=st.sampled_from(FAQ_ENDINGS))
def test_any_bytes_give_entries_or_a_reason(tmp_path: Path, content: bytes, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(content)
    report = Report()
    entries = convert_faq([path], KnownFaq(), LANGUAGES, report)
    assert entries or report.broken
    assert all(entry.question and entry.answer for entry in entries)
    write_together({tmp_path / "out.jsonl": faq_lines(entries)})
    assert not entries or read_faq(tmp_path / "out.jsonl") == entries
