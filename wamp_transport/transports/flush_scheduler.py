"""Flush write buffers at the end of each turn of the event loop.

If there are many buffers, for example because of an event for ten thousand subscribers, they are flushed in several
turns, so that the loop can serve other peers meanwhile. The buffers that are flushed in one of these turns are called a
*slice*.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from .event_loop import call_at_end_of_turns

logger = logging.getLogger(__name__)

MAX_PEERS_PER_TURN: Final = 256
"""The number of peers up to which all buffers are flushed in one turn. If there are more, the time is limited."""

SLICE_SECONDS: Final = 0.005
"""The time, in seconds, for flushing buffers in one turn if there are many peers or a backlog.

If the other work of the event loop takes longer, flushing may take as long as this work.
"""

PEERS_PER_CLOCK_CHECK: Final = 16
"""The number of buffers that are flushed between two checks of the time."""


class Loop(Protocol):
    """The methods of an event loop that the scheduler uses."""

    def call_soon(self, callback: Callable[[], None], /) -> object: ...

    def time(self) -> float: ...


class Flushable(Protocol):
    """A buffer of bytes for one peer."""

    def flush(self) -> bool:
        """Send the collected bytes.

        Return True if sending can have given the event loop new work, so that the loop must not wait for I/O yet.
        Return False otherwise, for example if all bytes were passed directly to the operating system.
        """
        ...


class FlushScheduler:
    """A scheduler that flushes the write buffer of each peer at most once per turn of the loop.

    Each peer has its own buffer, so the bytes for a peer stay in order. Peers that could not be flushed in one turn
    form a backlog. If only a few peers are scheduled in a later turn, they are flushed before the backlog.

    :meth:`end_turn` runs at the end of each turn if the loop supports this (``_has_turn_hook``). Otherwise, it runs in
    the next turn.
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
        """Schedule a flush of ``peer`` for the end of this turn, or of a later turn if there are many peers."""
        if not (self._has_turn_hook or self._is_due):
            self._is_due = True
            self._loop.call_soon(self._flush)
        self._fresh.append(peer)

    def end_turn(self) -> bool:
        """Flush the scheduled peers.

        Return true if peers are left or if flushing can have given the loop new work. In both cases, the loop must not
        wait for I/O yet.
        """
        fresh = self._fresh
        if not fresh and not self._backlog:
            return False
        # Replace the list before flushing, because code that runs during a flush can schedule peers again.
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
            except Exception:  # a bug with one peer must affect neither the others nor the loop
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
        """Flush as many buffers as the time for one turn allows. The rest stays in the backlog.

        The buffers of ``fresh`` are flushed first if they are few. Otherwise, they are added to the backlog.
        """
        backlog, time = self._backlog, self._loop.time
        begin = time()
        # Flushing gets at least as much time as all other work since the last call of this method. Otherwise, events
        # from a peer that publishes without a pause would be read faster than they are sent.
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
