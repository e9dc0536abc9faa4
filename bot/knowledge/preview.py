"""What an edit of the knowledge base would change for customers, seen before it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bot.dialogue.engine import Engine
from bot.dialogue.policy import decide
from bot.dialogue.second_look import found, nearby_entries, second_look
from bot.domain.conversation import Conversation
from bot.domain.log_ports import ConversationLog
from bot.domain.records import FaqDraft
from bot.domain.rules import BotRules
from bot.errors import UnavailableError
from nlu.types import Understanding
from retrieval.types import FaqEntry
from retrieval.wordings import shared_wordings

_PREVIEWED = 300
_ALIKE = 0.92
"""The cosine of questions from which on an import takes them for the same, too."""


class PreviewEngine(Protocol):
    """The engine in force, as far as a preview needs it."""

    def preview(self, draft: FaqDraft) -> tuple[Engine, Engine]:
        """The engine in force, and the same with the draft."""


@dataclass(frozen=True, slots=True)
class Change:
    """A logged question to which customers would get something else.

    Attributes:
        text: what the customer wrote.
        before: the id of the entry that answers now, empty for none.
        after: the id of the entry that would answer, empty for none.
    """

    text: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What an edit would change.

    Attributes:
        read: how many of the latest different logged texts were asked.
        gained: those that the entry would answer from now on.
        lost: those that it would no longer answer.
        offered: those to which it would be offered from now on, where it answered or was offered to none of them.
    """

    read: int
    gained: tuple[Change, ...]
    lost: tuple[Change, ...]
    offered: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a customer gets of the knowledge base: the entries that answer, and those that are offered."""

    answers: tuple[str, ...]
    offers: tuple[str, ...]

    def answer(self, entry: str) -> str:
        """The entry where it answers, else the first that does, empty for none."""
        return entry if entry in self.answers else next(iter(self.answers), "")


def effect(draft: FaqDraft, log: ConversationLog, engine: PreviewEngine, rules: BotRules) -> Effect:
    """Asks the latest logged texts, each as a first message, with the knowledge base as it is and as it would be.

    Args:
        draft: an entry as it would be, with its schedule.
        log: has the texts.
        engine: the engine in force.
        rules: the bot's rules, as an intent's own way may go before an entry.

    Returns:
        What the entry would gain and lose.
    """
    present, foreseen = engine.preview(draft)
    texts = log.latest_texts(_PREVIEWED)
    readings = present.understander.understand([text for text, _ in texts], [lang or None for _, lang in texts])
    gained, lost, offered = [], [], []
    entry = draft.entry.id
    for reading in readings:
        was, will = (_outcome(each, rules, reading) for each in (present, foreseen))
        change = Change(reading.text, was.answer(entry), will.answer(entry))
        if entry in will.answers and entry not in was.answers:
            gained.append(change)
        elif entry in was.answers and entry not in will.answers:
            lost.append(change)
        elif entry in will.offers and entry not in was.offers:
            offered.append(change)
    return Effect(len(readings), tuple(gained), tuple(lost), tuple(offered))


def alike(entry: FaqEntry, engine: Callable[[], Engine]) -> list[FaqEntry]:
    """Other entries of its language that ask nearly what an entry asks, or have a wording of it: they may contradict.

    Args:
        entry: as it is stored, or would be.
        engine: gives the engine in force.

    Returns:
        The entries; none while there is no release.
    """
    try:
        present = engine()
    except UnavailableError:
        return []
    (reading,) = present.understander.understand([entry.question], [entry.lang])
    hits = found(present, reading, entry.lang)
    others = [each for each in present.entries.values() if each.id != entry.id]
    shared = (each for having in shared_wordings([*others, entry]).values() if entry in having for each in having)
    near = (hit.entry for hit in hits if hit.similarity >= _ALIKE)
    return [each for each in dict.fromkeys([*near, *shared]) if each.id != entry.id and each.lang == entry.lang]


def _outcome(engine: Engine, rules: BotRules, reading: Understanding) -> _Outcome:
    before, lang, text = Conversation("preview"), reading.lang or None, reading.text
    hits = found(engine, reading, lang)
    decision = decide(reading, before, hits, engine.search.thresholds, rules)
    decision = second_look(engine, rules, decision, reading, text, hits, before, lang)
    answers = [each.faq for each in (decision, *decision.also) if each.faq]
    offers = [option.removeprefix("faq:") for option in decision.options if option.startswith("faq:")]
    return _Outcome(tuple(answers), (*offers, *nearby_entries(decision, hits, engine, rules.related)))
