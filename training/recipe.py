"""What of the recipe follows from the data, where the settings leave it open."""

from __future__ import annotations

import math

from training.config import TrainingConfig
from training.datasets import usual_count
from training.prepare import TrainingSet

_FEW = 20
"""With at most so many examples an intent, in the middle, the recipe is another one."""

_FEW_EPOCHS = 12
_FEW_TOGETHER = 5


def choose_recipe(config: TrainingConfig, training_set: TrainingSet) -> TrainingConfig:
    """Settles what the data decides.

    The anchor serves retrieval, the distance to known texts and intents, which are worded as they are meant. Where a
    release has neither intents nor an FAQ it would only hold the encoder back: moods are said in the words of any
    subject. Few examples are soon read, and want more passes, of which the first ones only compare them.

    Args:
        config: the settings; what they say themselves stays.
        training_set: what will be learnt from.

    Returns:
        The settings to train with.
    """
    count = usual_count([example for example in training_set.examples if example.split != "test"], "intent")
    chosen: dict[str, float] = {}
    if math.isinf(count) and not training_set.faq:
        chosen["anchor"] = 0.0
    if count <= _FEW:
        chosen |= {"epochs": _FEW_EPOCHS, "contrastive_first": _FEW_TOGETHER}
    return config.model_copy(
        update={name: value for name, value in chosen.items() if name not in config.model_fields_set}
    )
