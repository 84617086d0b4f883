"""HTTP requests under this product's server: which transport they came by, who sent them, clients that read slowly.

Nothing outside this package may import this module.
"""

import asyncio
import logging
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

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
"""RFC 6455, 4.1: a number up to 255, without a sign and leading zeros."""

HSTS: Final = b"strict-transport-security"


class TransportRequest(WebRequest):  # type: ignore[misc]
    """A request.

    ``writable`` is set while the client keeps up with the answer; the application waits for it between pieces.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.writable = asyncio.Event()
        self.writable.set()
        self._is_watched = False
        self._is_secure = False

    def identify(self, scope: dict[str, Any]) -> None:
        """Put into the scope of this request who sent it, by what a trusted proxy says."""
        factory = self.channel.factory
        scope["wamp_transport"] = factory.key
        scope["root_path"] = believed_root_path(scope["root_path"], scope["client"], factory, self.server)
        forward(scope, factory.proxies)
        self.client_addr = scope["client"]
        self._is_secure = scope["scheme"] == "https"

    def handleContentChunk(self, data: bytes) -> None:
        """A piece of the body: too much of it is refused, whatever length was told, if any."""
        if self.channel.exceeds(self.content.tell() + len(data)):
            self.channel.refuse_body()
        else:
            super().handleContentChunk(data)

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:
        """The status of the answer, with its name where Twisted does not know it."""
        super().setResponseCode(code, message or phrase(code))

    def handle_reply(self, message: dict[str, Any]) -> None:
        """ASGI events of the answer."""
        if message.get("more_body") and not self._is_watched and not self.finished and self.channel is not None:
            self._is_watched = True
            self.registerProducer(self, True)
        if message.get("type") == "http.response.start":
            message = self._secured(message)
        super().handle_reply(message)

    def _secured(self, message: dict[str, Any]) -> dict[str, Any]:
        """The beginning of the answer, with what browsers shall know about TLS here."""
        options = self.channel.factory.listener.options if self.channel is not None else None
        if options is None or not (options.hsts and self._is_secure):
            return message
        headers = list(message.get("headers") or ())
        if not any(name.lower() == HSTS for name, _ in headers):
            headers.append((HSTS, f"max-age={options.hsts_max_age}".encode()))
        return {**message, "headers": headers}

    def finish(self) -> None:
        """The answer is complete."""
        if self._is_watched:
            self._is_watched = False
            self.unregisterProducer()
        if self.channel is not None and self.channel.factory.listener.options.access_log:
            log_access(self.client_addr, self.method, self.uri, self.code, self.sentLength, self.duration())
        super().finish()

    def connectionLost(self, reason: Any) -> None:
        """The client has gone: nobody needs to wait for it."""
        self.writable.set()
        super().connectionLost(reason)

    def pauseProducing(self) -> None:
        """The client reads more slowly than it is sent to."""
        self.writable.clear()

    def resumeProducing(self) -> None:
        """The client has caught up."""
        self.writable.set()

    stopProducing = resumeProducing

    def process(self) -> Any:
        """Handle the request."""
        transport = self.transport
        upgrades = self.requestHeaders.getRawHeaders(b"Upgrade", ())
        if WEBSOCKET in tokens(upgrades):
            if [each.lower() for each in upgrades] != [WEBSOCKET]:
                self.requestHeaders.setRawHeaders(b"Upgrade", [WEBSOCKET])  # of several protocols this is the one taken
            status, reason = upgrade_fault(self.clientproto, self.requestHeaders, self.content)
            if status:
                self.channel.refuse(status, reason)
                return None
        result = super().process()
        if self.transport is None:
            # Now a WebSocket: what came in one piece with the request is for it, not the next request.
            is_wrapped = isinstance(transport, ProtocolWrapper)
            protocol = transport.wrappedProtocol if is_wrapped else transport.protocol
            self.channel.rawDataReceived = protocol.dataReceived
        return result


class TransportFactory(HTTPFactory):  # type: ignore[misc]
    """The HTTP protocol of one configured transport."""

    def __init__(self, server: Server, key: str, listener: Listener, limiter: ConnectionLimiter) -> None:
        super().__init__(server)
        self.key = key
        self.limiter = limiter
        self.configure(listener)

    def configure(self, listener: Listener) -> None:
        """Take what holds for connections, in part for those that are open as well."""
        self.listener = listener
        if listener.options.access_log:
            visible(ACCESS)
        self.proxies = TrustedProxies(listener.trusted_proxies)
        self.limiter.max_connections = listener.max_connections
        self.limiter.max_per_address = listener.max_connections_per_address
        self.limiter.exempt = self.proxies

    def buildProtocol(self, address: Any) -> Any:
        """The protocol of a new connection; None for one too many, which is closed at once."""
        refusal = self.limiter.refusal(address_of(address))
        if refusal:
            logger.info("Transport %s: a connection was closed: %s", self.key, refusal)
            return None
        protocol = ProtocolDetector(address, self.listener.options.request_timeout)
        protocol.factory = self
        return protocol

    def client_refusal(self, channel: Any) -> str:
        """Why a request cannot be taken from the client that a trusted proxy tells; empty where it can.

        The client counts until the request is answered, or the WebSocket that it asks for is closed.
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
        """The protocol of a connection that speaks HTTP; ``seconds`` are left for its first request."""
        channel: Any = LimitedChannel(self.listener.options, seconds)
        channel.factory = self
        channel.requestFactory = TransportRequest
        channel.callLater = self.reactor.callLater
        channel.timeOut = self.timeOut
        return channel


def tokens(values: Iterable[bytes]) -> list[bytes]:
    """The tokens of the header lines of a list, in lower case."""
    return [token.strip().lower() for value in values for token in value.split(b",")]


def upgrade_fault(protocol: bytes, headers: Any, content: Any) -> tuple[int, str]:
    """What is wrong with a request for a WebSocket that Autobahn would take: a status and why; 0 where nothing is."""
    versions: Sequence[bytes] = headers.getRawHeaders(b"Sec-WebSocket-Version", ())
    if protocol != b"HTTP/1.1":
        return 505, "WebSocket needs HTTP/1.1"
    if len(versions) == 1 and VERSION.fullmatch(versions[0].strip()) is None:
        return 400, "Sec-WebSocket-Version is no number of a version"
    if content.read(1):  # it would be taken for frames
        return 400, "a request for a WebSocket has no body"
    return 0, ""


def believed_root_path(told: str, client: Any, factory: TransportFactory, server: Server) -> str:
    """The root path of the request's Daphne-Root-Path where it comes from a trusted proxy, else the server's own."""
    own: str = server.root_path
    return told if factory.proxies and factory.proxies.trusts(client[0] if client else None) else own


def transport_key(transport: Any) -> str:
    """The key of the configured transport that a socket belongs to; empty where nobody set one."""
    factory = transport_factory(transport)
    return "" if factory is None else factory.key


def transport_factory(transport: Any) -> TransportFactory | None:
    """The factory of the configured transport that a socket belongs to."""
    factory: TransportFactory | None = getattr(transport, "wamp_transport_factory", None)
    return factory
