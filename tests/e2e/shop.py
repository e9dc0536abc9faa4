"""What the bot of the example shop can say, read from the shop's own files."""

from __future__ import annotations

import re

from bot.bot_files import load_bot_files
from bot.dialogue.templates import Phrasing
from retrieval.faq import read_faq
from tests.e2e.server import SHOP

_TEMPLATES = load_bot_files(SHOP).templates.templates
_ENTRIES = {entry.id: entry for entry in read_faq(*sorted((SHOP / "faq").iterdir()))}


def says(text: str, template: str, lang: str) -> bool:
    """Whether a text holds a phrasing of a template, whatever its slots are filled with."""
    by_mood = _TEMPLATES[template].phrasings[lang]
    return any(_pattern(phrasing).search(text) for phrasings in by_mood.values() for phrasing in phrasings)


def answer(entry: str) -> str:
    """The answer of an FAQ entry."""
    return _ENTRIES[entry].answer


def _pattern(phrasing: Phrasing) -> re.Pattern[str]:
    return re.compile(".+".join(re.escape(piece) for piece in phrasing.pieces[::2]))
