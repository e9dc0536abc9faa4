from __future__ import annotations

from pathlib import Path

import pytest

from nlu.examples import Example
from training.config import TrainingConfig
from training.prepare import TrainingSet, prepare

QUESTIONS = {
    "cancel": [f"please cancel my order number {n}" for n in range(20)],
    "status": [f"where is my parcel number {n} now" for n in range(20)],
}


@pytest.mark.parametrize("more", [{"noise": 1.0}, {"synonyms": 1.0}])
def test_copies_are_learnt_from_and_never_held_out(more: dict[str, float], tmp_path: Path) -> None:
    examples = [Example(text, {"intent": intent}) for intent, texts in QUESTIONS.items() for text in texts]
    plain = TrainingConfig(encoder="minilm-l6-en")
    known = prepare(TrainingSet(examples), plain, tmp_path)
    richer = prepare(TrainingSet(examples), plain.model_copy(update=more), tmp_path)
    assert len(richer.taught) > 1.3 * len(known.taught)
    assert richer.taught[: len(known.taught)] == known.taught
    assert [item.ids for item in richer.held] == [item.ids for item in known.held]
    assert len(richer.learnt) == len(richer.taught)
