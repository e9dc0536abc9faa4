"""FAQ retrieval with an encoder as it was pretrained, to compare with after training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from nlu.model import Reader
from nlu.pretrained import PretrainedEncoder, load_pretrained
from nlu.text import normalise
from retrieval.faq import read_faq, read_queries
from retrieval.index import FaqIndex
from retrieval.types import Embed, Vector
from training.evaluate import faq_metrics

_BATCH = 64
_MAX_TOKENS = 128
"""As `training.config` has it: before and after training the same words are read."""


def faq_before_training(encoder: str, faq: Path, queries: Path, data_dir: Path) -> dict[str, float]:
    """Ranks a knowledge base by the pretrained vectors.

    Args:
        encoder: a pretrained encoder's name.
        faq: FAQ entries.
        queries: queries with the entries that answer them.
        data_dir: where an encoder may be unpacked to.

    Returns:
        `recall@1`, `recall@3`, `mrr@10`, `map`.
    """
    embed, passages = pretrained_embeds(encoder, data_dir)
    return faq_metrics(embed, FaqIndex.build(read_faq(faq), embed, passages=passages), read_queries(queries))


def pretrained_embeds(encoder: str, data_dir: Path) -> tuple[Embed, Embed]:
    """Sentence vectors as the pretrained encoder gives them.

    Args:
        encoder: a pretrained encoder's name.
        data_dir: where an encoder may be unpacked to.

    Returns:
        What turns questions into unit-length vectors, and what does so with passages.
    """
    pretrained = load_pretrained(encoder, data_dir, ("zh", "en"))
    reader = Reader(pretrained.model, {}).eval()

    def embed(texts: list[str], prefix: str) -> Vector:
        prefixed = [prefix + normalise(text) for text in texts]
        parts = [_embed(reader, pretrained, prefixed[i : i + _BATCH]) for i in range(0, len(texts), _BATCH)]
        return np.concatenate(parts)

    return partial(embed, prefix=pretrained.prefix), partial(embed, prefix=pretrained.passage_prefix)


def _embed(reader: Reader, pretrained: PretrainedEncoder, texts: Sequence[str]) -> Vector:
    encoded = pretrained.tokenizer(
        list(texts),
        truncation=True,
        max_length=_MAX_TOKENS,
        padding=True,
        return_tensors="pt",
    )
    with torch.inference_mode():
        reading = reader(encoded["input_ids"], encoded["attention_mask"].bool())
    vectors: Vector = reading.unit_vector.numpy()
    return vectors
