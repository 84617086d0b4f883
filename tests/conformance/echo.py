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
from wamp_transport.transports.daphne.direct_transport import DaphneTransport
from wamp_transport.transports.daphne.protocol import WampWebSocketProtocol
from wamp_transport.transports.daphne.server import WampServer
from wamp_transport.transports.frames import BINARY, COMPRESSED, TEXT, MessageFramer
from wamp_transport.transports.listener import Listener

OPTIONS = {"compression": {"deflate": {}}}
SERVICE = PathService(
    "echo", (), "websocket", WebSocketService.model_validate({"type": "websocket", "options": OPTIONS})
)


class Echo:
    """Takes the place of a WAMP connection: what comes goes back."""

    messages = 0

    is_joining = False
    """There is no login."""

    def __init__(self, direct: DaphneTransport) -> None:
        self._direct = direct

    def receive(self, data: bytes) -> None:
        """Echo one message."""
        self.feed(data)

    def flush_effects(self) -> None:
        """Do nothing: each message is echoed when it comes."""

    def feed(self, data: bytes) -> None:
        """Echo one of several messages."""
        Echo.messages += 1
        compression = self._direct._protocol._perMessageCompress
        compress = None if compression is None else compression.compress
        first = BINARY if self._direct._is_binary else TEXT
        MessageFramer(self._direct.write_buffer.write, first, compress=compress).write(data)

    def violate(self, message: str) -> None:
        """Fail: an echo takes every valid message."""
        raise AssertionError(message)

    def lost(self) -> None:
        """Do nothing: the peer has gone."""

    def set_congested(self, is_congested: bool) -> None:
        """Do nothing: a peer that reads slowly gets all its messages nevertheless."""

    def close_slow_consumer(self, queued_bytes: int) -> None:
        """Close a peer that has read too slowly for too long."""
        self._direct.close("wamp.error.slow_consumer", f"{queued_bytes} bytes wait")


class EchoProtocol(WampWebSocketProtocol):
    """Takes both kinds of messages on one connection; a WAMP connection has one only."""

    slow_messages = 0

    def consumeData(self) -> None:
        """Let the frame reader expect the kind of the next frame."""
        if self.data and self.data[0] & ~COMPRESSED in (TEXT, BINARY):
            self._expect(self.data[0] & ~COMPRESSED)
        super().consumeData()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Count a message that the frame reader did not take."""
        EchoProtocol.slow_messages += 1
        self._expect(BINARY if isBinary else TEXT)
        super().onMessage(payload, isBinary)

    def _expect(self, first_byte: int) -> None:
        if self.direct.connection is not None:
            self.direct._is_binary = first_byte == BINARY
            reader = self.direct.reader
            reader._first_byte = first_byte
            if reader._inflate is not None:
                reader._compressed_first_byte = first_byte | COMPRESSED


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
        application,
        lambda key, path, root_path: SERVICE,
        on_start,
        on_stop,
        ready_callable=lambda: print("ready", flush=True),
    ).run()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
