"""Connections between transports and sessions. A connection decodes received bytes and passes messages to the node.

A transport can carry several sessions, one after the other. Each begins with a HELLO.
"""

import gc
from collections.abc import Callable
from typing import Any, Final, Protocol

from ..router.memory_size import detach_part
from ..router.options import ServiceOptions
from ..serializers.serializer import Serializer
from ..wamp.errors import ProtocolViolation
from ..wamp.messages import Message
from ..wamp.payload import ABSENT

MAX_UNJOINED_BYTES: Final = 64 * 1024
"""Maximum size in bytes of a message before a session is established, even if the service allows larger messages.

The number has a second use: while a larger message of an established session is decoded, Python's cyclic garbage
collector is disabled. Decoding creates no cycles, so collections would only take time.
"""

TOO_LONG_UNJOINED: Final = (
    f"a message of more than {MAX_UNJOINED_BYTES} bytes, the limit until a session is established"
)

MAX_SHARED_BYTES: Final = 2048
"""Maximum size in bytes of a received message whose payload is never copied.

Undecoded payload is a view of the received bytes, which keeps all of them in memory. In a larger message, payload that
makes up less than half of the message is copied. Otherwise, a client could send large options that are ignored, and
they would stay in memory as long as the payload.
"""


class Receiver(Protocol):
    """The interface of a node that its connections use. Call all methods in the thread of the event loop."""

    def is_joining(self, connection: "Connection") -> bool:
        """Return whether the connection's session is not established yet."""
        ...

    def feed(self, connection: "Connection", message: Message) -> None:
        """Route a message. The effects, such as messages to send, can be delayed until :meth:`flush_effects`."""
        ...

    def flush_effects(self) -> None:
        """Carry out the effects of the routed messages, such as sending events to subscribers."""
        ...

    def violate(self, connection: "Connection", message: str) -> None:
        """End the session, because the peer violated the protocol. ``message`` describes the violation."""
        ...

    def report_bug(self, connection: "Connection") -> None:
        """Log the current exception, which is caused by a bug in this product, and end the session."""
        ...

    def lost(self, connection: "Connection") -> None:
        """Forget the connection, because its transport was closed or lost."""
        ...

    def set_congested(self, connection: "Connection", is_congested: bool) -> None:
        """Stop sending events and calls to a peer that reads too slowly. If ``is_congested`` is False, resume."""
        ...

    def close_slow_consumer(self, connection: "Connection", queued_bytes: int) -> None:
        """End the session, because its peer reads too slowly and ``queued_bytes`` bytes are queued for it."""
        ...


class ConnectionTransport(Protocol):
    """The interface through which a connection and the node use a transport."""

    def write(self, data: bytes) -> None:
        """Send the bytes of encoded messages, after all earlier bytes. This method must neither block nor raise."""
        ...

    def close(self, reason: str, message: str) -> None:
        """Close the transport after sending all queued bytes. ``reason`` is a URI. A second call does nothing."""
        ...

    def pause(self) -> None:
        """Stop reading from the peer. Messages that have already been read can still be delivered."""
        ...

    def resume(self) -> None:
        """Resume reading from the peer.

        This method must not deliver messages to the node before it returns, because the node is not ready to route
        them.
        """
        ...

    @property
    def queued_bytes(self) -> int:
        """The number of bytes that were passed to :meth:`write` but not yet sent."""
        ...

    @property
    def outgoing_limit(self) -> int:
        """The number of bytes that can stay queued indefinitely. If more are queued, the peer is considered slow."""
        ...


def detach_payload(message: Any, size: int) -> None:
    """Copy the payload of a message if the payload has fewer than ``size`` bytes.

    Undecoded payload is a view of the received bytes. After copying, these bytes can be freed.
    """
    args, kwargs = getattr(message, "args", ABSENT), getattr(message, "kwargs", ABSENT)
    if len(args) + len(kwargs) < size and not (args is ABSENT and kwargs is ABSENT):
        message.args, message.kwargs = detach_part(args), detach_part(kwargs)


class MessageEncoder:
    """A serializer for one kind of transport. A message is encoded once for all connections with the same encoder.

    ``frame`` adds the framing of the transport to a serialized message. If it is given, ``is_framed`` is True, and the
    bytes of several messages can be joined and written with one call.
    """

    __slots__ = ("_encode", "_frame", "is_framed", "serializer")

    def __init__(self, serializer: Serializer, frame: Callable[[bytes], bytes] | None = None) -> None:
        self.serializer = serializer
        self._encode = serializer.encode
        self._frame = frame
        self.is_framed = frame is not None

    def encode(self, message: Message, payload_format: str) -> bytes:
        """Return the bytes to write. Raises PayloadError if the serialization cannot represent the payload."""
        data = self._encode(message, payload_format)
        return data if self._frame is None else self._frame(data)


class Connection:
    """A transport and its current session.

    ``credentials`` is data from the handshake that authentication needs and the meta API does not show.
    ``session_id`` changes when a session ends and the node waits for another HELLO on the same transport.
    """

    __slots__ = (
        "_decode", "_node", "credentials", "encoder", "is_closed", "is_congested", "is_paused", "service",
        "session_id", "transport", "transport_details",
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
        self.is_paused = False
        """Whether the router has paused reading from the peer."""

    def receive(self, data: bytes) -> None:
        """Decode a message from the peer, route it, and carry out its effects.

        Ignore the message if the connection is closed.
        """
        self.feed(data)
        self.flush_effects()

    # Hot path.

    def feed(self, data: bytes) -> None:
        """Decode and route one of several messages from the peer. Call :meth:`flush_effects` after the last one."""
        if self.is_closed:
            return
        if len(data) > MAX_SHARED_BYTES:
            self._feed_large(data)
            return
        try:
            message = self._decode(data)
        except Exception as error:  # noqa: BLE001 - bytes that crash a decoder must not stop the node
            self._refuse(error)
        else:
            self._node.feed(self, message)

    def flush_effects(self) -> None:
        """Carry out the effects of the messages passed to :meth:`feed`, such as sending events to subscribers."""
        self._node.flush_effects()

    # End of the hot path.

    def _feed_large(self, data: bytes) -> None:
        """Decode and route a message of more than :data:`MAX_SHARED_BYTES`."""
        must_enable_gc = False
        if len(data) > MAX_UNJOINED_BYTES:
            if self.is_joining:
                self.violate(TOO_LONG_UNJOINED)
                return
            must_enable_gc = gc.isenabled()
            gc.disable()
        try:
            message = self._decode(data)
        except Exception as error:  # noqa: BLE001 - see feed()
            self._refuse(error)
        else:
            detach_payload(message, len(data) // 2)
            self._node.feed(self, message)
        finally:
            if must_enable_gc:
                gc.enable()

    def _refuse(self, error: Exception) -> None:
        """End the session because of an exception of the decoder. Call this while the exception is handled."""
        if isinstance(error, ProtocolViolation):
            self.violate(str(error))
        else:
            self._node.report_bug(self)

    @property
    def is_joining(self) -> bool:
        """Whether the session is not established yet."""
        return self._node.is_joining(self)

    def violate(self, message: str) -> None:
        """End the session, because the peer violated the protocol. ``message`` describes the violation."""
        self._node.violate(self, message)

    def lost(self) -> None:
        """Report to the node that the transport was closed or lost."""
        self._node.lost(self)

    def set_congested(self, is_congested: bool) -> None:
        """Stop sending events and calls to a peer that reads too slowly. If ``is_congested`` is False, resume."""
        self._node.set_congested(self, is_congested)

    def set_paused(self, is_paused: bool) -> None:
        """Pause or resume reading from the peer, as the router requests."""
        self.is_paused = is_paused
        if is_paused:
            self.transport.pause()
        else:
            self.transport.resume()

    def close_slow_consumer(self, queued_bytes: int) -> None:
        """End the session, because the peer reads too slowly and ``queued_bytes`` bytes are queued for it."""
        self._node.close_slow_consumer(self, queued_bytes)
