"""Parse and build common WebSocket frames, each of which is a complete text or binary message, without I/O.

See RFC 6455, section 5.2, "Base Framing Protocol".
"""

import os
from collections.abc import Callable
from struct import pack
from typing import Final

from websockets.speedups import apply_mask

TEXT: Final = 0x81
BINARY: Final = 0x82
"""``TEXT`` and ``BINARY`` are the first bytes of frames that each contain a complete message.

In these bytes, the final bit is set, and the extension bits are not.
"""

FINAL: Final = 0x80
COMPRESSED: Final = 0x40
"""The bit in the first byte of a message that marks it as compressed; RFC 7692, section 6."""

WHOLE: Final = frozenset({TEXT, BINARY, TEXT | COMPRESSED, BINARY | COMPRESSED})
"""The first bytes of frames that each contain a complete message, compressed or not."""

MASKED: Final = 0x80
LENGTH_16: Final = 126
LENGTH_64: Final = 127


def text_frame(payload: bytes) -> bytes:
    """Return a text message as one unmasked frame, as a server sends it."""
    size = len(payload)
    return (TEXT_HEADS[size] if size < LENGTH_16 else _head(TEXT, size)) + payload


def binary_frame(payload: bytes) -> bytes:
    """Return a binary message as one unmasked frame, as a server sends it."""
    size = len(payload)
    return (BINARY_HEADS[size] if size < LENGTH_16 else _head(BINARY, size)) + payload


def message_frames(first: int, payload: bytes, *, size: int = 0, make_mask: Callable[[], bytes] | None = None) -> bytes:
    """Return a message as frames with at most ``size`` octets of payload each; as one frame if ``size`` is 0.

    ``first`` is the first octet of a frame that contains the whole message. ``make_mask`` is called for each frame and
    returns the mask. If ``make_mask`` is None, frames are not masked.
    """
    size = size or len(payload) or 1
    frames: list[bytes] = []
    for position in range(0, len(payload) or 1, size):
        part = payload[position : position + size]
        opcode = first & ~FINAL if position == 0 else 0
        is_last = position + size >= len(payload)
        mask = b"" if make_mask is None else make_mask()
        frames.append(_head(opcode | FINAL * is_last, len(part), MASKED * bool(mask)) + mask)
        frames.append(apply_mask(part, mask) if mask else part)
    return b"".join(frames)


class MessageFramer:
    """A framer for the messages of a connection that cannot share its frames with other connections.

    - ``write``: a function that is called with the frames of each message
    - ``first``: the first octet of a frame that contains a whole uncompressed message
    - ``compress``: a function that compresses a payload; None if compression was not agreed
    - ``make_mask``: a function that returns the mask of a frame; None if frames are not masked
    - ``max_payload``: the maximum payload of a frame in octets; 0 for no limit
    """

    __slots__ = ("_compress", "_first", "_make_mask", "_max_payload", "_write")

    def __init__(
        self,
        write: Callable[[bytes], None],
        first: int,
        *,
        compress: Callable[[bytes], bytes] | None = None,
        max_payload: int = 0,
        make_mask: Callable[[], bytes] | None = None,
    ) -> None:
        self._write = write
        self._first = first if compress is None else first | COMPRESSED
        self._compress = compress
        self._max_payload = max_payload
        self._make_mask = make_mask

    def write(self, message: bytes) -> None:
        """Frame and write one message."""
        payload = message if self._compress is None else self._compress(message)
        self._write(message_frames(self._first, payload, size=self._max_payload, make_mask=self._make_mask))


def random_mask() -> bytes:
    """Return a random mask that the peer cannot predict."""
    return os.urandom(4)


def zero_mask() -> bytes:
    """Return the mask that leaves a payload unchanged."""
    return bytes(4)


def _head(first: int, size: int, masked: int = 0) -> bytes:
    if size < LENGTH_16:
        return bytes((first, masked | size))
    if size < 0x10000:
        return pack(">BBH", first, masked | LENGTH_16, size)
    return pack(">BBQ", first, masked | LENGTH_64, size)


TEXT_HEADS: Final = [_head(TEXT, size) for size in range(LENGTH_16)]
BINARY_HEADS: Final = [_head(BINARY, size) for size in range(LENGTH_16)]
"""``TEXT_HEADS`` and ``BINARY_HEADS`` contain the frame headers of short messages, indexed by payload size."""


def whole_masked_frame(data: bytes, start: int) -> tuple[int, int] | None:
    """Return the positions at which the payload of the frame at ``start`` begins and ends.

    Return None if the frame is not a common one, or if too few bytes have arrived to decide. A common frame is masked
    and contains a whole text or binary message. Its length is encoded minimally. The compression bit may be set,
    but no other extension bit.

    If not all bytes of the frame have arrived, the end lies beyond ``data``. The mask is in the four bytes before the
    payload.
    """
    available = len(data) - start
    if available < 6 or data[start] not in WHOLE:
        return None
    size = data[start + 1] - MASKED
    if size < 0:
        return None
    begin = start + 6
    if size == LENGTH_16:
        begin = start + 8
        size = int.from_bytes(data[start + 2 : start + 4], "big")
        if available < 8 or size < LENGTH_16:
            return None
    elif size == LENGTH_64:
        begin = start + 14
        size = int.from_bytes(data[start + 2 : start + 10], "big")
        if available < 14 or size < 0x10000:
            return None
    return begin, begin + size
