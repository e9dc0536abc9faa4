from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nlu.tags import Edges, TagDecoder, tag_names

NAMES = tag_names(["city", "dish"])
OUT, B_CITY, I_CITY, B_DISH, I_DISH = range(5)


def logits(*tags: int, sure: float = 4.0) -> np.ndarray:
    found = np.zeros((len(tags), len(NAMES)), np.float32)
    found[range(len(tags)), tags] = sure
    return found


def offsets(text: str, shift: int) -> list[tuple[int, int]]:
    return [(0, 0), *((shift + place, shift + place + 1) for place in range(len(text))), (0, 0)]


def padded(found: np.ndarray) -> np.ndarray:
    edge = np.zeros((1, len(NAMES)), np.float32)
    return np.concatenate([edge, found, edge])


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([OUT, OUT, OUT, OUT], []),
        ([B_CITY, I_CITY, B_DISH, I_DISH], [("city", "扬州"), ("dish", "炒饭")]),
        ([B_CITY, B_CITY, OUT, OUT], [("city", "扬"), ("city", "州")]),
        ([OUT, B_DISH, I_DISH, I_DISH], [("dish", "州炒饭")]),
    ],
)
def test_lawful_tags_mark_what_they_say(tags: list[int], expected: list[tuple[str, str]]) -> None:
    text, shift = "扬州炒饭", 7
    found = TagDecoder(NAMES).entities(text, padded(logits(*tags)), offsets(text, shift), shift)
    assert [(entity.type, entity.text) for entity in found] == expected
    assert all(text[entity.start : entity.end] == entity.text for entity in found)


def test_a_name_does_not_begin_as_a_place_and_go_on_as_a_dish() -> None:
    scores = logits(B_CITY, I_DISH, I_DISH, I_DISH)
    scores[0, B_DISH] = 3.0
    assert TagDecoder(NAMES).best(scores) == [B_DISH, I_DISH, I_DISH, I_DISH]


def test_what_often_follows_is_preferred() -> None:
    transitions = np.zeros((len(NAMES) + 1, len(NAMES)), np.float32)
    transitions[B_CITY, I_CITY] = 3.0
    undecided = logits(B_CITY, OUT)
    undecided[1, I_CITY] = 3.9
    assert TagDecoder(NAMES).best(undecided) == [B_CITY, OUT]
    assert TagDecoder(NAMES, transitions).best(undecided) == [B_CITY, I_CITY]


def test_what_a_token_carries_beyond_a_name_is_cut_off() -> None:
    text, tokens = "岳云鹏的小品", [(0, 0), (0, 3), (3, 6), (0, 0)]
    tags = padded(logits(B_CITY, B_DISH))
    decoder = TagDecoder(NAMES, edges=Edges(before=frozenset({"的"}), after=frozenset({"品", "岳云鹏"})))
    found = decoder.entities(text, tags, tokens, 0)
    assert [(entity.text, entity.start, entity.end) for entity in found] == [("岳云鹏", 0, 3), ("小", 4, 5)]


def test_white_space_at_the_ends_and_special_tokens_are_left_out() -> None:
    text = "to  Paris"
    found = TagDecoder(NAMES).entities(text, padded(logits(OUT, B_CITY)), [(0, 0), (0, 2), (2, 9), (0, 0)], 0)
    assert [(entity.text, entity.start) for entity in found] == [("Paris", 4)]
    assert TagDecoder(NAMES).entities("", np.zeros((2, 5), np.float32), [(0, 0), (0, 0)], 0) == []


@given(
    arrays(np.float32, (4, 5), elements=st.floats(-5, 5, width=32)),
    arrays(np.float32, (6, 5), elements=st.floats(-2, 2, width=32)),
)
@settings(max_examples=50, deadline=None)
def test_no_lawful_sequence_is_better(scores: np.ndarray, transitions: np.ndarray) -> None:
    def value(path: tuple[int, ...]) -> float:
        before, total = len(NAMES), 0.0
        for place, tag in enumerate(path):
            inside = NAMES[tag].startswith("I-")
            if inside and (before == len(NAMES) or NAMES[before][2:] != NAMES[tag][2:]):
                return -np.inf
            total += float(scores[place, tag]) + float(transitions[before, tag])
            before = tag
        return total

    found = tuple(TagDecoder(NAMES, transitions).best(scores))
    best = max(value(path) for path in itertools.product(range(len(NAMES)), repeat=len(scores)))
    assert value(found) == pytest.approx(best, abs=1e-4)
