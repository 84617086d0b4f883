"""The serializer for ``wamp.2.cbor`` (RFC 8949). It requires the package ``cbor2``.

The elements before the payload are validated with the same types as in the other serializers. The payload is decoded in
order to check it, and then encoded as CBOR again.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Set
from io import BytesIO
from typing import Any, Final

import cbor2
import msgspec

from ..wamp.errors import PayloadError, ProtocolViolation
from ..wamp.messages import Message
from ..wamp.payload import InvalidPayload
from ..wamp.wire import FIXED_FIELDS, WRITERS
from .structs import (
    DECODE_FAULTS,
    LARGE_MESSAGE_BYTES,
    MAX_OTHER_KEYS,
    TOO_MANY_KEYS,
    Values,
    is_opaque,
    message_from_head,
    split_elements,
    unsayable,
    violation,
    without_payload,
    wrong_payload,
)

FAULTS = (*DECODE_FAULTS, cbor2.CBORError, EOFError, OverflowError, RuntimeError)
"""The exceptions of cbor2 for data that it cannot decode or encode.

RuntimeError is raised if a tag with a value that is not hashable is looked up in a dictionary.
"""

ALL_BUT_CONTAINERS: Final = bytes(set(range(256)) - set(range(0x80, 0xDC)))
"""All byte values that cannot be the first byte of a list, a dictionary or a tag."""
TOO_DEEP_TEXT: Final = "nesting depth"
MALFORMED_TEXTS: Final = ("premature end", "subtype", "break code", "simple value", "in indefinite length")
OTHER_KEY_TEXTS: Final = ("map key must be", "set element must be")
"""Texts in cbor2's errors for map keys and set elements that are neither text nor binary.

These errors are raised only with ``strict_hashable_types``, and have no exception class of their own.
"""

MAX_UNCHECKED_BYTES: Final = MAX_OTHER_KEYS
"""A message up to this size cannot contain a map or set with too many keys: each key takes at least one byte."""
MANY_KEYS: Final = re.compile(rb"\xb8[\x65-\xff]|[\xb9-\xbb\xbf]|[\xd9\xda\xdb](?:\x00\x00|\x00{6})?\x01\x02")
"""Matches the first bytes of sets, and of maps that can have more than 100 keys. Other data can match as well."""


def _refuse_sharing(value: Any, immutable: bool) -> Any:
    """Raise PayloadError, because with shared values a small message could expand to any size."""
    raise PayloadError("CBOR tags for shared values are not accepted")


SHARING = dict.fromkeys((25, 28, 29, 256), _refuse_sharing)
"""The tags of string references and shared values."""

BYTES_AS_ARRAY = 64
"""The tag of a typed array of bytes (RFC 8746). JavaScript clients with cbor-x send binary values this way, but other
receivers expect bytes.
"""


def _bytes_of_array(value: Any, immutable: bool) -> Any:
    return value if isinstance(value, bytes) else cbor2.CBORTag(BYTES_AS_ARRAY, value)


MAX_INTEGER_BITS: Final = 4096
"""Maximum size in bits of the integers in a decimal, float or fraction: computing with them takes quadratic time."""
MAX_DECIMAL_EXPONENT: Final = 999_999
FRACTION: Final = 30


def _number(tag: int) -> Callable[[Any, bool], cbor2.CBORTag]:
    """Return a decoder for ``tag``, which marks a pair of integers as a number, such as a decimal or a fraction.

    The decoder checks the two integers, but does not compute the number, because this could take very long.
    """

    def number(value: Any, immutable: bool) -> cbor2.CBORTag:
        first, second = value if isinstance(value, list | tuple) and len(value) == 2 else (None, None)
        if not (
            type(first) is type(second) is int and max(first.bit_length(), second.bit_length()) <= MAX_INTEGER_BITS
        ):
            raise PayloadError(f"CBOR tag {tag} needs two whole numbers of at most {MAX_INTEGER_BITS} bits")
        if second == 0 if tag == FRACTION else abs(first) > MAX_DECIMAL_EXPONENT:
            raise PayloadError(f"CBOR tag {tag} does not hold a number")
        return cbor2.CBORTag(tag, value)

    return number


def _unread(tag: int) -> Callable[[Any, bool], cbor2.CBORTag]:
    return lambda value, immutable: cbor2.CBORTag(tag, value)


UNREAD: Final = {tag: _unread(tag) for tag in (35, 36)}
"""Decoders for the tags of regular expressions and MIME messages, which leave the content unparsed.

Parsing the content would take a hundred times as long as parsing the message itself.
"""

TAGS = {**SHARING, **{tag: _number(tag) for tag in (4, 5, FRACTION)}, **UNREAD}
"""The decoders for those tags in received messages that cbor2 must not interpret itself."""
VALUE_TAGS: Final = {**UNREAD, BYTES_AS_ARRAY: _bytes_of_array}
"""The decoders for tags in payload that is converted for receivers with another serialization."""

try:
    cbor2.loads(b"\xa0", semantic_decoders=TAGS, strict_hashable_types=True)
except TypeError as too_old:
    raise ImportError("CBOR needs cbor2 6.2 or newer") from too_old


class CborSerializer:
    """The CBOR serializer.

    The package cbor2 interprets semantic tags in the payload, with these exceptions:

    - Shared values, very long decimals and very long fractions are refused.
    - Typed arrays of bytes are converted to bytes for receivers with another serialization.
    - Regular expressions and MIME messages are not interpreted: they stay text with a CBOR tag. They can be sent only
      to receivers that use CBOR, because other serializations cannot represent them.

    ``undefined`` in options is treated as absent.
    """

    name = "cbor"
    subprotocol = "wamp.2.cbor"
    is_binary = True

    def __init__(self, values_of: Values) -> None:
        self._values_of = values_of

    def decode(self, data: bytes) -> Message:
        try:
            elements = _loads(data)
            if not isinstance(elements, list) or not elements:
                raise ProtocolViolation("malformed message: expected an array with at least a message code")
            head, payload = split_elements(elements, elements[0])
            message = message_from_head(head, _is_undefined)
            self._take_payload(message, payload)
        except FAULTS as fault:
            if _is_too_deep(fault):
                return without_payload(_elements(data), FAULTS)
            if _is_malformed(fault):
                raise violation(fault) from fault
            reason = str(fault.__cause__ if isinstance(fault.__cause__, PayloadError) else fault)
            return without_payload(_elements(data), FAULTS, InvalidPayload(reason))
        except PayloadError as fault:
            return without_payload(_elements(data), FAULTS, InvalidPayload(str(fault)))
        return message

    def encode(self, message: Message, payload_format: str) -> bytes:
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
            # The first byte of an array with fewer than 24 elements includes the length.
            return bytes((head[0] + len(parts),)) + head[1:] + b"".join(parts)
        except FAULTS as fault:
            raise unsayable(self.name, fault) from fault

    def is_deeper(self, raw: Any, depth: int) -> bool:
        """Return whether payload is nested deeper than ``depth``.

        Each tag counts as one level. An empty list at the innermost level does not count.
        """
        data = bytes(raw)
        if data[depth:].isascii() or len(data.translate(None, ALL_BUT_CONTAINERS)) <= depth:
            return False
        try:
            cbor2.loads(data, max_depth=depth)
        except FAULTS as fault:
            return _is_too_deep(fault)
        return False

    def values(self, raw: Any) -> Any:
        try:
            return cbor2.loads(bytes(raw), semantic_decoders=VALUE_TAGS)
        except FAULTS as fault:
            raise unsayable("the router", fault) from fault

    def _payload(self, part: Any, payload_format: str) -> bytes:
        if payload_format == self.name and isinstance(part, msgspec.Raw):
            return bytes(part)
        return cbor2.dumps(self._values_of(payload_format, part) if isinstance(part, msgspec.Raw) else part)

    def _take_payload(self, message: Any, payload: list[Any]) -> None:
        args, kwargs = [*payload, None, None][:2]
        if not _is_nothing(args):
            if not isinstance(args, list) and not (is_opaque(message) and isinstance(args, str | bytes)):
                raise wrong_payload(message, "args")
            message.args = msgspec.Raw(cbor2.dumps(args))
        if not _is_nothing(kwargs):
            if not isinstance(kwargs, dict):
                raise wrong_payload(message, "kwargs")
            if not all(isinstance(key, str) for key in kwargs):
                raise PayloadError("the keys of kwargs must be text")
            message.kwargs = msgspec.Raw(cbor2.dumps(kwargs))


def _loads(data: bytes) -> Any:
    """Decode a message. Raises PayloadError if a map or set has too many keys that are neither text nor binary.

    In a large message, the error is also raised if the keys cannot be counted in a short time. See
    :data:`MAX_OTHER_KEYS`. Raises ProtocolViolation if more bytes follow the message, and one of :data:`FAULTS` if the
    data cannot be decoded.
    """
    if len(data) <= MAX_UNCHECKED_BYTES:
        return _load(data)
    try:
        return _load(data, strict_hashable_types=True)
    except cbor2.CBORError as fault:
        if not any(text in str(fault) for text in OTHER_KEY_TEXTS):
            raise
    may_have_many = MANY_KEYS.search(data) is not None
    if may_have_many and len(data) > LARGE_MESSAGE_BYTES:
        # To count such keys, the message must be decoded, but decoding builds the map, which can take quadratic time.
        raise PayloadError("a large message has a map or set with a key that is neither text nor binary")
    value = _load(data)
    if may_have_many:
        _check_key_counts(value)
    return value


def _load(data: bytes, **options: Any) -> Any:
    stream = BytesIO(data)
    value = cbor2.load(stream, semantic_decoders=TAGS, **options)
    if stream.tell() != len(data):
        raise ProtocolViolation("malformed message: trailing bytes")
    return value


def _check_key_counts(value: Any) -> None:
    """Raise PayloadError if a map or set has too many keys that are neither text nor binary."""
    if isinstance(value, Mapping | Set):
        if sum(not isinstance(key, str | bytes) for key in value) > MAX_OTHER_KEYS:
            raise PayloadError(TOO_MANY_KEYS)
        value = [*value, *value.values()] if isinstance(value, Mapping) else value
    elif isinstance(value, cbor2.CBORTag):
        value = [value.value]
    elif not isinstance(value, list | tuple):
        return
    for each in value:
        _check_key_counts(each)


def _is_malformed(fault: Exception) -> bool:
    """Return whether decoding failed because the bytes are not well-formed, rather than because a value is invalid."""
    return isinstance(fault, EOFError) or any(text in str(fault) for text in MALFORMED_TEXTS)


def _is_too_deep(fault: Exception) -> bool:
    return isinstance(fault, RecursionError) or TOO_DEEP_TEXT in str(fault)


def _elements(data: bytes) -> Iterator[Any]:
    """Yield the elements of a message, reading only as far as needed. ``undefined`` becomes None."""
    stream = BytesIO(data)
    count = stream.read(1)[0] - 0x80
    decoder = cbor2.CBORDecoder(stream, semantic_decoders=TAGS, strict_hashable_types=True)
    for _ in range(count if count < 24 else 0):
        value = decoder.decode()
        yield None if _is_undefined(value) else value


def _is_undefined(value: Any) -> bool:
    return value is cbor2.undefined


def _is_nothing(value: Any) -> bool:
    return value is None or value is cbor2.undefined
