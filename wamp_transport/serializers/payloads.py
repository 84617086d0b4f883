"""Payload between serializations: from the sender's format to values, from values to the receiver's.

JSON has no binary type: WAMP writes binary as a string of U+0000 followed by base64.
Section of the specification: Advanced Profile, "Binary support in JSON".
"""

import binascii
import math
from base64 import b64decode, b64encode
from typing import Any

from ..wamp.errors import PayloadError

BINARY_MARK = "\0"


def to_json_values(value: Any) -> Any:
    """``value`` with binary written the JSON way.

    Raises PayloadError for what JSON cannot say: NaN and the infinities, extension types, keys that are no text, and
    text that begins with U+0000, which its receiver would take for binary.
    """
    if isinstance(value, str):
        if value.startswith(BINARY_MARK):
            raise PayloadError("JSON cannot say text that begins with U+0000")
        return value
    if isinstance(value, int) or value is None:
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        raise PayloadError(f"JSON cannot say the number {value}")
    if isinstance(value, list | tuple):
        return [to_json_values(item) for item in value]
    if isinstance(value, dict):
        return {_json_key(key): to_json_values(item) for key, item in value.items()}
    if isinstance(value, bytes | bytearray | memoryview):
        return BINARY_MARK + b64encode(value).decode("ascii")
    raise PayloadError(f"JSON cannot say a value of type {type(value).__name__}")


def from_json_values(value: Any) -> Any:
    """``value`` as parsed from JSON, with binary in the JSON way turned into bytes.

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
    raise PayloadError(f"JSON cannot say a dictionary key of type {type(key).__name__}")
