"""``wamp.2.msgpack``: MessagePack with text and binary told apart."""

from typing import Any, Final

import msgpack
import msgspec

from ..wamp.messages import Message
from ..wamp.payload import ABSENT
from .structs import DECODE_FAULTS, StructSerializer, Values, is_opaque, violation, wrong_payload

NIL: Final = b"\xc0"
UNDEFINED: Final = 0
"""Extension type that wampy.js writes for options not given."""


class MsgPackSerializer(StructSerializer):
    """MessagePack. Raw payload is decoded once to see that all text in it is text, then passed on as it came."""

    name = "msgpack"
    subprotocol = "wamp.2.msgpack"
    is_binary = True

    def __init__(self, values_of: Values) -> None:
        super().__init__(msgspec.msgpack.Decoder(Message), msgspec.msgpack.Encoder(), values_of)
        self._any = msgspec.msgpack.Decoder()
        self._list = msgspec.msgpack.Decoder(list[Any])
        self._dictionary = msgspec.msgpack.Decoder(dict[str, Any])

    def values(self, raw: Any) -> Any:
        """See :class:`~.serializer.Serializer`."""
        return self._any.decode(raw)

    def decode_leniently(self, data: bytes, fault: Exception) -> Message:
        """``undefined`` is read as absent where it stands for an option."""
        if "`ext`" not in str(fault):
            raise violation(fault) from fault
        try:
            elements = msgpack.unpackb(data, ext_hook=_undefined_is_nil, strict_map_key=False)
            return self._decode(msgpack.packb(elements))
        except (*DECODE_FAULTS, msgpack.UnpackException) as second:
            raise violation(fault) from second

    def check_args(self, message: Any) -> None:
        """See :class:`~.structs.StructSerializer`."""
        try:
            self._list.decode(message.args)
        except DECODE_FAULTS as fault:
            if bytes(message.args) == NIL:
                message.args = ABSENT
            elif not (is_opaque(message) and self._is_text_or_binary(message.args)):
                raise wrong_payload(message, "args", fault) from fault

    def check_kwargs(self, message: Any) -> None:
        """See :class:`~.structs.StructSerializer`."""
        try:
            self._dictionary.decode(message.kwargs)
        except DECODE_FAULTS as fault:
            if bytes(message.kwargs) != NIL:
                raise wrong_payload(message, "kwargs", fault) from fault
            message.kwargs = ABSENT

    def _is_text_or_binary(self, raw: Any) -> bool:
        try:
            return isinstance(self._any.decode(raw), str | bytes)
        except DECODE_FAULTS:
            return False


def _undefined_is_nil(code: int, data: bytes) -> Any:
    return None if code == UNDEFINED else msgpack.ExtType(code, data)
