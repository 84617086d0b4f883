"""The serializers there are, by name and by subprotocol, and payload of any format as values."""

from typing import Any, Final

from ..wamp.payload import PYTHON
from .json import JsonSerializer
from .msgpack import MsgPackSerializer
from .payloads import is_nested_deeper
from .serializer import Serializer


def values_of(payload_format: str, raw: Any) -> Any:
    """Payload in ``payload_format`` as Python values; binary as bytes."""
    return raw if payload_format == PYTHON else SERIALIZERS[payload_format].values(raw)


def is_deeper(payload_format: str, raw: Any, depth: int) -> bool:
    """Whether more than ``depth`` lists and dictionaries are inside each other in payload of any format."""
    if payload_format == PYTHON:
        return is_nested_deeper(raw, depth)
    return SERIALIZERS[payload_format].is_deeper(raw, depth)


def _installed() -> list[Serializer]:
    serializers: list[Serializer] = [JsonSerializer(values_of), MsgPackSerializer(values_of)]
    try:
        from .cbor import CborSerializer  # noqa: PLC0415 - cbor2 is optional
    except ImportError:
        return serializers
    return [*serializers, CborSerializer(values_of)]


SERIALIZERS: Final[dict[str, Serializer]] = {serializer.name: serializer for serializer in _installed()}
"""Serializers by name: ``json``, ``msgpack``, and ``cbor`` when cbor2 is installed."""

BY_SUBPROTOCOL: Final[dict[str, Serializer]] = {each.subprotocol: each for each in SERIALIZERS.values()}
"""The same by WebSocket subprotocol: ``wamp.2.json``."""
