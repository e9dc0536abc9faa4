from __future__ import annotations

from retrieval.types import FaqEntry
from retrieval.wordings import shared_wordings

RETURNS = FaqEntry("returns.en", "How do returns work?", "Print the label.", "en", ("Send it back?", "how to return"))
REFUND = FaqEntry("refund.en", "What about my money?", "In five days.", "en", ("send it BACK",))
CHINESE = FaqEntry("refund.zh", "Send it back?", "五天。", "zh")


def test_wordings_of_several_entries_of_one_language():
    assert shared_wordings([RETURNS, CHINESE]) == {}
    assert shared_wordings([RETURNS, REFUND, CHINESE]) == {"Send it back?": [RETURNS, REFUND]}


def test_an_entry_may_repeat_itself():
    assert shared_wordings([FaqEntry("a", "Why?", "So.", "en", ("why", "WHY"))]) == {}
