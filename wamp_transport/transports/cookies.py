"""The cookie of a service: found in a handshake's headers, set with the answer where the client has none that counts.

Section of RFC 6265: 4, "Server Requirements".
"""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..config.cookie import Cookie
from ..node.connection import Connection
from ..stores.cookies.async_store import AsyncCookieStore
from ..stores.cookies.records import CookieStoreError
from ..wamp.errors import CLOSE_LOGOUT
from .negotiation import Refusal, can_answer

logger = logging.getLogger(__name__)

VISITOR: Final = "wamp_transport.visitor"
"""Name in the ASGI scope of the :class:`Visitor` whose handshake it is."""

LARGEST_CHOICE: Final = 4
"""Cookies of one name that are looked up: browsers send several where they were set for several paths."""

_VALUE: Final = re.compile(r"[A-Za-z0-9_+/-]{6,64}")
_BETWEEN: Final = re.compile("[;,]")


@dataclass(frozen=True, slots=True)
class Visitor:
    """A client known by its cookie. ``id`` is public; ``set_cookie`` is the header's value where one must be set."""

    id: str
    set_cookie: bytes | None = field(default=None, repr=False)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Headers for the answer to the handshake."""
        return [] if self.set_cookie is None else [(b"set-cookie", self.set_cookie)]


class CookieTracker:
    """Knows the clients of one service by their cookie."""

    def __init__(self, settings: Cookie, store: AsyncCookieStore, service: str) -> None:
        self.store = store
        self._settings = settings
        self._service = service
        self._is_troubled = False
        self._is_warned = False

    async def admit(self, scope: Mapping[str, Any]) -> Visitor | Refusal | None:
        """Who this is; someone new gets a cookie. Refused where the store cannot tell.

        None under a server that cannot set cookies: each connection would be someone new.
        """
        settings = self._settings
        if not can_answer(scope):
            self._warn_of_server()
            return None
        values = cookies_named(settings.name, scope)
        try:
            record, value = await self.store.admit(settings.name, settings.length, settings.max_age, values)
        except CookieStoreError as error:
            if not self._is_troubled:
                logger.error("Nobody can connect to %s, its cookie store fails: %s", self._service, error)
            self._is_troubled = True
            return Refusal(503, "the store of cookies does not answer; try again later")
        if self._is_troubled:
            logger.warning("The cookie store of %s works again", self._service)
            self._is_troubled = False
        if value is None:
            return Visitor(record.id)
        return Visitor(record.id, self._header(value, is_secure=scope.get("scheme") in ("wss", "https")))

    def _warn_of_server(self) -> None:
        if not self._is_warned:
            logger.warning("No cookies at %s: this ASGI server sends no headers with a handshake", self._service)
        self._is_warned = True

    def _header(self, value: str, *, is_secure: bool) -> bytes:
        settings = self._settings
        parts = [f"{settings.name}={value}", "Path=/", f"Max-Age={settings.max_age}"]
        if is_secure if settings.secure is None else settings.secure:
            parts.append("Secure")
        if settings.http_strict:
            parts.append("HttpOnly")
        if settings.same_site is not None:
            parts.append(f"SameSite={settings.same_site}")
        return "; ".join(parts).encode()


def siblings(connections: Iterable[Connection], connection: Connection) -> list[Connection]:
    """The other connections of the client that has one, as its cookie tells."""
    id = _client_of(connection)
    return [one for one in connections if id is not None and one is not connection and _client_of(one) == id]


async def log_out(store: AsyncCookieStore, connections: Iterable[Connection], connection: Connection) -> None:
    """The client of a connection has logged out: its cookie counts no more, its other connections are closed.

    They are closed even where the store raises CookieStoreError.
    """
    id = _client_of(connection)
    if id is None:
        return
    try:
        await store.forget(id)
    finally:
        for one in siblings(connections, connection):
            one.is_closed = True
            one.link.close(CLOSE_LOGOUT, "logged out on another connection")


def _client_of(connection: Connection) -> str | None:
    return (connection.transport or {}).get("http_cbtid")


def cookies_named(name: str, scope: Mapping[str, Any]) -> list[str]:
    """The values that could be ours among the cookies of a handshake, whatever else is among them."""
    return list(dict.fromkeys(_values(name, scope)))[:LARGEST_CHOICE]


def _values(name: str, scope: Mapping[str, Any]) -> Iterator[str]:
    for header, content in scope.get("headers", ()):
        if header.lower() != b"cookie":
            continue
        # A comma is where a server has joined several headers.
        for pair in _BETWEEN.split(content.decode("latin-1")):
            key, _, value = pair.partition("=")
            value = value.strip()
            if value.startswith('"') and value.endswith('"'):
                value = value[1:-1]
            if key.strip() == name and _VALUE.fullmatch(value):
                yield value
