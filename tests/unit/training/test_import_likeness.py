"""Entries that ask nearly the same: near-duplicates, contradictions, and what is neither."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

from retrieval.types import FaqEntry
from training.import_facts import difference_of, figures
from training.import_likeness import MOST_PAIRS, alike_pairs


def entries(*texts: tuple[str, str], lang: str = "en") -> list[FaqEntry]:
    return [FaqEntry(str(number), question, answer, lang) for number, (question, answer) in enumerate(texts)]


ALIKE = {
    "other words around": ("How do I return an item?", "How can I return my items?"),
    "short and long": ("Opening hours?", "What are your opening hours?"),
    "spelling": ("How do I cancel my subscription?", "How do I cancell my subscription?"),
    "asked otherwise": ("Can I pay by card?", "Is it possible to pay by card?"),
    "Chinese": ("怎么退货？", "请问如何退货"),
    "another order": ("会员怎么注册？", "怎样注册会员"),
    "width": ("ＶＩＰ怎么开通", "如何开通vip？"),
}
APART = {
    "another country": ("Do you ship to Germany?", "Do you ship to France?"),
    "returns and exchanges": ("怎么退货？", "怎么换货？"),
    "another figure": ("Can I cancel within 7 days?", "Can I cancel within 30 days?"),
    "a negation": ("Why can I log in?", "Why can I not log in?"),
    "when and where": ("When do you ship?", "Where do you ship?"),
}


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
@pytest.mark.parametrize(("first", "second"), ALIKE.values(), ids=ALIKE)
def test_questions_that_mean_nearly_the_same(first: str, second: str, lang: str) -> None:
    (pair,) = alike_pairs(entries((first, "Yes."), ("Something else entirely?", "No."), (second, "Yes."), lang=lang))
    assert (pair.first, pair.second, pair.difference) == (0, 2, "")
    assert 0.8 <= pair.likeness <= 1


@pytest.mark.parametrize(("first", "second"), APART.values(), ids=APART)
def test_questions_that_do_not(first: str, second: str) -> None:
    assert alike_pairs(entries((first, "Yes."), (second, "No."))) == []


def test_translations_are_not_compared() -> None:
    zh, en = FaqEntry("a.zh", "VIP?", "x", "zh"), FaqEntry("a.en", "VIP?", "y", "en")
    same = np.ones((2, 1), dtype=np.float32)
    assert alike_pairs([zh, en], same) == []


def test_vectors_find_what_words_do_not() -> None:
    asked = entries(("What does shipping cost?", "5 euro"), ("Delivery fee?", "9 euro"), ("Who are you?", "A shop"))
    vectors = np.array([[1, 0], [0.98, 0.199], [0, 1]], dtype=np.float32)
    assert alike_pairs(asked) == []
    (pair,) = alike_pairs(asked, vectors)
    assert (pair.first, pair.second, pair.difference) == (0, 1, "5 / 9")


@pytest.mark.parametrize(
    ("first", "second", "cosine"),
    [
        pytest.param("Do you ship to Germany?", "Do you ship to France?", 0.95, id="one word is the point"),
        pytest.param("怎么退货？", "怎么换货？", 0.95, id="one sign is the point"),
        pytest.param("营业时间", "如何取消", 1.0, id="words the encoder does not know"),
        pytest.param("Delivery fee?", "What does shipping cost?", 0.9, id="not near enough"),
    ],
)
def test_near_vectors_are_not_enough(first: str, second: str, cosine: float) -> None:
    vectors = np.array([[1, 0], [cosine, (1 - cosine**2) ** 0.5]], dtype=np.float32)
    assert alike_pairs(entries((first, "Yes."), (second, "No.")), vectors) == []


def test_only_the_nearest_by_vector_counts() -> None:
    angles = np.array([0.0, 0.1, 0.3])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    asked = entries(("Delivery fee?", "a"), ("What does shipping cost?", "a"), ("Parcel tariff?", "a"))
    assert [(pair.first, pair.second) for pair in alike_pairs(asked, vectors)] == [(0, 1)]
    assert alike_pairs(asked, vectors, since=2) == []


def test_pairs_of_known_entries_are_left_out() -> None:
    asked = entries(("How to return?", "a"), ("How do I return?", "a"), ("Return?", "a"))
    assert [(pair.first, pair.second) for pair in alike_pairs(asked, since=2)] == [(0, 2), (1, 2)]


def test_contradictions_come_first() -> None:
    asked = entries(
        ("Pay by card?", "Yes."),
        ("Can I pay by card?", "Yes."),
        ("Ship abroad?", "Yes."),
        ("Do you ship abroad?", "No."),
    )
    assert [(pair.first, bool(pair.difference)) for pair in alike_pairs(asked)] == [(2, True), (0, False)]


ANSWERS = {
    "another number of days": ("Within 30 days.", "Within 14 days.", "30 / 14"),
    "a Chinese number": ("七天内可退。", "三十天内可退。", "7 / 30"),
    "the same in words": ("Seven days.", "7 days", ""),
    "the same in signs": ("七天内可以退货", "7天内可以退货", ""),
    "an amount": ("It costs CNY 1,000.00.", "It costs CNY 100.", "1000 / 100"),
    "a date": ("Until 2024-05-01.", "Until 2024-06-01.", "05 / 06".replace("0", "")),
    "more said": ("Within 30 days.", "Within 30 days; we pay within 5 days.", ""),
    "yes and no": ("Yes, we take cards.", "No, we do not take cards.", "one says no"),
    "a Chinese negation": ("支持微信支付。", "不支持微信支付。", "one says no"),
    "a harmless sign": ("可以，不过要预约。", "可以，要预约。", ""),
    "the same in another order": ("9 to 18, Monday to Friday.", "Monday to Friday, 9 to 18.", ""),
    "something else": ("Open the settings and press cancel.", "Call our hotline.", "other words"),
}


@pytest.mark.parametrize(("first", "second", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_in_what_answers_differ(first: str, second: str, expected: str) -> None:
    assert difference_of(first, second) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("二十天", "20"),
        ("十五天", "15"),
        ("一百二十元", "120"),
        ("两周", "2"),
        ("三万元", "30000"),
        ("１２天", "12"),
        ("007", "7"),
    ],
)
def test_figures_are_read_in_both_scripts(text: str, expected: str) -> None:
    assert figures(text) == {expected}


@pytest.mark.parametrize("kind", ["all alike", "same words", "random"])
def test_many_entries_take_no_time_that_grows_with_their_square(kind: str) -> None:
    source = random.Random(7)
    words = ["".join(source.choices("abcdefghij", k=6)) for _ in range(1000)]
    questions = {
        "all alike": ["How do I return a product?"] * 4000,
        "same words": [f"How do I return product number {number}?" for number in range(4000)],
        "random": [" ".join(source.choices(words, k=6)) for _ in range(4000)],
    }[kind]
    started = time.process_time()
    pairs = alike_pairs(entries(*((question, "Yes.") for question in questions)))
    assert time.process_time() - started < 15
    assert len(pairs) == (MOST_PAIRS if kind == "all alike" else 0)
