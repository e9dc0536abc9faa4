from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.reading import take_turns
from bench.runtimes import _session
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

    def way(name: str) -> Callable[[int], object]:
        return lambda number: seen.append((name, number))

    times = take_turns([way("a"), way("b")], range(27), warm_up=5)
    assert [len(taken) for taken in times] == [27, 27]
    assert seen[:10] == [*(("a", number) for number in range(5)), *(("b", number) for number in range(5))]
    turns = [(0, 10), (10, 20), (20, 27)]
    assert seen[10:] == [(name, number) for first, end in turns for name in "ab" for number in range(first, end)]
