from __future__ import annotations

import csv
import errno
import json
import math
from pathlib import Path
from random import Random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nlu.examples import (
    HEADS,
    Contradiction,
    Example,
    Span,
    contradictions,
    fingerprint,
    read_example_files,
    read_examples,
    write_examples,
)
from nlu.types import InputError

CHARACTERS = st.characters(codec="utf-8")
TEXTS = st.text(CHARACTERS, min_size=1, max_size=40).filter(str.strip)
LABELS = st.text(CHARACTERS, min_size=1, max_size=12).map(str.strip).filter(bool)
NOTES = st.text(CHARACTERS, max_size=8)


@st.composite
def example_values(draw: st.DrawFn) -> Example:
    text = draw(TEXTS)
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
    spans = tuple(
        Span(start, end, draw(LABELS), draw(st.none() | st.text(CHARACTERS, min_size=1, max_size=5)))
        for start, end in zip(cuts[::2], cuts[1::2], strict=False)
    )
    return Example(
        text=text,
        labels=draw(st.dictionaries(st.sampled_from(HEADS), LABELS)),
        entities=draw(st.sampled_from([spans, None])),
        lang=draw(NOTES),
        split=draw(NOTES),
        weight=draw(st.floats(min_value=1e-6, max_value=1e6)),
        source=draw(NOTES),
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples")


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(*paths: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_examples(*paths)
    return str(caught.value)


def read_or_refuse(path: Path) -> list[Example] | str:
    try:
        return read_examples(path)
    except InputError as error:
        return str(error)


RICH = Example(
    text="where is FD-20481937, 谢谢 🙂",
    labels={"intent": "order_status", "emotion": "neutral"},
    entities=(Span(9, 20, "order_number", "FD20481937"),),
    lang="en",
    split="train",
    weight=2.5,
    source="shop",
)
PLAIN = Example("hi", {"intent": "greet"})


def as_json_lines() -> str:
    entities = [{"start": 9, "end": 20, "type": "order_number", "value": "FD20481937"}]
    rich = {"text": RICH.text, **RICH.labels, "entities": entities, "lang": "en", "split": "train", "weight": 2.5}
    rich["source"] = "shop"
    return "\n".join([json.dumps(rich), "", json.dumps({"text": "hi", "intent": "greet", "emotion": None})])


def as_csv() -> str:
    entities = '[{""start"": 9, ""end"": 20, ""type"": ""order_number"", ""value"": ""FD20481937""}]'
    return (
        "text,intent,emotion,entities,lang,split,weight,source\r\n"
        f'"{RICH.text}",order_status,neutral,"{entities}",en,train,2.5,shop\r\n'
        "\r\nhi,greet,,,,,,\r\n"
    )


def as_yaml() -> str:
    return f"""# what customers write
- text: "{RICH.text}"
  intent: order_status
  emotion: neutral
  entities: [{{start: 9, end: 20, type: order_number, value: FD20481937}}]
  lang: en
  split: train
  weight: 2.5
  source: shop
- text: hi
  intent: greet
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [("e.jsonl", as_json_lines()), ("e.CSV", as_csv()), ("e.yaml", as_yaml()), ("e.yml", as_yaml())],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte-order-mark"])
def test_each_kind_of_file_gives_the_same_examples(tmp_path: Path, name: str, content: str, mark: str) -> None:
    assert read_examples(written(tmp_path, name, mark + content)) == [RICH, PLAIN]


@given(st.lists(example_values(), min_size=1, max_size=5, unique=True))
@settings(deadline=None)
def test_what_is_written_is_read_again(shared: Path, examples: list[Example]) -> None:
    path = shared / "examples.jsonl"
    write_examples(path, examples)
    assert read_examples(path) == examples


@given(st.lists(st.tuples(TEXTS, LABELS), min_size=1, max_size=5, unique=True))
@settings(deadline=None)
def test_csv_keeps_quotes_commas_and_line_breaks(shared: Path, rows: list[tuple[str, str]]) -> None:
    path = shared / "examples.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("text", "intent"), *rows])
    assert read_examples(path) == [Example(text, {"intent": label}) for text, label in rows]


@given(st.lists(st.tuples(TEXTS, LABELS), min_size=1, max_size=5, unique=True))
@settings(deadline=None)
def test_yaml_round_trip(shared: Path, rows: list[tuple[str, str]]) -> None:
    path = shared / "examples.yaml"
    path.write_text(yaml.safe_dump([{"text": text, "intent": label} for text, label in rows]), encoding="utf-8")
    assert read_examples(path) == [Example(text, {"intent": label}) for text, label in rows]


@given(content=st.binary(max_size=300), ending=st.sampled_from([".jsonl", ".csv", ".yaml"]))
@settings(deadline=None)
def test_any_bytes_are_read_or_refused_by_name(shared: Path, content: bytes, ending: str) -> None:
    path = written(shared, f"any{ending}", content)
    outcome = read_or_refuse(path)
    assert outcome
    assert isinstance(outcome, list) or str(path) in outcome


YAML = st.sampled_from(
    [
        *("- ", "\n- ", "text: ", "\n  intent: ", "entities: ", "a", '""', "2026-01-01", "-", "0x", "_", "1:2"),
        *(
            f"!!{tag} "
            for tag in ("int", "float", "bool", "timestamp", "set", "omap", "pairs", "binary", "str", "null")
        ),
        *("&a ", "*a", "[", "]", "{", "}", "? ", ": ", ", ", "<<: "),
    ]
)


@given(st.lists(YAML, max_size=14).map(lambda pieces: "- text: " + "".join(pieces)))
@settings(deadline=None, max_examples=400)
def test_any_yaml_is_read_or_refused_by_name(shared: Path, content: str) -> None:
    path = written(shared, "any.yaml", content)
    outcome = read_or_refuse(path)
    assert isinstance(outcome, list) or str(path) in outcome


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(["text", "intent", "entities", "lang", "weight", "source", "other"])


@given(st.dictionaries(FIELDS, VALUES))
@settings(deadline=None)
def test_any_record_is_read_or_refused_by_line(shared: Path, record: dict[str, object]) -> None:
    path = written(shared, "any.jsonl", json.dumps(record))
    outcome = read_or_refuse(path)
    if isinstance(outcome, str):
        assert f"{path}:1" in outcome
    else:
        assert [example.text for example in outcome] == [record["text"]]


@pytest.mark.parametrize(
    ("line", "field", "says"),
    [
        ('{"text": "a"', "", "not valid JSON"),
        ('["a"]', "", "expected an object"),
        ('{"intent": "a"}', "text", "expected a text"),
        ('{"text": null}', "text", "got nothing"),
        ('{"text": 5}', "text", "got 5"),
        ('{"text": " \\n"}', "text", "got an empty one"),
        ('{"text": "\\ud800"}', "text", "surrogate"),
        ('{"text": "a", "text": "b"}', "", 'field named twice: "text"'),
        ('{"text": "a", "intent": ""}', "intent", "expected a label"),
        ('{"text": "a", "emotion": 3}', "emotion", "got 3"),
        ('{"text": "a", "topic": ["x"]}', "topic", 'got ["x"]'),
        ('{"text": "a", "sentiment": " good"}', "sentiment", "without spaces"),
        ('{"text": "a", "lang": 1}', "lang", "expected a text"),
        ('{"text": "a", "weight": 0}', "weight", "above 0"),
        ('{"text": "a", "weight": -1}', "weight", "above 0"),
        ('{"text": "a", "weight": 1e39}', "weight", "to 1000000, got 1e+39"),
        ('{"text": "a", "weight": 1e-300}', "weight", "from 0.000001"),
        ('{"text": "a", "weight": true}', "weight", "got true"),
        ('{"text": "a", "weight": "2"}', "weight", 'got "2"'),
        ('{"text": "a", "weight": 1' + "0" * 400 + "}", "weight", "above 0"),
        ('{"text": "a", "weight": 1e999}', "", "out of range"),
        ('{"text": "a", "weight": NaN}', "", "NaN is not a JSON value"),
        ('{"text": "a", "n": ' + "[" * 20000 + "]" * 20000 + "}", "", "nested too deeply"),
        ('{"text": "a", "entities": {}}', "entities", "expected a list"),
        ('{"text": "ab", "entities": [3]}', "entities[0]", "got 3"),
        ('{"text": "ab", "entities": [{"start": 0, "end": 3, "type": "t"}]}', "entities[0]", "text's length"),
        ('{"text": "ab", "entities": [{"start": -1, "end": 1, "type": "t"}]}', "entities[0]", "got -1 and 1"),
        ('{"text": "ab", "entities": [{"start": 1, "end": 1, "type": "t"}]}', "entities[0]", "start < end"),
        ('{"text": "ab", "entities": [{"start": 0, "end": 1.0, "type": "t"}]}', "entities[0]", "whole numbers"),
        ('{"text": "ab", "entities": [{"start": false, "end": 1, "type": "t"}]}', "entities[0]", "whole numbers"),
        ('{"text": "ab", "entities": [{"start": 0, "end": 1}]}', "entities[0].type", "got nothing"),
        ('{"text": "ab", "entities": [{"start": 0, "end": 1, "type": "t", "value": 1}]}', "entities[0].value", "got 1"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, field: str, says: str) -> None:
    path = written(tmp_path, "e.jsonl", f'{{"text": "fine"}}\n{line}\n')
    message = refusal(path)
    assert message.startswith(f"{path}:2: {field}: " if field else f"{path}:2: ")
    assert says in message
    assert message.endswith("nothing was read, correct this and run again")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "content", "place", "says"),
    [
        ("e.txt", b"hi", "", "unsupported ending"),
        ("e.jsonl", b"", "", "empty"),
        ("e.jsonl", b"\n \n", "", "empty"),
        ("e.jsonl", b'{"text": "a"}\n{"text": "\xff"}\n', ":2", "invalid UTF-8"),
        ("e.jsonl", b'{"text": "a"}\n{"text": "' + b"a" * 1_000_000 + b'"}', ":2", "longer than 1,000,000 bytes"),
        ("e.csv", b"", "", "empty"),
        ("e.csv", b"text,intent\r\n", "", "empty"),
        ("e.csv", b"text\na\n\xff\n", ":3", "invalid UTF-8"),
        ("e.csv", b"utterance,intent\na,b\n", ":1", "expected a column `text`"),
        ("e.csv", b"text,intent,text\na,b,c\n", ":1", 'column named twice: "text"'),
        ("e.csv", b"text,intent\n\na,b,c\n", ":3", "expected 2 cells as in the first row, got 3"),
        ("e.csv", b'text,intent\n"a\nb",c\nd\n', ":4", "expected 2 cells"),
        ("e.csv", b'text,intent\n"a,b\n', ":2", "not valid CSV"),
        ("e.csv", b"text,weight\na,many\n", ":2: weight", 'got "many"'),
        ("e.csv", b"text,weight\na,nan\n", ":2: weight", "above 0"),
        ("e.csv", b"text,entities\na,[\n", ":2: entities", "not valid JSON"),
        ("e.csv", b"text,intent\n,b\n", ":2: text", "expected a text"),
        ("e.csv", b"text\n" + b"a" * 1_000_001 + b"\n", ":2", "longer than"),
        ("e.yaml", b"", "", "empty"),
        ("e.yaml", b"text: a\n", ":1", "expected a list"),
        ("e.yaml", b"- text: a\n- text: [\n", ":3", "not valid YAML"),
        ("e.yaml", b"- text: a\n- b\n", ":2", 'got "b"'),
        ("e.yaml", b"- text: a\n- text: b\n  intent: yes\n", ":2: intent", "got true"),
        ("e.yaml", b"- text: a\n- text: b\n  intent: c\n  text: d\n", ":2", 'field named twice: "text"'),
        ("e.yaml", b"- text: 12\n", ":1: text", "got 12"),
        ("e.yaml", b"- text: a\n- text: 2026-13-45\n", ":2", "month must be in 1..12"),
        ("e.yaml", b'- text: !!int ""\n', ":1", "a value does not fit its type"),
        ("e.yaml", b'- text: !!float ""\n', ":1", "a value does not fit its type"),
        ("e.yaml", b"- text: a\n- text: b\n  intent: !!bool x\n", ":2", "a value does not fit its type"),
        ("e.yaml", b"- text: !!timestamp x\n", ":1", "a value does not fit its type"),
        ("e.yaml", b"- text: &a [*a]\n", ":1: text", "got a value of type list"),
        ("e.yaml", b"- text: {2026-01-01: 5}\n", ":1: text", "got a value of type dict"),
        ("e.yaml", b"- text: 0x" + b"f" * 5000 + b"\n", ":1: text", "got a value of type int"),
        ("e.yaml", b"- ? 0x" + b"f" * 5000 + b"\n  : a\n  text: b\n", ":1", "a value does not fit its type"),
        ("e.yaml", b"- text: !!python/name:os.system x\n", ":1", "not valid YAML"),
        ("e.yaml", b"- " + b"[" * 100_000, "", "nested too deeply"),
        ("e.yaml", b"- text: a\n- text: \xff\n", ":2", "invalid UTF-8"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, name: str, content: bytes, place: str, says: str) -> None:
    path = written(tmp_path, name, content)
    message = refusal(path)
    assert message.startswith(f"{path}{place}: ")
    assert says in message


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "folder.jsonl"
    folder.mkdir()
    message = refusal(tmp_path / "absent.csv", folder)
    assert message.startswith("2 problems; ")
    assert f"{tmp_path / 'absent.csv'}: no such file" in message
    assert f"{folder}: cannot be read" in message


def test_all_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    good = written(tmp_path, "good.jsonl", '{"text": "a"}')
    bad = written(tmp_path, "bad.jsonl", '{"text": ""}\n' * 17)
    worse = written(tmp_path, "worse.csv", "text,weight\na,0\n,1\nb,x\n,0\n")
    message = refusal(good, bad, worse)
    assert message.startswith("22 problems; nothing was read, correct this and run again:\n")
    assert message.count("\n") == 21
    assert f"{bad}:17: text: " in message
    assert f"{worse}:4: weight: " in message
    assert message.endswith("and 2 more")


def test_after_a_long_line_the_count_of_lines_goes_on(tmp_path: Path) -> None:
    long = json.dumps({"text": "a" * 3_000_000})
    path = written(tmp_path, "e.jsonl", f'{long}\n{{"text": ""}}\n')
    message = refusal(path)
    assert message.startswith("2 problems")
    assert f"{path}:1: line is longer" in message
    assert f"{path}:2: text" in message


@pytest.mark.parametrize(
    ("name", "content"), [("e.jsonl", '{{"text": "{}"}}'), ("e.csv", "text\n{}"), ("e.yaml", "- text: {}")]
)
def test_a_text_may_have_100000_characters(tmp_path: Path, name: str, content: str) -> None:
    longest = "谢" * 100_000
    assert read_examples(written(tmp_path, name, content.format(longest))) == [Example(longest)]
    message = refusal(written(tmp_path, name, content.format(f"{longest}谢")))
    assert "expected at most 100,000 characters, got 100,001" in message


def test_identical_examples_are_dropped_and_counted(tmp_path: Path) -> None:
    first = written(tmp_path, "a.jsonl", '{"text": "a", "intent": "x"}\n' * 3 + '{"text": "a", "intent": "y"}\n')
    second = written(tmp_path, "b.csv", "text,intent\na,x\nb,x\n")
    files = read_example_files(first, second)
    assert [len(file.examples) for file in files] == [2, 1]
    assert [file.duplicates for file in files] == [2, 1]
    assert [e.text for e in read_examples(first, second, keep_duplicates=True)] == ["a", "a", "a", "a", "a", "b"]


def test_unknown_fields_are_ignored_and_counted(tmp_path: Path) -> None:
    line = '{"text": "ab", "mood": 1, "entities": [{"start": 0, "end": 1, "type": "t", "text": "a", "id": 7}]}\n'
    path = written(tmp_path, "e.jsonl", line + '{"text": "b", "mood": []}\n')
    (file,) = read_example_files(path)
    assert file.unknown_fields == {"mood": 2, "entities.text": 1, "entities.id": 1}
    assert file.examples == (Example("ab", entities=(Span(0, 1, "t"),)), Example("b"))


def test_no_entities_differ_from_entities_that_nobody_looked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "e.jsonl", '{"text": "a", "entities": []}\n{"text": "a"}\n{"text": "b", "entities": null}')
    assert [example.entities for example in read_examples(path)] == [(), None, None]


@pytest.mark.parametrize(
    ("example", "says"),
    [
        (Example(""), "text"),
        (Example("a", {"intent": ""}), "intent"),
        (Example("a", {"mood": "x"}), "mood: is no label field"),
        (Example("a", weight=math.inf), "weight"),
        (Example("a", entities=(Span(0, 2, "t"),)), "entities[0]"),
        (Example("\x01" * 99_999 + "a", {"intent": "x" * 500_000}), "takes more than"),
    ],
)
def test_an_invalid_example_is_not_written(tmp_path: Path, example: Example, says: str) -> None:
    path = tmp_path / "e.jsonl"
    with pytest.raises(InputError, match=r":2: ") as caught:
        write_examples(path, [PLAIN, example])
    assert says in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_only_json_lines_and_never_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends with \.jsonl"):
        write_examples(tmp_path / "e.csv", [PLAIN])
    with pytest.raises(InputError, match="no examples"):
        write_examples(tmp_path / "e.jsonl", [])


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "e.jsonl"
    write_examples(path, [PLAIN])

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("nlu.durable.os.fsync", full)
    with pytest.raises(InputError, match=r"No space left on device.*free space"):
        write_examples(path, [RICH])
    assert read_examples(path) == [PLAIN]
    assert list(tmp_path.iterdir()) == [path]


@given(st.lists(example_values(), max_size=5), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_fingerprint_does_not_depend_on_order(examples: list[Example], random: Random) -> None:
    shuffled = examples[:]
    random.shuffle(shuffled)
    assert fingerprint(shuffled) == fingerprint(examples)
    assert len(fingerprint(examples)) == 64
    assert fingerprint([*examples, PLAIN]) != fingerprint(examples)


@pytest.mark.parametrize(
    "other",
    [
        Example("hi!", {"intent": "greet"}),
        Example("hi", {"intent": "bye"}),
        Example("hi", {"emotion": "greet"}),
        Example("hi", {"intent": "greet"}, entities=()),
        Example("hi", {"intent": "greet"}, entities=(Span(0, 1, "t"),)),
        Example("hi", {"intent": "greet"}, lang="en"),
        Example("hi", {"intent": "greet"}, weight=2),
    ],
)
def test_the_fingerprint_sees_every_field(other: Example) -> None:
    assert fingerprint([other]) != fingerprint([PLAIN])
    assert fingerprint([Example("hi", {"intent": "greet"}, weight=1)]) == fingerprint([PLAIN])


def test_contradictory_labels_are_found_by_head() -> None:
    examples = [
        Example("Where is it?", {"intent": "status", "emotion": "neutral"}),
        Example("ｗhere  is IT?", {"intent": "delivery", "emotion": "neutral"}),
        Example("where is it?", {"emotion": "angry"}),
        Example("hi", {"intent": "greet"}),
        Example("hi", {"intent": "greet"}, lang="en"),
    ]
    assert contradictions(examples) == [
        Contradiction("Where is it?", "intent", ("delivery", "status")),
        Contradiction("Where is it?", "emotion", ("angry", "neutral")),
    ]
