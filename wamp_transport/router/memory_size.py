"""Estimate the memory that stored messages take, and detach their payload from the buffers that contain it."""

from collections.abc import Sequence
from sys import getsizeof
from typing import Any, Final

from msgspec import Raw, Struct
from msgspec.structs import astuple

from ..wamp.messages import Publish
from ..wamp.payload import ABSENT

OVERHEAD_BYTES: Final = 500
"""The approximate size of a stored publication without its topic, options and payload."""

COMPOUND: Final = (dict, list, tuple, set, frozenset, Struct, Raw)
"""The types of values that contain others."""


def size_of(message: Publish) -> int:
    """Return the approximate number of bytes that a stored publication takes in memory.

    The size of undecoded payload is the number of bytes received. Decoded payload takes many times as much memory.
    """
    size = OVERHEAD_BYTES + len(message.topic)
    for part in (message.args, message.kwargs):
        if part is not ABSENT:
            size += len(part) if isinstance(part, Raw) else size_of_values(part)
    return size + size_of_values([each for each in astuple(message.options) if each is not None])


def size_of_values(value: Any) -> int:
    """Return the approximate number of bytes that a value takes in memory, including all values inside it."""
    size = getsizeof(value)
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Raw):
            size += len(item)
            continue
        inside = _inside(item)
        size += sum(map(getsizeof, inside))
        waiting.extend(each for each in inside if isinstance(each, COMPOUND))
    return size


def _inside(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return (*value.keys(), *value.values())
    if isinstance(value, set | frozenset):
        return tuple(value)
    if isinstance(value, Struct):
        return astuple(value)
    return value if isinstance(value, list | tuple) else ()


def detach(message: Publish) -> Publish:
    """Return a copy of a message that does not refer to the buffer in which it was received.

    Raw payload is a view of this buffer, which can be much larger: clients can send options that the router ignores.
    """
    return Publish(
        message.request_id, message.options, message.topic, detach_part(message.args), detach_part(message.kwargs)
    )


def detach_part(part: Any) -> Any:
    """Return args or kwargs without a reference to the buffer in which they were received."""
    return part.copy() if isinstance(part, Raw) and part is not ABSENT else part
