"""The WebSocket of a WAMP service: a direct link between the socket and the connection.

Frames of the common shape go both ways on a short path; everything else (fragments, control frames, violations,
compressed messages) stays with Autobahn's own parser, one frame at a time.
"""

import asyncio
import logging
import os
from codecs import utf_8_decode
from collections.abc import Callable
from typing import Any, Final

from autobahn.exception import PayloadCorruptError, PayloadExceededError
from twisted.internet.protocol import connectionDone
from websockets.speedups import apply_mask

from ...compat.twisted import DirectSocket
from ...config.websocket import WebSocketOptions
from ...node.connection import Connection, Lane
from ...serializers.serializer import Serializer
from ..closing import close_code, close_text
from ..consumer import wrong_kind
from ..frames import BINARY, COMPRESSED, LONG, TEXT, Pieces, message_frames, whole_masked_frame
from ..lanes import FRAMED, UNFRAMED, compressed_lane
from ..outgoing import Outgoing
from ..pressure import Bounds, Pressure
from .handshake import beginning
from .options import LONGEST_CLOSE, WAIT_FOR_WHOLE, apply_live, attributes, restart_pings, stop_pings
from .parsing import ParsingProtocol

logger = logging.getLogger(__name__)

AT_ONCE: Final = 128
"""Frames of one peer that are taken before it is the others' turn; those that Autobahn reads count twice, and a
compressed one that is large when it is inflated, as few bytes may be, counts for all."""


class WampWebSocketProtocol(ParsingProtocol):
    """One WebSocket. For WAMP services it is a direct link; for others it is Daphne's protocol as it was."""

    autoPingPendingCall: Any
    closeHandshakeTimeoutCall: Any
    write: Callable[[bytes], None]
    """See :class:`~wamp_transport.node.connection.Link`; there from :meth:`attach` on."""

    largest_short_frame = 0
    """Largest payload that the short path takes; -1: it takes nothing."""

    is_closed: Any
    """Autobahn's; nobody waits for it here."""

    message_timeout = 0.0
    """Seconds in which a message must come whole; 0: any time."""

    _first_compressed = -1
    """First byte of a compressed message, where compression was agreed."""

    _is_closed_by_peer = False

    def __init__(self) -> None:
        super().__init__()
        self._connection: Connection | None = None
        self._outgoing: Outgoing | None = None
        self._first_byte = TEXT
        self._is_paused = False
        self._is_resting = False
        self._give_up: asyncio.TimerHandle | None = None
        self._begun = 0.0
        self._pieces = Pieces()

    def onOpen(self) -> None:
        """The handshake is done: watch how fast the peer reads."""
        super().onOpen()
        if self._outgoing is not None:
            self.transport.unregisterProducer()
            self.transport.registerProducer(self._outgoing, True)
        self.transport.resumeProducing()

    def refresh(self, options: WebSocketOptions | None) -> None:
        """The configuration has changed: take from the options of the path what can change on an open connection."""
        if self._options is None or options is None or options == self._options:
            return
        if self.state in (self.STATE_CONNECTING, self.STATE_OPEN):
            self._options = options
            apply_live(self, options)
        if self.state == self.STATE_OPEN:
            restart_pings(self)

    def lane(self, serializer: Serializer) -> Lane:
        """See :class:`~wamp_transport.transports.consumer.DirectLink`."""
        if not self.is_framed:
            return UNFRAMED[serializer.name]
        if self.compression is None:
            return FRAMED[serializer.name]
        terms = self.compression.terms
        return compressed_lane(serializer.name, terms.our_window, terms.memory_level)

    def attach(self, connection: Connection, *, is_binary: bool) -> None:
        """From now on messages go to ``connection``, frames of the common shape without a detour."""
        transport = self.transport
        is_plain = isinstance(transport, DirectSocket) and not getattr(transport, "TLS", False)
        self._outgoing = Outgoing(transport, self.server.flush_soon, self._scales, writes_through=is_plain)
        self._connection = connection
        self._first_byte = BINARY if is_binary else TEXT
        if self.compression is not None:
            self._first_compressed = self._first_byte | COMPRESSED
        self.write = self._way_out() if self.is_framed else self._write_message
        self.muted = True  # the application has nothing more to hear
        self.application_queue = None
        if self.state == self.STATE_CLOSED:  # gone while the handshake was thought about
            connection.lost()

    # Hot path: once per read.

    def dataReceived(self, data: bytes) -> None:
        """Bytes from the socket."""
        if self._connection is None:
            super().dataReceived(data)
        elif self._pieces.awaited:
            if self._pieces.add(data):
                self.consumeData()
        else:
            self.data = self.data + data if self.data else data
            self.consumeData()

    def consumeData(self) -> None:
        """Take whole frames of the common shape from the buffer; let Autobahn take any other, one at a time."""
        connection = self._connection
        if connection is None or self.state == self.STATE_CONNECTING:
            super().consumeData()
            return
        if self._pieces.awaited:
            self.data = self._pieces.join(self.data)
        left = AT_ONCE
        while self.state == self.STATE_OPEN and not (self._is_paused or self._is_resting):
            is_between = self.current_frame is None and not self.inside_message
            if is_between and (not self.data or not self._take_frames(connection) or not self.data or self._is_resting):
                return
            if not self.processData():  # true with nothing left in the buffer: the frame just begun is an empty one
                break
            left -= 1
            if not left:
                self._rest()
        while self.state == self.STATE_CLOSING and not self._is_resting and self.processData():
            left -= 1
            if left <= 0:
                self._rest()

    def _take_frames(self, connection: Connection) -> bool:
        """Take frames of the common shape. False: the next one is of it too, but not all there yet."""
        try:
            return self._accept_frames(connection)
        finally:
            connection.settle()

    def _accept_frames(self, connection: Connection) -> bool:
        data = self.data
        position = 0
        left = AT_ONCE
        while (payload := whole_masked_frame(data, position)) is not None:
            begin, end = payload
            is_compressed = data[position] == self._first_compressed
            if not (is_compressed or data[position] == self._first_byte) or end - begin > self.largest_short_frame:
                break
            if end > len(data):
                if not is_compressed and not self._may_be_text(data[begin:], data[begin - 4 : begin]):
                    break
                self.data = data[position:]
                self._pieces.expect(end - len(data), len(self.data))
                return False
            masked = data[begin:end] if end - begin < LONG else memoryview(data)[begin:end]
            message = apply_mask(masked, data[begin - 4 : begin])
            if self._first_byte == TEXT and not is_compressed and not message.isascii() and not is_utf8(message):
                break
            position = end
            self._begun = 0.0
            if self.autoPingTimeoutCall and self.autoPingRestartOnAnyTraffic:
                self.cancel_ping_timeout()
            self.data = b""  # a close from within must find nothing left to read
            if is_compressed:
                left = min(left, self._take_compressed(connection, message))
            else:
                connection.accept(message)
            left -= 1
            if self.state != self.STATE_OPEN or self._is_paused or not left:
                break
        self.data = data[position:]
        if not left:
            self._rest()
        return True

    def _take_compressed(self, connection: Connection, data: bytes) -> int:
        """A message that came compressed in one frame. Returns how many may be taken in this turn, with this one."""
        compression, most = self.compression, self.maxMessagePayloadSize
        assert compression is not None  # noqa: S101 - nothing is taken for compressed otherwise
        try:
            compression.start_decompress_message()
            message = compression.decompress_message_data(data, max_output_len=most or None)
            compression.end_decompress_message()
        except PayloadExceededError:
            self.wasMaxMessagePayloadSizeExceeded = True
            self.fail_with_large_message(most, most, f"the message has more than {most} octets when inflated")
        except PayloadCorruptError as fault:
            self.fail_with_invalid_payload(f"the message cannot be inflated: {fault}")
        else:
            if self._first_byte != TEXT or is_utf8(message):
                connection.accept(message)
            elif self.utf8validateIncoming:
                self.fail_with_invalid_payload("the message is not valid UTF-8")
            else:
                connection.violate("text that is not valid UTF-8")
            if len(message) > WAIT_FOR_WHOLE:
                return 1
        return AT_ONCE

    # End of the hot path.

    def _rest(self) -> None:
        """Let the others have their turn. What is in the buffer waits for the next one; nothing is read meanwhile."""
        if self.data and self._outgoing is not None:
            self._is_resting = True
            self._outgoing.pause_reading()
            self.server.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """It is this peer's turn again."""
        self._is_resting = False
        self.consumeData()
        if not (self._is_resting or self._is_paused or self.state == self.STATE_CLOSED or self._outgoing is None):
            self._outgoing.resume_reading()

    def _may_be_text(self, masked: bytes, mask: bytes) -> bool:
        """Whether the beginning of a frame is worth waiting for the rest: bad text fails at once."""
        return self._first_byte != TEXT or is_utf8(apply_mask(masked, mask), is_all=False)

    def close(self, reason: str, message: str) -> None:
        """See :class:`~wamp_transport.node.connection.Link`. The connection counts until the socket is closed."""
        if self.state == self.STATE_OPEN and self._outgoing is not None:
            super().sendCloseFrame(close_code(reason), close_text(reason, message).encode())
            self._outgoing.stop()

    def pause(self) -> None:
        """See :class:`~wamp_transport.node.connection.Link`. A peer that is not read cannot be seen to answer pings."""
        if self._outgoing is not None:
            self._is_paused = True
            self._outgoing.pause_reading()
            stop_pings(self)

    def resume(self) -> None:
        """See :class:`~wamp_transport.node.connection.Link`."""
        if self._outgoing is not None and self._is_paused:
            self._is_paused = False
            if not self._is_resting:
                self._outgoing.resume_reading()
            if self.state == self.STATE_OPEN:
                restart_pings(self)
            self.server.loop.call_soon(self.consumeData)  # what was read before the pause

    def sendCloseFrame(self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False) -> None:
        """A close that the peer began or provoked. The session ends now, whatever the peer does next."""
        super().sendCloseFrame(code, reasonUtf8, isReply)
        if self._connection is not None and self._outgoing is not None:
            self._outgoing.stop()
            self._connection.lost()

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """What Autobahn sends itself (close, ping, pong) goes after what was written before."""
        if self.state == self.STATE_CONNECTING:
            self._answered(data)
        elif self._trace is not None:
            self._trace.sent(data)
        if self._outgoing is None:
            super().sendData(data, sync, chopsize)
            return
        # Nothing is chopped here, so that nothing waits in Autobahn's own queue.
        self._outgoing.flush_now()
        self._outgoing.send(data)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """A message that came on Autobahn's path."""
        connection = self._connection
        self._begun = 0.0
        if self.is_message_compressed and len(payload) > WAIT_FOR_WHOLE:
            self._rest()
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
        if self.closeHandshakeTimeoutCall is not None:  # Autobahn forgets it, and it would keep all this in memory
            self.closeHandshakeTimeoutCall.cancel()
            self.closeHandshakeTimeoutCall = None
        if self._connection is not None:
            self._connection.lost()
        if self._trace is not None:
            self._trace.ended(wasClean, code, reason)
        if hasattr(self, "path"):
            super().onClose(wasClean, code, reason)
        else:
            self.factory.server_class.protocol_disconnected(self)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """The socket is closed and all is told. What refers to itself would wait in memory for the collector."""
        super().connectionLost(reason)
        self.write = _unheard
        self._connection = self._outgoing = self.is_closed = None

    def check_timeouts(self) -> None:
        """Daphne's limit of a day and its pings are not for WAMP services: they have options of their own.

        Called every few seconds: a message that takes its time is noticed here, and not where bytes come in.
        """
        if self._connection is None:
            if self.state != self.STATE_CLOSED:
                super().check_timeouts()
        elif self.state != self.STATE_OPEN:
            return  # the time of a handshake has a limit of its own
        elif not (self.data or self.inside_message or self.current_frame is not None) or self._is_unread:
            self._begun = 0.0
        elif not self._begun:
            self._begun = self.server.loop.time()
        elif 0 < self.message_timeout < self.server.loop.time() - self._begun:
            self._connection.violate(f"a message was not whole within {self.message_timeout:g} seconds")

    queued_bytes = property(lambda self: 0 if self._outgoing is None else self._outgoing.queued_bytes)

    @property
    def _is_unread(self) -> bool:
        """Whether the peer is not read for now, so that it is not to blame for what does not come."""
        return self._is_paused or self._is_resting or (self._outgoing is not None and self._outgoing.is_held)

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> bool | None:
        """The peer closes, or answers our close. What it is told about a close that is none goes out first."""
        self._is_closed_by_peer = True
        return super().onCloseFrame(code, reasonRaw)  # type: ignore[no-any-return]

    def dropConnection(self, abort: bool = False) -> None:
        """Close the socket. A peer that does not read what is on its way to it cannot hold it open."""
        is_gentle = self._is_closed_by_peer and self._outgoing is not None and not self.failByDrop
        abort = abort and not is_gentle
        is_over = abort or self.state == self.STATE_CLOSED
        super().dropConnection(abort)
        if self._outgoing is not None:
            self._outgoing.stop()
        if not is_over:
            self._give_up = self.server.loop.call_later(LONGEST_CLOSE, self.transport.abortConnection)

    def _write_message(self, data: bytes) -> None:
        """A message, in frames that are not the same for all."""
        first = self._first_byte
        if self.compression is not None:
            first |= COMPRESSED
            data = self.compression.compress(data)
        mask = self._mask if self.maskServerFrames else None
        self._way_out()(message_frames(first, data, size=self.autoFragmentSize, make_mask=mask))

    def _way_out(self) -> Callable[[bytes], None]:
        assert self._outgoing is not None  # noqa: S101 - attached before
        return self._outgoing.write if self._trace is None else self._trace_and_write

    def _trace_and_write(self, frames: bytes) -> None:
        assert self._outgoing is not None  # noqa: S101 - attached before
        assert self._trace is not None  # noqa: S101 - as _way_out() has found
        self._trace.sent(frames)
        self._outgoing.write(frames)

    def _mask(self) -> bytes:
        return os.urandom(4) if self.applyMask else bytes(4)

    def _scales(self) -> Pressure:
        assert self._connection is not None  # noqa: S101 - attached before
        assert self._options is not None  # noqa: S101 - a service has them
        bounds = Bounds.of(self._options)
        return Pressure(bounds, self.server.loop.call_later, self._connection.congested, self._overflowed)

    def _overflowed(self, waiting: int) -> None:
        """What waits is dropped, so that the peer, should it still read, learns why it is closed."""
        if self._outgoing is not None and self._connection is not None:
            self._outgoing.discard()
            self._connection.overflowed(waiting)


def protocol_with(
    options: WebSocketOptions, factory: Any, base: type[WampWebSocketProtocol] = WampWebSocketProtocol
) -> type[WampWebSocketProtocol]:
    """A subclass of ``base`` with the options, and with what Autobahn else copies from ``factory`` to each connection.

    That saves much of the time and memory that a connection costs.
    """
    settings = {name: getattr(factory, name) for name in base.CONFIG_ATTRS}
    settings |= attributes(options)
    settings |= {"CONFIG_ATTRS": (), "_options": options, "factory": factory}
    configured = type("ConfiguredProtocol", (base,), settings)
    return type("ConfiguredProtocol", (configured,), beginning(configured))


def _unheard(data: bytes) -> None:
    """Messages to a peer that has gone."""


def is_utf8(payload: bytes, *, is_all: bool = True) -> bool:
    """Whether ``payload`` is valid UTF-8, or, where it is not all there, may still become it."""
    if payload.isascii():
        return True
    try:
        utf_8_decode(payload, "strict", is_all)
    except UnicodeDecodeError:
        return False
    return True
