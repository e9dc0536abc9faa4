"""Copies of examples that went into the other language and back (Sennrich et al. 2016)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from nlu.examples import Example
from nlu.text import HAN
from training.augmentation.edits import WEIGHT, drawn
from training.augmentation.faithful import Embed, choose_faithful
from training.augmentation.translators import Translator

_HAN = re.compile(f"[{HAN}]")
_LEAST = 0.6
"""The lowest similarity of a text and its copy."""


def back_translations(
    examples: Sequence[Example], share: float, seed: int, translator: Translator, embed: Embed
) -> list[Example]:
    """Translates some examples from Chinese to English and back, or the other way round.

    Args:
        examples: what to copy from.
        share: how many are tried, as a share of the examples.
        seed: seed of every random choice.
        translator: what translates.
        embed: unit vectors by the pretrained encoder.

    Returns:
        Copies with the labels and half the weight, but without entities, whose places are lost; what came back the
        same or far from what it meant is left out.
    """
    rng = Random(f"{seed}-back-translation")
    chosen = drawn(examples, share, rng)
    rewrites: list[tuple[Example, Sequence[Example]]] = []
    for source, pivot in (("zh", "en"), ("en", "zh")):
        some = [e for e in chosen if bool(_HAN.search(e.text)) == (source == "zh")]
        if not some:
            continue
        there = translator.translate([example.text for example in some], source, pivot)
        back = translator.translate(there, pivot, source)
        for example, text in zip(some, back, strict=True):
            copy = replace(example, text=text.strip(), entities=None, weight=example.weight * WEIGHT)
            if copy.text and copy.labels:
                rewrites.append((example, [copy]))
    return choose_faithful(rewrites, {example.text for example in examples}, embed, _LEAST)
