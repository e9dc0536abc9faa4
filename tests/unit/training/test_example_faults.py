from __future__ import annotations

from pathlib import Path

import pytest

from nlu.examples import Example, Span, read_examples
from training.datasets import NO_LABEL, Features, LabelSets, label_sets
from training.example_faults import example_faults

NOTHING = LabelSets({}, ())


def faults(examples: list[Example]) -> list[str]:
    return example_faults(examples, [], NOTHING)


def test_contradictory_labels_are_told_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = ['{"text": "where is it", "intent": "status"}', "", '{"text": "Where is  it", "intent": "delivery"}']
    path.write_text("\n".join(lines), "utf-8")
    assert faults(read_examples(path)) == [
        f'"where is it" has more than one intent: delivery ({path}:3), status ({path}:1).'
    ]
    assert faults([Example("hi", {"topic": "a"}), Example("hi", {"topic": "b"})]) == [
        '"hi" has more than one topic: a, b.'
    ]


def test_the_worst_contradictions_come_first_and_the_rest_is_counted() -> None:
    said = [Example(f"text {n}", {"intent": label}) for n in range(8) for label in "ab"]
    found = faults([*said, Example("text 7", {"intent": "c"})])
    assert found[0] == '"text 7" has more than one intent: a, b, c.'
    assert found[5:] == ["3 more texts with contradictory labels."]


@pytest.mark.parametrize(
    ("text", "spans", "told"),
    [
        ("to Shanghai", [(3, 8)], ['a.csv:7: the entity "Shang" cuts a word.']),
        ("to Shanghai", [(5, 11)], ['a.csv:7: the entity "anghai" cuts a word.']),
        ("order 20481937", [(6, 10)], ['a.csv:7: the entity "2048" cuts a word.']),
        ("red lamp", [(0, 8), (4, 8)], ['a.csv:7: the entities "red lamp" and "lamp" overlap; the longer one counts.']),
        ("to Shanghai, 500g", [(3, 11), (13, 16)], []),
        ("我要去上海吃饭", [(3, 5)], []),
        ("去Shanghai吃饭", [(1, 9)], []),
        ("red lamp", [(0, 3), (4, 8)], []),
    ],
)
def test_doubtful_entities_are_told_with_file_and_line(
    text: str, spans: list[tuple[int, int]], told: list[str]
) -> None:
    assert faults([Example(text, {}, tuple(Span(*span, "x") for span in spans), place="a.csv:7")]) == told


def test_labels_of_which_too_little_is_known_are_named() -> None:
    many = [Example(f"{label} {n}", {"intent": label}) for label in ("a", "b") for n in range(3)]
    examples = [*many, Example("alone", {"intent": "c", "emotion": "joy"}), Example("alas", {"emotion": "anger"})]
    held = [Features((1,), {"intent": 0}, None), Features((1,), {"emotion": NO_LABEL}, None)]
    assert example_faults(examples, held, label_sets(examples)) == [
        "emotion: a single example of anger, joy.",
        "intent: a single example of c.",
        "emotion: no text is held out of anger, joy; no threshold heeds them.",
        "intent: no text is held out of b, c; no threshold heeds them.",
    ]


def test_many_labels_are_cut_short() -> None:
    examples = [Example(f"text {n}", {"intent": f"label{n:02}"}) for n in range(15)]
    assert faults([]) == []
    single, _ = example_faults(examples, [], label_sets(examples))
    assert single.endswith("label11 and 3 more.")
