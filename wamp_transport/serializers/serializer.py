"""The interface of serializers."""

from typing import Any, Protocol

from ..wamp.messages import Message


class Serializer(Protocol):
    """A serializer for one WebSocket subprotocol. Each WebSocket message is one WAMP message."""

    name: str
    """Name of the serializer in the configuration, such as ``json``. Its payload format has the same name."""
    subprotocol: str
    """Name of the WebSocket subprotocol, such as ``wamp.2.json``."""
    is_binary: bool
    """Whether messages are sent as binary WebSocket messages, not as text."""

    def decode(self, data: bytes) -> Message:
        """Decode a message. Raises ProtocolViolation, if possible with the position of the invalid element.

        The payload is validated but stays raw. If it is invalid, ``args`` is an InvalidPayload; if it is nested too
        deeply to check, ``args`` is TOO_DEEP. For a text serialization, ``data`` must be valid UTF-8, which the
        transport checks.
        """
        ...

    def encode(self, message: Message, payload_format: str) -> bytes:
        """Encode a message whose payload is in ``payload_format``, transcoding the payload if its format differs.

        Raises PayloadError if this serialization cannot represent the payload.
        """
        ...

    def is_deeper(self, raw: Any, depth: int) -> bool:
        """Return whether raw payload of this format is nested deeper than ``depth`` lists and dictionaries."""
        ...

    def values(self, raw: Any) -> Any:
        """Return raw payload of this format as Python values. Binary values become bytes.

        Raises PayloadError for values that Python cannot represent, such as a number that is out of range or an
        incomplete surrogate pair.
        """
        ...
