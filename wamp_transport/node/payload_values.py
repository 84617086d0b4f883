"""Conversion between Python values and payload. Values are copied in both directions and never shared.

Values from project code are converted to values that JSON can represent when they are sent. Otherwise, clients that use
JSON, such as browsers, would miss messages that other clients receive. If the conversion is impossible, the sender gets
an error with the position of the invalid value.
"""

import io
import math
from collections import deque
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from dataclasses import fields, is_dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import PurePath
from typing import Any, Final

import msgspec

from ..project_code import contain
from ..serializers.registry import values_of
from ..wamp.errors import PayloadError
from ..wamp.payload import ABSENT, PYTHON

MAX_DEPTH: Final = 100
"""Maximum nesting depth of lists and dictionaries. It equals the default limit of a realm."""

LISTS: Final = (list, tuple, set, frozenset, deque, range, KeysView, ValuesView, ItemsView, Iterator)
"""Types that are converted to lists."""
TEXTS: Final = (PurePath, IPv4Address, IPv6Address, IPv4Interface, IPv6Interface, IPv4Network, IPv6Network)
"""Types that are converted to text with ``str``."""

Replace = Callable[[Any], Any]
"""A function that can override the conversion of a value.

It returns the value to send instead, or NotImplemented to use the default conversion. It may raise Unsendable. It is
not called for bytes, tuples and values of the types that JSON has.
"""


class Unsendable(Exception):
    """Raised if a value cannot be sent.

    ``steps`` are the indexes, keys and attributes that lead to the value, innermost first. The error message for the
    sender consists of this position and the text of the exception, for example ``args[0] is nan, which ...``.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.steps: list[str] = []


def to_payload(value: Any, place: str = "args") -> Any:
    """Return a copy of ``args`` or ``kwargs`` as payload of the format ``python``, or ABSENT if they are empty.

    - Keys that are numbers, booleans or None become text, as in JSON.
    - Tuples, sets, iterators and views become lists, bytearrays become bytes.
    - Times, UUIDs, decimals, paths and IP addresses become text; dataclasses become dictionaries.
    - Members of enumerations become their values.

    Raises PayloadError for other types, for numbers that are not finite, for text with half a surrogate pair or with
    U+0000 at its start, and for values that are nested too deeply. The error message gives the position of the value,
    which begins with ``place``. Integers of more than 64 bits are accepted, although MessagePack cannot represent them.
    """
    try:
        is_empty = not value
    except BaseException as fault:  # ``__bool__`` or ``__len__`` can be project code
        raise PayloadError(f"{place}: a value in it cannot be sent: {contain(fault)!r}") from fault
    return ABSENT if is_empty else copy_sendable(value, place)


def copy_sendable(value: Any, place: str, replace: Replace | None = None) -> Any:
    """Return a copy of ``value``, converted as in :func:`to_payload`. ``replace`` can override the conversion.

    ``place`` is the name of ``value`` in error messages, such as ``args``. Raises PayloadError if the conversion is
    impossible.
    """
    try:
        return _copy(value, MAX_DEPTH, replace)
    except Unsendable as fault:
        raise PayloadError(f"{place}{''.join(reversed(fault.steps))}{fault}") from fault
    except BaseException as fault:  # mappings and iterators can be project code
        raise PayloadError(f"{place}: a value in it cannot be sent: {contain(fault)!r}") from fault


def from_payload(payload_format: str, raw: Any) -> Any:
    """Return a copy of received ``args`` or ``kwargs`` as Python values, or None if absent.

    Raises PayloadError if they cannot be decoded.
    """
    if raw is ABSENT:
        return None
    if payload_format == PYTHON:
        return copy_payload(raw)
    return values_of(payload_format, raw)


def copy_payload(value: Any) -> Any:
    """Return a deep copy of a payload that consists of Python values."""
    return msgspec.to_builtins(value, builtin_types=(bytes,))


def to_key(key: Any) -> str:
    """Convert the key of a dictionary to text, as ``json.dumps`` does. Raises Unsendable if this is impossible."""
    if isinstance(key, str):
        return _checked_text(str.__str__(key))
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int):
        return int.__repr__(key)
    if isinstance(key, float) and math.isfinite(key):
        return float.__repr__(key)
    if isinstance(key, float):
        raise Unsendable(f" has the key {key!r}, which JSON cannot represent")
    raise Unsendable(f" has a key of type {type(key).__name__}, which cannot be sent")


def _copy(value: Any, depth_left: int, replace: Replace | None) -> Any:
    kind = type(value)
    if kind is str:
        return value if value.isascii() and value[:1] != "\0" else _checked_text(value)
    if kind is int or value is None or kind is bool or kind is bytes:
        return value
    if kind is float:
        if math.isfinite(value):
            return value
        raise Unsendable(f" is {value!r}, which JSON cannot represent")
    if kind is dict:
        return _copy_mapping(value, depth_left, replace)
    if kind is list or kind is tuple:
        return _copy_list(value, depth_left, replace)
    return _copy_other(value, depth_left, replace)


def _copy_list(value: Any, depth_left: int, replace: Replace | None) -> list[Any]:
    if not depth_left:
        raise Unsendable(f" is nested more than {MAX_DEPTH} levels deep")
    copy: list[Any] = []
    try:
        for item in value:
            copy.append(_copy(item, depth_left - 1, replace))  # noqa: PERF401 - the length is the index of a fault
    except Unsendable as fault:
        fault.steps.append(f"[{len(copy)}]")
        raise
    return copy


def _copy_mapping(value: Mapping[Any, Any], depth_left: int, replace: Replace | None) -> dict[str, Any]:
    if not depth_left:
        raise Unsendable(f" is nested more than {MAX_DEPTH} levels deep")
    copy = {}
    for key, item in value.items():
        name = key if type(key) is str and key.isascii() else to_key(key)
        try:
            copy[name] = _copy(item, depth_left - 1, replace)
        except Unsendable as fault:
            fault.steps.append(f"[{key!r}]")
            raise
    return copy


def _copy_other(value: Any, depth_left: int, replace: Replace | None) -> Any:
    if replace is not None and (replacement := replace(value)) is not NotImplemented:
        return _copy(replacement, depth_left, replace)
    if isinstance(value, Enum):
        return _copy(value.value, depth_left, replace)
    if isinstance(value, str):
        return _checked_text(str.__str__(value))
    if isinstance(value, int):
        return _copy(int(value), depth_left, replace)
    if isinstance(value, float):
        return _copy(float(value), depth_left, replace)
    if isinstance(value, LISTS) and not isinstance(value, io.IOBase):  # a file is an iterator of its lines
        return _copy_list(value, depth_left, replace)
    if isinstance(value, Mapping):
        return _copy_mapping(value, depth_left, replace)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, TEXTS):
        return _checked_text(str(value))
    if is_dataclass(value) and not isinstance(value, type):
        return _copy_dataclass(value, depth_left, replace)
    try:
        plain = msgspec.to_builtins(value, builtin_types=(bytes,))
    except (TypeError, ValueError) as fault:
        raise Unsendable(f": a value of type {type(value).__name__} cannot be sent") from fault
    return _copy(plain, depth_left, replace)


def _copy_dataclass(value: Any, depth_left: int, replace: Replace | None) -> dict[str, Any]:
    if not depth_left:
        raise Unsendable(f" is nested more than {MAX_DEPTH} levels deep")
    copy = {}
    for field in fields(value):
        try:
            copy[field.name] = _copy(getattr(value, field.name), depth_left - 1, replace)
        except Unsendable as fault:
            fault.steps.append(f".{field.name}")
            raise
    return copy


def _checked_text(text: str) -> str:
    if text.startswith("\0"):
        raise Unsendable(" begins with U+0000, which JSON receivers take for binary")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unsendable(" has half a surrogate pair, which no serialization can represent") from None
    return text
