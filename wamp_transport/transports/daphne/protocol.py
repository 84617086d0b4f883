"""The WebSocket protocol of this product's server: Autobahn's protocol with a fast path for common frames.

The fast path consists of classes that do not depend on Autobahn:
:class:`~wamp_transport.transports.frame_reader.FrameReader` reads common frames,
:class:`~wamp_transport.transports.write_buffer.WriteBuffer` collects output, and
:class:`~wamp_transport.transports.read_gate.ReadGate` pauses reading. Fragments, control frames, violations and most of
the closing handshake are handled by Autobahn's own parser, which reads one frame at a time.
"""

import asyncio
from typing import Any, Final

from twisted.internet.protocol import connectionDone

from ...config.websocket import WebSocketOptions
from ..frame_reader import FRAMES_PER_TURN, LARGE_MESSAGE_BYTES, STOP, WAIT, YIELD
from ..read_gate import PauseReason
from ..unfinished_messages import MIN_COUNTED_BYTES, PIECE_BYTES
from .direct_transport import DaphneTransport
from .handshake import HandshakeProtocol, initial_attributes
from .options import CLOSE_TIMEOUT_SECONDS, attributes

MAX_CONTROL_FRAME_BYTES: Final = 125
"""Maximum payload of a control frame in octets; RFC 6455, section 5.5."""


class WampWebSocketProtocol(HandshakeProtocol):
    """The protocol of a WebSocket. It behaves like Daphne's until a WAMP service attaches a connection to ``direct``.

    ``self.data`` contains the received bytes that have not been parsed yet. Autobahn's parser reads its frames from
    this buffer.
    """

    closeHandshakeTimeoutCall: Any
    maxMessagePayloadSize: int

    largest_short_frame = 0
    """The maximum payload of frames that the frame reader handles, in octets; -1 to use only Autobahn's parser."""

    message_timeout = 0.0
    """The time in seconds within which a message must be complete; 0 for no limit."""

    _piece_bytes = 0
    """The memory in bytes of the pieces of an incomplete message that Autobahn's parser has read."""

    _is_closed_by_peer = False
    _abort_timer: asyncio.TimerHandle | None = None

    def __init__(self) -> None:
        super().__init__()
        self.direct = DaphneTransport(self)

    def onOpen(self) -> None:
        """Register the write buffer with the transport, which then pauses the buffer when the peer reads slowly."""
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
        """Read the received bytes: common frames with the frame reader, other frames with Autobahn's parser.

        This method is not reentrant. Call it from the event loop, never from code that handles a message or from a
        callback of Autobahn's parser.
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
                # The buffer is empty while the reader runs: code that handles a message can close or pause the
                # connection, and must find nothing to read then. The remaining bytes are put back afterwards.
                data, self.data = self.data, b""
                try:
                    self.data = reader.read(data, self.largest_short_frame)
                finally:
                    connection.flush_effects()
                if self.autoPingTimeoutCall and self.autoPingRestartOnAnyTraffic and len(self.data) < len(data):
                    self.cancel_ping_timeout()
                if not self.data or reader.next_step is WAIT:
                    if direct.is_counted or len(self.data) >= MIN_COUNTED_BYTES:
                        direct.count_unfinished(len(self.data) + reader.awaited_bytes)
                    return
                if reader.next_step is YIELD:
                    self._end_turn()
                    return
                if reader.next_step is STOP:
                    continue
            if not self.processData():  # also true if no bytes remain but the current frame is empty
                break
            reader.frames_left -= 1  # a frame counts twice, because Autobahn's parser reads head and payload separately
            if reader.frames_left <= 0:
                self._end_turn()
        self._look_for_close()

    # End of the hot path.

    def _look_for_close(self) -> None:
        """If the router has sent a close frame, read frames with Autobahn's parser until the peer replies to it.

        The peer can have sent many other frames before this reply.
        """
        direct = self.direct
        while self.state == self.STATE_CLOSING and PauseReason.TURN not in direct.gate.reasons and self.processData():
            direct.reader.frames_left -= 1
            if direct.reader.frames_left <= 0:
                self._end_turn()

    def _end_turn(self) -> None:
        """Pause this peer to serve others, and read the remaining bytes in the next turn."""
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
            # Do not resume earlier: consumeData() pauses again if the remaining bytes take several turns.
            gate.read_on()

    def begin_close(self, code: int, reason: bytes) -> None:
        """Send a close frame, because the router closes the connection. Afterwards, no messages are read or written."""
        # Do not call self.sendCloseFrame(), which also ends the session: the router ends this session itself.
        super().sendCloseFrame(code, reason)
        self.direct.stop()

    def drop_message(self) -> None:
        """Close the socket without reading the rest of an incomplete message, and free the memory of the message.

        Call this after the close frame was sent, from the event loop.
        """
        self.dropConnection()
        self.direct.reader.take_collected(b"")
        self.data = b""
        self.frame_data = self.message_data = None

    def sendCloseFrame(self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False) -> None:
        """Send a close frame, in reply to the peer's or because of an error, and end the session immediately."""
        super().sendCloseFrame(code, reasonUtf8, isReply)
        self.direct.stop()
        self.direct.lost()

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Send bytes that Autobahn creates (close, ping, pong, HTTP response) after all bytes written earlier."""
        self._log_sent(data)
        if self.direct.connection is None:
            super().sendData(data, sync, chopsize)
        else:
            # Ignore ``chopsize``: Autobahn would queue the pieces, and later messages would overtake them.
            self.direct.write_buffer.send_after_flush(data)

    def onMessageFrameBegin(self, length: int) -> None:
        """Check the size of a frame. A compressed frame may be slightly larger than the limit for messages."""
        limit = self.maxMessagePayloadSize
        if self.is_message_compressed and limit:
            self.maxMessagePayloadSize = max_compressed_size(limit)
        super().onMessageFrameBegin(length)
        self.maxMessagePayloadSize = limit  # a compressed message is checked again when it is decompressed

    def onFrameData(self, payload: bytes) -> bool | None:
        """Handle a piece of a frame.

        Drop the pieces of control frames that are too large, because Autobahn would keep them in memory.
        """
        begun: Any = self.current_frame
        if begun.opcode > 7 and begun.length > MAX_CONTROL_FRAME_BYTES:
            return None
        return super().onFrameData(payload)  # type: ignore[no-any-return]

    def onMessageFrameData(self, payload: bytes) -> None:
        """Store a piece of a message, which is already decompressed, and count the memory that all pieces take."""
        super().onMessageFrameData(payload)
        self._piece_bytes += len(payload) + PIECE_BYTES
        if self._piece_bytes >= MIN_COUNTED_BYTES and self.direct.connection is not None:
            self.direct.count_unfinished(self._piece_bytes)

    def onMessageFrame(self, payload: list[bytes]) -> None:
        """Handle a frame of a message. Drop empty pieces, because Autobahn would store any number of them."""
        super().onMessageFrame([piece for piece in payload if piece])

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Deliver a message that Autobahn's parser has read."""
        self._piece_bytes = 0
        if self.direct.connection is None:
            super().onMessage(payload, isBinary)
            return
        if self.direct.is_counted:
            self.direct.count_unfinished(0)
        if self.is_message_compressed and len(payload) > LARGE_MESSAGE_BYTES:
            self._end_turn()
        self.direct.deliver(payload, is_binary=isBinary)

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> bool | None:
        """Handle a close frame from the peer, which can be the reply to the router's close frame."""
        self._is_closed_by_peer = True
        return super().onCloseFrame(code, reasonRaw)  # type: ignore[no-any-return]

    def dropConnection(self, abort: bool = False) -> None:
        """Close the socket. If the peer does not read the remaining output in time, abort the connection.

        If the peer has sent a close frame, the connection is not aborted immediately even if ``abort`` is true, so that
        the peer can read the reply.
        """
        is_gentle = self._is_closed_by_peer and self.direct.connection is not None and not self.failByDrop
        abort = abort and not is_gentle
        is_over = abort or self.state == self.STATE_CLOSED
        super().dropConnection(abort)
        self.direct.stop()
        if not is_over:
            self._abort_timer = self.server.loop.call_later(CLOSE_TIMEOUT_SECONDS, self.transport.abortConnection)

    def onClose(self, wasClean: bool, code: Any, reason: Any) -> None:
        """End the session after the socket was closed. This can happen before the handshake is complete."""
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
        """Report a violation if the peer takes too long to send a message.

        This check replaces Daphne's own, because WAMP services use neither Daphne's pings nor its limit of 24 hours.
        """
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

    The values that Autobahn would copy from ``factory`` to each connection are class attributes of the subclass, which
    saves time and memory per connection.
    """
    settings = {name: getattr(factory, name) for name in base.CONFIG_ATTRS}
    settings |= attributes(options)
    settings |= {"CONFIG_ATTRS": (), "_options": options, "factory": factory}
    configured = type("ConfiguredProtocol", (base,), settings)
    return type("ConfiguredProtocol", (configured,), initial_attributes(configured))


def max_compressed_size(size: int) -> int:
    """Return the maximum size to accept for the compressed form of a message of ``size`` octets."""
    return size + size // 8 + 64
