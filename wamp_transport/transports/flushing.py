"""When what waits for peers is sent: at the end of each turn of the loop, and for a great many peers in slices.

What an event for ten thousand subscribers costs is the writing to ten thousand sockets. Others are served in between.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from .event_loop import call_at_end_of_turns

logger = logging.getLogger(__name__)

WAVE: Final = 256
"""Peers that are served in one go; a turn that wrote to more of them is sliced."""

SLICE_SECONDS: Final = 0.005
"""How long peers are served at a time."""

STRIDE: Final = 16
"""Peers between two looks at the clock."""


class Loop(Protocol):
    """What is needed of an event loop."""

    def call_soon(self, callback: Callable[[], None], /) -> object: ...

    def time(self) -> float: ...


class Flushable(Protocol):
    """What collects bytes for a peer."""

    def flush(self) -> bool:
        """Send what was collected. Returns whether more was done than to hand it to the system, as anybody who was
        told of it may have given the loop something to do.
        """
        ...


class Flushing:
    """The peers for whom something waits. Each is flushed once, however much is written until then.

    Order is kept for each peer, as its bytes wait with itself. While a slice is left over, peers that are written to
    later, if they are few, are served before it.

    The loop calls :meth:`end_turn` at the end of its turns where it can, else a turn later.
    """

    __slots__ = ("_backlog", "_ended", "_fresh", "_is_due", "_is_told", "_loop")

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._fresh: list[Flushable] = []
        self._backlog: deque[Flushable] = deque()
        self._is_due = False
        self._ended = 0.0
        self._is_told = call_at_end_of_turns(loop, self.end_turn)

    # Hot path.

    def flush_soon(self, peer: Flushable) -> None:
        """Flush ``peer`` at the end of this turn of the loop, or, with many others, within the next ones."""
        if not (self._is_told or self._is_due):
            self._is_due = True
            self._loop.call_soon(self._flush)
        self._fresh.append(peer)

    def end_turn(self) -> bool:
        """Serve who waits. Returns whether the loop may have got something to do by it, or this is not done yet."""
        fresh = self._fresh
        if not fresh and not self._backlog:
            return False
        self._fresh = []
        if len(fresh) > WAVE or self._backlog:
            self._flush_slice(fresh)
            return True
        return self._serve(fresh) or bool(self._fresh)

    def _serve(self, peers: Iterable[Flushable]) -> bool:
        has_more = False
        for peer in peers:
            try:
                if peer.flush():
                    has_more = True
            except Exception:  # a bug of ours with one peer: others must not wait for ever, and the loop goes on
                logger.exception("What waits for a peer cannot be sent")
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
        # As long as all else took since the last slice: who publishes without a pause is read no faster than sent.
        end = begin + max(SLICE_SECONDS, begin - self._ended if backlog else 0.0)
        if len(fresh) > WAVE:
            backlog.extend(fresh)
        else:
            self._serve(fresh)
        while backlog:
            self._serve([backlog.popleft() for _ in range(min(STRIDE, len(backlog)))])
            if time() >= end:
                break
        self._ended = time()

    def flush_all(self) -> None:
        """Flush everybody now: the loop is about to end."""
        fresh, self._fresh = self._fresh, []
        self._serve((*self._backlog, *fresh))
        self._backlog.clear()
