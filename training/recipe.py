"""What of the recipe follows from the data, where the settings leave it open."""

from __future__ import annotations

from training.config import TrainingConfig
from training.prepare import TrainingSet


def choose_recipe(config: TrainingConfig, training_set: TrainingSet) -> TrainingConfig:
    """Settles what the data decides.

    The anchor serves retrieval, the distance to known texts and intents, which are worded as they are meant. Where a
    release has neither intents nor an FAQ it would only hold the encoder back: moods are said in the words of any
    subject.

    Args:
        config: the settings; what they say themselves stays.
        training_set: what will be learnt from.

    Returns:
        The settings to train with.
    """
    searched = bool(training_set.faq) or any("intent" in example.labels for example in training_set.examples)
    if searched or "anchor" in config.model_fields_set:
        return config
    return config.model_copy(update={"anchor": 0.0})
