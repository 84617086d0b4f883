"""Flushes the write buffers of peers at the end of each turn of the event loop; those of very many peers in slices.

An event for ten thousand subscribers costs ten thousand writes to sockets. Slices let other peers be served in between.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from .event_loop import call_at_end_of_turns

logger = logging.getLogger(__name__)

MAX_PEERS_PER_TURN: Final = 256
"""Peers that are flushed without a break. A turn that wrote to more peers is sliced."""

SLICE_SECONDS: Final = 0.005
"""Seconds that a slice takes."""

PEERS_PER_CLOCK_CHECK: Final = 16
"""Peers that are flushed between two looks at the clock."""


class Loop(Protocol):
    """The part of an event loop that is used here."""

    def call_soon(self, callback: Callable[[], None], /) -> object: ...

    def time(self) -> float: ...


class Flushable(Protocol):
    """A buffer of bytes for one peer."""

    def flush(self) -> bool:
        """Send the collected bytes.

        Return whether this called more than the operating system. Then the loop may have new work, and must not wait
        for I/O before it has looked for it.
        """
        ...


class FlushScheduler:
    """Flushes each peer once, however often it was written to.

    The bytes stay in the peers' own buffers, so the order for each peer is kept. While a slice is left, peers that are
    written to later are flushed before it if they are few.

    :meth:`end_turn` runs at the end of each turn if the loop can be hooked there (``_has_turn_hook``), else in the next
    turn.
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
        """Flush ``peer`` at the end of this turn of the loop, or, with many others, within the next turns."""
        if not (self._has_turn_hook or self._is_due):
            self._is_due = True
            self._loop.call_soon(self._flush)
        self._fresh.append(peer)

    def end_turn(self) -> bool:
        """Flush the waiting peers. Return whether the loop may have new work, or peers are left."""
        fresh = self._fresh
        if not fresh and not self._backlog:
            return False
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
            except Exception:  # a bug of ours with one peer must stop neither the others nor the loop
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
        """Flush all peers now: the loop is about to end."""
        fresh, self._fresh = self._fresh, []
        self._serve((*self._backlog, *fresh))
        self._backlog.clear()
