"""Read complete messages from the bytes that a WebSocket client sends, without I/O.

The reader handles only common frames: masked frames that contain a complete message of the expected kind. All other
frames, such as fragments, control frames, invalid frames and very long frames, must be read by a parser that implements
the whole protocol: Autobahn's parser, which is called the *fallback*.
"""

from codecs import utf_8_decode
from collections.abc import Callable
from enum import Enum
from typing import Final

from websockets.speedups import apply_mask

from .frames import BINARY, COMPRESSED, TEXT, whole_masked_frame

FRAMES_PER_TURN: Final = 128
"""The maximum number of frames from one peer that are read before other peers are served."""

LARGE_FRAME_BYTES: Final = 8 * 1024
"""The size in bytes from which a frame is *large*.

The payload of a large frame is unmasked without copying it first. While a large frame is incomplete, it is not parsed
again for each piece that arrives.
"""

LARGE_MESSAGE_BYTES: Final = 128 * 1024
"""The decompressed size in bytes above which a compressed message uses up the peer's turn of the event loop."""


class NextStep(Enum):
    """The action to take if :meth:`FrameReader.read` has returned remaining bytes."""

    WAIT = "wait"
    """The bytes are the beginning of a frame: read again when more bytes have arrived."""

    FALLBACK = "fallback"
    """The bytes do not begin with a common frame, or are too few to decide: Autobahn's parser must read one frame."""

    YIELD = "yield"
    """The peer has used up its turn: read again in the next turn of the event loop."""

    STOP = "stop"
    """:meth:`FrameReader.interrupt` was called: check the state of the connection before reading on."""


WAIT, FALLBACK, YIELD, STOP = NextStep  # looking up a member of an enum takes longer than reading a short frame


class FrameReader:
    """A reader that calls ``deliver`` with each message of one peer.

    ``inflate`` is a function that returns the message for a compressed payload, or None if the function has closed the
    connection. If compression was not agreed, ``inflate`` is None.

    ``deliver`` and ``inflate`` may call :meth:`interrupt`, but not :meth:`read`: the bytes after the current message
    are in a local variable of the running call, so a second call would read later bytes first.
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
        """The number of bytes to collect before a large frame is read again. It is 0 if no frame is being collected,
        and negative if there are enough bytes.
        """
        self.frames_left = FRAMES_PER_TURN
        """The number of frames that may still be read in this turn. The owner of the reader sets it when a turn begins,
        and decrements it for frames that Autobahn's parser reads.
        """
        self.incomplete_since = 0.0
        """The time since which the current message has been incomplete; 0 if no message is incomplete.

        The owner of the reader sets this time, and :meth:`read` resets it after each complete message.
        """
        self.next_step = WAIT
        """The next step for the remaining bytes of the last :meth:`read`. It is not valid if no bytes remain."""

    # Hot path: once per read from the socket. The loop over frames makes only the calls that are necessary.

    def read(self, data: bytes, max_payload: int) -> bytes:
        """Deliver the messages at the beginning of ``data`` and return the remaining bytes.

        If bytes remain, :attr:`next_step` shows how to continue. A frame with a payload of more than ``max_payload``
        bytes is not read: Autobahn's parser must read it.
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
        """Make a running :meth:`read` return after the current message, because the connection was closed or paused."""
        self._is_interrupted = True

    def collect(self, data: bytes) -> bool:
        """Collect a piece of a large frame. Return whether to call :meth:`read` again.

        This is the case when the frame is complete, and also whenever the number of collected bytes has doubled, so
        that invalid text is detected early. Reading again with each piece would take quadratic time.
        """
        self._pieces.append(data)
        # -1 instead of 0, because 0 means that no frame is being collected.
        self.awaited_bytes = self.awaited_bytes - len(data) or -1
        return self.awaited_bytes < 0

    def take_collected(self, begun: bytes) -> bytes:
        """Stop collecting, and return the bytes of the frame that have arrived.

        ``begun`` contains the first of these bytes, which :meth:`read` has returned; the collected pieces follow.
        """
        data = b"".join((begun, *self._pieces))
        self._pieces.clear()
        self.awaited_bytes = 0
        return data

    def _await_rest(self, missing: int, size: int) -> None:
        """Begin to collect the pieces of an incomplete frame, if it is large.

        ``size`` bytes of the frame have arrived, and ``missing`` bytes have not.
        """
        self.awaited_bytes = min(missing, size) if size >= LARGE_FRAME_BYTES else 0

    def _can_be_text(self, masked: bytes, mask: bytes) -> bool:
        """Return whether the bytes of an incomplete frame can be the beginning of valid text.

        If they cannot, Autobahn's parser must read them, and closes the connection. For a binary message, return True.
        """
        return self._first_byte != TEXT or is_utf8(apply_mask(masked, mask), is_all=False)

    def _deliver_inflated(self, payload: bytes) -> int:
        """Decompress and deliver a message.

        Return the maximum number of frames, including this one, that may still be read in this turn.
        """
        assert self._inflate is not None  # noqa: S101 - otherwise no frame is treated as compressed
        message = self._inflate(payload)
        if message is None:
            return FRAMES_PER_TURN
        self._deliver(message)
        return 1 if len(message) > LARGE_MESSAGE_BYTES else FRAMES_PER_TURN


def is_utf8(payload: bytes, *, is_all: bool = True) -> bool:
    """Return whether ``payload`` is valid UTF-8.

    If ``is_all`` is False, more bytes follow. In this case, the payload may end in the middle of a character.
    """
    if payload.isascii():
        return True
    try:
        utf_8_decode(payload, "strict", is_all)
    except UnicodeDecodeError:
        return False
    return True
