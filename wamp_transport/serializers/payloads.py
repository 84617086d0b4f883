"""Check and convert payload values: nesting depth, and binary values in JSON.

JSON has no binary type. In WAMP, a binary value is a string that consists of U+0000 and base64.
See the WAMP specification, Advanced Profile, "Binary support in JSON".
"""

import binascii
import math
from base64 import b64decode, b64encode
from itertools import accumulate, chain
from typing import Any, Final

from ..wamp.errors import PayloadError

BINARY_MARK: Final = "\0"

CONTAINERS: Final = frozenset({list, tuple, dict})


def is_nested_deeper(value: Any, depth: int) -> bool:
    """Return whether ``value`` consists of more than ``depth`` levels of lists and dictionaries.

    The check is iterative and takes linear time.
    """
    level = [value] if type(value) in CONTAINERS else []
    for _ in range(depth):
        if not level:
            return False
        inside = chain.from_iterable(each.values() if type(each) is dict else each for each in level)
        level = [each for each in inside if type(each) in CONTAINERS]
    return bool(level)


def has_deep_brackets(brackets: bytes, depth: int) -> bool:
    """Return whether balanced brackets ``[`` and ``]`` are nested deeper than ``depth``.

    First remove the innermost pairs up to eight times, which is fast. Usually, too few brackets remain to be nested so
    deeply. Otherwise, count them one by one.
    """
    for level in range(8):
        if len(brackets) <= 2 * (depth - level):
            return False
        brackets = brackets.replace(b"[]", b"")
    steps = (1 if bracket == 0x5B else -1 for bracket in brackets)
    # Add the eight levels that were removed.
    return max(accumulate(steps), default=0) + 8 > depth


def to_json_values(value: Any) -> Any:
    """Return ``value`` with binary values marked for JSON.

    Raises PayloadError for values that JSON cannot represent: NaN and the infinities, values of types that JSON does
    not have, keys that are not text, and text that starts with U+0000, which a receiver would interpret as binary.
    """
    if isinstance(value, str):
        if value.startswith(BINARY_MARK):
            raise PayloadError("JSON cannot represent text that begins with U+0000")
        return value
    if isinstance(value, int) or value is None:
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        raise PayloadError(f"JSON cannot represent the number {value}")
    if isinstance(value, list | tuple):
        return [to_json_values(item) for item in value]
    if isinstance(value, dict):
        return {_json_key(key): to_json_values(item) for key, item in value.items()}
    if isinstance(value, bytes | bytearray | memoryview):
        return BINARY_MARK + b64encode(value).decode("ascii")
    raise PayloadError(f"JSON cannot represent a value of type {type(value).__name__}")


def from_json_values(value: Any) -> Any:
    """Return ``value``, as parsed from JSON, with marked strings converted to bytes.

    Raises PayloadError for a marked string that is not base64.
    """
    if isinstance(value, str):
        if value.startswith(BINARY_MARK):
            try:
                return b64decode(value[1:], validate=True)
            except (binascii.Error, ValueError) as fault:
                raise PayloadError(f"a string is marked as binary and is not base64: {fault}") from fault
        return value
    if isinstance(value, list):
        return [from_json_values(item) for item in value]
    if isinstance(value, dict):
        return {key: from_json_values(item) for key, item in value.items()}
    return value


def _json_key(key: Any) -> str:
    if isinstance(key, str):
        return key
    raise PayloadError(f"JSON cannot represent a dictionary key of type {type(key).__name__}")
