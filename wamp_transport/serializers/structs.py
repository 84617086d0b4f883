"""What the serializers of msgspec's formats have in common: the order of steps, and what counts as a fault."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import msgspec

from ..wamp.errors import PayloadError, ProtocolViolation
from ..wamp.ids import MAX_ID
from ..wamp.messages import CODES, NAMES, PAYLOAD_MESSAGES, Message
from ..wamp.payload import ABSENT, TOO_DEEP
from ..wamp.wire import FIXED_FIELDS, WRITERS

Values = Callable[[str, Any], Any]
"""Turns raw payload of a named format into Python values."""

CARRIES_PAYLOAD = frozenset(PAYLOAD_MESSAGES)

DECODE_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, TypeError)
ENCODE_FAULTS = (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError)

KINDS: dict[int, type[Message]] = {code: kind for kind, code in CODES.items()}
PAYLOAD_POSITION = {CODES[kind]: fields + 1 for kind, fields in FIXED_FIELDS.items()}

LARGE_MESSAGE_BYTES = 2048
"""Bytes from which map keys are looked at before maps are built: keys made to collide cost their number squared."""


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
        except RecursionError:
            return without_payload(self.elements(data))
        except DECODE_FAULTS as fault:
            message = self.decode_leniently(data, fault)
        if type(message) in CARRIES_PAYLOAD:
            self.check_payload(message, data)
        return message

    def encode(self, message: Message, payload_format: str) -> bytes:
        """See :class:`~.serializer.Serializer`."""
        kind = type(message)
        try:
            if payload_format != self.name and kind in CARRIES_PAYLOAD:
                message = self._transcoded(message, payload_format)
            return self._encode(WRITERS[kind](message))
        except ENCODE_FAULTS as fault:
            raise unsayable(self.name, fault) from fault

    # End of the hot path.

    def decode_leniently(self, data: bytes, fault: Exception) -> Message:
        """A second look at bytes that are no message. Raises ProtocolViolation where they really are none."""
        raise violation(fault) from fault

    def elements(self, data: bytes) -> Iterator[Any]:
        """The elements of a message as values, one after the other, read no further than asked for."""
        raise NotImplementedError

    def check_payload(self, message: Any, data: bytes) -> None:
        """Raises ProtocolViolation unless args are a valid list and kwargs a valid dictionary; null counts as absent.

        ``data`` is the whole message as it came.
        """
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


def unsayable(name: str, fault: Exception) -> PayloadError:
    """The error that a failure to encode, or to read payload for another serialization, is."""
    because = "nested too deeply" if isinstance(fault, RecursionError) else str(fault)
    return PayloadError(f"{name} cannot say this payload: {because}")


def without_payload(elements: Iterator[Any], faults: tuple[type[Exception], ...] = DECODE_FAULTS) -> Message:
    """The message that the first of these make, its payload being nested deeper than can be read.

    Raises ProtocolViolation where it has none, or the nesting is elsewhere. ``faults`` are what reading may raise.
    """
    try:
        code: Any = next(elements, None)
        head = [code, *islice(elements, PAYLOAD_POSITION.get(code, 1) - 1)]
        message: Any = message_from_head(head, lambda value: False)
        message.args = TOO_DEEP
    except faults as fault:
        raise ProtocolViolation("malformed message: nested too deeply") from fault
    return message  # type: ignore[no-any-return]


def split_elements(elements: list[Any], code: Any) -> tuple[list[Any], list[Any]]:
    """The head of a message with ``code``, and its payload: args and kwargs, as far as they are there."""
    split = PAYLOAD_POSITION.get(code, len(elements)) if type(code) is int else len(elements)
    payload = elements[split:]
    if len(payload) > 2:
        raise ProtocolViolation("malformed message: too many elements")
    return elements[:split], payload


def message_from_head(head: list[Any], is_undefined: Callable[[Any], bool]) -> Message:
    """The message, without payload, that plain values make.

    What ``undefined`` is in a serialization counts as absent; a float that is a whole number counts as that number,
    since JavaScript has no other way to write an id above 32 bits. Raises one of DECODE_FAULTS.
    """
    code = head[0]
    kind = KINDS.get(code) if type(code) is int else None
    if kind is None:
        raise ProtocolViolation("malformed message: unknown message code - at `$[0]`")
    message: Message = msgspec.convert([_plain(each, is_undefined) for each in head], kind)
    return message


def _plain(value: Any, is_undefined: Callable[[Any], bool]) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_ID:
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(item, is_undefined) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, is_undefined) for item in value]
    return None if is_undefined(value) else value


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
