"""Pass messages directly between a WebSocket of this product's server and a WAMP connection, without ASGI events."""

import logging
from collections.abc import Callable
from typing import Any

from autobahn.exception import PayloadCorruptError, PayloadExceededError

from ...compat.twisted import DirectSocket
from ...node.connection import MAX_UNJOINED_BYTES, TOO_LONG_UNJOINED, Connection, MessageEncoder
from ...serializers.serializer import Serializer
from ...wamp.errors import PAYLOAD_SIZE_EXCEEDED
from ..backpressure import Bounds, SlowConsumerMonitor
from ..close_codes import close_code, close_text
from ..consumer import wrong_kind
from ..encoders import PLAIN_ENCODERS, WEBSOCKET_ENCODERS, compressed_encoder
from ..frame_reader import FrameReader, is_utf8
from ..frames import BINARY, TEXT, MessageFramer, random_mask, zero_mask
from ..read_gate import PauseReason, ReadGate
from ..write_buffer import WriteBuffer
from .options import restart_pings, stop_pings

logger = logging.getLogger(__name__)

NOT_UTF8 = "text that is not valid UTF-8"
TOO_MANY_UNFINISHED = "the incomplete messages of all clients are too large; this one has been incomplete longest"


class DaphneTransport:
    """A :class:`~wamp_transport.transports.consumer.DirectTransport` for an open connection.

    ``reader``, ``gate`` and ``write_buffer`` are available while ``connection`` is not None, from :meth:`attach` to
    :meth:`detach`. ``protocol`` is the WebSocket's protocol, which stores received bytes until they are parsed.
    """

    __slots__ = (
        "_is_binary",
        "_is_ending",
        "_protocol",
        "connection",
        "gate",
        "is_counted",
        "reader",
        "write",
        "write_buffer",
    )

    connection: Connection | None
    gate: ReadGate
    reader: FrameReader
    write_buffer: WriteBuffer

    write: Callable[[bytes], None]
    """A function that sends the bytes of an encoded message.

    It is an attribute instead of a method, to save a call: if the bytes are complete frames, it is the write buffer's
    own method.
    """

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._is_binary = False
        self._is_ending = False
        """Whether the connection will be closed soon because of an incomplete message."""
        self.connection = None
        self.is_counted = False
        """Whether the total size of all peers' incomplete messages includes a message of this peer."""
        self.write = discard

    def encoder(self, serializer: Serializer) -> MessageEncoder:
        """Return the encoder that produces bytes for :attr:`write`."""
        protocol = self._protocol
        if protocol is None or not protocol.is_framed:
            return PLAIN_ENCODERS[serializer.name]
        if protocol.compression is None:
            return WEBSOCKET_ENCODERS[serializer.name]
        agreed = protocol.compression.parameters
        return compressed_encoder(serializer.name, agreed.our_window, agreed.memory_level)

    def attach(self, connection: Connection, *, is_binary: bool) -> None:
        """Deliver messages to ``connection`` from now on. The ASGI application receives no events after this."""
        protocol = self._protocol
        if protocol is None or protocol.state == protocol.STATE_CLOSED:
            connection.lost()  # the client has disconnected during the handshake
            return
        transport = protocol.transport
        is_plain = isinstance(transport, DirectSocket) and not getattr(transport, "TLS", False)
        inflate = None if protocol.compression is None else self._inflate
        self._is_binary = is_binary
        self.gate = ReadGate(transport)
        self.reader = FrameReader(connection.feed, is_binary=is_binary, inflate=inflate)
        self.write_buffer = WriteBuffer(
            transport, self.gate, protocol.server.flush_soon, self._make_monitor, writes_through=is_plain
        )
        self.write = self._make_writer()
        # Set this last: if the connection is not None, other code relies on the other attributes.
        self.connection = connection
        protocol.muted = True
        protocol.application_queue = None

    def detach(self) -> None:
        """Release the connection after the socket was closed.

        Break reference cycles, so that the memory of the connection is freed immediately.
        """
        self.write = discard
        if self.connection is not None:
            if self.is_counted:
                self.count_unfinished(0)
            self.connection = None
            self.reader.interrupt()
            del self.gate, self.reader, self.write_buffer
        self._protocol = None

    def deliver(self, payload: bytes, *, is_binary: bool) -> None:
        """Deliver a message that Autobahn's parser has read."""
        connection = self.connection
        if connection is None:
            return
        self.reader.incomplete_since = 0.0
        if is_binary != self._is_binary:
            connection.violate(wrong_kind(is_binary=not is_binary))
        elif not is_binary and not self._protocol.utf8validateIncoming and not is_utf8(payload):
            connection.violate(NOT_UTF8)
        else:
            connection.receive(payload)

    def close(self, reason: str, message: str) -> None:
        """Close the WebSocket.

        This does not end the session. The router ends the session itself, at the latest when the socket is closed.
        """
        protocol = self._protocol
        if self.connection is not None and protocol.state == protocol.STATE_OPEN:
            protocol.begin_close(close_code(reason), close_text(reason, message).encode())

    def pause(self) -> None:
        """Stop reading from the peer. Stop pings as well, because the replies to them would not be read."""
        if self.connection is not None:
            self.reader.interrupt()
            self.gate.pause(PauseReason.ROUTER)
            stop_pings(self._protocol)

    def resume(self) -> None:
        if self.connection is None or PauseReason.ROUTER not in self.gate.reasons:
            return
        protocol = self._protocol
        self.gate.resume(PauseReason.ROUTER)
        if protocol.state == protocol.STATE_OPEN:
            restart_pings(protocol)
        # Read the bytes that were received before the pause, but in a later turn of the event loop: consumeData() is
        # not reentrant, and the caller could be handling a message.
        protocol.server.loop.call_soon(protocol.consumeData)

    @property
    def queued_bytes(self) -> int:
        """The number of bytes that have been written but not sent yet."""
        return 0 if self.connection is None else self.write_buffer.queued_bytes

    @property
    def outgoing_limit(self) -> int:
        """The number of bytes that can stay queued indefinitely."""
        return Bounds.of(self._protocol._options).limit if self._protocol is not None else 0

    def stop(self) -> None:
        """Stop reading and writing messages, because the WebSocket is no longer open."""
        if self.connection is not None:
            self.reader.interrupt()
            self.write_buffer.stop()

    def lost(self) -> None:
        """End the session immediately, even if the socket is still open."""
        if self.connection is not None:
            self.connection.lost()

    def count_unfinished(self, size: int) -> None:
        """Set the memory in bytes that an incomplete message takes; 0 if the message is complete or discarded.

        Close the connection soon if the message is too long for a client that has not joined a realm yet.
        """
        if size > MAX_UNJOINED_BYTES and self.connection is not None and self.connection.is_joining:
            self._end_soon(None)
        if self._is_ending:
            size = 0
        self.is_counted = self._protocol.server.unfinished_messages.update(self, size)

    def give_up_message(self) -> None:
        """Close the connection soon, because the incomplete messages of all peers together take too much memory."""
        self.is_counted = False
        self._end_soon(PAYLOAD_SIZE_EXCEEDED)

    def _end_soon(self, reason: str | None) -> None:
        """Close the connection in the next turn of the event loop; see :meth:`_end_message` for ``reason``.

        Autobahn's parser can be running now, and the connection must not be closed while the parser runs.
        """
        if not self._is_ending:
            self._is_ending = True
            self._protocol.server.loop.call_soon(self._end_message, reason)

    def _end_message(self, reason: str | None) -> None:
        """Close the connection in the middle of a message.

        ``reason`` is the URI for the client. None means that the client has violated the protocol.
        """
        protocol, connection = self._protocol, self.connection
        if connection is None or protocol.state == protocol.STATE_CLOSED:
            return
        if protocol.state == protocol.STATE_CLOSING:
            pass  # the client sends a message instead of its close frame
        elif reason is None:
            connection.violate(TOO_LONG_UNJOINED)
        else:
            logger.warning("Session %s is closed, because %s", connection.session_id, TOO_MANY_UNFINISHED)
            self.close(reason, TOO_MANY_UNFINISHED)
            self.lost()
        protocol.drop_message()

    def check_message_time(self, *, is_incomplete: bool, seconds: float) -> None:
        """Report a violation if a message has been incomplete for more than ``seconds``; 0 for no limit.

        ``is_incomplete`` is true if the last message is incomplete. If reading is paused, the time is measured from the
        end of the pause, because the peer is not responsible for pauses.
        """
        if self.connection is None:
            return
        reader, now = self.reader, self._protocol.server.loop.time()
        if not is_incomplete or self.gate.reasons:
            reader.incomplete_since = 0.0
        elif not reader.incomplete_since:
            reader.incomplete_since = now
        elif 0 < seconds < now - reader.incomplete_since:
            self.connection.violate(f"a message was not complete within {seconds:g} seconds")

    def _inflate(self, payload: bytes) -> bytes | None:
        """Decompress the payload of a message. If it is invalid or too large, close the connection and return None."""
        protocol, limit = self._protocol, self._protocol.maxMessagePayloadSize
        try:
            message: bytes = protocol.compression.decompress(payload, limit)
        except PayloadExceededError:
            protocol.wasMaxMessagePayloadSizeExceeded = True
            protocol.fail_with_large_message(limit, limit, f"the message has more than {limit} octets when inflated")
        except PayloadCorruptError as fault:
            protocol.fail_with_invalid_payload(f"the message cannot be inflated: {fault}")
        else:
            if self._is_binary or is_utf8(message):
                return message
            if protocol.utf8validateIncoming:
                protocol.fail_with_invalid_payload("the message is not valid UTF-8")
            elif self.connection is not None:
                self.connection.violate(NOT_UTF8)
        return None

    def _make_writer(self) -> Callable[[bytes], None]:
        """Return the function for :attr:`write`, which frames, compresses and logs messages if necessary."""
        protocol = self._protocol
        write = self.write_buffer.write
        if protocol._trace is not None:
            write = protocol._trace.traced(write)
        if protocol.is_framed:
            return write  # the encoder returns complete frames
        compression, mask = protocol.compression, random_mask if protocol.applyMask else zero_mask
        return MessageFramer(
            write,
            BINARY if self._is_binary else TEXT,
            compress=None if compression is None else compression.compress,
            max_payload=protocol.autoFragmentSize,
            make_mask=mask if protocol.maskServerFrames else None,
        ).write

    def _make_monitor(self) -> SlowConsumerMonitor:
        protocol, connection = self._protocol, self.connection
        assert connection is not None  # noqa: S101 - only the write buffer of a connection calls this
        call_later = protocol.server.loop.call_later
        return SlowConsumerMonitor(
            Bounds.of(protocol._options), call_later, connection.set_congested, self._on_overflow
        )

    def _on_overflow(self, queued_bytes: int) -> None:
        """Disconnect a slow peer. Drop the queued bytes, so that the peer receives the reason if it starts to read."""
        if self.connection is not None:
            self.write_buffer.discard()
            self.connection.close_slow_consumer(queued_bytes)


def discard(data: bytes) -> None:
    """Discard the bytes, because no connection is attached."""
