"""What a turn should have been, as agents say; retraining learns from it."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.log_ports import ConversationLog
from bot.domain.ports import Knowledge, LiveState
from bot.domain.records import CORRECTABLE, Agent, TurnView
from bot.errors import InputError


class Corrections:
    """Stores what agents correct of a turn; every correction is audited.

    Args:
        log: keeps them.
        state: has the conversations' locks.
        knowledge: the labels and FAQ entries that a correction may name.
    """

    def __init__(self, log: ConversationLog, state: LiveState, knowledge: Knowledge) -> None:
        self._log = log
        self._state = state
        self._knowledge = knowledge

    def correct(self, turn: TurnView, values: Mapping[str, str], agent: Agent) -> None:
        """Stores corrections of a turn, none where one is unknown; a later one of the same field replaces the earlier.

        Args:
            turn: which turn.
            values: what is right, a label of that head or the id of a FAQ entry, by field of `CORRECTABLE`.
            agent: who says so.

        Raises:
            InputError: a field or a value is unknown, or the turn was erased.
        """
        for field, value in values.items():
            self._check(field, value)
        with self._state.lock(turn.conversation):
            for field, value in values.items():
                self._log.add_correction(turn.id, field, value, agent.id)
                self._log.audit(agent.name, "correct", f"{turn.conversation}: turn {turn.id}, {field} = {value}")

    def _check(self, field: str, value: str) -> None:
        if field not in CORRECTABLE:
            raise InputError(f"Only {', '.join(CORRECTABLE)} can be corrected, not {field!r}.")
        if field == "faq":
            known = {entry for entry, _ in self._knowledge.faq_entries()}
        else:
            known = set(self._knowledge.labels(field))
        if value not in known:
            raise InputError(f"The {field} {value[:80]!r} is not known; choose one of the {len(known)} that are.")
