"""Encode and decode values for test peers, where possible with libraries other than the serializers'.

A test peer may send values that are not WAMP messages, so this module does not depend on messages.
"""

import json
from importlib import import_module
from typing import Any

import msgpack


def dump(serializer: str, value: Any) -> bytes:
    """Encode ``value`` in the format ``serializer``."""
    if serializer == "json":
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    if serializer == "msgpack":
        return bytes(msgpack.packb(value))
    return bytes(import_module("cbor2").dumps(value))


def load(serializer: str, data: bytes) -> Any:
    """Decode ``data``. Raises an exception of the library if the data is invalid."""
    if serializer == "json":
        return json.loads(data.decode(), parse_constant=_refuse)
    if serializer == "msgpack":
        return msgpack.unpackb(data, strict_map_key=False)
    return import_module("cbor2").loads(data)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
