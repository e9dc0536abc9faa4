from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.example_schema import Span
from training.rasa_inline import parse_annotated

PLAIN = st.text(st.characters(blacklist_characters="[](){}", blacklist_categories=("Cs",)), max_size=12)
SURFACE = PLAIN.filter(bool)
TYPES = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
VALUES = st.none() | st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("line", "text", "spans"),
    [
        pytest.param("hello", "hello", (), id="plain"),
        pytest.param("to [Berlin](city) now", "to Berlin now", (Span(3, 9, "city"),), id="type"),
        pytest.param("[NY](city:New York)", "NY", (Span(0, 2, "city", "New York"),), id="type and value"),
        pytest.param('[上海]{"entity": "city", "value": "SHA"}的', "上海的", (Span(0, 2, "city", "SHA"),), id="json"),
        pytest.param('[x]{"entity": "a", "value": "}]"} y', "x y", (Span(0, 1, "a", "}]"),), id="brackets in a value"),
        pytest.param('[two]{"entity": "n", "value": 2}', "two", (Span(0, 3, "n", "2"),), id="number as value"),
        pytest.param("a [b](c) d [e](f)", "a b d e", (Span(2, 3, "c"), Span(6, 7, "f")), id="offsets of the second"),
        pytest.param("press [enter] (twice)", "press [enter] (twice)", (), id="brackets without a type"),
        pytest.param("[open](", "[open](", (), id="bracket never closed"),
        pytest.param("[[x](y)", "[x", (Span(1, 2, "y"),), id="stray bracket before"),
    ],
)
def test_annotations_become_spans(line: str, text: str, spans: tuple[Span, ...]) -> None:
    annotated = parse_annotated(line)
    assert (annotated.text, annotated.spans) == (text, spans)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("[x]{entity: y}", "not valid JSON", id="no quotes"),
        pytest.param('[x]{"entity": "y"', "not valid JSON", id="never closed"),
        pytest.param('[x]{"value": "y"}', "names no entity", id="no entity"),
        pytest.param('[x]{"entity": 3}', "names no entity", id="entity is a number"),
        pytest.param("[x]" + '[{"entity": ' * 5000, "not valid JSON", id="nested without end"),
    ],
)
def test_broken_annotations_are_refused(line: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        parse_annotated(line)


def test_what_a_span_cannot_hold_is_told() -> None:
    annotated = parse_annotated('[A]{"entity": "city", "role": "from"} [B][{"entity": "c"}, {"entity": "d"}]')
    assert annotated.spans == (Span(0, 1, "city"), Span(2, 3, "c"))
    assert annotated.losses == ("role of [A] left out", "annotation 2 of [B] left out")


@given(st.lists(st.tuples(PLAIN, SURFACE, TYPES, VALUES, st.booleans()), max_size=5), PLAIN)
def test_what_is_annotated_is_read_back(parts: list[tuple[str, str, str, str | None, bool]], end: str) -> None:
    line, text, spans = "", "", []
    for before, surface, kind, value, as_json in parts:
        document = {"entity": kind} | ({} if value is None else {"value": value})
        short = value is None and not as_json
        line += f"{before}[{surface}]" + (f"({kind})" if short else json.dumps(document))
        text += before
        spans.append(Span(len(text), len(text) + len(surface), kind, value))
        text += surface
    annotated = parse_annotated(line + end)
    assert annotated.text == text + end
    assert annotated.spans == tuple(spans)


@given(st.text('[](){}:"entity, ab', max_size=40))
def test_any_line_is_read_or_refused_and_spans_fit(line: str) -> None:
    try:
        annotated = parse_annotated(line)
    except ValueError:
        return
    assert all(0 <= span.start < span.end <= len(annotated.text) for span in annotated.spans)
