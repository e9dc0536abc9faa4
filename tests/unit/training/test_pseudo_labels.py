from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from nlu.examples import Example
from nlu.types import Distribution, Score, Thresholds, Understanding
from training.logged import LoggedTurn
from training.pseudo_labels import pseudo_labelled

EXAMPLES = [
    Example("track my order", {"intent": "status", "emotion": "neutral"}),
    Example("tell me where it is", {"intent": "status"}),
    Example("I want a refund", {"intent": "refund"}),
    Example("what a day", {"intent": "oos"}),
]


def read(texts: Sequence[str]) -> list[Understanding]:
    """Reads `<intent> <certainty in percent> <out of scope in percent>`, and the emotion a little less surely."""
    found = []
    for text in texts:
        intent, certainty, oos = text.split()[:3]
        heads = {
            "intent": Distribution((Score(intent, int(certainty) / 100),)),
            "emotion": Distribution((Score("neutral", int(certainty) / 100 - 0.1),)),
        }
        found.append(Understanding(text, "en", heads, (), int(oos) / 100, np.eye(2, dtype=np.float32)[0], "r"))
    return found


def turns(*texts: str) -> list[LoggedTurn]:
    return [LoggedTurn(number, text) for number, text in enumerate(texts)]


def test_what_is_certain_is_taken_with_half_the_weight() -> None:
    (made,) = pseudo_labelled(read, turns("status 95 10", "status 89 10"), EXAMPLES, 0.9)
    assert (made.text, made.labels, made.weight, made.source) == ("status 95 10", {"intent": "status"}, 0.5, "pseudo")


def test_every_head_is_judged_for_itself() -> None:
    (both,) = pseudo_labelled(read, turns("status 100 10"), EXAMPLES, 0.9)
    assert both.labels == {"intent": "status", "emotion": "neutral"}
    (foreign,) = pseudo_labelled(read, turns("status 100 60"), EXAMPLES, 0.9)
    assert foreign.labels == {"emotion": "neutral"}
    assert pseudo_labelled(read, turns("oos 99 10"), EXAMPLES, 0.9) == []


def test_the_release_s_own_threshold_counts_too() -> None:
    def strict(texts: Sequence[str]) -> list[Understanding]:
        wary = Thresholds(intent_accept=0.97, emotion_accept=0.97)
        return [Understanding(r.text, r.lang, r.heads, (), r.oos, r.vector, r.release, wary) for r in read(texts)]

    assert pseudo_labelled(strict, turns("status 95 10"), EXAMPLES, 0.9) == []


def test_a_label_gets_no_more_than_it_has_and_the_surest_first() -> None:
    made = pseudo_labelled(read, turns("refund 95 1", "refund 97 1", "status 92 1", "status 93 1"), EXAMPLES, 0.9)
    assert [example.text for example in made] == ["refund 97 1", "status 92 1", "status 93 1"]


@pytest.mark.parametrize(
    "turn",
    [
        LoggedTurn(1, "track MY order"),
        LoggedTurn(1, "status 99 1", corrections={"intent": "refund"}),
        LoggedTurn(1, "status 99 1", kind="button"),
        LoggedTurn(1, "/status 99 1"),
        LoggedTurn(1, "   "),
    ],
    ids=["known", "corrected", "a button", "a command", "empty"],
)
def test_what_teaches_nothing_is_passed_over(turn: LoggedTurn) -> None:
    assert pseudo_labelled(read, [turn], EXAMPLES, 0.5) == []


def test_a_text_counts_once_and_personal_data_is_masked() -> None:
    made = pseudo_labelled(read, turns("status 99 1 anna@example.org", "Status 99 1 anna@example.org"), EXAMPLES, 0.9)
    assert len(made) == 1
    assert "anna@example.org" not in made[0].text


def test_what_customers_disliked_is_not_learnt_as_it_was_read() -> None:
    disliked = LoggedTurn(1, "status 95 10", feedback=-1)
    assert pseudo_labelled(read, [disliked, LoggedTurn(2, "refund 95 10", feedback=1)], EXAMPLES, 0.9) == [
        Example("refund 95 10", {"intent": "refund"}, lang="en", weight=0.5, source="pseudo")
    ]
