"""Messages that are not understood by themselves: several questions in one, and what leans on the question before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.dialogue.assent import is_courtesy
from bot.dialogue.context import is_short, leans, meant, surely_meant
from bot.dialogue.engine import Engine
from bot.dialogue.moves import NEXT_TO_CERTAIN, related_entries, speaks_in_general
from bot.dialogue.questions import split_questions, split_unmarked
from bot.dialogue.revision import decide_each, follow_up, may_be_misread, may_hold_several
from bot.domain.conversation import Conversation
from bot.domain.decisions import Decision, DecisionKind
from bot.domain.rules import BotRules
from nlu.types import Understanding
from retrieval.types import Hit

HITS = 5
"""How many FAQ hits the policy sees."""

_REMEMBERED = 300
_LIKELY = 0.5
"""From which score on the nearest entry counts as what was asked, whatever answered."""


def found(engine: Engine, reading: Understanding, lang: str | None) -> list[Hit]:
    """The FAQ hits for a message.

    Args:
        engine: searches.
        reading: the message as it was read.
        lang: the language to answer in, where it is known.

    Returns:
        At most five, the best first.
    """
    return engine.search.search(reading.vector, top=HITS, lang=lang, text=reading.text)


def nearby_entries(decision: Decision, hits: Sequence[Hit], engine: Engine, limit: int) -> tuple[str, ...]:
    """The entries that stand below what an intent says in general, as they may have been meant.

    Args:
        decision: how the message is answered.
        hits: FAQ hits for it.
        engine: has the entries and their thresholds.
        limit: how many at most.

    Returns:
        Their ids; none where the answer is none in general.
    """
    if not speaks_in_general(decision):
        return ()
    near = [hit.entry.id for hit in hits if hit.score >= engine.search.thresholds.suggest]
    return related_entries(decision, near, engine.entries, limit)


def second_look(
    engine: Engine,
    rules: BotRules,
    whole: Decision,
    reading: Understanding,
    text: str,
    hits: Sequence[Hit],
    before: Conversation,
    lang: str | None,
) -> Decision:
    """Reads a text once more where that can tell more: question by question, or after the question before it.

    Args:
        engine: reads and searches.
        rules: the bot's rules.
        whole: how the message is answered by itself.
        reading: how it was read.
        text: what was written.
        hits: FAQ hits for it.
        before: the state before it.
        lang: its language.

    Returns:
        How it is answered; an answer or a question back remembers what was asked.
    """
    if is_courtesy(text):
        return whole
    decision = whole
    aside = whole.kind is DecisionKind.TEMPLATE and bool(whole.intent) and whole.form_state is not None
    if may_be_misread(whole, before, rules) and is_short(text):
        decision = _in_context(engine, whole, reading, text, hits, before, lang)
    elif may_hold_several(whole):
        questions = split_questions(text)
        parts = _read(engine, questions, lang) if questions else _sure_parts(engine, whole, text, hits, lang)
        if parts:
            decision = decide_each(whole, parts, before, engine.search.thresholds, rules)
        if decision is whole and not questions:
            decision = _in_context(engine, whole, reading, text, hits, before, lang)
    elif aside:
        decision = _in_context(engine, whole, reading, text, hits, before, lang)
    starts_form = decision.kind is DecisionKind.FORM and before.form is None
    if not (may_hold_several(decision) or starts_form):
        return decision
    near = hits[0].entry.id if hits and hits[0].score >= _LIKELY else ""
    return replace(decision, asked=text[:_REMEMBERED], near=near)


def _read(engine: Engine, questions: Sequence[str], lang: str | None) -> list[tuple[Understanding, Sequence[Hit]]]:
    readings = engine.understander.understand(list(questions), [lang] * len(questions))
    return [(reading, found(engine, reading, lang)) for reading in readings]


def _sure_parts(
    engine: Engine, whole: Decision, text: str, hits: Sequence[Hit], lang: str | None
) -> list[tuple[Understanding, Sequence[Hit]]]:
    """The questions of a message that marks none, if each is surely one by itself and no one entry answers them all."""
    if _is_certain(engine, whole, hits):
        return []
    questions = split_unmarked(text)
    if any(leans(question, understood=True) for question in questions[1:]):
        return []
    parts = _read(engine, questions, lang) if questions else []
    return parts if all(_is_sure(engine, *part) for part in parts) else []


def _is_sure(engine: Engine, reading: Understanding, hits: Sequence[Hit]) -> bool:
    sure_entry = bool(hits) and hits[0].score >= engine.search.thresholds.accept
    return sure_entry or (reading.intent is not None and reading.intent.confidence >= NEXT_TO_CERTAIN)


def _is_certain(engine: Engine, decision: Decision, hits: Sequence[Hit]) -> bool:
    """True where the nearest entry answers, and is certain by itself."""
    return bool(hits) and decision.faq == hits[0].entry.id and hits[0].score >= engine.search.thresholds.accept


def _in_context(
    engine: Engine,
    alone: Decision,
    reading: Understanding,
    text: str,
    hits: Sequence[Hit],
    before: Conversation,
    lang: str | None,
) -> Decision:
    if not before.asked or _is_certain(engine, alone, hits):
        return alone
    leaning = leans(text, understood=alone.kind is not DecisionKind.CLARIFY and not alone.miss)
    next_to_certain = reading.intent is not None and reading.intent.confidence >= NEXT_TO_CERTAIN
    if not leaning and (not is_short(text) or (alone.kind is DecisionKind.TEMPLATE and next_to_certain)):
        return alone
    together = found(engine, engine.understander.understand([f"{before.asked} {text}"], [lang])[0], lang)
    # "And where is my order?" begins like a continuation and is none.
    certain_wish = alone.kind is DecisionKind.FORM and next_to_certain
    entry = meant(hits, together, before.told) if leaning and not certain_wish else ""
    entry = entry or surely_meant(hits, together, before.told)
    return follow_up(alone, entry, before)
