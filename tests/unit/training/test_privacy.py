from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.text import normalise
from training.privacy import mask

CASES = {
    "order number": ("Where is FD20481937?", "Where is FD00000000?"),
    "order number with dash": ("fd-20481937 呢", "fd-00000000 呢"),
    "order number in groups": ("order 2048 1937", "order 0000 0000"),
    "tracking number": ("SF1234567890123 卡住了", "SF0000000000000 卡住了"),
    "chinese mobile": ("我的手机号是13812345678。", "我的手机号是00000000000。"),
    "chinese mobile in groups": ("138 1234 5678", "000 0000 0000"),
    "mobile with country code": ("+86 138-1234-5678", "+00 000-0000-0000"),
    "landline": ("call (020) 7946 0958 pls", "call (000) 0000 0000 pls"),
    "landline with dashes": ("010-12345678 转 3", "000-00000000 转 3"),
    "e-mail": ("mail a.b+c@x-y.co.uk now", "mail name@example.com now"),
    "e-mail between han": ("邮箱zhang@qq.com谢谢", "邮箱name@example.com谢谢"),
    "bank card": ("6222021234567890123", "0000000000000000000"),
    "bank card in groups": ("card 6222 0212 3456 7890 123", "card 0000 0000 0000 0000 000"),
    "mistyped bank card": ("4111-1111-1111-1112", "0000-0000-0000-0000"),
    "identity card": ("身份证110101199003074514", "身份证000000000000000000"),
    "identity card ending in X": ("11010119900307451X", "00000000000000000X"),
    "web address": ("see https://x.com/p/123456789 ok", "see https://x.com/p/123456789 ok"),
    "date": ("due 2026-11-22 10:30", "due 2026-11-22 10:30"),
    "date, day first": ("since 22.11.2026", "since 22.11.2026"),
    "years": ("2019-2020", "2019-2020"),
    "prices and sizes": ("12 plates, 99.50 EUR, size 38-40", "12 plates, 99.50 EUR, size 38-40"),
    "area code in brackets": ("call (555)123-4567", "call (000)000-0000"),
    "landline in brackets": ("(010)8888-6666", "(000)0000-0000"),
    "number in brackets": ("010(8888)6666", "000(0000)0000"),
    "eight digits with a dash": ("打8888-6666找我", "打0000-0000找我"),
    "en dashes": ("138\u20131234\u20135678", "000\u20130000\u20130000"),
    "non-breaking hyphens": ("138\u20111234\u20115678", "000\u20110000\u20110000"),
    "slashes": ("138/1234/5678", "000/0000/0000"),
    "underscores": ("138_1234_5678", "000_0000_0000"),
    "e-mail with an umlaut in the domain": ("me@münchen.de ok", "name@example.com ok"),
    "e-mail with an umlaut in the name": ("jörg@x.de ok", "name@example.com ok"),
    "e-mail with a chinese domain": ("写信到anna@例子.cn谢谢", "写信到name@example.com谢谢"),
    "identity card in groups ending in X": ("110101 19900307 123X", "000000 00000000 000X"),
    "query of a web address": (
        "https://x.com/p/123456789?mail=me@x.com&tel=138-1234-5678&d=2026-11-22#+8613812345678",
        "https://x.com/p/123456789?mail=name@example.com&tel=000-0000-0000&d=2026-11-22#+0000000000000",
    ),
    "e-mail in quoted form": ("www.x.com/?m=me%40x.com", "www.x.com/?m=name@example.com"),
    "e-mail in a path": ("https://x.com/u/me@x.com/1", "https://x.com/u/name@example.com/1"),
    "phone after a web address": ("www.example.com,13812345678", "www.example.com,00000000000"),
    "date with slashes": ("due 22/11/2026 or 2026/11/22", "due 22/11/2026 or 2026/11/22"),
    "from date to date": ("2026-11-22\u20132026-11-30", "2026-11-22\u20132026-11-30"),
    "from amount to amount": ("1299.50\u20131499.50, 1299.50 - 1500", "1299.50\u20131499.50, 1299.50 - 1500"),
    "from year to year": ("2019 - 2020 and 1000-2000", "2019 - 2020 and 1000-2000"),
    "dashes between spaces": ("4111 \u2013 1111 \u2013 1111 \u2013 1112", "0000 \u2013 0000 \u2013 0000 \u2013 0000"),
    "nothing": ("where is my order", "where is my order"),
}


@pytest.mark.parametrize(("text", "masked"), CASES.values(), ids=CASES)
def test_masks_what_is_personal(text: str, masked: str) -> None:
    assert mask(text) == masked


PIECES = st.sampled_from(
    [
        "FD",
        "fd-",
        " ",
        "-",
        ".",
        "+",
        "(",
        ")",
        "@",
        "a",
        "x.com",
        "www.",
        "https://",
        "我",
        "，",
        "1",
        "38",
        "2026",
        "123456",
        "?",
        "/",
        "%40",
        "\u2013",
        "ü",
        "X",
    ]
)


@given(st.one_of(st.lists(PIECES, max_size=20).map("".join), st.text(max_size=80)))
def test_leaves_no_long_number_and_is_stable(text: str) -> None:
    masked = mask(normalise(text))
    assert mask(masked) == masked
    without_addresses = re.sub(r"(?:https?://|www\.)[^?#,]+", "", masked)
    assert all(set(run) == {"0"} for run in re.findall(r"\d{6,}", without_addresses))


def test_long_text_is_quick() -> None:
    for piece in ("1 ", "a.", "1", "a1", "(1) ", "a@", "(1)", "1-", "a%40", "www.?", "www.a@", "@a.", "ü"):
        assert mask(piece * 1000)
