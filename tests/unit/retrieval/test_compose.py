from __future__ import annotations

import pytest

from retrieval.compose import Suggestion, answer_text, suggestions
from retrieval.types import FaqEntry, Hit


def hit(entry_id: str, question: str = "", score: float = 0.5, answer: str = "yes") -> Hit:
    return Hit(FaqEntry(entry_id, question or f"{entry_id}?", answer), question, 0.5, score)


ANSWERS = {
    "plain": ("Yes.", "Yes."),
    "outer white space": ("\n  Yes. \n", "Yes."),
    "other line ends": ("a\r\nb\rc", "a\nb\nc"),
    "space at line ends": ("a \t\nb", "a\nb"),
    "many blank lines": ("a\n \n\n\nb", "a\n\nb"),
    "what looks like markup stays": ("Use <del>x</del> & *y*", "Use <del>x</del> & *y*"),
}


@pytest.mark.parametrize(("answer", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_tidy_plain_text(answer, expected):
    assert answer_text(hit("a", answer=answer)) == expected


def test_suggestions_keep_the_order_and_the_limit():
    hits = [hit("a", score=0.9), hit("b", score=0.4), hit("c", score=0.3), hit("d", score=0.2)]
    assert suggestions(hits) == [Suggestion("a", "a?", 0.9), Suggestion("b", "b?", 0.4), Suggestion("c", "c?", 0.3)]
    assert [each.id for each in suggestions(hits, limit=1)] == ["a"]
    assert suggestions(hits, limit=0) == []


def test_suggestions_need_the_score():
    assert [each.id for each in suggestions([hit("a", score=0.3), hit("b", score=0.29)], at_least=0.3)] == ["a"]


def test_no_question_is_suggested_twice():
    assert [each.id for each in suggestions([hit("a", "Ship?"), hit("b", "ship?"), hit("c")])] == ["a", "c"]
