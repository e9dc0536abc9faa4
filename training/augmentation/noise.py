"""Noisy copies of examples: the slips of people who type, so that a release bears them.

In English a letter is swapped with its neighbour, dropped, doubled or taken for the key beside it; in Chinese a
character is dropped or taken for another one that sounds the same, as an input method offers it. Negations, digits,
entities and short words stay, because with another letter they may mean something else.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from nlu.examples import Example
from nlu.types import InputError
from training.augmentation.edits import WEIGHT, drawn, replaced, untouched

_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_WORD = re.compile(r"[A-Za-z]{4,}")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_CHARACTERS_A_SLIP = 12


def noisy_copies(examples: Sequence[Example], share: float, seed: int) -> list[Example]:
    """Makes noisy copies of some examples.

    Args:
        examples: what to copy from; their Chinese characters are the ones that slips are made to.
        share: how many copies, as a share of the examples.
        seed: seed of every random choice.

    Returns:
        Copies with the labels, entities moved along, and half the weight; texts too short for a slip give none.

    Raises:
        InputError: there is Chinese among them and the package pypinyin is not installed.
    """
    rng = Random(f"{seed}-noise")
    sounds = _homophones(examples) if share > 0 else {}
    known = {example.text for example in examples}
    copies = []
    for example in drawn(examples, share, rng):
        copy = _with_slips(example, sounds, rng)
        if copy is not None and copy.text not in known:
            known.add(copy.text)
            copies.append(copy)
    return copies


def _with_slips(example: Example, sounds: dict[str, list[str]], rng: Random) -> Example | None:
    """A copy with a slip or more, one for every dozen characters."""
    made: Example | None = None
    for _ in range(1 + len(example.text) // _CHARACTERS_A_SLIP):
        base = made or example
        places = _places(base)
        if not places:
            break
        start, end = rng.choice(places)
        slip = _slip(base.text[start:end], sounds, rng)
        made = replaced(base, start, end, slip)
    return replace(made, weight=example.weight * WEIGHT) if made is not None else None


def _places(example: Example) -> list[tuple[int, int]]:
    """Words and characters that may be mistyped."""
    words = [match.span() for match in _WORD.finditer(example.text)]
    characters = [match.span() for match in _HAN.finditer(example.text)]
    characters = untouched(example, characters)
    return untouched(example, words) + (characters if len(characters) >= 4 else [])


def _slip(part: str, sounds: dict[str, list[str]], rng: Random) -> str:
    if not part.isascii():
        return rng.choice(sounds[part]) if sounds.get(part) and rng.random() < 0.7 else ""
    place = rng.randrange(1, len(part) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return part[:place] + part[place + 1] + part[place] + part[place + 2 :]
    if kind == 1:
        return part[:place] + part[place + 1 :]
    if kind == 2:
        return part[:place] + part[place] + part[place:]
    return part[:place] + _beside(part[place], rng) + part[place + 1 :]


def _beside(letter: str, rng: Random) -> str:
    """A key next to a letter's in its row."""
    for row in _KEYS:
        place = row.find(letter.lower())
        if place >= 0:
            near = row[max(0, place - 1) : place] + row[place + 1 : place + 2]
            found = rng.choice(near)
            return found.upper() if letter.isupper() else found
    return letter


def _homophones(examples: Sequence[Example]) -> dict[str, list[str]]:
    """For each Chinese character others that sound the same, as often as the examples have them, at most ten times."""
    counts = Counter(character for example in examples for character in _HAN.findall(example.text))
    if not counts:
        return {}
    try:
        from pypinyin import lazy_pinyin
    except ImportError as error:
        raise InputError(
            "Noise in Chinese needs the package pypinyin. Install it with `pip install 'frontdesk[train]'`."
        ) from error
    by_sound: dict[str, list[str]] = defaultdict(list)
    for character in counts:
        by_sound[lazy_pinyin(character)[0]].append(character)
    return {
        character: [other for other in group if other != character for _ in range(min(10, counts[other]))]
        for group in by_sound.values()
        for character in group
    }
