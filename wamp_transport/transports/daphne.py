"""Daphne, made fit: its server and its WebSocket protocol, subclassed.

The server listens for several transports and stops gracefully. The protocol applies the WebSocket options of the
path asked for, and offers a direct link: frames of the common shape go both ways on a short path, everything else
(fragments, control frames, violations, compression) stays with Autobahn's own parser, one frame at a time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import defer, reactor
from twisted.internet.endpoints import serverFromString
from websockets.speedups import apply_mask

from ..config.websocket import WebSocketOptions
from ..node.connection import Connection
from .closing import close_code, close_text
from .consumer import DIRECT_LINK, QUEUE_LIMIT, wrong_kind
from .frames import BINARY, TEXT, whole_masked_frame

logger = logging.getLogger(__name__)

FindOptions = Callable[[str, bytes], WebSocketOptions | None]
"""Transport key and raw request path to the WebSocket options of the service there, if any."""

WAIT_FOR_WHOLE: Final = 1024 * 1024
"""Frames up to this size wait until they are whole; Autobahn reads larger ones piece by piece."""

APPLIED: Final = {
    "validate_utf8": "utf8validateIncoming",
    "mask_server_frames": "maskServerFrames",
    "require_masked_client_frames": "requireMaskedClientFrames",
    "apply_mask": "applyMask",
    "max_frame_size": "maxFramePayloadSize",
    "max_message_size": "maxMessagePayloadSize",
    "auto_fragment_size": "autoFragmentSize",
    "fail_by_drop": "failByDrop",
    "echo_close_codereason": "echoCloseCodeReason",
    "auto_ping_size": "autoPingSize",
    "auto_ping_restart_on_any_traffic": "autoPingRestartOnAnyTraffic",
}
"""Option to the attribute of Autobahn's protocol that carries it out."""

APPLIED_SECONDS: Final = {
    "close_handshake_timeout": "closeHandshakeTimeout",
    "auto_ping_interval": "autoPingInterval",
    "auto_ping_timeout": "autoPingTimeout",
}
"""The same for times, milliseconds in the option and seconds in the attribute."""


class WampWebSocketProtocol(WebSocketProtocol):  # type: ignore[misc]
    """One WebSocket. For WAMP services it is a direct link; for others it is Daphne's protocol as it was."""

    is_framed = True

    def __init__(self) -> None:
        super().__init__()
        self._options: WebSocketOptions | None = None
        self._connection: Connection | None = None
        self._first_byte = TEXT
        self._largest = 0
        self._outgoing: list[bytes] = []
        self._outgoing_size = 0
        self._is_peer_slow = False

    # --- handshake -----------------------------------------------------------------------------------------------

    def processHandshake(self) -> None:
        """Apply the options of the path before the request is looked at."""
        self.server = self.factory.server_class
        if self._options is None:
            target = self.data.split(b" ", 2)[1:2]
            path = target[0].partition(b"?")[0] if target else b""
            self._options = self.server.find_options(transport_key(self.transport), path)
            if self._options is not None:
                self._apply(self._options)
        super().processHandshake()

    def handle_reply(self, message: dict[str, Any]) -> None:
        """ASGI events of the handshake that Daphne does not know: refusals with a status of their own."""
        if message["type"] == "websocket.http.response.start":
            self._refusal_status = message["status"]
        elif message["type"] == "websocket.http.response.body":
            self._refuse(self._refusal_status, message.get("body", b""))
        else:
            super().handle_reply(message)

    def onOpen(self) -> None:
        """The handshake is done: watch how fast the peer reads."""
        super().onOpen()
        if self._connection is not None:
            self.transport.unregisterProducer()
            self.transport.registerProducer(self, True)

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:
        """An HTTP answer that is complete, so that clients show it instead of a broken connection."""
        body = reason.encode() + b"\n"
        head = f"HTTP/1.1 {code} {RESPONSES.get(code, 'Refused')}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        head += f"Content-Length: {len(body)}\r\nConnection: close\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in responseHeaders or ())
        self.sendData(head.encode() + b"\r\n" + body)

    def _apply(self, options: WebSocketOptions) -> None:
        for option, attribute in APPLIED.items():
            setattr(self, attribute, getattr(options, option))
        for option, attribute in APPLIED_SECONDS.items():
            setattr(self, attribute, getattr(options, option) / 1000)
        self.versions = [13] * options.enable_rfc6455 + [8] * options.enable_hybi10
        self.is_framed = not (options.mask_server_frames or options.auto_fragment_size)
        limits = [size for size in (options.max_frame_size, options.max_message_size) if size]
        self._largest = min([*limits, WAIT_FOR_WHOLE]) if options.apply_mask else -1
        if self.openHandshakeTimeoutCall is not None:
            self.openHandshakeTimeoutCall.cancel()
            self.openHandshakeTimeoutCall = None
        if options.open_handshake_timeout:
            self.openHandshakeTimeoutCall = self.factory._batched_timer.call_later(
                options.open_handshake_timeout / 1000, self.onOpenHandshakeTimeout
            )
        if hasattr(self.transport, "socket") and hasattr(self.transport, "setTcpNoDelay"):
            self._set_no_delay(options.tcp_nodelay)

    def _set_no_delay(self, enabled: bool) -> None:
        try:
            self.transport.setTcpNoDelay(enabled)
        except OSError:
            logger.debug("This kind of socket has no TCP_NODELAY")

    def _refuse(self, status: int, body: bytes) -> None:
        text = body.decode("utf-8", "replace").strip()
        del self.handshake_deferred
        self.failHandshake(text, status)
        self.server.protocol_disconnected(self)

    # --- direct link ---------------------------------------------------------------------------------------------

    def attach(self, connection: Connection, *, is_binary: bool) -> None:
        """From now on messages go to ``connection``, frames of the common shape without a detour."""
        self._connection = connection
        self._first_byte = BINARY if is_binary else TEXT
        if not self.is_framed:
            self.write = self._write_message  # type: ignore[method-assign]

    # Hot path: once per read, and once per message written.

    def dataReceived(self, data: bytes) -> None:
        """Bytes from the socket."""
        if self._connection is None:
            super().dataReceived(data)
        else:
            self.data = self.data + data if self.data else data
            self.consumeData()

    def consumeData(self) -> None:
        """Take whole frames of the common shape from the buffer; let Autobahn take any other, one at a time."""
        connection = self._connection
        if connection is None or self.state == self.STATE_CONNECTING:
            super().consumeData()
            return
        while self.state == self.STATE_OPEN and self.data:
            if self.current_frame is None and not self.inside_message:
                if not self._take_frames(connection):
                    return
                if not self.data:
                    return
            if not self.processData():
                return
        if self.state == self.STATE_CLOSING:
            super().consumeData()

    def _take_frames(self, connection: Connection) -> bool:
        """Take frames of the common shape. False: the next one is of it too, but not all there yet."""
        data = self.data
        position = 0
        while (payload := whole_masked_frame(data, position)) is not None:
            begin, end = payload
            if data[position] != self._first_byte or end - begin > self._largest:
                break
            if end > len(data):
                self.data = data[position:]
                return False
            message = apply_mask(data[begin:end], data[begin - 4 : begin])
            if self._first_byte == TEXT and not message.isascii() and not is_utf8(message):
                break
            position = end
            if self.autoPingTimeoutCall and self.autoPingRestartOnAnyTraffic:
                self._cancelAutoPingTimeoutCall()
            self.data = b""  # a close from within must find nothing left to read
            connection.receive(message)
            if self.state != self.STATE_OPEN:
                break
        self.data = data[position:]
        return True

    def write(self, data: bytes) -> None:
        """Frames to send with the next flush, at the end of this turn of the loop."""
        outgoing = self._outgoing
        if not outgoing:
            self.server.flush_soon(self)
        outgoing.append(data)
        self._outgoing_size += len(data)
        if self._outgoing_size > QUEUE_LIMIT and self._is_peer_slow:
            self._drop_slow_peer()

    def flush(self) -> None:
        """Send what was written, in one piece; hold it back while the peer does not keep up."""
        if not self._is_peer_slow:
            self._flush_now()

    def _flush_now(self) -> None:
        outgoing = self._outgoing
        if not outgoing:
            return
        data = outgoing[0] if len(outgoing) == 1 else b"".join(outgoing)
        outgoing.clear()
        self._outgoing_size = 0
        if self.state != self.STATE_OPEN:
            return
        transport = self.transport
        if getattr(transport, "dataBuffer", None) == b"" and not transport._tempDataBuffer and transport.connected:
            # Nothing waits in Twisted's buffer: straight to the socket saves a turn of the loop.
            sent = transport.writeSomeData(data)
            if sent == len(data):
                return
            if isinstance(sent, int):
                data = data[sent:]
        transport.write(data)

    # End of the hot path.

    def close(self, reason: str, message: str) -> None:
        """See :class:`~wamp_transport.node.connection.Link`."""
        if self.state == self.STATE_OPEN:
            self._is_peer_slow = False
            self._flush_now()
            self.sendCloseFrame(close_code(reason), close_text(reason, message).encode())

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """What Autobahn sends itself (close, ping, pong) goes after what was written before."""
        self._flush_now()
        super().sendData(data, sync, chopsize)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """A message that came on Autobahn's path."""
        connection = self._connection
        if connection is None:
            super().onMessage(payload, isBinary)
        elif isBinary != (self._first_byte == BINARY):
            connection.violate(wrong_kind(is_binary=not isBinary))
        elif not isBinary and not self.utf8validateIncoming and not is_utf8(payload):
            connection.violate("text that is not valid UTF-8")
        else:
            connection.receive(payload)

    def check_timeouts(self) -> None:
        """Daphne's limit of a day and its pings are not for WAMP services: they have options of their own."""
        if self._connection is None:
            super().check_timeouts()

    def pauseProducing(self) -> None:
        """The transport's buffer is full: the peer reads too slowly. It is read no faster itself."""
        self._is_peer_slow = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The transport's buffer is empty again."""
        self._is_peer_slow = False
        self._flush_now()
        if not self._is_peer_slow:
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The transport is gone; ``onClose`` follows."""

    def _write_message(self, data: bytes) -> None:
        if self.state == self.STATE_OPEN:
            self.sendMessage(data, self._first_byte == BINARY)

    def _drop_slow_peer(self) -> None:
        logger.warning("%s reads more slowly than it is sent to: %d bytes wait, closed", self, self._outgoing_size)
        self._outgoing.clear()
        self._outgoing_size = 0
        self.dropConnection(abort=True)


def is_utf8(payload: bytes) -> bool:
    """Whether ``payload`` is valid UTF-8."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


RESPONSES: Final = {
    400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 426: "Upgrade Required",
    500: "Internal Server Error", 503: "Service Unavailable", 505: "HTTP Version Not Supported",
}  # fmt: skip


class TransportRequest(WebRequest):  # type: ignore[misc]
    """A request that leaves the key of its transport with the socket, for the WebSocket it may become."""

    def process(self) -> Any:
        """Handle the request."""
        self.transport.wamp_transport_key = self.channel.factory.key
        return super().process()


class TransportFactory(HTTPFactory):  # type: ignore[misc]
    """The HTTP protocol of one configured transport."""

    def __init__(self, server: "WampServer", key: str) -> None:
        super().__init__(server)
        self.key = key

    def buildProtocol(self, address: Any) -> Any:
        """The protocol of a new connection."""
        protocol = super().buildProtocol(address)
        protocol.requestFactory = TransportRequest
        return protocol


def transport_key(transport: Any) -> str:
    """The key of the configured transport that a socket belongs to; empty where nobody set one."""
    return getattr(transport, "wamp_transport_key", "")


class WampServer(Server):  # type: ignore[misc]
    """Daphne's server for several transports.

    ``on_start`` runs when the loop does and sets ``wanted``; ``on_stop`` runs before it ends, so that sessions can be
    told. ``failure`` says why the server stopped, if it could not start.
    """

    def __init__(
        self,
        application: Any,
        find_options: FindOptions,
        on_start: Callable[["WampServer"], Awaitable[None]],
        on_stop: Callable[[], Awaitable[None]],
        **options: Any,
    ) -> None:
        options.setdefault("server_name", "")
        super().__init__(application, endpoints=["none: see listen()"], **options)
        self.endpoints: list[str] = []
        self.wanted: Mapping[str, str] = {}
        self.failure: BaseException | None = None
        self.find_options = find_options
        self._ports: dict[str, Any] = {}
        self._on_start = on_start
        self._on_stop = on_stop
        self._unflushed: list[WampWebSocketProtocol] = []
        self.loop: asyncio.AbstractEventLoop = reactor._asyncioEventloop
        self._announce = self.ready_callable
        self.ready_callable = self._ready

    def flush_soon(self, protocol: WampWebSocketProtocol) -> None:
        """Flush ``protocol`` at the end of this turn of the loop."""
        if not self._unflushed:
            self.loop.call_soon(self._flush)
        self._unflushed.append(protocol)

    def _flush(self) -> None:
        unflushed, self._unflushed = self._unflushed, []
        for protocol in unflushed:
            protocol.flush()

    def _ready(self) -> None:
        self.ws_factory.protocol = WampWebSocketProtocol
        reactor.callWhenRunning(self._start)

    def _start(self) -> None:
        started = asyncio.ensure_future(self._start_all(), loop=self.loop)
        started.add_done_callback(self._started)

    async def _start_all(self) -> None:
        await self._on_start(self)
        await self.listen(self.wanted)

    def _started(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None:
            logger.critical("The server cannot start: %s", task.exception())
            self.failure = task.exception()
            self.stop()
        elif self._announce is not None:
            self._announce()

    async def listen(self, listeners: Mapping[str, str]) -> None:
        """Listen for just these transports: what is new opens, what is gone closes, the rest stays."""
        for key in [key for key in self._ports if listeners.get(key) != self._ports[key][0]]:
            _, port = self._ports.pop(key)
            logger.info("No longer listening on %s", port.getHost())
            await defer.maybeDeferred(port.stopListening).asFuture(self.loop)
        for key, description in listeners.items():
            if key not in self._ports:
                endpoint = serverFromString(reactor, description)
                port = await endpoint.listen(TransportFactory(self, key)).asFuture(self.loop)
                self._ports[key] = (description, port)
                self.listen_success(port)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Start the ASGI application for a connection, with the direct link in its scope."""
        if isinstance(protocol, WampWebSocketProtocol):
            scope["extensions"] = {DIRECT_LINK: protocol, "websocket.http.response": {}}
            scope["wamp_transport"] = transport_key(protocol.transport)
        else:
            scope["wamp_transport"] = protocol.channel.factory.key
        return super().create_application(protocol, scope)

    def protocol_disconnected(self, protocol: Any) -> None:
        """A connection ended; a handshake may fail before it was ever counted."""
        if protocol in self.connections:
            super().protocol_disconnected(protocol)

    def kill_all_applications(self) -> Any:
        """Before the loop ends: tell sessions, then end what is left."""
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._stop_all(), loop=self.loop))

    async def _stop_all(self) -> None:
        for _, port in self._ports.values():
            await defer.maybeDeferred(port.stopListening).asFuture(self.loop)
        self._ports.clear()
        await self._on_stop()
        self._flush()
        tasks = [
            details["application_instance"]
            for details in self.connections.values()
            if "application_instance" in details and not details["application_instance"].done()
        ]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=self.application_close_timeout)
