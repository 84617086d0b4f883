"""Reads whole messages from the bytes that a WebSocket client sends, without I/O.

The reader handles the common frame only: a message in one masked frame of the expected kind. Everything else
(fragments, control frames, violations, very long frames) is left to a fallback that implements the whole protocol.
"""

from codecs import utf_8_decode
from collections.abc import Callable
from enum import Enum
from typing import Final

from websockets.speedups import apply_mask

from .frames import BINARY, COMPRESSED, TEXT, whole_masked_frame

FRAMES_PER_TURN: Final = 128
"""Frames of one peer that are read before other peers are served."""

LARGE_FRAME_BYTES: Final = 8 * 1024
"""Larger frames are unmasked without a copy, and are not parsed again with every piece that arrives."""

LARGE_MESSAGE_BYTES: Final = 128 * 1024
"""A message that is larger after decompression uses up a whole turn, however few bytes it had on the wire."""


class NextStep(Enum):
    """The action to take if :meth:`FrameReader.read` has left bytes."""

    WAIT = "wait"
    """They are the beginning of a frame: read again when more bytes have arrived."""

    FALLBACK = "fallback"
    """They begin with another kind of frame, or with too few bytes to decide: the fallback must read one frame."""

    YIELD = "yield"
    """The peer has used up its turn: read again in the next turn of the event loop."""

    STOP = "stop"
    """:meth:`FrameReader.interrupt` was called: check the state of the connection before reading on."""


WAIT, FALLBACK, YIELD, STOP = NextStep  # to look up a member of an enum takes long, compared with a short frame


class FrameReader:
    """A reader that calls ``deliver`` with each message of one peer.

    ``inflate`` is given if compression was agreed. It returns the message for a compressed payload, or None if it has
    closed the connection instead. Either function may call :meth:`interrupt`, but must not call :meth:`read`: the bytes
    after the current message are in a local variable there, so a second call would read other bytes before them.
    """

    __slots__ = (
        "_compressed_first_byte", "_deliver", "_first_byte", "_inflate", "_is_interrupted", "_pieces", "awaited_bytes",
        "frames_left", "incomplete_since", "next_step",
    )  # fmt: skip

    def __init__(
        self,
        deliver: Callable[[bytes], None],
        *,
        is_binary: bool,
        inflate: Callable[[bytes], bytes | None] | None = None,
    ) -> None:
        self._deliver = deliver
        self._inflate = inflate
        self._first_byte = BINARY if is_binary else TEXT
        self._compressed_first_byte = -1 if inflate is None else self._first_byte | COMPRESSED
        self._is_interrupted = False
        self._pieces: list[bytes] = []
        self.awaited_bytes = 0
        """The bytes to collect until a large frame is read again: 0 if none is collected, negative if it is time."""
        self.frames_left = FRAMES_PER_TURN
        """Frames of the peer that may still be read in this turn. The owner sets it when a turn begins, and decrements
        it for frames that the fallback reads.
        """
        self.incomplete_since = 0.0
        """The time at which an incomplete message was first seen; 0 if there is none. The owner sets it, and a complete
        message resets it.
        """
        self.next_step = WAIT
        """The step to take for the bytes that the last :meth:`read` has left. Not valid if it has left none."""

    # Hot path: once per read from the socket. The loop over frames makes no calls but those that do the work.

    def read(self, data: bytes, max_payload: int) -> bytes:
        """Deliver the messages at the beginning of ``data`` and return the bytes that are left.

        If bytes are left, :attr:`next_step` says how to continue. Messages with more than ``max_payload``
        bytes on the wire are left to the fallback.
        """
        first_byte, deliver = self._first_byte, self._deliver
        self._is_interrupted = False
        step = FALLBACK
        position = 0
        frames_left = self.frames_left
        while (payload := whole_masked_frame(data, position)) is not None:
            begin, end = payload
            is_compressed = data[position] == self._compressed_first_byte
            if not (is_compressed or data[position] == first_byte) or end - begin > max_payload:
                break
            if end > len(data):
                if is_compressed or self._can_be_text(data[begin:], data[begin - 4 : begin]):
                    self._await_rest(end - len(data), len(data) - position)
                    step = WAIT
                break
            masked = data[begin:end] if end - begin < LARGE_FRAME_BYTES else memoryview(data)[begin:end]
            message = apply_mask(masked, data[begin - 4 : begin])
            if first_byte == TEXT and not is_compressed and not message.isascii() and not is_utf8(message):
                break
            position = end
            if is_compressed:
                frames_left = min(frames_left, self._deliver_inflated(message))
            else:
                deliver(message)
            frames_left -= 1
            if self._is_interrupted or frames_left <= 0:
                step = STOP if self._is_interrupted else YIELD
                break
        if position:
            self.incomplete_since = 0.0
        self.frames_left = frames_left
        self.next_step = step
        return data[position:]

    # End of the hot path.

    def interrupt(self) -> None:
        """Make a running :meth:`read` return after the current message, because the connection is closed or paused."""
        self._is_interrupted = True

    def collect(self, data: bytes) -> bool:
        """Keep a piece of a large frame. Return whether it is time to read.

        The frame is read when it is complete, or when twice as much of it has arrived, because invalid text must be
        detected early. Reading it again with each piece would take quadratic time.
        """
        self._pieces.append(data)
        # -1 instead of 0, which would mean that nothing is collected.
        self.awaited_bytes = self.awaited_bytes - len(data) or -1
        return self.awaited_bytes < 0

    def take_collected(self, begun: bytes) -> bytes:
        """Return ``begun`` and the pieces collected after it, and stop collecting."""
        data = b"".join((begun, *self._pieces))
        self._pieces.clear()
        self.awaited_bytes = 0
        return data

    def _await_rest(self, missing: int, size: int) -> None:
        """Collect pieces of an incomplete frame if it is large. ``size`` bytes have arrived, ``missing`` have not."""
        self.awaited_bytes = min(missing, size) if size >= LARGE_FRAME_BYTES else 0

    def _can_be_text(self, masked: bytes, mask: bytes) -> bool:
        """Return whether an incomplete frame can still be valid. If not, the fallback closes the connection."""
        return self._first_byte != TEXT or is_utf8(apply_mask(masked, mask), is_all=False)

    def _deliver_inflated(self, payload: bytes) -> int:
        """Deliver a compressed message. Return the number of frames that fit into this turn, including this one."""
        assert self._inflate is not None  # noqa: S101 - else no frame counts as compressed
        message = self._inflate(payload)
        if message is None:
            return FRAMES_PER_TURN
        self._deliver(message)
        return 1 if len(message) > LARGE_MESSAGE_BYTES else FRAMES_PER_TURN


def is_utf8(payload: bytes, *, is_all: bool = True) -> bool:
    """Return whether ``payload`` is valid UTF-8.

    With ``is_all=False``, more bytes follow, so the payload may end in the middle of a character.
    """
    if payload.isascii():
        return True
    try:
        utf_8_decode(payload, "strict", is_all)
    except UnicodeDecodeError:
        return False
    return True
