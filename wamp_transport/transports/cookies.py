"""The cookies in a handshake: the cookie that identifies a client, and Django's session cookie.

See RFC 6265, section 4, "Server Requirements".
"""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings as django_settings
from django.http import parse_cookie

from ..config.cookie import Cookie
from ..node.connection import Connection
from ..stores.cookies.async_store import AsyncCookieStore
from ..stores.cookies.records import CookieStoreError
from ..wamp.errors import CLOSE_LOGOUT
from .hosts import is_host_of_django, request_host
from .negotiation import Refusal, can_answer, headers_of
from .origins import SAME_ORIGIN, OriginPolicy

logger = logging.getLogger(__name__)

VISITOR: Final = "wamp_transport.visitor"
"""The key of the :class:`Visitor` in the ASGI scope of a handshake."""

MAX_COOKIES_CHECKED: Final = 4
"""The maximum number of cookies with the same name that are looked up.

Browsers send several cookies if they were set for several paths.
"""

MAX_COOKIE_CHARACTERS: Final = 4096
"""Maximum length of a cookie's value; browsers do not store longer values."""

_VALUE: Final = re.compile(r"[A-Za-z0-9_+/-]{6,64}")
_BETWEEN: Final = re.compile("[;,]")


@dataclass(frozen=True, slots=True)
class Visitor:
    """A client, identified by its cookie.

    ``id`` is public. ``set_cookie`` is the value of the Set-Cookie header for a new client; None for a known one.
    """

    id: str
    set_cookie: bytes | None = field(default=None, repr=False)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers for the response to the handshake."""
        return [] if self.set_cookie is None else [(b"set-cookie", self.set_cookie)]


class CookieTracker:
    """A tracker that recognizes the clients of one service by their cookie."""

    def __init__(self, settings: Cookie, store: AsyncCookieStore, service: str) -> None:
        self.store = store
        self._settings = settings
        self._service = service
        self._is_troubled = False
        self._is_warned = False

    async def admit(self, scope: Mapping[str, Any]) -> Visitor | Refusal | None:
        """Identify the client of a handshake by its cookie, or create a cookie for a new client.

        Return a refusal if the store fails. Return None if the server cannot set cookies: otherwise, each connection
        would create a new client in the store.
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
                logger.error("Clients cannot connect to %s because its cookie store fails: %s", self._service, error)
            self._is_troubled = True
            return Refusal(503, "the cookie store is not available; try again later")
        if self._is_troubled:
            logger.warning("The cookie store of %s works again", self._service)
            self._is_troubled = False
        if value is None:
            return Visitor(record.id)
        return Visitor(record.id, self._header(value, is_secure=scope.get("scheme") in ("wss", "https")))

    def _warn_of_server(self) -> None:
        if not self._is_warned:
            logger.warning(
                "No cookies are set at %s: this ASGI server cannot send headers in a handshake", self._service
            )
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


def connections_of(id: str, connections: Iterable[Connection]) -> list[Connection]:
    """Return the connections of the client whose cookie has the public ID ``id``."""
    return [one for one in connections if client_of(one) == id]


async def log_out(store: AsyncCookieStore, id: str, connections: Iterable[Connection]) -> None:
    """Delete the cookie record of a client that has logged out, and close the client's other ``connections``.

    ``id`` is the public ID of the cookie. The connections are closed even if the store raises CookieStoreError.
    """
    try:
        await store.forget(id)
    finally:
        for one in connections:
            one.is_closed = True
            one.transport.close(CLOSE_LOGOUT, "logged out on another connection")


def client_of(connection: Connection) -> str | None:
    """Return the public ID of the client's cookie, or None if the client has no cookie."""
    return (connection.transport_details or {}).get("http_cbtid")


def cookies_named(name: str, scope: Mapping[str, Any]) -> list[str]:
    """Return the values of the cookies called ``name``, up to MAX_COOKIES_CHECKED of them.

    Values that cannot come from a cookie of this product are left out.
    """
    return list(dict.fromkeys(_values(name, scope)))[:MAX_COOKIES_CHECKED]


def _values(name: str, scope: Mapping[str, Any]) -> Iterator[str]:
    for header, content in scope.get("headers", ()):
        if header.lower() != b"cookie":
            continue
        # Some servers join several Cookie headers with a comma.
        for pair in _BETWEEN.split(content.decode("latin-1")):
            key, _, value = pair.partition("=")
            value = value.strip()
            if value.startswith('"') and value.endswith('"'):
                value = value[1:-1]
            if key.strip() == name and _VALUE.fullmatch(value):
                yield value


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """The key of a Django session. It is a secret."""

    key: str = field(repr=False)


class SessionCookies:
    """The rule that decides whether Django's session cookie is used in a handshake.

    A browser sends cookies regardless of which page opens a WebSocket. Therefore, the cookie is used only in two cases:
    the Origin header names the host of the request, and ``ALLOWED_HOSTS`` contains this host; or the Origin header
    contains one of the origins in ``trusted``, such as ``https://shop.example.com``.
    """

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._origins = OriginPolicy(
            [SAME_ORIGIN, *trusted], allow_null=False, allow_missing=False, knows_host=is_host_of_django
        )

    def find(self, scope: Mapping[str, Any]) -> SessionCookie | None:
        """Return the session cookie of a handshake; None if there is none or the page must not use it."""
        headers = headers_of(scope)
        origin = headers.get(b"origin", headers.get(b"sec-websocket-origin"))
        is_secure = scope.get("scheme") in ("wss", "https")
        if not self._origins.allows(origin, request_host(scope, headers), is_secure=is_secure):
            return None
        found = [value.decode("latin-1") for name, value in scope.get("headers", ()) if name.lower() == b"cookie"]
        key = parse_cookie("; ".join(found)).get(django_settings.SESSION_COOKIE_NAME, "")
        return SessionCookie(key) if 0 < len(key) <= MAX_COOKIE_CHARACTERS else None
