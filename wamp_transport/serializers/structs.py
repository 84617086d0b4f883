"""The base class of the serializers that use msgspec, and common functions for decoding and for reporting errors."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import msgspec

from ..wamp.errors import PayloadError, ProtocolViolation
from ..wamp.ids import MAX_ID
from ..wamp.messages import CODES, NAMES, PAYLOAD_MESSAGES, Message
from ..wamp.payload import ABSENT, TOO_DEEP, InvalidPayload
from ..wamp.wire import FIXED_FIELDS, WRITERS

Values = Callable[[str, Any], Any]
"""A function that converts raw payload of the named format to Python values."""

CARRIES_PAYLOAD = frozenset(PAYLOAD_MESSAGES)

DECODE_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, TypeError)
ENCODE_FAULTS = (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError)

KINDS: dict[int, type[Message]] = {code: kind for kind, code in CODES.items()}
PAYLOAD_POSITION = {CODES[kind]: fields + 1 for kind, fields in FIXED_FIELDS.items()}

LARGE_MESSAGE_BYTES = 2048
"""In messages of more than this many bytes, the keys of a map are checked before the map is built.

Building a map from keys with colliding hashes takes quadratic time.
"""

MAX_OTHER_KEYS = 100
"""Maximum number of keys in a map, or elements in a set, that are neither text nor binary.

Invariant: no dict or set that contains more of these values is built from a peer's message. The hashes of these values
are not randomized, so a peer could choose values whose hashes collide, and each look-up would compare all of them.
"""
TOO_MANY_KEYS = f"a map has more than {MAX_OTHER_KEYS} keys that are neither text nor binary"


class StructSerializer:
    """A serializer that uses msgspec for messages. Subclasses validate and read the payload of their format."""

    name: str

    def __init__(self, decoder: Any, encoder: Any, values_of: Values) -> None:
        self._decode: Callable[[bytes], Message] = decoder.decode
        self._encode: Callable[[Any], bytes] = encoder.encode
        self._values_of = values_of

    # Hot path: decode runs once per received message, encode once per sent message and serializer.

    def decode(self, data: bytes) -> Message:
        try:
            message = self._decode(data)
        except RecursionError:
            return without_payload(self.elements(data))
        except DECODE_FAULTS as fault:
            message = self.decode_leniently(data, fault)
            if type(getattr(message, "args", None)) is InvalidPayload:
                return message
        if type(message) in CARRIES_PAYLOAD:
            self.check_payload(message, data)
        return message

    def encode(self, message: Message, payload_format: str) -> bytes:
        kind = type(message)
        try:
            if payload_format != self.name and kind in CARRIES_PAYLOAD:
                message = self._transcoded(message, payload_format)
            return self._encode(WRITERS[kind](message))
        except ENCODE_FAULTS as fault:
            raise unsayable(self.name, fault) from fault

    # End of the hot path.

    def payload(self, values: Any) -> bytes:
        """Return Python values as raw payload of this format. Raises PayloadError if that is impossible."""
        try:
            return bytes(self._encode(self.from_values(values)))
        except ENCODE_FAULTS as fault:
            raise unsayable(self.name, fault) from fault

    def decode_leniently(self, data: bytes, fault: Exception) -> Message:
        """Decode a message that the strict decoder rejected because of ``fault``.

        If only the payload is invalid, replace it with an InvalidPayload, so that the request fails but the session
        continues. Raises ProtocolViolation for any other error that cannot be corrected.
        """
        raise violation(fault) from fault

    def elements(self, data: bytes) -> Iterator[Any]:
        """Yield the elements of a message as values, reading only as far as needed."""
        raise NotImplementedError

    def check_payload(self, message: Any, data: bytes) -> None:
        """Check the types of args and kwargs. Either of them may be absent or null.

        Raises ProtocolViolation if args are not a list (or text or binary if :func:`is_opaque` allows it), or if kwargs
        are not a dictionary. If there is an error inside args or kwargs, replace the payload with an InvalidPayload.
        ``data`` is the whole message as received.
        """
        raise NotImplementedError

    def from_values(self, values: Any) -> Any:
        """Convert Python values to values that the encoder supports."""
        return values

    def _transcoded(self, message: Any, payload_format: str) -> Any:
        changes = {
            part: self.from_values(self._values_of(payload_format, getattr(message, part)))
            for part in ("args", "kwargs")
            if getattr(message, part) is not ABSENT
        }
        return msgspec.structs.replace(message, **changes) if changes else message


def is_opaque(message: Any) -> bool:
    """Return whether the args of a message may be text or binary instead of a list.

    This is the case if the payload is encrypted, as with Autobahn's option ``enc_algo``.
    """
    carrier = getattr(message, "options", None) or getattr(message, "details", None)
    return getattr(carrier, "enc_algo", None) is not None


def unsayable(name: str, fault: Exception) -> PayloadError:
    """Return the PayloadError for a payload that cannot be represented.

    ``name`` is the name of the serializer, or ``the router`` if Python values cannot represent the payload.
    """
    because = "nested too deeply" if isinstance(fault, RecursionError) else str(fault)
    return PayloadError(f"{name} cannot represent this payload: {because}")


def without_payload(
    elements: Iterator[Any],
    faults: tuple[type[Exception], ...] = DECODE_FAULTS,
    payload: InvalidPayload = TOO_DEEP,
) -> Message:
    """Return a message with ``payload`` in place of its own payload, which cannot be read.

    Only the elements before the payload are read. ``payload`` contains the reason why the message's own payload cannot
    be read. ``faults`` are the exceptions that reading an element can raise.

    Raises ProtocolViolation if an element before the payload is invalid, or if messages of this type have no payload.
    """
    try:
        code: Any = next(elements, None)
        head = [code, *islice(elements, PAYLOAD_POSITION.get(code, 1) - 1)]
        message: Any = message_from_head(head, lambda value: False)
        message.args = payload
    except faults as fault:
        raise ProtocolViolation(f"malformed message: {payload.reason}") from fault
    return message  # type: ignore[no-any-return]


def split_elements(elements: list[Any], code: Any) -> tuple[list[Any], list[Any]]:
    """Split a message into the elements before the payload, and the payload: args and kwargs, if present.

    ``code`` is the message code. Raises ProtocolViolation if there are too many elements.
    """
    split = PAYLOAD_POSITION.get(code, len(elements)) if type(code) is int else len(elements)
    payload = elements[split:]
    if len(payload) > 2:
        raise ProtocolViolation("malformed message: too many elements")
    return elements[:split], payload


def message_from_head(head: list[Any], is_undefined: Callable[[Any], bool]) -> Message:
    """Return a message without payload. ``head`` contains the elements before the payload.

    Values for which ``is_undefined`` is true are treated as absent. A float without a fraction is converted to an
    integer, because JavaScript clients send ids above 32 bits as floats. Raises ProtocolViolation for an unknown code,
    and one of DECODE_FAULTS for an invalid element.
    """
    code = head[0]
    kind = KINDS.get(code) if type(code) is int else None
    if kind is None:
        raise ProtocolViolation("malformed message: unknown message code - at `$[0]`")
    message: Message = msgspec.convert([_plain(each, is_undefined) for each in head], kind)
    return message


def mark_invalid(message: Any, fault: Exception) -> None:
    """Mark the payload of a message as invalid because of ``fault``, so that the request is refused."""
    message.args = InvalidPayload("nested too deeply" if isinstance(fault, RecursionError) else str(fault))


def _plain(value: Any, is_undefined: Callable[[Any], bool]) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_ID:
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(item, is_undefined) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, is_undefined) for item in value]
    return None if is_undefined(value) else value


def violation(fault: Exception) -> ProtocolViolation:
    """Return the ProtocolViolation for a message that could not be decoded because of ``fault``."""
    if isinstance(fault, RecursionError):
        return ProtocolViolation("malformed message: nested too deeply")
    return ProtocolViolation(f"malformed message: {fault}")


def wrong_payload(message: Any, part: str, fault: Exception | None = None) -> ProtocolViolation:
    """Return the ProtocolViolation for args that are not a valid list, or kwargs that are not a valid dictionary.

    ``part`` is ``args`` or ``kwargs``. ``fault`` is the exception that was raised when this part was decoded, if any.
    """
    expected = "a list" if part == "args" else "a dictionary with text keys"
    because = "nested too deeply" if isinstance(fault, RecursionError) else str(fault or "")
    text = f"{NAMES[type(message)]}.{part} must be {expected}"
    return ProtocolViolation(f"{text}: {because}" if because else text)
