"""``wamp.2.json``: RFC 8259, UTF-8; binary is a string marked with U+0000, in base64."""

from typing import Any

import msgspec

from ..wamp.messages import Message
from ..wamp.payload import ABSENT
from .payloads import from_json_values, to_json_values
from .structs import StructSerializer, Values, is_opaque, wrong_payload

LIST, DICTIONARY, STRING, NULL = b'[{"n'


class JsonSerializer(StructSerializer):
    """JSON. The decoder has checked all of the raw payload but its UTF-8, which is the transport's to check."""

    name = "json"
    subprotocol = "wamp.2.json"
    is_binary = False

    def __init__(self, values_of: Values) -> None:
        super().__init__(msgspec.json.Decoder(Message), msgspec.json.Encoder(), values_of)

    def values(self, raw: Any) -> Any:
        """See :class:`~.serializer.Serializer`."""
        values = msgspec.json.decode(raw)
        return from_json_values(values) if b"\\u0000" in bytes(raw) else values

    def from_values(self, values: Any) -> Any:
        """See :class:`~.structs.StructSerializer`."""
        return to_json_values(values)

    def check_args(self, message: Any) -> None:
        """See :class:`~.structs.StructSerializer`."""
        first = memoryview(message.args)[0]
        if first == LIST:
            return
        if first == NULL:
            message.args = ABSENT
        elif not (first == STRING and is_opaque(message)):
            raise wrong_payload(message, "args")

    def check_kwargs(self, message: Any) -> None:
        """See :class:`~.structs.StructSerializer`."""
        first = memoryview(message.kwargs)[0]
        if first == NULL:
            message.kwargs = ABSENT
        elif first != DICTIONARY:
            raise wrong_payload(message, "kwargs")
