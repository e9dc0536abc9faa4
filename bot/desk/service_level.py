"""How soon customers were helped, measured against what was aimed at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from bot.domain.records import Escalation, ServiceTime
from bot.domain.rules import ServiceLevel


@dataclass(frozen=True, slots=True)
class Achieved:
    """How a goal was met.

    Attributes:
        counted: how many met it or missed it; those whose time still runs are left out.
        share: which part of them met it, 0 to 1; None where none is counted.
        median: the usual time of those that came to an end; None where none did.
    """

    counted: int
    share: float | None
    median: timedelta | None


@dataclass(frozen=True, slots=True)
class ServiceFigures:
    """How escalations fared.

    Attributes:
        opened: how many there were.
        first_reply: how soon an agent wrote.
        resolution: how soon they were closed.
    """

    opened: int
    first_reply: Achieved
    resolution: Achieved


def measure(times: Sequence[ServiceTime], goal: ServiceLevel, now: datetime) -> ServiceFigures:
    """Measures escalations against what was aimed at.

    Args:
        times: how long each took.
        goal: what is aimed at.
        now: the present moment.

    Returns:
        The figures. One that was closed without an agent's word missed the first reply.
    """
    replies = [(time.opened_at, time.first_reply_at, time.closed_at is not None) for time in times]
    ends = [(time.opened_at, time.closed_at, False) for time in times]
    return ServiceFigures(
        opened=len(times),
        first_reply=_achieved(replies, goal.first_reply_minutes, now),
        resolution=_achieved(ends, goal.resolution_minutes, now),
    )


def is_overdue(escalation: Escalation, goal: ServiceLevel, now: datetime) -> bool:
    """Whether an open or held escalation has missed a goal that can still be worked for."""
    if escalation.status == "closed":
        return False
    waited = now - escalation.opened_at
    unheard = escalation.first_reply_at is None and waited > timedelta(minutes=goal.first_reply_minutes)
    return unheard or waited > timedelta(minutes=goal.resolution_minutes)


def _achieved(spans: Sequence[tuple[datetime, datetime | None, bool]], minutes: int, now: datetime) -> Achieved:
    """Counts (begin, end, given up) by the goal."""
    goal = timedelta(minutes=minutes)
    ended = [end - begin for begin, end, _ in spans if end is not None]
    met = sum(span <= goal for span in ended)
    missed = sum(end is None and (given_up or now - begin > goal) for begin, end, given_up in spans)
    counted = len(ended) + missed
    usual = timedelta(seconds=median(span.total_seconds() for span in ended)) if ended else None
    return Achieved(counted, met / counted if counted else None, usual)
