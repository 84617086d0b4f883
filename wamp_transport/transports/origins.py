"""Check which web pages may open a WebSocket, by comparing the Origin header with the service's patterns.

See RFC 6455, section 10.2, "Origin Considerations".
"""

import re
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
SAME_ORIGIN = "same-origin"

MAX_ORIGIN_CHARACTERS = 512
"""The maximum length of an origin in characters. A host name has at most 253.

Without a limit, matching a pattern with several ``*`` could take too long, because its time is not linear.
"""

_NO_ORIGIN = re.compile(r"[\s,@]")
"""Characters that are not valid in an origin. They indicate several origins, or credentials."""


class OriginPolicy:
    """The origins that a service allows.

    A pattern has the form ``scheme://host:port``, in which ``*`` matches any text. Without a port, a pattern that ends
    with ``*`` matches any port, and other patterns match the scheme's default port. The word ``same-origin`` allows
    pages from the host and port of the request if ``knows_host`` returns True for the host. If the connection is known
    to use TLS, the page must also use it. Case does not matter.
    """

    def __init__(
        self,
        patterns: Iterable[str],
        *,
        allow_null: bool,
        allow_missing: bool = True,
        knows_host: Callable[[str], bool] = lambda host: True,
    ) -> None:
        patterns = [pattern.lower().rstrip("/") for pattern in patterns]
        self._allow_null = allow_null
        self._allow_missing = allow_missing
        self._knows_host = knows_host
        self._allow_same = SAME_ORIGIN in patterns
        self._allow_all = "*" in patterns
        self._patterns = [_compiled(pattern) for pattern in patterns if pattern not in (SAME_ORIGIN, "*")]

    def allows(self, origin: str | None, host: str | None, *, is_secure: bool) -> bool:
        """Return whether a page from ``origin`` may connect. ``origin`` is None if the request has no Origin header.

        ``host`` is the Host header, and ``is_secure`` is true if the connection is known to use TLS. These two are
        needed only for ``same-origin``.
        """
        if origin is None:
            return self._allow_missing
        if len(origin) > MAX_ORIGIN_CHARACTERS:
            return False
        origin = origin.strip().lower()
        if origin == "null" or origin.startswith("file:"):
            return self._allow_null
        full = _with_port(origin)
        if full is None:
            return False
        if self._allow_all or any(pattern.fullmatch(full) for pattern in self._patterns):
            return True
        # A proxy can terminate TLS, so without TLS on this connection the page's own scheme determines the port.
        scheme = "https" if is_secure else full.partition("://")[0]
        is_same = self._allow_same and host is not None and full == _with_port(f"{scheme}://{host.lower()}")
        return is_same and host is not None and self._knows_host(host)

    def explains_host(self, host: str | None) -> bool:
        """Return whether a refusal can be explained by the host: ``knows_host`` returns False for it."""
        return self._allow_same and host is not None and not self._knows_host(host)


def _with_port(origin: str) -> str | None:
    """Return ``origin`` with an explicit port; None if it is not an origin."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme or not parts.hostname or _NO_ORIGIN.search(origin):
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{DEFAULT_PORTS.get(parts.scheme, '') if port is None else port}"


def _compiled(pattern: str) -> re.Pattern[str]:
    scheme, separator, rest = pattern.partition("://")
    has_port = re.search(r":(\d+|\*)\Z", rest) is not None or rest.endswith("*")
    if separator and not has_port:
        pattern = f"{pattern}:{DEFAULT_PORTS.get(scheme, '')}"
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")))
