"""BIO tags of tokens, and the entities that they mark."""

from __future__ import annotations

from collections.abc import Sequence

from nlu.types import Entity


def tag_names(entity_types: list[str]) -> list[str]:
    """The BIO tags of some entity types: `O`, then `B-` and `I-` of each (Ramshaw & Marcus 1995).

    Args:
        entity_types: types in the release's order.

    Returns:
        `1 + 2 * len(entity_types)` tags, or none at all without types.
    """
    if not entity_types:
        return []
    return ["O", *(f"{mark}-{name}" for name in entity_types for mark in "BI")]


def decode_tags(text: str, tags: Sequence[str], offsets: Sequence[Sequence[int]], shift: int) -> list[Entity]:
    """Turns BIO tags of tokens into entities.

    Args:
        text: the text that was tagged.
        tags: a tag for each token; an `I-` without its `B-` starts an entity as well.
        offsets: first and one-past-last character of each token, counted with the prefix.
        shift: length of the prefix.

    Returns:
        Entities in order, without white space at their ends.
    """
    spans: list[tuple[str, int, int]] = []
    open_type = ""
    for tag, (start, end) in zip(tags, offsets, strict=True):
        first, last = max(start - shift, 0), end - shift
        if start == end or last <= 0:
            continue
        if tag == "O":
            open_type = ""
            continue
        mark, _, name = tag.partition("-")
        if mark == "I" and open_type == name and spans:
            spans[-1] = (name, spans[-1][1], last)
        else:
            spans.append((name, first, last))
        open_type = name
    entities = []
    for name, first, last in spans:
        part = text[first:last].strip()
        if part:
            start = text.index(part, first)
            entities.append(Entity(name, start, start + len(part), part, part))
    return entities
