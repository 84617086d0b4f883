"""What every serializer offers."""

from typing import Any, Protocol

from ..wamp.messages import Message


class Serializer(Protocol):
    """Bytes of one WebSocket message to one WAMP message, and back."""

    name: str
    """Name in the configuration, and of the payload format: ``json``."""
    subprotocol: str
    """WebSocket subprotocol: ``wamp.2.json``."""
    is_binary: bool
    """Whether its messages are binary WebSocket messages, not text."""

    def decode(self, data: bytes) -> Message:
        """The message in ``data``, its payload raw but valid; ``args`` is TOO_DEEP where it cannot be told whether.

        Raises ProtocolViolation, naming the element at fault. For a text serialization ``data`` is valid UTF-8:
        the transport has checked it.
        """
        ...

    def encode(self, message: Message, payload_format: str) -> bytes:
        """``message`` as bytes; its payload is in ``payload_format`` and is transcoded if that is another one.

        Raises PayloadError where the payload cannot be said in this serialization.
        """
        ...

    def is_deeper(self, raw: Any, depth: int) -> bool:
        """Whether more than ``depth`` lists and dictionaries are inside each other in raw payload of this format."""
        ...

    def values(self, raw: Any) -> Any:
        """Raw payload of this serializer's format as Python values; binary as bytes.

        Raises PayloadError for what no Python value is: a number out of range, half a surrogate pair.
        """
        ...
