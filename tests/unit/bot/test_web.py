from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels import web_texts
from bot.console import texts as console_texts
from bot.domain.messages import Button
from bot.domain.records import Outgoing, TurnView
from bot.web import LANGUAGES, accepted_language, button_labels, spoken_text

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("de,zh;q=0.5,en;q=0.4", "zh"),
        ("en;q=0.2, zh-Hans-CN;q=0.7", "zh"),
        ("fr-FR", "en"),
        ("zh;q=high,en", "en"),
        (";;,=,*", "en"),
    ],
    ids=["none", "chinese", "english", "third first", "by weight", "neither", "bad weight", "noise"],
)
def test_the_browsers_language_is_chosen(header: str, lang: str) -> None:
    assert accepted_language(header) == lang


@given(st.text())
def test_any_header_gives_a_language(header: str) -> None:
    assert accepted_language(header) in LANGUAGES


@pytest.mark.parametrize("texts", [console_texts.TEXTS, web_texts.TEXTS], ids=["console", "web chat"])
def test_both_languages_say_the_same_things(texts: dict[str, dict[str, str]]) -> None:
    assert set(texts) == set(LANGUAGES)
    assert texts["en"].keys() == texts["zh"].keys()
    assert all(text.strip() for words in texts.values() for text in words.values())


def _turn(text: str, kind: str, *offered: Button) -> TurnView:
    reply = Outgoing(1, "web:a", 1, "bot", "Which?", "en", offered, NOW)
    return TurnView(1, "web:a", "m", NOW, text, kind, {}, (reply,))


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("intent:refund", "button", "Refunds"),
        ("intent:refund", "text", "intent:refund"),
        ("say:hello", "button", "hello"),
        ("human:", "button", "human:"),
    ],
    ids=["offered button", "typed text", "button no longer known", "bare value"],
)
def test_a_tapped_button_is_shown_by_its_label(text: str, kind: str, shown: str) -> None:
    labels = button_labels([_turn("hi", "text", Button("Refunds", "intent:refund"))])
    assert spoken_text(_turn(text, kind), labels) == shown
