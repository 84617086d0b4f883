"""The common WebSocket frame, read and built without I/O: whole messages of text or binary.

Section of RFC 6455: 5.2, "Base Framing Protocol".
"""

from collections.abc import Callable
from struct import pack
from typing import Final

from websockets.speedups import apply_mask

TEXT: Final = 0x81
BINARY: Final = 0x82
"""First byte of a final frame, no extension bits, that is a whole message."""

FINAL: Final = 0x80
COMPRESSED: Final = 0x40
"""Bit of the first byte of a message that is compressed, RFC 7692, section 6."""

WHOLE: Final = frozenset({TEXT, BINARY, TEXT | COMPRESSED, BINARY | COMPRESSED})
"""First bytes of frames that are a whole message."""

LARGE_FRAME_BYTES: Final = 8 * 1024
"""Bytes from which a frame is not copied to be unmasked, nor looked at with every piece of it that comes."""

MASKED: Final = 0x80
LENGTH_16: Final = 126
LENGTH_64: Final = 127


def text_frame(payload: bytes) -> bytes:
    """A text message as one unmasked frame, as a server sends it."""
    size = len(payload)
    return (TEXT_HEADS[size] if size < LENGTH_16 else _head(TEXT, size)) + payload


def binary_frame(payload: bytes) -> bytes:
    """A binary message as one unmasked frame, as a server sends it."""
    size = len(payload)
    return (BINARY_HEADS[size] if size < LENGTH_16 else _head(BINARY, size)) + payload


def message_frames(first: int, payload: bytes, *, size: int = 0, make_mask: Callable[[], bytes] | None = None) -> bytes:
    """A message in frames of at most ``size`` octets of payload, one frame for 0, each masked if there is a mask.

    ``first`` is the first octet of the message as one frame.
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


def _head(first: int, size: int, masked: int = 0) -> bytes:
    if size < LENGTH_16:
        return bytes((first, masked | size))
    if size < 0x10000:
        return pack(">BBH", first, masked | LENGTH_16, size)
    return pack(">BBQ", first, masked | LENGTH_64, size)


TEXT_HEADS: Final = [_head(TEXT, size) for size in range(LENGTH_16)]
BINARY_HEADS: Final = [_head(BINARY, size) for size in range(LENGTH_16)]
"""What short messages begin with, by their size."""


def whole_masked_frame(data: bytes, start: int) -> tuple[int, int] | None:
    """Where the payload of the frame at ``start`` begins and ends, or None unless it is of the common shape.

    Common shape: final, text or binary, no extension bits but that of compression, masked, length minimally encoded.
    The end may lie beyond ``data``: then the frame is not all there yet. The mask is the four bytes before the payload.
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


class Pieces:
    """What comes of a long frame. It is looked at again when it is whole, or there is twice as much of it.

    Looked at with each piece, many small ones would cost the square of its length.
    """

    __slots__ = ("_pieces", "awaited")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.awaited = 0
        """Not 0 while pieces are collected."""

    def expect(self, missing: int, size: int) -> None:
        """Of a frame ``size`` bytes have come, ``missing`` have not. Pieces of short ones are not collected."""
        self.awaited = min(missing, size) if size >= LARGE_FRAME_BYTES else 0

    def add(self, data: bytes) -> bool:
        """Collect what has come. Returns whether it is time to look."""
        self._pieces.append(data)
        self.awaited -= len(data)
        # Never 0 here, as there is something to join.
        self.awaited = self.awaited or -1
        return self.awaited < 0

    def join(self, begun: bytes) -> bytes:
        """What was there and what has come since. Nothing is collected any more."""
        data = b"".join((begun, *self._pieces))
        self._pieces.clear()
        self.awaited = 0
        return data
