"""The address of the Redis server of a cluster, and the options of all connections to it."""

from typing import Any, Final
from urllib.parse import urlsplit

from redis.asyncio.connection import AbstractConnection, ConnectionPool

CONNECT_SECONDS: Final = 3.0
"""The maximum time for connecting, including the TLS handshake and the login."""

REPLY_PROTOCOL: Final = 2
"""The version of Redis' protocol. Version 3 would need the command ``HELLO`` on each connection."""


class RedisAddress:
    """A parsed Redis URL: ``redis://``, ``rediss://`` (TLS) or ``unix://``.

    The URL can contain a user, a password and a database number. Its query can contain the other options of redis-py's
    connections, such as ``ssl_ca_certs``. Raises ValueError if the URL is invalid.
    """

    def __init__(self, url: str) -> None:
        self._pool = ConnectionPool.from_url(url, protocol=REPLY_PROTOCOL)
        # These options take precedence over the URL. The caller has its own time limits: with the option
        # "socket_timeout", redis-py would create a task for each write.
        self._pool.connection_kwargs.update(
            _no_client_name(),
            protocol=REPLY_PROTOCOL,
            decode_responses=False,
            health_check_interval=0,
            socket_timeout=None,
            socket_connect_timeout=CONNECT_SECONDS,
        )
        self._text = _without_password(url)
        self.make_connection()

    def __str__(self) -> str:
        """Return the URL without the password and the query."""
        return self._text

    def make_connection(self) -> AbstractConnection:
        """Return a new connection, which is not connected yet. Raises ValueError if it cannot have these options."""
        try:
            connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        except TypeError as error:
            raise ValueError(f"invalid option in the Redis URL {self._text}: {error}") from error
        return connection


def _no_client_name() -> dict[str, Any]:
    """Return the options that stop redis-py from sending its name with ``CLIENT SETINFO``."""
    try:
        import redis.driver_info  # noqa: F401, PLC0415
    except ImportError:
        return {"lib_name": None, "lib_version": None}
    return {"driver_info": None}


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
