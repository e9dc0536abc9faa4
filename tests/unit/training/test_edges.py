from __future__ import annotations

from typing import Any

from nlu.examples import Example, Span
from nlu.tags import Edges
from training.edges import entity_edges

PREFIX = "q: "


def halves(texts: list[str], **_: Any) -> dict[str, Any]:
    """A tokenizer that takes two characters at a time, after the prefix."""
    return {
        "offset_mapping": [
            [(0, 0), (0, 3), *((start, min(start + 2, len(text))) for start in range(3, len(text), 2)), (0, 0)]
            for text in texts
        ]
    }


def told(text: str, start: int, end: int, times: int) -> list[Example]:
    return [Example(text, {}, (Span(start, end, "name"),))] * times


def edges(*groups: list[Example]) -> Edges:
    tokenizer: Any = halves
    return entity_edges([example for group in groups for example in group], tokenizer, PREFIX)


def test_what_mostly_lies_outside_is_cut_off() -> None:
    assert edges(told("看的小品", 2, 4, 9), told("王某的戏", 0, 1, 9)) == Edges(after=frozenset({"某"}))
    assert edges(told("的戏开了", 1, 2, 9)) == Edges(before=frozenset({"的"}))


def test_what_is_rare_or_often_inside_stays() -> None:
    assert edges(told("的戏开了", 1, 2, 4)) == Edges()
    assert edges(told("的戏开了", 1, 2, 9), told("的士开了", 0, 2, 9)) == Edges()
    assert edges([Example("的戏", {"intent": "x"})]) == Edges()
