from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.text import detect_language, normalise, primary_language
from tests.cost import processor_seconds

ANY_TEXT = st.text(alphabet=st.characters(), max_size=200)
AWKWARD = st.text(
    alphabet="ab1 中か\u3099\u0301\u0316é\u200d\ufe0f\u200b\u202e\ufeff\x00\x07\t\n\x85\u3000"
    "👨👩🔥❤🏽Ⓜ™①１Ａ…’“´\ud800ﷺŉ\u20e3\u3164~",
    max_size=60,
)


def repertoire() -> list[str]:
    """Every assigned character but private ones and the letters that NFKC leaves alone."""
    signs = map(chr, range(0x110000))
    return [
        sign
        for sign in signs
        if (category := unicodedata.category(sign)) not in ("Cn", "Co")
        and (category != "Lo" or not unicodedata.is_normalized("NFKC", sign))
    ]


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        pytest.param("", "", id="empty"),
        pytest.param(" \t\u3000\n ", "", id="white space only"),
        pytest.param("\u200b\u200d\ufeff\u202e\x00", "", id="nothing visible"),
        pytest.param("ＡＢＣ１２３", "ABC123", id="full-width letters and digits"),
        pytest.param("你好，　世界！", "你好, 世界!", id="full-width punctuation and space"),
        pytest.param("don’t “stop”", 'don\'t "stop"', id="curly quotes"),
        pytest.param("don´t", "don't", id="acute accent as apostrophe"),
        pytest.param("cafe\u0301", "café", id="decomposed letter"),
        pytest.param("pass\u200bword re\u00adset", "password reset", id="zero-width space and soft hyphen"),
        pytest.param("abc\u202etxt.exe\u2066x\u2069", "abctxt.exex", id="direction overrides"),
        pytest.param("a\x00b\x1bc\r\n\td", "abc d", id="controls and line ends"),
        pytest.param("hi \U000e0068\U000e0069", "hi", id="hidden tag characters"),
        pytest.param("a\ud800b", "ab", id="lone surrogate"),
        pytest.param(
            "👩\u200d👩\u200d👧 ❤\ufe0f\u200d🔥 👍🏽 🇨🇳",
            "👩\u200d👩\u200d👧 ❤\ufe0f\u200d🔥 👍🏽 🇨🇳",
            id="emoji stay joined",
        ),
        pytest.param("👩\u200d a\u200db \u200d👧 x\ufe0f", "👩 ab 👧 x", id="stray joiners go"),
        pytest.param("1\ufe0f\u20e3", "1", id="keycap"),
        pytest.param("怎么\n\n重置  密码", "怎么 重置 密码", id="runs of white space"),
        pytest.param("\u3164\u115f", "", id="blank letters"),
    ],
)
def test_normalise(given_text: str, expected: str) -> None:
    assert normalise(given_text) == expected


@given(st.one_of(ANY_TEXT, AWKWARD), st.integers(min_value=0, max_value=60))
def test_normalise_is_idempotent_bounded_and_clean(text: str, max_chars: int) -> None:
    once = normalise(text, max_chars)

    assert normalise(once, max_chars) == once
    assert len(once) <= max_chars
    assert once == once.strip()
    assert not [sign for sign in once if unicodedata.category(sign) in ("Cc", "Cs")]
    assert not [sign for sign in once if unicodedata.category(sign) == "Cf" and sign != "\u200d"]


def test_every_invisible_code_point_goes_and_none_takes_two_passes() -> None:
    kept = {sign: normalise(sign) for sign in repertoire()}

    assert [sign for sign, text in kept.items() if text and unicodedata.category(sign) in ("Cc", "Cf", "Cs")] == []
    assert [sign for sign, text in kept.items() if normalise(text) != text] == []
    lost = [sign for sign, text in kept.items() if not text and unicodedata.category(sign)[0] in "NPS"]
    assert lost == []


def test_huge_text_keeps_head_and_tail() -> None:
    cut = normalise("where is my parcel " + "word " * 100_000 + "I am angry")

    assert len(cut) <= 2000
    assert cut.startswith("where is my parcel word")
    assert cut.endswith("word I am angry")
    assert " ... " in cut


@pytest.mark.parametrize("max_chars", [0, 1, 5, 9, 10, 11])
def test_tiny_limits(max_chars: int) -> None:
    assert len(normalise("abcdefghijklmnopqrstuvwxyz", max_chars)) == max_chars


@pytest.mark.parametrize(
    "unit",
    ["a", " a", "\u0301\u0316", "\u200d", "👨\u200d", "ﷺ", "\x00", "a-", "a.", "www.", "1a-", "中", "か\u3099"],
    ids=ascii,
)
def test_hostile_texts_take_linear_time(unit: str) -> None:
    text = unit * 300_000
    assert processor_seconds(lambda: (normalise(text), detect_language(text, ["en", "zh"]))) < 8


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("怎么重置密码", "zh", id="Chinese"),
        pytest.param("how do I reset my password", "en", id="English"),
        pytest.param("iPhone 15 Pro Max 多少钱", "zh", id="tie goes to Han"),
        pytest.param("how do I pay with 支付宝", "en", id="mostly English"),
        pytest.param("我的 order 怎么还没 deliver", "zh", id="mostly Chinese"),
        pytest.param("ｈｅｌｌｏ", "en", id="full-width Latin"),
        pytest.param("𠮷野家", "zh", id="Han outside the basic plane"),
        pytest.param("パスワードを忘れました", None, id="Japanese"),
        pytest.param("返品の方法", None, id="Japanese, mostly Han"),
        pytest.param("Как сбросить пароль", None, id="Cyrillic"),
        pytest.param("كيف أعيد تعيين كلمة المرور", None, id="Arabic"),
        pytest.param("비밀번호 재설정", None, id="Korean"),
        pytest.param("வணக்கம்", None, id="a script without a name here"),
        pytest.param("12345 678", "fallback", id="digits"),
        pytest.param("😀👍🏽 !!!", "fallback", id="emoji"),
        pytest.param("FD20481937", "fallback", id="code"),
        pytest.param("https://example.com/a/b?c=d anna@example.com", "fallback", id="addresses"),
        pytest.param("看这个https://example.com/some/long/path/of/words", "zh", id="address in Chinese"),
        pytest.param("订单FD20481937", "zh", id="code in Chinese"),
        pytest.param("", "fallback", id="empty"),
    ],
)
def test_detect_language(text: str, expected: str | None) -> None:
    assert detect_language(text, ["en", "zh"], default="fallback") == expected


@pytest.mark.parametrize(
    ("text", "languages", "expected"),
    [
        pytest.param("hello", ["zh"], None, id="English not on offer"),
        pytest.param("你好", ["en"], None, id="Chinese not on offer"),
        pytest.param("你好", ["en", "zh-CN"], "zh-CN", id="region"),
        pytest.param("bonjour", ["fr", "zh"], "fr", id="another Latin language"),
        pytest.param("bonjour", ["fr", "en"], "en", id="English before other Latin languages"),
        pytest.param("Как дела", ["en", "ru"], "ru", id="Russian on offer"),
        pytest.param("日本語です", ["zh", "ja"], "ja", id="Han beside kana"),
        pytest.param("hello", [], None, id="nothing on offer"),
    ],
)
def test_detect_language_answers_from_the_offer(text: str, languages: list[str], expected: str | None) -> None:
    assert detect_language(text, languages) == expected


@pytest.mark.parametrize(
    ("text", "hint", "expected"),
    [
        pytest.param("怎么重置密码", "en", "zh", id="Chinese in an English app"),
        pytest.param("how do I reset my password", "zh", "en", id="English in a Chinese app"),
        pytest.param("ok", "zh", "zh", id="a borrowed word"),
        pytest.param("thank you", "zh", "zh", id="two borrowed words"),
        pytest.param("好", "en", "zh", id="one Chinese word"),
        pytest.param("où est ma commande", "fr", "fr", id="one of two Latin languages"),
        pytest.param("Как дела", "zh", None, id="neither"),
        pytest.param("20481937", "zh", "zh", id="digits"),
        pytest.param("hi", None, "en", id="no hint"),
    ],
)
def test_what_is_written_decides_and_the_hint_settles_the_rest(text: str, hint: str | None, expected: str) -> None:
    assert detect_language(text, ["en", "zh", "fr"], default="", hint=hint) == expected


@given(st.one_of(ANY_TEXT, AWKWARD))
def test_detect_language_takes_any_text(text: str) -> None:
    assert detect_language(text, ["en", "zh"], default="en") in ("en", "zh", None)


@pytest.mark.parametrize(("code", "expected"), [("zh-CN", "zh"), ("EN_us", "en"), (" zh ", "zh"), ("", "")])
def test_primary_language(code: str, expected: str) -> None:
    assert primary_language(code) == expected
