"""The message encoders of WebSocket connections, by serializer.

Connections with the same serializer and compression share an encoder, so that an event for many connections is framed
and compressed only once.
"""

import zlib
from functools import cache

from ..node.connection import MessageEncoder
from ..serializers.registry import SERIALIZERS
from .frames import BINARY, COMPRESSED, TEXT, binary_frame, message_frames, text_frame

WEBSOCKET_ENCODERS: dict[str, MessageEncoder] = {
    name: MessageEncoder(serializer, binary_frame if serializer.is_binary else text_frame)
    for name, serializer in SERIALIZERS.items()
}
"""The encoders that return complete WebSocket frames, by name of the serializer."""

PLAIN_ENCODERS: dict[str, MessageEncoder] = {
    name: MessageEncoder(serializer) for name, serializer in SERIALIZERS.items()
}
"""The encoders that return messages without frames, by name of the serializer, for transports that add the frames."""


@cache
def compressed_encoder(name: str, window: int, memory_level: int) -> MessageEncoder:
    """Return the encoder that compresses messages without context takeover and returns complete frames.

    ``name`` is the name of the serializer. ``window`` is the size of the window in bits. ``memory_level`` is the
    parameter ``memLevel`` of zlib.
    """
    serializer = SERIALIZERS[name]
    first = (BINARY if serializer.is_binary else TEXT) | COMPRESSED

    def compressed_frame(payload: bytes) -> bytes:
        return message_frames(first, deflated(zlib.compressobj(wbits=-window, memLevel=memory_level), payload))

    return MessageEncoder(serializer, compressed_frame)


def deflated(compressor: "zlib._Compress", payload: bytes) -> bytes:
    """Return the payload of a message, compressed as RFC 7692, section 7.2.1, requires."""
    data = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return data[:-4] or b"\x00"
