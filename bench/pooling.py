"""How a text's tokens become one vector: the same training with each way to pool them.

As with `recipe`, texts cut from BANKING77's training file judge. A release knows the mean alone, so the models are read
in torch and none becomes one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.banking77 import ENCODER
from bench.commands import say
from bench.figures import Figure, Outcome
from bench.recipe import cut
from bench.releases import Setup
from nlu.examples import Example, read_examples
from nlu.model import Reader
from retrieval.faq import read_faq, read_queries
from retrieval.index import FaqIndex
from retrieval.types import Vector
from training.config import TrainingConfig
from training.datasets import label_array
from training.evaluate import faq_metrics
from training.learn import learn
from training.prepare import Prepared, TrainingSet, prepare
from training.reading import read_all
from training.recipe import choose_recipe

_COMMAND = "python -m bench pooling"


class _FirstToken(Reader):
    """Takes the last hidden state of the first token, as BERT was made for (Devlin et al. 2019, section 3.2)."""

    def pool(self, hidden: Tensor, mask: Tensor) -> Tensor:  # noqa: ARG002
        return hidden[:, 0]


class _Maximum(Reader):
    """Takes the largest value of each channel over the real tokens."""

    def pool(self, hidden: Tensor, mask: Tensor) -> Tensor:
        return hidden.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(1)


POOLINGS: dict[str, type[Reader]] = {"mean": Reader, "first token": _FirstToken, "maximum": _Maximum}


def measure(setup: Setup) -> Outcome:
    """Trains once for each way and seed.

    Args:
        setup: where the data is, and the seeds.

    Returns:
        Accuracy on the texts held out, FAQ retrieval after training, and minutes.
    """
    known, unseen = cut(setup.data / "banking77" / "train.jsonl", setup.work / "pooling")
    examples, judged = read_examples(known), read_examples(unseen, keep_duplicates=True)
    faq = setup.data / "stackfaq"
    entries, queries = read_faq(faq / "faq.jsonl"), read_queries(faq / "queries.jsonl")
    figures: list[Figure] = []
    for name, kind in POOLINGS.items():
        say(name)
        right, found, minutes = [], [], []
        for seed in setup.seeds:
            start = time.perf_counter()
            prepared, reader = _train(kind, examples, seed, setup.work)
            minutes.append((time.perf_counter() - start) / 60)
            right.append(_accuracy(prepared, reader, judged))
            embed = partial(_embed, prepared, reader)
            found.append(faq_metrics(embed, FaqIndex.build(entries, embed), queries)["map"])
        figures += [
            Figure(f"{name}: accuracy", tuple(right), _COMMAND),
            Figure(f"{name}: stackfaq MAP", tuple(found), _COMMAND),
            Figure(f"{name}: training", tuple(minutes), _COMMAND, "min"),
        ]
    return Outcome(tuple(figures), (f"Accuracy is on {len(judged)} texts cut from BANKING77's training file.",))


def _train(kind: type[Reader], examples: Sequence[Example], seed: int, data_dir: Path) -> tuple[Prepared, Reader]:
    training_set = TrainingSet(examples)
    config = choose_recipe(TrainingConfig(encoder=ENCODER, seed=seed), training_set)
    torch.manual_seed(seed)
    prepared = prepare(training_set, config, data_dir)
    sizes = {head: len(labels) for head, labels in prepared.sets.heads.items()}
    reader = kind(prepared.encoder.model, sizes, 0, config.dropout)
    learn(prepared, reader, config)
    return prepared, reader


def _accuracy(prepared: Prepared, reader: Reader, judged: Sequence[Example]) -> float:
    features = prepared.tokenise(judged)
    logits = read_all(reader, features, prepared.pad_id).logits["intent"]
    return float((logits.argmax(1) == label_array(features, "intent")).mean())


def _embed(prepared: Prepared, reader: Reader, texts: list[str]) -> Vector:
    return np.asarray(read_all(reader, prepared.tokenise([Example(text) for text in texts]), prepared.pad_id).vectors)
