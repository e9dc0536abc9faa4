"""`frontdesk retrain --schedule`: stays, and starts a retraining in a process of its own when it is due."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import datetime

import structlog

from bot.adapters.sql_log import open_log
from bot.bootstrap import SystemClock
from bot.errors import SettingsError
from bot.settings import Settings

log_line = structlog.get_logger(__name__)

_COMMAND = (sys.executable, "-m", "bot.cli", "retrain", "--json", "--if-new")
_LOOK_AROUND = 1.0
_GRACE = 10.0


class ScheduledRuns:
    """Starts retrainings and ends with its parent process or at `stop`, whichever comes first.

    Args:
        command: what a run is.
    """

    def __init__(self, command: Sequence[str] = _COMMAND) -> None:
        self._command = list(command)
        self._parent = os.getppid()
        self._stop = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None

    def stop(self, *_: object) -> None:
        """Ends waiting, and a run that is under way; `current` is not touched by it."""
        self._stop.set()
        if self._child is not None:
            self._child.terminate()

    def wait(self, seconds: float) -> bool:
        """Waits; True where it is time to stop for good."""
        deadline = time.monotonic() + seconds
        while not self._stop.is_set() and os.getppid() == self._parent:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._stop.wait(min(left, _LOOK_AROUND))
        return True

    def run(self) -> None:
        """Retrains in a process of its own, so that its memory is given back, and logs how it ended."""
        if self._stop.is_set():
            return
        log_line.info("retraining_started")
        self._child = subprocess.Popen(self._command, stdout=subprocess.PIPE)  # noqa: S603
        if self._stop.is_set():
            self._child.terminate()
        printed = self._await(self._child)
        code, self._child = self._child.returncode, None
        try:
            told = json.loads(printed)
            log_line.info("retraining_ended", status=told["status"], candidate=told["candidate"], code=code)
        except (ValueError, KeyError, TypeError):
            log_line.warning("retraining_failed", code=code)

    def _await(self, child: subprocess.Popen[bytes]) -> bytes:
        while True:
            try:
                printed, _ = child.communicate(timeout=_GRACE)
            except subprocess.TimeoutExpired:
                if self._stop.is_set():
                    child.kill()
            else:
                return printed


def follow_schedule(settings: Settings) -> None:
    """Retrains at each time of the schedule, once across all replicas, until SIGTERM or SIGINT.

    Args:
        settings: the settings in force.

    Raises:
        SettingsError: there is no schedule.
    """
    from training.schedule import run_on_schedule

    if settings.retrain_schedule is None:
        raise SettingsError(
            "FRONTDESK_RETRAIN_SCHEDULE: is not set. Give cron's five fields in UTC, such as '0 3 * * *' for 3 a.m."
        )
    clock = SystemClock()

    def claim(due: datetime) -> bool:
        log = open_log(settings.database, clock)
        try:
            return log.claim_run("retrain", due)
        finally:
            log.close()

    runs = ScheduledRuns()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, runs.stop)
    run_on_schedule(settings.retrain_schedule, now=clock.now, wait=runs.wait, claim=claim, run=runs.run)
