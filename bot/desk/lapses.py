"""What has lain too long at the desk, and what is to be done about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.records import Escalation
from bot.domain.rules import DeskRules, Priority


class Lapse(StrEnum):
    """What has lain too long."""

    UNTAKEN = "untaken"
    UNANSWERED = "unanswered"
    IDLE = "idle"


def find_lapse(escalation: Escalation, rules: DeskRules, now: datetime, since: datetime | None) -> Lapse | None:
    """Finds what is wrong with an escalation by the clock.

    Args:
        escalation: open or held.
        rules: how long it may lie.
        now: the present moment.
        since: since when people are there; None while nobody is, when only idleness counts.

    Returns:
        `UNTAKEN` for an open one that has to become more urgent, `UNANSWERED` for a held one that has to go back to the
        queue, `IDLE` for a held one that has to go back to the bot, None where all is well.
    """
    if escalation.status == "open":
        waits = escalation.raised_at or escalation.opened_at
        below_top = escalation.priority < Priority.URGENT
        return Lapse.UNTAKEN if below_top and _over(waits, since, rules.untaken, now) else None
    if escalation.status != "held":
        return None
    held = escalation.held_at or escalation.opened_at
    if rules.unanswered and escalation.unanswered and escalation.asked_at is not None:
        waits = max(held, escalation.asked_at)
        return Lapse.UNANSWERED if _over(waits, since, rules.unanswered, now) else None
    words = (moment for moment in (held, escalation.asked_at, escalation.replied_at) if moment is not None)
    return Lapse.IDLE if _over(max(words), held, rules.idle, now) else None


def _over(waits: datetime, since: datetime | None, minutes: int, now: datetime) -> bool:
    return bool(minutes) and since is not None and now - max(waits, since) >= timedelta(minutes=minutes)
