"""Labelled examples to tensors: label sets, held-out split, token ids, tags and length-bucketed batches."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from nlu.examples import Example
from nlu.origins import trace
from nlu.tags import tag_names
from nlu.text import normalise
from nlu.types import InputError

NO_LABEL = -100
"""Marks a missing label or tag; `cross_entropy` leaves it out."""


@dataclass(frozen=True, slots=True)
class LabelSets:
    """The labels that a release knows.

    Attributes:
        heads: for each head its labels, sorted.
        entity_types: types of entities, sorted.
    """

    heads: dict[str, tuple[str, ...]]
    entity_types: tuple[str, ...]

    @property
    def tags(self) -> list[str]:
        """BIO tags of the token head."""
        return tag_names(list(self.entity_types))


@dataclass(frozen=True, slots=True)
class Features:
    """One text, ready for batches.

    Attributes:
        ids: token ids, special tokens included.
        labels: for each head the label's index, or `NO_LABEL`.
        tags: a tag index for each token (`NO_LABEL` where it does not count), or None where entities are not annotated.
        weight: how much the example counts.
    """

    ids: tuple[int, ...]
    labels: dict[str, int]
    tags: tuple[int, ...] | None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Several texts, padded.

    Attributes:
        rows: which features they are.
        ids: shape `(batch, tokens)`.
        mask: True for real tokens, shape `(batch, tokens)`.
        labels: for each head, shape `(batch,)`.
        tags: shape `(batch, tokens)`.
        weights: shape `(batch,)`.
    """

    rows: list[int]
    ids: Tensor
    mask: Tensor
    labels: dict[str, Tensor]
    tags: Tensor
    weights: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        if self.ids.device == device:
            return self
        labels = {head: values.to(device) for head, values in self.labels.items()}
        ids, mask, tags, weights = (x.to(device) for x in (self.ids, self.mask, self.tags, self.weights))
        return Batch(self.rows, ids, mask, labels, tags, weights)


def usual_count(examples: Sequence[Example], head: str) -> float:
    """How many examples a label of a head has, in the middle; infinite where none has one."""
    counts = Counter(example.labels[head] for example in examples if head in example.labels)
    return median(counts.values()) if counts else math.inf


def label_sets(examples: Sequence[Example]) -> LabelSets:
    """Collects the labels of each field that occurs.

    Args:
        examples: training examples.

    Returns:
        The label sets.

    Raises:
        InputError: no example has any label, or a head has only one label.
    """
    heads: dict[str, set[str]] = defaultdict(set)
    types: set[str] = set()
    for example in examples:
        for head, label in example.labels.items():
            heads[head].add(label)
        types.update(span.type for span in example.entities or ())
    if not heads and not types:
        raise InputError("No example has a label. Give at least one of intent, emotion, sentiment, topic or entities.")
    for head, labels in heads.items():
        if len(labels) == 1:
            raise InputError(
                f"Head {head!r} has the single label {next(iter(labels))!r} in all examples; a classifier needs at "
                f"least two. Add examples of another label or leave the field out."
            )
    return LabelSets({head: tuple(sorted(labels)) for head, labels in sorted(heads.items())}, tuple(sorted(types)))


def split_held_out(examples: Sequence[Example], share: float, limit: int, seed: int) -> tuple[list[int], list[int]]:
    """Keeps some examples aside, the same share of every label, never the last one of a label.

    An example's text decides whether it is kept aside before others of its labels, so that nearly the same ones are
    after some were added or changed: a model that goes on from another would otherwise be calibrated on texts that the
    other has learnt.

    Where examples carry several labels, hardly two may carry the same ones, and next to nothing could be kept aside;
    then it is the same share of every label of one head.

    Args:
        examples: training examples; those whose `split` is `valid` are kept aside instead, where there are any.
        share: share to keep aside.
        limit: how many at most.
        seed: seed of the choice.

    Returns:
        Indices for training and held-out indices.
    """
    given = [i for i, example in enumerate(examples) if example.split in {"valid", "dev", "validation"}]
    if given:
        chosen = set(given)
        return [i for i in range(len(examples)) if i not in chosen], given
    share = min(share, limit / max(1, len(examples)))
    order = [hashlib.sha256(f"{seed} {example.text}".encode()).digest() for example in examples]
    keys = [(*sorted(example.labels.items()), example.lang) for example in examples]
    held = _share_of_groups(keys, order, share)
    if len(held) < share * len(examples) / 2:
        by_head = [
            _share_of_groups([(example.labels.get(head, ""), example.lang) for example in examples], order, share)
            for head in sorted({head for example in examples for head in example.labels})
        ]
        held = max((held, *(_without_last_ones(examples, rows) for rows in by_head)), key=len)
    chosen = set(held)
    return [i for i in range(len(examples)) if i not in chosen], sorted(held)


def _share_of_groups(keys: Sequence[tuple[object, ...]], order: Sequence[bytes], share: float) -> list[int]:
    """Takes the same share of each group of rows with one key, the first in order, never the last row of a group."""
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for i, key in enumerate(keys):
        groups[key].append(i)
    held: list[int] = []
    owed = 0.0
    for key in sorted(groups, key=str):
        members = sorted(groups[key], key=order.__getitem__)
        owed += len(members) * share
        # What rare labels could not give is owed, but no label pays it for all.
        take = min(int(owed), len(members) - 1, math.ceil(len(members) * share))
        owed -= take
        held.extend(members[:take])
    return held


def _without_last_ones(examples: Sequence[Example], held: Sequence[int]) -> list[int]:
    """Gives back to training what would be the last example of a label."""
    left = Counter(pair for example in examples for pair in example.labels.items())
    kept = []
    for row in held:
        pairs = list(examples[row].labels.items())
        if all(left[pair] > 1 for pair in pairs):
            left.subtract(pairs)
            kept.append(row)
    return kept


def featurise(
    examples: Sequence[Example], sets: LabelSets, tokenizer: PreTrainedTokenizerBase, prefix: str, max_tokens: int
) -> list[Features]:
    """Tokenises examples and turns labels into indices.

    Args:
        examples: examples with labels of `sets`; labels it does not know are left out.
        sets: the label sets.
        tokenizer: the encoder's tokenizer (a fast one, with character offsets).
        prefix: what the encoder wants before each text.
        max_tokens: longer texts are cut.

    Returns:
        One item an example.
    """
    if not examples:
        return []
    index = {head: {label: i for i, label in enumerate(labels)} for head, labels in sets.heads.items()}
    tag_index = {tag: i for i, tag in enumerate(sets.tags)}
    examples = [normalised(example) for example in examples]
    texts = [prefix + example.text for example in examples]
    encoded = tokenizer(texts, truncation=True, max_length=max_tokens, return_offsets_mapping=True)
    features = []
    for example, ids, offsets in zip(examples, encoded["input_ids"], encoded["offset_mapping"], strict=True):
        labels = {head: index[head].get(label, NO_LABEL) for head, label in example.labels.items() if head in index}
        tags = None
        if example.entities is not None and tag_index:
            tags = _tag_tokens(example, offsets, len(prefix), tag_index)
        features.append(Features(tuple(ids), labels, tags, example.weight))
    return features


def normalised(example: Example) -> Example:
    """An example as serving reads it.

    Args:
        example: its text as it was given.

    Returns:
        The same with its text normalised and its entities where they stand in that; one of which nothing is left is
        left out.
    """
    text = normalise(example.text)
    if text == example.text:
        return example
    if not example.entities:
        return replace(example, text=text)
    origins, spans = trace(example.text), []
    for span in example.entities:
        places = [i for i, sign in enumerate(origins) if sign.start < span.end and sign.end > span.start]
        if places:
            spans.append(replace(span, start=places[0], end=places[-1] + 1))
    return replace(example, text=text, entities=tuple(spans))


def _tag_tokens(
    example: Example, offsets: Sequence[tuple[int, int]], shift: int, tag_index: dict[str, int]
) -> tuple[int, ...]:
    """Gives each token the BIO tag of the longest span it touches; prefix and special tokens do not count."""
    spans = sorted(example.entities or (), key=lambda span: span.start - span.end)
    tags = []
    previous = None
    for start, end in offsets:
        first, last = start - shift, end - shift
        if start == end or last <= 0:
            tags.append(NO_LABEL)
            continue
        span = next((s for s in spans if first < s.end and last > s.start), None)
        if span is None:
            tags.append(tag_index["O"])
        else:
            tags.append(tag_index[f"{'I' if span is previous else 'B'}-{span.type}"])
        previous = span
    return tuple(tags)


def bucketed_batches(lengths: Sequence[int], size: int, rng: Random) -> list[list[int]]:
    """Groups texts of similar length, so that little is padded, in random order.

    Args:
        lengths: tokens of each text.
        size: texts a batch.
        rng: the source of randomness.

    Returns:
        Indices for each batch; every text once.
    """
    order = sorted(range(len(lengths)), key=lambda i: lengths[i] * (1.0 + 0.3 * rng.random()) + rng.random())
    batches = [order[i : i + size] for i in range(0, len(order), size)]
    rng.shuffle(batches)
    return batches


def collate(features: Sequence[Features], rows: list[int], heads: Sequence[str], pad_id: int) -> Batch:
    """Pads some features into a batch.

    Args:
        features: all features.
        rows: which of them.
        heads: the heads to give labels for.
        pad_id: the padding token.

    Returns:
        The batch.
    """
    chosen = [features[i] for i in rows]
    width = max(len(item.ids) for item in chosen)
    ids = torch.full((len(rows), width), pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.bool)
    tags = torch.full((len(rows), width), NO_LABEL, dtype=torch.long)
    for row, item in enumerate(chosen):
        length = len(item.ids)
        ids[row, :length] = torch.tensor(item.ids)
        mask[row, :length] = True
        if item.tags is not None:
            tags[row, :length] = torch.tensor(item.tags)
    labels = {head: torch.tensor([item.labels.get(head, NO_LABEL) for item in chosen]) for head in heads}
    return Batch(rows, ids, mask, labels, tags, torch.tensor([item.weight for item in chosen], dtype=torch.float32))


def sorted_batches(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Batches in order of length, for reading without training.

    Args:
        lengths: tokens of each text.
        size: texts a batch.

    Yields:
        Indices of each batch.
    """
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    for i in range(0, len(order), size):
        yield order[i : i + size]


def label_array(features: Sequence[Features], head: str) -> NDArray[np.int64]:
    """The label indices of one head, `NO_LABEL` where missing, shape `(n,)`."""
    return np.array([item.labels.get(head, NO_LABEL) for item in features], dtype=np.int64)
