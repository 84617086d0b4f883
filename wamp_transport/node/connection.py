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

LONG: Final = 64 * 1024
"""Bytes that a message may have before there is a session, whatever its service allows.

Longer ones are decoded while the collector of cycles rests: decoding makes none, and it would look at all that is made
again and again.
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


class Link(Protocol):
    """What a transport offers a connection."""

    def write(self, data: bytes) -> None:
        """Send bytes that a lane has encoded, after all written before. Never blocks, never raises."""
        ...

    def close(self, reason: str, message: str) -> None:
        """Close the transport after what was written. ``reason`` is a URI; calling it again does nothing."""
        ...

    def pause(self) -> None:
        """Read the peer no further. What was read before may still come."""
        ...

    def resume(self) -> None:
        """Read on, not before this call has returned."""
        ...

    @property
    def queued_bytes(self) -> int:
        """Bytes that were written and wait for the peer."""
        ...


class Lane:
    """One serializer on one kind of transport. What it encodes is the same for all connections on it.

    ``frame`` turns a serialized message into the bytes that go to the link. ``is_framed``: whether it does, so that
    several messages may go to the link in one piece.
    """

    __slots__ = ("_encode", "_frame", "is_framed", "serializer")

    def __init__(self, serializer: Serializer, frame: Callable[[bytes], bytes] | None = None) -> None:
        self.serializer = serializer
        self._encode = serializer.encode
        self._frame = frame
        self.is_framed = frame is not None

    def encode(self, message: Message, payload_format: str) -> bytes:
        """The bytes to write. Raises PayloadError where the payload cannot be said."""
        data = self._encode(message, payload_format)
        return data if self._frame is None else self._frame(data)


class Connection:
    """A transport and the session it carries now.

    ``credentials`` is what the handshake brought that is for authentication alone and told to nobody.
    """

    __slots__ = (
        "_decode", "_node", "credentials", "is_closed", "is_congested", "lane", "link", "service", "session_id",
        "transport",
    )  # fmt: skip

    def __init__(
        self,
        node: Receiver,
        service: ServiceOptions,
        lane: Lane,
        link: Link,
        session_id: int,
        transport: dict[str, Any] | None = None,
    ) -> None:
        self._node = node
        self._decode = lane.serializer.decode
        self.service = service
        self.lane = lane
        self.link = link
        self.session_id = session_id
        self.transport = transport
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
        if len(data) > LONG:
            if self._node.is_joining(self):
                self.violate(f"a message of {len(data)} bytes, and {LONG} are allowed before a session is established")
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
