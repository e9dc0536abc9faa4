"""Labelled texts from elsewhere into examples: names mapped, repetitions left out, contradictions refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nlu.example_schema import HEADS, Example, parse_example
from nlu.examples import read_examples
from nlu.records import decode_json, read_records
from nlu.text import detect_language, normalise
from training.import_names import text_columns, with_standard_names
from training.import_report import ExampleProblems, Report

NAMES = {
    "text": ("utterance", "query", "sentence", "文本", "语料", "问法", "用户问法"),
    "intent": ("label", "意图", "标签"),
    "emotion": ("情绪", "情感"),
    "sentiment": ("情感倾向",),
    "topic": ("主题",),
    "entities": ("实体",),
    "lang": ("language", "locale", "语言"),
    "split": (),
    "weight": ("权重",),
    "source": ("来源",),
}
"""The fields of an example, with what they are called elsewhere."""


@dataclass(slots=True)
class _Seen:
    """What is known of one text: where each head's label stands, and where its entities do."""

    labels: dict[str, tuple[str, str]] = field(default_factory=dict)
    entities: str = ""


class KnownExamples:
    """Texts that are labelled already, compared without regard to case and width of characters."""

    def __init__(self) -> None:
        self._texts: dict[str, _Seen] = {}
        self._intents: set[str] = set()

    @classmethod
    def of(cls, paths: Iterable[Path]) -> KnownExamples:
        """Everything that is labelled in example files."""
        known = cls()
        for path in paths:
            for example in read_examples(path):
                known.add(example, str(path))
        return known

    @property
    def intents(self) -> frozenset[str]:
        """The intents that occur."""
        return frozenset(self._intents)

    def add(self, example: Example, place: str) -> None:
        """Remembers an example.

        Args:
            example: the example.
            place: where it is, for messages.
        """
        seen = self._texts.setdefault(_key(example.text), _Seen())
        for head, label in example.labels.items():
            seen.labels.setdefault(head, (label, place))
        if example.entities:
            seen.entities = seen.entities or place
        if "intent" in example.labels:
            self._intents.add(example.labels["intent"])

    def contradiction(self, example: Example) -> tuple[str, str, str] | None:
        """The first head for which the same text has another label, with that label and its place."""
        seen = self._texts.get(_key(example.text), _Seen())
        for head, label in example.labels.items():
            known, place = seen.labels.get(head, (label, ""))
            if known != label:
                return head, known, place
        return None

    def place_of(self, example: Example) -> str | None:
        """Where everything this example says is said already, if it is."""
        seen = self._texts.get(_key(example.text))
        if seen is None or any(head not in seen.labels for head in example.labels):
            return None
        if example.entities and not seen.entities:
            return None
        places = [seen.labels[head][1] for head in example.labels]
        return places[0] if places else seen.entities or None


def convert_examples(
    paths: Sequence[Path], known: KnownExamples, languages: Sequence[str], report: Report
) -> list[Example]:
    """Reads example files of the contract's format, or with the usual other names for its fields.

    Args:
        paths: JSON lines, CSV or YAML files.
        known: what is labelled already; grows by what is taken here.
        languages: languages on offer where an example names none.
        report: is told of every change and refusal.

    Returns:
        The sound, new examples in order.
    """
    problems = ExampleProblems(report)
    examples: list[Example] = []
    for path in paths:
        before = len(report.refused), len(examples)
        detected: Counter[str] = Counter()
        noted = problems.count
        for line, record in read_records(path, problems, text_columns(path, NAMES, _DECODERS)):
            damaged = problems.count > noted and report.refused[-1].line == line
            noted = problems.count
            example = None if damaged else _example(path, line, record, report)
            if example is None:
                continue
            if not example.lang and (lang := detect_language(example.text, languages)):
                example = replace(example, lang=lang)
                detected[lang] += 1
            if admit(example, path, line, known, report):
                examples.append(example)
        if detected:
            counts = ", ".join(f"{lang} {count} times" for lang, count in sorted(detected.items()))
            report.change(path, None, "lang", f"was missing, detected {counts}")
        if before == (len(report.refused), len(examples)):
            report.refuse(path, None, "", "the file is empty; expected at least one example")
    return examples


def admit(example: Example, path: Path, line: int, known: KnownExamples, report: Report) -> bool:
    """Takes an example unless it repeats or contradicts another one.

    Args:
        example: the example.
        path: the file it stands in.
        line: its line.
        known: what is labelled already; grows by the example.
        report: is told why it was not taken.

    Returns:
        Whether it was taken.
    """
    if contradiction := known.contradiction(example):
        head, label, place = contradiction
        message = f"{example.labels[head]}: the same text has {label} in {place}; keep the right one"
        report.refuse(path, line, head, message)
        return False
    if place_of_twin := known.place_of(example):
        report.leave_out(path, line, "text", f"the same example is already in {place_of_twin}")
        return False
    known.add(example, f"{path}:{line}")
    return True


def _example(path: Path, line: int, record: Mapping[str, object], report: Report) -> Example | None:
    fields = with_standard_names(path, line, record, NAMES, report)
    for head in HEADS:
        label = fields.get(head)
        if isinstance(label, str) and label.strip() and label != label.strip():
            fields[head] = label.strip()
            report.change(path, line, head, "took away the spaces around the label")
    example = parse_example(fields, lambda name, message: report.refuse(path, line, name, message))
    if example is not None and not example.labels and not example.entities:
        report.refuse(path, line, "", f"no label; expected at least one of {', '.join(HEADS)} or entities")
        return None
    return example


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"expected a finite number above 0, got {cell[:40]!r}") from None


_DECODERS = {"entities": decode_json, "weight": _number}


def _key(text: str) -> str:
    return normalise(text).casefold()
