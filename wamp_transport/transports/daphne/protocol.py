"""The WebSocket protocol of this product's server: Autobahn's, with the fast path for the common frame.

The parts that do the work know nothing of Autobahn: :class:`~wamp_transport.transports.frame_reader.FrameReader` reads
frames of the common shape, :class:`~wamp_transport.transports.write_buffer.WriteBuffer` collects output, and
:class:`~wamp_transport.transports.read_gate.ReadGate` says when the peer is read. Fragments, control frames, violations
and most of the closing handshake stay with Autobahn's own parser, which reads one frame at a time.
"""

import asyncio
from typing import Any, Final

from twisted.internet.protocol import connectionDone

from ...config.websocket import WebSocketOptions
from ..frame_reader import FRAMES_PER_TURN, LARGE_MESSAGE_BYTES, STOP, WAIT, YIELD
from ..read_gate import PauseReason
from .direct_transport import DaphneTransport
from .handshake import HandshakeProtocol, initial_attributes
from .options import CLOSE_TIMEOUT_SECONDS, attributes

MAX_CONTROL_FRAME_BYTES: Final = 125
"""Octets that a control frame may have; RFC 6455, section 5.5."""


class WampWebSocketProtocol(HandshakeProtocol):
    """One WebSocket. Unless a WAMP service attaches to ``direct``, it is Daphne's protocol as it was.

    ``self.data`` holds the bytes that were received and not read yet. Autobahn's parser takes its frames from there.
    """

    closeHandshakeTimeoutCall: Any
    maxMessagePayloadSize: int

    largest_short_frame = 0
    """Octets of the largest payload that the frame reader takes; -1: it takes none."""

    message_timeout = 0.0
    """Seconds in which a message must come whole; 0: any time."""

    _is_closed_by_peer = False
    _abort_timer: asyncio.TimerHandle | None = None

    def __init__(self) -> None:
        super().__init__()
        self.direct = DaphneTransport(self)

    def onOpen(self) -> None:
        """Watch how fast the peer reads, now that the handshake is done."""
        super().onOpen()
        if self.direct.connection is not None:
            self.transport.unregisterProducer()
            self.transport.registerProducer(self.direct.write_buffer, True)
        self.transport.resumeProducing()

    # Hot path: once per read.

    def dataReceived(self, data: bytes) -> None:
        """Take bytes from the socket."""
        direct = self.direct
        if direct.connection is None:
            super().dataReceived(data)
        elif not direct.reader.awaited_bytes:
            self.data = self.data + data if self.data else data
            self.consumeData()
        elif direct.reader.collect(data):
            self.consumeData()

    def consumeData(self) -> None:
        """Read the received bytes: common frames with the frame reader, any other frame with Autobahn's parser.

        The loop may call this for later bytes only: neither a message that is delivered nor Autobahn's callbacks may.
        While the frame reader runs, ``self.data`` is empty. So whatever a message leads to (a close, a pause, the loss
        of the socket) finds nothing to read there, and the bytes left are put back when the reader has returned.
        """
        direct = self.direct
        connection = direct.connection
        if connection is None or self.state == self.STATE_CONNECTING:
            super().consumeData()
            return
        reader, gate = direct.reader, direct.gate
        if reader.awaited_bytes:
            self.data = reader.take_collected(self.data)
        reader.frames_left = FRAMES_PER_TURN
        while self.state == self.STATE_OPEN and not gate.holds_input:
            if self.current_frame is None and not self.inside_message:
                data, self.data = self.data, b""
                try:
                    self.data = reader.read(data, self.largest_short_frame)
                finally:
                    connection.settle()
                if self.autoPingTimeoutCall and self.autoPingRestartOnAnyTraffic and len(self.data) < len(data):
                    self.cancel_ping_timeout()
                if not self.data or reader.next_step is WAIT:
                    return
                if reader.next_step is YIELD:
                    self._end_turn()
                    return
                if reader.next_step is STOP:
                    continue
            if not self.processData():  # true with no bytes left: the frame just begun is an empty one
                break
            reader.frames_left -= 1  # twice for a frame: Autobahn's parser takes two steps, head and payload
            if reader.frames_left <= 0:
                self._end_turn()
        if self.state == self.STATE_CLOSING:
            self._look_for_close()

    # End of the hot path.

    def _look_for_close(self) -> None:
        """Read on with Autobahn's parser to the peer's answer to our close; many frames may come before it."""
        reader, gate = self.direct.reader, self.direct.gate
        while self.state == self.STATE_CLOSING and PauseReason.TURN not in gate.reasons and self.processData():
            reader.frames_left -= 1
            if reader.frames_left <= 0:
                self._end_turn()

    def _end_turn(self) -> None:
        """Let other peers have their turn. The bytes left wait for the next one; nothing is read meanwhile."""
        direct = self.direct
        if self.data and direct.connection is not None and PauseReason.TURN not in direct.gate.reasons:
            direct.gate.pause(PauseReason.TURN)
            self.server.loop.call_soon(self._begin_turn)

    def _begin_turn(self) -> None:
        if self.direct.connection is None:
            return
        gate = self.direct.gate
        gate.withdraw(PauseReason.TURN)
        self.consumeData()
        if self.state != self.STATE_CLOSED:
            gate.read_on()  # not before: bytes that are left may take many turns

    def begin_close(self, code: int, reason: bytes) -> None:
        """Send a close that the router asks for. Nothing is read or written after it."""
        super().sendCloseFrame(code, reason)
        self.direct.stop()

    def sendCloseFrame(self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False) -> None:
        """Send a close that the peer began or provoked. The session ends now, whatever the peer does next."""
        super().sendCloseFrame(code, reasonUtf8, isReply)
        self.direct.stop()
        self.direct.lost()

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Send bytes of Autobahn's own (close, ping, pong, an answer), after all that was written before."""
        self._log_sent(data)
        if self.direct.connection is None:
            super().sendData(data, sync, chopsize)
        else:
            # Not in pieces of ``chopsize``: those would wait in a queue of Autobahn's, and be overtaken.
            self.direct.write_buffer.send_after_flush(data)

    def onMessageFrameBegin(self, length: int) -> None:
        """Check the size of a frame. One that is compressed may be a little longer on the wire than its message."""
        limit = self.maxMessagePayloadSize
        if self.is_message_compressed and limit:
            self.maxMessagePayloadSize = max_compressed_size(limit)
        super().onMessageFrameBegin(length)
        self.maxMessagePayloadSize = limit

    def onFrameData(self, payload: bytes) -> bool | None:
        """Take a piece of a frame. Autobahn would keep all of a control frame that is refused as too long."""
        begun: Any = self.current_frame
        if begun.opcode > 7 and begun.length > MAX_CONTROL_FRAME_BYTES:
            return None
        return super().onFrameData(payload)  # type: ignore[no-any-return]

    def onMessageFrame(self, payload: list[bytes]) -> None:
        """Take a frame of a message. No limit counts the pieces that are empty, so they are not kept."""
        super().onMessageFrame([piece for piece in payload if piece])

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Take a message that Autobahn's parser has read."""
        if self.direct.connection is None:
            super().onMessage(payload, isBinary)
            return
        if self.is_message_compressed and len(payload) > LARGE_MESSAGE_BYTES:
            self._end_turn()
        self.direct.deliver(payload, is_binary=isBinary)

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> bool | None:
        """Take the peer's close, or its answer to ours."""
        self._is_closed_by_peer = True
        return super().onCloseFrame(code, reasonRaw)  # type: ignore[no-any-return]

    def dropConnection(self, abort: bool = False) -> None:
        """Close the socket. A peer that does not read its output cannot hold it open.

        After a close of the peer nothing is aborted, so that it can read what was wrong with it.
        """
        is_gentle = self._is_closed_by_peer and self.direct.connection is not None and not self.failByDrop
        abort = abort and not is_gentle
        is_over = abort or self.state == self.STATE_CLOSED
        super().dropConnection(abort)
        self.direct.stop()
        if not is_over:
            self._abort_timer = self.server.loop.call_later(CLOSE_TIMEOUT_SECONDS, self.transport.abortConnection)

    def onClose(self, wasClean: bool, code: Any, reason: Any) -> None:
        """End the session, as the socket is closed, perhaps before the handshake was answered."""
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        if self.closeHandshakeTimeoutCall is not None:  # Autobahn leaves it, and it would keep all this in memory
            self.closeHandshakeTimeoutCall.cancel()
            self.closeHandshakeTimeoutCall = None
        self.direct.lost()
        super().onClose(wasClean, code, reason)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """Break the circles of references, as the socket is closed and everybody knows."""
        super().connectionLost(reason)
        self.direct.detach()
        self.is_closed = None

    def check_timeouts(self) -> None:
        """Find messages that take too long. Daphne's own limit of a day and its pings are not for WAMP services."""
        if self.direct.connection is None:
            if self.state != self.STATE_CLOSED:
                super().check_timeouts()
        elif self.state == self.STATE_OPEN:
            is_incomplete = bool(self.data or self.inside_message or self.current_frame is not None)
            self.direct.check_message_time(is_incomplete=is_incomplete, seconds=self.message_timeout)


def protocol_with(
    options: WebSocketOptions, factory: Any, base: type[WampWebSocketProtocol] = WampWebSocketProtocol
) -> type[WampWebSocketProtocol]:
    """Return a subclass of ``base`` with the options, and with what Autobahn would copy to each connection.

    It would come from ``factory``. As attributes of a class it costs a connection neither time nor memory.
    """
    settings = {name: getattr(factory, name) for name in base.CONFIG_ATTRS}
    settings |= attributes(options)
    settings |= {"CONFIG_ATTRS": (), "_options": options, "factory": factory}
    configured = type("ConfiguredProtocol", (base,), settings)
    return type("ConfiguredProtocol", (configured,), initial_attributes(configured))


def max_compressed_size(size: int) -> int:
    """Return the octets that a message of ``size`` may have when it is compressed, however badly that works."""
    return size + size // 8 + 64
