from __future__ import annotations

import pytest

from nlu.examples import Example, Span
from retrieval.types import FaqEntry
from training.config import TrainingConfig
from training.prepare import TrainingSet
from training.recipe import choose_recipe

MOODS = [Example("what a day", {"emotion": "joy"}), Example("go away", {"emotion": "anger"})]
INTENTS = ("status", "refund")
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


@pytest.mark.parametrize(("count", "split", "few"), [(20, "train", True), (21, "train", False), (21, "test", True)])
def test_few_examples_are_compared_first_and_read_more_often(count: int, split: str, few: bool) -> None:
    default = TrainingConfig()
    wishes = [Example(f"{name} {number}", {"intent": name}) for name in INTENTS for number in range(20)]
    more = [Example(f"more {name}", {"intent": name}, split=split) for name in INTENTS]
    chosen = choose_recipe(default, TrainingSet([*wishes, *more[: 2 * (count - 20)]]))
    assert (chosen.contrastive_first > 0) == few
    assert (chosen.epochs > default.epochs) == few


def test_many_moods_of_few_texts_are_not_compared() -> None:
    assert choose_recipe(TrainingConfig(), TrainingSet(MOODS)).contrastive_first == 0


def test_what_the_settings_say_stays() -> None:
    wanted = TrainingConfig(anchor=2.0, epochs=3, contrastive_first=0)
    assert choose_recipe(wanted, TrainingSet(MOODS)) == wanted
    assert choose_recipe(wanted, TrainingSet([Example("where is it", {"intent": "status"})])) == wanted
