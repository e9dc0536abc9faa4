"""FAQ answers put into fitting words by a language model, where the operator has one; never trusted."""

from __future__ import annotations

import re
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

# What no entity covers, too readily rather than too rarely: addresses, and six digits or more with what separates them.
_IN_ADDRESS = r"[^\s@,;:<>()\[\]\"!?\u3000-\u303f\u3400-\u9fff]"
_BETWEEN_DIGITS = r"[ ()./\u2010-\u2015-]{0,3}"
_PERSONAL = re.compile(
    rf"(?P<email>{_IN_ADDRESS}{{1,64}}@{_IN_ADDRESS}{{1,255}})|(?P<number>\+?\(?\d(?:{_BETWEEN_DIGITS}\d){{5,}})"
)


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
            question: the message that was read.
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
    """A message with its entities, e-mail addresses and long numbers replaced by what they are, such as `[phone]`.

    Args:
        text: the message that was read.
        entities: what was found in it.

    Returns:
        The text without what names a person or an order.
    """
    named = [(entity.start, entity.end, entity.type) for entity in entities]
    missed = [(match.start(), match.end(), str(match.lastgroup)) for match in _PERSONAL.finditer(text)]
    parts, done = [], 0
    for start, end, kind in sorted([*named, *missed], key=lambda span: span[0]):
        if start >= done:
            parts += [text[done:start], f"[{kind}]"]
        done = max(done, end)
    return "".join([*parts, text[done:]])
