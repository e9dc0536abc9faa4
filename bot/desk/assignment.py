"""Who is there, and who of them gets a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bot.domain.records import Agent, AgentLoad, Escalation
from bot.domain.rules import Assignment, DeskRules

PRESENCE = timedelta(seconds=90)
"""How long after a console page last asked for something its agent counts as there."""

_NEVER = datetime.min.replace(tzinfo=UTC)


def is_online(agent: Agent, now: datetime) -> bool:
    """Whether an agent is at the console."""
    return agent.seen_at is not None and now - agent.seen_at <= PRESENCE


def choose_agent(
    escalation: Escalation, loads: Sequence[AgentLoad], rules: DeskRules, now: datetime
) -> AgentLoad | None:
    """Chooses who gets a conversation.

    Args:
        escalation: the conversation's wish for a human.
        loads: all agents with what they have to do.
        rules: how to choose.
        now: the present moment.

    Returns:
        Of the agents who are there, want conversations, may have one more and did not let this one lie: with
        `round-robin` the one who got none for longest, with `least-busy` the one who holds fewest. None where there is
        nobody, and always with `manual`.
    """
    free = [
        load
        for load in loads
        if is_online(load.agent, now)
        and not load.agent.away
        and load.held < rules.limit
        and load.agent.name != escalation.lapsed
    ]
    match rules.assignment:
        case Assignment.ROUND_ROBIN:
            return min(free, key=_longest_without, default=None)
        case Assignment.LEAST_BUSY:
            return min(free, key=lambda load: (load.held, *_longest_without(load)), default=None)
        case Assignment.MANUAL:
            return None


def _longest_without(load: AgentLoad) -> tuple[datetime, str]:
    return load.last_given or _NEVER, load.agent.name
