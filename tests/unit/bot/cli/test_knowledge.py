"""`frontdesk faq`: entries into the live knowledge base, and out of the answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bot.adapters.sql_log import open_log
from bot.bootstrap import SystemClock
from bot.cli import knowledge
from bot.cli.doctor import _knowledge_base
from bot.cli.knowledge import edited_entries
from bot.cli.retrain import read_inputs
from bot.domain.records import FaqDraft
from bot.settings import Settings, read_settings
from retrieval.types import FaqEntry, FaqError

SHOP = Path(__file__).parents[4] / "examples" / "shop"
LAMP = FaqEntry("lamp.en", "How do I polish the lamp?", "Softly.", "en")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("FRONTDESK_BOT_DIR", str(SHOP))
    monkeypatch.setenv("FRONTDESK_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.chdir(tmp_path)
    return read_settings()


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    knowledge.add_commands(app)
    return CliRunner().invoke(app, ["faq", *arguments])


def write(path: Path, *entries: Mapping[str, object]) -> str:
    path.write_text("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries), "utf-8")
    return str(path)


def test_a_file_is_put_once_and_what_changed_again(settings: Settings, tmp_path: Path) -> None:
    lamp = {"id": "lamp.en", "question": "How do I polish the lamp?", "answer": "Softly.", "lang": "en"}
    tea = {"id": "tea.zh", "question": "有茶叶吗？", "answer": "有。", "lang": "zh"}
    file = write(tmp_path / "faq.jsonl", lamp, tea)
    first = json.loads(run("put", file, "--json").stdout)
    assert first == {"read": 2, "added": ["lamp.en", "tea.zh"], "replaced": [], "warnings": []}
    again = json.loads(run("put", file, "--json").stdout)
    assert again == {"read": 2, "added": [], "replaced": [], "warnings": []}
    write(tmp_path / "faq.jsonl", lamp, tea | {"answer": "没有。"})
    assert "2 entries read, 0 added, 1 replaced." in run("put", file).stdout
    assert [(e.id, e.answer) for e in edited_entries(settings, [])] == [("lamp.en", "Softly."), ("tea.zh", "没有。")]


def test_texts_are_taken_as_the_file_has_them_and_html_is_pointed_out(settings: Settings, tmp_path: Path) -> None:
    code = 'Write <iframe src="map"></iframe> there.'
    file = write(tmp_path / "faq.jsonl", {"id": "a", "question": "How?", "answer": code, "lang": "en"})
    result = run("put", file)
    assert "a: customers read the HTML of the answer as it stands" in result.stderr
    assert [entry.answer for entry in edited_entries(settings, [])] == [code]


def test_a_refused_entry_is_named(settings: Settings, tmp_path: Path) -> None:
    file = write(tmp_path / "faq.jsonl", {"id": "marks", "question": "?!", "answer": "Yes.", "lang": "en"})
    assert "marks: question: expected words" in str(run("put", file).exception)


@pytest.mark.parametrize("name", ["a/b", "a:b", "a b", "x" * 61])
def test_an_id_that_the_api_cannot_address_is_refused(settings: Settings, tmp_path: Path, name: str) -> None:
    lamp = {"question": "How do I polish the lamp?", "answer": "Softly.", "lang": "en"}
    refused = run("put", write(tmp_path / "faq.jsonl", {"id": "lamp.en"} | lamp, {"id": name} | lamp))
    assert "id: expected at most 60 characters without spaces, `/` or `:`" in str(refused.exception)
    assert edited_entries(settings, []) == []


def test_an_entry_that_is_known_by_such_an_id_is_still_edited(settings: Settings, tmp_path: Path) -> None:
    log = open_log(settings.database, SystemClock())
    log.put_faq(FaqDraft(FaqEntry("a/b", "Lamp?", "Yes.", "en")), "file")
    log.close()
    file = write(tmp_path / "faq.jsonl", {"id": "a/b", "question": "Lamp?", "answer": "No.", "lang": "en"})
    assert "1 replaced" in run("put", file).stdout


def test_the_entries_of_a_file_are_one_change(settings: Settings, tmp_path: Path) -> None:
    lamps = [{"id": f"lamp{n}.en", "question": f"Lamp {n}?", "answer": "Yes.", "lang": "en"} for n in range(5)]
    run("put", write(tmp_path / "faq.jsonl", *lamps))
    log = open_log(settings.database, SystemClock())
    assert (log.faq_revision(), len(log.faq_latest())) == (1, 5)
    log.close()


def test_the_language_is_read_as_the_bot_names_it(settings: Settings, tmp_path: Path) -> None:
    tea = {"question": "有茶叶吗？", "answer": "有。"}
    run("put", write(tmp_path / "faq.jsonl", {"id": "a"} | tea, {"id": "b", "lang": "zh_CN"} | tea))
    assert {entry.id: entry.lang for entry in edited_entries(settings, [])} == {"a": "zh", "b": "zh"}


def test_entries_of_a_file_are_scheduled(settings: Settings, tmp_path: Path) -> None:
    file = write(tmp_path / "faq.jsonl", {"id": "lamp.en", "question": "Lamp?", "answer": "Yes.", "lang": "en"})
    assert "1 added" in run("put", file, "--valid-from", "2999-01-01").stdout
    assert edited_entries(settings, []) == []
    assert "0 added, 0 replaced" in run("put", file, "--valid-from", "2999-01-01T00:00+00:00").stdout
    assert "0 added, 1 replaced" in run("put", file, "--valid-until", "2999-01-01T08:00+08:00").stdout
    assert [entry.id for entry in edited_entries(settings, [])] == ["lamp.en"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--valid-from", "soon"], "--valid-from: expected a date such as 2026-12-01"),
        (["--valid-from", "2999-01-01", "--valid-until", "2998-01-01"], "expected a moment after valid_from"),
    ],
)
def test_a_wrong_schedule_is_refused(settings: Settings, tmp_path: Path, options: list[str], message: str) -> None:
    file = write(tmp_path / "faq.jsonl", {"id": "lamp.en", "question": "Lamp?", "answer": "Yes.", "lang": "en"})
    assert message in str(run("put", file, *options).exception)
    assert edited_entries(settings, []) == []


def test_a_disabled_entry_is_listed_and_answers_nobody(settings: Settings, tmp_path: Path) -> None:
    file = write(tmp_path / "faq.jsonl", {"id": "lamp.en", "question": "Lamp?", "answer": "Yes.", "lang": "en"})
    run("put", file, "--valid-until", "2999-01-01")
    assert run("disable", "lamp.en").exit_code == 0
    assert "silent  lamp.en  v2  Lamp?" in run("list").stdout
    [listed] = json.loads(run("list", "--json").stdout)
    assert (listed["version"], listed["enabled"], listed["answers"]) == (2, False, False)
    assert edited_entries(settings, []) == []


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"id": "x", "question": "x", "answer": "y", "lang": "fr"},
            "faq.jsonl:2: lang: expected one of en, zh, got 'fr'",
        ),
        ({"id": "x", "question": "x", "lang": "en"}, "answer: expected text, the field is missing"),
    ],
)
def test_of_a_wrong_file_nothing_is_taken(
    settings: Settings, tmp_path: Path, entry: dict[str, str], message: str
) -> None:
    good = {"id": "lamp.en", "question": "Lamp?", "answer": "Yes.", "lang": "en"}
    result = run("put", write(tmp_path / "faq.jsonl", good, entry))
    assert isinstance(result.exception, FaqError)
    assert message in str(result.exception)
    assert edited_entries(settings, []) == []


def test_an_unknown_entry_cannot_be_disabled(settings: Settings) -> None:
    assert "There is no FAQ entry 'gone'" in str(run("disable", "gone").exception)


def test_retraining_learns_from_edited_entries(settings: Settings, tmp_path: Path) -> None:
    before = {entry.id for entry in read_inputs(settings).faq}
    write(tmp_path / "faq.jsonl", {"id": "lamp.en", "question": LAMP.question, "answer": LAMP.answer, "lang": "en"})
    run("put", str(tmp_path / "faq.jsonl"))
    after = read_inputs(settings).faq
    assert {entry.id for entry in after} - before == {"lamp.en"}
    assert after[-1] == LAMP


def test_entries_that_ask_nearly_the_same_are_pointed_out(settings: Settings, tmp_path: Path) -> None:
    ask = {"question": "How do I return my order?", "answer": "Within 30 days.", "lang": "en"}
    run("put", write(tmp_path / "a.jsonl", {"id": "returns.en"} | ask))
    other = {"id": "back.en", "question": "How can I return an order?", "answer": "Within 14 days.", "lang": "en"}
    put = run("put", write(tmp_path / "b.jsonl", other), "--json")
    told = (
        'back.en: contradiction: asks nearly the same as returns.en "How do I return my order?", '
        "but the answers differ (30 / 14); correct one or merge them"
    )
    assert json.loads(put.stdout)["warnings"] == [told]
    assert told in put.stderr


def test_doctor_names_wordings_that_several_entries_have(settings: Settings, tmp_path: Path) -> None:
    lamp = {"id": "lamp.en", "question": "Does the lamp turn on?", "answer": "It does.", "lang": "en"}
    run("put", write(tmp_path / "a.jsonl", lamp))
    assert _knowledge_base(settings) == "1 entries answer"
    rude = {"id": "rude.en", "question": "Is it you?", "answer": "No.", "lang": "en"}
    told = '"Does the lamp turn on?" is asked in lamp.en and rude.en: none of them is certain; keep it in one'
    put = run("put", write(tmp_path / "b.jsonl", rude | {"variants": ["does the LAMP turn on"]}))
    assert told in put.stderr
    assert _knowledge_base(settings) == f"2 entries answer, but {told}"
