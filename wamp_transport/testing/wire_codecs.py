"""Bytes to plain Python values and back, by libraries other than the serializers under test where there are any.

What a peer in a test sends need not be a message, so nothing here knows what one is.
"""

import json
from importlib import import_module
from typing import Any

import msgpack


def dump(serializer: str, value: Any) -> bytes:
    """``value`` in the named serialization."""
    if serializer == "json":
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    if serializer == "msgpack":
        return bytes(msgpack.packb(value))
    return bytes(import_module("cbor2").dumps(value))


def load(serializer: str, data: bytes) -> Any:
    """The value that ``data`` holds. Raises an exception of the library's where ``data`` is not valid."""
    if serializer == "json":
        return json.loads(data.decode(), parse_constant=_refuse)
    if serializer == "msgpack":
        return msgpack.unpackb(data, strict_map_key=False)
    return import_module("cbor2").loads(data)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
