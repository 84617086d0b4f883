"""The transports of a router: web transports with paths, standalone WebSocket transports, and unsupported kinds."""

import json
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from wamp_transport.config.endpoint import Endpoint
from wamp_transport.config.paths import Key, Service
from wamp_transport.config.report import short
from wamp_transport.config.section import Finding, Section, Unoffered, identifier, setting
from wamp_transport.config.websocket import WebSocketSection


class WebOptions(Section):
    """Options of a web transport."""

    access_log: bool = setting(
        False,
        "Log every request and WebSocket handshake, one line each: client, method, path, status, octets of the body, "
        "seconds. At level INFO of wamp_transport.access; on standard error unless logging is configured.",
    )
    display_tracebacks: bool = setting(
        False, "Show tracebacks on error pages.", ignored="tracebacks are never shown to clients"
    )
    hsts: bool = setting(
        False,
        "Tell browsers to use only TLS from now on (Strict-Transport-Security), in responses sent over TLS, by this "
        "server or by a trusted proxy.",
    )
    hsts_max_age: int = setting(31_536_000, "Time in seconds for which browsers follow that, from 0.", unit="s", ge=0)
    client_timeout: int | None = setting(
        None,
        "Time in seconds, 1 to 86400, that an HTTP connection may be idle between requests, or a request's body may "
        "make no progress. Null: 60 seconds.",
        unit="s",
        ge=1,
        le=86_400,
    )
    request_timeout: int = setting(
        20,
        "Time in seconds, 1 to 3600, from a connection's beginning, TLS included, or from a request's first byte until "
        "the head of the request is complete.",
        unit="s",
        ge=1,
        le=3600,
    )
    max_request_head: int = setting(
        16_384,
        "Largest head of a request, all lines together, in bytes, 1024 to 1048576.",
        unit="bytes",
        ge=1024,
        le=2**20,
    )
    max_request_body: int = setting(
        128 * 2**20, "Largest body of a request in bytes, from 0. 0: no limit.", unit="bytes", ge=0, le=2**40
    )


DEFAULT_MAX_CONNECTIONS: Final = 50_000


def _max_connections() -> Any:
    return setting(
        DEFAULT_MAX_CONNECTIONS,
        "Connections open at the same time, from 1. Further ones are closed right after they are accepted.",
        ge=1,
    )


def _max_connections_per_address() -> Any:
    return setting(
        None,
        "Of these, connections from one IP address (of IPv6: one /64 network), from 1. Trusted proxies "
        "and Unix sockets have no such limit; their requests count for the client that they name. "
        "Null: no limit, as many people may share an address.",
        ge=1,
    )


def _trusted_proxies() -> Any:
    return setting(
        (),
        "Addresses and networks of proxies, and `unix` for a Unix socket, whose Forwarded or X-Forwarded-For, -Proto, "
        "-Host and -Port headers name the client. The same headers from other addresses are ignored.",
        expected='IP addresses, networks such as 10.0.0.0/8, or "unix"',
    )


def _check_proxies(given: Mapping[str, Any]) -> Iterator[Finding]:
    proxies = given.get("trusted_proxies")
    for index, one in enumerate(proxies if isinstance(proxies, list | tuple) else ()):
        if isinstance(one, str) and not is_proxy(one):
            expected = 'expected an IP address, a network such as 10.0.0.0/8, or "unix"'
            yield Finding(("trusted_proxies", index), f"{expected}, found {json.dumps(short(one))}")


def is_proxy(text: str) -> bool:
    """Return whether ``text`` is valid in ``trusted_proxies``: an IP address, a network or ``unix``."""
    try:
        return text == "unix" or bool(ip_network(text))
    except ValueError:
        return False


class WebTransport(Section):
    """A transport that serves HTTP, with WAMP and other services at its paths."""

    type: Literal["web"] = setting(..., 'Must be "web".')
    id: str | None = identifier()
    endpoint: Endpoint | None = setting(
        None, "Address to listen on. Absent: TCP port 8080 of 127.0.0.1. (Crossbar requires it.)"
    )
    paths: dict[Key, Service] = setting(
        ...,
        'Services by path segment (letters, digits, _ and -), or "/" for the root. A path without a service '
        "of its own goes to the nearest one above, else 404.",
    )
    options: WebOptions = setting(WebOptions(), "Options of the transport.")
    max_connections: int = _max_connections()
    max_connections_per_address: int | None = _max_connections_per_address()
    trusted_proxies: tuple[str, ...] = _trusted_proxies()

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that each trusted proxy is an IP address, a network or ``unix``."""
        yield from _check_proxies(given)


class WebSocketTransport(WebSocketSection):
    """A transport that offers only WAMP over WebSocket, at the root path."""

    type: Literal["websocket"] = setting(..., 'Must be "websocket".')
    endpoint: Endpoint | None = setting(
        None, "Address to listen on. Absent: TCP port 8080 of 127.0.0.1. (Crossbar requires it.)"
    )
    max_connections: int = _max_connections()
    max_connections_per_address: int | None = _max_connections_per_address()
    trusted_proxies: tuple[str, ...] = _trusted_proxies()

    foreign_keys: ClassVar[Mapping[str, str]] = {"paths": 'a transport with paths has type "web"'}

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check the WebSocket service, and that each trusted proxy is an IP address, a network or ``unix``."""
        yield from super().check(given)
        yield from _check_proxies(given)


class OtherTransport(Section, extra="allow"):
    """A transport of a type that Crossbar supports and this router does not."""

    type: Literal["rawsocket", "universal", "mqtt", "flashpolicy", "websocket.testee", "stream.testee"] = setting(
        ..., "A type of transport that is not offered yet."
    )
    unoffered: ClassVar[Unoffered | None] = Unoffered(
        'transports of type "{type}" are not offered yet; nothing listens here', "offered: web, websocket"
    )


TransportSection = Annotated[WebTransport | WebSocketTransport | OtherTransport, Field(discriminator="type")]
