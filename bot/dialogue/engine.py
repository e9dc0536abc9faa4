"""What a release answers with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nlu.types import Understander
from retrieval.types import FaqEntry, FaqSearch

USUAL_RISK = 0.05
"""The share of wrong answers that is borne where a release does not say."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What a release answers with; swapped whole between two messages.

    Attributes:
        understander: reads texts.
        search: finds FAQ entries.
        entries: FAQ entries by id.
        labels: the labels of each head.
        risk: the share of wrong answers that the release was made to bear.
    """

    understander: Understander
    search: FaqSearch
    entries: Mapping[str, FaqEntry]
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    risk: float = USUAL_RISK
