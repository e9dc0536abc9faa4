from __future__ import annotations

from typing import Any

import numpy as np

from bench.runtimes import _session, _take_turns
from tests.unit.training.test_fit import small_reader
from training.graph import build_graph

IDS = np.array([[1, 2, 3, 4, 5]], dtype=np.int64)


def test_one_thread_and_two_compute_the_same() -> None:
    graph = build_graph(small_reader({"intent": 3}, 2).eval(), quantised=True)
    one, two = (_session(graph, threads)(IDS) for threads in (1, 2))
    assert isinstance(one, list)
    assert isinstance(two, list)
    assert len(one) == 3
    for left, right in zip(one, two, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)


def test_ways_take_turns_and_each_message_is_timed_once_after_a_warm_up() -> None:
    seen: list[tuple[str, int]] = []

    def way(name: str) -> Any:
        return lambda ids: seen.append((name, int(ids[0, 0])))

    messages = [np.array([[number]], dtype=np.int64) for number in range(70)]
    times = _take_turns({"a": way("a"), "b": way("b")}, messages)
    assert {name: len(taken) for name, taken in times.items()} == {"a": 70, "b": 70}
    timed = [name for name, _ in seen[140:]]
    assert timed == ["a"] * 50 + ["b"] * 50 + ["a"] * 20 + ["b"] * 20
    assert [number for name, number in seen[140:] if name == "b"] == list(range(70))
