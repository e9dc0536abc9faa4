from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlu.patterns import find_patterns, merge_entities
from nlu.patterns.numerals import read_number
from nlu.types import Entity
from tests.cost import processor_seconds

TODAY = date(2026, 3, 4)
"""A Wednesday."""


@pytest.mark.parametrize(
    ("text", "lang", "expected"),
    [
        ("mail Anna.B+shop@Example-mail.co.uk, please", "en", [("email", "anna.b+shop@example-mail.co.uk")]),
        ("我的邮箱是li_wei@163.com谢谢", "zh", [("email", "li_wei@163.com")]),
        ("邮箱anna@example.com", "zh", [("email", "anna@example.com")]),
        ("write to anna@example.com.", "en", [("email", "anna@example.com")]),
        ("anna.müller@example.com", "en", []),
        ("anna@mail.example.comé", "en", []),
        ("call me at (415) 555-2671", "en", [("phone", "+14155552671")]),
        ("+44 20 7946 0958", "en", [("phone", "+442079460958")]),
        ("我手机13812345678谢谢", "zh", [("phone", "+8613812345678")]),
        ("电话138 1234 5678", "zh", [("phone", "+8613812345678")]),
        ("座机010-62345678", "zh", [("phone", "+861062345678")]),
        ("+86 138-1234-5678", "en", [("phone", "+8613812345678")]),
        ("call me at 13800138000 please", "en", [("phone", "+8613800138000")]),
        ("call me at 138-0013-8000 please", "en", [("phone", "+8613800138000")]),
        ("1/ 13800138000", "zh", [("phone", "+8613800138000")]),
        ("CALL ME ON 13800138000", "en", [("phone", "+8613800138000")]),
        ("MY NUMBER IS 4155552671", "en", [("phone", "+14155552671")]),
        ("1-310-555-2234", "en", [("phone", "+13105552234")]),
        ("call 07911 123456", "en", [("phone", "+447911123456")]),
        ("ruf 0170 1234567 an", "de", [("phone", "+491701234567")]),
        ("card 6222021380013800138", "en", []),
        ("14100138000 pieces of part 5-13800138000", "en", []),
        ("ID#20481937", "en", []),
        ("fd#20481937", "en", [("order_number", "FD20481937")]),
        ("FD 13800138000", "en", [("order_number", "FD13800138000")]),
        ("my order FD20481937 is late", "en", [("order_number", "FD20481937")]),
        ("订单fd-20481937还没到", "zh", [("order_number", "FD20481937")]),
        ("FD 20481937", "en", [("order_number", "FD20481937")]),
        ("about 20481937 things", "en", []),
        ("where is order 20481937", "en", [("order_number", "20481937")]),
        ("order number 20481937 is late", "en", [("order_number", "20481937")]),
        ("My order number is: 20481937.", "en", [("order_number", "20481937")]),
        ("ORDER NO. 20481937", "en", [("order_number", "20481937")]),
        ("the order (#204819)", "en", [("order_number", "204819")]),
        ("my order with the number 20481937", "en", [("order_number", "20481937")]),
        ("order 4155552671", "en", [("order_number", "4155552671")]),
        ("订单号20481937", "zh", [("order_number", "20481937")]),
        ("订单 20481937", "zh", [("order_number", "20481937")]),
        ("单号:20481937", "zh", [("order_number", "20481937")]),
        ("我的订单是20481937", "zh", [("order_number", "20481937")]),
        ("订单编号为 202603051234567890，还没发货", "zh", [("order_number", "202603051234567890")]),
        ("我的订单号码是20481937没到", "zh", [("order_number", "20481937")]),
        ("order 2 shirts", "en", []),
        ("order 100000 pieces", "en", []),
        ("the order of 204819 euros", "en", [("amount", "EUR 204819.00")]),
        ("order 204819 euros", "en", [("amount", "EUR 204819.00")]),
        ("订单300元", "zh", [("amount", "CNY 300.00")]),
        ("订单300000元", "zh", [("amount", "CNY 300000.00")]),
        ("订单100000件", "zh", []),
        ("my order 2026-03-05", "en", [("date", "2026-03-05")]),
        ("订单2026年3月5日下的", "zh", [("date", "2026-03-05")]),
        ("the order of 2026", "en", []),
        ("订单13812345678", "zh", [("phone", "+8613812345678")]),
        ("my order, phone 13812345678", "en", [("phone", "+8613812345678")]),
        ("快递单号20481937", "zh", []),
        ("运单号20481937", "zh", []),
        ("reorder 20481937", "en", []),
        ("order 20481937x", "en", []),
        ("delivered on 2026-03-05?", "en", [("date", "2026-03-05")]),
        ("2026/3/5", "en", [("date", "2026-03-05")]),
        ("2026年3月5日下的单", "zh", [("date", "2026-03-05")]),
        ("3月5号能到吗", "zh", [("date", "2026-03-05")]),
        ("三月五日", "zh", [("date", "2026-03-05")]),
        ("十二月二十一日", "zh", [("date", "2025-12-21")]),
        ("on March 5th", "en", [("date", "2026-03-05")]),
        ("5 Mar 2027", "en", [("date", "2027-03-05")]),
        ("Dec. 24, 2025", "en", [("date", "2025-12-24")]),
        ("by December 28", "en", [("date", "2025-12-28")]),
        ("the 2nd of April", "en", [("date", "2026-04-02")]),
        ("2026-02-30", "en", []),
        ("February 30", "en", []),
        ("tomorrow", "en", [("date", "2026-03-05")]),
        ("the day after tomorrow", "en", [("date", "2026-03-06")]),
        ("YESTERDAY", "en", [("date", "2026-03-03")]),
        ("明天能送到吗", "zh", [("date", "2026-03-05")]),
        ("大后天", "zh", [("date", "2026-03-07")]),
        ("前天买的", "zh", [("date", "2026-03-02")]),
        ("next Tuesday", "en", [("date", "2026-03-10")]),
        ("last friday", "en", [("date", "2026-02-27")]),
        ("on Monday", "en", [("date", "2026-03-09")]),
        ("the sun is out and I sat down", "en", []),
        ("下周二", "zh", [("date", "2026-03-10")]),
        ("上星期日", "zh", [("date", "2026-03-01")]),
        ("周五", "zh", [("date", "2026-03-06")]),
        ("下下个礼拜天", "zh", [("date", "2026-03-22")]),
        ("改到March 5送", "zh", [("date", "2026-03-05")]),
        ("我想tomorrow收货", "zh", [("date", "2026-03-05")]),
        ("the émay 5", "en", []),
        ("in 3 days", "en", [("date", "2026-03-07")]),
        ("2 weeks ago", "en", [("date", "2026-02-18")]),
        ("三天后", "zh", [("date", "2026-03-07")]),
        ("10天以前", "zh", [("date", "2026-02-22")]),
        ("两周前下单", "zh", [("date", "2026-02-18")]),
        ("it cost $20", "en", [("amount", "USD 20.00")]),
        ("$1,299.50 in all", "en", [("amount", "USD 1299.50")]),
        ("20 euros", "en", [("amount", "EUR 20.00")]),
        ("£5", "en", [("amount", "GBP 5.00")]),
        ("USD 15", "en", [("amount", "USD 15.00")]),
        ("¥199.50", "zh", [("amount", "CNY 199.50")]),
        ("199块5", "zh", [("amount", "CNY 199.50")]),
        ("两百元", "zh", [("amount", "CNY 200.00")]),
        ("三千五百块钱", "zh", [("amount", "CNY 3500.00")]),
        ("1.5万元", "zh", [("amount", "CNY 15000.00")]),
        ("50美元", "zh", [("amount", "USD 50.00")]),
        ("人民币30", "zh", [("amount", "CNY 30.00")]),
        ("a dollar store", "en", []),
        ("version 2.0.1 of 7", "en", []),
        (
            "订单FD20481937，3月5日付了299元，电话13812345678",
            "zh",
            [
                ("order_number", "FD20481937"),
                ("date", "2026-03-05"),
                ("amount", "CNY 299.00"),
                ("phone", "+8613812345678"),
            ],
        ),
    ],
)
def test_what_follows_a_pattern_is_found_with_its_value(text: str, lang: str, expected: list[tuple[str, str]]) -> None:
    found = find_patterns(text, lang, TODAY)
    assert [(entity.type, entity.value) for entity in found] == expected
    assert all(entity.source == "pattern" for entity in found)
    assert all(text[entity.start : entity.end] == entity.text == entity.text.strip() for entity in found)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,299.50", "1299.50"),
        ("1.5万", "15000"),
        ("二百零五", "205"),
        ("十二", "12"),
        ("三万二千", "32000"),
        ("一亿零五万", "100050000"),
        ("三万亿", "3000000000000"),
        ("二〇二六", "2026"),
        ("三千五", "3500"),
        ("三千零五", "3005"),
        ("三万五", "35000"),
        ("三万五千", "35000"),
        ("一百一十", "110"),
        ("二十五", "25"),
        ("九点九", "9.9"),
        ("5千", "5000"),
        ("3千万", "30000000"),
        ("两三", None),
        ("两三百", None),
        ("百", None),
        ("万亿", None),
        ("点五", None),
        ("abc", None),
        ("", None),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, number: str | None) -> None:
    assert read_number(text) == (None if number is None else Decimal(number))


@pytest.mark.parametrize(
    "text",
    [
        "٣月٥日能到吗",
        "2026年٣月5日",
        "2026-٠٣-05",
        "in ٣ days",
        "٣天后",
        "can it come on Frıday",
        "FRİDAY",
        "see you tonıght",
        "TONİGHT please",
        "5 aprıl",
        "$٣",
        "٣元",
        "20 dollarſ",
        "20 buc\u212as",
        "FD٢٠٤٨١٩٣٧",
    ],
)
def test_digits_and_letters_of_other_scripts_are_no_pattern(text: str) -> None:
    assert find_patterns(text, "en", TODAY) == []


PIECES = st.sampled_from(
    [
        *"0123456789一二十百万元块年月日号周天前后$¥€.,-/ @abcFDmarx:()+٣٥éıİſ\u212a",
        *("in ", " days ago", "on ", "Frıday", "tonight", "TONİGHT", "Aprıl", " dollarſ", " buc\u212as", "天后", "周"),
    ]
)


@given(
    st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60),
    st.sampled_from(["en", "zh", "und", ""]),
    st.dates(),
)
@settings(deadline=None, max_examples=400)
def test_anything_can_be_searched_and_offsets_hold(text: str, lang: str, today: date) -> None:
    if not date(2, 1, 1) < today < date(9990, 1, 1):
        return
    found = find_patterns(text, lang, today)
    assert all(text[entity.start : entity.end] == entity.text == entity.text.strip() for entity in found)
    assert all(left.end <= right.start for left, right in pairwise(found))


@pytest.mark.parametrize("piece", ["1", "1,", "12 34-", "a@", "a.", "一", "2026-", "FD ", "in 3 days ", "+1 ", "$1"])
def test_long_texts_take_no_time(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    assert processor_seconds(lambda: find_patterns(text, "en", TODAY)) < 2


def test_the_token_head_is_believed_but_gets_values_from_patterns() -> None:
    model = [
        Entity("order_number", 0, 11, "fd-20481937", "fd-20481937"),
        Entity("product", 12, 20, "tomorrow", "tomorrow"),
    ]
    patterns = [
        Entity("order_number", 0, 11, "fd-20481937", "FD20481937", "pattern"),
        Entity("date", 12, 20, "tomorrow", "2026-03-05", "pattern"),
        Entity("email", 30, 37, "a@b.com", "a@b.com", "pattern"),
    ]
    merged = merge_entities(model, patterns)
    assert [(e.type, e.value, e.source) for e in merged] == [
        ("order_number", "FD20481937", "model"),
        ("product", "tomorrow", "model"),
        ("email", "a@b.com", "pattern"),
    ]
