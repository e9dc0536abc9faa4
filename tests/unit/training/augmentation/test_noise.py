from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlu.examples import Example, Span
from nlu.types import InputError
from training.augmentation.noise import noisy_copies

ENGLISH = [Example(f"where is my parcel number {n} please", {"intent": "status"}, lang="en") for n in range(40)]
CHINESE = [Example(f"我的快递{n}号到哪里了", {"intent": "status"}, lang="zh") for n in range(40)]


@pytest.mark.parametrize("examples", [ENGLISH, CHINESE])
def test_copies_differ_a_little_and_keep_labels_and_digits(examples: list[Example]) -> None:
    copies = noisy_copies(examples, 1.0, seed=3)
    assert len(copies) > 30
    known = {example.text for example in examples}
    for copy in copies:
        assert copy.text not in known
        assert copy.labels == {"intent": "status"}
        assert copy.weight == 0.5
        digits = "".join(filter(str.isdigit, copy.text))
        assert any(digits == "".join(filter(str.isdigit, text)) for text in known)


def test_the_same_seed_makes_the_same_and_the_share_is_kept() -> None:
    assert noisy_copies(ENGLISH, 0.5, 1) == noisy_copies(ENGLISH, 0.5, 1) != noisy_copies(ENGLISH, 0.5, 2)
    assert len(noisy_copies(ENGLISH, 0.25, 1)) <= 10
    assert noisy_copies(ENGLISH, 0.0, 1) == []


def test_a_character_is_taken_for_one_that_sounds_the_same() -> None:
    texts = [Example(text) for text in ("他在这里等着", "她再也等着了", "在在在在在在")]
    slips = "".join(copy.text for seed in range(30) for copy in noisy_copies(texts, 1.0, seed))
    assert "再再" in slips or "再在" in slips
    assert set(slips) <= set("".join(example.text for example in texts))


def test_negations_and_short_texts_stay() -> None:
    kept = [Example("不没别无未"), Example("你好"), Example("no"), Example("I do"), Example("never")]
    assert noisy_copies(kept, 1.0, 1) == []


@given(
    st.lists(st.sampled_from(["order", "快递", "please", " ", "FD20481937", "什么时候到", "blanket"]), min_size=1),
    st.integers(0, 50),
)
@settings(deadline=None)
def test_entities_move_along(parts: list[str], seed: int) -> None:
    text = "".join(parts)
    starts = [sum(map(len, parts[:i])) for i in range(len(parts))]
    spans = tuple(
        Span(start, start + len(part), "thing")
        for start, part in zip(starts, parts, strict=True)
        if part in {"FD20481937", "blanket"}
    )
    for copy in noisy_copies([Example(text, {}, spans)], 1.0, seed):
        assert copy.entities is not None
        named = [copy.text[span.start : span.end] for span in copy.entities]
        assert named == [text[span.start : span.end] for span in spans]


def test_chinese_without_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypinyin", None)
    assert noisy_copies(ENGLISH, 1.0, 1)
    with pytest.raises(InputError, match="pypinyin"):
        noisy_copies(CHINESE, 1.0, 1)
