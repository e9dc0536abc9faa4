from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from nlu.examples import Example, Span
from nlu.types import InputError
from training.datasets import (
    NO_LABEL,
    LabelSets,
    bucketed_batches,
    collate,
    featurise,
    label_sets,
    split_held_out,
)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    """Words and single characters; `<s>` before and `</s>` after each text."""
    words = ["<pad>", "<s>", "</s>", "<unk>", "query:", "my", "order", "AB12", "is", "late", "红", "鞋"]
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split("红", "isolated"),
            pre_tokenizers.Split("鞋", "isolated"),
        ]
    )
    core.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", unk_token="<unk>")


SETS = LabelSets({"intent": ("a", "b")}, ("number", "product"))


def tags_of(
    tokenizer: PreTrainedTokenizerFast, text: str, spans: tuple[Span, ...], prefix: str = "query: "
) -> list[str]:
    (item,) = featurise([Example(text, {"intent": "a"}, spans)], SETS, tokenizer, prefix, 64)
    assert item.tags is not None
    return ["-" if tag == NO_LABEL else SETS.tags[tag] for tag in item.tags]


@pytest.mark.parametrize(
    ("text", "spans", "tags"),
    [
        ("my order", (), "- - O O -"),
        ("my order AB12 is late", (Span(9, 13, "number"),), "- - O O B-number O O -"),
        ("红鞋 late", (Span(0, 2, "product"),), "- - B-product I-product O -"),
        ("红鞋", (Span(0, 1, "product"), Span(1, 2, "product")), "- - B-product B-product -"),
        ("红鞋", (Span(0, 1, "number"), Span(0, 2, "product")), "- - B-product I-product -"),
        ("my order", (Span(1, 5, "product"),), "- - B-product I-product -"),
    ],
    ids=["none", "one", "two tokens", "neighbours", "overlap: the longest counts", "a span that cuts tokens"],
)
def test_tokens_get_the_tag_of_the_span_they_touch(
    tokenizer: PreTrainedTokenizerFast, text: str, spans: tuple[Span, ...], tags: str
) -> None:
    assert tags_of(tokenizer, text, spans) == tags.split()


@pytest.mark.parametrize(
    ("given", "plain", "spans"),
    [
        ("ｍｙ　　order ＡＢ12 is", "my order AB12 is", ((10, 14), (9, 13))),
        ("\u200bmy order\u200b AB12", "my order AB12", ((11, 15), (9, 13))),
        ("红\u200b鞋 late", "红鞋 late", ((0, 3), (0, 2))),
    ],
)
def test_annotated_texts_are_learnt_as_serving_reads_them(
    tokenizer: PreTrainedTokenizerFast, given: str, plain: str, spans: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    left, right = (
        featurise([Example(text, {}, (Span(*span, "number"),))], SETS, tokenizer, "query: ", 64)
        for text, span in zip((given, plain), spans, strict=True)
    )
    assert left == right


def test_an_entity_of_invisible_characters_is_left_out(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tags_of(tokenizer, "my \u200b order", (Span(3, 4, "number"),)) == ["-", "-", "O", "O", "-"]


def test_texts_without_annotation_have_no_tags(tokenizer: PreTrainedTokenizerFast) -> None:
    (item,) = featurise([Example("my order", {"intent": "b"})], SETS, tokenizer, "", 64)
    assert item.tags is None
    assert item.labels == {"intent": 1}


def test_a_label_that_is_not_known_is_left_out(tokenizer: PreTrainedTokenizerFast) -> None:
    (item,) = featurise([Example("my order", {"intent": "new"})], SETS, tokenizer, "", 64)
    assert item.labels == {"intent": NO_LABEL}


def test_heads_follow_from_the_fields_that_are_there() -> None:
    examples = [
        Example("a", {"intent": "x"}),
        Example("b", {"intent": "y", "emotion": "joy"}),
        Example("c", {"emotion": "anger"}, (Span(0, 1, "t"),)),
    ]
    sets = label_sets(examples)
    assert sets.heads == {"emotion": ("anger", "joy"), "intent": ("x", "y")}
    assert sets.tags == ["O", "B-t", "I-t"]


@pytest.mark.parametrize(
    ("examples", "says"),
    [
        ([Example("a")], "No example has a label"),
        ([Example("a", {"intent": "x"}), Example("b", {"intent": "x"})], "single label 'x'"),
    ],
)
def test_what_cannot_be_learnt_is_said(examples: list[Example], says: str) -> None:
    with pytest.raises(InputError, match=says):
        label_sets(examples)


@given(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=300), st.integers(0, 99))
def test_held_out_texts_leave_every_label_in_training(labels: list[str], seed: int) -> None:
    examples = [Example(f"{label} {i}", {"intent": label}) for i, label in enumerate(labels)]
    known, held = split_held_out(examples, 0.2, 600, seed)
    assert sorted(known + held) == list(range(len(examples)))
    assert {labels[i] for i in known} == set(labels)
    assert len(held) <= 0.2 * len(labels) + 1
    kept = Counter(labels[i] for i in held)
    assert all(kept[label] <= 0.2 * count + 1 for label, count in Counter(labels).items())


def test_enough_is_held_out_where_hardly_two_examples_carry_the_same_labels() -> None:
    rng = Random(1)
    heads = {"intent": 40, "emotion": 8, "topic": 150}
    examples = [
        Example(f"text {i}", {head: f"{head} {rng.randrange(count)}" for head, count in heads.items()}, lang="en")
        for i in range(400)
    ]
    known, held = split_held_out(examples, 0.1, 600, 13)
    assert sorted(known + held) == list(range(400))
    assert 30 <= len(held) <= 41
    for head in heads:
        assert {examples[i].labels[head] for i in known} == {example.labels[head] for example in examples}


@given(st.integers(0, 99), st.integers(0, 600))
def test_what_was_learnt_stays_learnt_when_examples_are_added_changed_or_reordered(seed: int, place: int) -> None:
    before = [Example(f"text {i}", {"intent": f"{i % 23}"}) for i in range(600)]
    known, held = split_held_out(before, 0.1, 600, seed)
    assert len(held) == 60
    after = [*before[place:], Example("new", {"intent": "3"}), *before[:place]]
    after[0] = replace(after[0], text=f"{after[0].text} please")
    learnt = {before[i].text for i in known}
    again = {after[i].text for i in split_held_out(after, 0.1, 600, seed)[1]}
    assert len(again & learnt) <= 4


def test_another_seed_holds_out_other_texts() -> None:
    examples = [Example(f"text {i}", {"intent": f"{i % 23}"}) for i in range(600)]
    assert split_held_out(examples, 0.1, 600, 1) != split_held_out(examples, 0.1, 600, 2)


def test_a_given_validation_split_is_the_one_that_is_held_out() -> None:
    examples = [
        Example("a", {"intent": "x"}),
        Example("b", {"intent": "y"}, split="valid"),
        Example("c", {"intent": "y"}),
    ]
    assert split_held_out(examples, 0.1, 600, 1) == ([0, 2], [1])


@given(st.lists(st.integers(1, 128), min_size=1, max_size=200), st.integers(2, 40), st.integers(0, 9))
def test_batches_hold_every_text_once(lengths: list[int], size: int, seed: int) -> None:
    batches = bucketed_batches(lengths, size, Random(seed))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert all(len(batch) <= size for batch in batches)
    assert batches == bucketed_batches(lengths, size, Random(seed))


def test_batches_pad_little() -> None:
    rng = Random(3)
    lengths = [rng.randint(3, 60) for _ in range(1000)]
    padded = sum(max(lengths[i] for i in b) * len(b) for b in bucketed_batches(lengths, 32, Random(1)))
    assert padded < 1.3 * sum(lengths)


def test_padding_does_not_count(tokenizer: PreTrainedTokenizerFast) -> None:
    examples = [Example("my order is late", {"intent": "a"}, ()), Example("late", {}, None, weight=2.0)]
    batch = collate(featurise(examples, SETS, tokenizer, "", 64), [1, 0], ["intent"], 0)
    assert batch.mask.tolist() == [[True] * 3 + [False] * 3, [True] * 6]
    assert batch.labels["intent"].tolist() == [NO_LABEL, 0]
    assert batch.tags[0].tolist() == [NO_LABEL] * 6
    assert torch.equal(batch.weights, torch.tensor([2.0, 1.0]))


def test_no_texts_have_no_features(tokenizer: PreTrainedTokenizerFast) -> None:
    assert featurise([], LabelSets({"intent": ("a", "b")}, ()), tokenizer, "query: ", 16) == []
