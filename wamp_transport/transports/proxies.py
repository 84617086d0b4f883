"""Find the client of a request behind trusted proxies, from ``Forwarded`` (RFC 7239) and ``X-Forwarded-*`` headers.

A trusted proxy must set or remove all of these headers: if it forwards a client's own headers unchanged, they are
trusted as well. If a request has headers of both kinds, ``X-Forwarded-*`` headers take precedence.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

UNIX: Final = "unix"
"""The entry for Unix domain sockets in a list of proxies."""

MAX_PORT: Final = 65535
MAX_PORT_DIGITS: Final = 5
"""The maximum number of digits of a port.

Longer texts are not converted, because Python raises ValueError for integers with more than 4,300 digits.
"""

_SECURE: Final = {"https": True, "wss": True, "http": False, "ws": False}

Headers = Sequence[tuple[bytes, bytes]]
Hop = Mapping[str, str]
"""A request as one of the proxies received it. All keys are optional: ``for``, ``proto``, ``host`` and ``port``."""


class TrustedProxies:
    """The proxies whose forwarding headers are trusted: addresses, networks, and ``unix`` for Unix sockets.

    Raises ValueError for any other entry.
    """

    def __init__(self, proxies: Iterable[str] = ()) -> None:
        self.names = tuple(proxies)
        self._unix = UNIX in self.names
        self._networks: tuple[IPv4Network | IPv6Network, ...] = tuple(
            ip_network(name) for name in self.names if name != UNIX
        )

    def __bool__(self) -> bool:
        return bool(self.names)

    def trusts(self, peer: str | None) -> bool:
        """Return whether the peer is a trusted proxy. None means a peer on a Unix socket."""
        if peer is None:
            return self._unix
        address = parsed(peer)
        return address is not None and any(address in network for network in self._networks)


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The request as the outermost trusted proxy received it. A field is None if the proxy did not report it.

    ``host`` is the value of a Host header. A port that the proxy reported separately is added to it, unless this is the
    default port of the scheme.
    """

    client: tuple[str, int] | None = None
    is_secure: bool | None = None
    host: str | None = None


def forwarded(headers: Headers, proxies: TrustedProxies) -> Forwarded:
    """Parse the forwarding headers of a request from a trusted proxy. Invalid values are ignored and raise no error."""
    texts: dict[bytes, str] = {}
    for name, value in headers:
        if name == b"forwarded" or name.startswith(b"x-forwarded-"):
            text = value.decode("latin-1")
            texts[name] = f"{texts[name]},{text}" if name in texts else text
    if not texts:
        return Forwarded()
    has_x = any(name != b"forwarded" for name in texts)
    hops = _x_hops(texts) if has_x else _hops(texts[b"forwarded"])
    return _outermost(hops, proxies)


def forward(scope: dict[str, Any], proxies: TrustedProxies) -> None:
    """Set the client and the scheme in an ASGI scope to the values that a trusted proxy reports.

    For WebSockets, set the Host header as well. HTTP requests keep their headers, because Django's own settings decide
    which of them are used.
    """
    client = scope.get("client")
    if not proxies or not proxies.trusts(client[0] if client else None):
        return
    found = forwarded(scope["headers"], proxies)
    if found.client is not None:
        scope["client"] = list(found.client)
    if found.is_secure is not None:
        plain = "ws" if scope["type"] == "websocket" else "http"
        scope["scheme"] = f"{plain}s" if found.is_secure else plain
    if found.host is not None and scope["type"] == "websocket":
        others = [(name, value) for name, value in scope["headers"] if name != b"host"]
        scope["headers"] = [*others, (b"host", found.host.encode("latin-1"))]


def parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address; return None if it is invalid. IPv6 zones are dropped. IPv4-mapped addresses become IPv4."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _outermost(hops: Sequence[Hop], proxies: TrustedProxies) -> Forwarded:
    """Return the request as the outermost trusted proxy received it.

    Each hop was added by one proxy, the last hop by the proxy that is nearest to the server. An earlier hop is used
    only if the hop after it names a trusted proxy as the sender.
    """
    client: tuple[str, int] | None = None
    outermost: Hop = {}
    for hop in reversed(hops):
        outermost = hop
        sender = _address(hop.get("for", ""))
        if sender is None:
            break
        client = sender
        if not proxies.trusts(sender[0]):
            break
    is_secure = _SECURE.get(outermost.get("proto", "").lower())
    return Forwarded(client, is_secure, _host(outermost.get("host", ""), outermost.get("port", ""), is_secure))


def _host(host: str, port: str, is_secure: bool | None) -> str | None:
    """Return a Host header; None if ``host`` is invalid.

    ``port`` is ignored if it is invalid or if ``host`` includes a port.
    """
    if not host or any(character in host for character in " \t/@\\"):
        return None
    bare = host.rpartition("]")[2]
    is_port = port.isascii() and port.isdigit() and len(port) <= MAX_PORT_DIGITS and int(port) <= MAX_PORT
    if ":" in bare or not is_port:
        return host
    default_port = {True: 443, False: 80, None: 0}[is_secure]
    return host if int(port) == default_port else f"{host}:{int(port)}"


def _x_hops(texts: Mapping[bytes, str]) -> list[Hop]:
    """Return the hops in ``X-Forwarded-*`` headers.

    Each header contains either a list to which each proxy appends a value, or a single value from the last proxy.
    """
    lists = {
        key: [part.strip() for part in texts.get(b"x-forwarded-" + key.encode(), "").split(",")]
        for key in ("for", "proto", "host", "port")
    }
    count = len(lists["for"])
    hops: list[Hop] = []
    for index in range(count):
        hop = {"for": lists["for"][index]}
        for key in ("proto", "host", "port"):
            values = lists[key]
            hop[key] = values[index] if len(values) == count else values[-1]
        hops.append(hop)
    return hops


def _hops(text: str) -> list[Hop]:
    """Return the hops in a ``Forwarded`` header. Each element of the header is one hop: pairs of names and values."""
    hops: list[Hop] = []
    for element in _split(text, ","):
        pairs = (pair.partition("=") for pair in _split(element, ";"))
        hops.append({name.strip().lower(): _unquoted(value.strip()) for name, _, value in pairs})
    return hops


def _split(text: str, separator: str) -> list[str]:
    """Split ``text`` at each separator outside quotes."""
    parts, begin, is_quoted, is_escaped = [], 0, False, False
    for position, character in enumerate(text):
        if is_escaped:
            is_escaped = False
        elif character == "\\" and is_quoted:
            is_escaped = True
        elif character == '"':
            is_quoted = not is_quoted
        elif character == separator and not is_quoted:
            parts.append(text[begin:position])
            begin = position + 1
    return [*parts, text[begin:]]


def _unquoted(value: str) -> str:
    if len(value) < 2 or not (value[0] == value[-1] == '"'):
        return value
    text, is_escaped = "", False
    for character in value[1:-1]:
        if character == "\\" and not is_escaped:
            is_escaped = True
        else:
            text += character
            is_escaped = False
    return text


def _address(text: str) -> tuple[str, int] | None:
    """Parse an address and its port, which is 0 if it is missing or invalid. Return None if the address is invalid.

    Examples: ``192.0.2.1``, ``192.0.2.1:80``, ``2001:db8::1``, ``[2001:db8::1]:80``.
    """
    host, port = text, ""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    address = parsed(host)
    if address is None:
        return None
    is_number = port.isascii() and port.isdigit() and len(port) <= MAX_PORT_DIGITS
    return str(address), int(port) if is_number else 0
