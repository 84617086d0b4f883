"""The serializer for ``wamp.2.json`` (RFC 8259). A binary value is a string of U+0000 followed by base64."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from ..wamp.errors import PayloadError
from ..wamp.messages import Message
from ..wamp.payload import ABSENT
from .payloads import from_json_values, has_deep_brackets, to_json_values
from .structs import (
    DECODE_FAULTS,
    StructSerializer,
    Values,
    is_opaque,
    mark_invalid,
    message_from_head,
    split_elements,
    unsayable,
    violation,
    without_payload,
    wrong_payload,
)

LIST, DICTIONARY, STRING, NULL, BACKSLASH = b'[{"n\\'
MARK = b"\\u0000"
"""The escape sequence of U+0000, which marks binary values.

The hot path first searches for a backslash, because searching for one byte is faster, and most payloads contain no
backslash.
"""

ALL_BUT_STRUCTURE: Final = bytes(set(range(256)) - set(b'[]{}"'))
SQUARE: Final = bytes.maketrans(b"{}", b"[]")
TEXT: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
SEPARATOR: Final = re.compile(r"[ \t\r\n]*[\[,][ \t\r\n]*")

MAX_DIGITS: Final = 100
LENIENT: Final = json.JSONDecoder(parse_int=lambda text: int(text[:MAX_DIGITS]))
"""Python's decoder, which accepts half a surrogate pair and NaN.

It shortens integers to :data:`MAX_DIGITS` digits, because converting a longer one takes quadratic time.
"""


class JsonSerializer(StructSerializer):
    """The JSON serializer.

    Decoding validates raw payload completely, except for UTF-8, which the transport has checked. It also checks that
    strings marked as binary are base64, because receivers decode them without a check.
    """

    name = "json"
    subprotocol = "wamp.2.json"
    is_binary = False

    def __init__(self, values_of: Values) -> None:
        super().__init__(msgspec.json.Decoder(Message), msgspec.json.Encoder(), values_of)
        self._raw_elements = msgspec.json.Decoder(list[msgspec.Raw])

    # Hot path.

    def check_payload(self, message: Any, data: bytes) -> None:
        args, kwargs = message.args, message.kwargs
        is_plain = BACKSLASH not in data
        if args is not ABSENT and not (is_plain and memoryview(args)[0] == LIST):
            self._check_args(message)
        if kwargs is not ABSENT and not (is_plain and memoryview(kwargs)[0] == DICTIONARY):
            self._check_kwargs(message)

    # End of the hot path.

    def decode_leniently(self, data: bytes, fault: Exception) -> Message:
        """Decode a message that the strict decoder rejected because of ``fault``.

        Accept ids that are written as floats, and some kinds of invalid payload. Some JavaScript libraries for large
        numbers write whole numbers as floats. The payload can contain NaN, or half a surrogate pair, which results from
        cutting a text in the middle of an emoji. If the payload is invalid, only the request fails.
        """
        try:
            values = LENIENT.decode(bytes(data).decode())
        except RecursionError:
            return without_payload(self.elements(data))
        except ValueError:
            raise violation(fault) from fault
        if not isinstance(values, list) or not values:
            raise violation(fault) from fault
        head, payload = split_elements(values, values[0])
        try:
            json.dumps(head, ensure_ascii=False).encode()  # raises UnicodeEncodeError for half a surrogate pair
            message: Any = message_from_head(head, lambda value: False)
        except DECODE_FAULTS:
            raise violation(fault) from fault
        try:
            raw_payload = self._raw_elements.decode(data)[len(head) :]
        except DECODE_FAULTS:
            _check_types(message, payload)
            mark_invalid(message, ValueError(_reason(fault)))
        else:
            for part, raw in zip(("args", "kwargs"), raw_payload, strict=False):
                setattr(message, part, raw)
        return message  # type: ignore[no-any-return]

    def values(self, raw: Any) -> Any:
        try:
            values = msgspec.json.decode(raw)
            return from_json_values(values) if MARK in bytes(raw) else values
        except DECODE_FAULTS as fault:
            raise unsayable("the router", fault) from fault

    def from_values(self, values: Any) -> Any:
        return to_json_values(values)

    def is_deeper(self, raw: Any, depth: int) -> bool:
        data = bytes(raw)
        # Deeper nesting needs more than ``depth`` pairs of brackets, and an opening bracket after the first ``depth``
        # bytes.
        if len(data) <= 2 * depth or (data.find(b"[", depth) < 0 and data.find(b"{", depth) < 0):
            return False
        if BACKSLASH in data:
            data = data.replace(rb"\\", b"").replace(rb"\"", b"")
        # A string without brackets leaves only two quotes, which are removed as well. Each level needs two brackets.
        brackets = data.translate(SQUARE, ALL_BUT_STRUCTURE).replace(b'""', b"")
        if len(brackets) <= 2 * depth:
            return False
        if b'"' not in brackets:
            return has_deep_brackets(brackets, depth)
        # Do not decode the data: decoding stops at a number that Python does not accept, and the rest could be deeper.
        return has_deep_brackets(TEXT.sub(b"", bytes(raw)).translate(SQUARE, ALL_BUT_STRUCTURE), depth)

    def elements(self, data: bytes) -> Iterator[Any]:
        text = data.decode()
        read = json.JSONDecoder().raw_decode
        separator = SEPARATOR.match(text)
        while separator is not None:
            value, end = read(text, separator.end())
            yield value
            separator = SEPARATOR.match(text, end)

    def _check_args(self, message: Any) -> None:
        data = bytes(message.args)
        first = data[0]
        if first == NULL:
            message.args = ABSENT
        elif first != LIST and not (first == STRING and is_opaque(message)):
            raise wrong_payload(message, "args")
        elif BACKSLASH in data and MARK in data:
            self._check_binary(message, data)

    def _check_kwargs(self, message: Any) -> None:
        data = bytes(message.kwargs)
        first = data[0]
        if first == NULL:
            message.kwargs = ABSENT
        elif first != DICTIONARY:
            raise wrong_payload(message, "kwargs")
        elif BACKSLASH in data and MARK in data:
            self._check_binary(message, data)

    def _check_binary(self, message: Any, data: bytes) -> None:
        try:
            self.values(data)
        except PayloadError as fault:
            mark_invalid(message, fault)


def _check_types(message: Any, payload: list[Any]) -> None:
    """Raise ProtocolViolation if args or kwargs have a wrong type. Either of them may be absent or null.

    Args must be a list, or text if the payload is encrypted. Kwargs must be a dictionary.
    """
    args, kwargs = [*payload, None, None][:2]
    if not (args is None or isinstance(args, list) or (isinstance(args, str) and is_opaque(message))):
        raise wrong_payload(message, "args")
    if not (kwargs is None or isinstance(kwargs, dict)):
        raise wrong_payload(message, "kwargs")


def _reason(fault: Exception) -> str:
    # The strict decoder mistakes half a surrogate pair for the end of the text.
    is_half_pair = any(word in str(fault) for word in ("truncated", "hex escape", "surrogate"))
    return "a text has half a surrogate pair" if is_half_pair else str(fault)
