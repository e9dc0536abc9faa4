"""Names of labels as examples: `card_arrival` says in two words what a handful of examples only hints at.

Schick & Schütze 2021, "Exploiting cloze questions for few shot text classification", learn from such names through a
prompt; here the name itself is one more text of the label.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from statistics import median

import numpy as np

from nlu.examples import Example
from nlu.types import OUT_OF_SCOPE
from training.augmentation.faithful import Embed

_BETWEEN_WORDS = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")
_LETTERS = re.compile(r"[^\W\d_]{2}")
_TELLING = 0.6
"""How many names must lie nearest to the examples of their own label; names such as `class 7` do so by chance alone."""


def named_examples(examples: Sequence[Example], most: int, embed: Embed) -> list[Example]:
    """Makes one text of each label's name, in those heads where examples are few and names mean something.

    Args:
        examples: those that are learnt from.
        most: labels of a head may have so many examples, in the middle; 0 for no names at all.
        embed: unit vectors by the pretrained encoder.

    Returns:
        The names as examples; none of a text that is known.
    """
    known = {example.text.lower() for example in examples}
    made = []
    for head in sorted({head for example in examples for head in example.labels}):
        own = [example for example in examples if head in example.labels]
        counts = Counter(example.labels[head] for example in own)
        if len(counts) < 2 or median(counts.values()) > most:
            continue
        names = {label: _BETWEEN_WORDS.sub(" ", label).strip() for label in sorted(counts) if label != OUT_OF_SCOPE}
        if _telling(names, own, head, embed):
            made += [Example(name, {head: label}) for label, name in names.items() if name.lower() not in known]
            known.update(name.lower() for name in names.values())
    return made


def _telling(names: dict[str, str], examples: Sequence[Example], head: str, embed: Embed) -> bool:
    """Whether the names of labels lie near the examples of these labels."""
    if not names or not all(_LETTERS.search(name) for name in names.values()):
        return False
    labels = list(names)
    rows = np.array([labels.index(e.labels[head]) if e.labels[head] in names else -1 for e in examples])
    vectors = embed([example.text for example in examples])
    centres = np.stack([vectors[rows == place].mean(0) for place in range(len(labels))])
    nearest = (embed(list(names.values())) @ centres.T).argmax(1)
    return float((nearest == np.arange(len(labels))).mean()) >= _TELLING
