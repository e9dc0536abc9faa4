"""FAQ answers put into fitting words by a language model, where the operator has one; never trusted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from bot.alerts import named
from bot.breaker import Breaker
from bot.domain.ports import Rewriter
from bot.errors import UnavailableError
from nlu.types import Entity
from retrieval.faithful import unfaithful
from retrieval.types import FaqEntry

log_line = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rewording:
    """What came of asking for a rewording.

    Attributes:
        text: the text to say; empty where the answer's own sentences are to be said.
        outcome: `used`, or why not.
    """

    text: str
    outcome: str


class Rewriting:
    """Has answers reworded, and refuses what does not keep to them.

    An endpoint that failed three times in a row is left alone for half a minute, so that customers do not wait for it.

    Args:
        rewriter: the language model.
        unwanted: words that are never said.
        now: tells seconds that only grow.
    """

    def __init__(
        self, rewriter: Rewriter, unwanted: Sequence[str] = (), now: Callable[[], float] = time.monotonic
    ) -> None:
        self._rewriter = rewriter
        self._unwanted = unwanted
        self._breaker = Breaker(now)

    def of(self, entry: FaqEntry, question: str, entities: Sequence[Entity]) -> Rewording:
        """Rewords an entry's answer for a message.

        Args:
            entry: the entry that answers it.
            question: the message as it was given.
            entities: what was found in it; order numbers, phones and the like are masked before they leave.

        Returns:
            The text, where there is one that says what the entry says.
        """
        if self._breaker.is_open:
            return Rewording("", "the endpoint failed and is left alone for a while")
        try:
            text = self._rewriter.rewrite(masked(question, entities), entry.answer, entry.lang).strip()
        except UnavailableError as error:
            self._breaker.failed()
            log_line.warning("answer_not_reworded", faq=entry.id, error=str(error))
            return Rewording("", str(error))
        self._breaker.succeeded()
        fault = "unwanted words" if named(text, self._unwanted) else unfaithful(text, entry.answer, question)
        if fault:
            log_line.warning("rewording_refused", faq=entry.id, reason=fault)
            return Rewording("", f"refused: {fault}")
        return Rewording(text, "used")


def masked(text: str, entities: Sequence[Entity]) -> str:
    """A message with its entities replaced by their types, such as `[phone]`.

    Args:
        text: the message as it was given.
        entities: what was found in it.

    Returns:
        The text without what names a person or an order.
    """
    for entity in sorted(entities, key=lambda each: -each.start):
        text = f"{text[: entity.start]}[{entity.type}]{text[entity.end :]}"
    return text
