from __future__ import annotations

import pytest

from bot.dialogue.moves import related_entries
from bot.domain.decisions import Decision, DecisionKind
from tests.unit.bot.dialogue.shop_scenes import ENTRIES

K = DecisionKind
RELATED = {
    "best first": (["b", "a"], 2, ("b",)),
    "of the answer's language": (["c", "b"], 2, ("b",)),
    "each once": (["b", "b"], 2, ("b",)),
    "none of what is gone": (["gone"], 2, ()),
    "no more than wanted": (["b"], 0, ()),
}


@pytest.mark.parametrize(("others", "limit", "expected"), RELATED.values(), ids=RELATED)
def test_related_entries(others, limit, expected):
    assert related_entries(Decision(K.FAQ, "", faq="a"), others, ENTRIES, limit) == expected


def test_what_is_told_already_is_not_related():
    decision = Decision(K.FAQ, "", faq="a", also=(Decision(K.FAQ, "", faq="b"),))
    assert related_entries(decision, ["b"], ENTRIES, 2) == ()
    assert related_entries(Decision(K.FAQ, "", faq="gone"), ["b"], ENTRIES, 2) == ()
