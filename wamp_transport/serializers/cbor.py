"""``wamp.2.cbor``: RFC 8949, by the ``cbor2`` package where it is installed.

A message's head is checked by the same types as in the other serializations; its payload is kept as CBOR.
"""

from io import BytesIO
from typing import Any

import cbor2
import msgspec

from ..wamp.errors import PayloadError, ProtocolViolation
from ..wamp.messages import Message
from ..wamp.wire import FIXED_FIELDS, WRITERS
from .structs import DECODE_FAULTS, Values, is_opaque, violation, wrong_payload

FAULTS = (*DECODE_FAULTS, cbor2.CBORError, EOFError, OverflowError)
PAYLOAD_POSITION = {kind.__struct_config__.tag: fields + 1 for kind, fields in FIXED_FIELDS.items()}


class CborSerializer:
    """CBOR. Semantic tags in payload are read as cbor2 reads them; ``undefined`` counts as absent in options."""

    name = "cbor"
    subprotocol = "wamp.2.cbor"
    is_binary = True

    def __init__(self, values_of: Values) -> None:
        self._values_of = values_of

    def decode(self, data: bytes) -> Message:
        """See :class:`~.serializer.Serializer`."""
        try:
            elements = _loads(data)
        except FAULTS as fault:
            raise violation(fault) from fault
        if not isinstance(elements, list) or not elements:
            raise ProtocolViolation("malformed message: expected an array with at least a message code")
        code = elements[0]
        split = PAYLOAD_POSITION.get(code, len(elements)) if type(code) is int else len(elements)
        try:
            message: Message = msgspec.convert(_without_undefined(elements[:split]), Message)
            self._take_payload(message, elements[split:])
        except FAULTS as fault:
            raise violation(fault) from fault
        return message

    def encode(self, message: Message, payload_format: str) -> bytes:
        """See :class:`~.serializer.Serializer`."""
        kind = type(message)
        try:
            if kind not in FIXED_FIELDS:
                return cbor2.dumps(msgspec.to_builtins(WRITERS[kind](message)))
            elements = WRITERS[kind](message)
            if elements is message:
                elements = (kind.__struct_config__.tag, *msgspec.structs.astuple(message))
            split = FIXED_FIELDS[kind] + 1
            parts = [self._payload(part, payload_format) for part in elements[split:]]
            head = cbor2.dumps(msgspec.to_builtins(elements[:split]))
            # An array of fewer than 24 elements has its length in the first byte.
            return bytes((head[0] + len(parts),)) + head[1:] + b"".join(parts)
        except FAULTS as fault:
            raise PayloadError(f"cbor cannot say this payload: {fault}") from fault

    def values(self, raw: Any) -> Any:
        """See :class:`~.serializer.Serializer`."""
        return cbor2.loads(bytes(raw))

    def _payload(self, part: Any, payload_format: str) -> bytes:
        if payload_format == self.name and isinstance(part, msgspec.Raw):
            return bytes(part)
        return cbor2.dumps(self._values_of(payload_format, part) if isinstance(part, msgspec.Raw) else part)

    def _take_payload(self, message: Any, payload: list[Any]) -> None:
        if len(payload) > 2:
            raise ProtocolViolation("malformed message: too many elements")
        args, kwargs = [*payload, None, None][:2]
        if args is not None:
            if not isinstance(args, list) and not (is_opaque(message) and isinstance(args, str | bytes)):
                raise wrong_payload(message, "args")
            message.args = msgspec.Raw(cbor2.dumps(args))
        if kwargs is not None:
            if not isinstance(kwargs, dict) or not all(isinstance(key, str) for key in kwargs):
                raise wrong_payload(message, "kwargs")
            message.kwargs = msgspec.Raw(cbor2.dumps(kwargs))


def _loads(data: bytes) -> Any:
    stream = BytesIO(data)
    value = cbor2.load(stream)
    if stream.tell() != len(data):
        raise ProtocolViolation("malformed message: trailing bytes")
    return value


def _without_undefined(value: Any) -> Any:
    if value is cbor2.undefined:
        return None
    if isinstance(value, dict):
        return {key: _without_undefined(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_undefined(item) for item in value]
    return value
