"""Produce answers that are much larger than their requests, in slices that wait for the peer's buffer.

Invariants:

- What one session gets keeps its order. While something is produced for it, all that is written to it is held back.
- At most :data:`MAX_QUEUED_BYTES` and one message are queued for a peer before the next message is produced.
- A peer is not read while something is produced for it. So it has at most as many answers pending as requests of it
  are handled in one turn of the event loop. Nothing is kept for an answer but its parameters until it is produced.
- At most :data:`MAX_HELD_BYTES` are held back for a peer. With more it is closed as a slow consumer.
- A turn of the event loop produces for at most :data:`SLICE_SECONDS`, for all peers together, and at most one slice for
  each request that it handles.
"""

import logging
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from ..router.effects import Produce, Send
from ..router.options import LOCAL_SERVICE
from .connection import Connection, ConnectionTransport

logger = logging.getLogger(__name__)

MAX_QUEUED_BYTES: Final = 256 * 1024
"""Bytes queued for a peer from which on nothing is produced for it. Less than any limit for slow peers."""
MAX_HELD_BYTES: Final = 16 * 1024 * 1024
"""Bytes that are held back for a peer: as much as may be queued for a peer with the default options."""
STEPS_PER_SLICE: Final = 250
"""Steps of production for one peer before others have their turn."""
SLICE_SECONDS: Final = 0.005
FIRST_DELAY: Final = 0.01
LONGEST_DELAY: Final = 0.5
"""Seconds until the buffer of a peer is looked at again. They double while it does not empty."""

Messages = Iterator[Send | None]
Encode = Callable[[Connection, Send], bytes | None]


class PacedTransport:
    """Stands in for the transport of a connection while messages are produced for its peer.

    ``_queue`` holds sources of messages, and bytes that were written after them.
    """

    __slots__ = ("_connection", "_encode", "_held_bytes", "_queue", "_transport", "delay")

    def __init__(self, connection: Connection, encode: Encode) -> None:
        self._connection = connection
        self._transport: ConnectionTransport = connection.transport
        self._encode = encode
        self._queue: deque[bytes | Messages] = deque()
        self._held_bytes = 0
        self.delay = FIRST_DELAY

    def write(self, data: bytes) -> None:
        """Hold bytes back until everything before them has been produced."""
        self._queue.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > MAX_HELD_BYTES:
            queued_bytes = self.queued_bytes
            self.end(discard=True)  # so that a peer that still reads soon learns why it is closed
            self._connection.close_slow_consumer(queued_bytes)

    def close(self, reason: str, message: str) -> None:
        """Stop producing, and close the transport after the bytes that were held back."""
        self.end()
        self._transport.close(reason, message)

    def pause(self) -> None:
        """Do nothing: the peer is not read."""

    def resume(self) -> None:
        """Do nothing: the peer is read when everything has been produced, if the router does not object."""

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait for the peer, here and in the transport."""
        return self._held_bytes + self._transport.queued_bytes

    def add(self, messages: Messages) -> None:
        """Produce these messages after everything that was written before."""
        self._queue.append(messages)

    def begin(self) -> None:
        """Take the place of the transport, and stop reading from the peer."""
        self._connection.transport = self
        self._transport.pause()

    def produce(self) -> bool:
        """Produce a slice of messages. Return whether anything was done: not if the peer's buffer is full."""
        room = MAX_QUEUED_BYTES - self._transport.queued_bytes
        if room <= 0:
            return False
        steps = STEPS_PER_SLICE
        while self._queue and room > 0 and steps:
            steps -= 1
            data = self._next()
            if data is not None:
                room -= len(data)
                self._transport.write(data)
        return True

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to produce or to write."""
        return not self._queue

    def end(self, *, discard: bool = False) -> None:
        """Write what was held back, produce nothing more, and give the connection its transport back."""
        queue, self._queue = self._queue, deque()
        self._held_bytes = 0
        for item in queue:
            if isinstance(item, bytes) and not discard:
                self._transport.write(item)
        if self._connection.transport is self:
            self._connection.transport = self._transport
            if not self._connection.is_paused:
                self._transport.resume()

    def _next(self) -> bytes | None:
        """Return the next bytes to write, None after a step without any."""
        item = self._queue[0]
        if isinstance(item, bytes):
            self._queue.popleft()
            self._held_bytes -= len(item)
            return item
        try:
            for send in item:
                return None if send is None else self._encode(self._connection, send)
        except Exception:  # a failing source must not prevent what is behind it
            logger.exception("Producing messages for session %s failed", self._connection.session_id)
        self._queue.popleft()
        return None


class PacedOutput:
    """The connections for which messages are produced. ``after_slice`` runs when the core may have new effects."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        connections: Mapping[int, Connection],
        encode: Encode,
        after_slice: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._connections = connections
        self._encode = encode
        self._after_slice = after_slice
        self._ready: deque[PacedTransport] = deque()
        self._is_scheduled = False

    def start(self, effect: Produce) -> None:
        """Send messages: now if the peer's buffer has room for them, else as soon as it has."""
        connection = self._connections.get(effect.session_id)
        if connection is None:
            return
        if isinstance(connection.transport, PacedTransport):
            connection.transport.add(effect.messages)
        elif connection.service is LOCAL_SERVICE:
            self._send_all(connection, effect.messages)
        else:
            paced = PacedTransport(connection, self._encode)
            paced.add(effect.messages)
            paced.produce()
            if not paced.is_done:
                paced.begin()
                self._wake(paced)

    def stop(self, connection: Connection, *, discard: bool = False) -> None:
        """Produce nothing more for a connection. What was held back is written, unless ``discard``."""
        if isinstance(connection.transport, PacedTransport):
            connection.transport.end(discard=discard)

    def _send_all(self, connection: Connection, messages: Messages) -> None:
        """Send messages to a session inside the process, which has no buffer of bytes."""
        for send in messages:
            data = None if send is None else self._encode(connection, send)
            if data is not None:
                connection.transport.write(data)

    def _wake(self, paced: PacedTransport) -> None:
        self._ready.append(paced)
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._run_next_turn)

    def _run_next_turn(self) -> None:
        """Run in the next turn: what was written in this one is sent first, and others are served."""
        self._loop.call_soon(self._run)

    def _run(self) -> None:
        self._is_scheduled = False
        ready, time = self._ready, self._loop.time
        end = time() + SLICE_SECONDS
        for _ in range(len(ready)):
            self._continue(ready.popleft())
            if time() >= end:
                break
        if ready:
            self._schedule()
        self._after_slice()

    def _continue(self, paced: PacedTransport) -> None:
        if paced.produce():
            paced.delay = FIRST_DELAY
            if not paced.is_done:
                self._ready.append(paced)
        elif not paced.is_done:
            self._loop.call_later(paced.delay, self._wake, paced)
            paced.delay = min(2 * paced.delay, LONGEST_DELAY)
        if paced.is_done:
            paced.end()
