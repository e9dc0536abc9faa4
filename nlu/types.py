"""What a reading of one message is: distributions over labels, entities, an out-of-scope score and a vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from nlu.origins import trace

OUT_OF_SCOPE = "oos"
"""The intent label that marks a text which the bot is not there for."""

Vector = NDArray[np.float32]


class FrontdeskError(Exception):
    """The root of every error that Frontdesk raises on purpose; `bot.errors` draws the whole tree."""


class InputError(FrontdeskError):
    """Something that a person gave is wrong: says what, where (file, line, field) and what to do."""


class ReleaseError(FrontdeskError):
    """A release folder is missing, damaged or does not fit; says which file and what to do."""


@dataclass(frozen=True, slots=True)
class Score:
    """A label with its calibrated probability."""

    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Distribution:
    """What one head thinks: the best label first, probabilities calibrated on held-out data.

    Attributes:
        top: up to five labels, the most probable first; never empty.
    """

    top: tuple[Score, ...]

    @property
    def label(self) -> str:
        """The most probable label."""
        return self.top[0].label

    @property
    def confidence(self) -> float:
        """The probability of the best label."""
        return self.top[0].confidence

    @property
    def margin(self) -> float:
        """How far the best label is ahead of the second, 0 to 1."""
        return self.confidence - (self.top[1].confidence if len(self.top) > 1 else 0.0)


@dataclass(frozen=True, slots=True)
class Entity:
    """A span of the text that names something.

    Attributes:
        type: what it is, such as `order_number`.
        start: first character, counted in the text that it was found in.
        end: one past the last character.
        text: the characters themselves.
        value: the normalised value, such as `FD20481937` for "fd-20481937".
        source: `model` for the token head, `pattern` for a rule.
    """

    type: str
    start: int
    end: int
    text: str
    value: str
    source: Literal["model", "pattern"] = "model"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where calibrated scores turn into decisions; chosen on held-out data and shipped with the release.

    Attributes:
        intent_accept: an intent at or above is acted upon.
        intent_margin: a lead smaller than this makes two intents "close".
        oos_reject: an out-of-scope score at or above is out of scope.
        emotion_accept: an emotion at or above is believed.
        emotion_strong: an emotion at or above is strong.
    """

    intent_accept: float = 0.5
    intent_margin: float = 0.15
    oos_reject: float = 0.5
    emotion_accept: float = 0.5
    emotion_strong: float = 0.85


@dataclass(frozen=True, slots=True, eq=False)
class Understanding:
    """One reading of one message, from one forward pass.

    Attributes:
        text: the normalised text that was read.
        lang: its language, such as `en` or `zh`.
        heads: one distribution for each head of the release (`intent`, `emotion`, ...).
        entities: spans in `text`; `given_entities` has them as spans in `given`.
        oos: probability that the text is out of scope, 0 to 1.
        vector: unit-length sentence vector, shape `(width,)`.
        release: the name of the release that read it.
        thresholds: the release's own thresholds.
        given: the text as it was given; None where it was read as it was.
        familiar: cosine with the nearest text that the intents were learnt from, -1 to 1; None where it is not known.
    """

    text: str
    lang: str
    heads: Mapping[str, Distribution]
    entities: tuple[Entity, ...]
    oos: float
    vector: Vector
    release: str
    thresholds: Thresholds = field(default_factory=Thresholds)
    given: str | None = None
    familiar: float | None = None

    @property
    def given_entities(self) -> tuple[Entity, ...]:
        """The entities as they stand in the text as it was given, with their own normalised values."""
        if self.given is None or self.given == self.text or not self.entities:
            return self.entities
        origins, found = trace(self.given), []
        for entity in self.entities:
            start, end = origins[entity.start].start, origins[entity.end - 1].end
            found.append(replace(entity, start=start, end=end, text=self.given[start:end]))
        return tuple(found)

    @property
    def intent(self) -> Distribution | None:
        """The intent head's answer, if the release has one."""
        return self.heads.get("intent")

    @property
    def emotion(self) -> Distribution | None:
        """The emotion head's answer, if the release has one."""
        return self.heads.get("emotion")


class Understander(Protocol):
    """Reads texts; built from a release by `nlu.runtime`."""

    @property
    def release(self) -> str:
        """The name of the release that is loaded."""

    def understand(self, texts: list[str], langs: list[str | None] | None = None) -> list[Understanding]:
        """Reads several texts, those of like length in one forward pass.

        Args:
            texts: any strings; they are normalised inside.
            langs: the language to expect of each text, or None; what is written decides where it says otherwise.

        Returns:
            One understanding a text, in order.
        """
