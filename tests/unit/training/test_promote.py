from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.promote import Outcomes, judge

LABELS = ("order_status", "goodbye", "human_agent", "invoice")
TRUTH = {"intent": [LABELS[i % 4] for i in range(624)], "emotion": [("anger", "joy")[i % 2] for i in range(182)]}
PROTECTED = {"intent": ("human_agent",), "emotion": ("anger",)}
QUERIES = 240


def rows(head: str, label: str, count: int, start: int = 0) -> set[int]:
    return set([row for row, right in enumerate(TRUTH[head]) if right == label][start : start + count])


def outcomes(
    wrong: dict[str, set[int]] | None = None, faq_wrong: int = 20, auroc: float | None = 0.95, followed: int = 0
) -> Outcomes:
    missed = BEFORE_WRONG | (wrong or {})
    return Outcomes(
        heads={head: [row not in missed[head] for row in range(len(right))] for head, right in TRUTH.items()},
        faq=[row >= faq_wrong for row in range(QUERIES)],
        entities=[True] * 300,
        kept=[True] * 624,
        accepted=[True] * 624,
        oos_auroc=auroc,
        corrected=[row < followed for row in range(10)],
    )


BEFORE_WRONG = {"intent": rows("intent", "invoice", 30), "emotion": rows("emotion", "joy", 20)}
BEFORE = outcomes()


def moved(head: str, lost: set[int], gained: int = 0) -> dict[str, set[int]]:
    return {head: (BEFORE_WRONG[head] | lost) - set(sorted(BEFORE_WRONG[head])[:gained])}


@dataclass(frozen=True)
class Case:
    name: str
    after: Outcomes
    promote: bool
    says: tuple[str, ...] = field(default=())


ORDER = 12
CASES = [
    Case("corrections followed, nothing lost", outcomes(followed=9), True, ("0 of 10 before, 9 of 10 now",)),
    Case("one correction followed", outcomes(followed=1), True),
    Case("better test set, no correction followed", outcomes(moved("intent", set(), 1)), True, ("mean score",)),
    Case("no better", outcomes(), False, ("not better", "0 of 10 and now 0 of 10")),
    Case(
        "honest: a few texts change sides",
        outcomes(moved("intent", rows("intent", "order_status", 4), 2), followed=9),
        True,
    ),
    Case(
        "honest: emotions change sides",
        outcomes(moved("emotion", rows("emotion", "joy", 3, 20), 2), followed=9),
        True,
    ),
    Case("honest: one text lost", outcomes(moved("intent", rows("intent", "goodbye", 1)), followed=5), True),
    Case(
        "poisoned: order questions called goodbye",
        outcomes(moved("intent", rows("intent", "order_status", ORDER)), followed=10),
        False,
        ("intent accuracy", "falls from 95.19 % to 93.27 %", "12 texts of 624 lost, 0 gained"),
    ),
    Case(
        "poisoned: half of the order questions, some luck elsewhere",
        outcomes(moved("intent", rows("intent", "order_status", 6), 2), followed=10),
        False,
        ("6 texts of 624 lost, 2 gained",),
    ),
    Case(
        "poisoned: random labels, much changes",
        outcomes(moved("intent", rows("intent", "order_status", 9) | rows("intent", "goodbye", 7), 8), followed=10),
        False,
        ("16 texts of 624 lost, 8 gained",),
    ),
    Case(
        "small head loses three",
        outcomes(moved("emotion", rows("emotion", "joy", 6, 20), 3), followed=10),
        False,
        ("emotion accuracy",),
    ),
    Case(
        "a protected intent loses one text",
        outcomes(moved("intent", rows("intent", "human_agent", 1), 3), followed=10),
        False,
        ("protected intent human_agent", "156 of 156", "now 155"),
    ),
    Case(
        "a protected emotion loses one text",
        outcomes(moved("emotion", rows("emotion", "anger", 1), 5), followed=10),
        False,
        ("protected emotion anger",),
    ),
    Case("FAQ loses one", outcomes(faq_wrong=21, followed=9), True),
    Case("FAQ loses four", outcomes(faq_wrong=24, followed=9), False, ("FAQ recall@1", "4 texts of 240 lost")),
    Case("out-of-scope a little worse", outcomes(auroc=0.94, followed=9), True),
    Case("out-of-scope worse", outcomes(auroc=0.939, followed=9), False, ("0.950", "0.939")),
    Case(
        "thresholds reject nearly everything",
        replace(outcomes(followed=9), kept=[row < 40 for row in range(624)]),
        False,
        ("In-scope accuracy with rejection", "584 texts of 624 lost"),
    ),
    Case(
        "thresholds accept nearly nothing",
        replace(outcomes(followed=9), accepted=[row < 40 for row in range(624)]),
        False,
        ("The share of accepted texts",),
    ),
    Case(
        "a threshold takes a small step",
        replace(outcomes(followed=9), accepted=[row >= 12 for row in range(624)]),
        True,
    ),
    Case(
        "entities are lost",
        replace(outcomes(followed=9), entities=[False] * 300),
        False,
        ("Entity accuracy", "300 texts of 300 lost"),
    ),
    Case("out-of-scope not measured", outcomes(auroc=None, followed=9), True),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_gate(case: Case) -> None:
    judgement = judge(BEFORE, case.after, TRUTH, PROTECTED)
    assert judgement.promote is case.promote, judgement.reasons
    for words in case.says:
        assert any(words in reason for reason in judgement.reasons), judgement.reasons


def test_every_refusal_is_told() -> None:
    worse = outcomes(moved("intent", rows("intent", "human_agent", 12)), faq_wrong=40, auroc=0.8)
    assert len(judge(BEFORE, worse, TRUTH, PROTECTED).reasons) == 5


def test_protected_labels_that_the_test_set_lacks_are_passed_over() -> None:
    assert judge(BEFORE, outcomes(followed=1), TRUTH, {"intent": ("unheard_of",), "topic": ("x",)}).promote


def test_scores_as_json() -> None:
    document = outcomes(followed=3).to_json()
    assert document["corrected"] == {"right": 3, "n": 10}
    assert document["faq"]["n"] == QUERIES
    assert document["entities"] == {"accuracy": 1.0, "n": 300}
    assert document["in_scope"] == {"accuracy": 1.0, "accepted": 1.0, "n": 624}
    assert Outcomes().mean_score == 0.0


FLIPS = st.lists(st.integers(0, 623), max_size=25)


@given(FLIPS, st.integers(0, 10))
def test_never_promotes_a_loss_beyond_half_a_point_or_of_a_protected_label(flips: list[int], followed: int) -> None:
    after = outcomes({"intent": BEFORE_WRONG["intent"] ^ set(flips)}, followed=followed)
    judgement = judge(BEFORE, after, TRUTH, PROTECTED)
    if judgement.promote:
        assert sum(after.heads["intent"]) >= sum(BEFORE.heads["intent"]) - 3
        guarded = rows("intent", "human_agent", 624)
        assert all(after.heads["intent"][row] for row in guarded)
        assert followed or after.mean_score > BEFORE.mean_score
    assert judgement.reasons
