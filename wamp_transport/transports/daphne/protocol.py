"""The WebSocket protocol of this product's server: Autobahn's, with a fast path for common frames.

The parts of the fast path do not depend on Autobahn: :class:`~wamp_transport.transports.frame_reader.FrameReader` reads
common frames, :class:`~wamp_transport.transports.write_buffer.WriteBuffer` collects output, and
:class:`~wamp_transport.transports.read_gate.ReadGate` pauses reading. Fragments, control frames, violations and most of
the closing handshake are handled by Autobahn's own parser, which reads one frame at a time.
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
    """A WebSocket. It behaves like Daphne's protocol until a WAMP service attaches to ``direct``.

    ``self.data`` contains the bytes that were received and not read yet. Autobahn's parser reads its frames from there.
    """

    closeHandshakeTimeoutCall: Any
    maxMessagePayloadSize: int

    largest_short_frame = 0
    """Maximum payload in octets of the frames that the frame reader reads; -1 if it reads none."""

    message_timeout = 0.0
    """Seconds in which a message must be complete; 0 for no limit."""

    _is_closed_by_peer = False
    _abort_timer: asyncio.TimerHandle | None = None

    def __init__(self) -> None:
        super().__init__()
        self.direct = DaphneTransport(self)

    def onOpen(self) -> None:
        """Make the write buffer the producer, so that it is informed when the peer reads slowly."""
        super().onOpen()
        if self.direct.connection is not None:
            self.transport.unregisterProducer()
            self.transport.registerProducer(self.direct.write_buffer, True)
        self.transport.resumeProducing()

    # Hot path: once per read.

    def dataReceived(self, data: bytes) -> None:
        """Process bytes from the socket."""
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

        Not reentrant: call it from the event loop, never from code that handles a message or from a callback of
        Autobahn's parser.
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
                # Empty while the reader runs: code that handles a message can close or pause the connection, and must
                # find nothing to read then. The bytes that are left are put back afterwards.
                data, self.data = self.data, b""
                try:
                    self.data = reader.read(data, self.largest_short_frame)
                finally:
                    connection.flush_effects()
                if self.autoPingTimeoutCall and self.autoPingRestartOnAnyTraffic and len(self.data) < len(data):
                    self.cancel_ping_timeout()
                if not self.data or reader.next_step is WAIT:
                    return
                if reader.next_step is YIELD:
                    self._end_turn()
                    return
                if reader.next_step is STOP:
                    continue
            if not self.processData():  # can be true with no bytes left: the frame that has begun is empty
                break
            reader.frames_left -= 1  # twice for a frame: Autobahn's parser reads head and payload in two steps
            if reader.frames_left <= 0:
                self._end_turn()
        if self.state == self.STATE_CLOSING:
            self._look_for_close()

    # End of the hot path.

    def _look_for_close(self) -> None:
        """Read frames with Autobahn's parser until the peer's answer to our close, which can come after many others."""
        reader, gate = self.direct.reader, self.direct.gate
        while self.state == self.STATE_CLOSING and PauseReason.TURN not in gate.reasons and self.processData():
            reader.frames_left -= 1
            if reader.frames_left <= 0:
                self._end_turn()

    def _end_turn(self) -> None:
        """Serve other peers first: pause this one, and read the bytes that are left in the next turn."""
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
            # Only now: consumeData() has paused again if the bytes that were left take several turns.
            gate.read_on()

    def begin_close(self, code: int, reason: bytes) -> None:
        """Send a close frame for the router. No more messages are read or written after it."""
        # Not self.sendCloseFrame(): the router ends the session itself, so its loss must not be reported now.
        super().sendCloseFrame(code, reason)
        self.direct.stop()

    def sendCloseFrame(self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False) -> None:
        """Send a close frame that the peer has requested or caused. The session ends immediately."""
        super().sendCloseFrame(code, reasonUtf8, isReply)
        self.direct.stop()
        self.direct.lost()

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Send bytes that Autobahn creates (close, ping, pong, answer), after all bytes that were written before."""
        self._log_sent(data)
        if self.direct.connection is None:
            super().sendData(data, sync, chopsize)
        else:
            # Not in pieces of ``chopsize``: Autobahn would queue these, and later messages would overtake them.
            self.direct.write_buffer.send_after_flush(data)

    def onMessageFrameBegin(self, length: int) -> None:
        """Check the size of a frame. A compressed frame may be slightly larger than its message."""
        limit = self.maxMessagePayloadSize
        if self.is_message_compressed and limit:
            self.maxMessagePayloadSize = max_compressed_size(limit)
        super().onMessageFrameBegin(length)
        self.maxMessagePayloadSize = limit  # the limit of the message, which is checked when it is inflated

    def onFrameData(self, payload: bytes) -> bool | None:
        """Handle a piece of a frame. Drop it if it is of a control frame that is too large: Autobahn would store it."""
        begun: Any = self.current_frame
        if begun.opcode > 7 and begun.length > MAX_CONTROL_FRAME_BYTES:
            return None
        return super().onFrameData(payload)  # type: ignore[no-any-return]

    def onMessageFrame(self, payload: list[bytes]) -> None:
        """Handle a frame of a message. Drop empty pieces, because no limit counts them."""
        super().onMessageFrame([piece for piece in payload if piece])

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Deliver a message that Autobahn's parser has read."""
        if self.direct.connection is None:
            super().onMessage(payload, isBinary)
            return
        if self.is_message_compressed and len(payload) > LARGE_MESSAGE_BYTES:
            self._end_turn()
        self.direct.deliver(payload, is_binary=isBinary)

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> bool | None:
        """Handle the peer's close frame, or its answer to ours."""
        self._is_closed_by_peer = True
        return super().onCloseFrame(code, reasonRaw)  # type: ignore[no-any-return]

    def dropConnection(self, abort: bool = False) -> None:
        """Close the socket, and abort it later if the peer does not read its output.

        After a close frame from the peer the socket is not aborted immediately, so that the peer can read our answer.
        """
        is_gentle = self._is_closed_by_peer and self.direct.connection is not None and not self.failByDrop
        abort = abort and not is_gentle
        is_over = abort or self.state == self.STATE_CLOSED
        super().dropConnection(abort)
        self.direct.stop()
        if not is_over:
            self._abort_timer = self.server.loop.call_later(CLOSE_TIMEOUT_SECONDS, self.transport.abortConnection)

    def onClose(self, wasClean: bool, code: Any, reason: Any) -> None:
        """End the session after the socket is closed, which can happen before the handshake is answered."""
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        if (
            self.closeHandshakeTimeoutCall is not None
        ):  # Autobahn does not cancel it, so it would keep this object in memory
            self.closeHandshakeTimeoutCall.cancel()
            self.closeHandshakeTimeoutCall = None
        self.direct.lost()
        super().onClose(wasClean, code, reason)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """Break reference cycles after the socket is closed, so that the memory is freed immediately."""
        super().connectionLost(reason)
        self.direct.detach()
        self.is_closed = None

    def check_timeouts(self) -> None:
        """Report a message that takes too long. WAMP services do not use Daphne's pings and its limit of 24 hours."""
        if self.direct.connection is None:
            if self.state != self.STATE_CLOSED:
                super().check_timeouts()
        elif self.state == self.STATE_OPEN:
            is_incomplete = bool(self.data or self.inside_message or self.current_frame is not None)
            self.direct.check_message_time(is_incomplete=is_incomplete, seconds=self.message_timeout)


def protocol_with(
    options: WebSocketOptions, factory: Any, base: type[WampWebSocketProtocol] = WampWebSocketProtocol
) -> type[WampWebSocketProtocol]:
    """Return a subclass of ``base`` for the options of a path.

    It has all attributes that Autobahn would copy from ``factory`` to each connection. As class attributes they cost a
    connection neither time nor memory.
    """
    settings = {name: getattr(factory, name) for name in base.CONFIG_ATTRS}
    settings |= attributes(options)
    settings |= {"CONFIG_ATTRS": (), "_options": options, "factory": factory}
    configured = type("ConfiguredProtocol", (base,), settings)
    return type("ConfiguredProtocol", (configured,), initial_attributes(configured))


def max_compressed_size(size: int) -> int:
    """Return the maximum size of a message of ``size`` octets after compression, in the worst case."""
    return size + size // 8 + 64
