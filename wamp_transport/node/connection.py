"""One transport bound to one session: bytes in, messages to the router; messages out, bytes to the transport.

The transport stays; sessions on it may follow each other, each begun by a HELLO.
"""

import gc
from collections.abc import Callable
from typing import Any, Final, Protocol

from ..router.options import ServiceOptions
from ..serializers.serializer import Serializer
from ..wamp.errors import ProtocolViolation
from ..wamp.messages import Message

MAX_UNJOINED_BYTES: Final = 64 * 1024
"""Messages of more bytes are refused before a session is established, whatever the service allows.

Later they are decoded with Python's cyclic garbage collector off: decoding makes no cycles, and the collector would
visit all the new objects again and again.
"""


class Receiver(Protocol):
    """What a connection asks and tells its node."""

    def is_joining(self, connection: "Connection") -> bool:
        """Whether the connection's session is not established yet."""
        ...

    def accept(self, connection: "Connection", message: Message) -> None:
        """Route one message; what comes of it may wait for :meth:`settle`."""
        ...

    def settle(self) -> None:
        """Carry out what has come of messages."""
        ...

    def violate(self, connection: "Connection", message: str) -> None:
        """The peer sent what is no message."""
        ...

    def report_bug(self, connection: "Connection") -> None:
        """An exception that is no fault of the peer is being handled: tell of it and end the session."""
        ...

    def lost(self, connection: "Connection") -> None:
        """The connection's transport is gone."""
        ...

    def congested(self, connection: "Connection", is_congested: bool) -> None:
        """The connection's peer is to be left out, or no longer."""
        ...

    def overflowed(self, connection: "Connection", waiting: int) -> None:
        """The connection is to be closed, as ``waiting`` bytes wait for a peer that does not catch up."""
        ...


class ConnectionTransport(Protocol):
    """The transport of a connection, as the connection and its node use it."""

    def write(self, data: bytes) -> None:
        """Send the bytes of encoded messages after all bytes written before. Never block, never raise."""
        ...

    def close(self, reason: str, message: str) -> None:
        """Close the transport after the bytes written before. ``reason`` is a URI. A second call does nothing."""
        ...

    def pause(self) -> None:
        """Stop reading from the peer. Messages that were read before may still be delivered."""
        ...

    def resume(self) -> None:
        """Read from the peer again. No message is delivered before this call has returned."""
        ...

    @property
    def queued_bytes(self) -> int:
        """Bytes that were written and wait for the peer."""
        ...


class MessageEncoder:
    """A serializer for one kind of transport. Connections that share it can share the bytes that it returns.

    ``frame`` turns a serialized message into the bytes that are written to the transport. ``is_framed`` is true if
    there is such a function: then several messages can be written in one piece.
    """

    __slots__ = ("_encode", "_frame", "is_framed", "serializer")

    def __init__(self, serializer: Serializer, frame: Callable[[bytes], bytes] | None = None) -> None:
        self.serializer = serializer
        self._encode = serializer.encode
        self._frame = frame
        self.is_framed = frame is not None

    def encode(self, message: Message, payload_format: str) -> bytes:
        """Return the bytes to write. Raise PayloadError if the serialization cannot express the payload."""
        data = self._encode(message, payload_format)
        return data if self._frame is None else self._frame(data)


class Connection:
    """A transport and the session it carries now.

    ``credentials`` is what the handshake brought that is for authentication alone and told to nobody.
    """

    __slots__ = (
        "_decode", "_node", "credentials", "encoder", "is_closed", "is_congested", "service", "session_id",
        "transport", "transport_details",
    )  # fmt: skip

    def __init__(
        self,
        node: Receiver,
        service: ServiceOptions,
        encoder: MessageEncoder,
        transport: ConnectionTransport,
        session_id: int,
        transport_details: dict[str, Any] | None = None,
    ) -> None:
        self._node = node
        self._decode = encoder.serializer.decode
        self.service = service
        self.encoder = encoder
        self.transport = transport
        self.session_id = session_id
        self.transport_details = transport_details
        self.credentials: Any = None
        self.is_closed = False
        self.is_congested = False

    def receive(self, data: bytes) -> None:
        """One message from the peer, as bytes. After the close nothing counts."""
        self.accept(data)
        self.settle()

    # Hot path.

    def accept(self, data: bytes) -> None:
        """One of several messages from the peer; :meth:`settle` must follow."""
        if self.is_closed:
            return
        rests = False
        if len(data) > MAX_UNJOINED_BYTES:
            if self._node.is_joining(self):
                limit = MAX_UNJOINED_BYTES
                self.violate(f"a message of {len(data)} bytes, and {limit} are allowed before a session is established")
                return
            rests = gc.isenabled()
            gc.disable()
        try:
            message = self._decode(data)
        except ProtocolViolation as violation:
            self.violate(str(violation))
        except Exception:  # noqa: BLE001 - whatever bytes do to a decoder, the node goes on
            self._node.report_bug(self)
        else:
            self._node.accept(self, message)
        finally:
            if rests:
                gc.enable()

    def settle(self) -> None:
        """All messages that there are for now have been accepted."""
        self._node.settle()

    # End of the hot path.

    def violate(self, message: str) -> None:
        """The peer sent what is no message."""
        self._node.violate(self, message)

    def lost(self) -> None:
        """The transport is gone."""
        self._node.lost(self)

    def congested(self, is_congested: bool) -> None:
        """The peer reads too slowly: it misses events, and gets no calls; or it has caught up."""
        self._node.congested(self, is_congested)

    def overflowed(self, waiting: int) -> None:
        """The peer has read too slowly for too long: ``waiting`` bytes wait for it."""
        self._node.overflowed(self, waiting)
