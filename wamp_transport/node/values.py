"""Payload between Python code of this process and the router: copied on the way in and on the way out, never shared."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ..project_code import contain
from ..serializers.registry import values_of
from ..wamp.errors import PayloadError
from ..wamp.payload import ABSENT, PYTHON

PLAIN = frozenset({str, int, float, bool, bytes, type(None)})
"""The types whose values cannot change, and that a serializer knows."""

MAX_DEPTH: Final = 100
"""Lists and dictionaries inside each other; as much as a realm allows unless it says another number."""


def given(value: Any) -> Any:
    """What code hands over as ``args`` or ``kwargs``, as payload of the format ``python``; nothing where it is empty.

    Tuples and sets become lists, bytearrays bytes; what msgspec can say as text (times, UUIDs, decimals, enumerations)
    becomes text. Raises PayloadError for other types, and for what is nested too deeply or contains itself.
    """
    try:
        return _copied(value, MAX_DEPTH) if value else ABSENT
    except PayloadError:
        raise
    except BaseException as fault:  # mappings and sequences can have code of the project
        raise PayloadError(f"a value of type {type(value).__name__} cannot be sent: {contain(fault)!r}") from fault


def taken(payload_format: str, raw: Any) -> Any:
    """What code gets of ``args`` or ``kwargs``: values of its own, None where there are none. Raises PayloadError."""
    if raw is ABSENT:
        return None
    if payload_format == PYTHON:
        return copied(raw)
    return values_of(payload_format, raw)


def copied(value: Any) -> Any:
    """A copy of values that are payload."""
    return msgspec.to_builtins(value, builtin_types=(bytes,))


def _copied(value: Any, room: int) -> Any:
    kind = type(value)
    if kind in PLAIN:
        return value
    if not room:
        raise PayloadError(f"the payload has more than {MAX_DEPTH} lists and dictionaries inside each other")
    if isinstance(value, list | tuple | set | frozenset):
        return [_copied(item, room - 1) for item in value]
    if isinstance(value, Mapping):
        return {_key(key): _copied(item, room - 1) for key, item in value.items()}
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
