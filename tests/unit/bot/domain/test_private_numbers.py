"""What is hidden in messages, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.private_numbers import PrivateKind, has_hidden, hide
from tests.cost import processor_seconds


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("my card is 4111 1111 1111 1111, thanks", "my card is ••••1111, thanks"),
        ("卡号4111111111111111", "卡号••••1111"),
        ("4111 1111 1111 1111 12/27", "••••1111 12/27"),
        ("4111111111111111 123", "••••1111 123"),
        ("12/27 4111 1111 1111 1111 123", "12/27 ••••1111 123"),
        ("pay 50 4111 1111 1111 1111", "pay 50 ••••1111"),
        ("4111-1111-1111-1111/0825", "••••1111/0825"),
        ("4111 1111 1111 1111 5500 0000 0000 0004", "••••1111 ••••0004"),
        ("4111\xa01111\xa01111\xa01111", "••••1111"),
        ("4111  1111  1111  1111", "••••1111"),
        ("4111.1111.1111.1111", "••••1111"),
        ("4111–1111–1111–1111", "••••1111"),
        ("4111 / 1111 / 1111 / 1111", "4111 / 1111 / 1111 / 1111"),
        ("4111 1111 1111 1111 cvv 123", "••••1111 cvv 123"),
        ("•4111111111111111", "•••••1111"),
        ("4111 1111 1111 1112 12/27", "4111 1111 1111 1112 12/27"),
        ("orders 20481937 20481938, 2026-03-04", "orders 20481937 20481938, 2026-03-04"),
        ("FD20481937 4111 1111", "FD20481937 4111 1111"),
        ("５５５５-５５５５-５５５５-４４４４", "••••4444"),
        ("371449635398431", "••••8431"),
        ("银联 6212345678901232", "银联 ••••1232"),
        ("身份证11010519491231002X请查", "身份证••••请查"),
        ("110105194912310021", "110105194912310021"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("order FD12345678", "order FD12345678"),
        ("call +49 151 23456789", "call +49 151 23456789"),
        ("13800138000", "13800138000"),
        ("SF4111111111111111", "SF4111111111111111"),
        ("tracking 41111111111111111111111", "tracking 41111111111111111111111"),
        ("11010519491331002X", "11010519491331002X"),
    ],
)
def test_cards_are_hidden_and_nothing_else(text: str, hidden: str) -> None:
    assert hide(text) == hidden
    assert has_hidden(hide(text)) == (text != hidden)


def test_an_operator_may_need_identity_cards() -> None:
    text = "11010519491231002X and 4111111111111111"
    assert hide(text, [PrivateKind.BANK_CARD]) == "11010519491231002X and ••••1111"
    assert hide(text, []) == text


@given(st.text())
def test_hiding_twice_changes_nothing(text: str) -> None:
    assert hide(hide(text)) == hide(text)


@pytest.mark.parametrize("group", ["4 ", "4", "41 ", "4-/", "4111 1111 1111 1112 ", "4a "])
def test_a_hostile_text_takes_no_time(group: str) -> None:
    assert processor_seconds(lambda: hide(group * (4_000 // len(group)))) < 2


@given(st.from_regex(r"\A[0-9 ./-]{0,40}\Z"))
def test_any_digits_can_be_looked_at(text: str) -> None:
    assert hide(hide(text)) == hide(text)
