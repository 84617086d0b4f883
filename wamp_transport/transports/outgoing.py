"""What waits to be sent to one peer: collected over a turn of the loop, sent in one piece, bounded for a slow peer.

It is the producer that a Twisted transport tells of its full and empty buffer, and needs nothing else of Twisted.
"""

from collections.abc import Callable
from typing import Any, Final

from .pressure import Pressure

PIECE: Final = 256 * 1024
"""Bytes that go to the transport at a time when a slow peer has read what it had."""


class Outgoing:
    """The bytes on their way to one peer.

    ``flush_soon`` has :meth:`flush` called at the end of this turn of the loop. ``weigh_with`` makes the scales for a
    peer that does not keep up.
    """

    __slots__ = (
        "_flush_soon", "_frames", "_is_held", "_is_paused", "_is_stopped", "_pressure", "_size", "_transport",
        "_weigh_with", "_writes_through",
    )  # fmt: skip

    def __init__(
        self,
        transport: Any,
        flush_soon: Callable[["Outgoing"], None],
        weigh_with: Callable[[], Pressure],
        *,
        writes_through: bool = False,
    ) -> None:
        self._transport = transport
        self._flush_soon = flush_soon
        self._weigh_with = weigh_with
        self._pressure: Pressure | None = None
        self._writes_through = writes_through
        self._frames: list[bytes] = []
        self._size = 0  # of the frames; counted only for a peer that does not keep up
        self._is_held = False
        self._is_paused = False
        self._is_stopped = False

    # Hot path: once per message written, and once per peer and turn of the loop.

    def write(self, data: bytes) -> None:
        """Whole frames, to go with the next flush."""
        frames = self._frames
        if not frames:
            self._flush_soon(self)
        frames.append(data)
        if self._pressure is not None:
            self._size += len(data)
            self._pressure.weigh(self._size + unsent(self._transport))

    def flush(self) -> bool:
        """Send what was written, in one piece; hold it back while the peer does not keep up.

        See :meth:`~.flushing.Flushable.flush` for what is returned.
        """
        return False if self._is_held else self.flush_now()

    def flush_now(self) -> bool:
        """Send what was written, however slow the peer is: something must go after it."""
        frames = self._frames
        if not frames:
            return False
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        frames.clear()
        self._size = 0
        return not self._is_stopped and self.send(data)

    def send(self, data: bytes) -> bool:
        """Hand bytes over now, after what was flushed, even when nothing more is to be written. Returns as flush."""
        transport = self._transport
        if self._writes_through and transport.connected and not transport.is_writing:
            # Nothing waits in Twisted's buffer: straight to the socket saves a turn of the loop.
            sent = transport.writeSomeData(data)
            if sent == len(data):
                return False
            if isinstance(sent, int):
                data = data[sent:]
        transport.write(data)
        return True

    # End of the hot path.

    @property
    def is_held(self) -> bool:
        """Whether the peer does not keep up: it is sent nothing, and not read, until it does."""
        return self._is_held

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait here and in the transport's buffer."""
        return sum(map(len, self._frames)) + unsent(self._transport)

    def discard(self) -> None:
        """What waits here is dropped; what is written from now on goes after what the transport has."""
        self._frames.clear()
        self._size = 0

    def stop(self) -> None:
        """Nothing more goes out: what waits is dropped, and what is still written as well."""
        self._is_stopped = True
        self._is_held = False
        self.discard()
        self._keeps_up()

    def pauseProducing(self) -> None:
        """The transport's buffer is full: the peer reads too slowly. It is read no faster itself."""
        self._is_held = not self._is_stopped
        if self._is_held and self._pressure is None:
            self._pressure = self._weigh_with()
            self._size = sum(map(len, self._frames))
        self._transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The transport's buffer is empty again."""
        self._is_held = False
        while self._frames and not self._is_held:
            self._flush_piece()
        if self._pressure is not None:
            if self._is_held:
                self._pressure.weigh(self._size + unsent(self._transport))
            else:
                self._keeps_up()
        self._read_on()

    def pause_reading(self) -> None:
        """The peer is not to be read, however fast it reads itself, until :meth:`resume_reading`."""
        self._is_paused = True
        self._transport.pauseProducing()

    def resume_reading(self) -> None:
        """The peer may be read again."""
        self._is_paused = False
        self._read_on()

    def _read_on(self) -> None:
        if not (self._is_held or self._is_paused):
            self._transport.resumeProducing()

    def _flush_piece(self) -> None:
        size = count = 0
        for count, frame in enumerate(self._frames, 1):  # noqa: B007 - how many there are is wanted after the loop
            size += len(frame)
            if size >= PIECE:
                break
        piece = b"".join(self._frames[:count])
        del self._frames[:count]
        self._size -= size
        self._transport.write(piece)

    def _keeps_up(self) -> None:
        if self._pressure is not None:
            self._pressure.relieve()
            self._pressure = None

    def stopProducing(self) -> None:
        """The transport is gone."""
        self.stop()


def unsent(transport: Any) -> int:
    """Bytes that wait in the buffers of a Twisted transport; 0 where it does not tell."""
    size: int = getattr(transport, "unsent_bytes", 0)
    return size
