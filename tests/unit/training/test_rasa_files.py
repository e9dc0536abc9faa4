from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from nlu.example_schema import Span
from training.import_examples import KnownExamples
from training.import_known import KnownFaq
from training.import_rasa import RasaMaterial, convert_project, templates_snippet
from training.import_report import Report
from training.rasa_files import read_project

NLU = """\
version: "3.1"
nlu:
- intent: greet
  examples: |
    - hello there
    - 你好
- intent: book
  examples: |
    - fly to [Berlin](city) please

    - fly to [上海]{"entity": "city", "value": "SHA"}
- intent: out_of_scope
  examples: |
    - will it rain
- intent: faq/ask_shipping
  examples: |
    - How long does shipping take?
    - shipping time
- synonym: Berlin
  examples: |
    - BER
- regex: order
  examples: |
    - \\d{5}
- lookup: city
  examples: |
    - Berlin
"""
DOMAIN = """\
version: "3.1"
intents: [greet, book]
slots:
  city: {type: text}
responses:
  utter_greet:
  - text: Hello {first_name}!
    buttons:
    - {title: Hi, payload: /greet}
  - text: 您好！
  utter_faq/ask_shipping:
  - text: It takes two days.
  - text: Two days.
  utter_Odd-Name:
  - text: "Price {Amount} {"
  utter_image:
  - image: https://example.org/a.png
"""


def project(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return folder


def convert(path: Path) -> tuple[RasaMaterial, Report]:
    report = Report()
    known = KnownExamples(), KnownFaq()
    return convert_project(read_project(path, report), *known, ("zh", "en"), report), report


@pytest.fixture
def shop(tmp_path: Path) -> tuple[RasaMaterial, Report]:
    files = {
        "data/nlu.yml": NLU,
        "domain.yml": DOMAIN,
        "config.yml": "recipe: default.v1\n",
        "tests/test_stories.yml": "stories: []\n",
        ".rasa/cache.yml": "nlu: broken\n",
    }
    return convert(project(tmp_path, files))


def test_intents_become_examples_with_spans(shop: tuple[RasaMaterial, Report]) -> None:
    material, _ = shop
    found = [(example.text, example.labels["intent"], example.entities, example.lang) for example in material.examples]
    assert found == [
        ("hello there", "greet", (), "en"),
        ("你好", "greet", (), "zh"),
        ("fly to Berlin please", "book", (Span(7, 13, "city"),), "en"),
        ("fly to 上海", "book", (Span(7, 9, "city", "SHA"),), "zh"),
        ("will it rain", "oos", (), "en"),
    ]


def test_retrieval_intents_become_faq_entries(shop: tuple[RasaMaterial, Report]) -> None:
    material, _ = shop
    (entry,) = material.faq
    assert entry.id == "faq-ask_shipping"
    assert entry.question == "How long does shipping take?"
    assert entry.variants == ("shipping time",)
    assert (entry.answer, entry.lang) == ("It takes two days.", "en")


def test_responses_become_templates_to_review(shop: tuple[RasaMaterial, Report]) -> None:
    material, _ = shop
    assert yaml.safe_load(templates_snippet(material.templates)) == {
        "greet": {"en": ["Hello {first_name}!"], "zh": ["您好！"]},
        "odd_name": {"en": ["Price {{Amount}} {{"]},
    }


@pytest.mark.parametrize(
    ("file", "line", "words"),
    [
        pytest.param("data/nlu.yml", 19, "synonym Berlin not taken", id="synonym"),
        pytest.param("data/nlu.yml", 22, "regex order not taken", id="regex"),
        pytest.param("data/nlu.yml", 25, "lookup city not taken", id="lookup"),
        pytest.param("domain.yml", 3, "slots: not taken", id="section"),
        pytest.param("config.yml", 1, "recipe: not taken", id="configuration"),
        pytest.param("domain.yml", 13, "not taken; a FAQ entry has one answer", id="second answer"),
        pytest.param("domain.yml", 17, "has no text", id="image"),
    ],
)
def test_what_has_no_counterpart_is_told(
    shop: tuple[RasaMaterial, Report], tmp_path: Path, file: str, line: int, words: str
) -> None:
    _, report = shop
    notes = [str(note) for note in report.refused if note.path == tmp_path / file and note.line == line]
    assert any(words in note for note in notes), [str(note) for note in report.refused]
    assert not report.broken


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param(14, "out_of_scope read as oos", id="out of scope"),
        pytest.param(17, "faq/ask_shipping became the FAQ entry faq-ask_shipping", id="retrieval intent"),
        pytest.param(7, "left out: buttons", id="buttons"),
        pytest.param(15, "braces that hold no plain slot name doubled", id="braces"),
    ],
)
def test_changes_are_told_with_their_line(shop: tuple[RasaMaterial, Report], line: int, words: str) -> None:
    _, report = shop
    assert any(words in note.message and note.line == line for note in report.changed), list(map(str, report.changed))


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        pytest.param("nlu:\n- intent: a\n  examples: |\n    - fine\n    oops\n", 5, '"- " before each', id="no hyphen"),
        pytest.param("nlu:\n- intent: a\n  examples: |\n    - [x]{y}\n", 4, "not valid JSON", id="annotation"),
        pytest.param("nlu:\n- examples: |\n    - x\n", 2, "expected `- intent: <name>`", id="no intent"),
        pytest.param("nlu:\n  intent: a\n", 2, "expected a list", id="no list"),
        pytest.param("- a\n", 1, "expected sections", id="no sections"),
        pytest.param("nlu: [\n", 2, "not valid YAML", id="no yaml"),
        pytest.param("nlu: " + "[" * 200 + "]" * 200, None, "nested too deeply", id="deep"),
        pytest.param("responses:\n  utter_x: hi\n", 2, "expected a list", id="response without list"),
        pytest.param("nlu:\n- intent: faq/x\n  examples: |\n    - why\n", 4, "no response utter_faq/x", id="no answer"),
    ],
)
def test_mistakes_are_refused_with_their_line(tmp_path: Path, content: str, line: int | None, words: str) -> None:
    _, report = convert(project(tmp_path, {"nlu.yml": content}) / "nlu.yml")
    (note,) = report.broken
    assert note.line == line
    assert words in note.message


@pytest.mark.parametrize(
    ("examples", "expected"),
    [
        pytest.param("[hi, hey]", ["hi", "hey"], id="list of texts"),
        pytest.param("[{text: hi}, {text: hey, metadata: {a: 1}}]", ["hi", "hey"], id="list of mappings"),
        pytest.param('"- hi\\n- hey"', ["hi", "hey"], id="quoted block"),
    ],
)
def test_other_ways_to_write_examples(tmp_path: Path, examples: str, expected: list[str]) -> None:
    path = project(tmp_path, {"nlu.yml": f"nlu:\n- intent: a\n  examples: {examples}\n"})
    material, report = convert(path)
    assert [example.text for example in material.examples] == expected
    assert not report.refused


def test_a_project_without_annotations_says_nothing_about_entities(tmp_path: Path) -> None:
    material, _ = convert(project(tmp_path, {"nlu.yml": "nlu:\n- intent: a\n  examples: |\n    - hi\n"}))
    assert [example.entities for example in material.examples] == [None]


@pytest.mark.parametrize("name", ["nlu.md", "missing.yml"])
def test_files_of_another_kind_or_missing_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "nlu.md").write_text("## intent:a\n- hi\n")
    material, report = convert(tmp_path / name)
    assert material.count == 0
    assert len(report.broken) == 1


def test_a_folder_without_yaml_is_refused(tmp_path: Path) -> None:
    _, report = convert(tmp_path)
    assert "no file ending in .yml" in report.broken[0].message
