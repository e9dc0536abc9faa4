"""The language of an entry: as it is named, or as its text shows it."""

from __future__ import annotations

import pytest

from retrieval.languages import language_of, language_tag, spoken_language

TAGS = {
    "zh": "zh",
    " EN ": "en",
    "EN-us": "en",
    "zh_CN": "zh",
    "zh-Hans": "zh",
    "Chinese": "zh",
    "English": "en",
    "中文": "zh",
    "Deutsch": None,
    "12": None,
    "": None,
}


@pytest.mark.parametrize(("code", "expected"), TAGS.items(), ids=TAGS)
def test_of_a_code_or_name_the_primary_language_counts(code: str, expected: str | None) -> None:
    assert language_tag(code) == expected


TEXTS = {
    "Chinese": (("怎么退货？",), "zh"),
    "Chinese that borrows a word": (("iPhone 能退吗",), "zh"),
    "English": (("How do I return it?",), "en"),
    "English that names a Chinese word": (("What does 退货 mean in your shop?",), "en"),
    "no words in the question": (("???", "七天无理由。"), "zh"),
    "no words at all": (("?", "42"), "en"),
}


@pytest.mark.parametrize(("texts", "expected"), TEXTS.values(), ids=TEXTS)
def test_a_text_shows_its_language(texts: tuple[str, ...], expected: str) -> None:
    assert language_of(*texts) == expected


def test_a_language_that_the_bot_speaks_is_named_as_the_bot_names_it() -> None:
    assert spoken_language("zh", ("en", "zh-CN")) == "zh-CN"
    assert spoken_language("zh_TW", ("en", "zh")) == "zh"
    assert spoken_language("fr", ("en", "zh")) is None
    assert spoken_language("??", ("en", "?!")) is None
