from __future__ import annotations

from datetime import date

import pytest

from nlu.patterns import find_patterns
from nlu.text import normalise

TODAY = date(2026, 3, 4)
"""A Wednesday."""


def entities(text: str) -> list[tuple[str, str]]:
    return [(entity.type, entity.value) for entity in find_patterns(normalise(text), "zh", TODAY)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("我两三天前下的单", id="two or three days"),
        pytest.param("一两天后能到吗", id="one or two days"),
        pytest.param("五六天前", id="five or six days"),
        pytest.param("七八天后", id="seven or eight days"),
        pytest.param("十七八天后", id="seventeen or eighteen days"),
        pytest.param("几十天后", id="some tens of days"),
        pytest.param("2-3天后", id="range"),
        pytest.param("三到五天后", id="range in words"),
        pytest.param("2-3 days ago", id="English range"),
        pytest.param("2 or 3 days ago", id="English alternative"),
        pytest.param("1.5天后", id="fraction of days"),
        pytest.param("1.5 days ago", id="English fraction"),
        pytest.param("请在15日前发货", id="before the 15th"),
        pytest.param("三十日后", id="after the 30th"),
        pytest.param("每周一次", id="once a week"),
        pytest.param("每周一", id="every Monday"),
        pytest.param("每个星期一", id="each Monday"),
        pytest.param("一周三次", id="three times a week"),
        pytest.param("这周三次都没人", id="three times this week"),
        pytest.param("一个星期天天催", id="every day for a week"),
        pytest.param("本周天气", id="weather"),
        pytest.param("付款然后天天催", id="then every day"),
        pytest.param("以后天天下单", id="from now on every day"),
        pytest.param("目前天气", id="weather now"),
        pytest.param("option 1 may work", id="the verb may"),
        pytest.param("the 2 may be late", id="the verb may after a number"),
        pytest.param("item 3 march is late", id="a small march before a word"),
    ],
)
def test_what_names_no_one_day_is_no_date(text: str) -> None:
    assert entities(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("后天天气怎么样", [("date", "2026-03-06")]),
        ("从前天开始", [("date", "2026-03-02")]),
        ("下个周二", [("date", "2026-03-10")]),
        ("一百二十天后", [("date", "2026-07-02")]),
        ("三个礼拜前", [("date", "2026-02-11")]),
        ("3月15日前", [("date", "2026-03-15")]),
        ("2026年3月15000元", [("amount", "CNY 15000.00")]),
        ("2026年3月15元", [("amount", "CNY 15.00")]),
        ("2026年3月15，5天后", [("date", "2026-03-15"), ("date", "2026-03-09")]),
        ("1 May please", [("date", "2026-05-01")]),
        ("on 1 may please", [("date", "2026-05-01")]),
        ("the 1st of may please", [("date", "2026-05-01")]),
        ("1 may 2027 please", [("date", "2027-05-01")]),
        ("1 may", [("date", "2026-05-01")]),
        ("九千万亿天后", []),
    ],
)
def test_what_names_a_day_is_a_date(text: str, expected: list[tuple[str, str]]) -> None:
    assert entities(text) == expected
