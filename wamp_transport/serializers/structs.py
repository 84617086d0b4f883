"""What the serializers of msgspec's formats have in common: the order of steps, and what counts as a fault."""

from collections.abc import Callable
from typing import Any

import msgspec

from ..wamp.errors import PayloadError, ProtocolViolation
from ..wamp.messages import NAMES, PAYLOAD_MESSAGES, Message
from ..wamp.payload import ABSENT
from ..wamp.wire import WRITERS

Values = Callable[[str, Any], Any]
"""Turns raw payload of a named format into Python values."""

CARRIES_PAYLOAD = frozenset(PAYLOAD_MESSAGES)

DECODE_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, TypeError)
ENCODE_FAULTS = (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError)


class StructSerializer:
    """Decodes into message types, encodes from them. A format fills in how payload is checked and read."""

    name: str

    def __init__(self, decoder: Any, encoder: Any, values_of: Values) -> None:
        self._decode: Callable[[bytes], Message] = decoder.decode
        self._encode: Callable[[Any], bytes] = encoder.encode
        self._values_of = values_of

    # Hot path: once per message received, and once per message sent and serializer.

    def decode(self, data: bytes) -> Message:
        """See :class:`~.serializer.Serializer`."""
        try:
            message = self._decode(data)
        except DECODE_FAULTS as fault:
            message = self.decode_leniently(data, fault)
        if type(message) in CARRIES_PAYLOAD:
            if message.args is not ABSENT:  # type: ignore[union-attr]
                self.check_args(message)
            if message.kwargs is not ABSENT:  # type: ignore[union-attr]
                self.check_kwargs(message)
        return message

    def encode(self, message: Message, payload_format: str) -> bytes:
        """See :class:`~.serializer.Serializer`."""
        kind = type(message)
        if kind in CARRIES_PAYLOAD and payload_format != self.name:
            message = self._transcoded(message, payload_format)
        try:
            return self._encode(WRITERS[kind](message))
        except ENCODE_FAULTS as fault:
            raise PayloadError(f"{self.name} cannot say this payload: {fault}") from fault

    # End of the hot path.

    def decode_leniently(self, data: bytes, fault: Exception) -> Message:
        """A second look at bytes that are no message. Raises ProtocolViolation where they really are none."""
        raise violation(fault) from fault

    def check_args(self, message: Any) -> None:
        """Raises ProtocolViolation unless args are a valid list; null counts as absent."""
        raise NotImplementedError

    def check_kwargs(self, message: Any) -> None:
        """Raises ProtocolViolation unless kwargs are a valid dictionary; null counts as absent."""
        raise NotImplementedError

    def from_values(self, values: Any) -> Any:
        """Python values as what the encoder writes them from."""
        return values

    def _transcoded(self, message: Any, payload_format: str) -> Any:
        changes = {
            part: self.from_values(self._values_of(payload_format, getattr(message, part)))
            for part in ("args", "kwargs")
            if getattr(message, part) is not ABSENT
        }
        return msgspec.structs.replace(message, **changes) if changes else message


def is_opaque(message: Any) -> bool:
    """Whether the payload stands in place of args as one string, as Autobahn's ``enc_algo`` has it."""
    carrier = getattr(message, "options", None) or getattr(message, "details", None)
    return getattr(carrier, "enc_algo", None) is not None


def violation(fault: Exception) -> ProtocolViolation:
    """The violation that a failure to decode is."""
    if isinstance(fault, RecursionError):
        return ProtocolViolation("malformed message: nested too deeply")
    return ProtocolViolation(f"malformed message: {fault}")


def wrong_payload(message: Any, part: str, fault: Exception | None = None) -> ProtocolViolation:
    """The violation of args that are no list, or kwargs that are no dictionary, or either not valid."""
    expected = "a list" if part == "args" else "a dictionary with text keys"
    because = "nested too deeply" if isinstance(fault, RecursionError) else str(fault or "")
    text = f"{NAMES[type(message)]}.{part} must be {expected}"
    return ProtocolViolation(f"{text}: {because}" if because else text)
