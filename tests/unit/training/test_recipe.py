from __future__ import annotations

import pytest

from nlu.examples import Example, Span
from retrieval.types import FaqEntry
from training.config import TrainingConfig
from training.prepare import TrainingSet
from training.recipe import choose_recipe

MOODS = [Example("what a day", {"emotion": "joy"}), Example("go away", {"emotion": "anger"})]
FAQ = [FaqEntry("parking.en", "Where can I park?", "Behind the shop.", lang="en")]


@pytest.mark.parametrize(
    ("training_set", "anchored"),
    [
        (TrainingSet(MOODS), False),
        (TrainingSet([Example("a cold", {}, (Span(2, 6, "DISEASE"),))]), False),
        (TrainingSet(MOODS, FAQ), True),
        (TrainingSet([*MOODS, Example("where is it", {"intent": "status"})]), True),
    ],
    ids=["moods", "entities", "an FAQ", "intents"],
)
def test_only_what_is_searched_is_anchored(training_set: TrainingSet, anchored: bool) -> None:
    default = TrainingConfig()
    assert choose_recipe(default, training_set).anchor == (default.anchor if anchored else 0.0)


def test_what_the_settings_say_stays() -> None:
    wanted = TrainingConfig(anchor=2.0)
    assert choose_recipe(wanted, TrainingSet(MOODS)) == wanted
