"""The messages that are timed: the shop's test texts, both languages by turns, in short conversations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

COUNT = 300
_TURNS = 3


@dataclass(frozen=True, slots=True)
class TimedMessage:
    """What one customer writes.

    Attributes:
        id: unique.
        conversation: three messages each.
        text: what is written.
    """

    id: str
    conversation: str
    text: str


def read_texts(path: Path) -> dict[str, list[str]]:
    """The texts of a JSON lines file by language."""
    texts: dict[str, list[str]] = {}
    for line in path.read_text("utf-8").split("\n"):
        if line.strip():
            record = json.loads(line)
            texts.setdefault(record["lang"], []).append(record["text"])
    return texts


def mixed_messages(texts: dict[str, list[str]], prefix: str, count: int = COUNT) -> list[TimedMessage]:
    """Picks texts evenly from the whole of each language's list; conversations of both languages take turns.

    Args:
        texts: by language; each language has at least one.
        prefix: what ids and conversations begin with.
        count: how many messages.

    Returns:
        The messages in order.
    """
    languages = sorted(texts)
    conversations = -(-count // _TURNS)
    picked = {lang: iter(_spread(texts[lang], conversations * _TURNS)) for lang in languages}
    messages = []
    for number in range(count):
        conversation = number // _TURNS
        text = next(picked[languages[conversation % len(languages)]])
        messages.append(TimedMessage(f"{prefix}-{number}", f"{prefix}-{conversation}", text))
    return messages


def _spread(texts: Sequence[str], count: int) -> list[str]:
    """Steps through the list by the golden section, so that neighbours come from different labels."""
    step = max(1, round(len(texts) * 0.618))
    while len(texts) > 1 and _share_factor(step, len(texts)):
        step += 1
    return [texts[i * step % len(texts)] for i in range(count)]


def _share_factor(first: int, second: int) -> bool:
    while second:
        first, second = second, first % second
    return first > 1
