"""The lanes of WebSocket links: by serializer, and by what the link leaves to the lane.

What is the same for many links is framed, and where it can be compressed, once for all of them.
"""

import zlib
from functools import cache

from ..node.connection import Lane
from ..serializers.registry import SERIALIZERS
from .frames import BINARY, COMPRESSED, TEXT, binary_frame, message_frames, text_frame

FRAMED: dict[str, Lane] = {
    name: Lane(serializer, binary_frame if serializer.is_binary else text_frame)
    for name, serializer in SERIALIZERS.items()
}
"""Lanes by serializer for links that take whole WebSocket frames."""

UNFRAMED: dict[str, Lane] = {name: Lane(serializer) for name, serializer in SERIALIZERS.items()}
"""Lanes by serializer for links that take messages."""


@cache
def compressed_lane(name: str, window: int, memory_level: int) -> Lane:
    """The lane of links that take whole frames, compressed without regard to what was sent before."""
    serializer = SERIALIZERS[name]
    first = (BINARY if serializer.is_binary else TEXT) | COMPRESSED

    def compressed_frame(payload: bytes) -> bytes:
        return message_frames(first, deflated(zlib.compressobj(wbits=-window, memLevel=memory_level), payload))

    return Lane(serializer, compressed_frame)


def deflated(compressor: "zlib._Compress", payload: bytes) -> bytes:
    """A message as it goes over the wire, RFC 7692, section 7.2.1."""
    data = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return data[:-4] or b"\x00"
