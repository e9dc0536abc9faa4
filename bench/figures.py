"""A measured figure, what is wanted of it, and latencies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Unit = Literal["", "µs", "ms", "s", "min", "GB", "MB", "bytes", "x"]

_DECIMALS: dict[Unit, int] = {
    "": 3,
    "µs": 0,
    "ms": 1,
    "s": 1,
    "min": 1,
    "GB": 2,
    "MB": 0,
    "bytes": 0,
    "x": 2,
}


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted of a figure.

    Attributes:
        sense: whether the value is a floor or a ceiling.
        value: in the figure's unit.
    """

    sense: Literal["at least", "at most"]
    value: float

    def met_by(self, measured: float) -> bool:
        """Whether a value is good enough; exactly the goal is."""
        return measured >= self.value if self.sense == "at least" else measured <= self.value


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    Attributes:
        name: what was measured.
        values: one for each seed; empty where it was not measured.
        command: what gives it.
        unit: of the values.
        goal: what is wanted of their mean, if anything.
    """

    name: str
    values: tuple[float, ...]
    command: str
    unit: Unit = ""
    goal: Goal | None = None

    @property
    def mean(self) -> float | None:
        """The mean over the seeds, or None where nothing was measured."""
        return float(np.mean(self.values)) if self.values else None

    @property
    def verdict(self) -> str:
        """`met`, `missed`, `not measured`, or nothing where nothing is wanted."""
        if self.goal is None or self.mean is None:
            return "not measured" if self.mean is None else ""
        return "met" if self.goal.met_by(self.mean) else "missed"

    def measured(self) -> str:
        """The mean for people, with the lowest and the highest value where there are several."""
        if self.mean is None:
            return "not measured"
        text = self._number(self.mean)
        if len(self.values) > 1:
            text += f" ({self._number(min(self.values))} to {self._number(max(self.values))})"
        return f"{text} {self.unit}".rstrip()

    def wanted(self) -> str:
        """The goal for people, and whether it was met."""
        if self.goal is None:
            return ""
        sign = "≥" if self.goal.sense == "at least" else "≤"
        text = f"{sign} {self._number(self.goal.value)} {self.unit}".rstrip()
        return f"{text} (**{self.verdict}**)" if self.verdict == "missed" else f"{text} ({self.verdict})"

    def _number(self, value: float) -> str:
        return f"{value:.{_DECIMALS[self.unit]}f}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one benchmark gives.

    Attributes:
        figures: lines of the table.
        notes: sentences that belong below it.
    """

    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of how long something took, in milliseconds."""

    p50: float
    p95: float
    p99: float


def latency(milliseconds: Sequence[float]) -> Latency:
    """Percentiles, interpolated between the two nearest samples.

    Args:
        milliseconds: one sample for each repetition; at least one.

    Returns:
        The percentiles.

    Raises:
        ValueError: there are no samples.
    """
    if not milliseconds:
        raise ValueError("expected at least one sample, got none")
    p50, p95, p99 = np.percentile(milliseconds, [50, 95, 99])
    return Latency(float(p50), float(p95), float(p99))


def latency_figures(name: str, found: Latency, command: str, goal: Goal | None = None) -> list[Figure]:
    """A line for each percentile; the goal is the median's.

    Args:
        name: what was timed.
        found: the percentiles.
        command: what gives them.
        goal: what is wanted of the median.

    Returns:
        Three figures.
    """
    return [
        Figure(f"{name}, p50", (found.p50,), command, "ms", goal),
        Figure(f"{name}, p95", (found.p95,), command, "ms"),
        Figure(f"{name}, p99", (found.p99,), command, "ms"),
    ]
