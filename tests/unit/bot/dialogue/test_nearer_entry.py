"""An FAQ entry whose question is nearer to a message than all that the intents were learnt from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from bot.dialogue.policy import decide
from bot.domain.decisions import DecisionKind
from nlu.types import Entity
from retrieval.types import Hit
from tests.unit.bot.dialogue.shop_scenes import ENTRIES, HIT_THRESHOLDS, NUMBER, RULES, START, read

K = DecisionKind


@dataclass(frozen=True)
class Case:
    """A message about 0.9 from the nearest question of an entry, which answers it with a probability of 0.45."""

    intent: str = "delivery_time"
    confidence: float = 0.9
    familiar: float | None = 0.85
    score: float = 0.45
    oos: float = 0.05
    entities: tuple[Entity, ...] = ()


CASES = {
    "goes before a template": (Case(), K.FAQ),
    "goes before a form": (Case("order_status"), K.FAQ),
    "answers where no intent is certain": (Case(confidence=0.4), K.FAQ),
    "as near as an example": (Case(familiar=0.9), K.FAQ),
    "farther than an example": (Case(familiar=0.91), K.TEMPLATE),
    "nobody knows how near examples are": (Case(familiar=None), K.TEMPLATE),
    "hardly probable": (Case(score=0.39), K.TEMPLATE),
    "the intent is next to certain": (Case(confidence=0.995), K.TEMPLATE),
    "the form's own number is named": (Case("order_status", entities=(NUMBER,)), K.FORM),
    "a wish for a person": (Case("human_agent"), K.HANDOVER),
    "small talk": (Case("greeting"), K.SMALLTALK),
    "out of scope, less likely than not": (Case(oos=0.9), K.CLARIFY),
    "out of scope, rather likely": (Case(oos=0.9, score=0.55), K.FAQ),
    "out of scope, farther than an example": (Case(oos=0.9, score=0.55, familiar=0.95), K.CLARIFY),
}


@pytest.mark.parametrize(("case", "kind"), CASES.values(), ids=CASES)
def test_an_entry_that_is_nearer_than_all_examples(case: Case, kind: DecisionKind) -> None:
    text = "where is FD20481937 then" if case.entities else "some words"
    reading = read(text, (case.intent, case.confidence), oos=case.oos, entities=case.entities)
    hit = Hit(ENTRIES["a"], ENTRIES["a"].question, 0.9, case.score)
    decision = decide(replace(reading, familiar=case.familiar), START, [hit], HIT_THRESHOLDS, RULES)
    assert decision.kind is kind
    assert decision.faq == ("a" if kind is K.FAQ else "")
