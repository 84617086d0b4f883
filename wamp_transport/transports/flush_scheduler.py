"""Flushes write buffers at the end of each iteration of the event loop, in slices if there are many.

An event for ten thousand subscribers costs ten thousand writes to sockets. Slices let other peers be served in between.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from .event_loop import call_at_end_of_turns

logger = logging.getLogger(__name__)

MAX_PEERS_PER_TURN: Final = 256
"""Peers that are flushed without a break. If a turn has written to more peers, they are flushed in slices."""

SLICE_SECONDS: Final = 0.005
"""Minimum duration of a slice in seconds."""

PEERS_PER_CLOCK_CHECK: Final = 16
"""Peers that are flushed before a slice checks the time."""


class Loop(Protocol):
    """The methods of an event loop that the scheduler uses."""

    def call_soon(self, callback: Callable[[], None], /) -> object: ...

    def time(self) -> float: ...


class Flushable(Protocol):
    """A buffer of bytes for one peer."""

    def flush(self) -> bool:
        """Send the collected bytes.

        Return true if code other than the operating system's was called. That code may have given the loop new work, so
        the loop must not wait for I/O yet.
        """
        ...


class FlushScheduler:
    """A scheduler that flushes each peer once per loop iteration, however often it was written to.

    The bytes stay in the peers' own buffers, so their order is kept for each peer. If there is a backlog and only a few
    peers are scheduled after it, these are flushed first.

    :meth:`end_turn` runs at the end of each iteration of the loop if the loop has a hook for that
    (``_has_turn_hook``), and otherwise in the next iteration.
    """

    __slots__ = ("_backlog", "_ended", "_fresh", "_has_turn_hook", "_is_due", "_loop")

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._fresh: list[Flushable] = []
        self._backlog: deque[Flushable] = deque()
        self._is_due = False
        self._ended = 0.0
        self._has_turn_hook = call_at_end_of_turns(loop, self.end_turn)

    # Hot path.

    def flush_soon(self, peer: Flushable) -> None:
        """Schedule a flush of ``peer`` for the end of this loop iteration, or a later one if there are many peers."""
        if not (self._has_turn_hook or self._is_due):
            self._is_due = True
            self._loop.call_soon(self._flush)
        self._fresh.append(peer)

    def end_turn(self) -> bool:
        """Flush the scheduled peers.

        Return true if peers are left or if flushing may have given the loop new work. Then it must not wait for I/O
        yet.
        """
        fresh = self._fresh
        if not fresh and not self._backlog:
            return False
        # Replaced before anything is flushed, because code that runs meanwhile can schedule peers again.
        self._fresh = []
        if len(fresh) > MAX_PEERS_PER_TURN or self._backlog:
            self._flush_slice(fresh)
            return True
        return self._serve(fresh) or bool(self._fresh)

    def _serve(self, peers: Iterable[Flushable]) -> bool:
        has_more = False
        for peer in peers:
            try:
                if peer.flush():
                    has_more = True
            except Exception:  # a bug with one peer must stop neither the others nor the loop
                logger.exception("Cannot send the bytes queued for a peer")
                has_more = True
        return has_more

    def _flush(self) -> None:
        self._is_due = False
        self.end_turn()
        if self._backlog and not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._flush)

    # End of the hot path.

    def _flush_slice(self, fresh: list[Flushable]) -> None:
        """Flush ``fresh`` if they are few, and as much of the backlog as the time allows."""
        backlog, time = self._backlog, self._loop.time
        begin = time()
        # A slice takes at least as long as all other work since the last one. So a peer that publishes without a pause
        # is read no faster than its events are sent.
        end = begin + max(SLICE_SECONDS, begin - self._ended if backlog else 0.0)
        if len(fresh) > MAX_PEERS_PER_TURN:
            backlog.extend(fresh)
        else:
            self._serve(fresh)
        while backlog:
            self._serve([backlog.popleft() for _ in range(min(PEERS_PER_CLOCK_CHECK, len(backlog)))])
            if time() >= end:
                break
        self._ended = time()

    def flush_all(self) -> None:
        """Flush all peers immediately, because the loop is about to end."""
        fresh, self._fresh = self._fresh, []
        self._serve((*self._backlog, *fresh))
        self._backlog.clear()
