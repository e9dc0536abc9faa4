"""Reading messages: one at a time and many at once, beside what one would write without Frontdesk."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from bench.commands import SHOP, environment, say
from bench.figures import Figure, Goal, Outcome, latency, latency_figures
from bench.messages import mixed_messages, read_texts
from bench.releases import Setup, train_shop
from bench.two_passes import TwoPasses
from nlu.runtime import load_understander

Message = TypeVar("Message")

CONCURRENT = 32
_MESSAGES = 300
_AT_ONCE = 960
_WARM_UP = 20
_TURN = 10
"""Messages that one way reads before it is the other's turn."""
_COMMAND = "python -m bench reading"
_MB = 1e6
_START = """
import sys, time, pathlib
began = time.perf_counter()
from bot.live_engine import load_engine
engine = load_engine(pathlib.Path(sys.argv[1]))
engine.understander.understand(["Where is my order?"])
ready = time.perf_counter() - began
for _ in range(200):
    engine.understander.understand(["Where is my order? I have been waiting for a week."])
fields = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
print(ready, int(fields["VmRSS"].split()[0]) * 1024)
"""


def measure(setup: Setup) -> Outcome:
    """Times reading with the shop's release of the first seed; the two ways take turns.

    Args:
        setup: the seeds, or a release to take.

    Returns:
        Latency, throughput, start and memory.
    """
    release = train_shop(setup, setup.seeds[0]).folder
    texts = [message.text for message in mixed_messages(read_texts(SHOP / "test.jsonl"), "read", _MESSAGES)]
    say("one message at a time")
    understander, plain = load_understander(release), TwoPasses(release)
    ways: list[Callable[[str], object]] = [lambda text: understander.understand([text]), plain.read]
    fast, slow = take_turns(ways, texts)
    say(f"{CONCURRENT} conversations at once")
    many = (texts * (_AT_ONCE // len(texts) + 1))[:_AT_ONCE]
    rates = [concurrent_rate(way, many) for way in ways]
    say("a serving process")
    ready, resident = start_serving(release)
    ratio = float(np.median(np.divide(fast, slow)))
    return Outcome(
        (
            *latency_figures("understanding and vector", latency(fast), _COMMAND),
            *latency_figures("the same, plain stack", latency(slow), _COMMAND),
            Figure("share of the plain stack's time, median", (ratio,), _COMMAND, "", Goal("at most", 0.1)),
            Figure(f"messages a second, {CONCURRENT} at once", (rates[0],), _COMMAND),
            Figure(f"messages a second, {CONCURRENT} at once, plain stack", (rates[1],), _COMMAND),
            Figure("messages a second against the plain stack", (rates[0] / rates[1],), _COMMAND, "x", _least(10)),
            Figure("reading process ready", (ready,), _COMMAND, "s", Goal("at most", 2)),
            Figure("reading process, resident memory", (resident / _MB,), _COMMAND, "MB", Goal("at most", 350)),
        ),
        (
            "The plain stack is a transformers pipeline and SentenceTransformer, in fp32 on the same encoder.",
            f"Messages at once come from {CONCURRENT} threads, as conversations do.",
        ),
    )


def take_turns(
    ways: Sequence[Callable[[Message], object]], texts: Sequence[Message], warm_up: int = _WARM_UP
) -> list[list[float]]:
    """Milliseconds of each way for each text.

    The ways alternate every few texts, so that they share the machine's moods and each finds its own model in the
    processor's cache, as it would if it were the only one.

    Args:
        ways: what reads a text.
        texts: what to read.
        warm_up: how many of the texts each way reads before any is timed.

    Returns:
        For each way a time for each text.
    """
    for way in ways:
        for text in texts[:warm_up]:
            way(text)
    times: list[list[float]] = [[] for _ in ways]
    for first in range(0, len(texts), _TURN):
        for way, taken in zip(ways, times, strict=True):
            for text in texts[first : first + _TURN]:
                start = time.perf_counter()
                way(text)
                taken.append((time.perf_counter() - start) * 1000)
    return times


def concurrent_rate(way: Callable[[str], object], texts: Sequence[str]) -> float:
    """Texts a second when as many threads ask as there are conversations.

    Args:
        way: what reads a text.
        texts: what to read.

    Returns:
        The rate.
    """
    with ThreadPoolExecutor(CONCURRENT) as pool:
        start = time.perf_counter()
        for _ in pool.map(way, texts):
            pass
        return len(texts) / (time.perf_counter() - start)


def start_serving(release: Path) -> tuple[float, int]:
    """Starts a process that reads messages.

    Args:
        release: what it reads with.

    Returns:
        Seconds from its first import to its first reading, and its resident bytes after two hundred.
    """
    command = [sys.executable, "-c", _START, str(release)]
    done = subprocess.run(command, env=environment(), check=True, capture_output=True, text=True, timeout=120)
    ready, resident = done.stdout.split()
    return float(ready), int(resident)


def _least(value: float) -> Goal:
    return Goal("at least", value)
