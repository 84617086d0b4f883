"""A bare echo server on the fast path, to compare the router with: ``python -m benchmarks.bare PORT``.

At ``/echo`` a message goes back to where it came from. At ``/all`` it goes to every connection there is at that path,
the sender included, framed once: the frames of an acknowledged publication, without WAMP.
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from wamp_transport.config.configuration import PathService
from wamp_transport.config.endpoint import TcpEndpoint
from wamp_transport.config.websocket import WebSocketService
from wamp_transport.transports.consumer import DIRECT_TRANSPORT
from wamp_transport.transports.daphne.server import WampServer
from wamp_transport.transports.frames import text_frame
from wamp_transport.transports.listener import Listener

SERVICE = PathService("bare", (), "websocket", WebSocketService.model_validate({"type": "websocket"}))


class Echo:
    """Takes the place of a WAMP connection, and sends each message back."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport

    def feed(self, data: bytes) -> None:
        """Send one message back."""
        self.transport.write(text_frame(data))

    def flush_effects(self) -> None:
        """Do nothing: every message is sent at once."""

    def lost(self) -> None:
        """Called when the connection has ended."""


class ToAll(Echo):
    """Sends each message to all connections."""

    everyone: dict["ToAll", None] = {}

    def __init__(self, transport: Any) -> None:
        super().__init__(transport)
        self.everyone[self] = None

    def feed(self, data: bytes) -> None:
        """Send one message to all."""
        frame = text_frame(data)
        for each in self.everyone:
            each.transport.write(frame)

    def lost(self) -> None:
        """Called when the connection has ended."""
        self.everyone.pop(self, None)


async def application(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Accept every WebSocket."""
    await receive()
    direct = scope["extensions"][DIRECT_TRANSPORT]
    direct.attach((ToAll if scope["path"] == "/all" else Echo)(direct), is_binary=False)
    await send({"type": "websocket.accept"})


def serve(port: int) -> None:
    """Serve on this port of the local address."""

    async def on_start(server: WampServer) -> None:
        endpoint = {"type": "tcp", "port": port, "interface": "127.0.0.1", "backlog": 4096}
        server.wanted = {"bare": Listener(TcpEndpoint.model_validate(endpoint))}

    async def on_stop() -> None:
        pass

    WampServer(application, lambda key, path: SERVICE, on_start, on_stop).run()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
