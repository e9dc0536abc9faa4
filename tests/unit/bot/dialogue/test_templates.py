from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dialogue.templates import VALUE_LIMIT, Template, TemplateBook, parse_phrasing, render_phrasing
from bot.domain.messages import Button
from bot.errors import InputError

BUTTONS = (Button("Yes", "yes:"),)
BOOK = TemplateBook(
    {
        "late": Template(
            "late",
            {
                "en": {
                    "default": (
                        parse_phrasing("one {order_number}", BUTTONS),
                        parse_phrasing("two"),
                        parse_phrasing("three"),
                    ),
                    "anger": (parse_phrasing("sorry from {name}"),),
                },
                "zh": {"default": (parse_phrasing("一"),)},
            },
        )
    },
    {"en": "Lark & Lane", "zh": "云雀小铺"},
    "en",
)
SLOTS = {"order_number": "FD20481937"}


@pytest.mark.parametrize(
    ("lang", "emotion", "variant", "text", "spoken"),
    [
        ("en", "", 0, "one FD20481937", "en"),
        ("en", "", 1, "two", "en"),
        ("en", "", 3, "one FD20481937", "en"),
        ("en", "anger", 5, "sorry from Lark & Lane", "en"),
        ("en", "joy", 2, "three", "en"),
        ("zh", "anger", 1, "一", "zh"),
        ("fr", "", 1, "two", "en"),
    ],
    ids=["first", "second", "round again", "mood", "mood without words", "mood in zh", "unknown language"],
)
def test_renders(lang: str, emotion: str, variant: int, text: str, spoken: str) -> None:
    reply = BOOK.render("late", lang, emotion, SLOTS, variant)
    assert (reply.text, reply.lang) == (text, spoken)


def test_buttons_belong_to_their_phrasing() -> None:
    assert BOOK.render("late", "en", "", SLOTS, 0).buttons == BUTTONS
    assert BOOK.render("late", "en", "", SLOTS, 1).buttons == ()


@pytest.mark.parametrize(
    ("key", "slots", "words"),
    [("gone", SLOTS, 'no template "gone"'), ("late", {}, "order_number")],
    ids=["unknown key", "missing value"],
)
def test_refuses_what_cannot_be_said(key: str, slots: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        BOOK.render(key, "en", "", slots, 0)


@pytest.mark.parametrize(
    "text", ["a {", "a }", "{}", "{0}", "{a.b}", "{a[0]}", "{a!r}", "{a:>9}", "{Name}", "{a b}", "{{a}"]
)
def test_refuses_everything_but_plain_placeholders(text: str) -> None:
    with pytest.raises(InputError, match="character"):
        parse_phrasing(text)


def test_double_braces_are_braces() -> None:
    assert render_phrasing(parse_phrasing("{{{a}}}"), {"a": "x"}) == "{x}"


@given(st.text(max_size=VALUE_LIMIT, alphabet=st.characters(exclude_categories=["C", "Z"])))
def test_values_are_inserted_literally(value: str) -> None:
    assert render_phrasing(parse_phrasing("<{a}|{a}>"), {"a": value}) == f"<{value}|{value}>"


def test_braces_in_values_are_harmless() -> None:
    assert render_phrasing(parse_phrasing("{a} {b}"), {"a": "{b}{__class__}", "b": "{a}"}) == "{b}{__class__} {a}"


@given(st.text())
def test_values_stay_short_and_on_one_line(value: str) -> None:
    text = render_phrasing(parse_phrasing("{a}"), {"a": value * 20})
    assert len(text) <= VALUE_LIMIT
    assert "\n" not in text


@given(st.integers(0, 10_000))
def test_neighbouring_turns_never_repeat_a_phrasing(turn: int) -> None:
    assert BOOK.render("late", "en", "", SLOTS, turn).text != BOOK.render("late", "en", "", SLOTS, turn + 1).text


@given(st.text(alphabet="{}A .[\n"))
def test_parsing_takes_any_text_or_says_why_not(text: str) -> None:
    loose = re.sub(r"\{\{|\}\}", "", text)
    if "{" in loose or "}" in loose:
        with pytest.raises(InputError, match="slot"):
            parse_phrasing(text)
    else:
        assert len(parse_phrasing(text).pieces) == 1
