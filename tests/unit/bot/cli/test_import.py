from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from bot.adapters.sql_log import open_log
from bot.bootstrap import SystemClock
from bot.cli import importing
from bot.domain.records import FaqDraft
from bot.errors import FrontdeskError
from nlu.examples import read_examples
from retrieval.faq import read_faq
from retrieval.types import FaqEntry

NLU = """\
nlu:
- intent: greet
  examples: |
    - hello there
- intent: faq/ask_hours
  examples: |
    - When are you open?
"""
DOMAIN = """\
responses:
  utter_faq/ask_hours:
  - text: From nine to five.
  utter_greet:
  - text: Hello!
"""
CHAT = """\
conversation,at,role,text
a,2025-03-01T09:00:00Z,customer,can I return my new shoes
a,2025-03-01T09:01:00Z,agent,You can send them back within thirty days free of charge.
"""


@pytest.fixture
def bot_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bot"
    (folder / "faq").mkdir(parents=True)
    (folder / "examples").mkdir()
    (folder / "faq" / "faq.jsonl").write_text('{"id": "hours", "question": "Opening hours?", "answer": "9 to 5."}\n')
    monkeypatch.setenv("FRONTDESK_BOT_DIR", str(folder))
    monkeypatch.setenv("FRONTDESK_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.chdir(tmp_path)
    return folder


def run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    importing.add_commands(app)
    return CliRunner().invoke(app, ["import", *map(str, arguments)])


def report(result: Result) -> dict[str, Any]:
    document = json.loads(result.stdout)
    assert isinstance(document, dict)
    return document


def source(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8")
    return path


def test_new_entries_are_compared_with_those_that_answer_now(tmp_path: Path, bot_dir: Path) -> None:
    log = open_log(f"sqlite:///{tmp_path}/var/frontdesk.sqlite3", SystemClock())
    for entry in (
        FaqEntry("returns", "How do I return my order?", "Within 30 days.", "en", ("refund please",)),
        FaqEntry("gifts", "Do you wrap gifts?", "Yes.", "en"),
        FaqEntry("hours", "What are your opening hours?", "From nine to five.", "en"),
    ):
        log.put_faq(FaqDraft(entry), "api")
    log.close()
    path = source(
        tmp_path,
        "new.csv",
        "id,question,answer,variants\n"
        "back,How can I return an order?,Within 14 days.,\n"
        "gifts,Is there wrapping paper for gifts?,No.,\n"
        "money,When do I get my money?,Soon.,Refund please!\n",
    )
    result = run("faq", path)
    assert result.exit_code == 0, result.output
    warned = [line.partition(f"{path}")[2] for line in result.stdout.splitlines() if line.startswith("warning")]
    overwritten, shared, contradiction = warned
    assert overwritten == ":3: id: 'gifts' answers \"Do you wrap gifts?\" now; `frontdesk faq put` would overwrite it"
    place = "the knowledge base that answers now (returns)"
    assert shared == f':4: variants: "refund please" is asked in {place}, too, so that none is certain; keep it in one'
    assert f':2: question: contradiction: asks nearly the same as {place} "How do I return my order?"' in contradiction
    assert "(30 / 14)" in contradiction


def test_an_import_makes_no_database(tmp_path: Path, bot_dir: Path) -> None:
    assert run("faq", source(tmp_path, "new.csv", "question,answer\nWhy?,So.\n")).exit_code == 0
    assert not (tmp_path / "var" / "frontdesk.sqlite3").exists()


def test_a_faq_is_taken_and_reported_line_by_line(tmp_path: Path, bot_dir: Path) -> None:
    path = source(tmp_path, "old faq.csv", "问题,答案\n怎么退货？,30天内。\n")
    result = run("faq", path)
    assert result.exit_code == 0, result.output
    target = bot_dir / "faq" / "imported-old faq.jsonl"
    (entry,) = read_faq(target)
    assert result.stdout.splitlines() == [
        f"changed  {path}:1: 问题: read as question",
        f"changed  {path}:1: 答案: read as answer",
        f"changed  {path}:2: lang: was missing, detected zh",
        f"changed  {path}:2: id: was missing, made {entry.id} from the question",
        f"written  {target}",
        "1 taken, 4 changes, 0 refused or left out",
    ]


@pytest.mark.parametrize(
    ("options", "code", "taken"),
    [
        pytest.param([], 2, 0, id="nothing by halves"),
        pytest.param(["--skip-bad"], 0, 1, id="skipped when asked for"),
    ],
)
def test_broken_entries(tmp_path: Path, bot_dir: Path, options: list[str], code: int, taken: int) -> None:
    path = source(tmp_path, "new.csv", "id,question,answer,lang\na,Why?,Because.,en\nb,How?,,en\nhours,Who?,We.,en\n")
    result = run("faq", path, "--json", *options)
    assert result.exit_code == code
    document = report(result)
    target = bot_dir / "faq" / "imported-new.jsonl"
    assert document["taken"] == taken
    assert document["written"] == ([str(target)] if taken else [])
    assert target.exists() == bool(taken)
    assert [(note["line"], note["field"], note["broken"]) for note in document["refused"]] == [
        (3, "answer", True),
        (4, "id", True),
    ]
    if code:
        assert "2 mistakes were found, the first: " in result.stderr
        assert "--skip-bad to take the other 1" in result.stderr


def test_what_could_not_be_read_to_its_end_is_not_taken_by_halves(tmp_path: Path, bot_dir: Path) -> None:
    path = source(tmp_path, "new.csv", 'id,question,answer,lang\na,Why?,Because.,en\nb,How?,"So.,en\nc,Who?,We.,en\n')
    result = run("faq", path, "--skip-bad")
    assert result.exit_code == 2
    assert "nothing was written, as --skip-bad cannot skip what could not be read" in result.stderr
    assert "new.csv:3: expected CSV" in result.stderr
    assert "nothing from line 3 on was read" in result.stderr
    assert not (bot_dir / "faq" / "imported-new.jsonl").exists()


def test_only_replace_writes_anew(tmp_path: Path, bot_dir: Path) -> None:
    path = source(tmp_path, "new.csv", "id,question,answer,lang\na,Why?,Because.,en\n")
    target = bot_dir / "faq" / "imported-new.jsonl"
    assert run("faq", path).exit_code == 0
    path.write_text("id,question,answer,lang\na,Why?,No idea.,en\n")
    refused = run("faq", path)
    assert isinstance(refused.exception, FrontdeskError)
    assert "--replace" in str(refused.exception)
    assert read_faq(target)[0].answer == "Because."
    assert run("faq", path, "--replace").exit_code == 0
    assert read_faq(target)[0].answer == "No idea."


def test_alike_entries_are_pointed_out_with_both_places(tmp_path: Path, bot_dir: Path) -> None:
    content = (
        "id,question,answer\na,How do I return an item?,Within 30 days.\nb,How can I return items?,Within 14 days.\n"
    )
    path = source(tmp_path, "new.csv", content + "c,What are your opening hours?,9 to 5.\n")
    result = run("faq", path)
    assert result.exit_code == 0, result.output
    contradiction, duplicate = [line for line in result.stdout.splitlines() if line.startswith("warning")]
    assert f"{path}:3: question: contradiction: asks nearly the same as {path}:2 " in contradiction
    assert "(30 / 14)" in contradiction
    assert (
        f"{path}:4: question: near-duplicate: asks nearly the same as {bot_dir / 'faq' / 'faq.jsonl'} (hours) "
        in duplicate
    )
    assert result.stdout.endswith("refused or left out, 2 warnings\n")
    warned = report(run("faq", path, "--json", "--replace"))["warned"]
    assert [(note["line"], note["field"]) for note in warned] == [(3, "question"), (4, "question")]


def test_a_folder_of_faq_files_names_what_it_leaves_out(tmp_path: Path, bot_dir: Path) -> None:
    source(tmp_path, "old/a.md", "# Can I return it?\n\nYes.\n")
    source(tmp_path, "old/b.html", "<h2>怎么退货？</h2><p>七天内。</p><script>x()</script>")
    source(tmp_path, "old/c.docx", "x")
    source(tmp_path, "old/.hidden.csv", "x")
    source(tmp_path, "old/~$d.xlsx", "x")
    source(tmp_path, "old/deeper/e.csv", "x")
    result = run("faq", tmp_path / "old", "--json")
    assert result.exit_code == 0, result.output
    entries = read_faq(bot_dir / "faq" / "imported-old.jsonl")
    assert [(entry.question, entry.answer) for entry in entries] == [
        ("Can I return it?", "Yes."),
        ("怎么退货？", "七天内。"),
    ]
    assert {Path(note["file"]).name for note in report(result)["refused"]} == {"c.docx", "deeper"}


def test_a_release_in_force_lends_its_vectors(tmp_path: Path, bot_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def embed(texts: list[str]) -> np.ndarray:
        return np.array([[1, 0], [0.98, 0.199]], dtype=np.float32)

    monkeypatch.setattr(importing, "_embedder", lambda settings, count: embed)
    result = run("faq", source(tmp_path, "new.csv", "question,answer\nDelivery fee?,9 to 5.\n"))
    assert "near-duplicate" in result.stdout


def test_examples_name_intents_that_are_new(tmp_path: Path, bot_dir: Path) -> None:
    source(bot_dir, "examples/base.jsonl", '{"text": "hi", "intent": "greet"}\n')
    path = source(tmp_path, "new.csv", "utterance,label\nhello,greet\nsee you,bye\nHi,greet\n")
    result = run("examples", path)
    assert result.exit_code == 0, result.output
    found = read_examples(bot_dir / "examples" / "imported-new.jsonl")
    assert [(example.text, example.labels["intent"]) for example in found] == [("hello", "greet"), ("see you", "bye")]
    assert "left out" in result.stdout
    assert "had before: bye." in result.stderr


def test_a_folder_of_examples(tmp_path: Path, bot_dir: Path) -> None:
    source(tmp_path, "old/a.csv", "text,intent\nhello,greet\n")
    source(tmp_path, "old/b.yaml", "- text: so long\n  intent: bye\n")
    assert run("examples", tmp_path / "old").exit_code == 0
    assert len(read_examples(bot_dir / "examples" / "imported-old.jsonl")) == 2


def test_out_says_where(tmp_path: Path, bot_dir: Path) -> None:
    path = source(tmp_path, "new.csv", "text,intent\nhello,greet\n")
    assert run("examples", path, "--out", tmp_path / "there" / "x.jsonl").exit_code == 0
    assert len(read_examples(tmp_path / "there" / "x.jsonl")) == 1
    assert list((bot_dir / "examples").iterdir()) == []
    refused = run("examples", path, "--out", tmp_path / "x.csv")
    assert "ends with .jsonl" in str(refused.exception)


def test_transcripts_give_texts_and_candidates(tmp_path: Path, bot_dir: Path) -> None:
    result = run("transcripts", source(tmp_path, "chat.csv", CHAT), "--json")
    assert result.exit_code == 0, result.output
    texts, candidates = (
        tmp_path / "var" / "transcripts" / f"{name}-chat.jsonl" for name in ("imported", "faq-candidates")
    )
    assert report(result)["written"] == [str(texts), str(candidates)]
    assert report(result)["taken"] == 1
    assert "1 FAQ candidates" in report(result)["remarks"][0]
    assert [example.text for example in read_examples(texts)] == ["can I return my new shoes"]
    assert run("faq", candidates).exit_code == 0
    assert read_faq(bot_dir / "faq" / "imported-faq-candidates-chat.jsonl")[0].question == "can I return my new shoes"


def test_a_rasa_project_gives_examples_faq_and_templates(tmp_path: Path, bot_dir: Path) -> None:
    source(tmp_path, "rasabot/data/nlu.yml", NLU)
    source(tmp_path, "rasabot/domain.yml", DOMAIN)
    result = run("rasa", tmp_path / "rasabot", "--json")
    assert result.exit_code == 0, result.output
    examples, faq = (bot_dir / kind / "imported-rasabot.jsonl" for kind in ("examples", "faq"))
    assert report(result)["taken"] == 3
    assert report(result)["written"] == [str(examples), str(faq), str(bot_dir / "imported-templates.yaml")]
    assert [example.text for example in read_examples(examples)] == ["hello there"]
    assert [entry.answer for entry in read_faq(faq)] == ["From nine to five."]
    assert "Hello!" in (bot_dir / "imported-templates.yaml").read_text()


@pytest.mark.parametrize(
    ("kind", "name", "content", "words"),
    [
        pytest.param("faq", "a.csv", "", "the file is empty", id="empty FAQ"),
        pytest.param("faq", "a.csv", "question,answer\nOpening hours?,x\n", "already asked in", id="FAQ known"),
        pytest.param("examples", "a.csv", "foo\nbar\n", "expected a column", id="no text column"),
        pytest.param("transcripts", "a.jsonl", "[]\n", "expected an object", id="no turn"),
        pytest.param("rasa", "a.yml", "rules: []\n", "no counterpart", id="no nlu"),
    ],
)
def test_nothing_to_take_is_a_clear_refusal(
    tmp_path: Path, bot_dir: Path, kind: str, name: str, content: str, words: str
) -> None:
    before = sorted(bot_dir.rglob("*"))
    result = run(kind, source(tmp_path, name, content))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"frontdesk: {tmp_path / name}: nothing could be taken: ")
    assert words in result.stderr
    assert sorted(bot_dir.rglob("*")) == before


@pytest.mark.parametrize("kind", ["faq", "examples", "transcripts", "rasa"])
def test_a_missing_path_is_named(tmp_path: Path, bot_dir: Path, kind: str) -> None:
    result = run(kind, tmp_path / "nowhere.yml")
    assert isinstance(result.exception, FrontdeskError)
    assert "nowhere.yml" in str(result.exception)


def test_a_missing_bot_folder_is_named(tmp_path: Path, bot_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_BOT_DIR", str(tmp_path / "none"))
    result = run("faq", source(tmp_path, "a.csv", "question,answer\na,b\n"))
    assert "FRONTDESK_BOT_DIR" in str(result.exception)
