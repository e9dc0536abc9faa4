from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dialogue.button_values import VALUE_BYTES, short_value, whole_value

LONG = "礼品卡" * 10
ids = st.text(min_size=1, max_size=90, alphabet=st.characters(exclude_categories=["C", "Z"]))


@given(ids, st.sampled_from(["faq", "more"]), st.lists(ids))
def test_a_value_fits_a_button_and_is_found_again(entry: str, verb: str, others: list[str]) -> None:
    value = short_value(f"{verb}:{entry}")
    assert len(value.encode()) <= VALUE_BYTES
    assert whole_value(value, [*others, entry]) == f"{verb}:{entry}"


@pytest.mark.parametrize("value", ["faq:returns.en", "intent:order_status", "yes:", "what is #0123456789abcdef?", ""])
def test_what_is_no_stand_in_stays(value: str) -> None:
    assert short_value(value) == whole_value(value, [LONG]) == value


def test_a_stand_in_for_an_entry_that_is_gone_stays() -> None:
    assert whole_value(short_value(f"faq:{LONG}"), ["returns.en"]) == short_value(f"faq:{LONG}")


def test_an_id_that_looks_like_a_stand_in_is_taken_as_it_is() -> None:
    assert whole_value("faq:#0123456789abcdef", ["#0123456789abcdef"]) == "faq:#0123456789abcdef"
