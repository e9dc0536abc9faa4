"""What a training run starts from: texts as token ids, split, with the label sets and the encoder."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlu.examples import Example
from nlu.model import Reader
from nlu.pretrained import PretrainedEncoder, load_pretrained
from nlu.types import OUT_OF_SCOPE, InputError, Vector
from retrieval.types import FaqEntry, FaqQuery
from training.augmentation import augment
from training.augmentation.faithful import Embed
from training.config import TrainingConfig
from training.datasets import Features, LabelSets, featurise, label_array, label_sets, split_held_out, usual_count
from training.fit import FaqPair
from training.reading import read_all


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """What a release is made of.

    Attributes:
        examples: labelled texts.
        faq: the knowledge base.
        test: the frozen test set that training never sees; its metrics go into the manifest.
        faq_queries: test queries for the knowledge base.
        unsure: texts with labels that nobody has confirmed; they are learnt from and never held out.
        base: the examples before a log added to them; None where nothing was added.
    """

    examples: Sequence[Example]
    faq: Sequence[FaqEntry] = ()
    test: Sequence[Example] = ()
    faq_queries: Sequence[FaqQuery] = field(default=())
    unsure: Sequence[Example] = ()
    base: Sequence[Example] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A training set, ready to be learnt from.

    Attributes:
        examples: labelled texts, those of the test split left out.
        sets: their label sets.
        encoder: the pretrained encoder.
        max_tokens: longer texts are cut; as many as the encoder can take, and no more than the settings want.
        taught: the examples that are learnt from, unsure ones and copies included.
        faq_texts: texts of FAQ pairs, without labels.
        learnt: `taught`, then `faq_texts`, as token ids.
        held: the examples that are held out, as token ids.
        faq_pairs: pairs of rows of `learnt` that ask the same.
    """

    examples: list[Example]
    sets: LabelSets
    encoder: PretrainedEncoder
    max_tokens: int
    taught: list[Example]
    faq_texts: list[Example]
    learnt: list[Features]
    held: list[Features]
    faq_pairs: list[FaqPair]

    @property
    def usual_count(self) -> float:
        """How many examples a label has, in the middle, in the head where that is the most; infinite without heads."""
        return max((usual_count(self.examples, head) for head in self.sets.heads), default=math.inf)

    @property
    def in_scope(self) -> list[int]:
        """Which of `taught` are not labelled out of scope."""
        return [row for row, e in enumerate(self.taught) if e.labels.get("intent", OUT_OF_SCOPE) != OUT_OF_SCOPE]

    @property
    def in_scope_intents(self) -> NDArray[np.int64]:
        """The intents of these, as indices; `NO_LABEL` where there is none."""
        return label_array(self.learnt, "intent")[self.in_scope]

    @property
    def pad_id(self) -> int:
        """The padding token."""
        return int(self.encoder.tokenizer.pad_token_id)

    def tokenise(self, examples: Sequence[Example], prefix: str | None = None) -> list[Features]:
        """Token ids and label indices, one item an example; the encoder's prefix for queries unless told another."""
        before = self.encoder.prefix if prefix is None else prefix
        return featurise(examples, self.sets, self.encoder.tokenizer, before, self.max_tokens)

    def reader(self, config: TrainingConfig) -> Reader:
        """The pretrained encoder, in place, with heads that know nothing yet."""
        sizes = {head: len(labels) for head, labels in self.sets.heads.items()}
        return Reader(self.encoder.model, sizes, len(self.sets.tags), config.dropout)


def prepare(
    training_set: TrainingSet, config: TrainingConfig, data_dir: Path, *, learn_held_out: bool = False
) -> Prepared:
    """Splits and tokenises a training set.

    Args:
        training_set: what to learn from.
        config: encoder, languages, share to hold out, seed.
        data_dir: where unpacked encoders are kept.
        learn_held_out: learn from the held-out texts too, after they have served to calibrate.

    Returns:
        What a run starts from; an `InputError` where the examples cannot be learnt from.
    """
    examples = [example for example in training_set.examples if example.split != "test"]
    sets = label_sets(examples)
    encoder = load_pretrained(config.encoder, data_dir, config.languages)
    max_tokens = min(config.max_tokens, int(encoder.model.config.max_position_embeddings))
    known, held = split_held_out(examples, config.holdout, config.holdout_limit, config.seed)
    if not any(examples[i].labels or examples[i].entities is not None for i in known):
        raise InputError(
            f"All {len(held)} examples with the split `valid` are held out, and no other one has a label to learn. "
            "Take `split` out of most examples, or out of all, then a share of them is held out."
        )
    learnt = sorted([*known, *held]) if learn_held_out else known
    taught = [*(examples[i] for i in learnt), *training_set.unsure]
    taught += augment(taught, config, _embedder(encoder, max_tokens))
    texts, pairs = pair_faq(training_set.faq, first_row=len(taught))
    faq_texts = [Example(text) for text in texts]

    def tokenise(some: Sequence[Example]) -> list[Features]:
        return featurise(some, sets, encoder.tokenizer, encoder.prefix, max_tokens)

    return Prepared(
        examples=examples,
        sets=sets,
        encoder=encoder,
        max_tokens=max_tokens,
        taught=taught,
        faq_texts=faq_texts,
        learnt=tokenise(taught + faq_texts),
        held=tokenise([examples[i] for i in held]),
        faq_pairs=pairs,
    )


def _embedder(encoder: PretrainedEncoder, max_tokens: int) -> Embed:
    """Unit vectors of texts by the pretrained encoder."""

    def embed(texts: Sequence[str]) -> Vector:
        features = featurise(
            [Example(text) for text in texts], LabelSets({}, ()), encoder.tokenizer, encoder.prefix, max_tokens
        )
        return read_all(Reader(encoder.model, {}, 0), features, int(encoder.tokenizer.pad_token_id)).vectors

    return embed


def pair_faq(entries: Sequence[FaqEntry], first_row: int = 0) -> tuple[list[str], list[FaqPair]]:
    """Pairs what means the same: an entry's question with each variant, and its questions in two languages.

    Args:
        entries: the knowledge base; ids that differ in the language only (`<stem>.<lang>`) are translations.
        first_row: the row that the first text will have.

    Returns:
        The texts of the pairs, each once, and the pairs.
    """
    by_stem: dict[str, list[FaqEntry]] = defaultdict(list)
    for entry in entries:
        by_stem[entry.id.removesuffix(f".{entry.lang}")].append(entry)
    rows: dict[str, int] = {}
    pairs = []
    for stem, group in by_stem.items():
        same = [(entry.question, variant) for entry in group for variant in entry.variants]
        same += [(one.question, next_one.question) for one, next_one in pairwise(group)]
        for left, right in same:
            row, other = (rows.setdefault(text, first_row + len(rows)) for text in (left, right))
            pairs.append(FaqPair(row, other, stem))
    return list(rows), pairs
