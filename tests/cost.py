"""What a piece of work costs the processor, for tests of input that is meant to cost much."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

GROWTH = 20
TOLERATED = 80
"""Of a text twenty times as long: work that is linear takes 20 times as long, quadratic work 400 times."""


def processor_seconds(work: Callable[[], object]) -> float:
    """What a call costs on this thread; the collector of garbage rests, as it would look at what other tests left."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        began = time.thread_time()
        work()
        return time.thread_time() - began
    finally:
        if collecting:
            gc.enable()


def assert_linear(work: Callable[[int], object], length: int) -> None:
    """Work on an input of `length` has to take about a twentieth of what it takes on one twenty times as long.

    Args:
        work: is given the length of its input.
        length: of the shorter input.
    """
    short = min(processor_seconds(lambda: work(length)) for _ in range(3))
    long = processor_seconds(lambda: work(GROWTH * length))
    assert long < max(TOLERATED * short, 1.0), f"{short:.4f} s for {length}, {long:.4f} s for {GROWTH} times as much"
