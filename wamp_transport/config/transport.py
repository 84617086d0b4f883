"""Transports of a router: the web transport with its paths, the standalone WebSocket one, those not offered."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from wamp_transport.config.endpoint import Endpoint
from wamp_transport.config.paths import Key, Service
from wamp_transport.config.section import Section, Unoffered, identifier, setting
from wamp_transport.config.websocket import WebSocketSection


class WebOptions(Section):
    """Options of a web transport."""

    access_log: bool = setting(False, "Log every request.", ignored="requests are logged as Django's logging says")
    display_tracebacks: bool = setting(
        False, "Show tracebacks on error pages.", ignored="tracebacks are never shown to clients"
    )
    hsts: bool = setting(
        False, "Tell browsers to come back by TLS only.", ignored="not offered yet; let the TLS proxy send the header"
    )
    hsts_max_age: int = setting(
        31_536_000, "Time in seconds for that, from 0.", unit="s", ge=0, ignored="not offered yet"
    )
    client_timeout: int | None = setting(
        None,
        "Time in seconds, 1 to 86400, that an idle HTTP connection may stay open. Null: no limit.",
        unit="s",
        ge=1,
        le=86_400,
        ignored="not offered yet; the server's own limit holds",
    )


def _max_connections() -> Any:
    return setting(
        50_000,
        "Connections accepted at the same time, from 1.",
        ge=1,
        ignored="not offered yet; the number of connections is not limited",
    )


class WebTransport(Section):
    """A port that serves HTTP and, on its paths, WAMP and other services."""

    type: Literal["web"] = setting(..., 'Must be "web".')
    id: str | None = identifier()
    endpoint: Endpoint | None = setting(
        None, "Where to listen. Absent: TCP port 8080 of 127.0.0.1. (Crossbar wants it given.)"
    )
    paths: dict[Key, Service] = setting(
        ...,
        'Services by path segment (letters, digits, _ and -), or "/" for the root. A path without a service '
        "of its own goes to the nearest one above, else 404.",
    )
    options: WebOptions = setting(WebOptions(), "Options of the transport.")
    max_connections: int = _max_connections()


class WebSocketTransport(WebSocketSection):
    """A port that serves WAMP over WebSocket and nothing else: a web transport with the service on its root."""

    type: Literal["websocket"] = setting(..., 'Must be "websocket".')
    endpoint: Endpoint | None = setting(
        None, "Where to listen. Absent: TCP port 8080 of 127.0.0.1. (Crossbar wants it given.)"
    )
    max_connections: int = _max_connections()

    foreign_keys: ClassVar[Mapping[str, str]] = {"paths": 'a transport with paths is of type "web"'}


class OtherTransport(Section, extra="allow"):
    """Transports that Crossbar has and this router does not offer yet."""

    type: Literal["rawsocket", "universal", "mqtt", "flashpolicy", "websocket.testee", "stream.testee"] = setting(
        ..., "A type of transport that is not offered yet."
    )
    unoffered: ClassVar[Unoffered | None] = Unoffered(
        'transports of type "{type}" are not offered yet; nothing listens here', "offered: web, websocket"
    )


TransportSection = Annotated[WebTransport | WebSocketTransport | OtherTransport, Field(discriminator="type")]
