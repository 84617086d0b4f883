"""Negotiate a WebSocket handshake: check the origin and the port, and choose the subprotocol.

See the WAMP specification, Basic Profile, "WebSocket Transport".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..serializers.registry import BY_SUBPROTOCOL, SERIALIZERS
from ..serializers.serializer import Serializer
from .hosts import request_host
from .origins import OriginPolicy


@dataclass(frozen=True, slots=True)
class Refusal:
    """The result of a handshake that fails: the HTTP status, and the reason as a sentence."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """The result of a handshake that succeeds: the serializer, and the subprotocol to confirm, if any."""

    serializer: Serializer
    subprotocol: str | None


@dataclass(frozen=True, slots=True)
class HandshakeTerms:
    """The conditions that a service sets for handshakes."""

    serializers: tuple[str, ...]
    origins: OriginPolicy
    external_port: int | None = None
    require_subprotocol: bool = True


def negotiate(scope: Mapping[str, Any], terms: HandshakeTerms) -> Agreement | Refusal:
    """Return the result of a WebSocket handshake, given its ASGI scope."""
    headers = headers_of(scope)
    host = request_host(scope, headers)
    refusal = _wrong_port(host, terms.external_port)
    if refusal is not None:
        return refusal
    origin = headers.get(b"origin", headers.get(b"sec-websocket-origin"))
    is_secure = scope.get("scheme") in ("wss", "https")
    if not terms.origins.allows(origin, host, is_secure=is_secure):
        if origin is None:
            return Refusal(403, "WebSocket connections without an Origin header are not allowed here")
        reason = f"WebSocket connections from pages of {origin!r} are not allowed here"
        if terms.origins.explains_host(host):
            reason += f"; the host {host!r} is not in ALLOWED_HOSTS"
        return Refusal(403, reason)
    return _choose(scope.get("subprotocols") or (), terms)


def can_answer(scope: Mapping[str, Any]) -> bool:
    """Return whether the application can set the status, headers and body of the response to a handshake.

    Plain Daphne does not support this.
    """
    return "websocket.http.response" in (scope.get("extensions") or {})


def headers_of(scope: Mapping[str, Any]) -> dict[bytes, str]:
    """Return the headers of a request by lower-case name. Repeated headers are joined with commas."""
    headers: dict[bytes, str] = {}
    for name, value in scope.get("headers", ()):
        key, text = name.lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    return headers


def installed(names: Iterable[str]) -> tuple[str, ...]:
    """Return the serializers among ``names`` whose libraries are installed."""
    return tuple(name for name in names if name in SERIALIZERS)


def _choose(offered: Sequence[str], terms: HandshakeTerms) -> Agreement | Refusal:
    """Choose the first subprotocol in the client's order that the service supports.

    If there is none, choose JSON without a subprotocol if the service allows this. Otherwise, refuse the handshake.
    """
    for name in offered:
        serializer = BY_SUBPROTOCOL.get(name)
        if serializer is not None and serializer.name in terms.serializers:
            return Agreement(serializer, name)
    if not terms.require_subprotocol and "json" in terms.serializers:
        return Agreement(SERIALIZERS["json"], None)
    known = ", ".join(SERIALIZERS[name].subprotocol for name in terms.serializers)
    names = ", ".join(repr(name) for name in offered) or "none"
    return Refusal(400, f"this path speaks the WebSocket subprotocols {known}; the client offered {names}")


def _wrong_port(host: str | None, external_port: int | None) -> Refusal | None:
    if external_port is None or host is None or ":" not in host.rpartition("]")[2]:
        return None
    port = host.rpartition(":")[2]
    if port == str(external_port):
        return None
    return Refusal(400, f"port {port} in the Host header is not the port of this service, {external_port}")
