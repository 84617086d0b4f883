"""A bare echo server on the fast path, for comparison with the router: ``python -m benchmarks.bare PORT``.

At ``/echo``, a message is sent back to its sender. At ``/all``, it is sent to all connections of that path, including
the sender, but is framed only once. This exchanges the same frames as an acknowledged publication, but without WAMP.
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
    """A replacement for a WAMP connection. It sends each message back."""

    is_joining = False
    """There is no login."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport

    def feed(self, data: bytes) -> None:
        """Send a message back."""
        self.transport.write(text_frame(data))

    def flush_effects(self) -> None:
        """Do nothing, because ``feed`` sends each message immediately."""

    def lost(self) -> None:
        """Do nothing when the connection has ended."""


class ToAll(Echo):
    """A connection that sends each message to all connections."""

    everyone: dict["ToAll", None] = {}

    def __init__(self, transport: Any) -> None:
        super().__init__(transport)
        self.everyone[self] = None

    def feed(self, data: bytes) -> None:
        """Send a message to all connections."""
        frame = text_frame(data)
        for each in self.everyone:
            each.transport.write(frame)

    def lost(self) -> None:
        """Forget the connection when it has ended."""
        self.everyone.pop(self, None)


async def application(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Accept every WebSocket connection."""
    await receive()
    direct = scope["extensions"][DIRECT_TRANSPORT]
    direct.attach((ToAll if scope["path"] == "/all" else Echo)(direct), is_binary=False)
    await send({"type": "websocket.accept"})


def serve(port: int) -> None:
    """Serve on this port of 127.0.0.1."""

    async def on_start(server: WampServer) -> None:
        endpoint = {"type": "tcp", "port": port, "interface": "127.0.0.1", "backlog": 4096}
        server.wanted = {"bare": Listener(TcpEndpoint.model_validate(endpoint))}

    async def on_stop() -> None:
        pass

    WampServer(application, lambda key, path, root_path: SERVICE, on_start, on_stop).run()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
