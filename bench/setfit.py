"""SetFit (Tunstall et al. 2022) on the same encoder, what few examples are usually learnt with."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from nlu.examples import read_examples
from nlu.pretrained import load_pretrained

_ITERATIONS = 20
"""Pairs of each kind a text, as its authors take for their tables."""


def is_installed() -> bool:
    """Whether it can be measured here; `pip install setfit` brings it."""
    return find_spec("setfit") is not None


def accuracy(encoder: str, train_file: Path, test_file: Path, seed: int, work: Path) -> float:
    """Trains SetFit with its usual settings and reads the test file's intents.

    Args:
        encoder: a pretrained encoder's name.
        train_file: labelled examples.
        test_file: labelled examples.
        seed: of the training.
        work: where an encoder may be unpacked to, and where it writes.

    Returns:
        The share of intents that are right.
    """
    import datasets
    import setfit

    known, unseen = read_examples(train_file), read_examples(test_file, keep_duplicates=True)
    labels = sorted({example.labels["intent"] for example in known})
    model: Any = setfit.SetFitModel.from_pretrained(
        str(load_pretrained(encoder, work, ("zh", "en")).folder), labels=labels, device="cpu"
    )
    texts = {"text": [e.text for e in known], "label": [labels.index(e.labels["intent"]) for e in known]}
    arguments = setfit.TrainingArguments(
        output_dir=str(work / "setfit"), num_iterations=_ITERATIONS, num_epochs=1, seed=seed, report_to="none"
    )
    trainer = setfit.Trainer(model=model, args=arguments, train_dataset=datasets.Dataset.from_dict(texts))
    trainer.train()
    guess = model.predict([example.text for example in unseen])
    return float(np.mean([e.labels["intent"] == str(found) for e, found in zip(unseen, guess, strict=True)]))
