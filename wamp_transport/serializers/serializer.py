"""The interface of serializers."""

from typing import Any, Protocol

from ..wamp.messages import Message


class Serializer(Protocol):
    """A codec for one WebSocket subprotocol: one WebSocket message is one WAMP message."""

    name: str
    """Name in the configuration and of the payload format, such as ``json``."""
    subprotocol: str
    """WebSocket subprotocol, such as ``wamp.2.json``."""
    is_binary: bool
    """Whether its messages are binary WebSocket messages, not text."""

    def decode(self, data: bytes) -> Message:
        """Decode a message. Its payload stays raw but is valid; ``args`` is TOO_DEEP if it is nested too deep to check.

        Raises ProtocolViolation, naming the faulty element. ``data`` of a text serialization is valid UTF-8: the
        transport has checked it.
        """
        ...

    def encode(self, message: Message, payload_format: str) -> bytes:
        """Encode a message whose payload is in ``payload_format``, transcoding the payload if that is another format.

        Raises PayloadError if this serialization cannot represent the payload.
        """
        ...

    def is_deeper(self, raw: Any, depth: int) -> bool:
        """Return whether raw payload of this format is nested deeper than ``depth`` lists and dictionaries."""
        ...

    def values(self, raw: Any) -> Any:
        """Return raw payload of this format as Python values. Binary becomes bytes.

        Raises PayloadError for values that Python does not have: a number out of range, half a surrogate pair.
        """
        ...
