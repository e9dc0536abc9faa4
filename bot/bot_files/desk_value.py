"""Reads the parts of `escalation` in `bot.yaml` that are about the agents' desk."""

from __future__ import annotations

from collections.abc import Mapping

from bot.bot_files.yaml_values import Value
from bot.domain.rules import Assignment, DeskRules, ServiceLevel

DESK_KEYS = ("assignment", "limit", "timeouts", "vip", "sla")
"""The keys that `read_desk` reads."""

_LONGEST = 100_000
_DEFAULT = DeskRules()


def read_desk(fields: Mapping[str, Value]) -> DeskRules:
    """Who gets a conversation, and how long it may lie.

    Args:
        fields: a value for each of `DESK_KEYS`.

    Returns:
        The rules; the default where the file does not say.
    """
    named = fields["assignment"].member([each.value for each in Assignment], "a way to assign", _DEFAULT.assignment)
    timeouts = fields["timeouts"].fields(optional=("untaken", "unanswered", "idle"))
    sla = fields["sla"].fields(optional=("first_reply_minutes", "resolution_minutes"))
    return DeskRules(
        assignment=Assignment(named),
        limit=fields["limit"].number(_DEFAULT.limit, 1, 1000),
        untaken=timeouts["untaken"].number(_DEFAULT.untaken, 0, _LONGEST),
        unanswered=timeouts["unanswered"].number(_DEFAULT.unanswered, 0, _LONGEST),
        idle=timeouts["idle"].number(_DEFAULT.idle, 0, _LONGEST),
        vip=frozenset(fields["vip"].texts()),
        sla=ServiceLevel(
            sla["first_reply_minutes"].number(_DEFAULT.sla.first_reply_minutes, 1, _LONGEST),
            sla["resolution_minutes"].number(_DEFAULT.sla.resolution_minutes, 1, _LONGEST),
        ),
    )
