"""Connecting to Redis, and saying in Frontdesk's words what went wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis, exceptions
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from bot.errors import SettingsError, StateUnavailableError

_CONNECT_SECONDS = 2.0
_ANSWER_SECONDS = 5.0
_HEALTH_CHECK_SECONDS = 30
_RETRY_PAUSE_SECONDS = 0.05
_MAX_CONNECTIONS = 1000

_REMEDIES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (
        (exceptions.AuthenticationError, exceptions.AuthorizationError),
        "Correct the user and password in FRONTDESK_REDIS_URL.",
    ),
    (
        (exceptions.NoPermissionError,),
        "Give its user the right to read, write, run scripts and use channels (ACL SETUSER).",
    ),
    ((exceptions.ReadOnlyError,), "It is a replica: point FRONTDESK_REDIS_URL at the primary."),
    ((exceptions.OutOfMemoryError,), "Its memory is full: raise its maxmemory."),
    ((exceptions.BusyLoadingError,), "It is still reading its files: wait for it."),
    ((exceptions.MaxConnectionsError,), "Too many pages or turns are open in this process: run another one."),
    ((exceptions.TimeoutError,), "Check that it is not overloaded or stopped, and that the network lets it through."),
)
_DISK_REMEDY = "It cannot write to its disk: free some space there."
_DEFAULT_REMEDY = (
    "Start it, correct FRONTDESK_REDIS_URL, or unset FRONTDESK_REDIS_URL to use the server that comes with Frontdesk."
)


def connect(url: str) -> Redis:
    """A client that gives up soon and tries a dropped connection once more; nothing is sent yet.

    Args:
        url: `redis://`, `rediss://` or `unix://`.

    Returns:
        The client; it answers with `str`.

    Raises:
        SettingsError: the URL is not one of those.
    """
    try:
        return Redis.from_url(
            url,
            decode_responses=True,
            encoding_errors="surrogatepass",
            socket_connect_timeout=_CONNECT_SECONDS,
            socket_timeout=_ANSWER_SECONDS,
            health_check_interval=_HEALTH_CHECK_SECONDS,
            max_connections=_MAX_CONNECTIONS,
            # A second wait for a server that just let a time-out pass would only double it.
            retry=Retry(ConstantBackoff(_RETRY_PAUSE_SECONDS), 1, supported_errors=(exceptions.ConnectionError,)),
        )
    except ValueError:
        # The cause is left out, as it quotes pieces of the URL, and a password may be among them.
        raise SettingsError(
            "FRONTDESK_REDIS_URL should look like redis://[user:password@]host:port/0, rediss://... or "
            "unix:///path/to/socket, but what is set there does not. Correct it (odd characters of a password are "
            "written as %2F and the like), or unset it to use the server that comes with Frontdesk."
        ) from None


def address_of(client: Redis) -> str:
    """Where a client connects to, as `host:port` or the path of a socket; never the password."""
    kwargs = client.connection_pool.connection_kwargs
    return str(kwargs.get("path") or f"{kwargs.get('host', 'localhost')}:{kwargs.get('port', 6379)}")


@contextmanager
def answering(address: str) -> Iterator[None]:
    """Turns every error of Redis into ours.

    Args:
        address: where Redis is, for the message.

    Yields:
        Nothing; commands are sent meanwhile.

    Raises:
        StateUnavailableError: Redis did not do what it was asked.
    """
    try:
        yield
    except (exceptions.RedisError, OSError) as error:
        raise StateUnavailableError(f"Redis at {address} did not answer: {error}. {_remedy(error)}") from error


def _remedy(error: Exception) -> str:
    for kinds, remedy in _REMEDIES:
        if isinstance(error, kinds):
            return remedy
    return _DISK_REMEDY if "MISCONF" in str(error) else _DEFAULT_REMEDY
