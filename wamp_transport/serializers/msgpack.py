"""The serializer for ``wamp.2.msgpack``: MessagePack, in a version that distinguishes text from binary."""

from collections.abc import Iterator
from contextlib import suppress
from functools import reduce
from typing import Any, Final

import msgpack
import msgspec

from ..wamp.errors import PayloadError
from ..wamp.messages import Message
from ..wamp.payload import ABSENT, InvalidPayload
from .payloads import is_nested_deeper
from .structs import (
    DECODE_FAULTS,
    LARGE_MESSAGE_BYTES,
    MAX_OTHER_KEYS,
    TOO_MANY_KEYS,
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

UNDEFINED: Final = 0
"""The extension type that wampy.js writes for missing options."""
NOTHING: Final = (b"\xc0", b"\xd4\x00\x00")
"""The encoding of nil, and the encoding of ``undefined`` that wampy.js writes."""

UNPACK_FAULTS: Final = (*DECODE_FAULTS, msgpack.UnpackException)
ALL_BUT_CONTAINERS: Final = bytes(set(range(256)) - {*range(0x80, 0xA0), *range(0xDC, 0xE0)})
"""All byte values that cannot be the first byte of a list or a dictionary."""
SIMPLE_DEPTH: Final = 6
"""Maximum nesting of lists and dictionaries in :data:`SIMPLE`. Each additional level doubles the number of types."""
SIMPLE: Final[Any] = reduce(
    lambda inner, _: None | bool | int | float | str | list[inner] | dict[str, inner],  # type: ignore[valid-type]
    range(SIMPLE_DEPTH),
    None | bool | int | float | str,
)
"""The type of simple values, of which nearly all payloads consist. Decoding with this type checks text, keys and depth
in one pass. It does not include binary values, which would be ambiguous with text.
"""
RANDOM_HASHES: Final = frozenset({str, bytes})
"""The types of keys whose hashes are randomized. A peer cannot choose keys of these types whose hashes collide."""
SIMPLE_KEYS: Final = frozenset({int, float, bool, type(None)})
"""The other types of keys that are accepted in large messages."""
MAX_UNCHECKED_BYTES: Final = 2 * MAX_OTHER_KEYS
"""A message up to this size cannot contain a map with too many keys: a key and its value take at least two bytes."""
LISTS: Final = frozenset({*range(0x90, 0xA0), 0xDC, 0xDD})
MAPS: Final = frozenset({*range(0x80, 0x90), 0xDE, 0xDF})
"""The first bytes of all maps. Those of all lists are in ``LISTS``."""
MAP_16: Final = 0xDE
MAP_32: Final = 0xDF
"""The first bytes of maps with more than 15 keys. Searching for a number is much faster than searching for bytes."""


class MsgPackSerializer(StructSerializer):
    """The MessagePack serializer. Raw payload is decoded only to check it, and then forwarded unchanged."""

    name = "msgpack"
    subprotocol = "wamp.2.msgpack"
    is_binary = True

    def __init__(self, values_of: Values) -> None:
        super().__init__(msgspec.msgpack.Decoder(Message), msgspec.msgpack.Encoder(), values_of)
        self._any = msgspec.msgpack.Decoder()
        self._simple = msgspec.msgpack.Decoder(SIMPLE)
        self._elements = msgspec.msgpack.Decoder(list[msgspec.Raw])
        self._list = msgspec.msgpack.Decoder(list[Any])
        self._dictionary = msgspec.msgpack.Decoder(dict[str, Any])
        self._shallow_dictionary = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])

    def decode(self, data: bytes) -> Message:
        try:
            size = len(data)
            if size > MAX_UNCHECKED_BYTES:
                if size > LARGE_MESSAGE_BYTES:
                    if not self._is_simple(data):
                        check_large(data)
                elif MAP_16 in data or MAP_32 in data:
                    check_key_counts(data)
            return super().decode(data)
        except (RecursionError, msgpack.StackError):
            return without_payload(self.elements(data), UNPACK_FAULTS)
        except PayloadError as fault:
            return self._with_invalid_payload(data, str(fault))

    def _with_invalid_payload(self, data: bytes, reason: str) -> Message:
        """Return a message whose payload is replaced by an InvalidPayload with ``reason``.

        Raises ProtocolViolation if the message is invalid outside its payload.
        """
        try:
            self._elements.decode(data)
        except RecursionError:
            return without_payload(self.elements(data), UNPACK_FAULTS)
        except DECODE_FAULTS as fault:
            raise violation(fault) from fault
        return without_payload(self.elements(data), UNPACK_FAULTS, InvalidPayload(reason))

    def elements(self, data: bytes) -> Iterator[Any]:
        unpacker = msgpack.Unpacker(max_buffer_size=0, ext_hook=lambda code, content: None)
        unpacker.feed(data)
        for _ in range(unpacker.read_array_header()):
            yield unpacker.unpack()

    def is_deeper(self, raw: Any, depth: int) -> bool:
        data = bytes(raw)
        # Most payloads have few bytes that can start a list or a dictionary, none of which is ASCII.
        if data[depth:].isascii() or len(data.translate(None, ALL_BUT_CONTAINERS)) <= depth:
            return False
        if depth >= SIMPLE_DEPTH and self._is_simple(data):
            return False
        try:
            return is_nested_deeper(self._any.decode(data), depth)
        except RecursionError:
            return True
        except DECODE_FAULTS:  # for example a time that Python does not accept; the rest can still be too deep
            return is_nested_deeper(lists(data), depth)

    def values(self, raw: Any) -> Any:
        try:
            return self._any.decode(raw)
        except DECODE_FAULTS as fault:
            raise unsayable("the router", fault) from fault

    def decode_leniently(self, data: bytes, fault: Exception) -> Message:
        """Decode a message in which a JavaScript client has written ``undefined`` or floats.

        ``undefined`` stands for a missing option, and a float stands for an integer. Raises ProtocolViolation for any
        other error outside the payload.
        """
        if "`ext`" not in str(fault) and "`float`" not in str(fault):
            raise violation(fault) from fault
        try:
            elements = self._elements.decode(data)
            head, payload = split_elements(elements, self._any.decode(elements[0]))
            message: Any = message_from_head([self._any.decode(each) for each in head], _is_undefined)
        except RecursionError:
            raise
        except DECODE_FAULTS as second:
            raise violation(second) from second
        for part, raw in zip(("args", "kwargs"), payload, strict=False):
            setattr(message, part, raw)
        return message  # type: ignore[no-any-return]

    def check_payload(self, message: Any, data: bytes) -> None:
        if message.args is not ABSENT:
            self._check_args(message)
        if message.kwargs is not ABSENT:
            self._check_kwargs(message)

    def _check_args(self, message: Any) -> None:
        try:
            # The content of large messages has already been checked by decode().
            (self._list if len(message.args) <= LARGE_MESSAGE_BYTES else self._elements).decode(message.args)
        except RecursionError:
            raise
        except DECODE_FAULTS as fault:
            if bytes(message.args) in NOTHING:
                message.args = ABSENT
            elif memoryview(message.args)[0] in LISTS:
                mark_invalid(message, fault)
            elif not (is_opaque(message) and self._is_text_or_binary(message.args)):
                raise wrong_payload(message, "args", fault) from fault

    def _check_kwargs(self, message: Any) -> None:
        try:
            (self._dictionary if len(message.kwargs) <= LARGE_MESSAGE_BYTES else self._shallow_dictionary).decode(
                message.kwargs
            )
        except RecursionError:
            raise
        except DECODE_FAULTS as fault:
            if bytes(message.kwargs) in NOTHING:
                message.kwargs = ABSENT
            elif memoryview(message.kwargs)[0] in MAPS:
                mark_invalid(message, fault)
            else:
                raise wrong_payload(message, "kwargs", fault) from fault

    def _is_simple(self, data: bytes) -> bool:
        try:
            self._simple.decode(data)
        except DECODE_FAULTS:
            return False
        return True

    def _is_text_or_binary(self, raw: Any) -> bool:
        try:
            return isinstance(self._any.decode(raw), str | bytes)
        except DECODE_FAULTS:
            return False


def lists(data: bytes) -> Any:
    """Decode valid data, but replace each dictionary with the list of its values, so that no keys are hashed."""
    return msgpack.unpackb(data, strict_map_key=False, object_pairs_hook=lambda pairs: [value for _, value in pairs])


def check_large(data: bytes) -> None:
    """Check that ``data`` is valid and that its maps have simple keys.

    A map can have any number of text and binary keys, but at most :data:`MAX_OTHER_KEYS` other keys, which must have
    one of the types in :data:`SIMPLE_KEYS`. Raises PayloadError if the data breaks these rules, and StackError if it is
    nested too deeply.
    """
    try:
        try:
            msgpack.unpackb(data, strict_map_key=True)
        except ValueError as fault:
            if "strict_map_key" not in str(fault):
                raise
            # Some keys are neither text nor binary. Check them with a hook that gets lists of pairs instead of maps.
            msgpack.unpackb(data, strict_map_key=False, object_pairs_hook=_check_keys)
    except msgpack.StackError:
        raise
    except UNPACK_FAULTS as fault:
        raise PayloadError(str(fault)) from fault


def check_key_counts(data: bytes) -> None:
    """Check the number of keys that are neither text nor binary in each map. Raises PayloadError if there are too many.

    Other errors in the data are ignored.
    """
    with suppress(*UNPACK_FAULTS):
        msgpack.unpackb(data, strict_map_key=False, object_pairs_hook=_check_key_count)


def _check_keys(pairs: list[tuple[Any, Any]]) -> list[Any]:
    """Check the keys of one map, as :func:`check_large` describes. Raises PayloadError.

    Return an empty list, which takes the place of the map in the decoded data. If the map is itself a key of another
    map, this list is refused as a key.
    """
    others = _check_key_count(pairs)
    if not SIMPLE_KEYS.issuperset(others):
        raise PayloadError("a map has a key that is neither text, binary nor a number")
    return []


def _check_key_count(pairs: list[tuple[Any, Any]]) -> list[type[Any]]:
    """Return the types of a map's keys that are neither text nor binary. Raises PayloadError if there are too many."""
    others = [kind for key, _ in pairs if (kind := type(key)) not in RANDOM_HASHES]
    if len(others) > MAX_OTHER_KEYS:
        raise PayloadError(TOO_MANY_KEYS)
    return others


def _is_undefined(value: Any) -> bool:
    return isinstance(value, msgspec.msgpack.Ext) and value.code == UNDEFINED
