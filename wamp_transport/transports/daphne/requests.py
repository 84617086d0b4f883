"""The HTTP requests of this product's server, with trusted proxies, limits, upgrades to WebSocket and flow control.

No module outside this package may import this one.
"""

import asyncio
import logging
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import unquote

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from twisted.protocols.policies import ProtocolWrapper

from ..connection_limits import ConnectionLimiter
from ..listener import Listener
from ..logs import ACCESS, log_access, visible
from ..proxies import TrustedProxies, forward, forwarded
from .channel import LimitedChannel, phrase
from .protocol_detection import ProtocolDetector
from .sockets import address_of, counted

logger = logging.getLogger(__name__)

WEBSOCKET: Final = b"websocket"
VERSION: Final = re.compile(rb"0|[1-9][0-9]{0,2}")
"""A version of WebSocket: a number without a sign or leading zeros; RFC 6455, section 4.1."""

HSTS: Final = b"strict-transport-security"


class TransportRequest(WebRequest):  # type: ignore[misc]
    """An HTTP request.

    ``writable`` is an event that is set while the client reads fast enough. The application must wait for this event
    before it sends the next part of a response.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.writable = asyncio.Event()
        self.writable.set()
        self._is_watched = False
        self._is_secure = False

    def identify(self, scope: dict[str, Any]) -> None:
        """Add the transport to the ASGI scope, and the client's address and scheme if a trusted proxy reports them."""
        factory = self.channel.factory
        scope["wamp_transport"] = factory.key
        scope["root_path"] = believed_root_path(scope["root_path"], scope["client"], factory, self.server)
        forward(scope, factory.proxies)
        self.client_addr = scope["client"]
        self._is_secure = scope["scheme"] == "https"

    def handleContentChunk(self, data: bytes) -> None:
        """Store a part of the body. Refuse the request if the body is too large, regardless of the announced length."""
        if self.channel.exceeds(self.content.tell() + len(data)):
            self.channel.refuse_body()
        else:
            super().handleContentChunk(data)

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:
        """Set the status of the response, with a reason phrase even if Twisted has none for this status."""
        super().setResponseCode(code, message or phrase(code))

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Send a part of the response, given as an ASGI event."""
        if message.get("more_body") and not self._is_watched and not self.finished and self.channel is not None:
            self._is_watched = True
            self.registerProducer(self, True)
        if message.get("type") == "http.response.start":
            message = self._secured(message)
        super().handle_reply(message)

    def _secured(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the first event of the response. Over HTTPS, add Strict-Transport-Security if ``hsts`` is on."""
        options = self.channel.factory.listener.options if self.channel is not None else None
        if options is None or not (options.hsts and self._is_secure):
            return message
        headers = list(message.get("headers") or ())
        if not any(name.lower() == HSTS for name, _ in headers):
            headers.append((HSTS, f"max-age={options.hsts_max_age}".encode()))
        return {**message, "headers": headers}

    def finish(self) -> None:
        """Finish the response and write the access log."""
        if self._is_watched:
            self._is_watched = False
            self.unregisterProducer()
        if self.channel is not None and self.channel.factory.listener.options.access_log:
            log_access(self.client_addr, self.method, self.uri, self.code, self.sentLength, self.duration())
        super().finish()

    def connectionLost(self, reason: Any) -> None:
        """Wake an application that waits to write, because the client has disconnected."""
        self.writable.set()
        super().connectionLost(reason)

    def pauseProducing(self) -> None:
        """Make the application wait, because the client reads slowly."""
        self.writable.clear()

    def resumeProducing(self) -> None:
        """Allow the application to write again, because the client has caught up."""
        self.writable.set()

    stopProducing = resumeProducing

    def process(self) -> Any:
        """Handle the request, or start a WebSocket if the request is an upgrade."""
        transport = self.transport
        upgrades = self.requestHeaders.getRawHeaders(b"Upgrade", ())
        if WEBSOCKET in tokens(upgrades):
            if [each.lower() for each in upgrades] != [WEBSOCKET]:
                # Of the offered protocols, only this one is supported.
                self.requestHeaders.setRawHeaders(b"Upgrade", [WEBSOCKET])
            status, reason = upgrade_fault(self.clientproto, self.requestHeaders, self.content)
            if status:
                self.channel.refuse(status, reason)
                return None
        result = super().process()
        if self.transport is None:
            # The connection is a WebSocket now: bytes that arrived together with the request are frames, not another
            # request.
            is_wrapped = isinstance(transport, ProtocolWrapper)
            protocol = transport.wrappedProtocol if is_wrapped else transport.protocol
            self.channel.rawDataReceived = protocol.dataReceived
        return result


class TransportFactory(HTTPFactory):  # type: ignore[misc]
    """A factory for the connections of one configured transport."""

    def __init__(self, server: Server, key: str, listener: Listener, limiter: ConnectionLimiter) -> None:
        super().__init__(server)
        self.key = key
        self.limiter = limiter
        self.configure(listener)

    def configure(self, listener: Listener) -> None:
        """Apply the options of a listener to new connections, and some of them to open ones as well."""
        self.listener = listener
        if listener.options.access_log:
            visible(ACCESS)
        self.proxies = TrustedProxies(listener.trusted_proxies)
        self.limiter.max_connections = listener.max_connections
        self.limiter.max_per_address = listener.max_connections_per_address
        self.limiter.exempt = self.proxies

    def buildProtocol(self, address: Any) -> Any:
        """Return the protocol of a new connection; None to close it if a limit on connections is reached."""
        refusal = self.limiter.refusal(address_of(address))
        if refusal:
            logger.info("Transport %s: a connection was closed: %s", self.key, refusal)
            return None
        protocol = ProtocolDetector(address, self.listener.options.request_timeout)
        protocol.factory = self
        return protocol

    def client_refusal(self, channel: Any) -> str:
        """Return the reason to refuse a request that a trusted proxy forwards; empty if the request is accepted.

        An accepted request counts toward the limit for its client's address, until the response is complete or the
        WebSocket is closed.
        """
        connection = counted(channel.transport) if self.proxies else None
        if connection is None or not self.proxies.trusts(connection.address):
            return ""
        raw = channel.requests[-1].requestHeaders.getAllRawHeaders()
        client = forwarded([(name.lower(), value) for name, values in raw for value in values], self.proxies).client
        refusal = "" if client is None else connection.begin_client(client[0])
        if refusal:
            logger.info("Transport %s: a request was refused: %s", self.key, refusal)
        return refusal

    def build_http(self, address: Any, seconds: float) -> Any:
        """Return the protocol of an HTTP connection. ``seconds`` is the time that remains for its first request."""
        channel: Any = LimitedChannel(self.listener.options, seconds)
        channel.factory = self
        channel.requestFactory = TransportRequest
        channel.callLater = self.reactor.callLater
        channel.timeOut = self.timeOut
        return channel


def tokens(values: Iterable[bytes]) -> list[bytes]:
    """Return the tokens of a header that contains a list, in lower case. ``values`` are the lines of the header."""
    return [token.strip().lower() for value in values for token in value.split(b",")]


def upgrade_fault(protocol: bytes, headers: Any, content: Any) -> tuple[int, str]:
    """Check an upgrade request for errors that Autobahn ignores.

    Return the HTTP status and the reason for refusing the request; 0 and an empty string if there is no error.
    """
    versions: Sequence[bytes] = headers.getRawHeaders(b"Sec-WebSocket-Version", ())
    if protocol != b"HTTP/1.1":
        return 505, "WebSocket needs HTTP/1.1"
    if len(versions) == 1 and VERSION.fullmatch(versions[0].strip()) is None:
        return 400, "Sec-WebSocket-Version is not a valid number"
    if content.read(1):  # the body would be read as frames
        return 400, "a request for a WebSocket must not have a body"
    return 0, ""


def believed_root_path(from_header: str, client: Any, factory: TransportFactory, server: Server) -> str:
    """Return the path in the Daphne-Root-Path header if a trusted proxy sent it; otherwise the server's root path."""
    own: str = server.root_path
    return from_header if factory.proxies and factory.proxies.trusts(client[0] if client else None) else own


def root_path_header(head: bytes) -> str | None:
    """Return the path in the Daphne-Root-Path header of a request that is not parsed yet; None if there is none."""
    found = None
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"daphne-root-path":
            found = unquote(value.strip().decode("latin-1"))
    return found


def transport_key(transport: Any) -> str:
    """Return the key of the configured transport to which a socket belongs; empty if it belongs to none."""
    factory = transport_factory(transport)
    return "" if factory is None else factory.key


def transport_factory(transport: Any) -> TransportFactory | None:
    """Return the factory of the configured transport to which a socket belongs; None if it belongs to none."""
    factory: TransportFactory | None = getattr(transport, "wamp_transport_factory", None)
    return factory
