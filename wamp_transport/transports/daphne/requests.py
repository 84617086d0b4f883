"""HTTP requests under this product's server: which transport they came by, and clients that read slowly.

Nothing outside this package may import this module.
"""

import asyncio
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server

from .first_bytes import FirstBytes


class TransportRequest(WebRequest):  # type: ignore[misc]
    """A request.

    ``writable`` is set while the client keeps up with the answer; the application waits for it between pieces.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.writable = asyncio.Event()
        self.writable.set()
        self._is_watched = False

    def handle_reply(self, message: dict[str, Any]) -> None:
        """ASGI events of the answer."""
        if message.get("more_body") and not self._is_watched and not self.finished and self.channel is not None:
            self._is_watched = True
            self.registerProducer(self, True)
        super().handle_reply(message)

    def finish(self) -> None:
        """The answer is complete."""
        if self._is_watched:
            self._is_watched = False
            self.unregisterProducer()
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
        upgrade = self.requestHeaders.getRawHeaders(b"Upgrade", [b""])[0]
        if upgrade.lower() == b"websocket" and self.clientproto != b"HTTP/1.1":
            self.basic_error(505, b"HTTP Version Not Supported", "WebSocket needs HTTP/1.1")
            return None
        result = super().process()
        if self.transport is None:
            # Now a WebSocket: what came in one piece with the request is for it, not the next request.
            self.channel.rawDataReceived = transport.protocol.dataReceived
        return result


class TransportFactory(HTTPFactory):  # type: ignore[misc]
    """The HTTP protocol of one configured transport."""

    def __init__(self, server: Server, key: str) -> None:
        super().__init__(server)
        self.key = key

    def buildProtocol(self, address: Any) -> Any:
        """The protocol of a new connection."""
        protocol = FirstBytes(address)
        protocol.factory = self
        return protocol

    def build_http(self, address: Any) -> Any:
        """The protocol of a connection that speaks HTTP."""
        protocol = super().buildProtocol(address)
        protocol.requestFactory = TransportRequest
        return protocol


def transport_key(transport: Any) -> str:
    """The key of the configured transport that a socket belongs to; empty where nobody set one."""
    return getattr(transport, "wamp_transport_key", "")
