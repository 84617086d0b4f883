"""The Channels consumer at a WAMP path: handshake in, connection out.

Under this product's own server the connection talks to the socket directly and this consumer's work ends with the
handshake. Under any other ASGI server it passes messages in a loop, without a dispatch per message.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from channels.consumer import AsyncConsumer

from ..node.connection import Connection, Lane
from ..serializers.serializer import Serializer
from ..wamp.errors import PAYLOAD_SIZE_EXCEEDED
from .closing import NORMAL, close_code, close_text
from .cookies import VISITOR, Visitor
from .lanes import UNFRAMED
from .negotiation import Agreement, Refusal, can_answer, negotiate
from .pressure import Bounds, Pressure
from .service import CHANGED, WampService

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

DIRECT_LINK = "wamp_transport.link"
"""Name of the ASGI scope extension that holds a :class:`DirectLink`."""


class DirectLink(Protocol):
    """The way around ASGI messages that this product's server offers."""

    def lane(self, serializer: Serializer) -> Lane:
        """The lane that encodes what this link writes."""
        ...

    def attach(self, connection: Connection, *, is_binary: bool) -> None:
        """From now on incoming messages go to ``connection``, and it is told when the transport is gone."""
        ...

    def write(self, data: bytes) -> None:
        """See :class:`~wamp_transport.node.connection.Link`."""
        ...

    def close(self, reason: str, message: str) -> None:
        """See :class:`~wamp_transport.node.connection.Link`."""
        ...

    def pause(self) -> None:
        """See :class:`~wamp_transport.node.connection.Link`."""
        ...

    def resume(self) -> None:
        """See :class:`~wamp_transport.node.connection.Link`."""
        ...

    @property
    def queued_bytes(self) -> int:
        """See :class:`~wamp_transport.node.connection.Link`."""
        ...


class WampConsumer(AsyncConsumer):  # type: ignore[misc]
    """Carries the WAMP session of one WebSocket of one service: ``WampConsumer.as_asgi(service=...)``."""

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
        direct: DirectLink | None = (scope.get("extensions") or {}).get(DIRECT_LINK)
        if direct is None:
            await self._serve(outcome, scope, receive, send)
        else:
            await self._serve_directly(outcome, direct, scope, send)

    async def _serve_directly(
        self, agreement: Agreement, direct: DirectLink, scope: Mapping[str, Any], send: Send
    ) -> None:
        """The link does the rest: nothing of this handshake stays in memory."""
        serializer = agreement.serializer
        connection = self.service.connect(direct.lane(serializer), direct, scope)
        direct.attach(connection, is_binary=serializer.is_binary)
        await send(acceptance(agreement, scope))

    async def _serve(self, agreement: Agreement, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        serializer = agreement.serializer
        # Servers that know this extension know all close codes; plain Daphne raises for most.
        has_codes = can_answer(scope)
        link = QueuedLink(send, is_binary=serializer.is_binary, has_close_codes=has_codes)
        await send(acceptance(agreement, scope))
        key, other = ("bytes", "text") if serializer.is_binary else ("text", "bytes")
        connection = self.service.connect(UNFRAMED[serializer.name], link, scope)
        link.watch(connection, Bounds.of(self.service.websocket))
        writer = asyncio.ensure_future(link.drain())
        limit = self.service.websocket.max_message_size
        try:
            while (event := await receive())["type"] == "websocket.receive":
                data = event.get(key)
                if data is not None:
                    payload = data if serializer.is_binary else data.encode()
                    if 0 < limit < len(payload):
                        link.close(PAYLOAD_SIZE_EXCEEDED, f"messages have {limit} octets at most")
                        connection.lost()
                        continue
                    connection.receive(payload)
                elif event.get(other) is not None:
                    connection.violate(wrong_kind(is_binary=serializer.is_binary))
                if link.is_paused:
                    await link.resumed()
        finally:
            connection.lost()
            writer.cancel()


class QueuedLink:
    """A link over ASGI messages: what is written waits in a bounded queue for a task that sends it."""

    def __init__(self, send: Send, *, is_binary: bool, has_close_codes: bool) -> None:
        self._send = send
        self._has_close_codes = has_close_codes
        self._key = "bytes" if is_binary else "text"
        self._queue: deque[bytes] = deque()
        self._size = 0
        self._is_ready = asyncio.Event()
        self._closing: dict[str, Any] | None = None
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._pressure: Pressure | None = None

    def watch(self, connection: Connection, bounds: Bounds) -> None:
        """Tell ``connection`` when its peer is too slow."""

        def overflowed(waiting: int) -> None:
            self._queue.clear()
            self._size = 0
            connection.overflowed(waiting)

        self._pressure = Pressure(bounds, asyncio.get_running_loop().call_later, connection.congested, overflowed)

    def write(self, data: bytes) -> None:
        """See :class:`~wamp_transport.node.connection.Link`."""
        if self._closing is not None:
            return
        self._queue.append(data)
        self._size += len(data)
        self._weigh()
        self._is_ready.set()

    def _weigh(self) -> None:
        if self._pressure is not None:
            self._pressure.weigh(self._size)

    def close(self, reason: str, message: str) -> None:
        """See :class:`~wamp_transport.node.connection.Link`."""
        if self._closing is None:
            code = close_code(reason) if self._has_close_codes else NORMAL
            self._closing = {"type": "websocket.close", "code": code, "reason": close_text(reason, message)}
            self._is_ready.set()

    def pause(self) -> None:
        """See :class:`~wamp_transport.node.connection.Link`."""
        self._may_read.clear()

    def resume(self) -> None:
        """See :class:`~wamp_transport.node.connection.Link`."""
        self._may_read.set()

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait here; what the server has taken is not known."""
        return self._size

    @property
    def is_paused(self) -> bool:
        """Whether the peer is not to be read for now."""
        return not self._may_read.is_set()

    async def resumed(self) -> None:
        """Wait until the peer may be read again."""
        await self._may_read.wait()

    async def drain(self) -> None:
        """Send what is written, in order, until the close has gone out or the peer has gone."""
        try:
            with suppress(OSError):
                await self._drain()
        finally:
            if self._pressure is not None:
                self._pressure.relieve()

    async def _drain(self) -> None:
        while True:
            await self._is_ready.wait()
            self._is_ready.clear()
            while self._queue:
                data = self._queue.popleft()
                self._size -= len(data)
                value = data if self._key == "bytes" else data.decode()
                await self._send({"type": "websocket.send", self._key: value})
                self._weigh()
            if self._closing is not None:
                await self._send(self._closing)
                return


def acceptance(agreement: Agreement, scope: Mapping[str, Any]) -> dict[str, Any]:
    """The event that takes a handshake, with the cookie to set if there is one."""
    event = {"type": "websocket.accept", "subprotocol": agreement.subprotocol}
    visitor: Visitor | None = scope.get(VISITOR)
    return event if visitor is None or visitor.set_cookie is None else {**event, "headers": visitor.headers}


async def refuse(scope: Mapping[str, Any], send: Send, refusal: Refusal) -> None:
    """Answer a handshake with an HTTP error, or, where the server cannot say which, with its own."""
    if not can_answer(scope):
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.message})
        return
    body = refusal.message.encode() + b"\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "websocket.http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


def wrong_kind(*, is_binary: bool) -> str:
    """What is wrong with a text message for a binary serialization, or the other way round."""
    expected, found = ("binary", "text") if is_binary else ("text", "binary")
    return f"expected {expected} WebSocket messages for this subprotocol, got a {found} one"
