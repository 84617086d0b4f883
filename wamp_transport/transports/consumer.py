"""The Channels consumer for the path of a WAMP service. It performs the handshake and creates the connection.

Under this product's own server, the connection uses the socket directly, and the consumer ends after the handshake.
Under any other ASGI server, the consumer receives messages in its own loop, which is faster than Channels' dispatch.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from channels.consumer import AsyncConsumer

from ..node.connection import Connection, ConnectionTransport, MessageEncoder
from ..serializers.serializer import Serializer
from ..wamp.errors import PAYLOAD_SIZE_EXCEEDED
from .backpressure import Bounds, SlowConsumerMonitor
from .close_codes import NORMAL, close_code, close_text
from .cookies import VISITOR, Visitor
from .encoders import PLAIN_ENCODERS
from .negotiation import Agreement, Refusal, can_answer, negotiate
from .service import CHANGED, WampService

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

DIRECT_TRANSPORT = "wamp_transport.direct"
"""The name of the ASGI scope extension that contains a :class:`DirectTransport`."""


class DirectTransport(ConnectionTransport, Protocol):
    """A transport of this product's server that delivers messages without ASGI events."""

    def encoder(self, serializer: Serializer) -> MessageEncoder:
        """Return the encoder that produces bytes for :meth:`write`."""
        ...

    def attach(self, connection: Connection, *, is_binary: bool) -> None:
        """Deliver incoming messages to ``connection`` from now on, and notify it when the socket is closed."""
        ...


class WampConsumer(AsyncConsumer):  # type: ignore[misc]
    """A consumer for one WebSocket of one service. Use it as ``WampConsumer.as_asgi(service=...)``."""

    def __init__(self, service: WampService) -> None:
        self.service = service

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one WebSocket from handshake to disconnect."""
        await receive()  # websocket.connect
        outcome = negotiate(scope, self.service.terms)
        if isinstance(outcome, Refusal):
            await refuse(scope, send, outcome)
            return
        if self.service.cookies is not None:
            visitor = await self.service.cookies.admit(scope)
            if isinstance(visitor, Refusal):
                await refuse(scope, send, visitor)
                return
            if visitor is not None:
                scope = {**scope, VISITOR: visitor}
        if self.service.current_options is None:
            await refuse(scope, send, Refusal(503, CHANGED))
            return
        direct: DirectTransport | None = (scope.get("extensions") or {}).get(DIRECT_TRANSPORT)
        if direct is None:
            await self._serve(outcome, scope, receive, send)
        else:
            await self._serve_directly(outcome, direct, scope, send)

    async def _serve_directly(
        self, agreement: Agreement, direct: DirectTransport, scope: Mapping[str, Any], send: Send
    ) -> None:
        """Attach a connection to the direct transport. The consumer then ends, to free its memory."""
        serializer = agreement.serializer
        connection = self.service.connect(direct.encoder(serializer), direct, scope)
        direct.attach(connection, is_binary=serializer.is_binary)
        # Accept after attaching the connection, because the client can send its first message immediately.
        await send(acceptance(agreement, scope))

    async def _serve(self, agreement: Agreement, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Pass messages between the ASGI server and a connection until the client disconnects."""
        serializer = agreement.serializer
        # Plain Daphne raises an error for most close codes. Servers that support HTTP responses to handshakes do not.
        has_codes = can_answer(scope)
        transport = AsgiTransport(send, is_binary=serializer.is_binary, has_close_codes=has_codes)
        await send(acceptance(agreement, scope))
        key, other = ("bytes", "text") if serializer.is_binary else ("text", "bytes")
        connection = self.service.connect(PLAIN_ENCODERS[serializer.name], transport, scope)
        transport.monitor(connection, Bounds.of(self.service.websocket))
        writer = asyncio.ensure_future(transport.drain())
        limit = self.service.websocket.max_message_size
        try:
            while (event := await receive())["type"] == "websocket.receive":
                data = event.get(key)
                if data is not None:
                    payload = data if serializer.is_binary else data.encode()
                    if 0 < limit < len(payload):
                        transport.close(PAYLOAD_SIZE_EXCEEDED, f"a message may have at most {limit} octets")
                        connection.lost()  # no more messages are delivered; the loop ends when the server disconnects
                        continue
                    connection.receive(payload)
                elif event.get(other) is not None:
                    connection.violate(wrong_kind(is_binary=serializer.is_binary))
                if transport.is_paused:
                    await transport.resumed()
        finally:
            connection.lost()
            writer.cancel()


class AsgiTransport:
    """A transport that uses ASGI events. It queues messages up to a limit, and a task sends them."""

    def __init__(self, send: Send, *, is_binary: bool, has_close_codes: bool) -> None:
        self._send = send
        self._has_close_codes = has_close_codes
        self._key = "bytes" if is_binary else "text"
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._is_ready = asyncio.Event()
        self._closing: dict[str, Any] | None = None
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._monitor: SlowConsumerMonitor | None = None
        self._bounds = Bounds()

    def monitor(self, connection: Connection, bounds: Bounds) -> None:
        """Start monitoring the queue, and notify ``connection`` if the peer is too slow."""

        def overflowed(queued_bytes: int) -> None:
            self._queue.clear()
            self._queued_bytes = 0
            connection.close_slow_consumer(queued_bytes)

        self._bounds = bounds
        self._monitor = SlowConsumerMonitor(
            bounds, asyncio.get_running_loop().call_later, connection.set_congested, overflowed
        )

    def write(self, data: bytes) -> None:
        if self._closing is not None:
            return
        self._queue.append(data)
        self._queued_bytes += len(data)
        self._update_monitor()
        self._is_ready.set()

    def _update_monitor(self) -> None:
        if self._monitor is not None:
            self._monitor.update_size(self._queued_bytes)

    def close(self, reason: str, message: str) -> None:
        if self._closing is None:
            code = close_code(reason) if self._has_close_codes else NORMAL
            self._closing = {"type": "websocket.close", "code": code, "reason": close_text(reason, message)}
            self._is_ready.set()

    def pause(self) -> None:
        self._may_read.clear()

    def resume(self) -> None:
        self._may_read.set()

    @property
    def queued_bytes(self) -> int:
        """The number of bytes in the queue. The server can have more bytes in its own buffer."""
        return self._queued_bytes

    @property
    def outgoing_limit(self) -> int:
        """The number of bytes that can stay queued indefinitely."""
        return self._bounds.limit

    @property
    def is_paused(self) -> bool:
        """Whether reading from the peer is paused."""
        return not self._may_read.is_set()

    async def resumed(self) -> None:
        """Wait until reading from the peer is resumed."""
        await self._may_read.wait()

    async def drain(self) -> None:
        """Send the queued messages in order, until a close event was sent or the peer has disconnected."""
        try:
            with suppress(OSError):
                await self._drain()
        finally:
            if self._monitor is not None:
                self._monitor.reset()

    async def _drain(self) -> None:
        while True:
            await self._is_ready.wait()
            self._is_ready.clear()
            while self._queue:
                data = self._queue.popleft()
                self._queued_bytes -= len(data)
                value = data if self._key == "bytes" else data.decode()
                await self._send({"type": "websocket.send", self._key: value})
                self._update_monitor()
            if self._closing is not None:
                await self._send(self._closing)
                return


def acceptance(agreement: Agreement, scope: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ASGI event that accepts a handshake. For a new client, the event also sets a cookie."""
    event = {"type": "websocket.accept", "subprotocol": agreement.subprotocol}
    visitor: Visitor | None = scope.get(VISITOR)
    return event if visitor is None or visitor.set_cookie is None else {**event, "headers": visitor.headers}


async def refuse(scope: Mapping[str, Any], send: Send, refusal: Refusal) -> None:
    """Refuse a handshake with an HTTP error. A server that does not support this sends its own error."""
    if not can_answer(scope):
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.message})
        return
    body = refusal.message.encode() + b"\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "websocket.http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


def wrong_kind(*, is_binary: bool) -> str:
    """Return the error text for a WebSocket message of the wrong kind.

    ``is_binary`` is true if a binary message was expected and a text message arrived.
    """
    expected, found = ("binary", "text") if is_binary else ("text", "binary")
    return f"expected {expected} WebSocket messages for this subprotocol, got a {found} one"
