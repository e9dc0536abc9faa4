from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlu.model import Reader
from tests.unit.training.test_fit import small_reader, texts
from training.config import TrainingConfig
from training.datasets import NO_LABEL, Features, label_array
from training.reading import read_all
from training.together import draw_together

CONFIG = TrainingConfig(encoder="none", learning_rate=3e-3, anchor=0.0, contrastive_first=40)


def moved(features: list[Features], config: TrainingConfig = CONFIG) -> tuple[Reader, NDArray[np.float32]]:
    reader = small_reader({"intent": 3}, 0)
    anchors = read_all(reader, features, 0).vectors
    rows = list(range(len(features)))
    prepared: Any = SimpleNamespace(
        learnt=features, pad_id=0, in_scope=rows, in_scope_intents=label_array(features, "intent")
    )
    draw_together(reader, prepared, config, anchors, torch.device("cpu"))
    return reader, anchors


def contrast(reader: Reader) -> float:
    """How much nearer texts of one intent lie than others, over texts that were not learnt."""
    unseen = texts(60, seed=2)
    intents = label_array(unseen, "intent")
    known = intents != NO_LABEL
    vectors = read_all(reader, unseen, 0).vectors[known]
    same = intents[known][:, None] == intents[known][None]
    cosines = vectors @ vectors.T
    return float(cosines[same].mean() - cosines[~same].mean())


def test_texts_of_one_intent_come_together_and_heads_stay() -> None:
    before = small_reader({"intent": 3}, 0)
    after, _ = moved(texts(60))
    assert contrast(after) > contrast(before) + 0.2
    assert torch.equal(after.head("intent").weight, before.head("intent").weight)


def test_the_anchor_holds_them() -> None:
    features = texts(60)
    free, anchors = moved(features)
    held, _ = moved(features, CONFIG.model_copy(update={"anchor": 50.0}))
    near, far = ((read_all(reader, features, 0).vectors * anchors).sum(1).mean() for reader in (held, free))
    assert near > far


def test_the_same_seed_moves_alike() -> None:
    one, other = (moved(texts(60))[0].state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_with_one_intent_there_is_nothing_to_compare() -> None:
    features = [Features(item.ids, {"intent": 0}, item.tags) for item in texts(10)]
    before = small_reader({"intent": 3}, 0).state_dict()
    after = moved(features)[0].state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
