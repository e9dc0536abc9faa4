"""Ids of FAQ entries that are given none, for imports and editors alike."""

from __future__ import annotations

import hashlib
import re

SLUG_LENGTH = 40
"""Characters of a question that an id keeps."""


def faq_id(question: str, lang: str) -> str:
    """Makes an id from a question: its words where they are plain Latin ones, else a hash.

    Args:
        question: the question, as `nlu.text.normalise` gives it.
        lang: its language.

    Returns:
        An id such as `can-i-return-it.en` or `faq-1f0c9ab2e7.zh`; the same for the same question.
    """
    plain = question.casefold().replace("'", "")
    words = re.findall(r"[a-z0-9]+", plain)
    if not words or any(character.isalpha() and not character.isascii() for character in plain):
        return f"faq-{digest(plain)}.{lang}"
    slug = "-".join(words)
    if len(slug) > SLUG_LENGTH:
        slug = slug[: SLUG_LENGTH + 1].rpartition("-")[0] or slug[:SLUG_LENGTH]
    return f"{slug}.{lang}"


def digest(text: str) -> str:
    """Ten characters that tell texts apart."""
    return hashlib.sha256(text.encode()).hexdigest()[:10]
