"""A protocol without server and socket: bytes in, messages and bytes out. Stands in for Daphne's server only."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from daphne.ws_protocol import WebSocketFactory
from twisted.internet.testing import StringTransport

from tests.integration.wire import Frame, frame
from wamp_transport.config.configuration import PathService
from wamp_transport.config.websocket import WebSocketOptions, WebSocketService
from wamp_transport.transports.daphne.protocol import WampWebSocketProtocol, protocol_with
from wamp_transport.transports.fast_handshake import parse_simple_upgrade
from wamp_transport.transports.unfinished_messages import UnfinishedMessages
from wamp_transport.transports.write_buffer import WriteBuffer

REQUEST = (
    b"GET /ws HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==\r\nSec-WebSocket-Protocol: wamp.2.json\r\n%s\r\n"
)


class Transport(StringTransport):  # type: ignore[misc]
    """A transport that, like a socket, does not mind when there is no producer to unregister."""

    def unregisterProducer(self) -> None:
        if self.producer is not None:
            super().unregisterProducer()


class Loop:
    """Timers that a test lets run."""

    def __init__(self) -> None:
        self.timers: list[tuple[float, Any]] = []
        self.now = 1000.0

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, function: Any) -> "Loop":
        self.timers.append((seconds, function))
        return self

    def call_soon(self, function: Any, *args: Any) -> None:
        self.timers.append((0.0, partial(function, *args)))

    def cancel(self) -> None:
        self.timers.clear()


class Server:
    """What a protocol asks of its server."""

    root_path = ""
    proxy_forwarded_address_header = None
    websocket_timeout = 86400
    websocket_connect_timeout = 20
    ping_interval = 20
    server_name = ""

    def __init__(self, options: WebSocketOptions | None, *, debug: bool = False) -> None:
        self.options = options
        self.debug = debug
        self.asked: list[tuple[str, bytes]] = []
        self.root_paths: list[str] = []
        self.unflushed: list[WriteBuffer] = []
        self.connections: set[Any] = set()
        self.actions: list[str] = []
        self.scopes: list[dict[str, Any]] = []
        self.loop = Loop()
        self.unfinished_messages = UnfinishedMessages()

    def find_service(self, key: str, path: bytes, root_path: str) -> PathService | None:
        self.asked.append((key, path))
        self.root_paths.append(root_path)
        return None if self.options is None else service_with(self.options, debug=self.debug)

    def protocol_connected(self, protocol: Any) -> None:
        assert protocol not in self.connections
        self.connections.add(protocol)

    def protocol_disconnected(self, protocol: Any) -> None:
        self.connections.discard(protocol)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> "asyncio.Queue[Any]":
        self.scopes.append(scope)
        return asyncio.Queue()

    def log_action(self, kind: str, action: str, details: Any) -> None:
        self.actions.append(action)

    def flush_soon(self, outgoing: WriteBuffer) -> None:
        self.unflushed.append(outgoing)

    def flush(self) -> None:
        unflushed, self.unflushed = self.unflushed, []
        for outgoing in unflushed:
            outgoing.flush()


def service_with(options: WebSocketOptions, *, debug: bool = False) -> PathService:
    """A WAMP service at ``/ws``."""
    section = WebSocketService(type="websocket", options=options, debug=debug)
    return PathService("web/ws", ("ws",), "websocket", section)


class Recorder:
    """A connection that notes what it is told; it answers each message with ``answer``, if there is one."""

    def __init__(self, protocol: WampWebSocketProtocol, answer: bytes | None = None) -> None:
        self.protocol = protocol
        self.direct = protocol.direct
        self.answer = answer
        self.messages: list[bytes] = []
        self.settled: list[int] = []  # how many of them, each time that there were no more
        self.violations: list[str] = []
        self.losses = 0
        self.is_joining = False
        self.session_id = 1
        self.congestions: list[bool] = []
        self.overflows: list[int] = []
        self.on_message: Callable[[], None] = lambda: None

    def set_congested(self, is_congested: bool) -> None:
        self.congestions.append(is_congested)

    def close_slow_consumer(self, queued_bytes: int) -> None:
        self.overflows.append(queued_bytes)

    def receive(self, data: bytes) -> None:
        self.feed(data)
        self.flush_effects()

    def feed(self, data: bytes) -> None:
        self.messages.append(data)
        self.on_message()
        if data == b"close":
            self.direct.close("wamp.close.normal", "as asked")
        elif self.answer is not None:
            self.direct.write(self.answer)

    def flush_effects(self) -> None:
        self.settled.append(len(self.messages))

    def violate(self, message: str) -> None:
        self.violations.append(message)

    def lost(self) -> None:
        self.losses += 1


class Peer:
    """A protocol, the transport below it and the connection above it."""

    protocol: WampWebSocketProtocol
    connection: Recorder

    def __init__(self, options: WebSocketOptions | None = None, *, short: bool = True, debug: bool = False) -> None:
        self.server = Server(WebSocketOptions() if options is None else options, debug=debug)
        self.short = short
        self.transport = Transport()
        self.factory = WebSocketFactory(self.server, server="")
        self.factory.protocol = WampWebSocketProtocol
        self.protocol = self.factory.buildProtocol(None)
        self.protocol._raw_query_string = b""
        self.protocol.makeConnection(self.transport)

    @classmethod
    def usual(cls, options: WebSocketOptions | None = None, request: bytes = REQUEST % b"") -> "Peer":
        """A peer whose request was a usual one, so that neither Daphne nor Autobahn parse it."""
        peer = cls(options)
        peer.factory._batched_timer = peer.server.loop
        read = parse_simple_upgrade(request)
        assert read is not None
        assert peer.server.options is not None
        peer.protocol = protocol_with(peer.server.options, peer.factory)()
        peer.protocol.factory = peer.factory
        peer.protocol.begin(peer.transport, read)
        return peer

    def ask(self, request: bytes = REQUEST % b"") -> bytes:
        """Send the request of a handshake; what is answered without the application."""
        self.protocol.dataReceived(request)
        return self.sent()

    def open(self, *, binary: bool = False, answer: bytes | None = None) -> "Peer":
        """Do the whole handshake."""
        if not self.server.connections:
            self.ask()
        self.direct = self.protocol.direct
        self.connection = Recorder(self.protocol, answer)
        self.direct.attach(self.connection, is_binary=binary)  # type: ignore[arg-type]
        if not self.short:
            self.protocol.largest_short_frame = -1
        self.protocol.handle_reply({"type": "websocket.accept", "subprotocol": "wamp.2.json"})
        assert self.sent().startswith(b"HTTP/1.1 101 ")
        return self

    def send(self, *pieces: bytes) -> "Peer":
        """Bytes from the client, one read for each piece."""
        for piece in pieces:
            if not self.transport.disconnecting:
                self.protocol.dataReceived(piece)
        return self

    def sent(self) -> bytes:
        """What has been sent since the last time."""
        self.server.flush()
        data: bytes = self.transport.value()
        self.transport.clear()
        return data

    def frames(self) -> list[Frame]:
        """The frames sent since the last time."""
        return list(frames_of(self.sent()))

    def outcome(self) -> tuple[Any, ...]:
        """Everything that a client and the router can tell."""
        connection = self.connection
        return connection.messages, connection.violations, connection.losses > 0, self.frames(), self.is_dropped

    @property
    def is_dropped(self) -> bool:
        """Whether the socket is closed, or will be when all is sent."""
        return bool(self.transport.disconnecting)

    def lose(self) -> None:
        """The socket closes."""
        from twisted.internet.error import ConnectionDone
        from twisted.python.failure import Failure

        self.transport.producer = None  # as Twisted forgets it
        self.protocol.connectionLost(Failure(ConnectionDone()))


def frames_of(data: bytes) -> Iterator[Frame]:
    """The unmasked frames in ``data``, all whole."""
    while data:
        size, begin = data[1] & 0x7F, 2
        if size == 126:
            size, begin = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, begin = int.from_bytes(data[2:10], "big"), 10
        mask = b""
        if data[1] & 0x80:
            mask, begin = data[begin : begin + 4], begin + 4
        payload = data[begin : begin + size]
        assert len(payload) == size
        if mask:
            payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        yield Frame(data[0] & 0x0F, payload, bool(data[0] & 0x80), bool(mask))
        data = data[begin + size :]


__all__ = ["REQUEST", "Peer", "frame", "frames_of"]
