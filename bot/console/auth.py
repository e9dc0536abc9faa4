"""Who may use the console: password hashes, logins, server-side sessions and CSRF tokens."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from bot.domain.log_ports import ConversationLog
from bot.domain.ports import Clock, LiveState
from bot.domain.records import Agent
from bot.errors import InputError

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1024
SESSION_LIFE = timedelta(hours=12)
SEEN_EVERY = timedelta(seconds=15)
TRIES_PER_MINUTE = 5
TRIES_PER_MINUTE_OF_ADDRESS = 30

_hasher = PasswordHash((Argon2Hasher(),))


def hash_password(password: str) -> str:
    """Hashes a password with Argon2id.

    Args:
        password: what the agent will type, at least `SHORTEST_PASSWORD` characters.

    Returns:
        The hash with its salt and parameters.

    Raises:
        InputError: the password is too short or too long.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InputError(
            f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters; this one has {len(password)}."
        )
    return _hasher.hash(password)


def verify_password(password: str, password_hash: str) -> bool:
    """Whether a password is the one that was hashed; an unreadable hash matches nothing."""
    try:
        return _hasher.verify(password[:LONGEST_PASSWORD], password_hash)
    except UnknownHashError:
        return False


@cache
def _nobodys_hash() -> str:
    return _hasher.hash(secrets.token_urlsafe(32))


class TooManyTriesError(InputError):
    """Somebody tries passwords faster than a person forgets them."""


@dataclass(frozen=True, slots=True)
class Session:
    """A logged-in agent.

    Attributes:
        agent: who.
        token: the secret in the cookie.
        csrf: what every form of this session must carry.
    """

    agent: Agent
    token: str
    csrf: str


class Sessions:
    """Opens, finds and ends console sessions; of a token only its SHA-256 is stored."""

    def __init__(self, *, log: ConversationLog, state: LiveState, clock: Clock, secret_key: str) -> None:
        self._log = log
        self._state = state
        self._clock = clock
        self._key = secret_key.encode()
        self._nobodys_hash = _nobodys_hash()

    def log_in(self, name: str, password: str, address: str) -> str | None:
        """Opens a session for the right password.

        An unknown name costs the same time as a wrong password, so that names cannot be found out.

        Args:
            name: login name.
            password: as typed.
            address: where the request came from.

        Returns:
            The session's token, or None where name or password is wrong or the agent is switched off.

        Raises:
            TooManyTriesError: more than `TRIES_PER_MINUTE` for this name from this address, or more than
                `TRIES_PER_MINUTE_OF_ADDRESS` for all names.
        """
        tried = _digest(f"{address}\n{name.casefold()}")
        if not (
            self._state.allow(f"console-login:{tried}", TRIES_PER_MINUTE, 60)
            and self._state.allow(f"console-login-from:{_digest(address)}", TRIES_PER_MINUTE_OF_ADDRESS, 60)
        ):
            raise TooManyTriesError("Too many tries to log in; wait a minute and try again.")
        agent = self._log.agent_by_name(name)
        right = verify_password(password, agent.password_hash if agent else self._nobodys_hash)
        if agent is None or not right or not agent.active:
            return None
        token = secrets.token_urlsafe(32)
        self._log.open_session(agent.id, _digest(token), self._clock.now() + SESSION_LIFE)
        self._log.audit(agent.name, "log_in", f"from {address}")
        return token

    def find(self, token: str) -> Session | None:
        """The session that a cookie names, or None where it is unknown, over or its agent switched off.

        Whoever asks for a page is at the console, which is noted every `SEEN_EVERY` at most.
        """
        agent = self._log.session_agent(_digest(token)) if token else None
        if agent is None:
            return None
        if agent.seen_at is None or self._clock.now() - agent.seen_at >= SEEN_EVERY:
            self._log.see_agent(agent.id)
        return Session(agent, token, self._seal("session", token))

    def log_out(self, session: Session) -> None:
        """Ends a session."""
        self._log.close_session(_digest(session.token))
        self._log.audit(session.agent.name, "log_out", "")

    def visit(self) -> str:
        """A fresh secret for the cookie of somebody who is about to log in."""
        return secrets.token_urlsafe(32)

    def visit_csrf(self, visit: str) -> str:
        """What the login form must carry for the cookie of that visit."""
        return self._seal("visit", visit)

    def _seal(self, purpose: str, token: str) -> str:
        return hmac.new(self._key, f"console-csrf:{purpose}:{token}".encode(), hashlib.sha256).hexdigest()


def same_secret(expected: str, given: str) -> bool:
    """Compares two secrets in a time that does not tell where they differ."""
    return hmac.compare_digest(expected.encode(), given.encode())


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
