from __future__ import annotations

import json
from pathlib import Path

import pytest

from retrieval.faq import read_faq
from training.import_report import Report
from training.import_transcripts import Turn, candidate_lines, customer_texts, propose_faq, read_turns

LANGUAGES = ("zh", "en")
ANSWER = "You can send it back within thirty days free of charge."


def turn(role: str, text: str, conversation: str = "c", at: str = "2025-03-01T09:00:00Z") -> dict[str, object]:
    return {"conversation": conversation, "at": at, "role": role, "text": text}


def read(folder: Path, *records: dict[str, object]) -> tuple[list[Turn], Report]:
    path = folder / "chat.jsonl"
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), "utf-8")
    report = Report()
    return read_turns([path], report), report


def test_turns_are_ordered_by_conversation_and_time(tmp_path: Path) -> None:
    turns, report = read(
        tmp_path,
        turn("agent", "late", "b", "2025-03-01T10:00:00+01:00"),
        turn("customer", "early", "b", "2025-03-01T08:59:00"),
        turn("customer", "other", "a", "2025-03-02"),
    )
    assert [found.text for found in turns] == ["other", "early", "late"]
    assert not report.refused


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("conversation,at,role,text", id="contract"),
        pytest.param("会话,时间,角色,内容", id="Chinese columns"),
        pytest.param("session_id,timestamp,sender,message", id="usual names"),
    ],
)
@pytest.mark.parametrize("role", ["customer", "user", "客户"])
def test_csv_under_the_usual_names(tmp_path: Path, header: str, role: str) -> None:
    path = tmp_path / "chat.csv"
    path.write_text(f"{header}\n7,2025-03-01T09:00:00Z,{role},hello\n", "utf-8")
    report = Report()
    (found,) = read_turns([path], report)
    assert (found.conversation, found.role, found.text) == ("7", "customer", "hello")
    assert not report.refused


@pytest.mark.parametrize(
    ("record", "field"),
    [
        pytest.param(turn("customer", " "), "text", id="no text"),
        pytest.param(turn("parrot", "hello"), "role", id="unknown role"),
        pytest.param(turn("customer", "hello", at="yesterday"), "at", id="no time"),
        pytest.param(turn("customer", "hello") | {"conversation": None}, "conversation", id="no conversation"),
        pytest.param(turn("customer", "\ud800"), "text", id="half a surrogate pair"),
        pytest.param(turn("customer", "x" * 100_001), "text", id="too long"),
    ],
)
def test_broken_turns_are_refused(tmp_path: Path, record: dict[str, object], field: str) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_text(json.dumps(turn("customer", "sound")) + "\n" + json.dumps(record) + "\n")
    report = Report()
    assert [found.text for found in read_turns([path], report)] == ["sound"]
    assert [(note.line, note.field) for note in report.broken] == [(2, field)]


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    _, report = read(tmp_path)
    assert "the file is empty" in report.broken[0].message


def test_personal_data_never_gets_through(tmp_path: Path) -> None:
    question = "please write to ann.lee@example.org about my late parcel"
    turns, report = read(tmp_path, turn("customer", question), turn("agent", f"Dear ann.lee@example.org, {ANSWER}"))
    texts = customer_texts(turns, LANGUAGES, report)
    written = candidate_lines(propose_faq(turns, LANGUAGES)).decode() + "".join(text.text for text in texts)
    assert "late parcel" in written
    assert "thirty days" in written
    assert "ann.lee" not in written + json.dumps(report.document(0, []))
    assert [(note.line, note.message) for note in report.changed] == [
        (1, "personal data masked"),
        (2, "personal data masked"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("电话 13800138000，谢谢！", "电话 00000000000，谢谢！", id="as written"),
        pytest.param("电话 １３８００１３８０００，谢谢！", "电话 00000000000，谢谢！", id="full-width digits"),
        pytest.param("13800\u200b138000 是我的", "00000000000 是我的", id="hidden characters"),
        pytest.param("ann＠example.org", "name@example.com", id="full-width sign"),
        pytest.param("没有号码，谢谢！", "没有号码，谢谢！", id="nothing personal"),
    ],
)
def test_masking_sees_through_disguises(tmp_path: Path, text: str, expected: str) -> None:
    (found,), _ = read(tmp_path, turn("customer", text))
    assert found.text == expected


def test_customer_texts_are_taken_once(tmp_path: Path) -> None:
    turns, report = read(
        tmp_path, turn("customer", "你好"), turn("bot", "hi"), turn("agent", "hello"), turn("customer", "你好 ")
    )
    texts = customer_texts(turns, LANGUAGES, report)
    assert [(text.text, text.lang, dict(text.labels)) for text in texts] == [("你好", "zh", {})]
    assert [(note.line, note.broken) for note in report.refused] == [(4, False)]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param(
            [turn("customer", "can I return my shoes"), turn("agent", ANSWER)],
            [("can I return my shoes", ANSWER, 1)],
            id="long enough",
        ),
        pytest.param([turn("customer", "returns?"), turn("agent", ANSWER)], [], id="short and asked once"),
        pytest.param([turn("customer", "can I return my shoes"), turn("agent", "yes")], [], id="short answer"),
        pytest.param(
            [
                *(turn("customer", "returns?", name) for name in "ab"),
                turn("agent", "Yes.", "a", "2025-03-02"),
                turn("agent", "Yes, sure.", "b", "2025-03-02"),
            ],
            [("returns?", "Yes, sure.", 2)],
            id="frequent",
        ),
        pytest.param(
            [turn("customer", "can I return my shoes"), turn("bot", "?"), turn("agent", ANSWER)], [], id="bot between"
        ),
        pytest.param(
            [
                turn("customer", "hi"),
                turn("customer", "能退货吗"),
                turn("agent", "您好"),
                turn("agent", "可以，三十天内都行"),
            ],
            [("能退货吗", "您好\n可以，三十天内都行", 1)],
            id="several turns in a row",
        ),
        pytest.param([turn("agent", ANSWER), turn("customer", "can I return my shoes")], [], id="never answered"),
        pytest.param(
            [turn("customer", "can I return my shoes", "a"), turn("agent", ANSWER, "b")], [], id="another conversation"
        ),
    ],
)
def test_answered_questions_are_proposed(
    tmp_path: Path, records: list[dict[str, object]], expected: list[tuple[str, str, int]]
) -> None:
    turns, _ = read(tmp_path, *records)
    found = propose_faq(turns, LANGUAGES)
    assert [(item.entry.question, item.entry.answer, item.asked) for item in found] == expected


def test_candidates_are_a_faq_file_with_the_most_frequent_first(tmp_path: Path) -> None:
    long = "how long does it take until my parcel arrives"
    records = []
    for name, question in (("a", f"{long} here"), ("b", f"{long} there"), ("c", f"{long} there")):
        records += [turn("customer", question, name), turn("agent", ANSWER, name, "2025-03-02")]
    turns, _ = read(tmp_path, *records)
    path = tmp_path / "candidates.jsonl"
    path.write_bytes(candidate_lines(propose_faq(turns, LANGUAGES)))
    entries = read_faq(path)
    assert [entry.question for entry in entries] == [f"{long} there", f"{long} here"]
    assert json.loads(path.read_text().splitlines()[0])["asked"] == 2
