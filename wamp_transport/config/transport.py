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
        "Log each request and WebSocket handshake on one line: client, method, path, status, bytes of the body, "
        "duration in seconds. The logger is wamp_transport.access, the level INFO. Unless logging is configured, the "
        "lines are written to standard error.",
    )
    display_tracebacks: bool = setting(
        False, "Show tracebacks on error pages.", ignored="tracebacks are never shown to clients"
    )
    hsts: bool = setting(
        False,
        "Send the header Strict-Transport-Security, which tells browsers to use only TLS from now on. It is part of "
        "responses that this server or a trusted proxy sends over TLS.",
    )
    hsts_max_age: int = setting(31_536_000, "Time in seconds for which browsers obey `hsts`.", unit="s", ge=0)
    client_timeout: int | None = setting(
        None,
        "Maximum time in seconds that a connection may be idle between requests, and that the transfer of a request's "
        "body may make no progress. Null: 60 seconds.",
        unit="s",
        ge=1,
        le=86_400,
    )
    request_timeout: int = setting(
        20,
        "Maximum time in seconds until the head of a request is complete: for the first request from the start of the "
        "connection, including TLS; for later requests from the first byte.",
        unit="s",
        ge=1,
        le=3600,
    )
    max_request_head: int = setting(
        16_384,
        "Maximum size of a request's head (the request line and all headers) in bytes.",
        unit="bytes",
        ge=1024,
        le=2**20,
    )
    max_request_body: int = setting(
        128 * 2**20, "Maximum size of a request's body in bytes. 0: no limit.", unit="bytes", ge=0, le=2**40
    )


DEFAULT_MAX_CONNECTIONS: Final = 50_000


def _max_connections() -> Any:
    return setting(
        DEFAULT_MAX_CONNECTIONS,
        "Maximum number of open connections. Further connections are closed immediately after they are accepted.",
        ge=1,
    )


def _max_connections_per_address() -> Any:
    return setting(
        None,
        "Maximum number of open connections from one IP address (for IPv6, from one /64 network). Trusted proxies and "
        "Unix sockets have no such limit; each of their requests is counted for the client that its headers name. "
        "Null: no limit, because many people can share an address.",
        ge=1,
    )


def _trusted_proxies() -> Any:
    return setting(
        (),
        "Addresses and networks of proxies; `unix` for all clients of a Unix socket. The headers Forwarded or "
        "X-Forwarded-For, -Proto, -Host and -Port of these proxies name the client. The same headers from other "
        "addresses are ignored.",
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
        None, "Address to listen on. Null: TCP port 8080 on 127.0.0.1. (Crossbar requires this key.)"
    )
    paths: dict[Key, Service] = setting(
        ...,
        'Services by path segment (letters, digits, _ and -). The key "/" means the root. A request for a path without '
        "a service is handled by the service at the nearest parent path. If there is none, the answer is 404.",
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
        None, "Address to listen on. Null: TCP port 8080 on 127.0.0.1. (Crossbar requires this key.)"
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
