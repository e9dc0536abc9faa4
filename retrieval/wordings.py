"""What customers may ask word for word: which texts count as the same, and which entries have the same."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from retrieval.types import FaqEntry

_END_MARKS = " ?!.,;。~…"


def plain_wording(text: str) -> str:
    """What texts share that count as the same wording: case, width and marks at the end do not matter."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(_END_MARKS)


def shared_wordings(entries: Iterable[FaqEntry]) -> dict[str, list[FaqEntry]]:
    """The wordings that several entries of one language have, so that nobody knows which of them is asked for.

    Args:
        entries: the entries that answer.

    Returns:
        Each such wording, as it stands first, with its entries.
    """
    owners: dict[tuple[str, str], dict[str, FaqEntry]] = {}
    written: dict[tuple[str, str], str] = {}
    for entry in entries:
        for text in (entry.question, *entry.variants):
            key = entry.lang, plain_wording(text)
            owners.setdefault(key, {})[entry.id] = entry
            written.setdefault(key, text)
    return {written[key]: list(having.values()) for key, having in owners.items() if len(having) > 1}
