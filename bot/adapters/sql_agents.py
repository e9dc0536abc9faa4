"""People at the console, what they did, and runs that one process alone may start."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, delete, select, update

from bot.adapters.sql_engine import SqlAccess, insert_once
from bot.adapters.sql_tables import AgentRow, AuditRow, ConsoleSessionRow, EscalationRow, ScheduledRunRow
from bot.domain.records import Agent, AgentLoad, AuditEntry
from bot.errors import InputError

ROLES = ("admin", "agent")
"""What an agent can be."""


class SqlAgents(SqlAccess):
    """Agents, their sessions, the audit trail and scheduled runs."""

    def agent_by_name(self, name: str) -> Agent | None:
        """An agent by login name."""
        with self._read() as session:
            row = _named(session, name)
            return None if row is None else _agent(row)

    def agents(self) -> list[Agent]:
        """All active agents, by name."""
        active = select(AgentRow).where(col(AgentRow.active).is_(True)).order_by(col(AgentRow.name))
        with self._read() as session:
            return [_agent(row) for row in session.exec(active)]

    def agent_loads(self) -> list[AgentLoad]:
        """All active agents with what they have to do, by name."""
        whose, given = col(EscalationRow.agent_id), func.max(col(EscalationRow.held_at))
        held = (
            select(whose, func.count()).where(col(EscalationRow.status) == "held", whose.is_not(None)).group_by(whose)
        )
        last = select(whose, given).where(whose.is_not(None)).group_by(whose)
        active = select(AgentRow).where(col(AgentRow.active).is_(True)).order_by(col(AgentRow.name))
        with self._read() as session:
            counts, moments = dict(session.exec(held).all()), dict(session.exec(last).all())
            return [AgentLoad(_agent(row), counts.get(row.id, 0), moments.get(row.id)) for row in session.exec(active)]

    def see_agent(self, agent: int) -> None:
        """Notes that an agent is at the console now."""
        with self._write() as session:
            session.exec(update(AgentRow).where(col(AgentRow.id) == agent).values(seen_at=self._clock.now()))

    def set_away(self, agent: int, *, away: bool) -> None:
        """Notes whether an agent wants conversations assigned."""
        with self._write() as session:
            session.exec(update(AgentRow).where(col(AgentRow.id) == agent).values(away=away))

    def add_agent(self, name: str, password_hash: str, role: str) -> int:
        """Creates an agent.

        Args:
            name: login name.
            password_hash: as pwdlib made it.
            role: `admin` or `agent`.

        Returns:
            The agent's id.

        Raises:
            InputError: the name is empty or taken, or the role is unknown.
        """
        if role not in ROLES:
            raise InputError(f"an agent's role is one of {', '.join(ROLES)}, got {role!r}")
        if not name.strip():
            raise InputError("an agent needs a login name, got an empty one")
        fresh = {"name": name, "role": role, "password_hash": password_hash, "created_at": self._clock.now()}
        with self._write() as session:
            added: int | None = insert_once(session, AgentRow, fresh)
            if added is None:
                raise InputError(f"the name {name!r} is taken by another agent; choose another one")
            return added

    def set_agent_password(self, name: str, password_hash: str) -> None:
        """Changes a password and ends the agent's sessions.

        Args:
            name: login name.
            password_hash: as pwdlib made it.

        Raises:
            InputError: there is no such agent.
        """
        with self._write() as session:
            row = _named(session, name)
            if row is None:
                raise InputError(f"there is no agent {name!r}; create one first")
            row.password_hash = password_hash
            session.exec(delete(ConsoleSessionRow).where(col(ConsoleSessionRow.agent_id) == row.id))

    def open_session(self, agent: int, token_hash: str, expires: datetime) -> None:
        """Stores a console session by the hash of its token, and drops those that have expired."""
        now = self._clock.now()
        with self._write() as session:
            session.exec(delete(ConsoleSessionRow).where(col(ConsoleSessionRow.expires) <= now))
            session.add(ConsoleSessionRow(token_hash=token_hash, agent_id=agent, created_at=now, expires=expires))

    def session_agent(self, token_hash: str) -> Agent | None:
        """Whose session it is; None where it is unknown, expired or its agent inactive."""
        whose = (
            select(AgentRow)
            .join(ConsoleSessionRow, col(ConsoleSessionRow.agent_id) == col(AgentRow.id))
            .where(
                col(ConsoleSessionRow.token_hash) == token_hash,
                col(ConsoleSessionRow.expires) > self._clock.now(),
                col(AgentRow.active).is_(True),
            )
        )
        with self._read() as session:
            row = session.exec(whose).first()
            return None if row is None else _agent(row)

    def close_session(self, token_hash: str) -> None:
        """Ends a session; its agent is not at the console any more, unless another session of theirs says so."""
        own = col(ConsoleSessionRow.token_hash) == token_hash
        whose = select(ConsoleSessionRow.agent_id).where(own)
        with self._write() as session:
            session.exec(update(AgentRow).where(col(AgentRow.id).in_(whose)).values(seen_at=None))
            session.exec(delete(ConsoleSessionRow).where(own))

    def audit(self, who: str, action: str, detail: str) -> None:
        """Notes who did what; `detail` names things by id, never by a customer's words."""
        with self._write() as session:
            session.add(AuditRow(at=self._clock.now(), who=who, action=action, detail=detail))

    def audit_trail(self, limit: int = 200) -> list[AuditEntry]:
        """Who did what, the latest first."""
        latest = select(AuditRow).order_by(col(AuditRow.id).desc()).limit(limit)
        with self._read() as session:
            return [AuditEntry(row.at, row.who, row.action, row.detail) for row in session.exec(latest)]

    def claim_run(self, name: str, at: datetime) -> bool:
        """Claims a scheduled run for this process; False where another has it."""
        with self._write() as session:
            run = {"name": name, "at": at, "claimed_at": self._clock.now()}
            return insert_once(session, ScheduledRunRow, run) is not None


def _named(session: Session, name: str) -> AgentRow | None:
    return session.exec(select(AgentRow).where(col(AgentRow.name) == name)).first()


def _agent(row: AgentRow) -> Agent:
    return Agent(row.id or 0, row.name, row.role, row.password_hash, row.active, row.seen_at, row.away)
