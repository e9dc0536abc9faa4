"""What a labelled example is, and the check that turns a record into one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nlu.records import describe

HEADS = ("intent", "emotion", "sentiment", "topic")
"""The label fields; each that is present becomes a head."""

MAX_TEXT = 100_000
"""The longest text, in characters."""

_LEAST_WEIGHT, _MOST_WEIGHT = 1e-6, 1e6

_NOTES = ("lang", "split", "source")
_FIELDS = {"text", "entities", "weight", *HEADS, *_NOTES}
_SPAN_FIELDS = {"start", "end", "type", "value"}

Report = Callable[[str, str], None]
"""Takes a field and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Span:
    """An entity in an example's text.

    Attributes:
        start: first character.
        end: one past the last character.
        type: what it is, such as `order_number`.
        value: the normalised value, where one is given.
    """

    start: int
    end: int
    type: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled text.

    Attributes:
        text: what a customer wrote, as given.
        labels: head to label; heads without a label are absent.
        entities: spans in `text`, of which the longest counts where some overlap; empty where there are none, None
            where nobody looked for any.
        lang: its language, empty where unknown.
        split: such as `train` or `test`, empty where not given.
        weight: how much it counts in training, from a millionth to a million.
        source: where it came from, empty where not given.
        place: the file and line that it was read from, empty where it was not; no part of what it is.
    """

    text: str
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    entities: tuple[Span, ...] | None = None
    lang: str = ""
    split: str = ""
    weight: float = 1.0
    source: str = ""
    place: str = field(default="", compare=False, repr=False)


def parse_example(record: Mapping[str, object], report: Report) -> Example | None:
    """Builds an example from a record.

    Args:
        record: field to value.
        report: is told of every problem.

    Returns:
        The example, or None where a problem was reported.
    """
    count = 0

    def note(name: str, message: str) -> None:
        nonlocal count
        count += 1
        report(name, message)

    text = _text(record.get("text"), note)
    labels = {head: _label(head, record[head], note) for head in HEADS if record.get(head) is not None}
    entities = _spans(record["entities"], text, note) if record.get("entities") is not None else None
    notes = {name: _note(name, record.get(name), note) for name in _NOTES}
    weight = _weight(record.get("weight", 1.0), note)
    return None if count else Example(text, labels, entities, weight=weight, **notes)


def _text(value: object, note: Report) -> str:
    if not isinstance(value, str):
        note("text", f"expected a text (in quotes), got {describe(value)}")
        return ""
    if not value.strip():
        note("text", "expected a text, got an empty one")
    elif len(value) > MAX_TEXT:
        note("text", f"expected at most {MAX_TEXT:,} characters, got {len(value):,}")
    elif not _encodable(value):
        note("text", "holds half a surrogate pair, which is no character")
    return value


def _label(head: str, value: object, note: Report) -> str:
    if not isinstance(value, str) or not value.strip() or not _encodable(value):
        note(head, f"expected a label (a text that is not empty, in quotes), got {describe(value)}")
        return ""
    if value != value.strip():
        note(head, f"expected a label without spaces around it, got {describe(value)}")
    return value


def _note(name: str, value: object, note: Report) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or not _encodable(value):
        note(name, f"expected a text (in quotes), got {describe(value)}")
        return ""
    return value


def _weight(value: object, note: Report) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            weight = float(value)
        except OverflowError:
            weight = math.inf
        if _LEAST_WEIGHT <= weight <= _MOST_WEIGHT:
            return weight
    note("weight", f"expected a number above 0, from 0.000001 to 1000000, got {describe(value)}")
    return 1.0


def _spans(value: object, text: str, note: Report) -> tuple[Span, ...]:
    if not isinstance(value, list):
        note("entities", f"expected a list of spans, got {describe(value)}")
        return ()
    sound = []
    for index, item in enumerate(value):
        span = _span(f"entities[{index}]", item, text, note)
        if span is not None:
            sound.append(span)
    return tuple(sound)


def _span(name: str, item: object, text: str, note: Report) -> Span | None:
    if not isinstance(item, dict):
        note(name, f'expected {{"start", "end", "type"}}, got {describe(item)}')
        return None
    start, end, kind, value = (item.get(key) for key in ("start", "end", "type", "value"))
    if type(start) is not int or type(end) is not int:
        note(name, f"expected whole numbers as start and end, got {describe(start)} and {describe(end)}")
    elif not 0 <= start < end <= len(text):
        note(name, f"expected 0 <= start < end <= {len(text)} (the text's length), got {start} and {end}")
    elif not isinstance(kind, str) or not kind.strip() or not _encodable(kind):
        note(f"{name}.type", f"expected the entity's type (a text that is not empty), got {describe(kind)}")
    elif value is not None and (not isinstance(value, str) or not value or not _encodable(value)):
        note(f"{name}.value", f"expected a text that is not empty, or none, got {describe(value)}")
    else:
        return Span(start, end, kind, value)
    return None


def _encodable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def unknown_fields(record: Mapping[str, object]) -> Iterator[str]:
    """The fields of a record that mean nothing here; those of its spans as `entities.<field>`."""
    yield from record.keys() - _FIELDS
    entities = record.get("entities")
    if isinstance(entities, list):
        keys = {str(key) for item in entities if isinstance(item, dict) for key in item}
        yield from (f"entities.{key}" for key in keys - _SPAN_FIELDS)


def example_document(example: Example) -> dict[str, Any]:
    """The record that `parse_example` builds the same example from."""
    document: dict[str, Any] = {"text": example.text, **example.labels}
    if example.entities is not None:
        document["entities"] = [
            {"start": span.start, "end": span.end, "type": span.type}
            | ({} if span.value is None else {"value": span.value})
            for span in example.entities
        ]
    document |= {name: value for name in _NOTES if (value := getattr(example, name))}
    if example.weight != 1.0:
        document["weight"] = example.weight
    return document
