from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from nlu.examples import Example
from nlu.types import Vector
from training.augmentation.label_names import named_examples

TOPICS = ("card", "refund", "address")
SAID = [Example(f"{words} {topic}", {"intent": f"{topic}_change"}) for topic in TOPICS for words in ("my", "a new")]


def by_topic(texts: Sequence[str]) -> Vector:
    """An encoder that knows what a text is about where it says so."""
    vectors = np.array([[float(topic in text.lower()) for topic in TOPICS] + [0.1] for text in texts], np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("label", "text"),
    [("card_change", "card change"), ("cardChange", "card Change"), ("card.change/new", "card change new")],
)
def test_a_name_becomes_a_text_of_its_label(label: str, text: str) -> None:
    said = [Example("my card", {"intent": label}), Example("refund", {"intent": "refund_change"})]
    assert Example(text, {"intent": label}) in named_examples(said, 20, by_topic)


def test_each_head_has_its_own_names_and_out_of_scope_has_none() -> None:
    moods = [Example("my card", {"emotion": "card_anger"}), Example("refund", {"emotion": "refund_joy"})]
    made = named_examples([*SAID, *moods, Example("what a sky", {"intent": "oos"})], 20, by_topic)
    assert {(head, label) for example in made for head, label in example.labels.items()} == {
        *(("intent", f"{topic}_change") for topic in TOPICS),
        ("emotion", "card_anger"),
        ("emotion", "refund_joy"),
    }


def test_names_that_say_nothing_are_left_out() -> None:
    renamed = {f"{topic}_change": f"class_{place}" for place, topic in enumerate(TOPICS)}
    assert named_examples([Example(e.text, {"intent": renamed[e.labels["intent"]]}) for e in SAID], 20, by_topic) == []
    swapped = dict(zip(renamed, reversed(renamed), strict=True))
    assert named_examples([Example(e.text, {"intent": swapped[e.labels["intent"]]}) for e in SAID], 20, by_topic) == []
    assert named_examples([Example("my card", {"intent": "1"}), Example("a", {"intent": "2"})], 20, by_topic) == []


def test_many_examples_a_single_label_and_known_texts_need_no_names() -> None:
    assert named_examples(SAID, 1, by_topic) == []
    assert named_examples(SAID, 0, by_topic) == []
    assert named_examples(SAID[:2], 20, by_topic) == []
    assert len(named_examples([*SAID, Example("Card change", {"intent": "card_change"})], 20, by_topic)) == 2
