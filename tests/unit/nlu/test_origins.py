from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlu.origins import trace
from nlu.patterns import find_patterns
from nlu.text import normalise
from nlu.types import Entity, Understanding
from tests.cost import processor_seconds

ANY_TEXT = st.text(alphabet=st.characters(), max_size=200)
COMPOSING = st.text(
    alphabet="ab1 中か\u3099\u0301\u0316é\u200d\ufe0f\u200b\u202e\ufeff\x00\x07\t\n\x85\u3000¨"
    "👨👩🔥❤🏽Ⓜ™①１Ａ…’“´\ud800ﷺŉ\u20e3\u3164~ﾊﾞ\u1100\u1161\u11a8\u09c7\u09be㈱",
    max_size=60,
)
GIVEN = st.lists(
    st.sampled_from(
        [
            *"0123456789０１２①一二十百万元块年月日号周天前后$¥￥€.,-，。/@abcＦＤFDmarxe:()+٣ı",
            *" 　\n\t\u200b\u200d\ufeff\u0301",
            *(
                "FD20481937",
                "13800138000",
                "３月５日",
                "明天",
                " tomorrow ",
                "1,299.50",
                "anna@example.com",
                "👩\u200d🔥",
                "ﬁ",
            ),
        ]
    ),
    max_size=40,
).map("".join)


def understood(text: str) -> Understanding:
    clean = normalise(text)
    found = tuple(find_patterns(clean, "zh", date(2026, 3, 4)))
    return Understanding(clean, "zh", {}, found, 0.0, np.ones(1, dtype=np.float32), "r", given=text)


@given(ANY_TEXT | COMPOSING, st.sampled_from([2000, 60, 20, 11, 5, 0]))
@settings(deadline=None, max_examples=400)
def test_each_character_of_the_normalised_text_is_traced(text: str, max_chars: int) -> None:
    origins = trace(text, max_chars)
    assert "".join(origin.sign for origin in origins) == normalise(text, max_chars)
    assert all(0 <= origin.start <= origin.end <= len(text) for origin in origins)


@given(GIVEN)
@settings(deadline=None, max_examples=400)
def test_an_entity_is_where_its_own_characters_were_given(text: str) -> None:
    reading = understood(text)
    for entity, found in zip(reading.given_entities, reading.entities, strict=True):
        assert text[entity.start : entity.end] == entity.text
        assert normalise(entity.text) == found.text
        assert entity.value == found.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Hi\n\n\n\nwhere is FD20481937?", [(15, "FD20481937")], id="line breaks"),
        pytest.param("你好　　电话１３８００１３８０００，谢谢", [(6, "１３８００１３８０００")], id="full width"),
        pytest.param("\u200b\u200b订单FD2048\u200b1937", [(4, "FD2048\u200b1937")], id="invisible characters"),
        pytest.param("①② ﷺ FD20481937", [(5, "FD20481937")], id="a sign of many characters"),
        pytest.param("cafe\u0301 FD20481937", [(6, "FD20481937")], id="a character of two signs"),
        pytest.param("付了0￥\u0301", [(2, "0￥")], id="an accent that makes no other character"),
        pytest.param("FD20481937", [(0, "FD20481937")], id="as it was"),
        pytest.param(f"{'a ' * 9000}FD20481937", [(18000, "FD20481937")], id="the tail of a long text"),
        pytest.param("no entity\n\n", [], id="none"),
    ],
)
def test_offsets_count_in_the_given_text(text: str, expected: list[tuple[int, str]]) -> None:
    assert [(entity.start, entity.text) for entity in understood(text).given_entities] == expected


def test_entities_of_a_text_that_was_read_as_it_was_stay() -> None:
    entity = Entity("order_number", 3, 13, "FD20481937", "FD20481937")
    reading = Understanding("a  FD20481937", "en", {}, (entity,), 0.0, np.ones(1, dtype=np.float32), "r")
    assert reading.given_entities == (entity,)


@pytest.mark.parametrize(
    "unit",
    ["a", " a", "\u0301\u0316", "\u200d", "👨\u200d", "ﷺ", "\x00", "中", "か\u3099", "\u1100\u1161\u11a8"],
    ids=ascii,
)
def test_hostile_texts_take_linear_time(unit: str) -> None:
    assert processor_seconds(lambda: trace(unit * 100_000)) < 8
