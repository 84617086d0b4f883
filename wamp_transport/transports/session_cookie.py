"""Django's session cookie in a handshake, and whether the page that opened the connection may use it.

A browser sends its cookies along whichever page opens a WebSocket. So the cookie counts only where the Origin header
is there and names the host that is asked, or an origin that is trusted by its full name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.http import parse_cookie

from .negotiation import headers_of
from .origins import SAME_ORIGIN, OriginPolicy

LONGEST: Final = 4096
"""Characters of a cookie's value that browsers keep."""


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """The key of a Django session. It is a secret."""

    key: str = field(repr=False)


class SessionCookies:
    """Finds the session cookie of those handshakes whose page may use it. ``trusted`` are further origins."""

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._origins = OriginPolicy([SAME_ORIGIN, *trusted], allow_null=False, allow_missing=False)

    def find(self, scope: Mapping[str, Any]) -> SessionCookie | None:
        """The cookie of a handshake; None where there is none that counts."""
        headers = headers_of(scope)
        origin = headers.get(b"origin", headers.get(b"sec-websocket-origin"))
        is_secure = scope.get("scheme") in ("wss", "https")
        if not self._origins.allows(origin, headers.get(b"host"), is_secure=is_secure):
            return None
        found = [value.decode("latin-1") for name, value in scope.get("headers", ()) if name.lower() == b"cookie"]
        key = parse_cookie("; ".join(found)).get(settings.SESSION_COOKIE_NAME, "")
        return SessionCookie(key) if 0 < len(key) <= LONGEST else None
