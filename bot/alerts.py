"""Words that count whatever else is said: danger, a threat to sue or to leave, and what nobody should have to read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from bot.domain.rules import AlertRule, Priority

_WIDE = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alert that a message sets off.

    Attributes:
        rule: which.
        phrase: the words that did it.
    """

    rule: AlertRule
    phrase: str

    @property
    def is_danger(self) -> bool:
        """True where somebody may come to harm, so that nothing else about the conversation matters."""
        return self.rule.priority is Priority.URGENT


def heard(text: str, alerts: Iterable[AlertRule]) -> Alarm | None:
    """Finds the first alert whose words stand in a message.

    Args:
        text: what the customer wrote.
        alerts: the bot's alerts, the gravest first.

    Returns:
        The alarm; None where all is calm. Chinese phrases count anywhere, others as whole words.
    """
    for rule in alerts:
        if phrase := named(text, rule.phrases):
            return Alarm(rule, phrase)
    return None


def named(text: str, phrases: Iterable[str]) -> str:
    """The first phrase that stands in a text, else nothing; Chinese ones count anywhere, others as whole words."""
    said = folded(text)
    return next((phrase for phrase in phrases if _pattern(phrase).search(said)), "")


def without(text: str, phrases: Iterable[str]) -> str:
    """A text, folded, without some phrases, of which longer ones go first."""
    said = folded(text)
    for phrase in sorted(phrases, key=len, reverse=True):
        said = _pattern(phrase).sub(" ", said)
    return said


def folded(text: str) -> str:
    """A text without case, width variants, curly apostrophes and needless blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).replace("\u2019", "'").casefold().split())


@cache
def _pattern(phrase: str) -> re.Pattern[str]:
    words = re.escape(folded(phrase))
    return re.compile(words if _WIDE.search(phrase) else rf"(?<![a-z0-9]){words}(?![a-z0-9])")
