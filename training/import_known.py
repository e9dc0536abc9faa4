"""The FAQ entries that are taken, with where they stand: ids and wordings belong to one entry each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nlu.text import normalise, primary_language
from retrieval import faq_ids
from retrieval.faq import read_faq
from retrieval.types import FaqEntry

_LONGEST_ID = 60


@dataclass(frozen=True, slots=True)
class Source:
    """Where an entry stands.

    Attributes:
        path: the file.
        line: the line (in a workbook the row), counted from 1, or None where only the file is known.
    """

    path: Path
    line: int | None


class KnownFaq:
    """Entries that are taken, with their ids and wordings."""

    def __init__(self) -> None:
        self._entries: list[tuple[FaqEntry, Source]] = []
        self._ids: dict[str, str] = {}
        self._wordings: dict[tuple[str, str], str] = {}

    @classmethod
    def of(cls, paths: Iterable[Path]) -> KnownFaq:
        """Everything that is taken in FAQ files."""
        known = cls()
        for path in paths:
            for entry in read_faq(path):
                known.add(entry, Source(path, None))
        return known

    @property
    def entries(self) -> list[tuple[FaqEntry, Source]]:
        """The entries with where they stand, in the order they were taken."""
        return list(self._entries)

    def add(self, entry: FaqEntry, source: Source) -> None:
        """Takes an entry with its id and wordings.

        Args:
            entry: the entry.
            source: where it stands.
        """
        self._entries.append((entry, source))
        place = place_of(entry, source)
        self._ids.setdefault(entry.id, place)
        for wording in (entry.question, *entry.variants):
            self._wordings.setdefault(wording_key(wording, entry.lang), place)

    def place_of_id(self, name: str) -> str | None:
        """Where an id is used, if it is."""
        return self._ids.get(name)

    def place_of_wording(self, wording: str, lang: str) -> str | None:
        """Where somebody asks the same in the same language, case and width of characters aside."""
        return self._wordings.get(wording_key(wording, lang))


def place_of(entry: FaqEntry, source: Source) -> str:
    """Names where an entry stands, for messages: `faq.csv:7`, or `faq.jsonl (returns.en)` without a line."""
    return f"{source.path} ({entry.id})" if source.line is None else f"{source.path}:{source.line}"


def wording_key(wording: str, lang: str) -> tuple[str, str]:
    """What two wordings share that ask the same in the same language, case and width of characters aside."""
    return primary_language(lang), normalise(wording).casefold()


def faq_id(question: str, lang: str) -> str:
    """Makes an id from a question as a file has it; see `retrieval.faq_ids.faq_id`."""
    return faq_ids.faq_id(normalise(question), lang)


def admissible_id(name: str) -> str:
    """Brings an id into the form that an address of the API takes: at most 60 characters, no space, `/` or `:`.

    Args:
        name: an id as a file has it.

    Returns:
        The same where it is admissible; always the same for the same id, with its ending `.en` or the like.
    """
    plain = re.sub(r"[\s/:]+", "-", name).strip("-")
    if not plain:
        return f"faq-{faq_ids.digest(name)}"
    if len(plain) <= _LONGEST_ID:
        return plain
    ending = re.search(r"\.[a-z]{2,3}$", plain)
    lang = ending[0] if ending else ""
    stem = plain.removesuffix(lang)
    return f"{stem[: faq_ids.SLUG_LENGTH]}-{faq_ids.digest(stem)}{lang}"


def free_id(question: str, lang: str, known: KnownFaq) -> str:
    """Makes an id from a question that no other entry has; see `faq_id`."""
    name = faq_id(question, lang)
    stem, attempt = name.removesuffix(f".{lang}"), 0
    while known.place_of_id(name):
        attempt += 1
        name = f"{stem}-{faq_ids.digest(f'{question} {attempt}')[:6]}.{lang}"
    return name
