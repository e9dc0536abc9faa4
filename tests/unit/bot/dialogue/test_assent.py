"""Yes, no, wait and thanks as words say them, in both languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dialogue.assent import doubts, instead, is_courtesy, meaning_of_sign, puts_off, says_no, says_yes

YES = frozenset({"yes", "y", "ok", "sure", "是", "是的", "对", "好", "好的", "没错"})
NO = frozenset({"no", "n", "wrong", "不", "不是", "不对"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes, cancel it please", True),
        ("yes!", True),
        ("是的，取消吧", True),
        ("好的", True),
        ("对，没问题", True),
        ("没错，就是这个", True),
        ("yes but not yet", False),
        ("ok wait", False),
        ("Yesterday it came", False),
        ("是不是已经发货了", False),
        ("好的，等一下", False),
        ("好多人都没收到", False),
        ("keep it", False),
        ("等一下", False),
        ("yes?", False),
        ("", False),
    ],
)
def test_what_agrees_beyond_doubt(text: str, expected: bool) -> None:
    assert says_yes(text, YES) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No, it is 14 High Street, London", "14 High Street, London"),
        ("no it's 14 High Street", "14 High Street"),
        ("wrong: the address is 5 Mill Lane", "5 Mill Lane"),
        ("不对，应该是上海市南京路5号", "上海市南京路5号"),
        ("no", ""),
        ("no thanks", ""),
        ("不是", ""),
        ("yes, it is 14 High Street", ""),
        ("Nobody lives there", ""),
    ],
)
def test_what_a_refusal_wants_instead(text: str, expected: str) -> None:
    assert instead(text, NO) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("no, wrong", True), ("不对，是另一个", True), ("no problem", False), ("不用谢", False), ("note this", False)],
)
def test_what_refuses(text: str, expected: bool) -> None:
    assert says_no(text, NO) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("👍", "yes"), (" ✅ ", "yes"), ("👎🏽", "no"), ("🤔", ""), ("👍 thanks", ""), ("...", ""), ("", "")],
)
def test_signs(text: str, expected: str) -> None:
    assert meaning_of_sign(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one moment please", True),
        ("why do you need that", True),
        ("稍等，我找一下", True),
        ("why the lamp? because its cable is broken and I want the same one in green", False),
        ("waiting for it since Monday", True),
        ("the blue one", False),
    ],
)
def test_what_puts_off(text: str, expected: bool) -> None:
    assert puts_off(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ok thanks", True),
        ("好的，谢谢您！", True),
        ("太好了", True),
        ("Got it, thank you very much", True),
        ("ok and on Sundays?", False),
        ("好的，那周日呢", False),
        ("thanks, where is my order", False),
        ("", False),
        ("👍", False),
    ],
)
def test_what_is_mere_courtesy(text: str, expected: bool) -> None:
    assert is_courtesy(text) is expected


@given(st.text(alphabet="ok好的 ,谢?不wait是noİß", max_size=60))
def test_any_text_may_come(text: str) -> None:
    assert not (says_yes(text, YES) and doubts(text.strip()[6:]) and says_no(text, NO))
    assert instead(text, NO) in text


def test_a_long_courtesy_is_read_in_no_time() -> None:
    assert not is_courtesy("好的ok" * 2000 + "x")
