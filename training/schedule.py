"""Runs something at the times of a cron schedule until told to stop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from croniter import croniter

from nlu.types import FrontdeskError

log = logging.getLogger(__name__)

_LONGEST_WAIT = 30.0


def next_run(schedule: str, now: datetime) -> datetime:
    """The first time of a schedule after a moment.

    Args:
        schedule: cron's five fields, in UTC.
        now: the moment, with time zone.

    Returns:
        The time, in UTC; the same for every process that asks before it.
    """
    found: datetime = croniter(schedule, now.astimezone(UTC)).get_next(datetime)
    return found


def run_on_schedule(
    schedule: str,
    *,
    now: Callable[[], datetime],
    wait: Callable[[float], bool],
    claim: Callable[[datetime], bool],
    run: Callable[[], None],
) -> None:
    """Runs at each time of a schedule that this process claims; a failure is logged and the next time awaited.

    Args:
        schedule: cron's five fields, in UTC.
        now: tells the time.
        wait: waits some seconds; True where it is time to stop for good.
        claim: takes a run for this process; False where another has it.
        run: what to do.
    """
    while True:
        due = next_run(schedule, now())
        # Short waits, as the clock may be set and the machine may sleep.
        while (left := (due - now()).total_seconds()) > 0:
            if wait(min(left, _LONGEST_WAIT)):
                return
        try:
            if claim(due):
                run()
        except (FrontdeskError, OSError) as error:
            log.warning("The run of %s failed: %s", due.isoformat(), error)
        if wait(0):
            return
