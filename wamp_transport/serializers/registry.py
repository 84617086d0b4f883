"""The installed serializers, by name and by WebSocket subprotocol, and functions for payload in any format."""

from typing import Any, Final

from ..wamp.errors import PayloadError
from ..wamp.payload import PYTHON
from .json import JsonSerializer
from .msgpack import MsgPackSerializer
from .payloads import is_nested_deeper
from .serializer import Serializer


def values_of(payload_format: str, raw: Any) -> Any:
    """Return payload in ``payload_format`` as Python values. Binary values become bytes.

    Raises PayloadError for values that Python cannot represent, or if this node does not have the serializer, which can
    happen if another node of the cluster has it.
    """
    if payload_format == PYTHON:
        return raw
    try:
        serializer = SERIALIZERS[payload_format]
    except KeyError:
        raise PayloadError(f"no serializer {payload_format!r} is installed on this node") from None
    return serializer.values(raw)


def serialize(values: Any, payload_format: str) -> bytes:
    """Return Python values as payload in JSON or MessagePack. Raises PayloadError if that is impossible."""
    return (JSON if payload_format == JSON.name else MSGPACK).payload(values)


def is_deeper(payload_format: str, raw: Any, depth: int) -> bool:
    """Return whether payload in ``payload_format`` is nested deeper than ``depth`` lists and dictionaries."""
    if payload_format == PYTHON:
        return is_nested_deeper(raw, depth)
    return SERIALIZERS[payload_format].is_deeper(raw, depth)


JSON: Final = JsonSerializer(values_of)
MSGPACK: Final = MsgPackSerializer(values_of)


def _installed() -> list[Serializer]:
    serializers: list[Serializer] = [JSON, MSGPACK]
    try:
        from .cbor import CborSerializer  # noqa: PLC0415 - cbor2 is optional
    except ImportError:
        return serializers
    return [*serializers, CborSerializer(values_of)]


SERIALIZERS: Final[dict[str, Serializer]] = {serializer.name: serializer for serializer in _installed()}
"""Serializers by name: ``json``, ``msgpack``, and ``cbor`` if cbor2 is installed."""

BY_SUBPROTOCOL: Final[dict[str, Serializer]] = {each.subprotocol: each for each in SERIALIZERS.values()}
"""Serializers by WebSocket subprotocol, such as ``wamp.2.json``."""
