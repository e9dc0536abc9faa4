from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from nlu.batching import BatchingEngine, _Request, in_passes
from nlu.engine import Outputs


class Counting:
    """Gives each text its own sum, and tells how many texts each pass had; the first pass waits to be let go."""

    width = 1

    def __init__(self) -> None:
        self.passes: list[tuple[int, int]] = []
        self.go = threading.Event()
        self.started = threading.Event()

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Outputs:
        self.passes.append((ids.shape[0], ids.shape[1]))
        self.started.set()
        assert self.go.wait(10)
        if (ids == 666).any():
            raise ValueError("cannot read this")
        sums = (ids * mask).sum(1, keepdims=True).astype(np.float32)
        return Outputs(sums, {"intent": sums + 1}, np.repeat(ids[:, :, None], 3, axis=2).astype(np.float32))


def texts(*rows: list[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    ids = np.array(rows, dtype=np.int64)
    return ids, np.ones_like(ids)


def gather(engine: BatchingEngine, counting: Counting, asked: list[list[int]]) -> list[Outputs | Exception]:
    """Asks all while the first pass is held up, then lets it go."""

    def ask(row: list[int]) -> Outputs | Exception:
        try:
            return engine.run(*texts(row))
        except ValueError as error:
            return error

    with ThreadPoolExecutor(len(asked) + 1) as pool:
        first = pool.submit(ask, [1])
        assert counting.started.wait(10)
        rest = [pool.submit(ask, row) for row in asked]
        while len(engine._waiting) < len(asked):
            threading.Event().wait(0.005)
        counting.go.set()
        return [first.result(10), *(found.result(10) for found in rest)]


def test_what_gathers_shares_a_pass_and_each_gets_its_own() -> None:
    counting = Counting()
    found = gather(BatchingEngine(counting), counting, [[1, 2, 3], [10, 20], [5, 5, 5]])
    assert counting.passes == [(1, 1), (3, 3)]
    outputs = [item for item in found if isinstance(item, Outputs)]
    assert [item.vectors.tolist() for item in outputs] == [[[1]], [[6]], [[30]], [[15]]]
    assert [item.logits["intent"].tolist() for item in outputs] == [[[2]], [[7]], [[31]], [[16]]]
    assert [item.tags.shape for item in outputs if item.tags is not None] == [
        (1, 1, 3),
        (1, 3, 3),
        (1, 2, 3),
        (1, 3, 3),
    ]


def test_texts_of_unlike_length_and_too_many_get_passes_of_their_own() -> None:
    counting = Counting()
    gather(BatchingEngine(counting, most_tokens=8), counting, [[1] * 4, [1] * 40, [1] * 4, [1] * 4])
    assert sorted(counting.passes[1:]) == [(1, 4), (1, 40), (2, 4)]


def test_an_error_reaches_those_who_shared_the_pass_and_no_one_else() -> None:
    counting = Counting()
    first, *rest = gather(BatchingEngine(counting), counting, [[666, 1], [1, 1], [1] * 30])
    assert isinstance(first, Outputs)
    assert [type(item) for item in rest] == [ValueError, ValueError, Outputs]


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads change places as often as they can, so that they meet at every line."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_many_threads_all_get_their_answers_and_lanes_are_given_back(lanes: int) -> None:
    counting = Counting()
    counting.go.set()
    engine = BatchingEngine(counting, lanes)
    with ThreadPoolExecutor(16) as pool:
        rows = [[n % 400] * (1 + n % 7) for n in range(4000)]
        found = list(pool.map(lambda row: engine.run(*texts(row)).vectors.item(), rows))
    assert found == [sum(row) for row in rows]
    assert (engine._free, engine._waiting) == (lanes, [])


def test_as_many_passes_run_at_a_time_as_there_are_lanes() -> None:
    counting = Counting()
    engine = BatchingEngine(counting, lanes=2)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(engine.run, *texts([n] * 3)) for n in range(4)]
        while len(counting.passes) < 2 or len(engine._waiting) < 2:
            threading.Event().wait(0.005)
        assert counting.passes == [(1, 3)] * 2
        counting.go.set()
        assert [found.result(10).vectors.item() for found in asked] == [0, 3, 6, 9]
    assert len(counting.passes) in {3, 4}


class AtOnce(threading.Event):
    """Interrupts who waits for it."""

    def wait(self, timeout: float | None = None) -> bool:
        raise KeyboardInterrupt


class OnceTold(threading.Event):
    """Interrupts who waits for it once it is set."""

    def wait(self, timeout: float | None = None) -> bool:
        super().wait(timeout)
        raise KeyboardInterrupt


@pytest.mark.parametrize("event", [AtOnce, OnceTold])
def test_a_thread_that_is_interrupted_leaves_no_gap(
    monkeypatch: pytest.MonkeyPatch, event: type[threading.Event]
) -> None:
    counting = Counting()
    engine = BatchingEngine(counting)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(engine.run, *texts([1]))
        assert counting.started.wait(10)
        with monkeypatch.context() as patch:
            patch.setattr("nlu.batching._Request", lambda ids, mask: _Request(ids, mask, event()))
            interrupted = pool.submit(engine.run, *texts([2] * 30))
            while event is OnceTold and not engine._waiting:
                threading.Event().wait(0.005)
            while event is AtOnce and not interrupted.done():
                threading.Event().wait(0.005)
        last = pool.submit(engine.run, *texts([3]))
        while len(engine._waiting) < (2 if event is OnceTold else 1):
            threading.Event().wait(0.005)
        counting.go.set()
        with pytest.raises(KeyboardInterrupt):
            interrupted.result(10)
        assert [found.result(10).vectors.item() for found in (first, last)] == [1, 3]
    assert counting.passes == [(1, 1), (1, 1)]
    assert (engine._free, engine._waiting) == (1, [])


PASSES = {
    "nothing": ([], []),
    "one text": ([5], [[0]]),
    "short ones together, and a long one alone": ([3, 20, 2, 3], [[2, 0, 3], [1]]),
    "no more than fit with their padding": ([4, 4, 4, 4, 1], [[4, 0], [1, 2], [3]]),
    "longer than a pass": ([30, 30, 1], [[2], [0], [1]]),
}


@pytest.mark.parametrize(("lengths", "expected"), PASSES.values(), ids=PASSES)
def test_many_texts_are_shared_out_among_small_passes(lengths: list[int], expected: list[list[int]]) -> None:
    assert in_passes(lengths, most_tokens=10) == expected
