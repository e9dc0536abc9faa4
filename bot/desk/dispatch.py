"""What happens at the desk by the clock: conversations are assigned, become more urgent, go back, and are announced.

Every process does it. Each act holds the conversation's lock and looks again whether it is still due, so it is done
once; one that a dying process left half done is done again by the next look.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from prometheus_client import Counter, Gauge

from bot.desk.assignment import choose_agent
from bot.desk.handover import Desk
from bot.desk.lapses import Lapse, find_lapse
from bot.desk.notices import notice
from bot.desk.service_level import is_overdue
from bot.domain.log_ports import ConversationLog
from bot.domain.ports import Clock
from bot.domain.records import Escalation
from bot.domain.rules import Assignment, DeskRules, Hours
from bot.errors import InputError, UnavailableError
from bot.hours import people_since

log_line = structlog.get_logger(__name__)

_LOOK_SECONDS = 5.0
_GRACE = 15.0
_WAITING = Gauge("frontdesk_escalations", "Escalations at this moment.", ["status"])
_OVERDUE = Gauge("frontdesk_escalations_overdue", "Open or held escalations that have missed a goal of the SLA.")
_ACTS = Counter("frontdesk_desk_acts", "What this process did at the desk by the clock.", ["act"])


@dataclass(frozen=True, slots=True)
class AgentsChat:
    """Where agents read notices.

    Attributes:
        conversation: the chat as a conversation.
        lang: the language of the notices.
        console: the console's public address, empty where it has none.
    """

    conversation: str
    lang: str
    console: str = ""


class Dispatcher:
    """Looks at the desk every few seconds in a thread of its own.

    Args:
        desk: acts on conversations.
        log: the durable truth.
        clock: tells the time.
        rules: who gets a conversation, and how long it may lie.
        hours: when people are there; None for always.
        chat: where agents read notices; None for nowhere.
    """

    def __init__(
        self,
        *,
        desk: Desk,
        log: ConversationLog,
        clock: Clock,
        rules: DeskRules,
        hours: Hours | None = None,
        chat: AgentsChat | None = None,
    ) -> None:
        self._desk = desk
        self._log = log
        self._clock = clock
        self._rules = rules
        self._hours = hours
        self._chat = chat
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatch", daemon=True)

    def start(self) -> None:
        """Starts looking."""
        self._thread.start()

    def stop(self) -> None:
        """Finishes what is under way and ends."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=_GRACE)

    def look(self) -> None:
        """Does everything that is due now.

        Raises:
            UnavailableError: SQL is away; what was not done is done by a later look.
        """
        now = self._clock.now()
        escalations = [*self._log.escalations("held", limit=None), *self._log.escalations("open", limit=None)]
        for escalation in escalations:
            if self._lapse(escalation) is not None:
                self._try(escalation, self._mend)
        self._announce()
        if self._rules.assignment is not Assignment.MANUAL:
            # Read again, as the lapses above have ended some and begun others; of very many the most urgent do for now.
            for escalation in self._log.escalations("open"):
                self._try(escalation, self._assign)
        for status in ("open", "held"):
            _WAITING.labels(status).set(sum(escalation.status == status for escalation in escalations))
        _OVERDUE.set(sum(is_overdue(escalation, self._rules.sla, now) for escalation in escalations))

    def _lapse(self, escalation: Escalation) -> Lapse | None:
        now = self._clock.now()
        since = people_since(self._hours, now) if self._hours else datetime.min.replace(tzinfo=now.tzinfo)
        return find_lapse(escalation, self._rules, now, since)

    def _mend(self, escalation: Escalation) -> None:
        lapse = self._desk.mend(escalation.conversation, self._lapse)
        if lapse is not None:
            _ACTS.labels(lapse.value).inc()

    def _assign(self, escalation: Escalation) -> None:
        load = choose_agent(escalation, self._log.agent_loads(), self._rules, self._clock.now())
        if load is not None and self._desk.assign(escalation.conversation, load.agent, self._rules.limit):
            _ACTS.labels("assigned").inc()

    def _announce(self) -> None:
        if self._chat is None:
            return
        for escalation in self._log.unannounced():
            words = notice(escalation, self._chat.lang, self._chat.console)
            key = f"escalation:{escalation.id}:{escalation.priority.name.lower()}"
            self._log.add_outgoing(self._chat.conversation, words, author="system", key=key)
            self._log.mark_announced(escalation.id, escalation.priority)

    def _try(self, escalation: Escalation, act: Callable[[Escalation], None]) -> None:
        """Acts on one conversation; one that is busy or gone meanwhile holds up no other."""
        try:
            act(escalation)
        except (InputError, UnavailableError) as error:
            log_line.warning("desk_act_delayed", conversation=escalation.conversation, error=str(error))

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            try:
                self.look()
            except UnavailableError as error:
                log_line.warning("desk_not_looked_at", error=str(error))
            except Exception:
                log_line.exception("desk_look_failed")
