"""Hold back output to a client until the other nodes of the cluster know the client's subscriptions.

The node announces to the other nodes which events it wants. The announcements are numbered. An announcement is *known*
when all other nodes have acknowledged it, except those that are silent or late; see :mod:`.known_interest`.

A *hold* delays SUBSCRIBED, and everything that is sent to the same client afterwards, until an announcement is known.
Meanwhile, the node continues to read from the client, so that many SUBSCRIBEs in a row are delayed only once. A hold
ends early:

- after :data:`HOLD_SECONDS`
- when the transport is closed
- when more bytes are held back than may stay queued for the client. The limits for clients that read slowly then apply.
"""

from asyncio import AbstractEventLoop, TimerHandle
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from .connection import Connection, ConnectionTransport
from .paced_output import PacedTransport

HOLD_SECONDS: Final = 1.0


class Hold(NamedTuple):
    """A hold for the announcement ``number``. It ends at the time ``deadline`` at the latest."""

    number: int
    deadline: float


class HeldTransport:
    """The transport that replaces a connection's own transport while output is held back.

    The queue contains holds, and the bytes that they delay. When all holds have ended, ``on_end`` is called with the
    connection. Its second argument is true if the holds ended early because too many bytes were held back.
    """

    __slots__ = ("_connection", "_held_bytes", "_is_ended", "_on_end", "_queue", "_transport")

    def __init__(self, connection: Connection, on_end: Callable[[Connection, bool], None]) -> None:
        self._connection = connection
        self._on_end = on_end
        self._queue: deque[bytes | Hold] = deque()
        self._held_bytes = 0
        self._is_ended = False
        outer = connection.transport
        # If large answers are being produced for the same connection, their messages are held back, too.
        self._transport: ConnectionTransport = outer.transport if isinstance(outer, PacedTransport) else outer
        self._replace(self)

    def write(self, data: bytes) -> None:
        """Queue bytes until the holds that were added before them have ended."""
        self._queue.append(data)
        # Messages to a session inside the process are not encoded, and their size is not limited.
        self._held_bytes += len(data) if isinstance(data, bytes) else 0
        if self._held_bytes > self._transport.outgoing_limit and not self._is_ended:
            self._end(is_full=True)

    def close(self, reason: str, message: str) -> None:
        """End all holds, and close the transport after sending the bytes that were held back."""
        self._end(is_full=False)
        self._transport.close(reason, message)

    def pause(self) -> None:
        """Stop reading from the peer."""
        self._transport.pause()

    def resume(self) -> None:
        """Resume reading from the peer."""
        self._transport.resume()

    @property
    def queued_bytes(self) -> int:
        """The number of bytes that are held back, plus those that are queued in the connection's own transport."""
        return self._held_bytes + self._transport.queued_bytes

    @property
    def outgoing_limit(self) -> int:
        """The number of bytes that can stay queued in the connection's own transport indefinitely."""
        return self._transport.outgoing_limit

    def add(self, hold: Hold) -> None:
        """Hold back everything that is written from now on. The deadlines of successive holds must not decrease."""
        self._queue.append(hold)

    def release(self, known: int) -> None:
        """End holds in order, until one waits for an announcement with a number above ``known``.

        Write the bytes that the ended holds have delayed.
        """
        queue = self._queue
        while queue:
            item = queue[0]
            if isinstance(item, Hold) and item.number > known:
                return
            queue.popleft()
            if not isinstance(item, Hold):
                self._held_bytes -= len(item) if isinstance(item, bytes) else 0
                self._transport.write(item)
        self._end(is_full=False)

    def expired(self, now: float) -> list[int]:
        """Return the numbers of the announcements of all holds whose deadline has passed."""
        return [item.number for item in self._queue if isinstance(item, Hold) and item.deadline <= now]

    @property
    def deadline(self) -> float:
        """The deadline of the first hold. There must be a hold."""
        return next(item.deadline for item in self._queue if isinstance(item, Hold))

    def _end(self, *, is_full: bool) -> None:
        """End all holds: write everything in the queue, and restore the connection's own transport."""
        queue = self._queue
        # Writing can end the session, which writes to this transport again. Bytes that are added here keep their order.
        while queue:
            item = queue.popleft()
            if not isinstance(item, Hold):
                self._transport.write(item)
        self._held_bytes = 0
        if not self._is_ended:
            self._is_ended = True
            self._replace(self._transport)
            self._on_end(self._connection, is_full)

    def _replace(self, transport: ConnectionTransport) -> None:
        outer = self._connection.transport
        if isinstance(outer, PacedTransport):
            outer.transport = transport
        else:
            self._connection.transport = transport


class HeldOutput:
    """The output that is held back, for all clients of a node.

    After holds have ended at their deadlines, ``on_missed`` is called with the highest number of their announcements.
    It may call :meth:`release`.

    - ``holds``: the number of holds since the start
    - ``missed``: the number of holds that ended at their deadline, plus the number of times that too many bytes were
      held back for a client
    """

    def __init__(self, loop: AbstractEventLoop, on_missed: Callable[[int], None]) -> None:
        self._loop = loop
        self._on_missed = on_missed
        self._transports: dict[Connection, HeldTransport] = {}
        self._timer: TimerHandle | None = None
        self.holds = 0
        self.missed = 0

    def hold(self, connection: Connection, number: int) -> None:
        """Hold back what is written to a connection from now on until the announcement ``number`` is known."""
        held = self._transports.get(connection)
        if held is None:
            held = self._transports[connection] = HeldTransport(connection, self._on_end)
        held.add(Hold(number, self._loop.time() + HOLD_SECONDS))
        self.holds += 1
        if self._timer is None:
            self._timer = self._loop.call_later(HOLD_SECONDS, self._on_time)

    def release(self, known: int) -> None:
        """Write what was held back for announcements up to the number ``known``."""
        for held in list(self._transports.values()):
            held.release(known)

    def close(self) -> None:
        """Write everything that is held back."""
        for held in list(self._transports.values()):
            held.release(max(held.expired(float("inf")), default=0))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_end(self, connection: Connection, is_full: bool) -> None:
        self._transports.pop(connection, None)
        self.missed += is_full

    def _on_time(self) -> None:
        """End the holds whose deadline has passed."""
        self._timer = None
        now = self._loop.time()
        expired = [(held, numbers) for held in self._transports.values() if (numbers := held.expired(now))]
        self.missed += sum(len(numbers) for _, numbers in expired)
        for held, numbers in expired:
            held.release(max(numbers))
        if expired:
            self._on_missed(max(max(numbers) for _, numbers in expired))
        if self._transports:
            deadline = min(held.deadline for held in self._transports.values())
            self._timer = self._loop.call_at(deadline, self._on_time)
