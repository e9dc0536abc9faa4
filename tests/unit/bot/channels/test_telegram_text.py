from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.telegram_text import LIMIT, split_text, utf16_length
from tests.cost import processor_seconds

FAMILY = "👨‍👩‍👧‍👦"
FLAG = "🇨🇳"
WAVE = "👋🏽"
ACCENT = "e\u0301"

TEXTS = st.text(
    st.one_of(
        st.sampled_from([*" \n\t。！？.!?，,a字é😀", "\u200d", "\u0301", "🇨", "🏽"]), st.characters(codec="utf-8")
    ),
    max_size=120,
)


def without_space(text: str) -> str:
    return "".join(text.split())


@given(TEXTS, st.integers(2, 40))
def test_nothing_but_white_space_is_lost(text: str, limit: int) -> None:
    parts = split_text(text, limit)
    assert without_space("".join(parts)) == without_space(text)
    assert all(part.strip() for part in parts)
    assert all(len(part.encode("utf-16-le")) // 2 <= limit for part in parts)
    rest = text
    for part in parts:
        before, _, rest = rest.partition(part)
        assert not before.strip()


@given(TEXTS)
def test_short_texts_stay_as_they_are(text: str) -> None:
    assert split_text(text) == ((text,) if text.strip() else ())


@given(st.lists(st.sampled_from([FAMILY, FLAG, WAVE, ACCENT, "字", "x"]), max_size=60), st.integers(11, 40))
def test_visible_characters_stay_whole(characters: list[str], limit: int) -> None:
    rest = characters
    for part in split_text("".join(characters), limit):
        taken = 0
        while "".join(rest[:taken]) != part:
            taken += 1
            assert taken <= len(rest), f"{part!r} cuts through one of {characters}"
        rest = rest[taken:]
    assert rest == []


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        pytest.param("", 10, (), id="empty"),
        pytest.param(" \n ", 10, (), id="blank"),
        pytest.param("one\n\ntwo. three", 12, ("one\n\ntwo.", "three"), id="early-paragraph-loses-to-late-sentence"),
        pytest.param("one two\n\nthree four", 12, ("one two", "three four"), id="paragraph"),
        pytest.param("one. two\nthree four", 12, ("one. two", "three four"), id="line-before-sentence"),
        pytest.param("It is. So be it", 10, ("It is.", "So be it"), id="sentence"),
        pytest.param("costs 3.50 euro", 9, ("costs", "3.50 euro"), id="no-sentence-inside-a-number"),
        pytest.param("你好。我们今天很忙。", 7, ("你好。", "我们今天很忙。"), id="chinese-sentence"),
        pytest.param("他说：“好的。”然后走了", 9, ("他说：“好的。”", "然后走了"), id="closing-quote-stays"),
        pytest.param("甲乙丙丁，戊己庚辛", 6, ("甲乙丙丁，", "戊己庚辛"), id="chinese-comma"),
        pytest.param("see https://example.org/long", 24, ("see", "https://example.org/long"), id="address-stays-whole"),
        pytest.param("abcdefghij", 4, ("abcd", "efgh", "ij"), id="no-border"),
        pytest.param("😀😀😀", 4, ("😀😀", "😀"), id="pairs-count-twice"),
        pytest.param("😀😀😀", 3, ("😀", "😀", "😀"), id="pair-is-not-cut"),
        pytest.param("aaa" + FLAG + FLAG, 8, ("aaa" + FLAG, FLAG), id="flags"),
        pytest.param("\u200d" * 5, 2, ("\u200d" * 2, "\u200d" * 2, "\u200d"), id="no-way-to-keep-it-whole"),
    ],
)
def test_where_cuts_fall(text: str, limit: int, parts: tuple[str, ...]) -> None:
    assert split_text(text, limit) == parts


def test_a_very_long_text_fills_its_parts() -> None:
    text = "We ship every day. 我们每天发货。\n" * 4000 + "We ship it. 好。"
    parts = split_text(text)
    assert all(utf16_length(part) > LIMIT * 0.9 for part in parts[:-1])
    assert all(part.startswith("We ship") and part.endswith("。") for part in parts)


@pytest.mark.parametrize(
    "run", ["!", ".", "!?", '!"', '!""', "! ", "…", '"', " ", "\n", "\n ", "x", "\u0301", "🇨", "👋🏽"]
)
def test_a_long_run_of_anything_is_split_at_once(run: str) -> None:
    assert processor_seconds(lambda: split_text("x" + run * 20_000 + "x")) < 1.0
