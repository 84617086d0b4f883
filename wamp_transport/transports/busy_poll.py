"""A loop that looks again for a moment before it sleeps, as long as what it waits for comes at once.

Putting a process to sleep and waking it takes the system longer than a whole call takes the router. Where a peer
answers within that time, as services on the same host do, staying awake saves a third of the latency for about the same
CPU time. Not so after a turn with more to do: sleeping then lets more come for the next one, which costs less for each.
"""

from collections.abc import Callable
from selectors import BaseSelector
from time import monotonic
from typing import Any, Final

SURE: Final = 4
"""Quick waits, one after the other, after which a loop stays awake."""

MOST: Final = 8
"""Quick waits that count at most; one that was not quick takes back as many as make a loop sure.

So it stays awake only where four of five are quick: where peers take turns, not where messages come at random.
"""


class BusyPoll:
    """``select`` of a selector, awake for up to ``seconds`` where waits have lately been no longer than that.

    That is after turns of at most half of it.
    """

    __slots__ = ("_clock", "_quick", "_seconds", "_select", "_woke")

    def __init__(self, select: Callable[[float | None], Any], seconds: float, clock: Callable[[], float] = monotonic):
        self._select = select
        self._seconds = seconds
        self._clock = clock
        self._quick = 0
        self._woke = 0.0

    # Hot path: once per turn of the loop.

    def select(self, timeout: float | None = None) -> Any:
        """See :meth:`selectors.BaseSelector.select`."""
        if timeout is not None and timeout <= self._seconds:
            return self._select(timeout)
        select, clock = self._select, self._clock
        if self._quick >= SURE:
            if not (ready := select(0)):
                begin = clock()
                if begin - self._woke > self._seconds / 2:
                    ready = select(timeout)
                else:
                    ready = self._awake(begin + self._seconds, timeout)
        else:
            end = clock() + self._seconds
            ready = select(timeout)
            self._quick = self._quick + 1 if ready and clock() < end else 0
        self._woke = clock()
        return ready

    def _awake(self, end: float, timeout: float | None) -> Any:
        while self._clock() < end:
            if ready := self._select(0):
                self._quick = min(self._quick + 1, MOST)
                return ready
        self._quick -= SURE
        return self._select(timeout)

    # End of the hot path.


def poll_busily(loop: Any, seconds: float) -> bool:
    """Let ``loop`` stay awake for up to ``seconds`` where that pays; 0: never.

    Returns False for a loop of another kind than asyncio's own over a selector: it is as it was.
    """
    selector = getattr(loop, "_selector", None)
    if not seconds or not isinstance(selector, BaseSelector):
        return False
    selector.select = BusyPoll(selector.select, seconds).select  # type: ignore[method-assign]
    return True
