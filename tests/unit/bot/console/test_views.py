from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.console.render import percent, waited
from bot.console.views import Guess, conversation_row, queue_row, read_trace
from bot.domain.conversation import Status
from bot.domain.records import ConversationSummary, Escalation, TurnView
from bot.domain.rules import ServiceLevel

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PARTS = ("understanding", "decision", "hits", "release", "intent", "emotion", "oos", "entities", "label", "top", "kind")
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(PARTS), inner),
    max_leaves=8,
)


def test_a_whole_document_is_read() -> None:
    trace = read_trace(
        {
            "decision": {"kind": "faq", "reason": "a good hit"},
            "understanding": {
                "lang": "en",
                "intent": {
                    "label": "refund",
                    "confidence": 0.9,
                    "top": [{"label": "refund", "confidence": 0.9}, {"label": "return", "confidence": 0.1}],
                },
                "emotion": {"label": "joy", "confidence": 0.8},
                "entities": [{"type": "order_number", "value": "FD1"}],
                "oos": 0.02,
            },
            "hits": [{"id": "ret-1", "question": "How?", "score": 0.7}],
            "release": "r1",
        }
    )
    assert trace.intents == (Guess("refund", 0.9), Guess("return", 0.1))
    assert trace.emotions == (Guess("joy", 0.8),)
    assert trace.entities == ("order_number: FD1",)
    assert trace.hits == (Guess("ret-1", 0.7, "How?"),)
    assert (trace.decision, trace.reason, trace.oos, trace.release) == ("faq", "a good hit", 0.02, "r1")


@given(st.dictionaries(st.sampled_from(PARTS), JSON))
def test_any_document_is_read_without_an_error(document: dict[str, Any]) -> None:
    read_trace(document)


@pytest.mark.parametrize(
    ("corrections", "document", "emotion"),
    [
        ({"emotion": "joy"}, {"decision": {"emotion": "anger"}}, "joy"),
        ({}, {"decision": {"emotion": "anger"}}, "anger"),
        ({}, {"understanding": {"emotion": {"label": "worry", "confidence": 0.4}}}, "worry"),
        ({}, {"decision": {"emotion": ""}, "understanding": {"emotion": {"label": "worry"}}}, ""),
    ],
    ids=["corrected", "believed", "read", "not believed"],
)
def test_the_queue_shows_the_emotion_that_counts(
    corrections: dict[str, str], document: dict[str, Any], emotion: str
) -> None:
    last = TurnView(1, "web:a", "m", NOW, "hi", "text", document, (), corrections)
    summary = ConversationSummary("web:a", Status.BOT, "en", "", NOW)
    assert conversation_row(summary, last, NOW).emotion == emotion


def test_a_queue_row_without_a_turn_shows_what_the_escalation_knows() -> None:
    escalation = Escalation(1, "plain", "asked", "open", NOW + timedelta(seconds=5), "", "last", "", "en")
    row = queue_row(escalation, None, NOW, ServiceLevel())
    assert (row.name, row.channel, row.last_text, row.emotion) == ("plain", "api", "last", "")
    assert row.waited == timedelta()


@pytest.mark.parametrize(
    ("minutes", "en", "zh"),
    [(0, "just now", "刚刚"), (59, "59 min", "59 分钟"), (60, "1 h", "1 小时"), (3000, "2 d", "2 天")],
    ids=["now", "minutes", "hours", "days"],
)
def test_waiting_times_are_worded(minutes: int, en: str, zh: str) -> None:
    span = timedelta(minutes=minutes)
    assert (waited(span, "en"), waited(span, "zh")) == (en, zh)


@pytest.mark.parametrize(("value", "text"), [(0.0, "0%"), (0.934, "93%"), (0.994, "99%"), (1.0, "99%+")])
def test_a_probability_is_never_shown_as_certain(value: float, text: str) -> None:
    assert percent(value) == text
