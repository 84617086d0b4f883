"""Conversions between Python values and payload. Values are copied in both directions and never shared."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ..project_code import contain
from ..serializers.registry import values_of
from ..wamp.errors import PayloadError
from ..wamp.payload import ABSENT, PYTHON

IMMUTABLE_TYPES = frozenset({str, int, float, bool, bytes, type(None)})
"""The immutable types that every serializer supports. Their values need no copy."""

MAX_DEPTH: Final = 100
"""The largest nesting depth of lists and dictionaries. It is also the default limit of a realm."""


def to_payload(value: Any) -> Any:
    """Return a copy of ``args`` or ``kwargs`` as payload in the format ``python``; ABSENT if the value is empty.

    Tuples and sets become lists, bytearrays become bytes. Types that msgspec converts to text (times, UUIDs, decimals,
    enumerations) become text. Raises PayloadError for other types, and for values that are nested too deeply or contain
    themselves.
    """
    try:
        return _copy(value, MAX_DEPTH) if value else ABSENT
    except PayloadError:
        raise
    except BaseException as fault:  # custom mappings and sequences run code of the project, which can raise anything
        raise PayloadError(f"a value of type {type(value).__name__} cannot be sent: {contain(fault)!r}") from fault


def from_payload(payload_format: str, raw: Any) -> Any:
    """Return a copy of received ``args`` or ``kwargs`` as values; None if they are absent. Raises PayloadError."""
    if raw is ABSENT:
        return None
    if payload_format == PYTHON:
        return copy_payload(raw)
    return values_of(payload_format, raw)


def copy_payload(value: Any) -> Any:
    """Return a copy of a payload in the format ``python``."""
    return msgspec.to_builtins(value, builtin_types=(bytes,))


def _copy(value: Any, depth_left: int) -> Any:
    kind = type(value)
    if kind in IMMUTABLE_TYPES:
        return value
    if not depth_left:
        raise PayloadError(f"lists and dictionaries of the payload are nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, list | tuple | set | frozenset):
        return [_copy(item, depth_left - 1) for item in value]
    if isinstance(value, Mapping):
        return {_key(key): _copy(item, depth_left - 1) for key, item in value.items()}
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    try:
        return msgspec.to_builtins(value, builtin_types=(bytes,))
    except (TypeError, ValueError) as fault:
        raise PayloadError(f"a value of type {kind.__name__} cannot be sent") from fault


def _key(key: Any) -> Any:
    if isinstance(key, str):
        return str(key)
    if isinstance(key, int):
        return key
    raise PayloadError(f"a dictionary key of type {type(key).__name__} cannot be sent")
