"""Collects the bytes for one peer over a turn of the event loop and sends them in one piece; bounded for slow peers.

The buffer is the producer of a Twisted transport, which reports to it when its own buffer is full and when it is empty.
Nothing else of Twisted is needed.
"""

from collections.abc import Callable
from typing import Any, Final

from .backpressure import SlowConsumerMonitor
from .read_gate import PauseReason, ReadGate

WRITE_CHUNK_BYTES: Final = 256 * 1024
"""Bytes that go to the transport at a time when a slow peer has read what the transport had."""


class WriteBuffer:
    """The bytes on their way to one peer.

    While the transport's own buffer is full, the buffer is *blocked*: bytes are collected, but not sent, and ``gate``
    is closed, so that a peer which does not read its output is not read either.

    ``flush_soon`` schedules :meth:`flush` at the end of this turn of the loop. ``make_monitor`` makes the monitor of a
    peer that is slow; others have none.
    """

    __slots__ = (
        "_flush_soon", "_frames", "_gate", "_is_stopped", "_make_monitor", "_monitor", "_size", "_transport",
        "_writes_through",
    )  # fmt: skip

    def __init__(
        self,
        transport: Any,
        gate: ReadGate,
        flush_soon: Callable[["WriteBuffer"], None],
        make_monitor: Callable[[], SlowConsumerMonitor],
        *,
        writes_through: bool = False,
    ) -> None:
        self._transport = transport
        self._gate = gate
        self._flush_soon = flush_soon
        self._make_monitor = make_monitor
        self._monitor: SlowConsumerMonitor | None = None
        self._writes_through = writes_through
        self._frames: list[bytes] = []
        self._size = 0  # of the frames; kept only while there is a monitor
        self._is_stopped = False

    # Hot path: once per message written, and once per peer and turn of the loop.

    def write(self, data: bytes) -> None:
        """Add whole frames; they are sent with the next flush."""
        frames = self._frames
        if not frames:
            # The peer is scheduled exactly while there are frames: whoever empties the list must not schedule it.
            self._flush_soon(self)
        frames.append(data)
        if self._monitor is not None:
            self._size += len(data)
            self._monitor.update_size(self._size + unsent(self._transport))

    def flush(self) -> bool:
        """Send the collected bytes in one piece, unless the buffer is blocked.

        See :meth:`~.flush_scheduler.Flushable.flush` for the value returned.
        """
        # A stopped buffer is never blocked: flush_now() must empty it, or writes would pile up in it.
        if self._gate.reasons and self.is_blocked:
            return False
        return self.flush_now()

    def flush_now(self) -> bool:
        """Send the collected bytes, even if the buffer is blocked: other bytes must be sent after them."""
        frames = self._frames
        if not frames:
            return False
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        frames.clear()
        self._size = 0
        return not self._is_stopped and self.send(data)

    def send(self, data: bytes) -> bool:
        """Hand bytes to the transport now, even if the buffer is stopped. Collected bytes are not sent before them.

        Return as :meth:`flush`.
        """
        transport = self._transport
        if self._writes_through and transport.connected and not transport.is_writing:
            # Twisted's buffer is empty: to write to the socket directly saves a turn of the loop.
            sent = transport.writeSomeData(data)
            if sent == len(data):
                return False
            if isinstance(sent, int):
                data = data[sent:]
        transport.write(data)
        return True

    # End of the hot path.

    @property
    def is_blocked(self) -> bool:
        """Whether nothing is sent until the transport's buffer is empty."""
        return PauseReason.OUTPUT in self._gate.reasons and not self._is_stopped

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait here and in the transport's buffer."""
        return sum(map(len, self._frames)) + unsent(self._transport)

    def send_after_flush(self, data: bytes) -> None:
        """Send the collected bytes and then ``data``, now."""
        self.flush_now()
        self.send(data)

    def discard(self) -> None:
        """Drop the collected bytes. Bytes that the transport has are still sent."""
        self._frames.clear()
        self._size = 0

    def stop(self) -> None:
        """Drop the collected bytes and all that are written from now on."""
        self._is_stopped = True
        self._gate.withdraw(PauseReason.OUTPUT)
        self.discard()
        self._end_monitoring()

    def pauseProducing(self) -> None:
        """Note that the transport's buffer is full: the peer reads too slowly."""
        if not self._is_stopped and self._monitor is None:
            self._monitor = self._make_monitor()
            self._size = sum(map(len, self._frames))
        self._gate.pause(PauseReason.OUTPUT)

    def resumeProducing(self) -> None:
        """Send what was collected in chunks, as the transport's buffer is empty; the last chunk may fill it again."""
        self._gate.withdraw(PauseReason.OUTPUT)
        while self._frames and not self.is_blocked:
            self._write_chunk()
        if self._monitor is not None:
            if self.is_blocked:
                self._monitor.update_size(self._size + unsent(self._transport))
            else:
                self._end_monitoring()
        self._gate.read_on()

    def stopProducing(self) -> None:
        """Stop, as the transport is gone."""
        self.stop()

    def _write_chunk(self) -> None:
        size = count = 0
        for count, frame in enumerate(self._frames, 1):  # noqa: B007 - the count is needed after the loop
            size += len(frame)
            if size >= WRITE_CHUNK_BYTES:
                break
        chunk = b"".join(self._frames[:count])
        del self._frames[:count]
        self._size -= size
        self._transport.write(chunk)

    def _end_monitoring(self) -> None:
        if self._monitor is not None:
            self._monitor.reset()
            self._monitor = None


def unsent(transport: Any) -> int:
    """Return the number of bytes in the buffers of a Twisted transport; 0 if it does not show them."""
    size: int = getattr(transport, "unsent_bytes", 0)
    return size
