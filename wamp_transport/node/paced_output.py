"""Produce answers that can be much larger than their requests, but only while the peer's buffer has room.

The messages for a peer are produced in slices. A slice consists of up to :data:`STEPS_PER_SLICE` steps, each of which
produces at most one message. Between slices, the event loop serves other peers.

Invariants:

- Each session gets its messages in order. While messages are produced for it, all later bytes for it are held back.
- The next message is produced only while fewer than :data:`MAX_QUEUED_BYTES`, and less than half of the transport's
  limit, are queued for the peer. The queue exceeds this by one message at most, so a peer that keeps reading is not
  considered slow.
- While messages are produced for a peer, nothing is read from it. The number of its pending answers is therefore
  limited to the number of its requests that are handled in one turn of the event loop. Until an answer is produced,
  only its parameters are stored.
- At most :data:`MAX_HELD_BYTES` are held back for a peer. A peer that exceeds this limit is disconnected as a slow
  consumer.
- In one turn of the event loop, slices for any number of peers are produced until :data:`SLICE_SECONDS` have passed.
  In addition, each request that is handled in this turn can produce one slice.
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
"""Nothing is produced for a peer while this many bytes are queued for it."""
MAX_HELD_BYTES: Final = 16 * 1024 * 1024
"""Maximum number of bytes that are held back for a peer. It equals the default of the option ``max_outgoing_size``."""
STEPS_PER_SLICE: Final = 250
"""Maximum number of steps that produce messages for one peer before other peers have their turn."""
SLICE_SECONDS: Final = 0.005
FIRST_DELAY: Final = 0.01
LONGEST_DELAY: Final = 0.5
"""The longest interval, in seconds, between checks of whether a peer's full buffer has room again.

The interval begins with ``FIRST_DELAY`` and doubles after each check that finds the buffer still full.
"""

Messages = Iterator[Send | None]
Encode = Callable[[Connection, Send], bytes | None]


class PacedTransport:
    """The transport that replaces a connection's own transport while messages are produced for its peer.

    ``_queue`` contains, in order, iterators that produce messages, and bytes that are held back. ``transport`` is the
    connection's own transport.
    """

    __slots__ = ("_connection", "_encode", "_held_bytes", "_queue", "delay", "transport")

    def __init__(self, connection: Connection, encode: Encode) -> None:
        self._connection = connection
        self.transport: ConnectionTransport = connection.transport
        self._encode = encode
        self._queue: deque[bytes | Messages] = deque()
        self._held_bytes = 0
        self.delay = FIRST_DELAY

    def write(self, data: bytes) -> None:
        """Hold bytes back until all messages that were queued before them have been produced."""
        self._queue.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > MAX_HELD_BYTES:
            queued_bytes = self.queued_bytes
            self.end(discard=True)  # a peer that still reads receives the reason without delay
            self._connection.close_slow_consumer(queued_bytes)

    def close(self, reason: str, message: str) -> None:
        """Stop producing messages, and close the transport after sending the bytes that were held back."""
        self.end()
        self.transport.close(reason, message)

    def pause(self) -> None:
        """Do nothing, because reading from the peer is already paused."""

    def resume(self) -> None:
        """Do nothing. :meth:`end` resumes reading from the peer, unless the router has paused it."""

    @property
    def queued_bytes(self) -> int:
        """The number of bytes that are held back, plus those that are queued in the connection's own transport."""
        return self._held_bytes + self.transport.queued_bytes

    @property
    def outgoing_limit(self) -> int:
        """The number of bytes that can stay queued in the connection's own transport indefinitely."""
        return self.transport.outgoing_limit

    def add(self, messages: Messages) -> None:
        """Queue messages to be produced after everything that is queued already."""
        self._queue.append(messages)

    def begin(self) -> None:
        """Replace the connection's transport, and stop reading from the peer."""
        self._connection.transport = self
        self.transport.pause()

    def produce(self) -> bool:
        """Produce messages in up to :data:`STEPS_PER_SLICE` steps. Return False if the peer's buffer has no room."""
        room = min(MAX_QUEUED_BYTES, self.transport.outgoing_limit // 2) - self.transport.queued_bytes
        if room <= 0:
            return False
        steps = STEPS_PER_SLICE
        while self._queue and room > 0 and steps:
            steps -= 1
            data = self._next()
            if data is not None:
                room -= len(data)
                self.transport.write(data)
        return True

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to produce or to write."""
        return not self._queue

    def end(self, *, discard: bool = False) -> None:
        """Stop producing messages, and restore the connection's own transport.

        Write the bytes that were held back, unless ``discard`` is true.
        """
        queue, self._queue = self._queue, deque()
        self._held_bytes = 0
        for item in queue:
            if isinstance(item, bytes) and not discard:
                self.transport.write(item)
        if self._connection.transport is self:
            self._connection.transport = self.transport
            if not self._connection.is_paused:
                self.transport.resume()

    def _next(self) -> bytes | None:
        """Run one step of the first item in the queue. Return the bytes to write, or None if there are none."""
        item = self._queue[0]
        if isinstance(item, bytes):
            self._queue.popleft()
            self._held_bytes -= len(item)
            return item
        try:
            for send in item:
                return None if send is None else self._encode(self._connection, send)
        except Exception:  # a failing iterator must not block what is queued after it
            logger.exception("Producing messages for session %s failed", self._connection.session_id)
        self._queue.popleft()
        return None


class PacedOutput:
    """The scheduler that produces messages for the connections of a node when their peers' buffers have room.

    ``after_slice`` is called after each turn of the event loop in which the scheduler has produced messages, because
    this can put new effects into the router's outbox.
    """

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
        """Produce the messages of an effect: some immediately, and the rest when the peer's buffer has room.

        If earlier messages are still being produced for the session, queue the new ones after them.
        """
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
        """Stop producing messages for a connection. Write the bytes that were held back, unless ``discard`` is true."""
        if isinstance(connection.transport, PacedTransport):
            connection.transport.end(discard=discard)

    def _send_all(self, connection: Connection, messages: Messages) -> None:
        """Send all messages immediately to a session inside the process, which has no buffer that could overflow."""
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
        """Schedule :meth:`_run` for the next turn, so that the loop first sends bytes and serves other sessions."""
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
