from __future__ import annotations

from datetime import date

import pytest

from nlu.patterns import find_patterns
from nlu.text import normalise


def amounts(text: str) -> list[tuple[str, str]]:
    found = find_patterns(normalise(text), "zh", date(2026, 3, 4))
    return [(entity.text, entity.value) for entity in found if entity.type == "amount"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("你好，500元什么时候退", [("500元", "CNY 500.00")], id="after a Chinese comma"),
        pytest.param("订单20481937，500元", [("500元", "CNY 500.00")], id="after a number and a Chinese comma"),
        pytest.param("¥199，3天还没到", [("¥199", "CNY 199.00")], id="before a Chinese comma"),
        pytest.param("¥199，3000元", [("¥199", "CNY 199.00"), ("3000元", "CNY 3000.00")], id="two and a comma"),
        pytest.param("我付了¥199", [("¥199", "CNY 199.00")], id="sign after Han"),
        pytest.param("我付了￥199.50还没到", [("¥199.50", "CNY 199.50")], id="wide sign"),
        pytest.param("花了200rmb", [("200rmb", "CNY 200.00")], id="code after Han"),
        pytest.param("付了RMB199", [("RMB199", "CNY 199.00")], id="code before"),
        pytest.param("10块一个", [("10块", "CNY 10.00")], id="each"),
        pytest.param("20块3个", [("20块", "CNY 20.00")], id="three for twenty"),
        pytest.param("100块5折", [("100块", "CNY 100.00")], id="discount"),
        pytest.param("100块1.5折", [("100块", "CNY 100.00")], id="discount with a fraction"),
        pytest.param("花了100块3天才到", [("100块", "CNY 100.00")], id="days"),
        pytest.param("退了100块3月5日到账", [("100块", "CNY 100.00")], id="date"),
        pytest.param("三块五十个", [("三块", "CNY 3.00")], id="fifty"),
        pytest.param("199块5的", [("199块5", "CNY 199.50")], id="tenths before a particle"),
        pytest.param("199块5，包邮", [("199块5", "CNY 199.50")], id="tenths before a comma"),
        pytest.param("5块5毛", [("5块5毛", "CNY 5.50")], id="tenths by name"),
        pytest.param("3元5角", [("3元5角", "CNY 3.50")], id="tenths after yuan"),
        pytest.param("3元5角2分", [("3元5角2分", "CNY 3.52")], id="hundredths"),
        pytest.param("三千五块钱", [("三千五块钱", "CNY 3500.00")], id="short hundreds"),
        pytest.param("三万五元", [("三万五元", "CNY 35000.00")], id="short thousands"),
        pytest.param("二百五块", [("二百五块", "CNY 250.00")], id="short tens"),
        pytest.param("九点九元包邮", [("九点九元", "CNY 9.90")], id="Chinese fraction"),
        pytest.param("一点五万元", [("一点五万元", "CNY 15000.00")], id="fraction of ten thousand"),
        pytest.param("三点五十元", [("五十元", "CNY 50.00")], id="an hour before it"),
        pytest.param("5千元", [("5千元", "CNY 5000.00")], id="5 thousand"),
        pytest.param("3百块", [("3百块", "CNY 300.00")], id="3 hundred"),
        pytest.param("人民币27.31亿元", [("人民币27.31亿元", "CNY 2731000000.00")], id="named twice"),
        pytest.param("15亿元人民币1)", [("15亿元", "CNY 1500000000.00")], id="named behind"),
        pytest.param("20€", [("20€", "EUR 20.00")], id="sign behind"),
        pytest.param("12.50$", [("12.50$", "USD 12.50")], id="dollar behind"),
        pytest.param("US$100", [("US$100", "USD 100.00")], id="US dollar"),
        pytest.param("20 € 140 days ago", [("20 €", "EUR 20.00")], id="sign between numbers"),
        pytest.param("2 $50 cards", [("$50", "USD 50.00")], id="sign that leans on the second number"),
    ],
)
def test_amounts_are_read_as_they_are_meant(text: str, expected: list[tuple[str, str]]) -> None:
    assert amounts(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026元旦放假吗",
        "几百块",
        "好几千块",
        "几十块",
        "数千元",
        "两三百块",
        "三五块",
        "第3块",
        "¥1234567890",
        "¥3万5",
        "$1,50",
        "$1,2345",
        "€1.299,50",
        "1.299,50 €",
        "HK$100",
        "$5k",
        "$5 million",
    ],
)
def test_what_is_no_sure_amount_is_none(text: str) -> None:
    assert amounts(text) == []
