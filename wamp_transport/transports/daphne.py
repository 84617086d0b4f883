"""Daphne, made fit: its server and its WebSocket protocol, subclassed.

The server listens for several transports and stops gracefully. The protocol applies the WebSocket options of the
path asked for, and offers a direct link: frames of the common shape go both ways on a short path, everything else
(fragments, control frames, violations, compression) stays with Autobahn's own parser, one frame at a time.
"""

import asyncio
import logging
import os
from codecs import utf_8_decode
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from autobahn.websocket.types import ConnectionDeny
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import defer, reactor
from twisted.internet.abstract import FileDescriptor
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.logger import LogLevel, globalLogPublisher
from twisted.web.http import RESPONSES
from websockets.speedups import apply_mask

from .. import __version__
from ..config.websocket import WebSocketOptions
from ..node.connection import Connection
from .closing import close_code, close_text
from .consumer import DIRECT_LINK, wrong_kind
from .frames import BINARY, TEXT, message_frames, whole_masked_frame
from .outgoing import Outgoing
from .requests import TransportFactory, TransportRequest, transport_key

logger = logging.getLogger(__name__)

FindOptions = Callable[[str, bytes], WebSocketOptions | None]
"""Transport key and raw request path to the WebSocket options of the service there, if any."""

WAIT_FOR_WHOLE: Final = 128 * 1024
"""Frames up to this size wait until they are whole; Autobahn reads larger ones piece by piece."""

LONGEST_CLOSE: Final = 30.0
"""Seconds that a peer has to take part in a close, where no option says less."""

APPLIED_ONCE: Final = {
    "mask_server_frames": "maskServerFrames",
    "apply_mask": "applyMask",
    "auto_fragment_size": "autoFragmentSize",
}
"""Option to the attribute of Autobahn's protocol that carries it out, settled with the handshake."""

APPLIED: Final = {
    "validate_utf8": "utf8validateIncoming",
    "require_masked_client_frames": "requireMaskedClientFrames",
    "max_frame_size": "maxFramePayloadSize",
    "max_message_size": "maxMessagePayloadSize",
    "fail_by_drop": "failByDrop",
    "echo_close_codereason": "echoCloseCodeReason",
    "auto_ping_size": "autoPingSize",
    "auto_ping_restart_on_any_traffic": "autoPingRestartOnAnyTraffic",
}
"""The same for options that reach open connections as well when they change."""

APPLIED_SECONDS: Final = {
    "auto_ping_interval": "autoPingInterval",
    "auto_ping_timeout": "autoPingTimeout",
}
"""The same for times, milliseconds in the option and seconds in the attribute."""


class WampWebSocketProtocol(WebSocketProtocol):  # type: ignore[misc]
    """One WebSocket. For WAMP services it is a direct link; for others it is Daphne's protocol as it was."""

    data: bytes
    openHandshakeTimeoutCall: Any
    autoPingPendingCall: Any
    write: Callable[[bytes], None]
    """See :class:`~wamp_transport.node.connection.Link`; there from :meth:`attach` on."""

    is_framed = True

    def __init__(self) -> None:
        super().__init__()
        self.target = b""
        self._options: WebSocketOptions | None = None
        self._connection: Connection | None = None
        self._outgoing: Outgoing | None = None
        self._first_byte = TEXT
        self._largest = 0
        self._refusal: dict[str, Any] | None = None
        self._refusal_body = b""
        self._give_up: asyncio.TimerHandle | None = None

    # --- handshake -----------------------------------------------------------------------------------------------

    def processHandshake(self) -> None:
        """Apply the options of the path before the request is looked at."""
        if hasattr(self, "request"):
            # The application still thinks about the request, so this is no other one: it waits for its turn.
            if len(self.data) > WAIT_FOR_WHOLE:
                self.transport.pauseProducing()
            return
        self.server = self.factory.server_class
        target = self.data.split(b" ", 2)[1:2]
        self.target = target[0].partition(b"?")[0] if target else b""
        self._options = self.server.find_options(transport_key(self.transport), self.target)
        if self._options is not None:
            self._apply(self._options)
        super().processHandshake()

    def onConnect(self, request: Any) -> Any:
        """Start the application, unless the request holds what Daphne would stumble over."""
        if not request.headers.get("sec-websocket-protocol", "").isascii():
            raise ConnectionDeny(400, "the Sec-WebSocket-Protocol header is not ASCII")  # type: ignore[no-untyped-call]
        if self._options is not None:
            self.websocket_extensions: list[Any] = []  # none is offered: a strange parameter must not matter
        return super().onConnect(request)

    def serverAccept(self, subprotocol: str | None = None) -> None:
        """The application takes the connection; the answer names the software only where it shall."""
        if self._options is not None and self._options.show_server_version:
            subprotocol = (subprotocol, {"Server": f"wampnode/{__version__}"})  # type: ignore[assignment]
        super().serverAccept(subprotocol)

    def handle_reply(self, message: dict[str, Any]) -> None:
        """ASGI events, those included that Daphne does not know or takes for mistakes."""
        kind = message.get("type")
        if kind == "websocket.http.response.start" and self.state == self.STATE_CONNECTING:
            self._refusal = message
        elif kind == "websocket.http.response.body" and self._refusal is not None:
            self._refusal_body += message.get("body", b"")
            if not message.get("more_body"):
                self._refuse(self._refusal)
                self._refusal = None
        elif kind == "websocket.close" and self.state == self.STATE_OPEN:
            self.sendCloseFrame(message.get("code") or 1000, close_text(message.get("reason") or "", "").encode())
        elif kind == "websocket.send" and (message.get("bytes") == b"" or message.get("text") == ""):
            self.serverSend(b"" if message.get("text") is None else "", message.get("text") is None)
        else:
            super().handle_reply(message)

    def onOpen(self) -> None:
        """The handshake is done: watch how fast the peer reads."""
        super().onOpen()
        if self._outgoing is not None:
            self.transport.unregisterProducer()
            self.transport.registerProducer(self._outgoing, True)
        self.transport.resumeProducing()

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:
        """An HTTP answer that is complete, so that clients show it instead of a broken connection."""
        headers = [("Content-Type", "text/plain; charset=utf-8"), *(responseHeaders or ())]
        self._answer(code, headers, reason.encode() + b"\n")

    def _answer(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        lines = [f"HTTP/1.1 {status} {RESPONSES.get(status, b'Refused').decode()}"]
        lines += [f"{name}: {value}" for name, value in headers if name.lower() not in ("content-length", "connection")]
        lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
        self.sendData("\r\n".join(lines).encode("latin-1") + body)

    def _refuse(self, message: dict[str, Any]) -> None:
        del self.handshake_deferred
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())]
        self.wasNotCleanReason = f"refused with status {message['status']}"
        self._answer(message["status"], headers, self._refusal_body)
        self.dropConnection(abort=False)
        self.server.protocol_disconnected(self)
        client = ":".join(map(str, self.client_addr)) if self.client_addr else None
        self.server.log_action("websocket", "rejected", {"path": self.request.path, "client": client})

    def refresh(self, options: WebSocketOptions | None) -> None:
        """The configuration has changed: take from the options of the path what can change on an open connection."""
        if self._options is None or options is None or options == self._options or self.state != self.STATE_OPEN:
            return
        self._options = options
        self._apply_live(options)
        if self.autoPingPendingCall is not None:
            self.autoPingPendingCall.cancel()
            self.autoPingPendingCall = None
        if self.autoPingInterval and self.autoPingPending is None:
            self.autoPingPendingCall = self.factory._batched_timer.call_later(self.autoPingInterval, self._sendAutoPing)

    def _apply_live(self, options: WebSocketOptions) -> None:
        for option, attribute in APPLIED.items():
            setattr(self, attribute, getattr(options, option))
        for option, attribute in APPLIED_SECONDS.items():
            setattr(self, attribute, getattr(options, option) / 1000)
        self.closeHandshakeTimeout = options.close_handshake_timeout / 1000 or LONGEST_CLOSE
        limits = [size for size in (options.max_frame_size, options.max_message_size) if size]
        self._largest = min([*limits, WAIT_FOR_WHOLE]) if self.applyMask else -1

    def _apply(self, options: WebSocketOptions) -> None:
        for option, attribute in APPLIED_ONCE.items():
            setattr(self, attribute, getattr(options, option))
        self._apply_live(options)
        self.versions = [13] * options.enable_rfc6455 + [8] * options.enable_hybi10
        self.is_framed = not (options.mask_server_frames or options.auto_fragment_size)
        if self.openHandshakeTimeoutCall is not None:
            self.openHandshakeTimeoutCall.cancel()
            self.openHandshakeTimeoutCall = None
        if options.open_handshake_timeout:
            self.openHandshakeTimeoutCall = self.factory._batched_timer.call_later(
                options.open_handshake_timeout / 1000, self.onOpenHandshakeTimeout
            )
        if hasattr(self.transport, "socket") and hasattr(self.transport, "setTcpNoDelay"):
            self._tune_socket(options.tcp_nodelay)

    def _tune_socket(self, no_delay: bool) -> None:
        """Without pings, keep-alive is what finds out in the end that a peer has vanished."""
        try:
            self.transport.setTcpNoDelay(no_delay)
            self.transport.setTcpKeepAlive(True)
        except OSError:
            logger.debug("This kind of socket has no such options")

    # --- direct link ---------------------------------------------------------------------------------------------

    def attach(self, connection: Connection, *, is_binary: bool) -> None:
        """From now on messages go to ``connection``, frames of the common shape without a detour."""
        transport = self.transport
        is_plain = isinstance(transport, FileDescriptor) and not getattr(transport, "TLS", False)
        self._outgoing = Outgoing(transport, self.server.flush_soon, self._drop_slow_peer, writes_through=is_plain)
        self._connection = connection
        self._first_byte = BINARY if is_binary else TEXT
        self.write = self._outgoing.write if self.is_framed else self._write_message

    # Hot path: once per read.

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
        while self.state == self.STATE_OPEN:
            is_between = self.current_frame is None and not self.inside_message
            if is_between and (not self.data or not self._take_frames(connection) or not self.data):
                return
            if not self.processData():  # true with nothing left in the buffer: the frame just begun is an empty one
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
                if not self._may_be_text(data[begin:], data[begin - 4 : begin]):
                    break
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

    # End of the hot path.

    def _may_be_text(self, masked: bytes, mask: bytes) -> bool:
        """Whether the beginning of a frame is worth waiting for the rest: bad text fails at once."""
        return self._first_byte != TEXT or is_utf8(apply_mask(masked, mask), is_all=False)

    def close(self, reason: str, message: str) -> None:
        """See :class:`~wamp_transport.node.connection.Link`. The connection counts until the socket is closed."""
        if self.state == self.STATE_OPEN and self._outgoing is not None:
            super().sendCloseFrame(close_code(reason), close_text(reason, message).encode())
            self._outgoing.stop()

    def sendCloseFrame(self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False) -> None:
        """A close that the peer began or provoked. The session ends now, whatever the peer does next."""
        super().sendCloseFrame(code, reasonUtf8, isReply)
        if self._connection is not None and self._outgoing is not None:
            self._outgoing.stop()
            self._connection.lost()

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """What Autobahn sends itself (close, ping, pong) goes after what was written before."""
        if self._outgoing is not None:
            self._outgoing.flush_now()
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

    def onClose(self, wasClean: bool, code: Any, reason: Any) -> None:
        """The socket is closed, perhaps before the handshake came to anything."""
        if self._give_up is not None:
            self._give_up.cancel()
        if hasattr(self, "path"):
            super().onClose(wasClean, code, reason)
        else:
            self.factory.server_class.protocol_disconnected(self)

    def check_timeouts(self) -> None:
        """Daphne's limit of a day and its pings are not for WAMP services: they have options of their own."""
        if self._connection is None:
            super().check_timeouts()

    def dropConnection(self, abort: bool = False) -> None:
        """Close the socket. A peer that does not read what is on its way to it cannot hold it open."""
        super().dropConnection(abort)
        if self._outgoing is not None:
            self._outgoing.stop()
            if not abort and self._give_up is None:
                self._give_up = self.server.loop.call_later(LONGEST_CLOSE, self.transport.abortConnection)

    def _write_message(self, data: bytes) -> None:
        """A message, in frames that are not the same for all."""
        assert self._outgoing is not None  # noqa: S101 - attached before
        mask = self._mask if self.maskServerFrames else None
        self._outgoing.write(message_frames(self._first_byte, data, size=self.autoFragmentSize, make_mask=mask))

    def _mask(self) -> bytes:
        return os.urandom(4) if self.applyMask else bytes(4)

    def _drop_slow_peer(self, waiting: int) -> None:
        logger.warning("%s reads more slowly than it is sent to: %d bytes wait, closed", self, waiting)
        self.dropConnection(abort=True)


def is_utf8(payload: bytes, *, is_all: bool = True) -> bool:
    """Whether ``payload`` is valid UTF-8, or, where it is not all there, may still become it."""
    try:
        utf_8_decode(payload, "strict", is_all)
    except UnicodeDecodeError:
        return False
    return True


def report_bugs(event: Mapping[str, Any]) -> None:
    """Pass on what Twisted says of exceptions that nobody handled."""
    failure = event.get("log_failure")
    if failure is None or failure.check(ReactorNotRunning):  # as when a second signal asks to stop
        return
    if event.get("log_level") is LogLevel.critical:
        logger.error("Unhandled error", exc_info=(failure.type, failure.value, failure.getTracebackObject()))


class ListenError(OSError):
    """Addresses that cannot be listened on; the message names each."""


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
        self._unflushed: list[Outgoing] = []
        self._starting: asyncio.Task[None] | None = None
        self.loop: asyncio.AbstractEventLoop = reactor._asyncioEventloop
        self._announce: Callable[[], None] | None = options.get("ready_callable")
        self.ready_callable = self._ready

    def flush_soon(self, outgoing: Outgoing) -> None:
        """Flush ``outgoing`` at the end of this turn of the loop."""
        if not self._unflushed:
            self.loop.call_soon(self._flush)
        self._unflushed.append(outgoing)

    def _flush(self) -> None:
        unflushed, self._unflushed = self._unflushed, []
        for outgoing in unflushed:
            outgoing.flush()

    def _ready(self) -> None:
        self.ws_factory.protocol = WampWebSocketProtocol
        # Autobahn's own timer rounds down to whole seconds: a ping timeout of one second could be none at all.
        self.ws_factory._batched_timer = self.loop
        # Daphne sends Twisted's log nowhere; an exception in a callback is a bug to be told.
        globalLogPublisher.addObserver(report_bugs)  # type: ignore[arg-type]
        reactor.callWhenRunning(self._start)

    def _start(self) -> None:
        self._starting = asyncio.ensure_future(self._start_all(), loop=self.loop)
        self._starting.add_done_callback(self._started)

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
        """Listen for just these transports: what is new opens, what is gone closes, the rest stays.

        Raises ListenError for those that cannot; the others are open then.
        """
        for key in [key for key in self._ports if listeners.get(key) != self._ports[key][0]]:
            _, port = self._ports.pop(key)
            logger.info("No longer listening on %s", port.getHost())
            await defer.maybeDeferred(port.stopListening).asFuture(self.loop)
        faults: list[str] = []
        for key, description in listeners.items():
            if key not in self._ports:
                try:
                    endpoint = serverFromString(reactor, description)  # type: ignore[no-untyped-call]
                    port = await endpoint.listen(TransportFactory(self, key)).asFuture(self.loop)
                except (CannotListenError, OSError, ValueError) as error:
                    faults.append(str(error))
                    continue
                self._ports[key] = (description, port)
                self.listen_success(port)
        if faults:
            raise ListenError("; ".join(faults))

    def refresh(self) -> None:
        """The configuration has changed: open connections take the options of their paths."""
        found: dict[tuple[str, bytes], WebSocketOptions | None] = {}
        for protocol in list(self.connections):
            if isinstance(protocol, WampWebSocketProtocol):
                place = (transport_key(protocol.transport), protocol.target)
                if place not in found:
                    found[place] = self.find_options(*place)
                protocol.refresh(found[place])

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Start the ASGI application for a connection, with the direct link in its scope."""
        if isinstance(protocol, WampWebSocketProtocol):
            # As they came: not percent-decoded, and no ";" cut off.
            scope["subprotocols"] = list(protocol.websocket_protocols)
            scope["raw_path"] = protocol.target
            scope["extensions"] = {DIRECT_LINK: protocol, "websocket.http.response": {}}
            scope["wamp_transport"] = transport_key(protocol.transport)
        else:
            scope["wamp_transport"] = protocol.channel.factory.key
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """One ASGI event from an application; between pieces of a body it waits for the client to keep up."""
        await super().handle_reply(protocol, message)
        if message.get("more_body") and isinstance(protocol, TransportRequest):
            await protocol.writable.wait()

    def application_checker(self) -> None:
        """Daphne's look for applications that have ended; one that failed in mid-answer must not end the looking."""
        try:
            super().application_checker()
        except Exception:
            logger.exception("An application failed after its answer had begun")
            reactor.callLater(1, self.application_checker)  # type: ignore[arg-type]

    def protocol_disconnected(self, protocol: Any) -> None:
        """A connection ended; a handshake may fail before it was ever counted."""
        if protocol in self.connections:
            super().protocol_disconnected(protocol)

    def kill_all_applications(self) -> Any:
        """Before the loop ends: tell sessions, then end what is left."""
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._stop_all(), loop=self.loop))

    async def _stop_all(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
        await self.listen({})
        try:
            await self._on_stop()
        except Exception:
            logger.exception("Saying goodbye failed; the server stops all the same")
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
