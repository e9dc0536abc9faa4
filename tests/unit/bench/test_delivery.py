"""What the storm sends, and how what came of it is judged."""

from __future__ import annotations

import pytest

from bench.commands import SHOP
from bench.delivery import Verdict, apologies, judge, plan
from bench.webhook import Delivery


def test_every_update_comes_one_to_three_times_its_first_times_in_order() -> None:
    planned = plan(600, 20, seed=1)
    assert len(planned) == 20
    for chat, deliveries in planned.items():
        numbers = [delivery.number for delivery in deliveries]
        assert list(dict.fromkeys(numbers)) == sorted(set(numbers))
        assert {1, 2, 3} >= {numbers.count(number) for number in numbers}
        assert {delivery.chat for delivery in deliveries} == {chat}
    assert {delivery.number for deliveries in planned.values() for delivery in deliveries} == set(range(1, 601))
    assert plan(600, 20, seed=1) == planned


PLANNED = {7: [Delivery(7, number, "hi") for number in (1, 2, 1, 3)]}
TURNS = {"telegram:7": [1, 2, 3]}
WRITTEN = {"telegram:7": ["a", "b", "b", "c"]}
RECEIVED = {7: ["a", "b", "b", "c"]}


@pytest.mark.parametrize(
    ("turns", "written", "received", "expected"),
    [
        (TURNS, WRITTEN, RECEIVED, Verdict(0, 0, 0, 0, 0, 0)),
        ({"telegram:7": [1, 3]}, WRITTEN, RECEIVED, Verdict(1, 0, 0, 0, 0, 0)),
        ({"telegram:7": [1, 2, 2, 3]}, WRITTEN, RECEIVED, Verdict(0, 1, 0, 0, 0, 0)),
        ({"telegram:7": [1, 3, 2]}, WRITTEN, RECEIVED, Verdict(0, 0, 1, 0, 0, 0)),
        (TURNS, WRITTEN, {7: ["a", "b", "b"]}, Verdict(0, 0, 0, 1, 0, 0)),
        (TURNS, WRITTEN, {7: ["a", "a", "b", "b", "c"]}, Verdict(0, 0, 0, 0, 1, 0)),
        (TURNS, WRITTEN, {7: ["b", "a", "b", "c"]}, Verdict(0, 0, 0, 4, 0, 1)),
        (TURNS, WRITTEN, {}, Verdict(0, 0, 0, 4, 0, 0)),
        ({}, {}, {}, Verdict(3, 0, 0, 0, 0, 0)),
    ],
    ids=["well", "lost", "twice", "turned", "unsent", "repeated", "mixed", "none received", "nothing"],
)
def test_the_verdict(turns, written, received, expected) -> None:
    assert judge(PLANNED, turns, written, received) == expected


def test_apologies_stand_in_all_languages_whichever_comes_first() -> None:
    texts = apologies(SHOP)
    assert len(texts) == 2
    ((first, second), turned) = (text.split("\n\n") for text in texts)
    assert turned == [second, first]
    assert {any("\u4e00" <= character <= "\u9fff" for character in text) for text in turned} == {True, False}
