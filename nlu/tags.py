"""BIO tags of tokens, and the entities that they mark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlu.types import Entity

_NEVER = -1e9


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


@dataclass(frozen=True, slots=True)
class Edges:
    """What tokens carry beyond entities.

    Attributes:
        before: strings that are cut off where an entity's first token begins with one and goes on.
        after: strings that are cut off where its last token ends with one and more is before it.
    """

    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()


class TagDecoder:
    """Finds the entities that a text's tags mark, from what each token says and from how tags follow each other.

    Token by token the best tags often make no sense together: a name that begins as a place and goes on as a dish. The
    best sequence in which every `I-` goes on with its own type is found instead (Viterbi 1967).

    Args:
        names: the tags, from `tag_names`.
        transitions: how much each tag speaks for the next one, added to log-probabilities, shape `(tags + 1, tags)`;
            the last row is the text's beginning. None where nothing is known but what may follow.
        edges: what is cut off at the ends of entities.
    """

    def __init__(
        self, names: Sequence[str], transitions: NDArray[np.float32] | None = None, edges: Edges | None = None
    ) -> None:
        self._names = list(names)
        self._edges = edges or Edges()
        lawful = np.array([[_may_follow(before, after) for after in names] for before in [*names, "O"]], dtype=bool)
        known = np.zeros(lawful.shape) if transitions is None else transitions.astype(np.float64)
        self._transitions = np.where(lawful, known, _NEVER)

    def entities(
        self, text: str, logits: NDArray[np.float32], offsets: Sequence[Sequence[int]], shift: int
    ) -> list[Entity]:
        """Decodes one text.

        Args:
            text: the text that was tagged.
            logits: of its tokens, shape `(tokens, tags)`.
            offsets: first and one-past-last character of each token, counted with the prefix.
            shift: length of the prefix.

        Returns:
            Entities in order, without white space at their ends.
        """
        real = [place for place, (start, end) in enumerate(offsets) if start < end and end > shift]
        if not real:
            return []
        tags = [self._names[tag] for tag in self.best(logits[real])]
        places = [(max(offsets[i][0] - shift, 0), offsets[i][1] - shift) for i in real]
        found = []
        for name, first, last in _runs(tags):
            start = places[first][0] + self._beyond(text[slice(*places[first])], self._edges.before, str.startswith)
            end = places[last][1] - self._beyond(text[slice(*places[last])], self._edges.after, str.endswith)
            part = text[start:end].strip()
            if part:
                start = text.index(part, start)
                found.append(Entity(name, start, start + len(part), part, part))
        return found

    def _beyond(self, token: str, parts: frozenset[str], touches: Callable[[str, str], bool]) -> int:
        """How many characters of a token are cut off."""
        return max((len(part) for part in parts if len(part) < len(token) and touches(token, part)), default=0)

    def best(self, logits: NDArray[np.float32]) -> list[int]:
        """The best sequence of tags.

        Args:
            logits: shape `(tokens, tags)`, at least one token.

        Returns:
            A tag for each token.
        """
        scores = logits.astype(np.float64)
        scores -= np.logaddexp.reduce(scores, axis=1, keepdims=True)
        total = scores[0] + self._transitions[-1]
        steps = []
        for own in scores[1:]:
            paths = total[:, None] + self._transitions[:-1]
            steps.append(paths.argmax(axis=0))
            total = paths.max(axis=0) + own
        path = [int(total.argmax())]
        for step in reversed(steps):
            path.append(int(step[path[-1]]))
        return path[::-1]


def _may_follow(before: str, after: str) -> bool:
    return not after.startswith("I-") or before[2:] == after[2:]


def _runs(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """Type, first and last token of each entity in a lawful sequence of tags."""
    runs: list[tuple[str, int, int]] = []
    for place, tag in enumerate(tags):
        if tag.startswith("I-"):
            name, first, _ = runs.pop()
            runs.append((name, first, place))
        elif tag != "O":
            runs.append((tag[2:], place, place))
    return runs
