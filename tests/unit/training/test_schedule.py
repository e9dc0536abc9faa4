from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from nlu.types import InputError
from training.schedule import next_run, run_on_schedule

NIGHT = "0 3 * * *"
START = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)


class World:
    """Time that passes only while somebody waits or works."""

    def __init__(self, *, hours: float, work: timedelta = timedelta()) -> None:
        self.time = START
        self.end = START + timedelta(hours=hours)
        self.work = work
        self.claims: list[datetime] = []
        self.runs: list[datetime] = []
        self.taken: set[datetime] = set()
        self.trouble: list[Exception] = []

    def now(self) -> datetime:
        return self.time

    def wait(self, seconds: float) -> bool:
        self.time += timedelta(seconds=seconds)
        return self.time >= self.end

    def claim(self, due: datetime) -> bool:
        self.claims.append(due)
        if due in self.taken:
            return False
        self.taken.add(due)
        return True

    def run(self) -> None:
        self.runs.append(self.time)
        self.time += self.work
        if self.trouble:
            raise self.trouble.pop()

    def follow(self, schedule: str = NIGHT) -> None:
        run_on_schedule(schedule, now=self.now, wait=self.wait, claim=self.claim, run=self.run)


@pytest.mark.parametrize(
    ("schedule", "now", "due"),
    [
        (NIGHT, START, datetime(2026, 11, 22, 3, tzinfo=UTC)),
        (NIGHT, START.replace(hour=3, minute=0), datetime(2026, 11, 23, 3, tzinfo=UTC)),
        (NIGHT, START.replace(microsecond=7), datetime(2026, 11, 22, 3, tzinfo=UTC)),
        ("*/15 * * * *", START.replace(second=59), datetime(2026, 11, 22, 1, 45, tzinfo=UTC)),
        (NIGHT, START.astimezone(timezone(timedelta(hours=8))), datetime(2026, 11, 22, 3, tzinfo=UTC)),
    ],
    ids=["same night", "at the very time", "microseconds", "quarter of an hour", "another time zone"],
)
def test_next_run(schedule: str, now: datetime, due: datetime) -> None:
    found = next_run(schedule, now)
    assert (found, found.utcoffset()) == (due, timedelta(0))


def test_runs_every_night_until_told_to_stop() -> None:
    world = World(hours=50)
    world.follow()
    assert [time.day for time in world.runs] == [22, 23, 24]
    assert world.time == world.end or world.time - world.end < timedelta(seconds=31)


def test_a_run_that_another_replica_has_is_left_to_it() -> None:
    world = World(hours=30)
    world.taken.add(datetime(2026, 11, 22, 3, tzinfo=UTC))
    world.follow()
    assert len(world.claims) == 2
    assert [time.day for time in world.runs] == [23]


def test_times_missed_during_a_long_run_are_not_made_up_for() -> None:
    world = World(hours=12, work=timedelta(hours=2, minutes=30))
    world.follow("0 * * * *")
    gaps = {later - earlier for earlier, later in zip(world.claims, world.claims[1:], strict=False)}
    assert gaps == {timedelta(hours=3)}


@pytest.mark.parametrize("trouble", [InputError("no log"), OSError("no process")])
def test_a_failure_is_survived(trouble: Exception) -> None:
    world = World(hours=30)
    world.trouble.append(trouble)
    world.follow()
    assert len(world.runs) == 2


def test_a_fault_of_ours_is_not_hidden() -> None:
    world = World(hours=30)
    world.trouble.append(ValueError("a bug"))
    with pytest.raises(ValueError, match="a bug"):
        world.follow()
