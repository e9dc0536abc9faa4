"""More examples from those that there are, in other words or with slips, as the settings ask for."""

from __future__ import annotations

from collections.abc import Sequence

from nlu.examples import Example
from training.augmentation.back_translation import back_translations
from training.augmentation.faithful import Embed
from training.augmentation.label_names import named_examples
from training.augmentation.noise import noisy_copies
from training.augmentation.synonyms import synonym_copies
from training.augmentation.translators import open_translator
from training.config import TrainingConfig

__all__ = ["augment"]


def augment(examples: Sequence[Example], config: TrainingConfig, embed: Embed) -> list[Example]:
    """Makes the copies that the settings ask for, and examples of the names of labels that have few.

    Args:
        examples: those that are learnt from; held-out ones must not be among them.
        config: how many copies of which kind, as shares of the examples.
        embed: unit vectors of texts by the pretrained encoder.

    Returns:
        The copies, without the examples; an `InputError` where a package or the translator is missing.
    """
    copies = named_examples(examples, config.label_names, embed)
    copies += noisy_copies(examples, config.noise, config.seed)
    if config.synonyms:
        copies += synonym_copies(examples, config.synonyms, config.seed, embed)
    if config.back_translation:
        translator = open_translator(config.translator)
        copies += back_translations(examples, config.back_translation, config.seed, translator, embed)
    return copies
