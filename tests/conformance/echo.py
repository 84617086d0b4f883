"""An echo endpoint on the product's own server: WebSocket protocol, short path and compression as WAMP services have.

``python -m tests.conformance.echo PORT`` serves until it is told to stop, then says how many messages came which way.
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from wamp_transport.config.configuration import PathService
from wamp_transport.config.endpoint import TcpEndpoint
from wamp_transport.config.websocket import WebSocketService
from wamp_transport.transports.consumer import DIRECT_TRANSPORT
from wamp_transport.transports.daphne.protocol import WampWebSocketProtocol
from wamp_transport.transports.daphne.server import WampServer
from wamp_transport.transports.frames import BINARY, TEXT
from wamp_transport.transports.listener import Listener

OPTIONS = {"compression": {"deflate": {}}}
SERVICE = PathService(
    "echo", (), "websocket", WebSocketService.model_validate({"type": "websocket", "options": OPTIONS})
)


class Echo:
    """Takes the place of a WAMP connection: what comes goes back."""

    messages = 0

    def __init__(self, protocol: "EchoProtocol") -> None:
        self._protocol = protocol

    def receive(self, data: bytes) -> None:
        """One message from the peer."""
        self.accept(data)

    def settle(self) -> None:
        """All that have come are accepted."""

    def accept(self, data: bytes) -> None:
        """One of several messages."""
        Echo.messages += 1
        self._protocol._write_message(data)

    def violate(self, message: str) -> None:
        """Not for an echo: every valid message is welcome."""
        raise AssertionError(message)

    def lost(self) -> None:
        """The peer has gone."""

    def congested(self, is_congested: bool) -> None:
        """The peer reads slowly; it gets all its messages nevertheless."""

    def overflowed(self, waiting: int) -> None:
        """The peer has read too slowly for too long."""
        self._protocol.close("wamp.error.slow_consumer", f"{waiting} bytes wait")


class EchoProtocol(WampWebSocketProtocol):
    """Both kinds of messages on one connection; a WAMP connection has one only."""

    slow_messages = 0

    def consumeData(self) -> None:
        """The kind of the next frame is the kind of the short path."""
        if self.data[:1] in (bytes([TEXT]), bytes([BINARY])):
            self._first_byte = self.data[0]
        super().consumeData()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """A message that did not come by the short path."""
        EchoProtocol.slow_messages += 1
        self._first_byte = BINARY if isBinary else TEXT
        super().onMessage(payload, isBinary)


class EchoServer(WampServer):
    """The server with the protocol above."""

    websocket_protocol = EchoProtocol


async def application(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Accept every WebSocket."""
    await receive()
    direct = scope["extensions"][DIRECT_TRANSPORT]
    direct.attach(Echo(direct), is_binary=False)
    await send({"type": "websocket.accept"})


def serve(port: int) -> None:
    """Serve on this port of the local address."""

    async def on_start(started: WampServer) -> None:
        endpoint = {"type": "tcp", "port": port, "interface": "127.0.0.1"}
        started.wanted = {"echo": Listener(TcpEndpoint.model_validate(endpoint))}

    async def on_stop() -> None:
        slow = EchoProtocol.slow_messages
        print(f"messages {Echo.messages} short {Echo.messages - slow}", flush=True)

    EchoServer(
        application, lambda key, path: SERVICE, on_start, on_stop, ready_callable=lambda: print("ready", flush=True)
    ).run()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
