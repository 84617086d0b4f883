"""Collect the bytes for one peer during a turn of the event loop, and send them together at the end of the turn.

The buffer is registered with a Twisted transport as its *producer*, Twisted's term for an object that writes to the
transport and can be paused: the transport calls ``pauseProducing`` when its own buffer is full, and ``resumeProducing``
when its own buffer is empty again. The number of collected bytes is limited if the peer is slow.
"""

from collections.abc import Callable
from typing import Any, Final

from .backpressure import SlowConsumerMonitor
from .read_gate import PauseReason, ReadGate

WRITE_CHUNK_BYTES: Final = 256 * 1024
"""Size in bytes of the chunks that are passed to the transport when its buffer is empty again."""


class WriteBuffer:
    """A queue of bytes for one peer.

    While the transport's own buffer is full, this buffer is *blocked*: it collects bytes but sends none. It also pauses
    reading from the peer with ``gate``, because a peer that does not read its output must not request more.

    ``flush_soon`` schedules :meth:`flush` for the end of this turn of the loop. ``make_monitor`` is called when the
    peer becomes slow; other peers have no monitor. ``writes_through`` is true if the transport is a socket without TLS,
    so that the buffer can write directly to it.
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
        self._size = 0  # total size of the frames; maintained only while there is a monitor
        self._is_stopped = False

    # Hot path: once per message written, and once per peer and turn of the loop.

    def write(self, data: bytes) -> None:
        """Add complete frames, to be sent with the next flush."""
        frames = self._frames
        if not frames:
            # Only the first frame schedules the buffer. The buffer then stays scheduled, or blocked, until it has no
            # frames.
            self._flush_soon(self)
        frames.append(data)
        if self._monitor is not None:
            self._size += len(data)
            # Do this last: on overflow, the monitor's callback discards the frames and writes a last message to this
            # buffer.
            self._monitor.update_size(self._size + unsent(self._transport))

    def flush(self) -> bool:
        """Send the collected bytes in one piece, unless the buffer is blocked.

        Return whether sending may have given the event loop new work; see :meth:`~.flush_scheduler.Flushable.flush`.
        """
        # A stopped buffer is never blocked, because flush_now() must empty it: otherwise, writes would accumulate.
        if self._gate.reasons and self.is_blocked:
            return False
        return self.flush_now()

    def flush_now(self) -> bool:
        """Send the collected bytes, even if the buffer is blocked, so that bytes written next come after them."""
        frames = self._frames
        if not frames:
            return False
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        # Empty the buffer before sending: the transport can call pauseProducing() while it sends, and that method
        # counts the collected bytes.
        frames.clear()
        self._size = 0
        return not self._is_stopped and self.send(data)

    def send(self, data: bytes) -> bool:
        """Send bytes immediately, ahead of the collected bytes and even if the buffer is stopped.

        Return the same value as :meth:`flush`.
        """
        transport = self._transport
        if self._writes_through and transport.connected and not transport.is_writing:
            # Twisted's buffer is empty, so writing to the socket directly keeps the order and saves a turn of the loop.
            sent = transport.writeSomeData(data)
            if sent == len(data):
                return False
            # A result that is not a number means that the connection is lost. The transport detects this itself.
            if isinstance(sent, int):
                data = data[sent:]
        transport.write(data)
        return True

    # End of the hot path.

    @property
    def is_blocked(self) -> bool:
        """Whether the buffer sends nothing, because the transport's buffer is full."""
        return PauseReason.OUTPUT in self._gate.reasons and not self._is_stopped

    @property
    def queued_bytes(self) -> int:
        """The number of bytes in this buffer and in the transport's."""
        return sum(map(len, self._frames)) + unsent(self._transport)

    def send_after_flush(self, data: bytes) -> None:
        """Send the collected bytes and then ``data``, without waiting for the end of the turn."""
        self.flush_now()
        self.send(data)

    def discard(self) -> None:
        """Drop the collected bytes. Bytes in the transport's buffer are still sent."""
        self._frames.clear()
        self._size = 0

    def stop(self) -> None:
        """Drop the collected bytes and all bytes that are written from now on."""
        self._is_stopped = True
        # Do not resume reading here: resumeProducing() does it when the transport's buffer is empty.
        self._gate.withdraw(PauseReason.OUTPUT)
        self.discard()
        self._end_monitoring()

    def pauseProducing(self) -> None:
        """Stop reading from the peer and start to monitor it, because the transport's buffer is full."""
        if not self._is_stopped and self._monitor is None:
            self._monitor = self._make_monitor()
            self._size = sum(map(len, self._frames))
        self._gate.pause(PauseReason.OUTPUT)

    def resumeProducing(self) -> None:
        """Send the collected bytes in chunks until the transport's buffer, which is empty now, is full again."""
        self._gate.withdraw(PauseReason.OUTPUT)
        # A chunk that fills the transport's buffer makes it call pauseProducing(), which blocks this buffer again.
        while self._frames and not self.is_blocked:
            self._write_chunk()
        if self._monitor is not None:
            if self.is_blocked:
                self._monitor.update_size(self._size + unsent(self._transport))
            else:
                self._end_monitoring()
        self._gate.read_on()

    def stopProducing(self) -> None:
        """Stop sending, because the transport is closed."""
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
    """Return the number of bytes in the buffers of a Twisted transport; 0 if its buffers are not accessible."""
    size: int = getattr(transport, "unsent_bytes", 0)
    return size
